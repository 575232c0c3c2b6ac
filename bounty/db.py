"""The database: engine and its settings, names of constraints, column types, and the only ways into a transaction.

Both databases are used the same way: any number of readers, each in one snapshot, and one writer at a time
(SQLite: BEGIN IMMEDIATE; PostgreSQL: an advisory lock held to the end of the transaction).
"""

import datetime as dt
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, cast

from sqlalchemy import (
    INTEGER,
    BigInteger,
    BindParameter,
    Boolean,
    Column,
    Connection,
    Date,
    Dialect,
    Engine,
    LargeBinary,
    MetaData,
    Select,
    Table,
    Text,
    TypeDecorator,
    create_engine,
    delete,
    event,
    false,
    func,
    literal,
    literal_column,
    make_url,
    select,
    text,
    union_all,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.schema import CreateTable
from sqlalchemy.sql import visitors
from sqlalchemy.types import TypeEngine

from bounty.private import make_private_file, private_folder

LOCK_WAIT_MS = 60_000
"""How long a writer waits for the one before it, in milliseconds."""

SQLITE_PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": 2,  # FULL: what was acknowledged survives a power cut
    "foreign_keys": 1,
    "busy_timeout": LOCK_WAIT_MS,
    "recursive_triggers": 1,  # without it INSERT OR REPLACE steps over the triggers that guard published rows
    "trusted_schema": 0,
    "cell_size_check": 1,
    "wal_autocheckpoint": 20_000,  # half as much again in bulk imports
    "cache_size": -65_536,  # 64 MiB
    "temp.cache_size": -16_384,  # a chunk of orders on its way in: of 2 MiB, as it is else, most goes through a file
}
POSTGRES_SETTINGS = {
    "timezone": "UTC",
    "lock_timeout": f"{LOCK_WAIT_MS}ms",
    "idle_in_transaction_session_timeout": "300s",
    "client_encoding": "UTF8",
    # The plans are for bulk statements; compiling them costs more than it saves on the small ones.
    "jit": "off",
    # What is executed often (a page of orders, a promoter's progress) has one good plan, and making it takes longer
    # than carrying it out; left to itself the server would make it anew each time.
    "plan_cache_mode": "force_generic_plan",
}
_WRITER = 0x626F756E7479  # the advisory lock's number: "bounty"
_TAKE_TURN = text("SELECT pg_advisory_xact_lock(:key)")
_MANY = 1_000
_WORKSPACES = "workspaces"  # what a connection is known by to have made


class Base(DeclarativeBase):
    """Every table. STRICT on SQLite, so that a column there refuses what its type does not hold."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(referred_table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        }
    )


WholeNumber = BigInteger().with_variant(INTEGER(), "sqlite")
"""A whole number of 64 bits; money is one of fen, an instant one of epoch seconds."""

Bytes = LargeBinary()

Query = Select[*tuple[Any, ...]]
"""Any SELECT of named columns."""


class Words(TypeDecorator[str]):
    """Text that sorts and compares by its bytes on both databases, whatever their locale."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text(collation="C") if dialect.name == "postgresql" else Text())

    @property
    def python_type(self) -> type[str]:
        return str  # a decorated type says ``object`` otherwise


class Day(TypeDecorator[dt.date]):
    """A Shanghai date: DATE on PostgreSQL, ISO text on SQLite, which sorts alike."""

    impl = Date
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Date() if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: dt.date | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return value.isoformat()

    def process_result_value(self, value: Any, dialect: Dialect) -> dt.date | None:
        return dt.date.fromisoformat(value) if isinstance(value, str) else value


