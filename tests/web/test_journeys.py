"""Three people do their month without help text: desktop and phone, with scripts and without."""

import csv
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.factories import sn
from tests.web.conftest import WIDTHS
from tests.web.world import DECEMBER, Site

WINDOWS = [(size, javascript) for size in WIDTHS for javascript in (True, False)]


def named(value: str | bool) -> str:
    """A window's part in a test's name."""
    return value if isinstance(value, str) else "scripts" if value else "no-scripts"


in_every_window = pytest.mark.parametrize(("size", "javascript"), WINDOWS, ids=named)
in_every_window_and_on_both = pytest.mark.parametrize(
    ("size", "javascript", "database"),
    [
        (*WINDOWS[0], "sqlite"),
        *(pytest.param(*window, "sqlite", marks=pytest.mark.soak) for window in WINDOWS[1:-1]),
        (*WINDOWS[-1], "postgresql"),
    ],
    ids=named,
)
"""For who writes, and takes a minute: a desktop with scripts and a phone without, on a database each; the rest in
soak."""


def fen_in(text: str) -> int:
    """The first amount in a text, whole fen."""
    found = re.search(r"(−?)¥([0-9,]+)\.([0-9]{2})", text)
    assert found, text
    return (-1 if found[1] else 1) * int(found[2].replace(",", "") + found[3])


def saved(page: Page, link: str) -> bytes:
    """The file behind a link, as the browser saves it."""
    with page.expect_download() as download:
        page.click(link)
    return Path(download.value.path()).read_bytes()


def rows(content: bytes) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


@in_every_window
def test_finance_filters_downloads_and_the_sums_agree(
    visit: Callable[..., Page], site: Site, size: str, javascript: bool
) -> None:
    page = visit(site, "finance", size=size, javascript=javascript)
    page.goto("/finance/")
    newest = page.locator("tbody tr").first
    total = fen_in(newest.locator("td.number b").inner_text())
    newest.locator("td.number a").last.click()
    page.wait_for_url("**/lines")
    footer = page.locator("tfoot tr").last
    assert fen_in(footer.locator("td.number").last.inner_text()) == total
    page.select_option("select[name=rate]", "30")
    page.click(".filters button")
    page.wait_for_url("**rate=30**")
    shown = fen_in(page.locator("tfoot tr").last.locator("td.number").last.inner_text())
    assert 0 < shown <= total
    lines = rows(saved(page, "text=下载 CSV >> nth=-1"))
    assert {line["rate_permille"] for line in lines} == {"30"}
    assert sum(int(line["subsidy_yuan"].replace(".", "")) for line in lines) == shown
    with zipfile.ZipFile(io.BytesIO(saved(page, "text=下载 CSV 与清单"))) as archive:
        results, every = rows(archive.read("results.csv")), rows(archive.read("subsidy_lines.csv"))
    for file in (results, every):
        assert sum(int(row["subsidy_yuan"].replace(".", "") or 0) for row in file) == total
    assert saved(page, "text=下载 XLSX")[:2] == b"PK"


@in_every_window_and_on_both
def test_a_promoter_sees_what_is_missing_why_an_order_does_not_count_and_appeals(
    visit: Callable[..., Page], own_site: Callable[..., Site], size: str, javascript: bool, database: str
) -> None:
    page = visit(own_site(DECEMBER, database), "promoter", size=size, javascript=javascript)
    page.goto("/")
    assert "收货即达标" in page.inner_text("main")
    page.click("text=可复制订单号")
    assert page.input_value("#numbers").split() == [sn(210)]
    assert saved(page, "text=下载 CSV").count(sn(210).encode()) == 1
    page.click("nav >> text=订单")
    page.click(f"a[href='/orders/{sn(211)}']")
    assert "非直推：该等级只计直推" in page.inner_text("main")
    page.click("text=对这一单申诉")
    page.fill("textarea", "用户是从我的链接直接下单的")
    page.click("text=提交申诉")
    assert "申诉已提交" in page.inner_text("main")
    assert "用户是从我的链接直接下单的" in page.inner_text("main")
    if size == "phone":
        page.click("summary >> text=promoter")
        page.click(".menu >> text=申诉")
    else:
        page.click("nav >> text=申诉")
    assert sn(211) in page.inner_text("main")


@in_every_window
def test_a_promoter_reads_the_news_and_follows_it(
    visit: Callable[..., Page], own_site: Callable[..., Site], size: str, javascript: bool
) -> None:
    page = visit(own_site(DECEMBER, paid=True), "promoter", size=size, javascript=javascript)
    page.goto("/")
    page.click("nav >> text=消息")
    assert "补贴 ¥4.80 已发放" in page.inner_text("main")
    assert page.inner_text("nav.mine .count").startswith("1")
    page.click("main >> text=查看")
    assert page.url.endswith("/payments/1")
    assert page.locator("nav.mine .count").count() == 0
    page.goto("/inbox?state=unread")
    assert "没有符合条件的消息" in page.inner_text("main")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_on_a_phone_the_sentence_that_matters_is_seen_without_scrolling(
    visit: Callable[..., Page], paid_site: Site, language: str
) -> None:
    page = visit(paid_site, "promoter", size="phone", language=language)
    page.set_viewport_size({"width": 390, "height": 844})
    for path, sentence in (
        ("/task", ".lead .say"),
        ("/months/2022-11/task", ".lead .say"),
        ("/months/2022-12/bring-home", ".say"),
        ("/subsidy", ".sums"),
        ("/orders", "tbody tr"),
        ("/inbox", ".list li p b"),
    ):
        page.goto(path)
        box, bar = page.locator(sentence).first.bounding_box(), page.locator("nav.mine").bounding_box()
        assert box, path
        assert bar, path
        assert box["y"] + box["height"] <= bar["y"], path
    assert page.locator("nav.mine li:visible").count() == 4
    assert not page.is_visible("select")
