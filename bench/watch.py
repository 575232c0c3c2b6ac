"""What an engine's statements take at the driver's own cursor: to be sent, worked out, and had row by row.

SQLite works a statement out while its rows are fetched: to time its execution alone would leave that out.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import psycopg
from sqlalchemy import Engine, event


@dataclass(slots=True)
class Spent:
    """The sums since the last reset."""

    ms: float = 0.0
    statements: int = 0

    def empty(self) -> None:
        """Reset the sums to 0."""
        self.ms, self.statements = 0.0, 0


def watch(engine: Engine) -> Spent:
    """Measure the engine's connections from now on. Its open connections are closed."""
    spent = Spent()

    def timed(method: Callable[..., Any], statements: int) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            start = perf_counter()
            try:
                return method(*arguments, **named)
            finally:
                spent.ms += (perf_counter() - start) * 1000
                spent.statements += statements

        return call

    def cursor_of(driver: Any) -> Any:
        fetching = {name: timed(getattr(driver, name), 0) for name in ("fetchone", "fetchmany", "fetchall")}
        return type("TimedCursor", (driver,), {"execute": timed(driver.execute, 1), **fetching})

    timed_sqlite, timed_postgresql = cursor_of(sqlite3.Cursor), cursor_of(psycopg.Cursor)

    class TimedConnection(sqlite3.Connection):
        def cursor(self, factory: Any = timed_sqlite) -> Any:
            return super().cursor(factory)

    def connect(_dialect: Any, _record: Any, _arguments: Any, named: dict[str, Any]) -> None:
        if engine.dialect.name == "sqlite":
            named["factory"] = TimedConnection
        else:
            named["cursor_factory"] = timed_postgresql

    event.listen(engine, "do_connect", connect)
    engine.dispose()
    return spent
