"""In the middle of a month: who is on pace, who needs a nudge, who is out of reach; the funnel and the list agree."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, select

from bounty.accounts.service import add_user
from bounty.db import snapshot, transaction
from bounty.models import Message
from tests.factories import PROMOTER, Month, order_row, promoter, terms_toml
from tests.web.clients import application, close, log_in, post, words_of
from tests.web.world import PASSWORD

PERIOD = "/operations/periods/2022-12"
LEVELS = {"V0": 'direct_only = true\ngmv_yuan = "1000.00"'}
ZH = {"Accept-Language": "zh"}


@pytest.fixture
def operator(engine: Engine, database_url: str, tmp_path: Path) -> Iterator[FlaskClient]:
    """15 December at noon, 72 % of the window. Of ¥1,000 each: 0 has 900; 1 has 500 and 300 pending; 2 has 600; 3 has
    400; 4 and 5 have nothing; 6 passed."""
    month = Month(engine, tmp_path, now="2022-12-15 12:00:00")
    people = [promoter(PROMOTER + at, name=f"示例·{at} 号") for at in range(7)]
    month.begin(*people, toml=terms_toml(levels=LEVELS))
    sold = {0: 9, 1: 5, 2: 6, 3: 4, 6: 10}
    month.orders(
        *(
            order_row(
                number=100 + 20 * at + n,
                promoter_id=PROMOTER + at,
                p_id=f"{PROMOTER + at}_1",
                amount_fen=100_00,
                paid="2022-12-05 12:00:00",
                received="2022-12-09 12:00:00",
            )
            for at, orders in sold.items()
            for n in range(orders)
        ),
        *(
            order_row(
                number=300 + n,
                promoter_id=PROMOTER + 1,
                p_id=f"{PROMOTER + 1}_1",
                amount_fen=100_00,
                paid="2022-12-13 12:00:00",
                received=None,
            )
            for n in range(3)
        ),
    )
    with transaction(engine) as connection:
        for email, role, promoter_id in (
            ("operator", "operator", None),
            ("two", "promoter", PROMOTER + 2),
            ("three", "promoter", PROMOTER + 3),
        ):
            add_user(
                connection,
                email=f"{email}@example.com",
                name=email,
                role=role,
                promoter_id=promoter_id,
                password=PASSWORD,
                now=month.now,
            )
    app = application(database_url, "2022-12-15 12:00:00", tmp_path)
    client = app.test_client()
    log_in(client, "operator@example.com")
    yield client
    close(app)


def listed(client: FlaskClient, query: str) -> list[int]:
    """Who the list has for a query, as places."""
    text = client.get(f"{PERIOD}/results.csv?{query}").data.decode("utf-8-sig")
    return sorted(int(line.split(",")[0]) - PROMOTER for line in text.splitlines()[1:])


def test_the_list_says_who_is_on_pace_needs_a_nudge_or_is_out_of_reach(operator: FlaskClient) -> None:
    # The window is 20 days, 14.5 of them gone: 72.5 % is on pace; below 46.7 % three times the pace is too slow.
    assert listed(operator, "outlook=ON_PACE") == [0, 1, 6]
    assert listed(operator, "outlook=NUDGE") == [2]
    assert listed(operator, "outlook=OUT_OF_REACH") == [3, 4, 5]
    page = words_of(operator.get(PERIOD, headers=ZH).text)
    assert "¥300.00 3 单" in page
    assert "进度达标 还差 ¥500.00" in page
    assert "需要提醒 还差 ¥400.00" in page
    assert "按现在的三倍速度也达不到目标" in page
    assert "out of reach" in words_of(operator.get(PERIOD, headers={"Accept-Language": "en"}).text)


def test_every_step_of_the_funnel_leads_to_as_many_in_the_list(operator: FlaskClient) -> None:
    page = operator.get(PERIOD, headers=ZH).text
    funnel = re.search(r'<table class="funnel">(.*?)</table>', page, re.DOTALL)
    assert funnel
    steps = re.findall(
        r'<th scope="row"><a href="([^"]*)">[^<]*</a></th>.*?<b>(\d+)</b>', funnel[1], re.DOTALL
    )
    assert len(steps) == 4
    for place, count in steps:
        assert len(listed(operator, place.partition("?")[2].replace("&amp;", "&"))) == int(count), place
    for place, words in re.findall(r'<a href="([^"]*)">([^<]*\d[^<]*)</a>', funnel[1]):
        number = re.search(r"\d+", words.replace("10%", ""))
        assert number
        assert len(listed(operator, place.partition("?")[2].replace("&amp;", "&"))) == int(number[0]), words


def test_a_reminder_goes_to_who_needs_one_and_once_a_day(operator: FlaskClient, engine: Engine) -> None:
    assert "给需要提醒的 1 人发提醒" in words_of(operator.get(PERIOD, headers=ZH).text)
    post(operator, f"{PERIOD}/remind")
    assert "需要提醒的 1 人中，1 人会收到邮件" in words_of(operator.get(PERIOD, headers=ZH).text)
    post(operator, f"{PERIOD}/remind")
    assert "需要提醒的 1 人中，0 人会收到邮件" in words_of(operator.get(PERIOD, headers=ZH).text)
    with snapshot(engine) as connection:
        query = select(Message.recipient, Message.subject).where(
            Message.kind == "receipts", Message.channel == "mail"
        )
        (mail,) = connection.execute(query).all()
    assert mail.recipient == "two@example.com"
    assert "还差 ¥400.00" in mail.subject


def test_undoing_says_whose_pass_would_change(operator: FlaskClient) -> None:
    # The rows came twice; what the second batch brought stays until that is undone too.
    assert post(operator, "/operations/imports/batches/4/undo", rows="0").status_code == 303
    shown = words_of(operator.get("/operations/imports/batches/3/undo", headers=ZH).text)
    assert "收回 37 行，37 单会变，其中 37 单不再存在" in shown
    assert "达标会变的推手：1 人 不再达标 示例·6 号" in shown
    assert listed(operator, "result=passed") == [6]  # nothing was taken back by looking
