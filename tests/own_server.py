"""A PostgreSQL of a test's own, and copies of it, for what the shared server of all tests can't be asked to do."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from tests import postgres


@dataclass(frozen=True, slots=True)
class OwnServers:
    """A folder with the data of servers, each a folder within; the first is ``data``."""

    home: Path
    programs: Path
    identity: dict[str, Any]

    def run(self, program: str, *arguments: str, check: bool = True) -> None:
        command = [str(self.programs / program), *arguments]
        subprocess.run(
            command, check=check, cwd=self.home, stdin=subprocess.DEVNULL, **_QUIET, **self.identity
        )

    def make(self, **settings: str) -> None:
        """Make and start the first server."""
        settings = postgres.SERVER_SETTINGS | {"unix_socket_directories": str(self.home)} | settings
        given = (f"--set={name}={value}" for name, value in settings.items())
        self.run("initdb", "--pgdata=data", *postgres.INITDB_OPTIONS, *given)
        self.start("data", 5432)

    def copy(self, name: str, *options: str) -> None:
        """Copy the running first server with ``pg_basebackup``."""
        place = (f"--pgdata={name}", f"--host={self.home}", "--port=5432", "--username=bounty")
        self.run("pg_basebackup", "--checkpoint=fast", *place, *options)

    def start(self, name: str, port: int) -> None:
        self.run("pg_ctl", f"--pgdata={name}", "--wait", f"--log={name}.log", f"--options=-p {port}", "start")

    def stop(self, name: str, *, check: bool = True) -> None:
        """Stop a server as if its machine had lost power."""
        self.run("pg_ctl", f"--pgdata={name}", "--wait", "--mode=immediate", "stop", check=check)

    def url(self, port: int = 5432) -> str:
        return f"postgresql+psycopg://bounty@/postgres?host={self.home}&port={port}"

    def ask(self, statement: str, port: int = 5432) -> Any:
        """The single value of a statement, outside a transaction."""
        engine = create_engine(self.url(port), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                return connection.execute(text(statement)).scalar()
        finally:
            engine.dispose()

    def wait_until(self, statement: str, port: int) -> None:
        """Wait until a statement is true."""
        until = time.monotonic() + 60
        while not self.ask(statement, port):
            assert time.monotonic() < until
            time.sleep(0.02)


_QUIET: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


@contextmanager
def own_servers(*names: str) -> Iterator[OwnServers]:
    """A folder for servers of these names, which are stopped and removed at the end."""
    with ExitStack() as leaving:
        home = Path(tempfile.mkdtemp(prefix="bounty-own-", dir=postgres.ground()))
        leaving.callback(shutil.rmtree, home, ignore_errors=True)
        identity = postgres.server_identity()
        servers = OwnServers(home, postgres.server_programs(home, identity), identity)
        for name in names:
            leaving.callback(servers.stop, name, check=False)
        yield servers
