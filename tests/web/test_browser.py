"""Every page in a real browser: nothing for axe to find, no sideways scroll, both languages, small on the wire."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.factories import PROMOTER, sn
from tests.web.conftest import WIDTHS
from tests.web.world import Site

WIRE_BYTES = 100_000
"""What a first visit may weigh, headers and style sheet included."""
PAGES: dict[str | None, tuple[str, ...]] = {
    None: ("/", "/notices/2022-11/1", "/notices/2022-11/2", "/rules", "/login", "/reset"),
    "operator": (
        "/operations/imports/",
        "/operations/quarantine/",
        "/operations/roster/2022-12/",
        f"/operations/roster/2022-12/{PROMOTER + 3}",
        "/operations/roster/invitations",
        "/operations/appeals/",
    ),
    "promoter": (
        "/task",
        "/months/2022-11/task",
        "/orders",
        "/orders?reason=NOT_VIRTUAL&q=nothing",
        f"/orders/{sn(210)}",
        f"/orders/{sn(211)}",
        f"/orders/{sn(101)}",
        "/subsidy",
        "/months/2022-11/subsidy",
        "/history",
        "/appeals/",
        f"/appeals/new?order_sn={sn(211)}",
    ),
}
"""Role -> the addresses of its pages in the small site."""
EVERY_PAGE = [(role, path) for role, paths in PAGES.items() for path in paths]


def faults_of(page: Page) -> str:
    """What axe finds against WCAG 2.2 AA and its own best practice."""
    results = Axe().run(page)
    return "" if results.violations_count == 0 else f"{page.url}\n{results.generate_report()}"


def sideways(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    width: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("size", WIDTHS)
@pytest.mark.parametrize("role", PAGES)
def test_every_page_is_usable_by_everybody(
    visit: Callable[..., Page], site: Site, role: str | None, size: str, language: str
) -> None:
    page = visit(site, role, size=size, language=language)
    found = []
    for path in PAGES[role]:
        response = page.goto(path)
        assert response is not None
        assert response.ok, path
        assert page.locator("html").get_attribute("lang") == ("zh-CN" if language == "zh" else "en"), path
        assert page.locator("h1").count() == 1, path
        found += [faults_of(page)] + [
            f"{path} is {over} px too wide" for over in [sideways(page)] if over > 0
        ]
    assert [fault for fault in found if fault] == []


@pytest.mark.parametrize(("role", "path"), EVERY_PAGE)
def test_a_first_visit_is_light(visit: Callable[..., Page], site: Site, role: str | None, path: str) -> None:
    page = visit(site, role)
    received: list[float] = []
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    session.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    page.goto(path, wait_until="networkidle")
    assert 0 < sum(received) <= WIRE_BYTES
