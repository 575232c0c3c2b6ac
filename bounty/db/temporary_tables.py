"""Temporary tables of one connection, for rows that a transaction loads, transforms and writes ("workspaces")."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Column, Connection, Dialect, Engine, MetaData, Table, delete, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError
from sqlalchemy.schema import CreateTable

_TRUNCATE_FROM = 1_000
"""Number of rows from which TRUNCATE is cheaper than DELETE on PostgreSQL."""
_CREATED = "workspaces"
"""Key of a connection's ``info`` for the names of the temporary tables that it has created."""
_DROPPED_ON_COMMIT = "drop_workspaces"
"""Execution option of an engine whose temporary tables end with their transaction."""


def forget_on_rollback(engine: Engine) -> Engine:
    """The engine; after a rollback its connections forget which temporary tables they created.

    A rollback drops the tables that were created in the transaction.
    """

    def forget(connection: Connection, *_: object) -> None:
        if not connection.invalidated:  # a lost connection has no ``info``, and its tables are gone
            connection.info.pop(_CREATED, None)

    for name in ("rollback", "rollback_savepoint"):
        event.listen(engine, name, forget)
    return engine


def drop_on_commit(engine: Engine) -> Engine:
    """The engine; each of its temporary tables is dropped at the end of the transaction that created it.

    For PostgreSQL behind a pooler, where the next transaction may run on another connection of the server.
    """
    event.listen(engine, "commit", lambda connection: connection.info.pop(_CREATED, None))
    return engine.execution_options(**{_DROPPED_ON_COMMIT: True})


def workspace(name: str, *columns: Column[Any]) -> Table:
    """The definition of a temporary table. On PostgreSQL a commit deletes its rows."""
    return Table(name, MetaData(), *columns, prefixes=["TEMPORARY"], postgresql_on_commit="DELETE ROWS")


def make(connection: Connection, table: Table) -> None:
    """Create a temporary table, unless this connection has created it before."""
    created = connection.info.setdefault(_CREATED, set())
    if table.name not in created:
        dropped = bool(connection.get_execution_options().get(_DROPPED_ON_COMMIT))
        connection.exec_driver_sql(_create_statement(table, connection.dialect.name, dropped))
        created.add(table.name)


def clear(connection: Connection, table: Table) -> None:
    """Create a temporary table if necessary, and delete its rows."""
    make(connection, table)
    connection.execute(delete(table))


def empty(connection: Connection, table: Table, rows: int) -> None:
    """Delete all rows of a temporary table that is filled again in the same transaction.

    rows    the number of its rows. PostgreSQL keeps deleted rows until the end of the transaction and reads them at
            every scan, so many rows are truncated. TRUNCATE costs more for few rows, because every statement that uses
            the table is planned again.
    """
    if connection.dialect.name == "postgresql" and rows >= _TRUNCATE_FROM:
        connection.exec_driver_sql(f'TRUNCATE "{table.name}"')
    else:
        connection.execute(delete(table))


@cache
def _create_statement(table: Table, dialect: str, dropped: bool) -> str:
    """The text of CREATE TABLE, cached because SQLAlchemy compiles DDL at each execution.

    dropped   whether a commit drops the table, and not only its rows
    """
    module = postgresql if dialect == "postgresql" else sqlite
    made_for: Dialect = module.dialect()
    text = str(CreateTable(table, if_not_exists=True).compile(dialect=made_for))
    return text.replace("ON COMMIT DELETE ROWS", "ON COMMIT DROP") if dropped else text


def load(connection: Connection, table: Table, rows: Sequence[tuple[object, ...]]) -> None:
    """Insert many rows into a temporary table by the database's fastest method: COPY, or executemany on SQLite.

    rows    values in the order of the table's columns, of types that the driver accepts

    Raises OperationalError as any statement does, although the driver executes COPY without SQLAlchemy.
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
    statement = f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})'  # noqa: S608 - the program's own names
    connection.exec_driver_sql(statement, list(rows))
