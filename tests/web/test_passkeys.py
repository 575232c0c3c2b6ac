"""Passkeys and recovery codes: a browser with a virtual authenticator registers one, logs in and confirms with it; a
copied, a stranger's or a used answer opens nothing. Alike on both databases."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_login import login_user
from playwright.sync_api import CDPSession, Page, expect
from sqlalchemy import Engine, select, update

from bounty.accounts.second_factor_forms import LAST_FACTOR, ProvenDelete
from bounty.accounts.service import add_user, users
from bounty.db import make_engine, snapshot, transaction
from bounty.models import AuditEvent, Passkey, User
from tests.payout.people import Codes
from tests.web.clients import KEYS, NOON, STRONG, Opened, is_in, log_in, post, words_of
from tests.web.conftest import log_in as log_in_browser
from tests.web.world import DECEMBER, EMAILS, PASSWORD, Site

OWNER, OTHER = "owner@example.com", "other@example.com"
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


class Device:
    """A virtual authenticator of a window."""

    def __init__(self, page: Page) -> None:
        self._session: CDPSession = page.context.new_cdp_session(page)
        self._session.send("WebAuthn.enable")
        made = self._session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        self._id: str = made["authenticatorId"]

    def credentials(self) -> list[dict[str, Any]]:
        """The passkeys on it."""
        found = self._session.send("WebAuthn.getCredentials", {"authenticatorId": self._id})
        credentials: list[dict[str, Any]] = found["credentials"]
        return credentials

    def put(self, credential: dict[str, Any]) -> None:
        """Have this passkey and no other."""
        self._session.send("WebAuthn.clearCredentials", {"authenticatorId": self._id})
        self._session.send("WebAuthn.addCredential", {"authenticatorId": self._id, "credential": credential})


def acts(engine: Engine, email: str) -> list[str]:
    with snapshot(engine) as connection:
        asked = select(AuditEvent.act).where(AuditEvent.actor == email).order_by(AuditEvent.event_id)
        return list(connection.execute(asked).scalars())


def register(page: Page, name: str) -> None:
    page.goto("/passkeys")
    page.fill("input[name=name]", name)
    page.click("button.primary")
    expect(page.get_by_role("heading", name=name)).to_be_visible()


def log_out(page: Page) -> None:
    page.click("form[action='/logout'] button")
    page.wait_for_url("**/login")


def give_password(page: Page, email: str) -> None:
    page.goto("/login")
    page.fill("input[name=email]", email)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[name=submit]")
    page.wait_for_url(lambda url: "/passkey" in url)


def come_in(page: Page, email: str) -> None:
    """In with a passkey, and only with it."""
    give_password(page, email)
    assert is_out(page)
    give_password(page, email)
    page.click("button.primary")
    page.wait_for_url("**/operations/**")


def is_out(page: Page) -> bool:
    page.goto("/operations/periods")
    return "/login" in page.url


def refused(page: Page) -> None:
    """The passkey that the window holds opens nothing."""
    page.click("button.primary")
    expect(page.locator(".flash")).to_contain_text("通行密钥验证未通过")
    assert is_out(page)


def confirms(page: Page) -> None:
    """An act that asks for a fresh code takes the passkey."""
    send = page.locator("form:has(input[name=passkey]) button.primary")
    page.goto("/tokens")
    page.fill("input[name=name]", "till")
    page.click("button[data-passkey-confirm]")
    expect(page.locator("[data-passkey-done]")).to_be_visible()
    send.click()
    expect(page.locator("main")).to_contain_text("till")


def delete(page: Page, name: str) -> None:
    page.goto("/passkeys")
    page.click("main summary")
    page.click("main details button[data-passkey-confirm]")
    expect(page.locator("main details [data-passkey-done]")).to_be_visible()
    page.click("main details button[name=submit]")
    expect(page.locator(".flash")).to_contain_text(f"已删除通行密钥“{name}”")


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_passkey_is_registered_logs_in_confirms_and_is_deleted(
    own_site: Callable[..., Site], visit: Callable[..., Page], database: str
) -> None:
    site, email = own_site(DECEMBER, database), EMAILS["operator"]
    # A passkey belongs to a host's name; there is none for a number.
    named = replace(site, url=site.url.replace("127.0.0.1", "localhost"))
    page = visit(named)
    device = Device(page)
    log_in_browser(page, email)
    register(page, "工作电脑")
    (kept,) = device.credentials()
    log_out(page)
    come_in(page, email)
    confirms(page)
    log_out(page)

    device.put({**kept, "signCount": 1})  # a copy's counter does not grow
    give_password(page, email)
    refused(page)

    # Whoever knows another account's password comes in with their own passkey neither as the one nor as the other.
    theirs = visit(named)
    stranger = Device(theirs)
    log_in_browser(theirs, EMAILS["finance"])
    register(theirs, "另一台")
    log_out(theirs)
    stranger.put({**kept, "signCount": 200})
    theirs.route(re.compile(r"/passkey\?"), lambda route: _with_credential(route, kept["credentialId"]))
    give_password(theirs, EMAILS["finance"])
    refused(theirs)

    device.put({**kept, "signCount": 100})
    give_password(page, email)
    page.click("button.primary")
    page.wait_for_url("**/operations/**")
    delete(page, "工作电脑")
    log_out(page)
    log_in_browser(page, email)
    books = make_engine(site.database_url)
    done = [act for act in acts(books, email) if "passkey" in act]
    books.dispose()
    assert done == ["user.passkey_add", "user.passkey_remove"]


def _with_credential(route: Any, credential_id: str) -> None:
    """Ask, in place of what the server asked for, for this passkey."""
    answer = route.fetch()
    text = answer.text()
    marker = 'data-options="'
    if marker not in text:
        route.fulfill(response=answer)
        return
    before, _, rest = text.partition(marker)
    options, _, after = rest.partition('"')
    asked = json.loads(options.replace("&#34;", '"'))
    raw = credential_id.rstrip("=").replace("+", "-").replace("/", "_")
    asked["allowCredentials"] = [{"id": raw, "type": "public-key"}]
    changed = json.dumps(asked).replace('"', "&#34;")
    route.fulfill(response=answer, body=f'{before}{marker}{changed}"{after}')


# Recovery codes


@pytest.fixture
def app(opened: Opened) -> Flask:
    return opened()


@pytest.fixture
def codes(engine: Engine) -> Codes:
    """The authenticator of OWNER."""
    with transaction(engine) as connection:
        for email in (OWNER, OTHER):
            add_user(connection, email=email, name="周", role="operator", password=PASSWORD, now=NOON)
        method = update(User).where(User.email == OWNER).values(tf_primary_method="authenticator")
        connection.execute(method)
    return Codes(engine, OWNER, KEYS["totp_key"])


def entered(app: Flask, codes: Codes) -> FlaskClient:
    client = app.test_client()
    log_in(client, OWNER)
    post(client, "/tf-validate", code=codes.fresh())
    assert is_in(client)
    return client


def made(client: FlaskClient, codes: Codes) -> list[str]:
    page = post(client, "/recovery-codes", code=codes.fresh(), generate_new_codes="1").text
    return [part.partition("</code>")[0] for part in page.split("<code>")[1:]]


def recover(app: Flask, code: str) -> FlaskClient:
    client = app.test_client()
    log_in(client, OWNER)
    post(client, "/recovery", code=code)
    return client


def test_recovery_codes_are_shown_once_and_each_serves_once(app: Flask, engine: Engine, codes: Codes) -> None:
    client = entered(app, codes)
    assert "<code>" not in post(client, "/recovery-codes", code="000000", generate_new_codes="1").text
    fresh = made(client, codes)
    assert len(set(fresh)) == 10
    for accept in ("text/html", "application/json"):
        again = client.get("/recovery-codes?show_codes=1", headers={"Accept": accept}).text
        assert not any(code in again for code in fresh)
    with snapshot(engine) as connection:
        kept = (
            connection.execute(select(User.mf_recovery_codes).where(User.email == OWNER)).scalar_one() or ""
        )
    assert len(kept.split()) == 10
    assert not any(code in kept for code in fresh)

    assert not is_in(recover(app, "0000-0000-0000"))
    inside = recover(app, f" {fresh[3].upper()} ")
    assert is_in(inside)
    assert "剩余 9 个" in words_of(inside.get("/recovery-codes", headers={"Accept-Language": "zh"}).text)
    assert not is_in(recover(app, fresh[3]))
    assert is_in(recover(app, fresh[4]))
    assert [act for act in acts(engine, OWNER) if "recovery" in act] == [
        "user.recovery_codes",
        "user.recovery_code",
        "user.recovery_code",
    ]


def test_of_one_recovery_code_brought_twice_at_once_one_comes_in(app: Flask, codes: Codes) -> None:
    code = made(entered(app, codes), codes)[0]
    clients = [app.test_client() for _ in range(4)]
    for client in clients:
        log_in(client, OWNER)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda client: post(client, "/recovery", code=code), clients))
    assert [is_in(client) for client in clients].count(True) == 1


def test_wrong_recovery_codes_are_counted_as_wrong_passwords_are(app: Flask, codes: Codes) -> None:
    code = made(entered(app, codes), codes)[0]
    client = app.test_client()
    log_in(client, OWNER)
    for _ in range(5):
        assert "恢复码不正确" in words_of(post(client, "/recovery", code="0000-0000-0000").text)
    assert "登录失败次数过多" in words_of(post(client, "/recovery", code=code).text)
    assert not is_in(client)


def test_no_recovery_codes_without_a_second_factor(app: Flask, codes: Codes) -> None:
    client = app.test_client()
    log_in(client, OTHER)
    assert "请先设置验证器或通行密钥" in words_of(
        post(client, "/recovery-codes", generate_new_codes="1").text
    )


# Answers that are none


FORGED = [
    "",
    "{}",
    "[]",
    "null",
    "\x00",
    '{"id":"a","rawId":"a","type":"public-key","response":{}}',
    "9" * 5000,
]


@pytest.fixture
def with_passkey(engine: Engine, codes: Codes) -> None:
    """OWNER has a passkey as well, and OTHER only that."""
    with transaction(engine) as connection:
        for email in (OWNER, OTHER):
            user_id = connection.execute(select(User.id).where(User.email == email)).scalar_one()
            connection.execute(
                Passkey.__table__.insert().values(  # type: ignore[attr-defined]
                    user_id=user_id,
                    name="one",
                    credential_id=email.encode(),
                    public_key=b"x",
                    sign_count=1,
                    created_at=NOON,
                )
            )


@pytest.mark.usefixtures("with_passkey")
def test_a_forged_answer_opens_nothing_and_is_no_fault(app: Flask, engine: Engine) -> None:
    client = app.test_client()
    assert log_in(client, OTHER).location.startswith("/passkey")
    page = post(client, "/passkey").text
    action = page.partition('action="/passkey/')[2].partition('"')[0]
    for forged in FORGED[:4]:
        said = post(client, f"/passkey/{action}", credential=forged)
        assert said.status_code == 302
        assert not is_in(client)
    assert post(client, "/passkey/forged", credential="{}").status_code == 302
    with snapshot(engine) as connection:
        (row,) = (each for each in users(connection) if each.email == OTHER)
    assert row.second_factor


@pytest.mark.usefixtures("with_passkey")
@pytest.mark.parametrize("forged", FORGED[1:])
def test_a_forged_confirmation_is_refused_and_takes_the_challenge(
    app: Flask, codes: Codes, forged: str
) -> None:
    client = app.test_client()
    log_in(client, OWNER)
    post(client, "/tf-select", which="authenticator")
    post(client, "/tf-validate", code=codes.fresh())
    assert is_in(client)
    without = post(client, "/tokens/", name="till", days="90", promoter_id="", code="")
    assert "验证码不对" in words_of(without.text)
    assert post(client, "/passkeys/challenge").json["challenge"]
    said = post(client, "/passkeys/delete", name="one", passkey=forged)
    assert said.status_code in (302, 400)
    assert "one" in client.get("/passkeys").text


@pytest.mark.usefixtures("with_passkey")
def test_the_last_second_factor_of_an_account_that_needs_one_stays(opened: Opened, engine: Engine) -> None:
    app = opened(**STRONG)
    with app.test_request_context("/passkeys/delete", method="POST", base_url="https://localhost"):
        owner = app.login_manager._user_callback(_uniquifier(engine, OTHER))  # type: ignore[attr-defined]
        login_user(owner)
        form = ProvenDelete()
        assert not form.validate()
        assert list(form.name.errors) == [LAST_FACTOR.zh]


def _uniquifier(engine: Engine, email: str) -> str:
    with snapshot(engine) as connection:
        return connection.execute(select(User.fs_uniquifier).where(User.email == email)).scalar_one()
