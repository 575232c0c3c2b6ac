"""The page for logging in offers the accounts of the sample data, and only those; what `/` says; the printed notice."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page
from sqlalchemy import Engine

from bounty.accounts.demo_accounts import DEMO_ACCOUNTS, DEMO_PASSWORD, STAFF
from bounty.sample.accounts import add_staff
from tests.web.clients import Opened, is_in, post, production
from tests.web.world import Site

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@only_sqlite
def test_sample_accounts_are_offered_as_buttons(engine: Engine, opened: Opened) -> None:
    client = opened().test_client()
    assert DEMO_PASSWORD not in client.get("/login").text
    add_staff(engine, 1)
    offered = re.findall(r'name="email" value="([^"]+)"', client.get("/login").text)
    staff = {email for _, email, _ in STAFF}
    assert offered == [email for email, *_ in DEMO_ACCOUNTS if email in staff]
    post(client, "/login", email=offered[-1], password=DEMO_PASSWORD, submit="1")
    assert is_in(client)


@only_sqlite
def test_production_never_offers_them(engine: Engine, opened: Opened) -> None:
    add_staff(engine, 1)
    page = production(opened).get("/login").text
    assert DEMO_PASSWORD not in page
    assert not [email for _, email, _ in STAFF if email in page]


@pytest.mark.parametrize(
    ("language", "sentence"), [("zh", "赏金台按月核算推手的赏金"), ("en", "Bounty settles the monthly")]
)
def test_the_first_page_says_what_this_is(
    visit: Callable[..., Page], site: Site, language: str, sentence: str
) -> None:
    page = visit(site, language=language)
    page.goto("/")
    assert page.inner_text("main .say >> nth=0").startswith(sentence)


def test_a_printed_notice_has_its_header_and_hash_and_nothing_to_press(
    visit: Callable[..., Page], site: Site
) -> None:
    page = visit(site)
    page.goto("/notices/2022-11/1")
    shown = ".print-only"
    assert not page.is_visible(shown)
    page.emulate_media(media="print", color_scheme="dark")
    assert re.search(r"/notices/2022-11/1\s.*sha256:[0-9a-f]{64}", page.inner_text(shown), re.DOTALL)
    assert page.is_visible("#levels")
    hidden = page.locator(".banner, header.top, .filters, button, form, .pager, .crumbs").all()
    assert hidden
    assert not [each for each in hidden if each.is_visible()]
    ink, paper = page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    assert (ink, paper) == ("rgb(28, 26, 23)", "rgb(255, 255, 255)")
    page.set_viewport_size({"width": 700, "height": 990})  # a sheet of A4 within its margins
    assert page.locator("thead").first.is_visible()
