"""Two programmes in a real browser: a promoter's tasks, an operator's half-month, and finance's one tranche of both."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.factories import order_row, sn, write_csv_zh
from tests.web.test_browser import faults_of, sideways
from tests.web.test_journeys import fen_in, rows, saved
from tests.web.test_operator_journey import take_in
from tests.web.world import SPRINT_NAME, Site

KEY = re.compile(r"[a-z0-9-]+:\d{4}-\d\d[ab]?")
"""A period as the database has it, which nobody sees."""
CUTOFF_PASSED = "2022-12-12 09:00:00"
"""After the receipt cutoff of the second half of November."""
SETTLING = "/operations/periods/sprint:2022-11b/settling"

WINDOWS = [("desktop", "light"), ("phone", "dark")]
on_desktop_and_phone = pytest.mark.parametrize(("size", "scheme"), WINDOWS)
on_desktop = pytest.mark.parametrize(
    ("size", "scheme"), [WINDOWS[0], pytest.param(*WINDOWS[1], marks=pytest.mark.soak)]
)
"""For who writes, and takes a minute; the phone in soak."""


def seen(page: Page, scheme: Any) -> str:
    """The words of a page, which fits its window, has no fault that axe finds, and names no key."""
    page.emulate_media(color_scheme=scheme)
    text = page.inner_text("main")
    assert KEY.search(text) is None
    assert sideways(page) <= 0
    assert faults_of(page) == ""
    return text


@on_desktop_and_phone
def test_a_promoter_sees_both_tasks_and_why_one_order_counts_in_each(
    visit: Callable[..., Page], site_of_two: Callable[[], Site], size: str, scheme: str
) -> None:
    page = visit(site_of_two(), "promoter", size=size)
    page.goto("/")
    text = seen(page, scheme)
    assert text.index(f"{SPRINT_NAME} 2022年12月上半月期") < text.index("主项目 2022年12月期")
    assert text.count("收货即达标") == 2
    assert "距推广截止 9 小时" in text
    assert page.locator("svg.meter").count() == 4
    page.get_by_role("link", name="查看任务").first.click()
    page.wait_for_url("**/months/sprint:2022-12a/task")
    assert "12-15 24 点" in seen(page, scheme)
    page.click("text=主项目 2022-12")
    page.wait_for_url("**/months/2022-12/task")
    page.goto(f"/orders/{sn(102)}")
    assert "主项目 2022年11月期" in seen(page, scheme)
    page.click(f"text={SPRINT_NAME} 2022-11a")
    text = seen(page, scheme)
    assert f"{SPRINT_NAME} 2022年11月上半月期" in text
    assert "11-01 0 点至 11-15 24 点" in text
    page.goto("/payments/1")
    text = seen(page, scheme)
    assert text.count("主项目 2022-11") == text.count(f"{SPRINT_NAME} 2022-11a") == 2
    if not page.is_visible("select[name=programme]"):  # folded on a phone
        page.click("summary:has-text('筛选')")
    page.select_option("select[name=programme]", "sprint")
    page.click(".filters button")
    page.wait_for_url("**programme=sprint**")
    total = fen_in(page.locator("tfoot tr").last.locator("td.number").last.inner_text())
    lines = rows(saved(page, "text=下载 CSV"))
    assert {line["period"] for line in lines} == {"sprint:2022-11a"}
    assert sum(int(line["amount_yuan"].replace(".", "")) for line in lines) == total


@on_desktop
def test_an_operator_finds_settles_and_publishes_a_half_month(
    visit: Callable[..., Page],
    site_of_two: Callable[[], Site],
    tmp_path: Path,
    size: str,
    scheme: str,
) -> None:
    site = site_of_two()
    operator = visit(site, "operator", size=size)
    finance = visit(site, "finance", size=size)
    # The calendar of both; what is late leads to a form that offers just this.
    operator.goto("/operations/schedule")
    text = seen(operator, scheme)
    assert f"{SPRINT_NAME} 2022-12b" in text
    assert "主项目 2022-11" in text
    operator.get_by_role("link", name="去冻结名单").first.click()
    assert operator.input_value("select[name=programme]") == "sprint"
    assert operator.input_value("input[name=period]") == "2022-12b"
    operator.get_by_role("button", name="核对名单").click()
    operator.get_by_role("button", name="冻结名单").click()
    assert f"{SPRINT_NAME} 2022-12b 已开期" in seen(operator, scheme)
    # The half-month among all periods; orders in, settled, approved by another, published.
    paid: dict[str, Any] = {"paid": "2022-11-20 12:00:00", "received": "2022-11-25 12:00:00"}
    orders = [order_row(number=500 + at, amount_fen=12_000, **paid) for at in range(6)]
    orders.append(order_row(number=510, amount_fen=100, modified=CUTOFF_PASSED, **paid))
    take_in(operator, write_csv_zh(tmp_path / "订单.csv", orders))
    operator.goto("/operations/periods")
    operator.select_option("select[name=programme]", "sprint")
    operator.click(".filters button")
    operator.wait_for_url("**programme=sprint**")
    assert "主项目 2022" not in seen(operator, scheme)
    operator.get_by_role("link", name=f"{SPRINT_NAME} 2022-11b").click()
    operator.goto(SETTLING)
    operator.get_by_role("button", name="核算", exact=True).click()
    text = seen(operator, scheme)
    assert f"{SPRINT_NAME} 2022-11b" in text
    subsidy = fen_in(operator.locator("p.value").first.inner_text())
    finance.goto(SETTLING)
    finance.get_by_role("button", name="批准这份草稿").click()
    operator.goto(SETTLING)
    operator.get_by_role("link", name="核对并公示").click()
    operator.get_by_role("button", name="公示", exact=True).click()
    operator.wait_for_load_state()
    nobody = visit(site, size=size)
    nobody.goto("/notices?programme=sprint")
    text = seen(nobody, scheme)
    assert f"{SPRINT_NAME} 2022-11b" in text
    assert "主项目 2022" not in text
    nobody.goto("/notices/sprint:2022-11b/1")
    assert f"{SPRINT_NAME} 2022-11b 第 1 号公示" in seen(nobody, scheme)
    assert fen_in(nobody.inner_text("dl.facts >> nth=0")) == subsidy > 0


@on_desktop
def test_finance_sees_both_programmes_in_one_tranche(
    visit: Callable[..., Page], site_of_two: Callable[[], Site], size: str, scheme: str
) -> None:
    page = visit(site_of_two(), "finance", size=size)
    page.goto("/finance/tranches/1/lines")
    text = seen(page, scheme)
    assert text.count("主项目 2022-11") == text.count(f"{SPRINT_NAME} 2022-11a") == 5
    both = fen_in(page.locator("tfoot tr").last.locator("td.number").last.inner_text())
    parts = []
    for programme in ("main", "sprint"):
        page.goto(f"/finance/tranches/1/lines?programme={programme}")
        parts.append(fen_in(page.locator("tfoot tr").last.locator("td.number").last.inner_text()))
    assert sum(parts) == both
    for path in (
        "/finance/",
        "/finance/reconcile",
        "/finance/adjustments",
        "/finance/sprint:2022-11a/1/results",
    ):
        page.goto(path)
        assert SPRINT_NAME in seen(page, scheme)
    page.goto("/finance/periods/sprint:2022-11a")
    text = seen(page, scheme)
    assert f"关账 {SPRINT_NAME} 2022-11a" in text
    assert "还没有了结的" in text
