"""A large file goes in in parts and comes to what one transaction brings, whatever happens in between."""

import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from bounty import importer
from bounty.checks import books
from bounty.db import Base, make_engine, snapshot, transaction
from bounty.errors import BountyError, RefusedFile
from bounty.ingest.unfinished import InterruptedImport, UnfinishedImport, unfinished_file
from bounty.models import Batch, ImportProgress
from bounty.notices.service import publish
from bounty.orders import parts, service
from bounty.orders.received_texts import texts_of_batch
from bounty.orders.undo import batches, undo_batch
from bounty.progress.as_of import read_as_of
from bounty.roster.service import open_roster
from bounty.roster.terms import add_terms
from bounty.rules.periods import Period
from bounty.settlement.service import settle
from tests import postgres
from tests.agreement import months
from tests.agreement.verdict import agree, written
from tests.factories import (
    EASY,
    PROMOTER,
    Month,
    Row,
    bounty,
    detail_of,
    environment,
    order_row,
    promoter,
    shanghai,
    terms_toml,
    write_csv_zh,
    write_json,
    write_jsonl,
    write_table,
)

NOW = shanghai("2023-01-15 12:00:00")
PERIOD = Period.parse("2022-12")
PROMOTERS = range(PROMOTER, PROMOTER + 3)
STRANGER = PROMOTER + 9
APART = {"audit_events", "books", "received_texts"}
"""Tables that may differ: each part is an act of its own, all books have an id, and texts are packed by chunk."""


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PAUSE_SECONDS", 0)


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of seven rows, in chunks of three."""
    monkeypatch.setattr(parts, "PART_ROWS", 7)
    monkeypatch.setattr(service, "CHUNK", 3)


@pytest.fixture
def twin(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Other empty books, on the same kind of database."""
    if database_url.startswith("sqlite"):
        url = f"sqlite:///{tmp_path / 'twin.sqlite'}"
        shutil.copy(request.getfixturevalue("_sqlite_template"), tmp_path / "twin.sqlite")
    else:
        url = postgres.fresh_database(template=request.getfixturevalue("_postgres_template"))
    made = make_engine(url)
    yield made
    made.dispose()
    if not database_url.startswith("sqlite"):
        postgres.drop_database(url)


def contents(engine: Engine) -> dict[str, list[str]]:
    """Every row of every table but APART, as text and in order; numbers of entries of the quarantine left out."""
    with snapshot(engine) as connection:
        found = {
            table.name: sorted(
                repr(tuple(row))
                for row in connection.execute(
                    select(*(column for column in table.columns if column.name != "quarantine_id"))
                )
            )
            for table in Base.metadata.sorted_tables
            if table.name not in APART
        }
        found["texts"] = [
            repr((number, *text))
            for number in connection.execute(select(Batch.batch_id).order_by(Batch.batch_id)).scalars()
            for text in texts_of_batch(connection, number)
        ]
        return found


def some_row(draw: random.Random) -> Row:
    """A state of one of forty orders: updates of one order, repeats, details, bad rows and unknown promoters abound."""
    row = order_row(
        number=draw.randrange(40),
        promoter_id=draw.choice([*PROMOTERS, *PROMOTERS, *PROMOTERS, STRANGER]),
        amount_fen=draw.choice([0, 99, 9_050, 25_000]),
        status=draw.choice([1, 2, 2, 3, 4, 5, 8, 10]),
        paid=draw.choice(
            ["2022-12-01 00:00:00", "2022-12-07 09:00:00", "2022-12-20 23:59:59", "2023-01-01 00:00:00"]
        ),
        received=draw.choice([None, "2022-12-28 12:00:00", "2023-01-11 00:00:00"]),
        modified=f"2023-01-{draw.randrange(11, 14)} {draw.randrange(4):02d}:00:00",
    )
    if draw.random() < 0.15:
        row = detail_of(row, draw.choice([0, 1, 2]))
    if draw.random() < 0.15:  # few different contents, so that entries repeat within a file and across files
        row = order_row(number=draw.randrange(3), promoter_id=PROMOTERS[0], order_status=99)
    return row


