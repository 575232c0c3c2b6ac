"""Whoever owns the database can change anything in it; the books' checks find each change, guards or no guards."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, LargeBinary, Table, and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.elements import ColumnElement

from bounty import schema
from bounty.checks.books import run_checks
from bounty.db import Base, Flag, Words, make_engine
from tests import postgres
from tests.conftest import SQLITE_AND_IN_SOAK_BOTH
from tests.frozen.world import publish_a_month

TABLES = (
    "settlements lines results notices notice_statements tranches tranche_lines payouts tranche_steps payout_outcomes "
    "receipts receipt_rows payee_proposals payees payee_approvals period_closings audit_events"
).split()
Tampering = tuple[str, Any]
"""What is done, in words, and the statements that do it."""


@pytest.fixture(scope="module", params=SQLITE_AND_IN_SOAK_BOTH)
def paid(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A month that was published, corrected and paid."""
    folder: Path = tmp_path_factory.mktemp("paid")
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{folder / 'books.sqlite'}" if sqlite else postgres.fresh_database()
    engine = make_engine(url)
    schema.upgrade(engine)
    publish_a_month(engine, folder)
    yield engine
    engine.dispose()
    if not sqlite:
        postgres.drop_database(url)


@contextmanager
def as_owner(engine: Engine) -> Iterator[Connection]:
    """A connection without guards and foreign keys, on which whatever is done is undone at the end."""
    sqlite = engine.dialect.name == "sqlite"
    with engine.connect().execution_options(writing=True) as connection:
        if sqlite:
            connection.connection.execute("PRAGMA foreign_keys=OFF")  # nothing of it is in a transaction
        with connection.begin() as everything:
            if sqlite:
                found = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
                for name in connection.exec_driver_sql(found).scalars().all():
                    connection.exec_driver_sql(f"DROP TRIGGER {name}")
            else:
                connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            yield connection
            everything.rollback()
        if sqlite:
            connection.connection.execute("PRAGMA foreign_keys=ON")


def other(column: Any, value: Any) -> Any:
    """Another value that the column takes."""
    if isinstance(column.type, Flag):
        return not value
    if isinstance(column.type, Words):
        return f"{value or ''}1"
    if isinstance(column.type, LargeBinary):
        return value + b"1"
    return (value or 0) + 1000


def this(table: Table, row: Any) -> ColumnElement[bool]:
    """The row, by its key."""
    return and_(*(column == row[column.name] for column in table.primary_key))


def tamperings(table: Table, rows: list[Any]) -> Iterator[Tampering]:
    """Every kind of change to what a table holds, with the statements that make it."""
    first, last = rows[0], rows[-1]
    key = [column.name for column in table.primary_key]
    for column in table.columns:
        changed = other(column, first[column.name])
        yield (
            f"{column.name} changed",
            [update(table).where(this(table, first)).values({column.name: changed})],
        )
    yield "the first row deleted", [delete(table).where(this(table, first))]
    if len(rows) > 1:
        yield "the last row deleted", [delete(table).where(this(table, last))]
        yield "every row deleted", [delete(table)]
        values = [{name: row[name] for name in row if name not in key} for row in (first, last)]
        if values[0] != values[1]:
            swapped = zip((first, last), reversed(values), strict=True)
            yield (
                "two rows swapped",
                [update(table).where(this(table, row)).values(value) for row, value in swapped],
            )
    own = {key[-1], *(column.name for column in table.columns if column.unique)}
    added = last | {name: other(table.c[name], last[name]) for name in own}
    yield "a row inserted", [insert(table).values(added)]


def test_every_tampering_is_found(paid: Engine) -> None:
    tried: Counter[str] = Counter()
    missed, refused = [], []
    with as_owner(paid) as connection:
        assert [each.name for each in run_checks(connection) if each.violations] == []
        for name in TABLES:
            table = Base.metadata.tables[name]
            held = connection.execute(select(table).order_by(*table.primary_key)).mappings()
            for what, statements in tamperings(table, [dict(row) for row in held]):
                attempt = connection.begin_nested()
                try:
                    for statement in statements:
                        connection.execute(statement)
                except IntegrityError:  # a value that the column can't have: the database itself is the check
                    refused.append(f"{name}: {what}")
                else:
                    tried[name] += 1
                    if not any(each.violations for each in run_checks(connection)):
                        missed.append(f"{name}: {what}")
                attempt.rollback()
    print(
        f"tampering found: {tried.total() - len(missed)} of {tried.total()} ({paid.dialect.name}), "
        f"refused by a constraint: {len(refused)}"
    )
    assert missed == []
    assert tried.total() >= 100
    assert len(refused) < 10, refused
