"""A promoter chooses what to be mailed of; operations see what was not taken and send it again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, update

from bounty.db import snapshot, transaction
from bounty.models import AuditEvent, Message, User
from bounty.notifications.outbox import MessageText, announce, notify_operators, notify_promoters
from bounty.notifications.service import MailChoice, mail_choice_of
from tests.factories import PROMOTER, shanghai
from tests.web.clients import application, close, log_in, post, words_of
from tests.web.world import DECEMBER, EMAILS, copied

LETTER = MessageText(("题", "Subject"), zh="中文正文", en="English text")
CHINESE = {"Accept-Language": "zh"}


@pytest.fixture
def app(small_site: Path, tmp_path: Path) -> Iterator[Flask]:
    app = application(copied(small_site, tmp_path), DECEMBER, tmp_path)
    yield app
    close(app)


def test_a_promoter_chooses_and_is_mailed_so(app: Flask) -> None:
    engine = app.extensions["bounty.books"].engine
    client = app.test_client()
    log_in(client, EMAILS["promoter"])
    page = client.get("/messages", headers=CHINESE).text
    assert page.count(" checked") == 6  # the five kinds of mails, and both languages
    answer = post(client, "/messages", language="zh", receipts="y", result="y")
    assert (answer.status_code, answer.location) == (303, "/messages")
    assert client.get("/messages").text.count(" checked") == 3
    with transaction(engine) as connection:
        user_id = connection.execute(select(User.id).where(User.promoter_id == PROMOTER)).scalar_one()
        assert mail_choice_of(connection, user_id) == MailChoice(
            "zh", target=False, appeal=False, payment=False
        )
        told = [
            notify_promoters(connection, kind, "x", lambda who: LETTER if who == PROMOTER else None, 1)
            for kind in ("target", "receipts")
        ]
        assert told == [0, 1]
        body = connection.execute(
            select(Message.body).where(
                Message.user_id == user_id, Message.kind == "receipts", Message.written_at == 1
            )
        ).scalar_one()
        acts = (
            connection.execute(select(AuditEvent.actor).where(AuditEvent.act == "user.messages"))
            .scalars()
            .all()
        )
    assert body == "中文正文"
    assert acts == [EMAILS["promoter"]]
    assert post(client, "/messages", language="xx").status_code == 200  # nothing is saved
    assert "/messages" in client.get("/change").text


def test_operations_see_what_failed_and_send_it_again(app: Flask) -> None:
    engine = app.extensions["bounty.books"].engine
    client = app.test_client()
    log_in(client, EMAILS["operator"])
    with transaction(engine) as connection:
        connection.execute(update(Message).values(sent_at=2, next_try_at=None))
        notify_operators(connection, "draft", "one", LETTER, shanghai(DECEMBER))
        announce(connection, "books", "2022-12-15", {}, shanghai(DECEMBER))
        failed = {"next_try_at": None, "tries": 12, "last_error": "HTTP 503"}
        connection.execute(update(Message).where(Message.kind == "books").values(**failed))
    page = words_of(client.get("/operations/outbox/?state=failed", headers=CHINESE).text)
    assert "HTTP 503" in page
    assert "立即重发" in page
    assert "operator@example.com" in words_of(client.get("/operations/outbox/?state=waiting").text)
    with snapshot(engine) as connection:
        name = connection.execute(select(Message.message).where(Message.kind == "books")).scalar_one()
    assert post(client, f"/operations/outbox/{name}/resend").status_code == 303
    assert "没有符合条件的消息" in words_of(
        client.get("/operations/outbox/?state=failed", headers=CHINESE).text
    )
    assert client.get("/operations/outbox/outbox.csv").text.count("\n") > 2
    assert post(client, "/operations/outbox/msg_none/resend").status_code == 409
