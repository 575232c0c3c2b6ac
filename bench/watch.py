"""What an engine's statements take at the driver's own cursor: to be sent, worked out, and had row by row.

SQLite works a statement out while its rows are fetched: to time its execution alone would leave that out.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Timer
from time import perf_counter
from typing import Any
from weakref import WeakSet

import psycopg
from sqlalchemy import Engine, event


@dataclass(slots=True)
class Spent:
    """The sums since the last reset."""

    ms: float = 0.0
    statements: int = 0
    connections: WeakSet[Any] = field(default_factory=WeakSet)
    """The driver's connections that are open."""

    def empty(self) -> None:
        """Reset the sums to 0."""
        self.ms, self.statements = 0.0, 0

    @contextmanager
    def at_most(self, seconds: float) -> Iterator[None]:
        """Stop the statement that runs after so many seconds; it fails then, as the driver has it."""
        timer = Timer(seconds, self._stop)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _stop(self) -> None:
        for connection in [*self.connections]:
            (connection.interrupt if isinstance(connection, sqlite3.Connection) else connection.cancel)()


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
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            spent.connections.add(self)

        def cursor(self, factory: Any = timed_sqlite) -> Any:
            return super().cursor(factory)

    def connect(_dialect: Any, _record: Any, _arguments: Any, named: dict[str, Any]) -> None:
        if engine.dialect.name == "sqlite":
            named["factory"] = TimedConnection
        else:
            named["cursor_factory"] = timed_postgresql

    def connected(driver_connection: Any, _record: Any) -> None:
        if engine.dialect.name != "sqlite":
            spent.connections.add(driver_connection)

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "connect", connected)
    engine.dispose()
    return spent
