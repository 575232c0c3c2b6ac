"""How each database is copied into a file, and made of one again, with its own means."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from sqlalchemy import URL, Connection, Engine, text

from bounty.db import make_engine
from bounty.errors import BountyError
from bounty.private import make_private_file, private_folder

SQLITE, POSTGRESQL = "sqlite", "postgresql"
ENDING = {SQLITE: ".sqlite", POSTGRESQL: ".dump"}


def write_copy(connection: Connection, target: Path, programs: Path | None) -> None:
    """Copy what a snapshot sees into a new file.

    connection   in ``db.snapshot``
    programs     the folder of pg_dump; null: on the PATH

    Raises BountyError if it can't be written.
    """
    make_private_file(target)
    if connection.dialect.name == SQLITE:
        copy = sqlite3.connect(target)
        try:  # page by page out of the snapshot that our own transaction keeps
            connection.connection.driver_connection.backup(copy)  # type: ignore[union-attr]
        except sqlite3.Error as error:
            raise BountyError(f"The copy could not be written: {error}.") from error
        finally:
            copy.close()
        return
    seen = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
    _run(
        connection.engine.url, programs, "pg_dump", "--format=custom", "--no-owner", "--no-privileges",
        f"--snapshot={seen}", f"--file={target}",
    )  # fmt: skip


def read_copy(source: Path, engine: Engine, programs: Path | None) -> None:
    """Make an empty database what a copy says.

    Raises BountyError if it can't be read.
    """
    if engine.dialect.name == SQLITE:
        path = Path(str(engine.url.database))
        private_folder(path.parent)
        make_private_file(path)
        shutil.copyfile(source, path)
        return
    _run(
        engine.url, programs, "pg_restore", "--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges",
        str(source),
    )  # fmt: skip


@contextmanager
def scratch(like: Engine, folder: Path) -> Iterator[Engine]:
    """An empty database of the same kind, which is gone at the end.

    folder   for the file of one on SQLite

    Raises BountyError if the account on PostgreSQL may not make one.
    """
    name = f"bounty_trial_{token_hex(6)}"
    if like.dialect.name == SQLITE:
        path = folder / f"{name}.sqlite"
        engine = make_engine(f"sqlite:///{path}")
        try:
            yield engine
        finally:
            engine.dispose()
            for ending in ("", "-wal", "-shm"):
                Path(f"{path}{ending}").unlink(missing_ok=True)
        return
    with like.connect().execution_options(isolation_level="AUTOCOMMIT") as outside:
        may = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
        if not outside.execute(text(may)).scalar():
            raise BountyError(
                "A copy is called good once it was restored and checked, for which a database is made and dropped "
                "again: let this account do so (ALTER ROLE ... CREATEDB)."
            )
        outside.exec_driver_sql(f'CREATE DATABASE "{name}" TEMPLATE template0')
        engine = make_engine(like.url.set(database=name).render_as_string(hide_password=False))
        try:
            yield engine
        finally:
            engine.dispose()
            outside.exec_driver_sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _run(url: URL, programs: Path | None, program: str, *arguments: str) -> None:
    """A program of PostgreSQL's over a database; the password goes by its environment, where no other account reads
    it."""
    where = URL.create(
        "postgresql", url.username, host=url.host, port=url.port, database=url.database, query=url.query
    ).render_as_string()
    command = [str(programs / program) if programs else program, *arguments, f"--dbname={where}"]
    secret = {"PGPASSWORD": str(url.password)} if url.password else {}
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments
            command, env={**os.environ, **secret}, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise BountyError(
            f"{command[0]} can't be started ({error.strerror}): install the server's client programs, or name their "
            "folder in BOUNTY_POSTGRES_PROGRAMS."
        ) from error
    if done.returncode:
        raise BountyError(f"{program} refused: {' '.join(done.stderr.split())}")
