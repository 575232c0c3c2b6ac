"""Inside a process of the fork server: the points where it may be struck, and the strikes.

A point is whatever leaves a trace or could fail: each statement as the driver gets it, BEGIN where it is silent, COPY,
FETCH, COMMIT and the moment after it, and, in a folder that is watched, each directory, write, sync and rename.
"""

import builtins
import errno
import io
import os
import signal
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, event, make_url
from sqlalchemy.engine.default import DefaultDialect

STRAYED = 99
"""Exit code of a process that met another point than the run before it: then nothing is proved."""
AFTER_COMMIT = "after COMMIT"
WITHIN_WRITE = "file: within a write of"
_held: list[Any] = []
"""Connections of our own, kept for as long as the process lives."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One strike: at a point that a process comes to, and what happens there."""

    at: int
    """How many points come before it."""
    what: str
    """The point, as a run without a strike called it."""
    how: str
    """One of ``STRIKES``."""


@dataclass(frozen=True, slots=True)
class Point:
    """Where a process is when it is struck."""

    what: str
    connection: Any
    """The driver's."""
    again: Callable[[Any], Any]
    """Does the statement on another connection."""


class Watch:
    """The points that a process comes to, and the strike at one of them."""

    def __init__(self, fault: Fault | None) -> None:
        self.met: list[str] = []
        self._fault = fault

    def at(self, what: str, connection: Any = None, again: Callable[[Any], Any] = lambda _: None) -> None:
        """Come to a point."""
        what = " ".join(what.split())
        place = len(self.met)
        self.met.append(what)
        if self._fault is None or self._fault.at != place:
            return
        if self._fault.what != what:
            os._exit(STRAYED)
        STRIKES[self._fault.how](Point(what, connection, again))

    def install(self, folder: str | None) -> None:
        """Watch every connection of this process, and the files of a folder."""
        self._watch_statements()
        self._watch_transactions()
        if folder is not None:
            self._watch_files(Path(folder))

    def _watch_statements(self) -> None:
        def met(cursor: Any, statement: str, parameters: Any, _context: Any) -> None:
            self.at(statement, cursor.connection, lambda other: other.execute(statement, parameters))

        def met_plain(cursor: Any, statement: str, context: Any) -> None:
            met(cursor, statement, (), context)

        event.listen(Engine, "do_execute", met)
        event.listen(Engine, "do_executemany", met)
        event.listen(Engine, "do_execute_no_params", met_plain)

        copy, fetch = psycopg.Cursor.copy, psycopg.ServerCursor.fetchmany

        def watched_copy(cursor: Any, statement: Any, *rest: Any, **named: Any) -> Any:
            self.at(str(statement), cursor.connection)
            return copy(cursor, statement, *rest, **named)

        def watched_fetch(cursor: Any, size: int = 0) -> Any:
            self.at("FETCH", cursor.connection)
            return fetch(cursor, size)

        _replace(psycopg.Cursor, "copy", watched_copy)
        _replace(psycopg.ServerCursor, "fetchmany", watched_fetch)

    def _watch_transactions(self) -> None:
        def begun(connection: Connection) -> None:
            if connection.dialect.name == "postgresql":  # SQLite's is a statement
                self.at("BEGIN", connection.connection.dbapi_connection)

        commit = DefaultDialect.do_commit

        def watched_commit(dialect: Any, connection: Any) -> None:
            of_driver = connection.dbapi_connection
            self.at("COMMIT", of_driver)
            commit(dialect, connection)
            self.at(AFTER_COMMIT, of_driver)

        event.listen(Engine, "begin", begun)
        _replace(DefaultDialect, "do_commit", watched_commit)

    def _watch_files(self, folder: Path) -> None:
        plain_open = io.open

        def watched(name: str) -> None:
            plain = getattr(os, name)

            def call(path: Any, *rest: Any, **named: Any) -> Any:
                if isinstance(path, int):
                    self.at(f"file: {name}")
                elif Path(path).is_relative_to(folder):
                    self.at(f"file: {name} {Path(path).relative_to(folder)}")
                return plain(path, *rest, **named)

            _replace(os, name, call)

        def watched_open(path: Any, mode: str = "r", *rest: Any, **named: Any) -> Any:
            writing = not isinstance(path, int) and set(mode) & set("wxa+")
            if not writing or not Path(path).is_relative_to(folder):
                return plain_open(path, mode, *rest, **named)
            self.at(f"file: open {Path(path).name}")
            return _Paper(plain_open(path, mode, *rest, **named), self)

        for name in ("mkdir", "replace", "rename", "unlink", "fsync"):
            watched(name)
        _replace(io, "open", watched_open)
        _replace(builtins, "open", watched_open)


