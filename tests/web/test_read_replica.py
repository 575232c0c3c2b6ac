"""Two servers with streaming replication: promoters and the public read the standby, and without it the other one."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, create_engine, text

from bounty import schema
from bounty.accounts.service import add_user
from bounty.db import make_engine, transaction
from tests import postgres
from tests.factories import PROMOTER, Month, order_row, plain_terms, promoter, shanghai, sn
from tests.web.clients import application, close, log_in, post, words_of
from tests.web.world import PASSWORD

MID = "2022-12-15 15:00:00"
EMAIL = "promoter@example.com"


@dataclass(frozen=True, slots=True)
class TwoServers:
    """A server and its hot standby."""

    home: Path
    programs: Path
    identity: dict[str, Any]

    def run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), *arguments]
        quiet = subprocess.DEVNULL
        subprocess.run(
            command, check=True, cwd=self.home, stdin=quiet, stdout=quiet, stderr=quiet, **self.identity
        )

    def url(self, port: int) -> str:
        return f"postgresql+psycopg://bounty@/postgres?host={self.home}&port={port}"

    @property
    def books(self) -> str:
        return self.url(5432)

    @property
    def standby(self) -> str:
        return self.url(5433)

    def start_standby(self) -> None:
        self.run("pg_ctl", "--pgdata=standby", "--wait", "--log=standby.log", "--options=-p 5433", "start")

    def stop_standby(self, *, check: bool = True) -> None:
        command = [str(self.programs / "pg_ctl"), "--pgdata=standby", "--wait", "--mode=immediate", "stop"]
        subprocess.run(command, check=check, cwd=self.home, capture_output=True, **self.identity)

    def on_standby(self, statement: str) -> Any:
        engine = create_engine(self.standby, isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                return connection.execute(text(statement)).scalar()
        finally:
            engine.dispose()

    def catch_up(self, books: Engine) -> None:
        """Wait until the standby has replayed everything."""
        with books.connect() as connection:
            position = connection.execute(text("SELECT pg_current_wal_lsn()")).scalar()
        until = time.monotonic() + 60
        while not self.on_standby(f"SELECT pg_last_wal_replay_lsn() >= '{position}'"):
            assert time.monotonic() < until
            time.sleep(0.02)


@pytest.fixture
def servers() -> Iterator[TwoServers]:
    with ExitStack() as leaving:
        home = Path(tempfile.mkdtemp(prefix="bounty-two-", dir=postgres.ground()))
        leaving.callback(shutil.rmtree, home, ignore_errors=True)
        identity = postgres.server_identity()
        two = TwoServers(home, postgres.server_programs(home, identity), identity)
        settings = postgres.SERVER_SETTINGS | {"unix_socket_directories": str(home)}
        two.run(
            "initdb",
            "--pgdata=data",
            *postgres.INITDB_OPTIONS,
            *(f"--set={name}={value}" for name, value in settings.items()),
        )
        two.run("pg_ctl", "--pgdata=data", "--wait", "--log=log", "start")
        leaving.callback(two.run, "pg_ctl", "--pgdata=data", "--wait", "--mode=immediate", "stop")
        connection = ("--host", str(home), "--port=5432", "--username=bounty")
        two.run(
            "pg_basebackup", "--pgdata=standby", "--write-recovery-conf", "--checkpoint=fast", *connection
        )
        two.start_standby()
        leaving.callback(two.stop_standby, check=False)
        yield two


def of_task(client: FlaskClient, language: str = "zh") -> str:
    answer = client.get("/task", headers={"Accept-Language": language})
    assert answer.status_code == 200
    return words_of(answer.text)


def test_promoters_and_the_public_read_the_standby(servers: TwoServers, tmp_path: Path) -> None:
    books = make_engine(servers.books)
    schema.upgrade(books)
    month = Month(books, tmp_path, now=MID)
    month.begin(promoter(), toml=plain_terms())
    month.orders(order_row(number=1, amount_fen=12_345))
    with transaction(books) as connection:
        add_user(
            connection,
            email=EMAIL,
            name="林晓",
            role="promoter",
            promoter_id=PROMOTER,
            password=PASSWORD,
            now=shanghai(MID),
        )
    servers.catch_up(books)
    app = application(servers.books, MID, tmp_path, read_database_url=servers.standby)
    client = app.test_client()
    log_in(client, EMAIL)
    client.delete_cookie("wrote")

    # What the standby has not replayed is not on the page, which says how far it is behind.
    servers.on_standby("SELECT pg_wal_replay_pause()")
    month.orders(order_row(number=2, amount_fen=10_000))
    time.sleep(1.1)
    page = of_task(client)
    assert "123.45" in page
    assert "223.45" not in page
    assert "（只读副本，落后 " in page
    assert " (a read-only copy, " in of_task(client, "en")
    assert client.get("/rules").status_code == 200

    # Who has just written reads the books' own server, and so finds what they wrote.
    asked = post(client, "/appeals/new", order_sn=sn(1), words="请核对这一单")
    assert (asked.status_code, client.get_cookie("wrote") is not None) == (303, True)
    assert "请核对这一单" in client.get(asked.location).text
    assert "223.45" in of_task(client)
    client.delete_cookie("wrote")
    assert client.get(asked.location).status_code == 404  # of the standby

    servers.on_standby("SELECT pg_wal_replay_resume()")
    servers.catch_up(books)
    page = of_task(client)
    assert "223.45" in page
    assert "只读副本" not in page

    # A standby that is down is not missed, and is read again when it is back.
    servers.stop_standby()
    month.orders(order_row(number=3, amount_fen=10_000))
    assert "323.45" in of_task(client)
    assert client.get("/rules").status_code == 200
    close(app)
    books.dispose()
