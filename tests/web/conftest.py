"""The pages in a real browser: system Chromium, a server of its own, desktop and phone, with JavaScript or without."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from playwright.sync_api import Browser, ConsoleMessage, Page, StorageState, sync_playwright
from sqlalchemy import Engine, event

from bounty.db import make_engine
from tests import postgres
from tests.web.clients import NOON, Opened, application, close
from tests.web.world import DECEMBER, EMAILS, PASSWORD, Site, add_sprint, copied, fill, pay, served

WIDTHS = {"desktop": (1280, 900), "phone": (360, 780)}
"""Size -> width and height of the window, in CSS pixels."""
ARGUMENTS = [
    "--no-sandbox",  # as root, in a container
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]


def chromium() -> str:
    """The system's browser; without it, or without a Chinese font, the tests that need it fail."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.fail("There is no Chromium: install it (Debian: apt-get install chromium).", pytrace=False)
    fonts = (
        shutil.which("fc-list")
        and subprocess.run(["fc-list", ":lang=zh", "family"], capture_output=True, check=True).stdout.strip()
    )
    if not fonts:
        pytest.fail(
            "There is no Chinese font: install one (Debian: apt-get install fontconfig fonts-noto-cjk).",
            pytrace=False,
        )
    return found


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """Every SELECT and change sent to any database from here on."""
    said: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if not statement.startswith(("PRAGMA", "BEGIN")):
            said.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield said
    event.remove(Engine, "before_cursor_execute", note)


@pytest.fixture
def clock() -> Iterator[Any]:
    """Stands at noon until it is moved: ``clock.shift(seconds)``."""
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def opened(database_url: str, tmp_path: Path, clock: Any) -> Iterator[Opened]:
    """The application, with the clock of this process."""
    apps: list[Flask] = []

    def app(**settings: Any) -> Flask:
        apps.append(application(database_url, None, tmp_path, **settings))
        return apps[-1]

    yield app
    for app_ in apps:
        close(app_)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One for all tests of a process; each visitor has a profile of their own in it."""
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def small_site(_sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database with the small site in it; to be copied."""
    folder = tmp_path_factory.mktemp("small")
    engine = make_engine(copied(_sqlite_template, folder))
    fill(engine, folder / "files")
    engine.dispose()
    return folder / "books.sqlite"


