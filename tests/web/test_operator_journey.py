"""The operator's month in a real browser: import, mend, settle, approval by another, publish, correct."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page

from tests.factories import order_row, write_csv_zh
from tests.web.test_journeys import fen_in, in_every_window_and_on_both, saved
from tests.web.world import JANUARY, Site

PATIENCE_MS = 120_000
SETTLING = "/operations/periods/2022-12/settling"
LATE = "2023-01-11 09:00:00"
"""After the receipt cutoff, so that the data is fresh."""


def take_in(page: Page, path: Path) -> None:
    """Upload a file, look at what it would do, and import it."""
    page.goto("/operations/imports/")
    page.get_by_label("文件（CSV").set_input_files(path)
    page.get_by_role("button", name="上传并试导入").click()
    page.get_by_text("没有留下任何改动").wait_for(timeout=PATIENCE_MS)
    page.get_by_role("button", name="导入", exact=True).click()
    page.get_by_text("已导入为批次").wait_for(timeout=PATIENCE_MS)


def settle(page: Page) -> int:
    """Settle December and run the checks; the subsidy, whole fen."""
    page.goto(SETTLING)
    page.get_by_role("button", name="核算", exact=True).or_(
        page.get_by_role("button", name="再次核算")
    ).click()
    page.wait_for_load_state()
    checks = page.get_by_role("button", name="运行自查")
    if checks.count():
        checks.click()
        page.wait_for_load_state()
    assert "4 项中 4 项通过" in page.inner_text("main")
    return fen_in(page.locator("p.value").first.inner_text())


@in_every_window_and_on_both
def test_an_operator_imports_mends_settles_publishes_and_corrects(
    visit: Callable[..., Page],
    own_site: Callable[..., Site],
    tmp_path: Path,
    size: str,
    javascript: bool,
    database: str,
) -> None:
    site = own_site(JANUARY, database)
    operator = visit(site, "operator", size=size, javascript=javascript)
    finance = visit(site, "finance", size=size, javascript=javascript)

    # Import: one row good, one whose amount can't be read. An old row, which nobody can mend, is let go.
    rows = [order_row(number=400, amount_fen=10_000, modified=LATE), order_row(number=401, modified=LATE)]
    path = write_csv_zh(tmp_path / "订单.csv", rows)
    path.write_text(path.read_text(encoding="utf-8").replace("100.00", "一百", 1), encoding="utf-8")
    take_in(operator, path)
    assert "隔离 1" in operator.inner_text("main")
    operator.goto("/operations/quarantine/?code=E-STATUS")
    operator.get_by_text("放弃这一行").first.click()
    operator.get_by_label("理由").first.fill("试验数据")
    operator.get_by_role("button", name="放弃", exact=True).first.click()

    # Mend: the row comes out with its own columns, is put right, and goes in again.
    operator.goto("/operations/quarantine/")
    text = saved(operator, "text=下载待修正的行").decode("utf-8-sig")
    header, *lines = csv.reader(io.StringIO(text, newline=""))
    assert len(lines) == 1
    lines[0][header.index("实付金额(元)")] = "100.00"
    mended = io.StringIO()
    csv.writer(mended).writerows([header, *lines])
    (tmp_path / "已修正.csv").write_text(mended.getvalue(), encoding="utf-8")
    take_in(operator, tmp_path / "已修正.csv")
    operator.goto("/operations/quarantine/")
    assert operator.locator("tbody tr").count() == 0

    # Settle; whoever did can't approve; somebody else does; publish.
    first = settle(operator)
    assert "请由另一人复核批准" in operator.inner_text("main")
    finance.goto(SETTLING)
    finance.get_by_role("button", name="批准这份草稿").click()
    assert "您已批准" in finance.inner_text("main")
    operator.goto(SETTLING)
    operator.get_by_role("button", name="公示", exact=True).click()
    operator.wait_for_load_state()
    operator.goto("/notices/2022-12/1")
    assert fen_in(operator.inner_text("dl.facts >> nth=0")) == first

    # Correct: a late refund changes what an order earns, the causes sum to it, and it is the next notice.
    refund = order_row(number=400, amount_fen=10_000, status=4, modified="2023-01-12 09:00:00")
    take_in(operator, write_csv_zh(tmp_path / "退款.csv", [refund]))
    second = settle(operator)
    assert second != first
    assert "之后退款、审核失败或处罚" in operator.inner_text("main")
    finance.goto(SETTLING)
    finance.get_by_role("button", name="批准这份草稿").click()
    operator.goto(SETTLING)
    operator.get_by_role("button", name="公示", exact=True).click()
    operator.wait_for_load_state()
    operator.goto("/notices/2022-12/2")
    assert fen_in(operator.inner_text("dl.facts >> nth=0")) == second
