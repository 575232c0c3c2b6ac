"""The operator's month in a real browser: import, mend, settle, approval by another, publish, correct."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page

from tests.factories import order_row, sn, write_csv_zh
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


def publish(page: Page) -> None:
    """By way of the page that says what will happen."""
    page.get_by_role("link", name="核对并公示").click()
    assert "发布后不能撤回" in page.inner_text("main")
    page.get_by_role("button", name="公示", exact=True).click()
    page.get_by_text("号公示已发布。").wait_for(timeout=PATIENCE_MS)


def go_by_today_to_late_facts(operator: Page) -> None:
    """Today says that data came after the notice, and leads to where it is settled again."""
    operator.goto("/")
    late = operator.locator("li", has_text="2022年12月期：公示之后有新数据")
    assert "补贴" in late.inner_text()
    late.get_by_role("link", name="去再次核算").click()
    assert operator.url.endswith(SETTLING)


def freeze_what_was_missed(operator: Page) -> None:
    """The calendar was missed: Today says so, and the roster is looked through before it is frozen."""
    operator.goto("/")
    missed = operator.locator("li", has_text="冻结2023年1月期的名单")
    assert "已过期限" in missed.inner_text()
    missed.get_by_role("link", name="去冻结名单").click()
    assert "冻结后不能撤销" in operator.inner_text("main")
    operator.get_by_role("button", name="冻结名单").click()
    operator.get_by_text("2023-01 已开期：名单 9 人").wait_for(timeout=PATIENCE_MS)


def take_back_and_search(operator: Page, folder: Path) -> None:
    """A batch that was wrong is taken back, once it is said what that does; an order is found by its number."""
    take_in(operator, write_csv_zh(folder / "误.csv", [order_row(number=402, modified=LATE)]))
    operator.goto("/operations/imports/")
    operator.get_by_role("link", name="撤销").first.click()
    assert "收回 1 行，1 单会变，其中 1 单不再存在" in operator.inner_text("main")
    operator.get_by_role("button", name="撤销这个批次").click()
    operator.get_by_text("已撤销，收回 1 行").wait_for(timeout=PATIENCE_MS)
    box = operator.get_by_role("searchbox", name="订单编号、推手或付款编号")
    box.fill(sn(400))
    box.press("Enter")
    operator.wait_for_url(f"**/orders/{sn(400)}")


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
    publish(operator)
    operator.goto("/notices/2022-12/1")
    assert fen_in(operator.inner_text("dl.facts >> nth=0")) == first

    # Correct: a late refund changes what an order earns, the causes sum to it, and it is the next notice.
    refund = order_row(number=400, amount_fen=10_000, status=4, modified="2023-01-12 09:00:00")
    take_in(operator, write_csv_zh(tmp_path / "退款.csv", [refund]))
    go_by_today_to_late_facts(operator)
    second = settle(operator)
    assert second != first
    assert "之后退款、审核失败或处罚" in operator.inner_text("main")
    finance.goto(SETTLING)
    finance.get_by_role("button", name="批准这份草稿").click()
    operator.goto(SETTLING)
    publish(operator)
    operator.goto("/notices/2022-12/2")
    assert fen_in(operator.inner_text("dl.facts >> nth=0")) == second

    freeze_what_was_missed(operator)
    take_back_and_search(operator, tmp_path)