@pytest.fixture(scope="session")
def paid_books(small_site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small site with November paid in part; to be copied."""
    folder = tmp_path_factory.mktemp("paid")
    engine = make_engine(copied(small_site, folder))
    pay(engine, folder / "files")
    engine.dispose()
    return folder / "books.sqlite"


@pytest.fixture(scope="session")
def paid_books_of_two(small_site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small site with a programme of half-months besides, and November paid in part; to be copied."""
    folder = tmp_path_factory.mktemp("two")
    engine = make_engine(copied(small_site, folder))
    add_sprint(engine, folder / "sprint")
    pay(engine, folder / "files")
    engine.dispose()
    return folder / "books.sqlite"


@pytest.fixture(scope="session")
def paid_site(paid_books: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """That site in mid-December, for looking only."""
    folder = tmp_path_factory.mktemp("paid-site")
    with served(copied(paid_books, folder), folder, DECEMBER) as site:
        yield site


@pytest.fixture(scope="session")
def site(small_site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The small site in mid-December, for looking only."""
    folder = tmp_path_factory.mktemp("site")
    with served(copied(small_site, folder), folder, DECEMBER) as site:
        yield site


@pytest.fixture(scope="session")
def small_site_on_postgresql(
    _postgres_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of a PostgreSQL database with the small site in it; to be copied."""
    url = postgres.fresh_database(template=_postgres_template)
    engine = make_engine(url)
    fill(engine, tmp_path_factory.mktemp("small") / "files")
    engine.dispose()
    yield url
    postgres.drop_database(url)


@pytest.fixture(scope="session")
def paid_books_on_postgresql(
    small_site_on_postgresql: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of a PostgreSQL database with the same in it; to be copied."""
    url = postgres.fresh_database(template=small_site_on_postgresql)
    engine = make_engine(url)
    pay(engine, tmp_path_factory.mktemp("paid") / "files")
    engine.dispose()
    yield url
    postgres.drop_database(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def paid_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a copy of these books, on either database."""
    if request.param == "sqlite":
        yield copied(request.getfixturevalue("paid_books"), tmp_path / "books")
    else:
        url = postgres.fresh_database(template=request.getfixturevalue("paid_books_on_postgresql"))
        yield url
        postgres.drop_database(url)


@pytest.fixture
def own_site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Site]]:
    """Serves a copy of the small site, or of the one paid in part, at an instant, on SQLite or PostgreSQL; what a test
    does to it stays there."""
    with ExitStack() as stack:

        def serve(now: str, database: str = "sqlite", *, paid: bool = False, **more: str) -> Site:
            folder, books = tmp_path / "own", "paid_books" if paid else "small_site"
            url = copied(request.getfixturevalue(books), folder)
            if database == "postgresql":
                url = postgres.fresh_database(request.getfixturevalue(f"{books}_on_postgresql"))
                stack.callback(postgres.drop_database, url)
            return stack.enter_context(served(url, folder, now, **more))

        yield serve


@pytest.fixture
def site_of_two(paid_books_of_two: Path, tmp_path: Path) -> Iterator[Callable[[], Site]]:
    """Serves a copy of the books of two programmes in mid-December; what a test does to it stays there."""
    with ExitStack() as stack:

        def serve() -> Site:
            folder = tmp_path / "two"
            return stack.enter_context(served(copied(paid_books_of_two, folder), folder, DECEMBER))

        yield serve


@pytest.fixture(scope="session")
def logged_in(browser: Browser) -> Callable[[Site, str], StorageState]:
    """The cookies of a role on a site, from one log-in each."""
    kept: dict[tuple[str, str], StorageState] = {}

    def state(site: Site, role: str) -> StorageState:
        if (site.url, role) not in kept:
            context = browser.new_context(base_url=site.url, locale="zh-CN")
            context.set_default_timeout(60_000)
            log_in(context.new_page(), EMAILS[role])
            kept[site.url, role] = context.storage_state()
            context.close()
        return kept[site.url, role]

    return state


def log_in(page: Page, email: str) -> None:
    """Through the form, as a person does."""
    page.goto("/login")
    page.fill("input[name=email]", email)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[name=submit]")
    page.wait_for_url(lambda url: "/login" not in url)


@pytest.fixture
def visit(browser: Browser, logged_in: Callable[[Site, str], StorageState]) -> Iterator[Callable[..., Page]]:
    """Opens a window on a site: ``visit(site, role, size=, javascript=, language=)``.

    role   whose cookies it holds; null for nobody's

    What the browser complains of (console, content security policy, failed requests) fails the test at its end.
    """
    complaints: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        complaints.append(f"{message.page.url if message.page else ''}: {message.type} {message.text}")

    with ExitStack() as stack:

        def open_window(
            site: Site,
            role: str | None = None,
            *,
            size: str = "desktop",
            javascript: bool = True,
            language: str = "zh",
        ) -> Page:
            width, height = WIDTHS[size]
            context = browser.new_context(
                base_url=site.url,
                viewport={"width": width, "height": height},
                locale="zh-CN" if language == "zh" else "en-GB",
                timezone_id="America/Los_Angeles",  # the pages say Shanghai's time all the same
                java_script_enabled=javascript,
                storage_state=logged_in(site, role) if role else None,
                accept_downloads=True,
            )
            stack.callback(context.close)
            context.set_default_timeout(60_000)  # a busy machine
            page = context.new_page()
            page.on("console", heard)
            page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
            page.on(
                "requestfailed",
                lambda request: (
                    None
                    if "ERR_ABORTED" in (request.failure or "")  # a download takes the place of the page
                    else complaints.append(f"{request.url}: {request.failure}")
                ),
            )
            return page

        yield open_window
    assert complaints == []
