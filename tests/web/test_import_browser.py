"""An import followed in a real browser, with scripts and without: it moves on by itself to what came of it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.factories import order_row, write_json
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
