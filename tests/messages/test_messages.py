"""Telling people: with its cause or not at all, at least once, under one id; what fails is seen and sent again."""

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from bounty.accounts.service import add_user, disable
from bounty.audit.service import Actor, acting
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.models import AuditEvent, Message
from bounty.notifications.delivery import CLAIM_SECONDS, TRIES_LIMIT, DeliveryChannels, send_due, wait_after
from bounty.notifications.mail import Mail
from bounty.notifications.outbox import MessageText, announce, notify_operators
from bounty.notifications.service import MailChoice, messages, resend, save_mail_choice
from bounty.notifications.webhook import signature, webhook_of
from bounty.progress.reminders import remind
from bounty.roster.service import open_roster
from bounty.rules.periods import Period
from tests.factories import PROMOTER, Month, command, order_row, promoter, shanghai, terms_toml
from tests.messages.receivers import SECRET, MailServer, Receiver, mail_server, webhook_receiver

NOW = shanghai("2023-01-07 09:00:00")
LEVELS = {"V0": 'direct_only = true\ngmv_yuan = "700.00"\norders = 6'}
LETTER = MessageText(("草稿", "Draft"), zh="请核对。", en="Look at it.", path="/operations/")


@pytest.fixture
def mails() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with webhook_receiver(tmp_path) as receiver:
        monkeypatch.setenv("SSL_CERT_FILE", str(receiver.certificate))
        yield receiver


@pytest.fixture
def post(mails: MailServer, hook: Receiver, tmp_path: Path) -> DeliveryChannels:
    secret = f"whsec_{base64.b64encode(SECRET).decode()}"
    mail = Mail(mails.address, "bounty@example.com", tmp_path / "mails", "https://bounty.example/")
    return DeliveryChannels(mail, webhook_of(hook.url, secret, private=True))


STAFF: list[tuple[str, str, int | None]] = [
    ("operator@example.com", "operator", None),
    ("finance@example.com", "finance", None),
]
PROMOTERS: list[tuple[str, str, int | None]] = [
    ("a@example.com", "promoter", PROMOTER),
    ("b@example.com", "promoter", PROMOTER + 1),
]


def people(engine: Engine, some: list[tuple[str, str, int | None]]) -> None:
    """Accounts: e-mail, role, promoter."""
    with transaction(engine) as connection:
        for email, role, promoter_id in some:
            add_user(
                connection, email=email, name=email, role=role, password="x", now=0, promoter_id=promoter_id
            )


def december(engine: Engine, folder: Path) -> Month:
    """A month of two promoters with accounts and one without, frozen on 25 November."""
    month = Month(engine, folder, now="2022-11-25 09:00:00")
    month.table("promoters", *(promoter(PROMOTER + n) for n in range(3)))
    month.terms(terms_toml(levels=LEVELS))
    people(engine, STAFF + PROMOTERS)
    month.open()
    return month


def kinds(engine: Engine) -> dict[tuple[str, str], int]:
    with snapshot(engine) as connection:
        query = select(Message.kind, Message.recipient, func.count()).group_by(
            Message.kind, Message.recipient
        )
        return {(kind, recipient): count for kind, recipient, count in connection.execute(query)}


def choosing(engine: Engine, email: str, choice: MailChoice) -> None:
    with snapshot(engine) as connection:
        user_id = connection.execute(
            select(func.max(Message.user_id)).where(Message.recipient == email)
        ).scalar_one()
    with transaction(acting(engine, Actor(email, user_id, "promoter"))) as connection:
        save_mail_choice(connection, choice, NOW)


def send(engine: Engine, post: DeliveryChannels, now: int = NOW) -> list[str | None]:
    return [each.error for each in send_due(engine, post, lambda: now)]


# What is told


