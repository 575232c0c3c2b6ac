"""Passwords and codes are neither guessed nor used twice, at log-in or afterwards; alike on both databases."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask.testing import FlaskClient
from passlib.totp import TOTP
from sqlalchemy import Engine

from bounty.accounts.service import add_user
from bounty.db import transaction
from tests.web.clients import NOON, Opened, is_in, log_in, post, production, words_of
from tests.web.world import PASSWORD

STAFF = "operator@example.com"
NEW = "another long and good one"
WAIT = "登录失败次数过多"


@pytest.fixture(autouse=True)
def _account(engine: Engine) -> None:
    with transaction(engine) as connection:
        add_user(connection, email=STAFF, name="周", role="operator", password=PASSWORD, now=NOON)


def secret_of(page: str) -> str:
    found = re.search(r"<code>([A-Z2-7-]+)</code>", page)
    assert found
    return found[1].replace("-", "")


def code(secret: str) -> str:
    return TOTP(secret).generate().token


def with_second_factor(client: FlaskClient) -> str:
    """Set one up for STAFF, who is out again afterwards; its secret."""
    log_in(client, STAFF)
    secret = secret_of(post(client, "/tf-setup", setup="authenticator").text)
    post(client, "/tf-validate", code=code(secret))
    assert is_in(client)
    post(client, "/logout")
    return secret


# The second factor


def test_staff_in_production_set_up_a_second_factor_and_then_need_it(opened: Opened, clock: Any) -> None:
    client = production(opened)
    said = log_in(client, STAFF)
    assert said.status_code == 302
    assert "/tf-setup" in said.location
    assert not is_in(client)
    assert client.get("/finance/").status_code == 302
    shown = post(client, "/tf-setup", setup="authenticator")
    secret = secret_of(shown.text)
    assert "data:image/svg+xml" in shown.text
    assert post(client, "/tf-validate", code="000000").status_code == 200
    assert not is_in(client)
    assert post(client, "/tf-validate", code=code(secret)).status_code == 302
    assert is_in(client)
    post(client, "/logout")
    said = log_in(client, STAFF)
    assert not is_in(client)
    clock.shift(30)
    post(client, "/tf-validate", code=code(secret))
    assert is_in(client)


def test_a_code_serves_once(opened: Opened, clock: Any) -> None:
    here = production(opened)
    secret = with_second_factor(here)
    set_up_with = code(secret)
    log_in(here, STAFF)
    assert post(here, "/tf-validate", code=set_up_with).status_code == 200  # the one it was set up with
    assert not is_in(here)
    clock.shift(60)
    earlier = code(secret)
    clock.shift(30)
    seen = code(secret)
    post(here, "/tf-validate", code=seen)
    assert is_in(here)
    there = production(opened)
    for used in (
        seen,
        earlier,
    ):  # within the half minute, and from before it, which a slow clock would excuse
        log_in(there, STAFF)
        assert post(there, "/tf-validate", code=used).status_code == 200
        assert not is_in(there)
    clock.shift(30)
    post(there, "/tf-validate", code=code(secret))
    assert is_in(there)


def test_an_open_session_alone_does_not_replace_an_authenticator(opened: Opened, clock: Any) -> None:
    client = production(opened)
    secret = with_second_factor(client)
    clock.shift(60)
    log_in(client, STAFF)
    post(client, "/tf-validate", code=code(secret))
    assert is_in(client)
    assert 'name="code"' in client.get("/tf-setup").text
    for given in ({}, {"code": "000000"}, {"code": code(secret)}):  # the last one was used at the log-in
        shown = post(client, "/tf-setup", setup="authenticator", **given)
        assert (shown.status_code, "data:image" in shown.text) == (200, False)
    clock.shift(60)
    shown = post(client, "/tf-setup", setup="authenticator", code=code(secret))
    assert secret_of(shown.text) != secret


def test_of_two_who_bring_the_same_code_at_once_one_is_let_in(opened: Opened, clock: Any) -> None:
    first, second = production(opened), production(opened)
    secret = with_second_factor(first)
    clock.shift(60)
    for client in (first, second):
        log_in(client, STAFF)
    with ThreadPoolExecutor(2) as both:
        list(both.map(lambda client: post(client, "/tf-validate", code=code(secret)), (first, second)))
    assert [is_in(first), is_in(second)].count(True) == 1


def test_a_code_is_not_to_be_guessed(opened: Opened, clock: Any) -> None:
    client = production(opened)
    secret = with_second_factor(client)
    log_in(client, STAFF)
    clock.shift(60)
    for guess in range(5):
        post(client, "/tf-validate", code=f"{guess:06d}")
    assert WAIT in words_of(post(client, "/tf-validate", code=code(secret)).text)
    assert not is_in(client)
    clock.shift(15 * 60)
    log_in(client, STAFF)
    post(client, "/tf-validate", code=code(secret))
    assert is_in(client)


# The password, asked of somebody who is in


def verify(client: FlaskClient, password: str) -> Any:
    return post(client, "/verify", password=password)


def change(client: FlaskClient, password: str) -> Any:
    return post(client, "/change", password=password, new_password=NEW, new_password_confirm=NEW)


@pytest.mark.parametrize("ask", [verify, change])
def test_who_holds_a_session_does_not_guess_its_password(opened: Opened, clock: Any, ask: Any) -> None:
    app = opened()
    client, elsewhere = app.test_client(), app.test_client()
    log_in(client, STAFF)
    for _ in range(5):
        said = ask(client, "wrong")
        assert said.status_code == 200
        assert WAIT not in words_of(said.text)
    assert WAIT in words_of(ask(client, PASSWORD).text)
    log_in(elsewhere, STAFF)  # nobody who sits at one device locks its account out on another
    assert is_in(elsewhere)
    clock.shift(59)
    assert WAIT in words_of(ask(client, PASSWORD).text)
    clock.shift(1)
    assert ask(client, PASSWORD).status_code == 302


def test_other_mistakes_in_a_new_password_are_no_guesses(opened: Opened) -> None:
    client = opened().test_client()
    log_in(client, STAFF)
    for new, again in (("short", "short"), (NEW, "not the same as it"), (PASSWORD, PASSWORD)) * 2:
        said = post(client, "/change", password=PASSWORD, new_password=new, new_password_confirm=again)
        assert said.status_code == 200
    assert change(client, PASSWORD).status_code == 302
