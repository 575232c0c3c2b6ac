"""Two servers with streaming replication: promoters and the public read the standby, and without it the other one."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from bounty import schema
from bounty.accounts.service import add_user
from bounty.db import make_engine, transaction
from tests.factories import PROMOTER, Month, order_row, plain_terms, promoter, shanghai, sn
from tests.own_server import OwnServers, own_servers
from tests.web.clients import application, close, log_in, post, words_of
from tests.web.world import PASSWORD

MID = "2022-12-15 15:00:00"
EMAIL = "promoter@example.com"
STANDBY = 5433


@pytest.fixture
def servers() -> Iterator[OwnServers]:
    with own_servers("data", "standby") as two:
        # A commit that does not wait for the WAL would be missing from the position that the standby is to reach.
        two.make(synchronous_commit="on")
        two.copy("standby", "--write-recovery-conf")
        two.start("standby", STANDBY)
        yield two


def catch_up(servers: OwnServers) -> None:
    """Wait until the standby has replayed everything."""
    position = servers.ask("SELECT pg_current_wal_lsn()")
    servers.wait_until(f"SELECT pg_last_wal_replay_lsn() >= '{position}'", STANDBY)


def of_task(client: FlaskClient, language: str = "zh") -> str:
    answer = client.get("/task", headers={"Accept-Language": language})
    assert answer.status_code == 200
    return words_of(answer.text)


def test_promoters_and_the_public_read_the_standby(servers: OwnServers, tmp_path: Path) -> None:
    books = make_engine(servers.url())
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
    catch_up(servers)
    app = application(servers.url(), MID, tmp_path, read_database_url=servers.url(STANDBY))
    client = app.test_client()
    log_in(client, EMAIL)
    client.delete_cookie("wrote")

    # What the standby has not replayed is not on the page, which says how far it is behind.
    servers.ask("SELECT pg_wal_replay_pause()", STANDBY)
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

    servers.ask("SELECT pg_wal_replay_resume()", STANDBY)
    catch_up(servers)
    page = of_task(client)
    assert "223.45" in page
    assert "只读副本" not in page

    # A standby that is down is not missed, and is read again when it is back.
    servers.stop("standby")
    month.orders(order_row(number=3, amount_fen=10_000))
    assert "323.45" in of_task(client)
    assert client.get("/rules").status_code == 200
    close(app)
    books.dispose()