def test_a_frozen_roster_tells_each_promoter_their_target_once(
    engine: Engine, tmp_path: Path, post: DeliveryChannels, mails: MailServer, hook: Receiver
) -> None:
    december(engine, tmp_path)
    assert kinds(engine) == {
        ("target", "a@example.com"): 1,
        ("target", "b@example.com"): 1,
        ("target", "webhook"): 1,
    }
    assert send(engine, post) == [None] * 3
    (mail,) = mails.about("a@example.com")
    assert mail["Subject"] == (
        "2022-12 期目标：计入金额 ¥700.00、计入订单 6 单 / "
        "Your target for 2022-12: ¥700.00 counted, 6 orders counted"
    )
    text = mail.get_content()
    assert "目标由来：条款对该等级的固定目标" in text
    assert "receipts count until 10 Jan, end of day" in text
    assert "\nhttps://bounty.example/\n" in text
    assert text.rstrip().endswith("https://bounty.example/messages")
    assert mail["Message-ID"].startswith("<msg_")
    assert hook.told == [
        {
            "type": "bounty.target",
            "timestamp": "2022-11-25T09:00:00+08:00",
            "data": {"period": "2022-12", "frozen_at": "2022-11-25T09:00:00+08:00"},
        }
    ]


def test_who_has_orders_without_receipt_is_reminded_as_they_chose(
    engine: Engine, tmp_path: Path, post: DeliveryChannels, mails: MailServer, hook: Receiver
) -> None:
    month = december(engine, tmp_path)
    late: dict[str, Any] = {"received": None, "status": 1}
    month.orders(
        order_row(number=1, amount_fen=300_00, **late),
        order_row(number=2, amount_fen=119_00, **late),
        order_row(number=3),
        order_row(number=4, promoter_id=PROMOTER + 1, amount_fen=50_00, **late),
        order_row(number=5, promoter_id=PROMOTER + 2, amount_fen=60_00, **late),
        order_row(number=6, amount_fen=9_00, paid="2022-12-21 00:00:00", **late),
    )
    choosing(engine, "a@example.com", MailChoice("zh"))
    choosing(engine, "b@example.com", MailChoice("en", receipts=False))
    with transaction(engine) as connection:
        reminded = remind(connection, Period(2022, 12), NOW)
    assert (reminded.promoters, reminded.mailed, reminded.orders, reminded.capped_fen) == (3, 1, 4, 429_00)
    send(engine, post)
    assert [mail["Subject"] for mail in mails.about("a@example.com")] == [
        "2022-12 期目标：计入金额 ¥700.00、计入订单 6 单 / Your target for 2022-12: ¥700.00 counted, 6 orders counted",
        "2022-12 期：还有 2 单、¥319.00 须在 01-10 24 点前确认收货",
    ]
    assert len(mails.about("b@example.com")) == 1
    assert hook.told[-1]["data"] == {
        "period": "2022-12",
        "receipts_until": "2023-01-11T00:00:00+08:00",
        "promoters": 3,
        "orders": 4,
        "amount_fen": 429_00,
    }


def test_a_notice_tells_the_result_and_a_correction_only_whom_it_concerns(
    engine: Engine, tmp_path: Path
) -> None:
    month = december(engine, tmp_path)
    month.now = shanghai("2023-01-11 09:00:00")
    month.orders(order_row(number=1), order_row(number=2, promoter_id=PROMOTER + 1))
    month.settle()
    month.publish()
    told = kinds(engine)
    assert told[("draft", "operator@example.com")] == told[("result", "a@example.com")] == 1
    month.orders(order_row(number=3))
    month.settle()
    month.publish()
    told = kinds(engine)
    assert told[("draft", "operator@example.com")] == told[("result", "a@example.com")] == 2
    assert told[("result", "b@example.com")] == 1
    assert ("draft", "finance@example.com") not in told
    with snapshot(engine) as connection:
        texts = connection.execute(
            select(Message.subject, Message.body).where(Message.kind == "result")
        ).all()
    assert any("not passed" in subject and "¥100.00" in body for subject, body in texts)


def test_what_is_undone_is_not_told(engine: Engine, tmp_path: Path) -> None:
    month = Month(engine, tmp_path, now="2022-11-25 09:00:00")
    month.table("promoters", promoter(), promoter(PROMOTER + 1))
    month.terms(terms_toml(levels=LEVELS))
    people(engine, STAFF + PROMOTERS)
    with engine.connect().execution_options(writing=True) as connection:
        open_roster(connection, Period(2022, 12), month.now)
        assert connection.execute(select(func.count()).select_from(Message)).scalar_one() == 3
        connection.rollback()
    assert kinds(engine) == {}


