"""The one page: every open period with its state and counts, every notice, in Chinese and in English."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection, Engine, event

from bounty.app import create_app
from config import Settings
from tests.factories import (
    PROMOTER,
    Month,
    link,
    order_row,
    plain_terms,
    promoter,
    shanghai,
    target,
    violation,
)


def words_of(page: str) -> str:
    """What a reader sees of a page, on one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


@pytest.fixture(autouse=True)
def _closed_connections() -> Iterator[None]:
    """An application keeps its connections for as long as its process lives; a test closes them."""
    engines: set[Engine] = set()

    def note(connection: Connection) -> None:
        engines.add(connection.engine)

    event.listen(Engine, "engine_connect", note)
    yield
    event.remove(Engine, "engine_connect", note)
    for engine in engines:
        engine.dispose()


def client_at(database_url: str, now: str) -> FlaskClient:
    """A browser of the application, whose clock stands."""
    return create_app(Settings(database_url=database_url, now=shanghai(now))).test_client()


def page_at(database_url: str, now: str) -> str:
    """The page as a person reads it, asked for twice."""
    client = client_at(database_url, now)
    first, again = client.get("/"), client.get("/")
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.text == again.text
    return words_of(first.text)


@pytest.fixture
def month(engine: Engine, tmp_path: Path) -> Month:
    """December 2022, open: five promoters, of whom one is ineligible, and 4 orders paid in it."""
    month = Month(engine, tmp_path)
    month.table("promoters", *(promoter(PROMOTER + at) for at in range(4)), promoter(1, level="V9"))
    month.table("violations", violation(PROMOTER + 3))
    month.table("targets", target(PROMOTER + 1, orders="2"))
    month.terms(plain_terms())
    month.open()
    month.orders(
        order_row(number=1, amount_fen=1),
        order_row(number=2, amount_fen=2, paid="2022-12-25 12:00:00", received="2022-12-28 12:00:00"),
        order_row(number=4, amount_fen=4, promoter_id=PROMOTER + 1, p_id=f"{PROMOTER + 1}_4"),
        order_row(number=8, amount_fen=8, promoter_id=PROMOTER + 2, paid="2022-12-25 12:00:00"),
        order_row(number=16, amount_fen=16, paid="2022-11-25 12:00:00"),
        order_row(number=32, order_status=99),
    )
    return month


def test_an_empty_database_shows_what_will_appear(database_url: str) -> None:
    page = page_at(database_url, "2022-12-15 12:00:00")
    assert "期次与公示 Periods and notices" in page
    assert "还没有期次" in page
    assert "No period is open yet" in page
    assert "截至 2022-12-15T12:00:00+08:00" in page


def test_a_period_is_shown_with_its_counts_and_when_its_windows_end(month: Month, database_url: str) -> None:
    page = page_at(database_url, "2022-12-15 12:00:00")
    assert "名单 roster 5 人" in page
    assert "有资格 eligible 3 人" in page
    # Two have an order paid in the task window; the third's was paid on the 25th.
    assert "活跃 active 2 人" in page
    assert "当月订单 orders 4 单" in page
    assert "隔离中 1 行" in page
    assert "任务期截止 2022-12-21T00:00:00+08:00" in page
    assert "收货截止 2023-01-11T00:00:00+08:00" in page
    assert "No notice yet" in page
    assert "达标" not in page  # there is no settlement to say so


def test_the_state_of_a_period_follows_from_the_clock_and_what_was_done(
    month: Month, database_url: str
) -> None:
    def state(now: str) -> str:
        found = re.search(r"2022-12 (\S+ [a-z ]+?) 名单", page_at(database_url, now))
        assert found
        return found[1]

    assert state("2022-12-20 23:59:59") == "推广中 open"
    assert state("2022-12-21 00:00:00") == "待收货截止 awaiting receipts"
    assert state("2023-01-10 23:59:59") == "待收货截止 awaiting receipts"
    assert state("2023-01-11 00:00:00") == "待核算 ready to settle"
    month.settle()
    assert state("2023-01-15 12:00:00") == "草稿 draft"
    month.publish()
    assert state("2023-01-15 12:00:00") == "已公示 published"
    month.orders(order_row(number=64, amount_fen=64))
    assert state("2023-01-15 12:00:00") == "已公示 published"
    month.settle()
    assert state("2023-01-15 12:00:00") == "草稿 draft"
    month.publish()
    assert state("2023-01-15 12:00:00") == "已更正 corrected"


def test_a_notice_is_shown_with_its_sums_and_a_second_with_what_it_changed(
    month: Month, database_url: str
) -> None:
    settled = month.settle()
    month.publish()
    page = page_at(database_url, "2023-01-16 12:00:00")
    assert "达标 passed 1 人" in page
    assert "补贴 subsidy ¥0.03" in page  # 1 + 2: the other promoter needs two orders
    assert f"第 1 号公示 notice 1 5 人，2 单有补贴，共 ¥0.03 · {'2023-01-15T12:00:00+08:00'}" in page
    assert f"sha256:{settled.content_sha256}" in page
    month.orders(order_row(number=64, amount_fen=64, promoter_id=PROMOTER + 1, p_id=f"{PROMOTER + 1}_64"))
    month.table("links", link(f"{PROMOTER + 1}_64", "other"), link(f"{PROMOTER}_107021838", "other"))
    month.settle()
    month.publish()
    page = page_at(database_url, "2023-01-16 12:00:00")
    assert page.index("第 2 号公示") < page.index("第 1 号公示")
    assert "2 人的结果有变 promoters whose result changed" in page
    assert re.search(r"更正：\S+ a correction: [a-z, ]+ ：2 单，补贴 −¥0.03", page)
    assert re.search(r"新数据：\S+ new data: [a-z, ]+ ：1 单，补贴 \+¥0.00", page)
    assert re.search(r"本人的结果因其他订单而变 [a-z', ]+ ：1 单，补贴 \+¥0.04", page)
    assert f"sha256:{settled.content_sha256}" in page


def test_periods_are_shown_the_newest_first(month: Month, database_url: str) -> None:
    for period, now in (("2023-01", "2022-12-25 09:00:00"), ("2023-02", "2023-01-25 09:00:00")):
        Month(month.engine, month.folder / period, period=period, now=now).open()
    page = page_at(database_url, "2023-01-16 12:00:00")
    assert re.findall(r"(20\d\d-\d\d) [推待]", page) == ["2023-02", "2023-01", "2022-12"]


def test_names_in_the_terms_are_text_on_the_page(engine: Engine, tmp_path: Path, database_url: str) -> None:
    month = Month(engine, tmp_path)
    month.begin(toml=plain_terms(name="<script>alert(1)</script>"))
    assert "<script" not in client_at(database_url, "2022-12-15 12:00:00").get("/").text
