"""Endpoints of events: each told what it asked for, signed as its kind asks, disabled when it fails for days."""

import base64
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from bounty.accounts.service import add_user
from bounty.appeals.service import answer, ask
from bounty.audit.service import Actor, acting
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.forecast.period_forecast import MadeForecast, keep_forecast
from bounty.models import AuditEvent, Message, MessageTry, TrancheStep, User, WebhookEndpoint
from bounty.notifications.delivery import DeliveryChannels, send_due
from bounty.notifications.endpoints import (
    FAILING_SECONDS,
    ROTATION_SECONDS,
    EndpointCipher,
    WantedEndpoint,
    add_endpoint,
    disable_endpoint,
    enable_endpoint,
    endpoint_of,
    rotate_secret,
    secrets_of,
)
from bounty.notifications.mail import Mail
from bounty.notifications.outbox import announce
from bounty.notifications.robots import text_of
from bounty.notifications.service import resend, send_endpoint_test
from bounty.rules.periods import Period
from tests.factories import PROMOTER, Month, order_row, promoter, shanghai, sn
from tests.messages.stand_ins import StandIn, Took, stand_in
from tests.web.world import CANARY, DECEMBER, EMAILS, fill, pay

NOW = shanghai("2023-01-07 09:00:00")
DAY = 86_400
CIPHER = EndpointCipher("a key of the tests")
KEY = "SECxyz123"
PATHS = {
    "webhook": "/hook?of=bounty",
    "dingtalk": "/robot/send?access_token=0a1b2c",
    "wecom": "/cgi-bin/webhook/send?key=693a91f6-7xxx",
    "feishu": "/open-apis/bot/v2/hook/0a1b-2c3d",
}


@pytest.fixture
def chat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with stand_in(tmp_path) as held:
        monkeypatch.setenv("SSL_CERT_FILE", str(held.certificate))
        yield held


@pytest.fixture
def channels(tmp_path: Path) -> DeliveryChannels:
    mail = Mail("", "bounty@example.com", tmp_path / "mails", "https://bounty.example/")
    return DeliveryChannels(mail, None, lambda: CIPHER, private=True)


def added(
    engine: Engine, chat: StandIn, kind: str = "webhook", events: Any = (), programme: str | None = None
) -> tuple[int, str]:
    """A new endpoint at the stand-in; its number and secret."""
    with transaction(engine) as connection:
        number, made = add_endpoint(
            connection,
            CIPHER,
            WantedEndpoint(kind, events, programme),
            kind=kind,
            url=chat.url + PATHS[kind],
            secret="" if kind in ("webhook", "wecom") else KEY,
            now=NOW,
        )
    return number, made or KEY


def told(engine: Engine, kind: str = "draft", cause: str = "1", now: int = NOW, **data: Any) -> None:
    with transaction(engine) as connection:
        announce(connection, kind, cause, data or {"settlement": 1}, now)


def send(engine: Engine, channels: DeliveryChannels, now: int = NOW) -> list[str | None]:
    """The errors of what was sent to endpoints; the webhook of the settings is not set."""
    every = [each.error for each in send_due(engine, channels, lambda: now)]
    return [error for error in every if error != "no webhook is set (BOUNTY_WEBHOOK_URL)"]


def state(engine: Engine, number: int) -> Any:
    with snapshot(engine) as connection:
        return endpoint_of(connection, number)


def test_a_receiver_verifies_what_it_gets_and_two_secrets_hold_for_a_day_after_a_rotation(
    engine: Engine, channels: DeliveryChannels, chat: StandIn
) -> None:
    number, first = added(engine, chat)
    told(engine)
    assert send(engine, channels) == [None]
    (took,) = chat.requests
    assert json.loads(took.body) == {
        "type": "bounty.draft",
        "timestamp": "2023-01-07T09:00:00+08:00",
        "data": {"settlement": 1},
    }
    with transaction(engine) as connection:
        second = rotate_secret(connection, CIPHER, number, NOW)
        assert second is not None
        with pytest.raises(BountyError, match="BOUNTY_TOTP_KEY"):
            secrets_of(connection, EndpointCipher("another key"), number)
    told(engine, cause="2")
    assert send(engine, channels, NOW + ROTATION_SECONDS - 1) == [None]
    told(engine, cause="3")
    assert send(engine, channels, NOW + ROTATION_SECONDS) == [None]
    verified = [[verifies(secret, took) for secret in (first, second)] for took in chat.requests]
    assert verified == [[True, False], [True, True], [False, True]]


