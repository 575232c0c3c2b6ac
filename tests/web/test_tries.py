"""How often somebody may try: an account is counted once, whatever it is spelt like and however many guesses come
at once; nobody locks another out; a reset says nothing of accounts. Alike on both databases."""

import time
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes, policy
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select

from bounty.accounts.limits import Asker, Limit, count_try, normalised, seconds_to_wait
from bounty.accounts.service import add_user
from bounty.db import snapshot, transaction
from bounty.models import Message, Tries
from bounty.notifications.delivery import DeliveryChannels, send_due
from bounty.notifications.mail import Mail
from tests.web.clients import NOON, STRONG, Opened, is_in, log_in, post, token_of, words_of
from tests.web.world import PASSWORD

OWNER, OTHER = "owner@example.com", "other@example.com"
NEW = "another long and good one"
WAIT = "登录失败次数过多"
SPELLINGS = [
    OWNER,
    "Owner@Example.com",
    "owner@ｅxample.com",
    "owner@ⓔxample.com",
    "owner@example。com",
    "ｏwner@example.com",
    " owner@example．com ",
]


@pytest.fixture(autouse=True)
def _accounts(engine: Engine) -> None:
    with transaction(engine) as connection:
        for email in (OWNER, OTHER):
            add_user(connection, email=email, name="周", role="operator", password=PASSWORD, now=NOON)


@pytest.fixture
def app(opened: Opened) -> Flask:
    return opened()


def browser(app: Flask, address: str = "192.0.2.1") -> FlaskClient:
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = address
    return client


def waits(answer: Any) -> bool:
    return WAIT in words_of(answer.text)


def mails(engine: Engine) -> list[Any]:
    with snapshot(engine) as connection:
        asked = select(Message.__table__).where(Message.kind == "account").order_by(Message.message)
        return list(connection.execute(asked))


# Guesses


@pytest.mark.parametrize("typed", SPELLINGS)
def test_every_spelling_is_the_account_itself(app: Flask, typed: str) -> None:
    client = browser(app)
    log_in(client, typed)
    assert is_in(client)


def test_guesses_are_counted_for_the_account_whatever_it_is_spelt_like(app: Flask, engine: Engine) -> None:
    answers = [
        log_in(browser(app, f"192.0.2.{at}"), SPELLINGS[at % len(SPELLINGS)], "wrong") for at in range(5)
    ]
    assert not any(map(waits, answers))
    for at, typed in enumerate(SPELLINGS):
        client = browser(app, f"192.0.2.{100 + at}")
        assert waits(log_in(client, typed)), typed
        assert not is_in(client)
    with snapshot(engine) as connection:
        asked = select(Tries.tries).where(Tries.subject == f"guess {OWNER}")
        assert connection.execute(asked).scalars().all() == [5]


def test_of_thirty_guesses_made_at_once_five_are_looked_at(app: Flask, engine: Engine) -> None:
    clients = [browser(app, f"192.0.2.{at}") for at in range(30)]
    tokens = [token_of(client.get("/rules").text) for client in clients]

    def guess(at: int) -> bool:
        data = {"csrf_token": tokens[at], "email": OWNER, "password": "wrong", "submit": "1"}
        return waits(clients[at].post("/login", data=data))

    with ThreadPoolExecutor(30) as pool:
        waited = list(pool.map(guess, range(30)))
    assert waited.count(False) == 5
    with snapshot(engine) as connection:
        asked = select(Tries.tries).where(Tries.subject == f"guess {OWNER}")
        assert connection.execute(asked).scalar_one() == 5


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "/none-such", "\x01//evil.example"]
)
def test_a_right_password_with_a_refused_next_is_no_failure_and_leads_home(
    app: Flask, engine: Engine, elsewhere: str
) -> None:
    client = browser(app)
    said = post(client, "/login", email=OWNER, password=PASSWORD, next=elsewhere)
    if "\x01" in elsewhere:
        assert said.status_code == 400
    else:
        assert (said.status_code, said.location) == (302, "/")
        assert is_in(client)
    with snapshot(engine) as connection:
        assert connection.execute(select(Tries.tries)).all() == []