def file_of(folder: Path, name: str, draw: random.Random) -> Path:
    rows = [some_row(draw) for _ in range(draw.choice([3, 7, 8, 14, 15, 60]))]
    rows += draw.choices(rows, k=draw.randrange(20))
    draw.shuffle(rows)
    return write_jsonl(folder / f"{name}.jsonl", rows)


def life(folder: Path, seed: int) -> Iterator[Callable[[Engine], Any]]:
    """What happens to books, step by step; the same for every books that a step is done to."""
    draw = random.Random(seed)
    people = write_table(folder / "people.csv", list(map(promoter, PROMOTERS)))
    late = write_table(folder / "late.csv", [promoter(STRANGER)])
    toml = terms_toml(levels=EASY, caps='order_cap_yuan = "4.00"\npromoter_cap_yuan = "11.00"')

    def importing(kind: str, path: Path) -> Callable[[Engine], Any]:
        return lambda engine: importer.import_file(engine, kind, path, NOW).counts

    def opening(engine: Engine) -> Any:
        with transaction(engine) as connection:
            add_terms(connection, toml, NOW)
            return open_roster(connection, PERIOD, NOW).on_roster

    def undoing(choice: float) -> Callable[[Engine], Any]:
        def undo(engine: Engine) -> Any:
            with transaction(engine) as connection:
                held = [
                    row.batch_id for row in batches(connection) if row.kind == "orders" and not row.undone_at
                ]
                return undo_batch(connection, held[int(choice * len(held))], NOW)

        return undo

    def settling(engine: Engine) -> Any:
        with transaction(engine) as connection:
            return settle(connection, PERIOD, NOW).content_sha256

    yield importing("promoters", people)
    files = [file_of(folder, f"orders-{number}", draw) for number in range(5)]
    for number, path in enumerate(files):
        if number == 2:
            yield opening
        yield importing("orders", path)
        if draw.random() < 0.5:
            yield undoing(draw.random())
            yield importing("orders", draw.choice(files[: number + 1]))
    yield importing("promoters", late)
    yield importing("orders", files[0])
    yield settling


