"""Getting in and out: limited log-in, sessions that end, passwords reset by mail, a production that starts safely."""

import email as mails
import re
from collections.abc import Iterator
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select

from bounty.accounts.service import add_user, disable, set_role
from bounty.db import make_engine, snapshot, transaction
from bounty.errors import BountyError
from bounty.models import AuditEvent, Message, Tries
from bounty.notifications.delivery import DeliveryChannels, send_due
from bounty.notifications.mail import Mail
from config import Settings, require_safe_site
from tests import postgres
from tests.web.clients import (
    NOON,
    STRONG,
    Opened,
    application,
    close,
    is_in,
    log_in,
    post,
    production,
    token_of,
    words_of,
)
from tests.web.world import PASSWORD, copied

STAFF = "operator@example.com"
PROMOTERS = "promoter@example.com"


@pytest.fixture
def database_url(small_site: Path, tmp_path: Path) -> str:
    """The small site on SQLite."""
    return copied(small_site, tmp_path / "site")


@pytest.fixture
def app(opened: Opened) -> Flask:
    return opened()


@pytest.fixture
def books(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


def acts(engine: Engine) -> list[tuple[str, str]]:
    with snapshot(engine) as connection:
        asked = select(AuditEvent.act, AuditEvent.actor).order_by(AuditEvent.event_id)
        return [(row.act, row.actor) for row in connection.execute(asked)]


# Log-in


def test_a_log_in_leads_to_where_one_wanted_to_go_and_is_recorded(app: Flask, books: Engine) -> None:
    client = app.test_client()
    asked = client.get("/finance/")
    assert asked.status_code == 302
    said = post(client, asked.location, email="Finance@Example.com", password=PASSWORD)
    assert (said.status_code, said.location) == (302, "/finance/")
    assert client.get("/finance/").status_code == 200
    assert acts(books)[-1] == ("user.login", "finance@example.com")


@pytest.mark.parametrize(
    "elsewhere", ["https://example.net/", "//example.net", "/\\example.net", "javascript:alert(1)"]
)
def test_a_log_in_leads_nowhere_else(app: Flask, elsewhere: str) -> None:
    client = app.test_client()
    said = post(client, "/login", email=PROMOTERS, password=PASSWORD, next=elsewhere)
    assert said.location in (None, "/", "/%5Cexample.net")
    said = post(app.test_client(), f"/login?next={elsewhere}", email=PROMOTERS, password=PASSWORD)
    assert said.location in (None, "/", "/%5Cexample.net")


def test_the_answer_does_not_say_whether_there_is_such_an_account(app: Flask) -> None:
    def answer(address: str, path: str, **fields: str) -> tuple[int, str]:
        said = post(app.test_client(), path, email=address, **fields)
        return said.status_code, words_of(
            said.text.replace(address, "")
        ) if said.status_code == 200 else said.location

    known, unknown = PROMOTERS, "nobody@example.com"
    assert answer(known, "/login", password="wrong") == answer(unknown, "/login", password="wrong")
    assert answer(known, "/reset") == answer(unknown, "/reset")


@pytest.mark.parametrize("address", [PROMOTERS, "nobody@example.com"])
def test_after_five_failures_an_account_waits(app: Flask, clock: Any, address: str) -> None:
    for _ in range(5):
        said = log_in(app.test_client(), address, "wrong")
        assert "登录失败次数过多" not in words_of(said.text)
    waits = app.test_client()
    assert "登录失败次数过多" in words_of(log_in(waits, address).text)
    assert not is_in(waits)
    other = app.test_client()
    assert log_in(other, STAFF).status_code == 302  # somebody else doesn't wait
    clock.shift(60)
    if address == PROMOTERS:
        assert log_in(waits, address).status_code == 302


def test_an_address_that_tries_many_accounts_waits_too(app: Flask) -> None:
    for number in range(30):
        log_in(app.test_client(), f"nobody{number}@example.com", "wrong")
    assert "登录失败次数过多" in words_of(log_in(app.test_client(), PROMOTERS).text)
    elsewhere = app.test_client()
    elsewhere.environ_base["REMOTE_ADDR"] = "192.0.2.7"
    assert log_in(elsewhere, PROMOTERS).status_code == 302


# Sessions


def test_log_out_ends_every_session_and_a_replayed_cookie_gets_nothing(app: Flask, books: Engine) -> None:
    here, there = app.test_client(), app.test_client()
    log_in(here, STAFF)
    log_in(there, STAFF)
    kept = here.get_cookie("session")
    assert kept is not None
    assert is_in(there)
    assert post(here, "/logout").status_code == 302
    assert not is_in(there)
    replayed = app.test_client()
    replayed.set_cookie("session", kept.value)
    assert not is_in(replayed)
    assert replayed.get("/finance/").status_code == 302
    assert acts(books)[-1] == ("user.logout", STAFF)


@pytest.mark.parametrize(
    ("address", "idle", "longest"), [(STAFF, 15 * 60, 8 * 3600), (PROMOTERS, 30 * 60, 12 * 3600)]
)
def test_a_session_ends_when_idle_and_in_any_case_after_a_day_of_work(
    app: Flask, clock: Any, address: str, idle: int, longest: int
) -> None:
    client = app.test_client()
    log_in(client, address)
    clock.shift(idle - 1)
    assert is_in(client)
    clock.shift(idle)
    assert not is_in(client)
    log_in(client, address)
    for _ in range(longest // (idle - 60)):
        clock.shift(idle - 60)
        assert is_in(client)
    clock.shift(idle - 60)
    assert not is_in(client)


def test_nothing_but_the_session_logs_a_person_in(app: Flask, clock: Any) -> None:
    client = app.test_client()
    post(client, "/login", email=STAFF, password=PASSWORD, remember="y")
    assert client.get_cookie("remember_token") is None
    page = app.test_client()
    token = token_of(page.get("/rules").text)
    said = page.post(
        "/login?include_auth_token",
        json={"email": STAFF, "password": PASSWORD},
        headers={"X-CSRFToken": token, "Accept": "application/json"},
    )
    found = re.search(r'"authentication_token": ?"([^"]+)"', said.text)
    if found:
        bearer = app.test_client()
        assert bearer.get("/finance/", headers={"Authentication-Token": found[1]}).status_code == 302
        assert bearer.get(f"/finance/?auth_token={found[1]}").status_code == 302


def test_another_role_and_a_disabling_act_at_once(app: Flask, books: Engine) -> None:
    changed, disabled = app.test_client(), app.test_client()
    log_in(changed, "second@example.com")
    log_in(disabled, STAFF)
    assert (is_in(changed), is_in(disabled)) == (True, True)
    with transaction(books) as connection:
        set_role(connection, "second@example.com", "finance", NOON)
        disable(connection, STAFF, NOON)
    assert (is_in(changed), is_in(disabled)) == (False, False)
    assert log_in(disabled, STAFF).status_code == 200
    assert not is_in(disabled)


def test_a_new_password_ends_the_other_sessions(app: Flask, books: Engine) -> None:
    here, there = app.test_client(), app.test_client()
    log_in(here, PROMOTERS)
    log_in(there, PROMOTERS)
    new = "another long and good one"
    said = post(here, "/change", password=PASSWORD, new_password=new, new_password_confirm=new)
    assert said.status_code == 302
    assert (is_in(here), is_in(there)) == (True, False)
    assert log_in(app.test_client(), PROMOTERS, new).status_code == 302
    assert log_in(app.test_client(), PROMOTERS).status_code == 200
    assert "user.password" in [act for act, _ in acts(books)]


@pytest.mark.parametrize("weak", ["short", PROMOTERS, "x" * 129])
def test_a_weak_password_is_refused_in_the_readers_language(app: Flask, weak: str) -> None:
    client = app.test_client()
    log_in(client, PROMOTERS)
    said = post(client, "/change", password=PASSWORD, new_password=weak, new_password_confirm=weak)
    assert said.status_code == 200
    assert "密码" in re.sub(r"(?s).*role=\"alert\">", "", said.text)[:40]


def test_a_promoter_in_production_needs_no_second_factor(opened: Opened) -> None:
    client = production(opened)
    log_in(client, PROMOTERS)
    assert is_in(client)
    cookie = client.get_cookie("__Host-session")
    assert cookie is not None
    assert cookie.secure
    assert cookie.http_only
    assert cookie.same_site == "Lax"


# Reset by mail


def mail_in(folder: Path, books: Engine) -> Any:
    """The newest mail, once the worker has sent what waits."""
    folder = folder / "out"
    post = DeliveryChannels(Mail("", "bounty@example.com", folder, "http://localhost"), None)
    list(send_due(books, post, lambda: NOON))
    with snapshot(books) as connection:
        ours = select(Message.message).where(Message.kind == "account", Message.sent_at.is_not(None))
        sent = [folder / f"{message}.eml" for message in connection.execute(ours).scalars()]
    newest = max(sent, key=lambda path: path.stat().st_mtime_ns)
    return mails.message_from_bytes(newest.read_bytes(), policy=default)


def reset_link(client: FlaskClient, folder: Path, books: Engine) -> str:
    post(client, "/reset", email=PROMOTERS)
    mail = mail_in(folder, books)
    body = mail.get_content()
    assert (mail["To"], mail["Subject"]) == (PROMOTERS, "重置密码 / Reset the password")
    assert "15 分钟" in body
    assert "15 minutes" in body
    found = re.search(r"https?://\S+(/reset/\S+)", body)
    assert found
    return found[1]


def test_a_reset_link_serves_once(app: Flask, tmp_path: Path, books: Engine) -> None:
    elsewhere = app.test_client()
    log_in(elsewhere, PROMOTERS)
    client = app.test_client()
    link = reset_link(client, tmp_path, books)
    new = "another long and good one"
    assert client.get(link).status_code == 200
    assert post(client, link, password=new, password_confirm=new).status_code == 302
    assert not is_in(elsewhere)
    assert log_in(app.test_client(), PROMOTERS, new).status_code == 302
    third = "a third and still good one"
    post(app.test_client(), link, password=third, password_confirm=third)
    assert log_in(app.test_client(), PROMOTERS, third).status_code == 200
    assert "重置" in mail_in(tmp_path, books)["Subject"]  # the owner is told
    assert "user.reset" in [act for act, _ in acts(books)]


def test_a_reset_link_ends_after_a_quarter_of_an_hour(
    app: Flask, tmp_path: Path, books: Engine, clock: Any
) -> None:
    client = app.test_client()
    link = reset_link(client, tmp_path, books)
    clock.shift(15 * 60 + 1)
    new = "another long and good one"
    post(client, link, password=new, password_confirm=new)
    assert log_in(app.test_client(), PROMOTERS, new).status_code == 200


# Production


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"secret_key": ""}, "BOUNTY_SECRET_KEY"),
        ({"secret_key": "a" * 64}, "BOUNTY_SECRET_KEY"),
        ({"totp_key": "short"}, "BOUNTY_TOTP_KEY"),
        ({"payee_key": ""}, "BOUNTY_PAYEE_KEY"),
        ({"allowed_hosts": " "}, "BOUNTY_ALLOWED_HOSTS"),
        ({"public_url": "http://localhost"}, "BOUNTY_PUBLIC_URL"),
    ],
)
def test_production_refuses_to_start_unsafely(wrong: dict[str, str], named: str) -> None:
    given: dict[str, Any] = STRONG | wrong
    with pytest.raises(BountyError, match=named):
        require_safe_site(Settings(**given), debug=False)


def test_production_refuses_debug_and_strange_hosts(opened: Opened) -> None:
    given: dict[str, Any] = STRONG
    with pytest.raises(BountyError, match="FLASK_DEBUG"):
        require_safe_site(Settings(**given), debug=True)
    client = production(opened)
    assert client.get("/rules").status_code == 200
    assert client.get("/rules", base_url="https://elsewhere.example.net").status_code == 400


def test_accounts_work_alike_on_postgresql(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Any
) -> None:
    url = postgres.fresh_database(template=request.getfixturevalue("_postgres_template"))
    engine = make_engine(url)
    with transaction(engine) as connection:
        add_user(connection, email=STAFF, name="周", role="operator", password=PASSWORD, now=NOON)
    app = application(url, None, tmp_path)
    client = app.test_client()
    log_in(client, STAFF, "wrong")
    log_in(client, STAFF)
    assert is_in(client)
    post(client, "/logout")
    assert not is_in(client)
    with snapshot(engine) as connection:
        counted = connection.execute(select(Tries.subject)).scalars().all()
    assert counted == ["guess from 127.0.0.1"]
    close(app)
    engine.dispose()
    postgres.drop_database(url)
