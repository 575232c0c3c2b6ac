"""What operators land on: everything due with its deadline, the counts of the navigation, and the one search box."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from bounty.appeals.service import ask
from bounty.db import transaction
from bounty.models import Message, Payout
from bounty.rules.periods import Period
from tests.factories import PROMOTER, shanghai, sn
from tests.web.clients import application, close, log_in, words_of
from tests.web.world import DECEMBER, EMAILS, JANUARY, NEIGHBOUR, copied

ZH = {"Accept-Language": "zh"}


@pytest.fixture
def app(small_site: Path, tmp_path: Path) -> Iterator[Flask]:
    app = application(copied(small_site, tmp_path), DECEMBER, tmp_path)
    yield app
    close(app)


def reader(app: Flask, role: str) -> FlaskClient:
    client = app.test_client()
    log_in(client, EMAILS[role])
    return client


def page(client: FlaskClient, path: str) -> str:
    answer = client.get(path, headers=ZH)
    assert answer.status_code == 200, path
    return words_of(answer.text)


def test_operators_land_on_what_is_due_with_its_deadline_and_where_it_is_done(app: Flask) -> None:
    engine, now = app.extensions["bounty.books"].engine, shanghai(DECEMBER)
    with transaction(engine) as connection:
        ask(connection, PROMOTER, Period(2022, 11), sn(111), "直推", now)
        given_up = {"sent_at": None, "next_try_at": None, "tries": 12, "last_error": "HTTP 503"}
        connection.execute(update(Message).values(sent_at=1, next_try_at=None))
        one = select(Message.message).limit(1).scalar_subquery()
        connection.execute(update(Message).where(Message.message == one).values(**given_up))
    operator = reader(app, "operator")
    assert operator.get("/").location == "/operations/"
    today = page(operator, "/operations/")
    assert "2022年12月期：处理 1 条隔离行 逐条修正，或写明理由放弃" in today
    assert "期限 01-10 24 点 处理隔离行" in today
    assert "答复 1 件申诉" in today
    assert "1 条消息未送达" in today
    assert "日程逾期：备份" in today
    for words in ("隔离区 1 行待处理", "申诉 1 件待答复", "消息 1 条未送达", "项逾期"):
        assert words in page(operator, "/operations/periods")
    assert "今天" in page(reader(app, "admin"), "/operations/")
    assert reader(app, "finance").get("/operations/").status_code == 403


def test_a_roster_and_a_settlement_are_due_on_their_days(small_site: Path, tmp_path: Path) -> None:
    app = application(copied(small_site, tmp_path), JANUARY, tmp_path)
    today = page(reader(app, "operator"), "/operations/")
    close(app)
    assert "冻结2023年1月期的名单 已晚 18 天" in today
    assert "已过期限 12-25 09:00 去冻结名单" in today
    assert "2022年12月期：导入截至 2023-01-10 24 点 的订单数据" in today


def test_one_box_finds_an_order_a_promoter_and_a_payout(paid_books: Path, tmp_path: Path) -> None:
    app = application(copied(paid_books, tmp_path), DECEMBER, tmp_path)
    operator, finance = reader(app, "operator"), reader(app, "finance")

    def place(client: FlaskClient, words: str) -> str:
        answer = client.get("/search/", query_string={"q": words})
        assert answer.status_code == 303, words
        return str(answer.location)

    assert place(operator, sn(200)) == f"/finance/promoters/{PROMOTER}/orders/{sn(200)}"
    assert place(operator, str(NEIGHBOUR)) == f"/operations/roster/2022-12/{NEIGHBOUR}"
    assert place(operator, "林晓") == f"/operations/roster/2022-12/{PROMOTER}"
    assert place(finance, "林晓") == f"/operations/periods/2022-12/results?q={PROMOTER}"
    assert place(finance, f"p1-{PROMOTER}") == f"/finance/tranches/1?q={PROMOTER}"
    assert place(operator, sn(299)).startswith("/operations/quarantine/?q=")
    for client in (operator, finance):
        for words in (sn(200), "林晓", f"P1-{PROMOTER}"):
            assert client.get(place(client, words)).status_code == 200, words
    several = page(operator, "/search/?q=示例")
    assert "示例·何安" in several
    assert "示例·吴双" in several
    assert "没有找到「没有这个人」" in page(operator, "/search/?q=没有这个人")
    assert "没有找到" in page(operator, f"/search/?q=P7-{PROMOTER}")
    assert reader(app, "promoter").get("/search/?q=林晓").status_code == 403
    with transaction(app.extensions["bounty.books"].engine) as connection:
        assert connection.execute(select(Payout.tranche_id).limit(1)).scalar_one() == 1
    close(app)
