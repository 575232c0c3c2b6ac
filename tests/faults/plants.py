"""Mistakes to be made in one process, so that the harness is seen to find them."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Engine, Insert, event
from sqlalchemy.exc import OperationalError


def commit_in_the_middle() -> None:
    """A batch's rows are committed before its counts are."""

    def planted(_connection: Any, cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("UPDATE batches "):
            cursor.connection.commit()
            if hasattr(cursor.connection, "in_transaction"):
                cursor.connection.execute("BEGIN IMMEDIATE")

    event.listen(Engine, "before_cursor_execute", planted)


def no_begin_immediate() -> None:
    """SQLite's driver begins when it likes: before the first write, after the reads that led to it."""

    def planted(cursor: Any, statement: str, _parameters: Any, _context: Any) -> bool:
        if statement != "BEGIN IMMEDIATE":
            return False
        cursor.connection.isolation_level = ""
        return True

    event.listen(Engine, "do_execute", planted)


def error_swallowed() -> None:
    """The importer goes on when the fold fails."""
    execute = Connection.execute

    def planted(connection: Connection, statement: Any, *rest: Any, **named: Any) -> Any:
        try:
            return execute(connection, statement, *rest, **named)
        except OperationalError:
            if isinstance(statement, Insert) and statement.table.name == "orders":
                return None
            raise

    setattr(Connection, "execute", planted)  # noqa: B010 - the type checker is not to know


PLANTS: dict[str, Callable[[], None]] = {
    "commit in the middle": commit_in_the_middle,
    "no BEGIN IMMEDIATE": no_begin_immediate,
    "error swallowed": error_swallowed,
}
"""By name."""