class Flag(TypeDecorator[bool]):
    """Yes or no: BOOLEAN on PostgreSQL, 0 or 1 on SQLite."""

    impl = Boolean
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Boolean() if dialect.name == "postgresql" else INTEGER())

    def process_bind_param(self, value: bool | None, dialect: Dialect) -> Any:
        return value if value is None or dialect.name == "postgresql" else int(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> bool | None:
        return None if value is None else bool(value)


def make_engine(url: str) -> Engine:
    """An engine with this page's settings on every connection. Its errors say the statement and no values: they are
    written into logs, and values are people's.

    url     ``sqlite:///PATH`` or ``postgresql+psycopg://...``
    Raises  ValueError for another kind of database
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database and parsed.database != ":memory:":
            private_folder(Path(parsed.database).parent)
        engine = create_engine(parsed, hide_parameters=True)
        event.listen(engine, "do_connect", _make_private)
        event.listen(engine, "connect", _set_pragmas)
        event.listen(engine, "begin", _begin_sqlite)
        return _forgetting(engine)
    if parsed.get_backend_name() == "postgresql":
        options = " ".join(f"-c {name}={value}" for name, value in POSTGRES_SETTINGS.items())
        return _forgetting(create_engine(parsed, connect_args={"options": options}, hide_parameters=True))
    raise ValueError(
        f"{parsed.get_backend_name()} is not a database bounty knows: use sqlite or postgresql+psycopg"
    )


def _make_private(_dialect: Dialect, _record: object, arguments: list[Any], _options: dict[str, Any]) -> None:
    """Where there is no file of the books yet, make one that only its owner reads: SQLite goes by the umask, and gives
    its write-ahead log the rights of the file."""
    path = str(arguments[0])
    if path and path != ":memory:" and not path.startswith("file:"):
        with suppress(OSError):  # the database says it, as it does whenever it can't open its file
            make_private_file(Path(path))


def _set_pragmas(dbapi_connection: sqlite3.Connection, _record: object) -> None:
    # The driver's own BEGIN comes too late (before the first write, not the first read): we say it ourselves.
    dbapi_connection.isolation_level = None
    for name, value in SQLITE_PRAGMAS.items():
        dbapi_connection.execute(f"PRAGMA {name}={value}")


def _forgetting(engine: Engine) -> Engine:
    """The engine, whose connections know that what is rolled back takes the workspaces made since with it."""

    def forget(connection: Connection, *_: Any) -> None:
        if not connection.invalidated:  # lost, and what it had made with it
            connection.info.pop(_WORKSPACES, None)

    for name in ("rollback", "rollback_savepoint"):
        event.listen(engine, name, forget)
    return engine


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    writing, reading = options.get("writing"), bool(options.get("reading"))
    # Only where it changes: SQLite compiles every statement of a connection anew after this PRAGMA.
    if connection.info.get("reading", False) != reading:
        connection.exec_driver_sql(f"PRAGMA query_only={'ON' if reading else 'OFF'}")
        connection.info["reading"] = reading
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """The one way to write: a transaction with no other writer beside it, committed at the end or not at all.

    The caller may roll back as its last act (a trial run). An engine's option ``keeper`` is a function that is given the connection before the commit; what it returns, if
    anything, is called once the commit has held.
    """
    with engine.connect().execution_options(writing=True, has_turn=True, recorded=[]) as connection:
        kept: Callable[[], None] | None = None
        with connection.begin():
            _wait(connection)
            yield connection
            keeper = connection.get_execution_options().get("keeper")
            if keeper is not None and connection.in_transaction():  # a caller that rolled back keeps nothing
                kept = keeper(connection)
    if kept is not None:
        kept()


def wait_for_turn(connection: Connection) -> None:
    """Be the one writer until the transaction ends; ``transaction`` has seen to that, and on SQLite BEGIN IMMEDIATE."""
    if not connection.get_execution_options().get("has_turn"):
        _wait(connection)


def _wait(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(_TAKE_TURN, {"key": _WRITER})


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """The one way to read: everything read inside is of one moment, whatever is committed meanwhile."""
    postgres: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    options = postgres if engine.dialect.name == "postgresql" else {"reading": True}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


def written_out(query: Query) -> Query:
    """The same SELECT with its numbers and words written into it, so that only what it is asked with is bound.

    For a SELECT that is made once and asked often: a page's has two hundred constants, and to bind them anew each time
    costs more than what it asks of most promoters.
    """

    def write(element: Any, **_kw: Any) -> Any:
        if not isinstance(element, BindParameter) or element.value in (None, []):
            return None
        values = element.value if element.expanding else [element.value]
        if not all(type(value) in (int, str) for value in values):
            return None
        written = ", ".join(
            str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'" for value in values
        )
        return literal_column(f"({written})" if element.expanding else written, element.type)

    return cast(Query, visitors.replacement_traverse(query, {}, write))


def count_of(connection: Connection, query: Query) -> int:
    """How many rows a SELECT gives."""
    return connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()


def insert_into(dialect: str, table: type[Base] | Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT with ``on_conflict_do_nothing`` and ``on_conflict_do_update``, which both databases have.

    dialect   the name of the connection's
    """
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def given_rows(kinds: Mapping[str, TypeEngine[Any]], rows: Iterable[Mapping[str, Any]]) -> Query:
    """A SELECT of rows that none can make: some hundred at most, such as the periods, whose state is a rule.

    kinds  label -> its type
    rows   label -> value
    """

    def line(row: Mapping[str, Any]) -> Query:
        return select(*(literal(row[name], kind).label(name) for name, kind in kinds.items()))

    # The first says what the columns are where there is no row.
    return select(union_all(line(dict.fromkeys(kinds)).where(false()), *map(line, rows)).subquery("given"))


def workspace(name: str, *columns: Column[Any]) -> Table:
    """A temporary table of one connection, for rows on their way through one transaction."""
    return Table(name, MetaData(), *columns, prefixes=["TEMPORARY"], postgresql_on_commit="DELETE ROWS")


def make(connection: Connection, table: Table) -> None:
    """See that a workspace is there. It is made once a connection, unless what made it was rolled back."""
    made = connection.info.setdefault(_WORKSPACES, set())
    if table.name not in made:
        connection.exec_driver_sql(_creation(table, connection.dialect.name))
        made.add(table.name)


def clear(connection: Connection, table: Table) -> None:
    """A workspace made if need be, and empty."""
    make(connection, table)
    connection.execute(delete(table))


def empty(connection: Connection, table: Table, rows: int) -> None:
    """Take its rows out of a workspace, to fill it again in the same transaction.

    rows    how many there are: of many, PostgreSQL would keep the deleted ones to the end of the transaction and go
            through them whenever the table is read; of few, TRUNCATE costs more, as all that uses it is planned anew
    """
    if connection.dialect.name == "postgresql" and rows >= _MANY:
        connection.exec_driver_sql(f'TRUNCATE "{table.name}"')
    else:
        connection.execute(delete(table))


@cache
def _creation(table: Table, dialect: str) -> str:
    """The text of CREATE TABLE, kept: SQLAlchemy compiles DDL anew each time, and a page of orders asks often."""
    kind: Any = postgresql if dialect == "postgresql" else sqlite
    return str(CreateTable(table, if_not_exists=True).compile(dialect=kind.dialect()))


def load(connection: Connection, table: Table, rows: list[tuple[Any, ...]]) -> None:
    """Many rows into a workspace, by the quickest road the database has.

    rows    values in the order of the table's columns, of the types the driver takes

    Raises OperationalError as any statement does, though COPY is the driver's own.
    """
    if not rows:
        return
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    if connection.dialect.name == "postgresql":
        cursor, statement = connection.connection.cursor(), f'COPY "{table.name}" ({names}) FROM STDIN'
        try:
            with cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row(row)
        except connection.dialect.loaded_dbapi.OperationalError as error:
            raise OperationalError(statement, None, error) from error
        return
    marks = ", ".join("?" * len(table.columns))
    statement = f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})'  # noqa: S608 - a workspace's own names
    connection.exec_driver_sql(statement, rows)


def favour_lookups(connection: Connection) -> None:
    """To the end of the transaction PostgreSQL looks up what is asked for by a key, and does not go through the table.

    It takes a look into an index for four times as dear as a page in passing, as on a disk that turns, and cannot tell
    how few rows a batch of a hundred has: among ten million orders each page of them took three seconds.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL random_page_cost = 1.1")


def avoid_loops(connection: Connection) -> None:
    """To the end of the transaction PostgreSQL joins by hashing or merging where it can.

    For one large SELECT over rows that it computes on the way: it has no statistics of those, may take a million for
    one, and would then go through them once for every row of the other side.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL enable_nestloop = off")


def analyze(connection: Connection, *tables: type[Base]) -> None:
    """Fresh statistics, so that the next large statement is planned for the rows there now are."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA analysis_limit=1000")
    else:
        connection.exec_driver_sql("SET LOCAL default_statistics_target = 25")  # of 7,500 rows a table
    for table in tables:
        connection.exec_driver_sql(f'ANALYZE "{table.__tablename__}"')
