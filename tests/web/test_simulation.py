"""The page that tries terms on past months: its figures are the command's, and nothing is kept."""

import io
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
    assert "试算的条款 2 1 2 ¥250.00 1 ¥250.00" in page
    assert "现行条款 2 2 2 ¥250.00 2 ¥350.00" in page
    assert "已公示 2 2 2 ¥250.00 2 ¥350.00" in page
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
