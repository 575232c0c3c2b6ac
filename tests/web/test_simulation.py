"""The page that tries terms on past months: its figures are the command's, and nothing is kept."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from bounty.accounts.service import add_user
from bounty.db import transaction
from tests.factories import EASY, Month, order_row, plain_terms, promoter
from tests.forecast.test_simulation import everything
from tests.web.clients import application, close, log_in, post, words_of
from tests.web.world import PASSWORD

NOW = "2023-01-15 12:00:00"
PAGE = "/operations/terms/simulation/"


@pytest.fixture
def operator(engine: Engine, database_url: str, tmp_path: Path) -> Iterator[FlaskClient]:
    """An operator, logged in, over a published December: 300.00 and 50.00 of two promoters who passed."""
    month = Month(engine, tmp_path, now=NOW)
    month.begin(promoter(1), promoter(2, level="V1"), toml=plain_terms())
    month.orders(
        order_row(number=1, promoter_id=1, amount_fen=300_00),
        order_row(number=2, promoter_id=2, amount_fen=50_00),
    )
    month.settle()
    month.publish()
    with transaction(engine) as connection:
        add_user(
            connection,
            email="operator@example.com",
            name="operator",
            role="operator",
            password=PASSWORD,
            now=month.now,
        )
    app = application(database_url, NOW, tmp_path)
    client = app.test_client()
    assert log_in(client, "operator@example.com").status_code == 302
    yield client
    close(app)


def test_the_form_begins_with_the_newest_terms_and_period(operator: FlaskClient) -> None:
    page = operator.get(PAGE).text
    assert 'value="2022-12"' in page
    assert "order_cap_yuan = &#34;200.00&#34;" in page


def test_edited_terms_are_tried_and_nothing_is_kept(operator: FlaskClient, engine: Engine) -> None:
    before = everything(engine)
    levels = EASY | {"V1": 'direct_only = false\ngmv_yuan = "60.00"'}
    terms = plain_terms(levels=levels, caps='order_cap_yuan = "250.00"').replace("\n", "\r\n")
    answer = post(operator, PAGE, terms=terms, first="2022-12", last="2022-12")
    page = words_of(answer.text)
    assert answer.status_code == 200
    assert "试算的条款 2 1 2 ¥250.00 1 ¥250.00 1000‰" in page
    assert "现行条款 2 2 2 ¥250.00 2 ¥350.00 1400‰" in page
    assert "已公示 2 2 2 ¥250.00 2 ¥350.00 1400‰" in page
    assert "目标 −1 −¥50.00 封顶 0 −¥50.00 合计 −1 −¥100.00" in page
    assert "2 不再达标 ¥50.00 ¥0.00" in page
    after = everything(engine)
    assert {name for name in after if after[name] != before[name]} <= {"users"}


def test_a_file_takes_the_place_of_the_text(operator: FlaskClient) -> None:
    file = (io.BytesIO(plain_terms().encode("utf-8-sig")), "terms.toml")
    answer = post(operator, PAGE, terms="", first="2022-11", last="2022-12", file=file)
    page = words_of(answer.text)
    assert answer.status_code == 200
    assert "这一期还没有公示" in page
    assert "与现行条款没有差额" in page


def test_one_number_varied_is_a_table_and_a_chart(operator: FlaskClient) -> None:
    """The figures are those of `bounty simulate --vary`; the value that the terms have is the solid bar."""
    terms = plain_terms(caps='order_cap_yuan = "200.00"\nbudget_yuan = "300.00"')
    months = {"terms": terms, "first": "2022-11", "last": "2022-12", "vary": "subsidy.order_cap_yuan"}
    answer = post(operator, PAGE, **months, vary_from="100", vary_to="300", vary_step="100")
    page = words_of(answer.text)
    assert answer.status_code == 200, page
    assert "预算 ¥300.00 ，剩余 ¥50.00" in page.replace("¥300.00，", "¥300.00 ，")
    assert "按单笔补贴上限（元）的补贴合计 条款里是 200.00" in page
    for row in (
        "100.00 0 ¥0.00 2 ¥150.00 ¥150.00",
        "200.00 0 ¥0.00 2 ¥250.00 ¥250.00",
        "300.00 0 ¥0.00 2 ¥350.00",
    ):
        assert row in page
    chart = answer.text[answer.text.index('<svg class="chart"') :].partition("</svg>")[0]
    assert [chart.count(f'<rect class="{kind}"') for kind in ("counted", "mid")] == [1, 2]
    heights = re.findall(r'height="(\d+)"/>', chart)
    assert heights == ["41", "68", "96"]  # 150, 250 and 350 of 350
    assert 'value="subsidy.order_cap_yuan" selected' in answer.text


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"vary_from": "1", "vary_to": "", "vary_step": "1"}, "请填写变动的数的起值、止值和步长"),
        ({"vary_from": "1", "vary_to": "99", "vary_step": "1"}, "取值数乘以月份数最多 24"),
        ({"vary_from": "1", "vary_to": "2", "vary_step": "0"}, "步长须大于 0"),
    ],
)
def test_a_range_that_can_not_be_tried_is_refused_on_the_page(
    operator: FlaskClient, asked: dict[str, str], said: str
) -> None:
    of = {
        "terms": plain_terms(),
        "first": "2022-12",
        "last": "2022-12",
        "vary": "subsidy.tiers.0.rate_permille",
    }
    answer = post(operator, PAGE, **of, **asked)
    assert answer.status_code == 422
    assert said in words_of(answer.text)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"terms": "= 1"}, "TOML"),
        ({"terms": plain_terms().replace('"200.00"', "200")}, "order_cap_yuan"),
        ({"first": "2022-13"}, "2022-13"),
        ({"first": "2023-01"}, "起始月份晚于结束月份"),
        ({"first": "2021-12"}, "一次最多试算 12 个月"),
        ({"first": "2023-02", "last": "2023-02"}, "还没有开始"),
    ],
)
def test_what_can_not_be_tried_is_said_on_the_page(
    operator: FlaskClient, given: dict[str, str], says: str
) -> None:
    answer = post(operator, PAGE, **({"terms": plain_terms(), "first": "2022-12", "last": "2022-12"} | given))
    assert answer.status_code == 422
    assert says in words_of(answer.text)