def test_a_disabled_account_and_a_month_that_is_over_are_told_nothing(engine: Engine, tmp_path: Path) -> None:
    month = Month(engine, tmp_path, now="2022-12-25 09:00:00")
    month.table("promoters", promoter(), promoter(PROMOTER + 1))
    month.terms(terms_toml(levels=LEVELS))
    people(engine, STAFF + PROMOTERS)
    with transaction(engine) as connection:
        disable(connection, "operator@example.com", NOW)
    month.open()
    with transaction(engine) as connection:
        assert notify_operators(connection, "draft", "x", LETTER, NOW) == 0
    assert kinds(engine) == {}


# How it is sent


def test_a_message_that_was_sent_twice_has_one_effect(
    engine: Engine, post: DeliveryChannels, hook: Receiver
) -> None:
    """The receiver took it and its answer was lost; or the worker was killed before it could say so."""
    with transaction(engine) as connection:
        announce(connection, "draft", "1", {"settlement": 1}, NOW)
        announce(connection, "draft", "1", {"settlement": 1}, NOW)  # the same cause
        announce(connection, "draft", "2", {"settlement": 2}, NOW)
    hook.answers = [500, 204]
    assert send(engine, post) in ([None, "HTTP 500"], ["HTTP 500", None])
    assert send(engine, post, NOW + 59) == []
    assert send(engine, post, NOW + 60) == [None]
    with transaction(engine) as connection:  # killed after it was taken: the claim runs out
        connection.exec_driver_sql(
            f"UPDATE outbox SET sent_at = NULL, next_try_at = {NOW + 60 + CLAIM_SECONDS}, tries = 1"
        )
    assert send(engine, post, NOW + 60 + CLAIM_SECONDS) == [None, None]
    assert len(hook.requests) == 5
    assert sorted(hook.effects.values()) == [1, 1]


def test_several_workers_share_the_outbox(engine: Engine, post: DeliveryChannels, hook: Receiver) -> None:
    with transaction(engine) as connection:
        for number in range(50):
            announce(connection, "draft", str(number), {}, NOW)
    with ThreadPoolExecutor(3) as pool:
        sent = list(pool.map(lambda _: send(engine, post), range(3)))
    assert sum(map(len, sent)) == 50
    assert len(hook.requests) == len(hook.effects) == 50


def test_a_webhook_is_tried_again_ever_later_then_given_up_and_sent_by_hand(
    engine: Engine, database_url: str, post: DeliveryChannels, hook: Receiver
) -> None:
    with transaction(engine) as connection:
        announce(connection, "books", "2023-01-07", {"violations": {"whole-fen": 1}}, NOW)
    hook.answers, now = [503] * TRIES_LIMIT, NOW
    for tries in range(1, TRIES_LIMIT + 1):
        assert send(engine, post, now) == ["HTTP 503"]
        now += wait_after(tries)
    assert send(engine, post, now + 10**6) == []
    listed = command(database_url, None, "outbox", "list", "--state", "failed")
    name = listed.stdout.split()[0]
    assert f"{name} failed books to webhook" in listed.stdout
    assert f"after {TRIES_LIMIT} tries: HTTP 503" in listed.stdout
    assert command(database_url, "2023-02-01T00:00:00+08:00", "outbox", "resend", name).exit_code == 0
    assert send(engine, post, shanghai("2023-02-01 00:00:00")) == [None]
    again = command(database_url, None, "outbox", "resend", name)
    assert again.exit_code == 1
    assert "was sent" in again.stderr
    with snapshot(engine) as connection:
        acts = connection.execute(select(AuditEvent.act, AuditEvent.subject)).all()
    assert [tuple(act) for act in acts] == [("message.resend", name)]