def test_what_is_no_guess_is_not_counted(app: Flask, engine: Engine) -> None:
    client = browser(app)
    for _ in range(7):
        post(client, "/login", email=OWNER, password="")
        client.post("/login", data={"email": OWNER, "password": "wrong"})  # without the form's token
    with snapshot(engine) as connection:
        assert connection.execute(select(Tries.tries)).all() == []


# Waits


def test_waits_grow_and_are_forgotten_after_a_quiet_day(app: Flask, clock: Any) -> None:
    for _ in range(5):
        assert not waits(log_in(browser(app), OWNER, "wrong"))
    for minutes in (1, 2, 4, 8, 16, 32, 60, 60):
        assert f"{minutes} 分钟后" in words_of(log_in(browser(app), OWNER).text)
        clock.shift(minutes * 60 - 1)
        assert waits(log_in(browser(app), OWNER))
        clock.shift(1)
        assert not waits(log_in(browser(app), OWNER, "wrong"))
    clock.shift(86_400)
    for _ in range(4):
        assert not waits(log_in(browser(app), OWNER, "wrong"))
    client = browser(app)
    log_in(client, OWNER)
    assert is_in(client)


def test_who_comes_in_begins_anew_but_not_so_their_address(engine: Engine) -> None:
    from bounty.accounts.limits import forget_tries

    with transaction(engine) as connection:
        for at in range(30):
            count_try(connection, "guess", Asker(f"a{at}@example.com", "2001:db8::1"), NOON)
        mine = Asker(OWNER, "2001:db8::ffff")  # of the same network
        assert seconds_to_wait(connection, "guess", mine, NOON) == 60
        forget_tries(connection, mine)
        assert seconds_to_wait(connection, "guess", mine, NOON) == 60
        assert seconds_to_wait(connection, "guess", Asker(OWNER, "2001:db8:1::1"), NOON) == 0


def test_waits_double_up_to_the_longest() -> None:
    limit = Limit(2, 10, 100)
    assert [limit.wait_after(tries) for tries in range(1, 9)] == [0, 10, 20, 40, 80, 100, 100, 100]


# Nobody locks another out


def test_a_known_device_comes_in_whatever_others_try_elsewhere(app: Flask) -> None:
    at_home, stranger = browser(app), browser(app, "198.51.100.9")
    log_in(at_home, OWNER)
    post(at_home, "/logout")
    for _ in range(5):
        log_in(stranger, OWNER, "wrong")
    assert waits(log_in(stranger, OWNER))
    log_in(at_home, OWNER)
    assert is_in(at_home)


def test_a_known_device_comes_in_past_its_address_too(app: Flask) -> None:
    at_home, neighbour = browser(app), browser(app)
    log_in(at_home, OWNER)
    post(at_home, "/logout")
    for at in range(30):
        log_in(neighbour, f"nobody{at}@example.com", "wrong")
    assert waits(log_in(neighbour, OTHER))
    log_in(at_home, OWNER)
    assert is_in(at_home)


def test_a_device_is_known_to_the_accounts_that_used_it_alone_and_is_counted_itself(app: Flask) -> None:
    others, stranger = browser(app, "192.0.2.2"), browser(app, "192.0.2.3")
    log_in(others, OTHER)
    post(others, "/logout")
    for _ in range(5):
        log_in(stranger, OWNER, "wrong")
    assert waits(log_in(others, OWNER))  # it is OTHER's device
    for _ in range(5):
        log_in(others, OTHER, "wrong")
    assert waits(log_in(others, OTHER))
    elsewhere = browser(app, "192.0.2.4")
    log_in(elsewhere, OTHER)
    assert is_in(elsewhere)
    forged = browser(app, "192.0.2.5")
    forged.set_cookie("device", "W1siYSIsWzFdXV0.made.up")
    assert waits(log_in(forged, OWNER))


def test_a_reset_lets_its_owner_in_while_others_go_on_trying(app: Flask, engine: Engine) -> None:
    owner, stranger = browser(app), browser(app, "198.51.100.9")
    for _ in range(5):
        log_in(stranger, OWNER, "wrong")
    assert waits(log_in(owner, OWNER))
    post(owner, "/reset", email=OWNER)
    (link,) = [mail.path for mail in mails(engine) if "reset/" in (mail.path or "")]
    assert post(owner, link, password=NEW, password_confirm=NEW).status_code == 302
    for _ in range(5):
        log_in(stranger, OWNER, "wrong")
    assert waits(log_in(stranger, OWNER, NEW))
    log_in(owner, OWNER, NEW)
    assert is_in(owner)


