"""Every page in a real browser: nothing for axe to find, no sideways scroll, both languages, small on the wire."""

import re
from collections.abc import Callable, Iterable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.factories import PROMOTER, sn
from tests.web.world import Site

WIRE_BYTES = 100_000
"""What a first visit may weigh, headers and style sheet included."""
STARTS: dict[str | None, tuple[str, ...]] = {
    None: ("/login", "/reset"),
    "promoter": (
        "/orders?reason=NOT_VIRTUAL&q=nothing",
        f"/orders/{sn(210)}",
        f"/orders/{sn(211)}",
        f"/appeals/new?order_sn={sn(211)}",
    ),
    "operator": (f"/operations/roster/2022-12/{PROMOTER + 3}",),
    "finance": ("/finance/debts",),
}
"""Where somebody begins beside the first page: what no link leads to, or looks otherwise than others of its kind."""
VISITS = [
    *(
        (role, *view)
        for role in (None, "promoter", "operator", "finance", "admin")
        for view in (("desktop", "zh"), ("phone", "en"))
    ),
    # Each size and each language was seen above; the other pairs of them take minutes.
    *(
        pytest.param(role, *view, marks=pytest.mark.soak)
        for role in (None, "promoter", "operator", "finance")
        for view in (("desktop", "en"), ("phone", "zh"))
    ),
]
"""Who looks, at what size, in which language."""


def kind_of(address: str) -> str:
    """An address without its numbers and its query: pages of one kind look alike."""
    return re.sub(r"[0-9][0-9-]*", "#", address.partition("?")[0])


def pages_from(page: Page, starts: Iterable[str]) -> Iterator[str]:
    """Opens every kind of page that can be reached by links, one of each; its address."""
    waiting, seen = list(starts), {kind_of(start) for start in starts}
    while waiting:
        address = waiting.pop(0)
        response = page.goto(address)
        assert response is not None
        assert response.ok, address
        yield address
        links = page.locator("main a[href^='/'], nav a[href^='/']").evaluate_all(
            "links => links.map(link => link.getAttribute('href'))"
        )
        for link in (each.partition("#")[0] for each in links):
            if kind_of(link) not in seen and not re.search(
                r"\.(csv|xlsx|zip|json|py)$|/mend$", kind_of(link)
            ):
                seen.add(kind_of(link))
                waiting.append(link)


def faults_of(page: Page) -> str:
    """What axe finds against WCAG 2.2 AA and its own best practice, and in the dark what can differ there."""
    page.wait_for_load_state()
    found = []
    for scheme, options in (("light", None), ("dark", {"runOnly": ["color-contrast"]})):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        results = Axe().run(page, options=options)
        found += [f"{page.url} {scheme}\n{results.generate_report()}"] if results.violations_count else []
    return "\n".join(found)


def sideways(page: Page) -> int:
    """By how many pixels the page is wider than the window, once its style has come: without it, it is another page."""
    page.wait_for_load_state()
    width: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width


def hidden_beside(page: Page) -> list[str]:
    """Tables of which a part can be seen only by scrolling sideways."""
    page.wait_for_load_state()
    found: list[str] = page.eval_on_selector_all(
        ".box",
        "boxes => boxes.filter(box => box.scrollWidth > box.clientWidth).map(box => box.ariaLabel || box.innerText)",
    )
    return found


@pytest.mark.parametrize(("role", "size", "language"), VISITS)
def test_every_page_is_usable_by_everybody(
    visit: Callable[..., Page], paid_site: Site, role: str | None, size: str, language: str
) -> None:
    """axe finds nothing, nothing is too wide, and the page is in the reader's language."""
    page = visit(paid_site, role, size=size, language=language)
    found = []
    for address in pages_from(page, ["/", *STARTS.get(role, ())]):
        assert page.locator("html").get_attribute("lang") == ("zh-CN" if language == "zh" else "en"), address
        assert page.locator("h1").count() == 1, address
        found += [faults_of(page)]
        found += [f"{address} is {over} px too wide" for over in [sideways(page)] if over > 0]
        found += [f"{address}: a part of {table} is beside the window" for table in hidden_beside(page)]
    assert [fault for fault in found if fault] == []


@pytest.mark.parametrize("role", [None, "promoter", "operator", "finance", "admin"])
def test_a_first_visit_is_light(visit: Callable[..., Page], site: Site, role: str | None) -> None:
    page = visit(site, role)
    received: list[float] = []
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    session.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    page.goto("/", wait_until="networkidle")
    assert 0 < sum(received) <= WIRE_BYTES


@pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no-scripts"])
@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("zh", "用户从您的推广链接进入后直接下单"),
        ("en", "A buyer came by your link and ordered without leaving"),
    ],
)
def test_a_known_sentence_is_on_the_page(
    visit: Callable[..., Page], site: Site, javascript: bool, language: str, sentence: str
) -> None:
    page = visit(site, javascript=javascript, language=language)
    page.goto("/rules#direct")
    assert sentence in page.inner_text("#direct")
    page.click("text=English" if language == "zh" else "text=中文")
    assert sentence not in page.inner_text("#direct")
    assert page.url.endswith("/rules")
