"""News for promoters: written with their cause, listed whether or not they are mailed, unread until they are opened."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, select, update

from bounty.appeals import service as appeals
from bounty.audit.service import Actor, acting
from bounty.db import make_engine, transaction
from bounty.models import Message, User
from bounty.notifications.service import MailChoice, save_mail_choice
from bounty.payment_results.service import mark_by_hand
from bounty.rules.periods import Period
from bounty.tranches.approval import export_begins
from tests.factories import PROMOTER, shanghai
from tests.web.clients import application, close, log_in, post, words_of
from tests.web.world import DECEMBER, EMAILS, NEIGHBOUR

NEIGHBOURS = "neighbour@example.com"
NOW = shanghai(DECEMBER)


@pytest.fixture
def engine(paid_url: str) -> Iterator[Engine]:
    """Of the small site with November paid: the promoter's payment was paid, and the neighbour's failed."""
    engine = make_engine(paid_url)
    yield engine
    engine.dispose()


@pytest.fixture
def client_of(paid_url: str, tmp_path: Path) -> Iterator[Callable[[str], FlaskClient]]:
    with ExitStack() as stack:

        def client(email: str) -> FlaskClient:
            app = application(paid_url, DECEMBER, tmp_path)
            stack.callback(close, app)
            client = app.test_client()
            log_in(client, email)
            return client

        yield client


def shown(client: FlaskClient, path: str = "/inbox", language: str = "zh") -> str:
    answer = client.get(path, headers={"Accept-Language": language})
    assert answer.status_code == 200
    return words_of(answer.text)


def user_of(engine: Engine, email: str) -> int:
    with transaction(engine) as connection:
        found: int = connection.execute(select(User.id).where(User.email == email)).scalar_one()
    return found


def by(engine: Engine, email: str, role: str) -> Any:
    return transaction(acting(engine, Actor(email, user_of(engine, email), role)))


def test_what_came_of_a_payment_is_told_to_whom_it_is_of(
    engine: Engine, client_of: Callable[[str], FlaskClient]
) -> None:
    client = client_of(EMAILS["promoter"])
    page = shown(client)
    assert "补贴 ¥4.80 已发放" in page
    assert "第 1 批的补贴 ¥4.80 已付到您的收款账户" in page
    assert "没有付成" not in page
    assert "Your subsidy of ¥4.80 was paid" in shown(client, language="en")
    assert "已付到" not in shown(client, language="en")
    other = shown(client_of(NEIGHBOURS))
    assert "补贴 ¥6.00 没有付成" in other
    assert "账户名与姓名不符" in other
    assert "¥4.80" not in other
    with transaction(engine) as connection:
        mark_by_hand(connection, [f"P1-{NEIGHBOUR}"], paid=True, reason="内部依据", now=NOW)
    told = shown(client_of(NEIGHBOURS))
    assert "补贴 ¥6.00 已发放" in told
    assert "内部依据" not in told


def test_a_message_is_unread_until_it_is_opened(client_of: Callable[[str], FlaskClient]) -> None:
    client = client_of(EMAILS["promoter"])
    assert "消息 1 条未读" in shown(client, "/history")
    message = client.get("/inbox").text.split("/inbox/msg_")[1].split("/open")[0]
    stranger = client_of(NEIGHBOURS)
    assert post(stranger, f"/inbox/msg_{message}/open").location == "/inbox"
    assert "消息 1 条未读" in shown(client, "/history")
    assert post(client, f"/inbox/msg_{message}/open").location == "/payments/1"
    assert "条未读" not in shown(client, "/history")
    assert "没有符合条件的消息" in shown(client, "/inbox?state=unread")
    assert post(stranger, "/inbox/read").status_code == 303
    assert "条未读" not in shown(stranger, "/history")
    assert client.get("/inbox.csv").text.count("msg_") == 1


def test_an_answer_to_an_appeal_is_told_and_mailed_unless_the_promoter_chose_otherwise(
    engine: Engine, client_of: Callable[[str], FlaskClient]
) -> None:
    with by(engine, EMAILS["promoter"], "promoter") as connection:
        save_mail_choice(connection, MailChoice("zh", appeal=False), NOW)
        number = appeals.ask(connection, PROMOTER, Period(2022, 11), None, "少了一单", NOW)
    with by(engine, EMAILS["operator"], "operator") as connection:
        appeals.answer(connection, number, 1, "ASKED", "是哪一单？", NOW)
        assert not appeals.answer(connection, number, 1, "ASKED", "是哪一单？", NOW)
    client = client_of(EMAILS["promoter"])
    page = shown(client, "/inbox?kind=appeal")
    assert (
        page.count("申诉 1 需要您补充：2022-11 期结果") == 2
    )  # the title, and again for who does not see the row
    assert "运营答复：是哪一单？ 请在申诉页补充。" in page
    with by(engine, EMAILS["promoter"], "promoter") as connection:
        appeals.reply(connection, PROMOTER, number, 2, "最后一单", NOW)
        save_mail_choice(connection, MailChoice("zh"), NOW)
    with by(engine, EMAILS["operator"], "operator") as connection:
        appeals.answer(connection, number, 3, "DECLINED", "没有这一单。", NOW)
        mailed = connection.execute(
            select(Message.subject, Message.next_try_at)
            .where(Message.kind == "appeal")
            .order_by(Message.subject)
        ).all()
    assert [tuple(row) for row in mailed] == [
        ("申诉 1 被驳回：2022-11 期结果", NOW),
        ("申诉 1 需要您补充：2022-11 期结果", None),
    ]
    assert "仅在页面" in shown(client_of(EMAILS["operator"]), "/operations/outbox/?state=page")


def test_a_payment_without_a_payee_is_told_when_the_tranche_leaves(
    engine: Engine, client_of: Callable[[str], FlaskClient]
) -> None:
    with transaction(engine) as connection:
        connection.execute(update(User).where(User.email == NEIGHBOURS).values(promoter_id=PROMOTER + 2))
        for _ in range(2):
            export_begins(connection, 2, NOW, approval_required=False)
    page = shown(client_of(NEIGHBOURS), "/inbox?state=unread")
    assert page.count("没有您的收款信息，¥4.50 暂扣 发放") == 1
    assert "没有您的收款信息，¥4.50 暂扣；请把收款信息发到" in shown(client_of(NEIGHBOURS), "/payments")
