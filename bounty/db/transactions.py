"""Transactions: the only ways to read and to write, and settings for one transaction."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text

from bounty.db.types import Base

_WRITER_LOCK = 0x626F756E7479  # the number of the advisory lock: "bounty" in ASCII
_ACQUIRE_WRITER_LOCK = text("SELECT pg_advisory_xact_lock(:key)")


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """The only way to write: a transaction without a concurrent writer, committed at the end or not at all.

    The engine's execution option ``keeper`` is a function that is called with the connection before the commit. If it
    returns a function, that one is called after the commit has succeeded.
    """
    with engine.connect().execution_options(writing=True, has_turn=True, recorded=[]) as connection:
        after_commit: Callable[[], None] | None = None
        with connection.begin():
            _acquire_writer_lock(connection)
            yield connection
            keeper = connection.get_execution_options().get("keeper")
            # A dry run rolls back inside the transaction: there is nothing to record.
            if keeper is not None and connection.in_transaction():
                after_commit = keeper(connection)
    if after_commit is not None:
        after_commit()


def wait_for_turn(connection: Connection) -> None:
    """Acquire the writer lock until the end of the transaction, unless ``transaction`` has acquired it.

    On SQLite BEGIN IMMEDIATE has the same effect.
    """
    if not connection.get_execution_options().get("has_turn"):
        _acquire_writer_lock(connection)


def _acquire_writer_lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(_ACQUIRE_WRITER_LOCK, {"key": _WRITER_LOCK})


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """The only way to read: all statements see the database as of one moment, whatever is committed meanwhile."""
    postgres: dict[str, object] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    options = postgres if engine.dialect.name == "postgresql" else {"reading": True}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


def favour_lookups(connection: Connection) -> None:
    """Make PostgreSQL prefer index scans until the end of the transaction; nothing on SQLite.

    `random_page_cost` defaults to 4 (spinning disks), so the planner prefers sequential scans, and it cannot tell how
    few rows a batch of a hundred has: with ten million orders, importing a page of orders took three seconds.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL random_page_cost = 1.1")


def plan_for_values(connection: Connection) -> None:
    """Make PostgreSQL plan each statement for its own values until the end of the transaction; nothing on SQLite.

    For statements about one batch, which has a hundred rows or a million. One plan for all would go through every row
    of every batch to find a hundred.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_custom_plan")


def may_idle(connection: Connection) -> None:
    """Let PostgreSQL wait until the end of the transaction for a connection that asks nothing; nothing on SQLite.

    For what another machine computes meanwhile: otherwise the server ends a transaction that is idle for five minutes.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")


def avoid_loops(connection: Connection) -> None:
    """Make PostgreSQL join by hashing or merging until the end of the transaction; nothing on SQLite.

    For one large SELECT over rows that it computes itself. The planner has no statistics of these rows and may estimate
    one row instead of a million; a nested loop would then scan all of them for every row of the other side.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL enable_nestloop = off")


@contextmanager
def with_loops(connection: Connection) -> Iterator[None]:
    """Within it PostgreSQL may join by nested loops after all: for a SELECT of few promoters, whose orders an index
    finds."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL enable_nestloop = on")
    yield
    avoid_loops(connection)


def analyze(connection: Connection, *tables: type[Base]) -> None:
    """Update the planner's statistics, so that the next large statement is planned for the present rows."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA analysis_limit=1000")
    else:
        connection.exec_driver_sql(
            "SET LOCAL default_statistics_target = 25"
        )  # samples 7,500 rows of a table
    for table in tables:
        connection.exec_driver_sql(f'ANALYZE "{table.__tablename__}"')