def verifies(secret: str, took: Took) -> bool:
    """Whether a receiver with a secret takes a request, as the specification has receivers verify: any one of the
    signatures, which blanks part."""
    signed = f"{took.headers['webhook-id']}.{took.headers['webhook-timestamp']}.".encode() + took.body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    right = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return any(
        hmac.compare_digest(each, f"v1,{right}") for each in took.headers["webhook-signature"].split(" ")
    )


def test_each_is_told_of_its_events_and_its_programme(engine: Engine, chat: StandIn) -> None:
    added(engine, chat)
    added(engine, chat, events=("draft", "batch"))
    added(engine, chat, events=("draft", "batch"), programme="sprint")
    off, _ = added(engine, chat)
    with transaction(engine) as connection:
        disable_endpoint(connection, off, NOW)
    told(engine, "draft", "a", period="2022-12")
    told(engine, "draft", "b", period="sprint:2022-12a")
    told(engine, "result", "c", period="2022-12")
    told(engine, "batch", "d", batch=1)
    told(engine, "batch", "d", batch=1)  # the same cause
    with snapshot(engine) as connection:
        query = select(Message.endpoint_id, Message.kind, Message.body).where(
            Message.endpoint_id.is_not(None)
        )
        rows = connection.execute(query).all()
    found = {n: sorted(kind for number, kind, _ in rows if number == n) for n in (1, 2, 3, 4)}
    assert found == {
        1: ["batch", "draft", "draft", "result"],
        2: ["batch", "draft", "draft"],
        3: ["batch", "draft"],
        4: [],
    }
    assert "sprint" in next(body for number, kind, body in rows if number == 3 and kind == "draft")


@pytest.mark.parametrize("kind", ["dingtalk", "wecom", "feishu"])
def test_a_robot_gets_its_own_form_and_signature_and_a_refusal_in_a_200_is_one(
    engine: Engine, channels: DeliveryChannels, chat: StandIn, kind: str
) -> None:
    number, _ = added(engine, chat, kind)
    told(engine, "draft", period="2022-12", settlement=5, subsidy_fen=5300)
    chat.robot_secret = KEY
    assert send(engine, channels) == [None]
    (text,) = chat.texts
    assert text == text_of("draft", {"period": "2022-12", "settlement": 5, "subsidy_fen": 5300})
    assert "¥53.00" in text
    chat.robot_secret = "another"
    told(engine, "draft", "2", settlement=6)
    chat.refuse_all = kind == "wecom"
    (error,) = send(engine, channels)
    assert error is not None
    assert error.startswith({"dingtalk": "310000", "wecom": "93000", "feishu": "19021"}[kind])
    with snapshot(engine) as connection:
        tries = connection.execute(
            select(MessageTry.status, MessageTry.answer).order_by(MessageTry.try_id)
        ).all()
    assert [status for status, _ in tries][-2:] == [200, 200]
    assert error.split()[0] in tries[-1].answer
    assert state(engine, number).failing_since == NOW


def test_after_days_of_failure_an_endpoint_is_disabled_and_operators_are_told_once(
    engine: Engine, channels: DeliveryChannels, chat: StandIn
) -> None:
    with transaction(engine) as connection:
        add_user(connection, email="o@example.com", name="o", role="operator", password="x", now=0)
    number, _ = added(engine, chat)
    other, _ = added(engine, chat, events=("books",))
    chat.status = 503
    told(engine)
    assert send(engine, channels) == ["HTTP 503"]
    assert state(engine, number).failing_since == NOW
    chat.status = 204
    assert send(engine, channels, NOW + 60) == [None]
    assert state(engine, number).failing_since is None
    chat.status = 503
    for days in (1, 3, 5):
        told(engine, cause=f"day {days}", now=NOW + days * DAY)
        send(engine, channels, NOW + days * DAY)
        assert state(engine, number).disabled_at is None
    at = NOW + DAY + FAILING_SECONDS
    told(engine, cause="last", now=at)
    send(engine, channels, at)
    assert (state(engine, number).disabled_at, state(engine, number).disabled_why) == (at, "FAILING")
    assert state(engine, other).disabled_at is None
    told(engine, cause="after", now=at)
    assert [each for each in send(engine, channels, at + 10 * DAY) if each is not None] == []
    with snapshot(engine) as connection:
        mails = connection.execute(select(Message.body, Message.path).where(Message.kind == "webhook")).all()
        acts = connection.execute(select(AuditEvent.act)).scalars().all()
        failed = connection.execute(
            select(Message.message).where(Message.endpoint_id == number, Message.sent_at.is_(None))
        ).scalars()
        waiting = list(failed)
    assert [path for _, path in mails] == [f"/operations/webhooks/{number}"]
    assert acts.count("webhook.disable") == 1
    assert len(waiting) == 4
    with pytest.raises(BountyError, match="enable it"), transaction(engine) as connection:
        resend(connection, waiting[0], at)
    chat.status = 200
    with transaction(engine) as connection:
        assert enable_endpoint(connection, number, at)
        assert not enable_endpoint(connection, number, at)
        for message in waiting:
            resend(connection, message, at)
    assert send(engine, channels, at) == [None] * 4


