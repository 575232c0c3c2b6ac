"""The measured databases: SQLite files, and a PostgreSQL server that is started for the run with durable settings."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import psycopg

from tests.postgres import INITDB_OPTIONS, server_identity, server_programs

SERVER_SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "1GB",
    "effective_cache_size": "8GB",
    "work_mem": "64MB",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "listen_addresses": "",
    "port": "5432",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
"""Settings that suit a machine of this size; all others are the server's defaults."""


class Databases(Protocol):
    """Creates, copies and drops databases by name."""

    @property
    def name(self) -> str:
        """``sqlite`` or ``postgresql``."""

    @property
    def server(self) -> int | None:
        """The process id of the server; None without a server."""

    def url(self, database: str) -> str:
        """The URL of a database for the product."""

    def bare(self, database: str) -> str:
        """The connection string of a database for a bare driver."""

    def create(self, database: str, like: str | None = None) -> None:
        """Create a database, optionally as a copy of another one."""

    def drop(self, database: str) -> None:
        """Drop a database if it exists."""

    def size_mb(self, database: str) -> float:
        """The size of a database on disk, MiB."""

    def version(self) -> str:
        """The version of the engine."""


class SqliteFiles:
    """SQLite: one file for each database."""

    name, server = "sqlite", None

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, database: str) -> Path:
        return self._folder / f"{database}.sqlite"

    def url(self, database: str) -> str:
        return f"sqlite:///{self._path(database)}"

    def bare(self, database: str) -> str:
        return str(self._path(database))

    def create(self, database: str, like: str | None = None) -> None:
        self.drop(database)
        if like:
            shutil.copy(self._path(like), self._path(database))
            # Otherwise the first measured commit would wait until the copy is written to the disk.
            os.sync()

    def drop(self, database: str) -> None:
        for ending in ("", "-wal", "-shm"):
            Path(f"{self._path(database)}{ending}").unlink(missing_ok=True)

    def size_mb(self, database: str) -> float:
        return self._path(database).stat().st_size / 2**20

    def version(self) -> str:
        import sqlite3  # noqa: PLC0415 - only its version

        return f"SQLite {sqlite3.sqlite_version}"


class PostgresServer:
    """PostgreSQL: a server that is started for the run."""

    name = "postgresql"

    def __init__(self, home: Path, server: int) -> None:
        self._home, self.server = home, server

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://bounty@/{database}?host={self._home}&port=5432"

    def bare(self, database: str) -> str:
        return f"postgresql://bounty@/{database}?host={self._home}&port=5432"

    def create(self, database: str, like: str | None = None) -> None:
        self.drop(database)
        template = f' TEMPLATE "{like}" STRATEGY FILE_COPY' if like else ""
        self._run(f'CREATE DATABASE "{database}"{template}')
        self._run("CHECKPOINT")

    def drop(self, database: str) -> None:
        self._run(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    def size_mb(self, database: str) -> float:
        return float(self._run(f"SELECT pg_database_size('{database}')")) / 2**20

    def version(self) -> str:
        return f"PostgreSQL {str(self._run('SHOW server_version')).split()[0]}"

    def _run(self, statement: str) -> Any:
        with psycopg.connect(self.bare("postgres"), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            found = cursor.fetchone() if cursor.description else None
            return found[0] if found else None


@contextlib.contextmanager
def opened(kind: str) -> Iterator[Databases]:
    """The databases of a kind, in a folder under TMPDIR that is removed at the end."""
    with contextlib.ExitStack() as leaving:
        home = Path(tempfile.mkdtemp(prefix="bounty-bench-"))
        leaving.callback(shutil.rmtree, home, ignore_errors=True)
        if kind == "sqlite":
            yield SqliteFiles(home)
        elif kind == "postgresql":
            yield leaving.enter_context(_server(home))
        else:
            raise SystemExit(f"DATABASE={kind}: write sqlite, postgresql, or both with a comma between.")


@contextlib.contextmanager
def _server(home: Path) -> Iterator[PostgresServer]:
    identity = server_identity()
    programs = server_programs(home, identity)
    settings = SERVER_SETTINGS | {"unix_socket_directories": str(home)}
    options = [*INITDB_OPTIONS, *(f"--set={name}={value}" for name, value in settings.items())]
    initdb = [str(programs / "initdb"), "--pgdata=data", *options]
    subprocess.run(initdb, check=True, cwd=home, stdout=subprocess.DEVNULL, **identity)
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", "data"],
            cwd=home,
            stdout=log,
            stderr=log,
            start_new_session=True,
            **identity,
        )
    try:
        _wait(home, server)
        yield PostgresServer(home, server.pid)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=60)


def _wait(home: Path, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        try:
            psycopg.connect(f"postgresql://bounty@/postgres?host={home}&port=5432", connect_timeout=5).close()
            return
        except psycopg.OperationalError:
            try:
                server.wait(timeout=0.1)
                break
            except subprocess.TimeoutExpired:
                continue
    raise RuntimeError(f"PostgreSQL did not start:\n{(home / 'log').read_text(errors='replace')}")