@pytest.mark.parametrize("seed", range(4))
def test_parts_come_to_what_one_transaction_brings(
    engine: Engine, twin: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    came = 0
    for step in life(tmp_path, seed):
        whole = step(twin)
        with monkeypatch.context() as patch:
            patch.setattr(parts, "PART_ROWS", 7)
            patch.setattr(service, "CHUNK", 3)
            assert step(engine) == whole
        found, expected = contents(engine), contents(twin)
        for name, rows in expected.items():
            assert found[name] == rows, name
        came += len(found["order_versions"])
    assert came
    with snapshot(engine) as connection:
        assert [finding for finding in books.run_checks(connection) if finding.violations] == []


@pytest.mark.usefixtures("in_parts")
@pytest.mark.parametrize("seed", range(3))
def test_a_month_in_parts_is_as_the_oracle_says(engine: Engine, tmp_path: Path, seed: int) -> None:
    case = months.generate(seed, promoters=20)
    agree(engine, case, written(case, tmp_path, random.Random(seed), 5))


# What happens in between


class _Stopped(Exception):
    pass


def stopping_after(rows: int) -> Callable[[int], None]:
    """Stops an import as soon as it has read so many rows."""

    def on_progress(read: int) -> None:
        if read >= rows:
            raise _Stopped

    return on_progress


def a_file(folder: Path, name: str = "large", rows: int = 40) -> Path:
    """Orders of PROMOTER, and one bad row."""
    made = [order_row(number=number, amount_fen=100 + number) for number in range(1, rows)]
    return write_jsonl(folder / f"{name}.jsonl", [*made, order_row(number=rows, order_status=99)])


def stop_half_way(engine: Engine, path: Path, rows: int = 20) -> int:
    """Import a file until it has read so many rows; its batch."""
    with pytest.raises(_Stopped):
        importer.import_file(engine, "orders", path, NOW, on_progress=stopping_after(rows))
    with snapshot(engine) as connection:
        file = unfinished_file(connection)
    assert file is not None
    assert 0 < file.rows_read < 40
    return file.batch_id


def violations(engine: Engine) -> list[str]:
    with snapshot(engine) as connection:
        return [finding.name for finding in books.run_checks(connection) if finding.violations]


@pytest.mark.usefixtures("in_parts")
@pytest.mark.parametrize("rows", [8, 14, 15, 33, 39])
def test_a_stopped_file_goes_on_where_it_was(engine: Engine, twin: Engine, tmp_path: Path, rows: int) -> None:
    path, people = a_file(tmp_path), write_table(tmp_path / "people.csv", [promoter()])
    for one in (engine, twin):
        importer.import_file(one, "promoters", people, NOW)
    expected = importer.import_file(twin, "orders", path, NOW)
    batch_id = stop_half_way(engine, path, min(rows, 39))
    assert violations(engine) == []
    finished = importer.import_file(engine, "orders", path, NOW)
    assert (finished.batch_id, finished.counts) == (batch_id, expected.counts)
    assert finished.counts.read == 40
    assert contents(engine) == contents(twin)
    again = importer.import_file(engine, "orders", path, NOW).counts
    assert (again.unchanged, again.quarantined) == (39, 1)


@pytest.mark.usefixtures("in_parts")
def test_while_a_file_is_half_in_nothing_is_frozen_and_other_batches_come(
    engine: Engine, tmp_path: Path
) -> None:
    month = Month(engine, tmp_path)
    month.begin()
    month.orders(order_row(number=900))
    month.settle()
    path = a_file(tmp_path)
    number = stop_half_way(engine, path)
    refusals: list[Callable[[Any], Any]] = [
        lambda connection: settle(connection, PERIOD, NOW),
        lambda connection: publish(connection, PERIOD, NOW, approval_required=False),
        lambda connection: open_roster(connection, Period.parse("2023-01"), NOW),
        lambda connection: read_as_of(connection, str(number), NOW),
        lambda connection: read_as_of(connection, "2023-01-15T12:00:00", NOW),
    ]
    for refused in refusals:
        with (
            pytest.raises(UnfinishedImport, match=rf"large.jsonl .* undo {number}`") as refusal,
            transaction(engine) as c,
        ):
            refused(c)
        assert f"批次 {number}" in refusal.value.zh
    with snapshot(engine) as connection:
        assert read_as_of(connection, str(number - 1), NOW).batch_id == number - 1
        listed = {row.batch_id: row.rows_so_far for row in batches(connection)}
    assert listed.pop(number) == 14
    assert set(listed.values()) == {None}
    assert violations(engine) == []

    month.orders(order_row(number=901))  # a small file
    with pytest.raises(UnfinishedImport):
        importer.import_file(engine, "orders", a_file(tmp_path, "another", 30), NOW)
    with pytest.raises(UnfinishedImport):
        importer.import_file(engine, "orders", path, NOW, strict=True)
    strict = importer.import_file(
        engine,
        "orders",
        write_jsonl(tmp_path / "s.jsonl", [order_row(number=n) for n in range(950, 980)]),
        NOW,
        strict=True,
    )
    assert strict.counts.new == 30
    importer.import_file(engine, "orders", path, NOW)
    month.settle()
    assert violations(engine) == []


@pytest.mark.usefixtures("in_parts")
def test_status_and_list_name_the_file(engine: Engine, database_url: str, tmp_path: Path) -> None:
    month = Month(engine, tmp_path)
    month.begin()
    path = a_file(tmp_path)
    number = stop_half_way(engine, path)
    said = bounty(database_url, "status", "2022-12", "--json", now="2023-01-15T12:00:00+08:00")
    assert '"UNFINISHED", "state": "FAILED"' in said.stdout
    assert '"code": "IMPORT"' in said.stdout
    listed = bounty(database_url, "import", "list").stdout
    assert f"{number} orders large.jsonl" in listed
    assert "not in whole yet, rows so far: 14" in listed
    checked = bounty(database_url, "check")
    assert checked.returncode == 0
    assert "large.jsonl is not in whole yet" in checked.stderr
    undone = bounty(database_url, "import", "undo", str(number))
    assert undone.stdout == f"batch {number} undone, 14 rows withdrawn\n"
    assert (
        "read=14 new=14 changed=0 unchanged=0 stale=0 quarantined=0"
        in bounty(database_url, "import", "list").stdout
    )
    assert violations(engine) == []


@pytest.mark.usefixtures("in_parts")
def test_an_undone_half_is_as_if_it_had_never_come_and_may_come_again(
    engine: Engine, twin: Engine, tmp_path: Path
) -> None:
    people = write_table(tmp_path / "people.csv", [promoter()])
    early = write_jsonl(tmp_path / "early.jsonl", [order_row(number=number) for number in (3, 4, 5)])
    path = a_file(tmp_path)
    for one in (engine, twin):
        importer.import_file(one, "promoters", people, NOW)
        importer.import_file(one, "orders", early, NOW)
    expected = importer.import_file(twin, "orders", path, NOW).counts
    before = contents(engine)
    number = stop_half_way(engine, path)
    with transaction(engine) as connection:
        undo_batch(connection, number, NOW)
    after = contents(engine)
    assert after["orders"] == before["orders"]
    assert after["import_progress"] == after["import_orders"] == after["import_bad_rows"] == []
    again = importer.import_file(engine, "orders", path, NOW)
    assert again.batch_id == number + 1
    assert again.counts == expected
    assert contents(engine)["orders"] == contents(twin)["orders"]
    with transaction(engine) as connection:
        assert undo_batch(connection, again.batch_id, NOW) == 39  # the whole file at once
    assert contents(engine)["orders"] == before["orders"]
    assert violations(engine) == []


def doing_at(opened: importer.Opened, row: int, act: Callable[[], None]) -> importer.Opened:
    """The file, with an act just before a row is read."""

    def rows() -> Iterable[Any]:
        for number, each in enumerate(opened.rows, 1):
            if number == row:
                act()
            yield each

    return replace(opened, rows=rows())


@pytest.mark.usefixtures("in_parts")
def test_two_processes_with_one_file_bring_it_once(engine: Engine, tmp_path: Path) -> None:
    importer.import_file(engine, "promoters", write_table(tmp_path / "people.csv", [promoter()]), NOW)
    path = a_file(tmp_path)
    finished: list[importer.Imported] = []
    opened = doing_at(
        importer.open_file("orders", path),
        22,  # which is read between the third part and the fourth
        lambda: finished.append(importer.import_file(engine, "orders", path, NOW)),
    )
    with pytest.raises(InterruptedImport, match="another process"):
        importer.import_orders(engine, opened, NOW)
    assert str(finished[0].counts) == "read=40 new=39 changed=0 unchanged=0 stale=0 quarantined=1"
    with snapshot(engine) as connection:
        assert [row.rows_read for row in batches(connection) if row.kind == "orders"] == [40]
    assert violations(engine) == []


@pytest.mark.usefixtures("in_parts")
def test_a_file_that_turns_out_to_be_wrong_is_taken_back(engine: Engine, tmp_path: Path) -> None:
    importer.import_file(engine, "promoters", write_table(tmp_path / "people.csv", [promoter()]), NOW)
    path = write_json(tmp_path / "large.json", [order_row(number=number) for number in range(1, 40)])
    path.write_bytes(path.read_bytes()[:-3])
    before = contents(engine)
    with pytest.raises(RefusedFile):
        importer.import_file(engine, "orders", path, NOW)
    after = contents(engine)
    assert after["orders"] == before["orders"] == []
    assert after["import_progress"] == []
    with snapshot(engine) as connection:
        assert [row.undone_at for row in batches(connection) if row.kind == "orders"] == [NOW]
    assert violations(engine) == []


@pytest.mark.usefixtures("in_parts")
def test_a_file_read_otherwise_does_not_go_on(engine: Engine, tmp_path: Path) -> None:
    importer.import_file(engine, "promoters", write_table(tmp_path / "people.csv", [promoter()]), NOW)
    path = write_csv_zh(tmp_path / "large.csv", [order_row(number=number) for number in range(1, 40)])
    stop_half_way(engine, path)
    with transaction(engine) as connection:
        connection.execute(update(Batch).where(Batch.kind == "orders").values(header="订单编号"))
    with pytest.raises(BountyError, match="begun with other headers"):
        importer.import_file(engine, "orders", path, NOW)


@pytest.mark.usefixtures("in_parts")
def test_a_small_file_leaves_no_trace_of_parts(engine: Engine, tmp_path: Path) -> None:
    importer.import_file(engine, "promoters", write_table(tmp_path / "people.csv", [promoter()]), NOW)
    path = write_jsonl(tmp_path / "small.jsonl", [order_row(number=number) for number in range(7)])
    importer.import_file(engine, "orders", path, NOW)
    with snapshot(engine) as connection:
        assert connection.execute(select(ImportProgress.batch_id)).first() is None
        acts = connection.execute(select(Base.metadata.tables["audit_events"].c.act)).scalars().all()
    assert list(acts) == ["batch.import", "batch.import"]


# Killed

DRIVER = """
import sys
from bounty.orders import parts, service
from bounty.orders.received_texts import texts_of_batch
parts.PART_ROWS, service.CHUNK = 2_000, 500
from bounty.app import main
main(sys.argv[1:], prog_name="bounty")
"""
ROWS = 20_000


def made_up(number: int) -> Row:
    odd = {"order_status": 99} if number % 53 == 0 else {}
    return order_row(
        number=number // 2 if number % 7 == 0 else number,
        promoter_id=PROMOTERS[number % 3] if number % 49 else STRANGER,
        amount_fen=number % 20011,
        modified=1670558400 + number,
        **odd,
    )


def test_killed_between_and_within_parts_again_and_again_it_comes_to_the_same(
    engine: Engine, database_url: str, twin: Engine, tmp_path: Path
) -> None:
    people = write_table(tmp_path / "people.csv", list(map(promoter, PROMOTERS)))
    path = write_jsonl(tmp_path / "orders.jsonl", map(made_up, range(1, ROWS + 1)))
    for one in (engine, twin):
        importer.import_file(one, "promoters", people, NOW)
    expected = importer.import_file(twin, "orders", path, NOW).counts
    command = [sys.executable, "-c", DRIVER, "import", "orders", str(path)]
    env = environment(database_url, "2023-01-15T12:00:00+08:00")
    draw, seen = random.Random(7), list[int]()
    for _ in range(4):
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as victim:
            began = seen[-1] if seen else 0
            while victim.poll() is None and rows_in(engine) <= began + draw.choice([0, 2_000]):
                pass
            victim.send_signal(signal.SIGKILL)
            assert victim.wait() == -signal.SIGKILL, victim.stderr
        seen.append(rows_in(engine))
        assert violations(engine) == []
    assert 0 < seen[0] < seen[-1] < ROWS
    finished = subprocess.run(command, env=env, capture_output=True, encoding="utf-8", check=False)
    assert (finished.returncode, finished.stdout) == (0, f"{path} {expected}\n")
    found, whole = contents(engine), contents(twin)
    for name, rows in whole.items():
        assert found[name] == rows, name
    assert violations(engine) == []


def rows_in(engine: Engine) -> int:
    with snapshot(engine) as connection:
        file = unfinished_file(connection)
        return 0 if file is None else file.rows_read