def test_one_that_is_gone_is_disabled_at_once_and_one_that_is_silent_is_asked_once_a_round(
    engine: Engine, channels: DeliveryChannels, chat: StandIn
) -> None:
    gone, _ = added(engine, chat)
    chat.status = 410
    told(engine)
    assert send(engine, channels) == ["HTTP 410"]
    assert state(engine, gone).disabled_why == "GONE"
    with transaction(engine) as connection:
        silent, _ = add_endpoint(
            connection,
            CIPHER,
            WantedEndpoint("silent", (), None),
            kind="webhook",
            url="https://127.0.0.1:1/",
            secret="",
            now=NOW,
        )
    for cause in "abc":
        told(engine, cause=cause)
    (error,) = send(engine, channels)
    assert error is not None
    assert "Connection refused" in error
    with snapshot(engine) as connection:
        query = select(Message.tries, Message.next_try_at).where(Message.endpoint_id == silent)
        rows = connection.execute(query).all()
    assert sorted(row.tries for row in rows) == [0, 0, 1]
    assert {row.next_try_at for row in rows} == {NOW + 60}


def test_what_was_delivered_can_be_resent_and_is_kept_with_its_body_and_answers(
    engine: Engine, channels: DeliveryChannels, chat: StandIn
) -> None:
    number, _ = added(engine, chat)
    with transaction(engine) as connection:
        message = send_endpoint_test(connection, number, NOW)
    chat.answer = "taken " + "x" * 5_000
    assert send(engine, channels) == [None]
    with transaction(engine) as connection:
        resend(connection, message, NOW + 1)
    assert send(engine, channels, NOW + 1) == [None]
    assert [took.headers["webhook-id"] for took in chat.requests] == [message, message]
    with snapshot(engine) as connection:
        tries = connection.execute(select(MessageTry.status, MessageTry.answer)).all()
    assert [(row.status, row.answer[:6], len(row.answer)) for row in tries] == [(200, "taken ", 2_000)] * 2


