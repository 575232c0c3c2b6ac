"""Who can't pass any more is promised nothing, and who is not eligible reads a plain list; each none has its reason."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Engine

from bounty.accounts.service import add_user
from bounty.db import transaction
from tests.factories import PROMOTER, Month, link, order_row, promoter, terms_toml, violation
from tests.web.clients import application, close, log_in, words_of

LEVELS = {"V0": 'direct_only = true\norders = 20\ngmv_yuan = "2000.00"'}
Page = Callable[..., str]


@pytest.fixture
def month(engine: Engine, tmp_path: Path) -> Month:
    """December: PROMOTER has 14 of 20 orders of ¥150.00, and the next promoter is out over a violation."""
    month = Month(engine, tmp_path, now="2022-11-25 09:00:00")
    month.table("promoters", promoter(), promoter(PROMOTER + 1))
    month.table("violations", violation(PROMOTER + 1))
    month.terms(terms_toml(levels=LEVELS, caps='order_cap_yuan = "20.00"\npromoter_cap_yuan = "10.00"'))
    month.open()
    for name, promoter_id in (("one", PROMOTER), ("two", PROMOTER + 1)):
        with transaction(engine) as connection:
            add_user(
                connection,
                email=f"{name}@example.com",
                name=name,
                role="promoter",
                promoter_id=promoter_id,
                password="correct horse battery",
                now=month.now,
            )
    return month


@pytest.fixture
def page(month: Month, database_url: str, tmp_path: Path) -> Iterator[Page]:
    with ExitStack() as stack:

        def page(name: str, path: str, now: str = "2022-12-22 12:00:00") -> str:
            app = application(database_url, now, tmp_path)
            stack.callback(close, app)
            client = app.test_client()
            log_in(client, f"{name}@example.com")
            answer = client.get(path)
            assert answer.status_code == 200
            return words_of(answer.text)

        yield page


def sold(count: int, **fields: object) -> list[dict[str, object]]:
    return [order_row(number=n, **{"amount_fen": 150_00} | fields) for n in range(1, count + 1)]  # type: ignore[arg-type]


def test_who_can_not_pass_any_more_reads_what_was_missing_and_expects_nothing(
    month: Month, page: Page
) -> None:
    month.orders(*sold(14))
    within = page("one", "/task", "2022-12-15 12:00:00")
    assert "若达标" in within
    over = page("one", "/task")
    assert "本期不能再达标 ：任务期已结束，还差 6 单 。" in over
    assert "预计补贴 ¥0.00 不能再达标，没有补贴" in over
    assert "若达标" not in over
    assert "¥3.00" not in over  # an order's share, had it passed
    assert "不能再达标" in page("one", "/orders")
    assert "¥3.00" not in page("one", "/orders")
    assert "预计 ¥0.00 0 单" in page("one", "/subsidy")


def test_who_may_still_pass_by_what_is_pending_is_told_so(month: Month, page: Page) -> None:
    month.orders(*sold(14), *(order_row(number=n, amount_fen=1_00, received=None) for n in range(20, 26)))
    over = page("one", "/task")
    assert "不能再达标" not in over
    assert "待收货的订单在 12月" in over or "待收货的订单在" in over


def test_who_is_not_eligible_sees_no_meters_and_no_verdicts(month: Month, page: Page) -> None:
    month.orders(order_row(promoter_id=PROMOTER + 1))
    for path in ("/task", "/orders"):
        seen = page("two", path)
        for word in ("已计入", "计入任务", "每日计入", "不计入", "补贴最高", "说明："):
            assert word not in seen, (path, word)
        assert "确认收货" in seen


def test_a_row_that_earns_nothing_says_why(month: Month, page: Page) -> None:
    month.table("links", link(f"{PROMOTER}_9", "other"))
    month.orders(*sold(20), order_row(number=50, p_id=f"{PROMOTER}_9", amount_fen=329_00))
    seen = page("one", "/orders")
    assert "推广链接不在 APP 生成" in seen
    # 20 orders at ¥3.00 under a cap of ¥10.00: three and a part are given
    assert seen.count("本期补贴已到个人上限") == 20 - 4


def test_after_the_notice_an_order_without_a_receipt_was_not_received_in_time(
    month: Month, page: Page
) -> None:
    month.orders(*sold(14), order_row(number=30, amount_fen=149_00, received=None))
    assert "待收货" in page("one", "/orders")
    month.now += 60 * 86_400
    month.settle()
    month.publish()
    after = "2023-01-25 12:00:00"
    seen = page("one", "/months/2022-12/orders", after)
    assert "未按时收货 01-10 24 点前没有收货记录" in seen
    assert "待计入" not in seen
    assert "待收货 ¥0.00" in page("one", "/months/2022-12/task", after)
    assert "待收货 0" in page("one", "/months/2022-12/task", after)
