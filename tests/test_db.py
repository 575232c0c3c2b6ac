"""The database underneath: its settings are in force, no update is lost, money is whole, text sorts by bytes."""

import multiprocessing
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import date
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Insert,
    LargeBinary,
    Table,
    create_engine,
    insert,
    inspect,
    literal,
    literal_column,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError, IntegrityError

from bounty import db
from bounty.db import Base, Day, Flag, Words, make_engine, snapshot, transaction
from bounty.models import CategorySet

PROCESSES, INCREMENTS = 4, 50
LARGEST = 2**63 - 1
processes = multiprocessing.get_context("spawn")  # new interpreters, as another command would be


# Settings


def test_every_setting_is_in_force_on_every_fresh_connection(engine: Engine) -> None:
    with engine.connect() as first, engine.connect() as second, engine.connect() as third:
        for connection in (first, second, third):
            assert settings_in_force(connection) == settings_wanted(engine)


def test_a_plain_connection_would_not_have_them(engine: Engine) -> None:
    plain = create_engine(engine.url)
    with plain.connect() as connection:
        in_force, wanted = settings_in_force(connection), settings_wanted(engine)
    plain.dispose()
    differing = {name for name in wanted if in_force[name] != wanted[name]}
    if engine.dialect.name == "sqlite":
        assert {"foreign_keys", "recursive_triggers", "busy_timeout"} <= differing
    else:
        assert {"lock_timeout", "idle_in_transaction_session_timeout"} <= differing


def settings_in_force(connection: Connection) -> dict[str, Any]:
    if connection.dialect.name == "sqlite":
        names, ask = list(db.SQLITE_PRAGMAS), "PRAGMA"
    else:
        names, ask = list(db.POSTGRES_SETTINGS), "SHOW"
    return {name: connection.exec_driver_sql(f"{ask} {name}").scalar_one() for name in names}


def settings_wanted(engine: Engine) -> dict[str, Any]:
    """As the database says them: PostgreSQL says 60000ms as 1min."""
    if engine.dialect.name == "sqlite":
        return db.SQLITE_PRAGMAS
    plain = create_engine(engine.url)
    with plain.connect() as connection:
        for name, value in db.POSTGRES_SETTINGS.items():
            connection.exec_driver_sql(f"SET {name} = '{value}'")
        wanted = settings_in_force(connection)
    plain.dispose()
    return wanted


@pytest.mark.parametrize("url", ["mysql://root@localhost/bounty", "duckdb:///books"])
def test_another_kind_of_database_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="use sqlite or postgresql"):
        make_engine(url)


# Transactions


def test_four_processes_lose_none_of_their_increments(engine: Engine, database_url: str) -> None:
    assert sum_after_increments(engine, database_url, plain=False) == PROCESSES * INCREMENTS


def test_without_our_transaction_the_same_increments_are_lost(engine: Engine, database_url: str) -> None:
    """What the promise above is worth: SQLAlchemy's own settings lose updates, and without an error."""
    assert sum_after_increments(engine, database_url, plain=True) < PROCESSES * INCREMENTS