def test_the_owner_is_told_by_mail_once_a_day(app: Flask, engine: Engine, clock: Any) -> None:
    for at in range(4):
        log_in(browser(app, f"192.0.2.{at}"), OWNER, "wrong")
    assert mails(engine) == []
    log_in(browser(app), OWNER, "wrong")
    (mail,) = mails(engine)
    assert (mail.recipient, mail.path) == (OWNER, "/reset")
    assert "密码没有变化" in mail.body
    assert "unchanged" in mail.body
    clock.shift(60)
    log_in(browser(app), OWNER, "wrong")
    for _ in range(6):
        log_in(browser(app), "nobody@example.com", "wrong")
    assert len(mails(engine)) == 1


# Resets


def asked(client: FlaskClient, email: str, **more: Any) -> tuple[int, str]:
    said = client.post(
        "/reset", data={"csrf_token": token_of(client.get("/rules").text), "email": email}, **more
    )
    return said.status_code, words_of(said.text.replace(normalised(email), ""))


def test_resets_are_limited_by_account_and_by_address_and_always_answer_the_same(
    app: Flask, engine: Engine, clock: Any
) -> None:
    answers = {asked(browser(app, f"192.0.2.{at}"), SPELLINGS[at % len(SPELLINGS)]) for at in range(8)}
    assert len(mails(engine)) == 3
    answers |= {asked(browser(app), email) for email in (OTHER, "nobody@example.com", "no address")}
    assert len(answers) == 1
    assert len(mails(engine)) == 4
    clock.shift(15 * 60)
    asked(browser(app), OWNER)
    assert len(mails(engine)) == 5
    with transaction(engine) as connection:
        for at in range(10):
            email = f"many{at}@example.com"
            add_user(connection, email=email, name="众", role="operator", password=PASSWORD, now=NOON)
    for at in range(10):
        asked(browser(app, "203.0.113.1"), f"nobody{at}@example.com")
    asked(browser(app, "203.0.113.1"), "many1@example.com")
    assert len(mails(engine)) == 5


def test_a_reset_takes_as_long_without_an_account(app: Flask) -> None:
    def quickest(email: str, first: int) -> float:
        took = []
        for at in range(3):
            client = browser(app, f"192.0.2.{first + at}")
            data = {"csrf_token": token_of(client.get("/rules").text), "email": email}
            began = time.process_time()
            client.post("/reset", data=data)
            took.append(time.process_time() - began)
        return min(took)

    quickest("warm@example.com", 1)
    known, unknown = quickest(OWNER, 10), quickest("nobody@example.com", 20)
    assert abs(known - unknown) < 0.25 * max(known, unknown), (known, unknown)


def test_a_reset_link_has_host_and_port_of_the_site_whatever_the_request_says(
    app: Flask, engine: Engine, tmp_path: Any
) -> None:
    asked(
        browser(app), OWNER, base_url="http://evil.example:8443", headers={"X-Forwarded-Host": "evil.example"}
    )
    post(browser(app), "/reset", email=OWNER)
    out = Mail("", "bounty@example.com", tmp_path / "out", "https://bounty.example.com:9443/")
    assert {each.error for each in send_due(engine, DeliveryChannels(out, None), lambda: NOON)} == {None}
    sent = [
        message_from_bytes(path.read_bytes(), policy=policy.default) for path in (tmp_path / "out").iterdir()
    ]
    texts = [mail.get_content() for mail in sent]
    assert any("https://bounty.example.com:9443/reset/" in text for text in texts)
    assert not any("evil" in text for text in texts)
    assert [mail.path for mail in mails(engine)] == [None] * len(texts)  # what lets one in is kept no longer


def test_a_mail_server_that_is_away_holds_up_no_page(opened: Opened, engine: Engine) -> None:
    client = opened(**STRONG, mail_server="192.0.2.255:25").test_client()
    client.environ_base["HTTP_REFERER"] = "https://localhost/"
    began = time.monotonic()
    assert post(client, "/reset", email=OWNER).status_code == 200
    assert time.monotonic() - began < 5
    assert len(mails(engine)) == 1
