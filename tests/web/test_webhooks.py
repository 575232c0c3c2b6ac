"""The page of endpoints: made, shown its secret once, changed, rotated, tested, switched; deliveries with answers."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import insert, select, update

from bounty.db import snapshot, transaction
from bounty.models import Message, MessageTry, WebhookEndpoint
from bounty.notifications.message_kinds import EVENTS
from tests.web.clients import application, close, log_in, post, words_of
from tests.web.world import DECEMBER, EMAILS, copied

SECRET = re.compile(r"whsec_[A-Za-z0-9+/]{43}=")
HOOK = {
    "kind": "webhook",
    "name": "进度面板",
    "url": "https://example.com/hook?key=k3y",
    "event": list(EVENTS),
}


@pytest.fixture
def app(small_site: Path, tmp_path: Path) -> Iterator[Flask]:
    app = application(copied(small_site, tmp_path), DECEMBER, tmp_path)
    yield app
    close(app)


def test_an_endpoint_is_made_changed_rotated_tested_and_switched(app: Flask) -> None:
    engine = app.extensions["bounty.books"].engine
    client = app.test_client()
    log_in(client, EMAILS["operator"])
    assert "还没有接收方" in words_of(
        client.get("/operations/webhooks/", headers={"Accept-Language": "zh"}).text
    )
    made = post(client, "/operations/webhooks/", **HOOK)
    (first,) = SECRET.findall(made.text)
    page = client.get("/operations/webhooks/1").text
    assert first not in page
    assert "k3y" not in page
    assert page.count(" checked") == len(EVENTS)
    assert "进度面板" in client.get("/operations/webhooks/").text
    rotated = post(client, "/operations/webhooks/1/rotate")
    (second,) = SECRET.findall(rotated.text)
    assert second != first
    assert "前也签名" in words_of(client.get("/operations/webhooks/1").text)
    changed = post(client, "/operations/webhooks/1", name="面板", event=["draft", "result"])
    assert changed.status_code == 303
    assert client.get("/operations/webhooks/1").text.count(" checked") == 2
    assert post(client, "/operations/webhooks/1/test").status_code == 303
    with snapshot(engine) as connection:
        message = connection.execute(select(Message.message).where(Message.endpoint_id == 1)).scalar_one()
    with transaction(engine) as connection:
        connection.execute(
            insert(MessageTry).values(
                message=message, tried_at=1, error="HTTP 503", status=503, answer="busy <b>now</b>"
            )
        )
        connection.execute(
            update(Message).where(Message.message == message).values(sent_at=2, next_try_at=None, tries=1)
        )
    delivered = client.get(f"/operations/outbox/{message}").text
    assert "bounty.test" in delivered
    assert "HTTP 503" in delivered
    assert "busy &lt;b&gt;now&lt;/b&gt;" in delivered
    assert message in client.get("/operations/webhooks/1/deliveries.csv").text
    assert post(client, f"/operations/outbox/{message}/resend").status_code == 303
    assert post(client, "/operations/webhooks/1/disable").status_code == 303
    assert "由人停用" in words_of(client.get("/operations/webhooks/1").text)
    assert post(client, "/operations/webhooks/1/test").status_code == 422
    assert post(client, "/operations/webhooks/1/enable").status_code == 303
    assert "由人停用" not in words_of(client.get("/operations/webhooks/1").text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://example.com/"},
        {"name": " "},
        {"event": []},
        {"event": ["none"]},
        {"kind": "slack"},
        {"programme": "none"},
        {"secret": "mine"},
        {"kind": "feishu"},
    ],
    ids=str,
)
def test_what_can_not_be_is_a_sentence_on_the_page(app: Flask, wrong: dict[str, object]) -> None:
    client = app.test_client()
    log_in(client, EMAILS["admin"])
    refused = post(client, "/operations/webhooks/", **(HOOK | wrong))
    assert refused.status_code == 422
    assert 'role="alert"' in refused.text
    with snapshot(app.extensions["bounty.books"].engine) as connection:
        assert connection.execute(select(WebhookEndpoint.endpoint_id)).all() == []


def test_what_there_is_not_is_absent(app: Flask) -> None:
    client = app.test_client()
    log_in(client, EMAILS["operator"])
    for path in ("", "/deliveries.csv"):
        assert client.get(f"/operations/webhooks/9{path}").status_code == 404
    for path in ("", "/rotate", "/test", "/enable", "/disable"):
        assert post(client, f"/operations/webhooks/9{path}", **HOOK).status_code == 404