def test_what_the_mail_server_refuses_waits_or_is_given_up_and_the_others_go(
    engine: Engine, tmp_path: Path, post: DeliveryChannels, mails: MailServer
) -> None:
    december(engine, tmp_path)
    mails.answers = ["550 no such mailbox", "451 later"]
    said = send(engine, replace(post, webhook=None))
    assert sorted(str(each) for each in said) == [
        "451 later",
        "550 no such mailbox",
        "no webhook is set (BOUNTY_WEBHOOK_URL)",
    ]
    with snapshot(engine) as connection:
        rows = messages().subquery()
        states = dict(connection.execute(select(rows.c.recipient, rows.c.state)).all())
    assert states.pop("webhook") == "unset"
    assert sorted(states.values()) == ["failed", "waiting"]
    assert send(engine, post, NOW + 60) == [None]
    assert len(mails.taken) == 1


def test_without_a_mail_server_mails_are_files(
    engine: Engine, tmp_path: Path, post: DeliveryChannels
) -> None:
    people(engine, STAFF)
    with transaction(engine) as connection:
        notify_operators(connection, "draft", "1", LETTER, NOW)
    assert send(engine, replace(post, mail=replace(post.mail, server=""))) == [None]
    (path,) = (tmp_path / "mails").iterdir()
    assert b"operator@example.com" in path.read_bytes()


def test_a_server_that_is_not_there_is_an_error_that_is_seen(engine: Engine, post: DeliveryChannels) -> None:
    people(engine, STAFF)
    with transaction(engine) as connection:
        notify_operators(connection, "draft", "1", LETTER, NOW)
    (said,) = send(engine, replace(post, mail=replace(post.mail, server="127.0.0.1:1")))
    assert said is not None
    assert said.startswith("ConnectionRefusedError")


# The webhook


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """By the example of the specification's own libraries."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    assert signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_a_webhook_on_a_private_network_is_not_connected_to(
    engine: Engine, post: DeliveryChannels, hook: Receiver
) -> None:
    assert post.webhook is not None
    with transaction(engine) as connection:
        announce(connection, "draft", "1", {}, NOW)
    (said,) = send(engine, replace(post, webhook=replace(post.webhook, private=False)))
    assert said is not None
    assert said.startswith("localhost is ")
    assert "not a public address" in said
    assert hook.requests == []


def test_a_certificate_of_another_host_and_a_redirect_are_not_followed(
    engine: Engine, post: DeliveryChannels, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with transaction(engine) as connection:
        announce(connection, "draft", "1", {}, NOW)
    hook.answers = [302]
    assert send(engine, post) == ["HTTP 302"]
    monkeypatch.delenv("SSL_CERT_FILE")
    (said,) = send(engine, post, NOW + 60)
    assert said is not None
    assert "CERTIFICATE_VERIFY_FAILED" in said
    assert len(hook.requests) == 1


@pytest.mark.parametrize(
    "url", ["http://example.com/", "https://", "https://a:b@example.com/", "ftp://example.com"]
)
def test_a_webhook_that_cant_be_is_refused(url: str) -> None:
    with pytest.raises(BountyError, match="BOUNTY_WEBHOOK_URL"):
        webhook_of(url, f"whsec_{base64.b64encode(SECRET).decode()}", private=False)


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_&&&", base64.b64encode(SECRET).decode()]
)
def test_a_weak_secret_is_refused(secret: str) -> None:
    with pytest.raises(BountyError, match="BOUNTY_WEBHOOK_SECRET"):
        webhook_of("https://example.com/", secret, private=False)


def test_a_message_that_there_is_not_cant_be_sent_again(engine: Engine) -> None:
    with pytest.raises(BountyError, match="no message"), transaction(engine) as connection:
        resend(connection, "msg_none", NOW)


def test_the_same_choice_again_leaves_no_event(engine: Engine, tmp_path: Path) -> None:
    december(engine, tmp_path)
    for choice in (MailChoice(), MailChoice("zh"), MailChoice("zh"), MailChoice("zh", target=False)):
        choosing(engine, "a@example.com", choice)
    with snapshot(engine) as connection:
        acts = connection.execute(select(AuditEvent.after).where(AuditEvent.act == "user.messages")).scalars()
        assert len(list(acts)) == 2