def _replace(owner: object, name: str, call: Callable[..., Any]) -> None:
    """Put a watched function in the place of the plain one, in this process."""
    setattr(owner, name, call)


class _Paper:
    """A file in writing: each write reaches the disk, and may be struck half-way."""

    def __init__(self, file: Any, watch: Watch) -> None:
        self._file, self._watch = file, watch

    def write(self, data: Any) -> int:
        half = len(data) // 2
        self._file.write(data[:half])
        self._file.flush()
        self._watch.at(f"{WITHIN_WRITE} {Path(self._file.name).name}")
        self._file.write(data[half:])
        self._file.flush()
        return len(data)

    def __enter__(self) -> "_Paper":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


# Strikes


def _kill(_point: Point) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _stop(_point: Point) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _no_space(_point: Point) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _no_page_left(point: Point) -> None:
    point.connection.execute("PRAGMA max_page_count=1")  # which means: as many as there are


def _full(point: Point) -> None:
    point.connection.rollback()  # SQLite does so by itself then, and says nothing of it
    raise sqlite3.OperationalError("database or disk is full")


def _unreadable(_point: Point) -> None:
    raise sqlite3.OperationalError("disk I/O error")


def _locked(point: Point) -> None:
    if point.connection.in_transaction:
        raise sqlite3.OperationalError("database is locked")
    path = make_url(os.environ["BOUNTY_DATABASE_URL"]).database
    other = sqlite3.connect(path or "", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    _held.append(other)
    point.connection.execute("PRAGMA busy_timeout=0")


def _lock_time_out(point: Point) -> None:
    refused = _refuse("55P03", "canceling statement due to lock timeout")
    if "pg_advisory_xact_lock" not in point.what:
        refused(point)
    other = _another()
    other.execute("SET lock_timeout = '1s'")
    try:
        point.again(other)
    except psycopg.errors.LockNotAvailable:  # whoever is struck has it already, and asks again
        refused(point)
    _held.append(other)
    point.connection.execute("SET lock_timeout = '20ms'")


def _lost_connection(point: Point) -> None:
    with _another() as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [point.connection.info.backend_pid])
    point.connection.execute("SELECT 1")


def _another() -> psycopg.Connection[Any]:
    url = make_url(os.environ["BOUNTY_DATABASE_URL"]).set(drivername="postgresql")
    return psycopg.connect(url.render_as_string(hide_password=False))


def _refuse(sqlstate: str, sentence: str) -> Callable[[Point], None]:
    """The server's own error, which leaves the transaction as such an error does."""
    statement = f"DO $$ BEGIN RAISE EXCEPTION '{sentence}' USING ERRCODE = '{sqlstate}'; END $$"
    return lambda point: point.connection.execute(statement)


STRIKES: dict[str, Callable[[Point], Any]] = {
    "kill": _kill,
    "stop": _stop,
    "no space": _no_space,
    "no page left": _no_page_left,
    "full": _full,
    "I/O error": _unreadable,
    "locked": _locked,
    "disk full": _refuse("53100", "could not extend file: No space left on device"),
    "lock time-out": _lock_time_out,
    "serialization failure": _refuse("40001", "could not serialize access due to concurrent update"),
    "lost connection": _lost_connection,
}
"""By name: what happens at a point."""

STATEMENT_STRIKES = {
    "sqlite": ("kill", "full", "I/O error", "locked", "no page left"),
    "postgresql": ("kill", "disk full", "lock time-out", "serialization failure", "lost connection"),
}


def strikes_at(what: str, kind: str) -> tuple[str, ...]:
    """What may happen at a point, on a kind of database."""
    if what.startswith("file:"):
        return ("kill", "no space")
    if what == AFTER_COMMIT:
        return ("kill", "lost connection") if kind == "postgresql" else ("kill",)
    if what == "BEGIN" and kind == "postgresql":  # nothing is sent yet
        return ("kill",)
    return STATEMENT_STRIKES[kind]


def begins_to_write(what: str) -> bool:
    """Whether a process asks here to be the one that writes."""
    return what == "BEGIN IMMEDIATE" or "pg_advisory_xact_lock" in what


def is_turning_point(what: str) -> bool:
    """Whether a transaction begins or ends here."""
    return begins_to_write(what) or what in ("COMMIT", AFTER_COMMIT)
