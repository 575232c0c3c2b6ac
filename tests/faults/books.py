"""Books of either kind: made, copied and removed in a moment, and compared as a whole."""

import json
import shutil
import sqlite3
from collections import defaultdict
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from sqlalchemy import create_engine, make_url, select
from sqlalchemy.pool import NullPool

from bounty import schema
from bounty.accounts.service import add_user
from bounty.audit.service import verify
from bounty.db import Base, make_engine, transaction
from bounty.importer import RELEASE
from bounty.models import Tranche
from tests import postgres
from tests.faults.forks import PASSWORD

Row = dict[str, Any]
State = dict[str, list[str]]
"""Table -> its rows in writing, sorted; what differs between two equal histories is left out or told by its rank."""

SMALL_PAGE = 512
"""Bytes: on SQLite a full disk is met at every few rows."""


APPROVER = "finance@example.com"
"""The one account of the books."""


def empty_books(kind: str, folder: Path) -> str:
    """The URL of a migrated database of a kind, empty but for an account."""
    if kind == "sqlite":
        path = Path(mkdtemp(dir=folder)) / "books.sqlite"
        made = sqlite3.connect(path)
        made.execute(f"PRAGMA page_size={SMALL_PAGE}")
        made.execute("VACUUM")
        made.close()
        url = f"sqlite:///{path}"
    else:
        url = postgres.fresh_database()
    engine = make_engine(url)
    schema.upgrade(engine)
    with transaction(engine) as connection:
        add_user(connection, email=APPROVER, name="财务", role="finance", password=PASSWORD, now=0)
    engine.dispose()
    return url


def copied(url: str, folder: Path) -> str:
    """The URL of a copy of a database that nobody is using."""
    if not url.startswith("sqlite"):
        return postgres.fresh_database(template=url)
    original = make_url(url).database
    assert original is not None
    connection = sqlite3.connect(original)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    path = Path(mkdtemp(dir=folder)) / "books.sqlite"
    shutil.copyfile(original, path)
    return f"sqlite:///{path}"


def removed(url: str) -> None:
    """Remove a database, whoever still uses it."""
    if not url.startswith("sqlite"):
        postgres.drop_database(url)
        return
    path = make_url(url).database
    assert path is not None
    shutil.rmtree(Path(path).parent)


def state_of(url: str, *, origins: bool = True) -> State:
    """Everything that the books hold, such that equal histories are equal.

    A file that was imported again and brought nothing is left out, and so is its event; numbers that the database hands
    out are ranks. Of an event it is who did what to what that counts; the chain of events must hold.

    origins  whether it matters which batch brought a row; where processes race, it is anyone's
    """
    held = _rows_of(url)
    numbers = _numbers_of(held)
    for table, rows in held.items():
        for row in rows:
            _make_plain(table, row, numbers)
    if not origins:
        _forget_origins(held)
    return {
        table: sorted(repr(sorted(row.items())) for row in rows if not row.get("left out"))
        for table, rows in held.items()
    }


