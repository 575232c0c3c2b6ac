"""Administrators look after accounts; operators after messages, with their text, tries and answers."""

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select, update

from bounty.db import snapshot, transaction
from bounty.models import Message
from bounty.notifications.delivery import DeliveryChannels, send_due
from bounty.notifications.mail import Mail
from tests.factories import shanghai
from tests.web.clients import application, close, is_in, log_in, post, words_of
from tests.web.world import DECEMBER, EMAILS, PASSWORD, copied

ZH = {"Accept-Language": "zh"}
NEW = "new@example.com"


@pytest.fixture
def app(small_site: Path, tmp_path: Path) -> Iterator[Flask]:
    app = application(copied(small_site, tmp_path), DECEMBER, tmp_path)
    yield app
    close(app)


@pytest.fixture
def engine(app: Flask) -> Engine:
    found: Engine = app.extensions["bounty.books"].engine
    return found


@pytest.fixture
def admin(app: Flask) -> FlaskClient:
    client = app.test_client()
    log_in(client, EMAILS["admin"])
    return client


def accounts(admin: FlaskClient, query: str = "") -> str:
    return words_of(admin.get(f"/operations/accounts/{query}", headers=ZH).text)


def link_in_mail(engine: Engine, folder: Path) -> str:
    """Send what waits; the link of the newest invitation, as its mail has it."""
    with transaction(engine) as connection:  # what others are told is not of interest here
        others = ~Message.subject.contains("邀请")
        connection.execute(update(Message).where(others).values(next_try_at=None, sent_at=1))
    channels = DeliveryChannels(Mail("", "bounty@localhost", folder, "http://localhost"), None)
    (attempt,) = send_due(engine, channels, lambda: shanghai(DECEMBER))
    mail = message_from_bytes((folder / f"{attempt.message}.eml").read_bytes(), policy=policy.default)
    found = re.search(r"http://localhost(/invitation/[\w-]+)", mail.get_content())
    assert found
    return found[1]


def test_somebody_is_invited_by_mail_and_is_in_once_the_password_is_set(
    app: Flask, engine: Engine, admin: FlaskClient, tmp_path: Path
) -> None:
    invited = post(admin, "/operations/accounts/", email=NEW, name="新人", role="finance")
    assert invited.status_code == 303
    assert f"新人 {NEW} · 财务 邀请于 2022-12-15 15:00" in accounts(admin)
    link = link_in_mail(engine, tmp_path / "mails")
    with snapshot(engine) as connection:
        asked = select(Message.path, Message.body).where(Message.recipient == NEW)
        (mail,) = connection.execute(asked)
    assert mail.path is None  # the link is nowhere, once it is sent
    assert "/invitation/" not in mail.body
    newcomer = app.test_client()
    said = post(newcomer, link, password=PASSWORD, again=PASSWORD)
    assert (said.status_code, said.location) == (303, "/")
    assert is_in(newcomer)
    assert newcomer.get("/finance/tranches").status_code == 200
    listed = accounts(admin)
    assert "没有待接受的邀请" in listed
    assert f"新人 {NEW} 财务 员工 未设置 2022-12-15 15:00 启用" in listed


def test_a_new_link_takes_the_place_of_an_open_one(
    app: Flask, engine: Engine, admin: FlaskClient, tmp_path: Path
) -> None:
    post(admin, "/operations/accounts/", email=NEW, name="新人", role="operator")
    first = link_in_mail(engine, tmp_path / "mails")
    assert post(admin, "/operations/accounts/invitations/resend", email=NEW).status_code == 303
    second = link_in_mail(engine, tmp_path / "mails")
    assert second != first
    assert app.test_client().get(first).status_code == 409
    assert app.test_client().get(second).status_code == 200
    unknown = post(admin, "/operations/accounts/invitations/resend", email="nobody@example.com")
    assert (unknown.status_code, "这份邀请已被接受或已过期" in unknown.text) == (422, True)


def test_an_account_is_disabled_and_enabled_but_never_ones_own(app: Flask, admin: FlaskClient) -> None:
    second = app.test_client()
    log_in(second, "second@example.com")
    assert is_in(second)
    assert post(admin, "/operations/accounts/disable", email="second@example.com").status_code == 303
    assert not is_in(second)
    assert "second@example.com" in accounts(admin, "?state=disabled")
    log_in(second, "second@example.com")
    assert not is_in(second)
    assert post(admin, "/operations/accounts/enable", email="second@example.com").status_code == 303
    log_in(second, "second@example.com")
    assert is_in(second)
    own = post(admin, "/operations/accounts/disable", email=EMAILS["admin"])
    assert (own.status_code, "不能停用自己的账号" in own.text) == (422, True)
    assert is_in(admin)
    bad = post(admin, "/operations/accounts/", email="no address", name="x", role="finance")
    assert (bad.status_code, "不是邮箱地址" in bad.text) == (422, True)
    assert post(admin, "/operations/accounts/", email=NEW, name="x", role="promoter").status_code == 422
    assert b"second@example.com" in admin.get("/operations/accounts/accounts.csv").data


def test_a_message_shows_its_text_its_tries_and_their_answers(
    app: Flask, engine: Engine, tmp_path: Path
) -> None:
    operator = app.test_client()
    log_in(operator, EMAILS["operator"])
    with transaction(engine) as connection:
        connection.execute(update(Message).values(next_try_at=None, sent_at=1))
    assert post(operator, "/operations/outbox/test").status_code == 303
    with snapshot(engine) as connection:
        asked = select(Message.message).where(Message.kind == "test", Message.channel == "mail")
        name = connection.execute(asked).scalar_one()
    path = f"/operations/outbox/{name}"
    assert "还没有发送过" in words_of(operator.get(path, headers=ZH).text)
    blocked = tmp_path / "blocked"
    blocked.write_text("no folder")
    now = shanghai(DECEMBER)
    for folder, at in ((blocked, now), (tmp_path / "mails", now + 60)):
        channels = DeliveryChannels(Mail("", "bounty@localhost", folder, "http://localhost"), None)
        assert list(send_due(engine, channels, lambda at=at: at))  # type: ignore[misc]
    shown = words_of(operator.get(path, headers=ZH).text)
    assert "这是一封测试邮件" in shown
    assert "2 次" in shown
    assert "2022-12-15 15:01 已接受 2022-12-15 15:00 未接受" in shown
    assert "can't be written" in shown
    assert operator.get("/operations/outbox/msg_none").status_code == 404
