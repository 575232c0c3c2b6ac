"""Each test on a migrated database, SQLite and PostgreSQL alike; a fixed present; no traffic to anywhere."""

import gc
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from bounty import schema
from bounty.db import make_engine
from tests import postgres

# Where pytest makes the tests' folders: in memory where there is room, as every commit of SQLite waits for the disk.
os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(postgres.ground()))
DATABASES = ("sqlite", "postgresql")
SQLITE_AND_IN_SOAK_BOTH = ("sqlite", pytest.param("postgresql", marks=pytest.mark.soak))
"""For what takes long and is the same on both."""


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # the controller starts the server, its workers use it
        postgres.start_server()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        postgres.stop_server()


def pytest_collection_finish() -> None:
    """Leave what is loaded by now, which stays to the end, out of every later garbage collection."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_traffic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only sockets of this machine's own (PostgreSQL's) may be opened."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test must not talk to {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "books.sqlite"
    engine = make_engine(f"sqlite:///{path}")
    schema.upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def _postgres_template() -> Iterator[str]:
    url = postgres.fresh_database()
    engine = make_engine(url)
    schema.upgrade(engine)
    engine.dispose()
    yield url
    postgres.drop_database(url)


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated, empty database of each kind."""
    if request.param == "sqlite":
        path = tmp_path / "books.sqlite"
        shutil.copy(request.getfixturevalue("_sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    url = postgres.fresh_database(template=request.getfixturevalue("_postgres_template"))
    yield url
    postgres.drop_database(url)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on a migrated, empty database of each kind."""
    engine = make_engine(database_url)
    yield engine
    engine.dispose()
