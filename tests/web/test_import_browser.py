"""An import followed in a real browser, with scripts and without: it moves on by itself to what came of it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.factories import PROMOTER, command, order_row, write_json
from tests.intake.build import CHINESE_ORDER, csv_text, write
from tests.web.world import DECEMBER, Site

PATIENCE_MS = 90_000


@pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no scripts"])
def test_a_file_is_tried_and_imported_while_the_page_follows(
    visit: Callable[..., Page], own_site: Callable[..., Site], tmp_path: Path, javascript: bool
) -> None:
    page = visit(own_site(DECEMBER), "operator", javascript=javascript)
    page.goto("/operations/imports/")
    page.get_by_label("文件（CSV").set_input_files(
        write_json(tmp_path / "订单.json", [order_row(number=400)])
    )
    page.get_by_role("button", name="上传并试导入").click()
    page.get_by_text("没有留下任何改动").wait_for(timeout=PATIENCE_MS)
    page.get_by_role("button", name="导入", exact=True).click()
    page.get_by_text("已导入为批次").wait_for(timeout=PATIENCE_MS)
    assert page.get_by_text("新增 1 ·").count() == 1


def upload(page: Page, kind: str, path: Path) -> None:
    page.goto("/operations/imports/")
    page.get_by_label("种类").first.select_option(kind)
    page.get_by_label("文件（CSV").set_input_files(path)
    page.get_by_role("button", name="上传并试导入").click()


def test_headers_are_mapped_for_a_file_and_from_then_on_and_every_error_is_shown(
    visit: Callable[..., Page], own_site: Callable[..., Site], tmp_path: Path
) -> None:
    page = visit(own_site(DECEMBER), "operator")
    order = {**CHINESE_ORDER, "推广位ID": f"{PROMOTER}_1", "订单状态": "确认收货"}
    spoilt = {**order, "订单编号": "221219-9", "推广位ID": "0_1", "更新时间": "昨天"}
    near = [
        "实付金额" if name == "实付金额(元)" else "推广位id" if name == "推广位ID" else name for name in order
    ]
    upload(page, "orders", write(tmp_path, "订单.csv", csv_text(near, order.values(), spoilt.values())))
    page.get_by_text("“实付金额”是否就是“实付金额(元)”").wait_for(timeout=PATIENCE_MS)
    assert page.get_by_label("实付金额(元)").input_value() == "实付金额"
    page.get_by_label("以后同类文件也这样读取").check()
    page.get_by_role("button", name="按此读取并试导入").click()
    page.get_by_text("没有留下任何改动").wait_for(timeout=PATIENCE_MS)
    assert page.get_by_text("列“实付金额”按“实付金额(元)”读取").count() == 1
    assert page.get_by_text("没有确认收货时间").count() == 1
    bad = page.get_by_role("region", name="会被隔离的行的表")
    assert [bad.get_by_role("cell", name=name, exact=True).count() for name in ("推广位ID", "更新时间")] == [
        1,
        1,
    ]
    page.get_by_role("button", name="导入", exact=True).click()
    page.get_by_text("已导入为批次").wait_for(timeout=PATIENCE_MS)
    page.goto("/operations/imports/")
    assert page.get_by_text("推广位id → 推广位ID").count() == 1
    page.get_by_role("button", name="删除列名对应 推广位id").click()
    page.get_by_text("已删除这条列名对应").wait_for(timeout=PATIENCE_MS)
    assert page.get_by_text("推广位id → 推广位ID").count() == 0


def test_an_older_file_of_promoters_asks_before_it_puts_back_what_was_corrected(
    visit: Callable[..., Page], own_site: Callable[..., Site], tmp_path: Path
) -> None:
    site = own_site(DECEMBER)
    header = "promoter_id,name,level,level_from,registered_on\n"
    first = write(tmp_path, "旧.csv", header + "77,李雷,V0,2022-01-01,2021-01-01\n")
    for path in (first, write(tmp_path, "新.csv", header + "77,李雷,V1,2022-01-01,2021-01-01\n")):
        assert command(site.database_url, DECEMBER, "import", "promoters", str(path)).exit_code == 0
    page = visit(site, "operator")
    upload(page, "promoters", first)
    page.get_by_text("推手 77（2022-01-01 起）的等级：V1 → V0").wait_for(timeout=PATIENCE_MS)
    page.get_by_label("确认改回后来的更正").check()
    page.get_by_role("button", name="导入", exact=True).click()
    page.get_by_text("已导入为批次").wait_for(timeout=PATIENCE_MS)