def test_a_receiver_that_drips_is_given_up(
    engine: Engine, channels: DeliveryChannels, chat: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bounty.notifications.webhook.WHOLE", 0.5)
    added(engine, chat)
    chat.drips = True
    told(engine)
    assert send(engine, channels) == ["no whole answer within 0.5 seconds"]


def test_a_private_address_is_not_connected_to(
    engine: Engine, channels: DeliveryChannels, chat: StandIn
) -> None:
    added(engine, chat)
    told(engine)
    (error,) = send(engine, replace(channels, private=False))
    assert error is not None
    assert "not a public address" in error
    assert chat.requests == []


@pytest.mark.parametrize(
    ("kind", "url", "secret"),
    [
        ("webhook", "http://example.com/", ""),
        ("webhook", "https://a:b@example.com/", ""),
        ("webhook", "https://example.com/#x", ""),
        ("webhook", "https://exa mple.com/", ""),
        ("webhook", "https://[::1", ""),
        ("webhook", "https://example.com:99999/", ""),
        ("webhook", "file:///etc/passwd", ""),
        ("webhook", "https://example.com/" + "x" * 1_000, ""),
        ("webhook", "https://example.com/", "whsec_mine"),
        ("dingtalk", "https://oapi.dingtalk.com/robot/send", KEY),
        ("wecom", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=1", KEY),
        ("feishu", "https://open.feishu.cn/open-apis/bot/v2/hook/", KEY),
        ("feishu", "https://open.feishu.cn/open-apis/bot/v2/hook/a", "密"),
        ("slack", "https://example.com/", ""),
    ],
)
def test_what_cant_be_is_refused(engine: Engine, kind: str, url: str, secret: str) -> None:
    with pytest.raises(BountyError), transaction(engine) as connection:
        add_endpoint(
            connection, CIPHER, WantedEndpoint("x", (), None), kind=kind, url=url, secret=secret, now=NOW
        )


def test_secrets_are_not_in_the_database_nor_in_the_audit(engine: Engine, chat: StandIn) -> None:
    _, secret = added(engine, chat)
    added(engine, chat, "dingtalk")
    with snapshot(engine) as connection:
        rows = connection.execute(select(WebhookEndpoint.__table__)).all()
        events = connection.execute(select(AuditEvent.__table__)).all()
    for said in (str(rows), str(events)):
        assert secret not in said
        assert KEY not in said
        assert "0a1b2c" not in said


def test_a_batch_and_what_it_brings_into_quarantine_are_told(
    engine: Engine, chat: StandIn, tmp_path: Path
) -> None:
    added(engine, chat)
    month = Month(engine, tmp_path, now="2022-12-15 09:00:00")
    month.table("promoters", promoter())
    month.orders(order_row(number=1), order_row(number=2, promoter_id=77))
    with snapshot(engine) as connection:
        query = (
            select(Message.kind, Message.body).where(Message.endpoint_id == 1).order_by(Message.written_at)
        )
        rows = connection.execute(query).all()
    events = [(kind, json.loads(body)["data"]) for kind, body in rows]
    assert {(kind, data["kind"]) for kind, data in events} == {
        ("batch", "orders"),
        ("batch", "promoters"),
        ("quarantine", "orders"),
    }
    (grew,) = [data for kind, data in events if kind == "quarantine"]
    assert (grew["quarantined"], grew["waiting"]) == (1, 1)


def test_a_robots_text_stays_within_what_all_chats_take() -> None:
    text = text_of("books", {"violations": {f"check-{n}": n for n in range(1_000)}})
    assert len(text.encode()) <= 2_048


def test_every_event_of_a_month_is_told_once_with_its_cause(
    engine: Engine, chat: StandIn, tmp_path: Path
) -> None:
    """Two months through the services, from the first file to payouts that failed, and appeals."""
    added(engine, chat)
    fill(engine, tmp_path / "filled")
    pay(engine, tmp_path / "paid")
    with transaction(engine) as connection:
        now = shanghai(DECEMBER)
        appeal = ask(connection, PROMOTER, Period(2022, 11), sn(111), "直推", now)
        account = select(User.id).where(User.email == EMAILS["operator"])
        operator = Actor(EMAILS["operator"], connection.execute(account).scalar_one(), "operator")
    with transaction(acting(engine, operator)) as connection:
        answer(connection, appeal, 1, "DECLINED", "不是直推", now)
        for _ in range(2):
            keep_forecast(connection, beyond_budget(Period(2022, 12), now := now + 1))
    with snapshot(engine) as connection:
        query = select(Message.kind, Message.body).where(Message.endpoint_id == 1)
        rows = connection.execute(query.order_by(Message.written_at, Message.message)).all()
    told: dict[str, list[Any]] = {}
    for kind, body in rows:
        said = json.loads(body)
        assert said["type"] == f"bounty.{kind}"
        told.setdefault(kind, []).append(said["data"])
    named = {
        "batch",
        "draft",
        "result",
        "corrected",
        "tranche",
        "paid",
        "unpaid",
        "appealed",
        "answered",
        "budget",
    }
    assert named <= told.keys()
    assert told["corrected"] == [
        {**told["corrected"][0], "period": "2022-11", "notice": 2, "since": 1},
    ]
    assert told["answered"] == [{"appeal": appeal, "period": "2022-11", "answer": 1, "verdict": "DECLINED"}]
    assert len(told["budget"]) == 1
    with snapshot(engine) as connection:
        tranches = select(func.count()).where(TrancheStep.step == "EXPORTED")
        assert len(told["tranche"]) == connection.execute(tranches).scalar_one()
    texts = "".join(body for _, body in rows)
    assert str(PROMOTER) not in texts
    assert CANARY not in texts


def beyond_budget(period: Period, as_of: int) -> MadeForecast:
    """A forecast whose upper end passes the budget."""
    zero = "seed promoters history_months passes passes_low passes_high committed_fen".split()
    sums = {"subsidy_fen": 90, "subsidy_low_fen": 80, "subsidy_high_fen": 110}
    return MadeForecast(period, as_of, {"as_of": as_of, **dict.fromkeys(zero, 0), **sums}, [], 100)
