"""An operator gives a program a place for its events, on a desktop and on a phone."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.web.test_browser import faults_of, hidden_beside, sideways
from tests.web.world import DECEMBER, copied, served

SECRET = re.compile(r"whsec_[A-Za-z0-9+/]{43}=")


def seen(page: Page, *, javascript: bool) -> str:
    """The words of a page, which fits its window and has no fault that axe (a script) finds."""
    assert sideways(page) <= 0
    assert hidden_beside(page) == []
    assert not javascript or faults_of(page) == ""
    return page.inner_text("main")


@pytest.mark.parametrize(("size", "javascript"), [("desktop", True), ("phone", False)])
def test_an_operator_adds_tests_rotates_and_disables_an_endpoint(
    visit: Callable[..., Page], small_site: Path, tmp_path: Path, size: str, javascript: bool
) -> None:
    with served(copied(small_site, tmp_path), tmp_path, DECEMBER) as site:
        page = visit(site, "operator", size=size, javascript=javascript, language="en")
        page.goto("/operations/outbox/")
        page.get_by_role("link", name="Endpoints").first.click()
        page.wait_for_url("**/operations/webhooks/")
        assert "No endpoints yet" in seen(page, javascript=javascript)
        page.fill("#name", "Progress board")
        page.fill("#url", "https://hooks.example.com/bounty?key=k3y")
        page.locator("form.card button.primary").click()
        words = seen(page, javascript=javascript)
        (secret,) = SECRET.findall(words)
        page.goto("/operations/webhooks/")
        page.click("text=Progress board")
        page.wait_for_url("**/operations/webhooks/1")
        words = seen(page, javascript=javascript)
        assert secret not in words
        assert "k3y" not in words
        assert "active" in words
        page.click("button:has-text('Send a test event')")
        delivery = page.locator("section[aria-labelledby=deliveries] tbody tr")
        delivery.wait_for()
        assert "waiting" in delivery.inner_text()
        page.click("button:has-text('Replace the signing secret')")
        assert SECRET.findall(seen(page, javascript=javascript)) not in ([], [secret])
        page.goto("/operations/webhooks/1")
        page.click("button:has-text('Disable')")
        words = seen(page, javascript=javascript)
        assert "disabled" in words
        assert page.locator("button:has-text('Send a test event')").count() == 0