def sum_after_increments(engine: Engine, url: str, *, plain: bool) -> int:
    with transaction(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE tally (number BIGINT NOT NULL)")
        connection.exec_driver_sql("INSERT INTO tally VALUES (0)")
    together = processes.Barrier(PROCESSES)
    workers = [processes.Process(target=increment, args=(url, plain, together)) for _ in range(PROCESSES)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * PROCESSES
    with snapshot(engine) as connection:
        return connection.exec_driver_sql("SELECT number FROM tally").scalar_one()


def increment(url: str, plain: bool, together: Any) -> None:
    """Read a number, then write the next one, again and again; the body of another process."""
    engine = create_engine(url) if plain else make_engine(url)

    def begin() -> AbstractContextManager[Connection]:
        return engine.begin() if plain else transaction(engine)

    with engine.connect() as connection:  # connected before the start, so that all run at once
        connection.rollback()
    together.wait()
    for _ in range(INCREMENTS):
        with begin() as connection:
            number = connection.exec_driver_sql("SELECT number FROM tally").scalar_one()
            connection.execute(text("UPDATE tally SET number = :next"), {"next": number + 1})
    engine.dispose()


def test_a_transaction_that_fails_leaves_nothing(engine: Engine) -> None:
    def fail_half_way() -> None:
        with transaction(engine) as connection:
            connection.execute(insert(CategorySet), {"cat_ids": "1;2", "category_id": 1})
            connection.execute(insert(CategorySet), {"cat_ids": "1;2", "category_id": 1})

    with pytest.raises(IntegrityError):
        fail_half_way()
    with snapshot(engine) as connection:
        assert connection.execute(select(CategorySet)).all() == []


def test_a_snapshot_sees_one_moment_while_another_process_commits(engine: Engine, database_url: str) -> None:
    with transaction(engine) as connection:
        for table in ("early", "late"):
            connection.exec_driver_sql(f"CREATE TABLE {table} (number BIGINT NOT NULL)")
            connection.exec_driver_sql(f"INSERT INTO {table} VALUES (1)")
    with snapshot(engine) as connection:
        assert numbers(connection, "early") == [1]
        other = processes.Process(target=add_to_both, args=(database_url,))
        other.start()
        other.join()
        assert other.exitcode == 0
        assert numbers(connection, "early") == [1]
        assert numbers(connection, "late") == [1]  # met only after the other's commit
    with snapshot(engine) as connection:
        assert (numbers(connection, "early"), numbers(connection, "late")) == ([1, 2], [1, 2])


def numbers(connection: Connection, table: str) -> list[int]:
    return list(connection.exec_driver_sql(f"SELECT number FROM {table} ORDER BY 1").scalars())


def add_to_both(url: str) -> None:
    engine = make_engine(url)
    with transaction(engine) as connection:
        for table in ("early", "late"):
            connection.exec_driver_sql(f"INSERT INTO {table} VALUES (2)")
    engine.dispose()


# Columns

NOT_MONEY = {
    "sqlite": ["'many'", "'NaN'", "'1.5'", "9223372036854775808", "1.5", "9e999", "x'31'"],
    # A number with a part is rounded by the server before the column sees it; so 1.5 is tried as text, as it comes.
    "postgresql": ["'many'", "'NaN'", "'1.5'", "9223372036854775808", "'NaN'::float8", "'inf'::numeric"],
}
PLAIN_VALUES = {Words: "x", Flag: True, Day: date(2022, 12, 1), LargeBinary: b""}


def money_columns() -> Iterator[tuple[Table, Column[Any]]]:
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if column.name.endswith("_fen"):
                yield table, column


@pytest.fixture
def unguarded(engine: Engine) -> Iterator[Connection]:
    """A connection on which only a column's own type can refuse: no foreign keys, and nothing is kept."""
    with engine.connect() as connection:
        off = "PRAGMA foreign_keys=OFF" if is_sqlite(engine) else "SET session_replication_role = replica"
        connection.connection.cursor().execute(off)
        if not is_sqlite(engine):
            connection.connection.commit()
        yield connection
        connection.rollback()
        connection.invalidate()


def is_sqlite(engine: Engine) -> bool:
    return engine.dialect.name == "sqlite"


def row_with(table: Table, column: Column[Any], value: ColumnElement[Any]) -> Insert:
    """A row in which every column that must have a value has a plain one, and one has the given."""
    row = {each.name: PLAIN_VALUES.get(type(each.type), 1) for each in table.columns if not each.nullable}
    return insert(table).values(row | {column.name: value})


def test_a_money_column_refuses_whatever_is_not_a_whole_number(unguarded: Connection) -> None:
    dialect = unguarded.dialect.name
    columns, refused = list(money_columns()), 0
    for table, column in columns:
        for value in NOT_MONEY[dialect]:
            with pytest.raises(DBAPIError) as refusal, unguarded.begin_nested():
                unguarded.execute(row_with(table, column, literal_column(value)))
            names_the_type = f"INTEGER column {table.name}.{column.name}", "bigint"
            assert any(words in str(refusal.value.orig) for words in names_the_type), (column, value)
            refused += 1
        # The same row with whole fen goes in: it was the value that was refused.
        unguarded.execute(row_with(table, column, literal(LARGEST)))
        held = unguarded.execute(select(column)).scalars().all()
        assert held == [LARGEST], column
        unguarded.rollback()
    assert columns
    print(f"refused: {refused} of {len(columns) * len(NOT_MONEY[dialect])} in {len(columns)} columns")


def test_a_number_with_a_part_or_none_at_all_never_ends_in_a_money_column(unguarded: Connection) -> None:
    """What a driver makes of 1.5 and NaN: whichever way the database takes them, what it holds is whole or null."""
    held: list[Any] = []
    for table, column in money_columns():
        for value in (1.5, float("nan"), float("inf")):
            attempt = unguarded.begin_nested()
            try:
                unguarded.execute(row_with(table, column, literal(value)))
                held += unguarded.execute(select(column)).scalars().all()
            except DBAPIError:
                held.append(None)
            attempt.rollback()
    assert len(held) == 3 * len(list(money_columns()))
    assert all(value is None or type(value) is int for value in held)


def test_names_of_constraints_say_table_and_columns(engine: Engine) -> None:
    chosen = {"fk_quarantine_closed_by", "fk_known_notices_other"}  # a second key to batches
    found = inspect(engine)
    names = []
    for table in Base.metadata.tables:
        assert found.get_pk_constraint(table)["name"] == f"pk_{table}"
        keys = {key["name"]: f"fk_{table}_{key['referred_table']}" for key in found.get_foreign_keys(table)}
        uniques = {
            unique["name"]: f"uq_{table}_{'_'.join(unique['column_names'])}"
            for unique in found.get_unique_constraints(table)
        }
        rules = [str(rule["name"]) for rule in found.get_check_constraints(table)]
        assert all(name.startswith(f"ck_{table}_") for name in rules), rules
        for name, expected in {**keys, **uniques}.items():
            assert name is not None
            assert name == expected or name in chosen, name
        for index in found.get_indexes(table):
            assert str(index["name"]).startswith((f"ix_{table}", f"uq_{table}")), index["name"]
        names += [f"pk_{table}", *keys, *uniques, *rules]
    assert len(names) == len(set(names)) > len(Base.metadata.tables)
    assert chosen <= set(names)


WORDS = ["", *"9 10 - a Z 9-1 91 221205-2 221205-10 é 订 💰 －".split()]


def test_text_sorts_and_compares_by_its_bytes(engine: Engine) -> None:
    column = CategorySet.__table__.c.cat_ids
    with transaction(engine) as connection:
        rows = [{"cat_ids": word, "category_id": 1} for word in WORDS]
        connection.execute(insert(CategorySet), rows)
        by_bytes = sorted(WORDS, key=str.encode)
        assert list(connection.execute(select(column).order_by(column)).scalars()) == by_bytes
        for word in WORDS:
            below = connection.execute(select(column).where(column < word).order_by(column)).scalars()
            assert list(below) == by_bytes[: by_bytes.index(word)]


def test_every_column_of_text_has_the_collation_of_bytes_whatever_the_servers_locale(engine: Engine) -> None:
    """The order above could be the test server's own; this can't."""
    wanted = None if is_sqlite(engine) else "C"  # SQLite's own is BINARY
    collations = {}
    for table in Base.metadata.sorted_tables:
        declared = {column["name"]: column["type"] for column in inspect(engine).get_columns(table.name)}
        for column in table.columns:
            if isinstance(column.type, Words):
                collations[column] = getattr(declared[column.name], "collation", None)
    assert collations
    assert {column: found for column, found in collations.items() if found != wanted} == {}
    if is_sqlite(engine):
        with engine.connect() as connection:
            asking = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE sql LIKE '%COLLATE%'")
            assert asking.all() == []