def newest_tranche(url: str) -> str:
    """The hash of its content."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        newest = select(Tranche.content_sha256).order_by(Tranche.tranche_id.desc()).limit(1)
        return connection.execute(newest).scalar_one()


def differences(found: State, expected: State) -> str:
    """The first rows in which two states differ, for a person; blank if they are equal."""
    said = []
    for table, rows in expected.items():
        surplus, missing = set(found[table]) - set(rows), set(rows) - set(found[table])
        if len(found[table]) != len(rows) or surplus or missing:
            said.append(f"{table}: {len(found[table])} rows, {len(rows)} expected")
            said += [f"  - {row}" for row in sorted(missing)[:2]] + [
                f"  + {row}" for row in sorted(surplus)[:2]
            ]
    return "\n".join(said)


def _rows_of(url: str) -> dict[str, list[Row]]:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        broken = verify(connection).broken
        assert not broken, f"the chain of events does not hold at {broken}"
        return {
            table.name: [
                dict(row)
                for row in connection.exec_driver_sql(
                    f'SELECT {", ".join(table.columns.keys())} FROM "{table.name}"'
                ).mappings()
            ]
            for table in Base.metadata.sorted_tables
            if table.name != "books"  # a name drawn at random, by which a journal tells them from all others
        }


class _Numbers:
    """Ranks of what the database numbers, and the batches that were only an echo of an earlier one."""

    def __init__(self) -> None:
        self.batch: dict[int, int] = {}
        self.entry: dict[int, int] = {}
        self.terms: dict[int, int] = {}
        self.echoes: set[int] = set()
        self.releases: set[int] = set()

    def known_at(self, batch_id: int | None) -> int:
        """How many batches that are no echo had come by then."""
        return sum(batch <= (batch_id or 0) for batch in self.batch)


def _numbers_of(held: dict[str, list[Row]]) -> _Numbers:
    numbers = _Numbers()
    brought = {
        row[column]
        for table, rows in held.items()
        if table not in ("batches", "order_repeats", "settlements")
        for row in rows
        for column in row
        if column.endswith("batch_id")
    }
    seen: set[tuple[str, str, str]] = set()
    for batch in sorted(held["batches"], key=lambda row: row["batch_id"]):
        key = (batch["kind"], batch["file_name"], batch["sha256"])
        if key in seen and batch["sha256"] and batch["batch_id"] not in brought:
            numbers.echoes.add(batch["batch_id"])
            continue
        seen.add(key)
        numbers.batch[batch["batch_id"]] = len(numbers.batch) + 1
        if batch["file_name"] == RELEASE:
            numbers.releases.add(batch["batch_id"])
    for ranks, table, column in (
        (numbers.entry, "quarantine", "quarantine_id"),
        (numbers.terms, "terms", "terms_id"),
    ):
        ranks.update(
            {number: rank for rank, number in enumerate(sorted(row[column] for row in held[table]), 1)}
        )
    return numbers


def _make_plain(table: str, row: Row, numbers: _Numbers) -> None:
    if table in ("batches", "order_repeats") and row["batch_id"] in numbers.echoes:
        row["left out"] = True
    if table == "audit_events":
        _make_event_plain(row, numbers)
    if row.get("batch_id") in numbers.releases and "place" in row:
        row["place"] = numbers.entry[row["place"]]
    for column, value in row.items():
        if value is None:
            continue
        if column == "as_of_batch_id":
            row[column] = numbers.known_at(value)
        elif column.endswith("batch_id"):
            row[column] = numbers.batch.get(value, "echo")
        elif column == "quarantine_id":
            row[column] = numbers.entry[value]
        elif column == "terms_id":
            row[column] = numbers.terms[value]


def _make_event_plain(row: Row, numbers: _Numbers) -> None:
    """Leave out when it was and what it follows, and who logged in; batches, entries and terms are ranks, too."""
    row["left out"] = row["act"] == "user.login"
    for column in ("event_id", "happened_at", "previous_sha256", "event_sha256"):
        del row[column]
    what, _, number = row["subject"].partition(" ")
    if what == "batch":
        row["left out"] = int(number) in numbers.echoes
        row["subject"] = f"batch {numbers.batch.get(int(number), 'echo')}"
    elif what == "entry":
        row["subject"] = f"entry {numbers.entry[int(number)]}"
    after = json.loads(row["after"] or "null")
    if not isinstance(after, dict):
        return
    if "terms_id" in after:
        row["after"] = after | {"terms_id": numbers.terms[after["terms_id"]]}
    if "as_of_batch" in after:
        row["after"] = after | {"as_of_batch": numbers.known_at(after["as_of_batch"])}


def _forget_origins(held: dict[str, list[Row]]) -> None:
    """Leave out who brought what and that it was brought, and entries of the quarantine that are closed."""
    for table in ("batches", "order_repeats", "received_texts"):
        held[table] = []
    held["audit_events"] = [row for row in held["audit_events"] if row["act"] != "batch.import"]
    held["quarantine"] = [row for row in held["quarantine"] if row["closed_at"] is None]
    forgotten: dict[str, set[str]] = defaultdict(set, quarantine={"quarantine_id"})
    for table, rows in held.items():
        for row in rows:
            for column in list(row):
                if column == "place" or column.endswith("batch_id") or column in forgotten[table]:
                    del row[column]
