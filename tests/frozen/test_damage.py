"""Any page of an SQLite database is spoilt: `bounty check` finds it, or nothing that it proves reads otherwise."""

import random
import sqlite3
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy.exc import DatabaseError, OperationalError

from bounty.checks.books import run_checks
from bounty.checks.content import FOR_DISPLAY, PROVED, not_proved
from bounty.db import Base, make_engine, snapshot
from tests.damage import KINDS, Whole, damaged, proved_that_differ, whole_of
from tests.frozen.test_tampering import TABLES
from tests.web.conftest import paid_books, small_site  # noqa: F401 - fixtures

SAMPLE = 12
"""Damages in the suite; with ``make soak`` every kind of every page."""


@pytest.fixture(scope="module")
def whole(paid_books: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:  # noqa: F811
    """A month that was published and paid in part, in one file."""
    path = tmp_path_factory.mktemp("whole") / "books.sqlite"
    live = sqlite3.connect(paid_books)
    live.execute("VACUUM INTO ?", (str(path),))
    live.close()
    return whole_of(path)


def verdict(whole: Whole, path: Path) -> str:
    """What comes of a damaged file: found, harmless (every row reads as it did), or not proved."""
    engine = make_engine(f"sqlite:///{path}")
    try:
        with snapshot(engine) as connection:
            off = next((each.name for each in run_checks(connection) if each.violations), None)
    except DatabaseError as error:
        if type(error) not in (DatabaseError, OperationalError):  # of these the command makes a sentence
            raise
        return "found: unreadable"
    finally:
        engine.dispose()
    if off is not None:
        return "found: a check"
    missed = proved_that_differ(whole, path)
    if missed:
        return f"MISSED: {sorted(missed)}"
    return "harmless" if whole.rows == rows_now(path) else "not proved"


def rows_now(path: Path) -> object:
    return whole_of(path).rows


@pytest.mark.parametrize(
    "every", [False, pytest.param(True, marks=pytest.mark.soak)], ids=["sample", "every"]
)
def test_a_damaged_page_is_found_or_harmless(whole: Whole, tmp_path: Path, every: bool) -> None:
    damages = [(page, kind) for page in range(1, whole.pages + 1) for kind in KINDS]
    if not every:
        damages = random.Random(22).sample(damages, SAMPLE)
    path = tmp_path / "damaged.sqlite"
    came: Counter[str] = Counter()
    missed = []
    for page, kind in damages:
        content = damaged(whole, page, kind)
        if content == whole.content:
            came["nothing there"] += 1
            continue
        path.write_bytes(content)
        for ending in ("-wal", "-shm"):
            Path(f"{path}{ending}").unlink(missing_ok=True)
        found = verdict(whole, path)
        came[found.partition(" [")[0]] += 1
        if found.startswith("MISSED"):
            missed.append(f"page {page}, {kind}: {found}")
    print(f"{whole.pages} pages, {len(damages)} damages: {dict(came)}")
    assert missed == []
    assert came["found: unreadable"] + came["found: a check"] > 0


def test_what_is_proved_is_what_the_check_says(whole: Whole, tmp_path: Path) -> None:
    """The tables in the sentence of `bounty check`: each table once, and those whose tampering is found are proved."""
    assert set(TABLES) | {"orders", "order_versions", "periods", "received_texts"} == PROVED
    assert FOR_DISPLAY.keys() <= PROVED
    path = tmp_path / "books.sqlite"
    path.write_bytes(whole.content)
    engine = make_engine(f"sqlite:///{path}")
    with snapshot(engine) as connection:
        said = not_proved(connection)
    engine.dispose()
    proved, _, others = said.partition("Not proved")
    for name in Base.metadata.tables:
        assert (f" {name}," in f"{proved.replace('.', ',')}") == (name in PROVED), name
        assert name in PROVED or name in others


@pytest.mark.parametrize("damage", ["6100", "61ff"], ids=["a NUL", "no UTF-8"])
def test_a_text_that_nobody_can_have_stored_is_found(whole: Whole, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "books.sqlite"
    path.write_bytes(whole.content)
    owner = sqlite3.connect(path)
    owner.execute(f"UPDATE users SET name = CAST(x'{damage}' AS TEXT) WHERE user_id = 1")
    owner.commit()
    owner.close()
    engine = make_engine(f"sqlite:///{path}")
    with snapshot(engine) as connection:
        assert [each.name for each in run_checks(connection) if each.violations] == ["texts-readable"]
    engine.dispose()


def test_a_schema_that_is_no_text_is_refused_in_a_sentence(whole: Whole, tmp_path: Path) -> None:
    path = tmp_path / "books.sqlite"
    path.write_bytes(whole.content)
    owner = sqlite3.connect(path)
    owner.execute("PRAGMA writable_schema = on")
    owner.execute(
        "UPDATE sqlite_schema SET sql = CAST(x'ffb1' AS TEXT), name = CAST(x'62b1' AS TEXT) WHERE name = 'users'"
    )
    owner.commit()
    owner.close()
    engine = make_engine(f"sqlite:///{path}")
    with pytest.raises(DatabaseError, match="damaged"), snapshot(engine):
        pass
    engine.dispose()
