"""The small site of the pages, with a token of each role, on both databases."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from bounty.db import make_engine, transaction
from bounty.tokens.service import issue
from tests import postgres
from tests.factories import PROMOTER, bounty, shanghai
from tests.web.clients import application, close
from tests.web.world import DECEMBER, NEIGHBOUR, fill, pay

TOKENS: dict[str, tuple[str, int | None]] = {
    "promoter": ("promoter", PROMOTER),
    "neighbour": ("promoter", NEIGHBOUR),
    "operator": ("operator", None),
    "finance": ("finance", None),
}
"""Whose token -> its role and promoter."""


@dataclass(frozen=True, slots=True)
class Site:
    """The small site with November paid in part, and tokens to ask it with."""

    app: Flask
    engine: Engine
    database_url: str
    folder: Path
    tokens: dict[str, str]

    def ask(self, path: str, who: str | None, method: str = "GET", **more: Any) -> Any:
        """The answer to a request with somebody's token."""
        headers = {"Accept-Language": "en", **more.pop("headers", {})}
        if who is not None:
            headers["Authorization"] = f"Bearer {self.tokens[who]}"
        client: FlaskClient = self.app.test_client()
        return client.open(f"/api/v1{path}", method=method, headers=headers, **more)


def tokens_of(engine: Engine) -> dict[str, str]:
    """A token of each of TOKENS."""
    with transaction(engine) as connection:
        return {
            who: issue(
                connection, name=who, role=role, promoter_id=promoter_id, days=90, now=shanghai(DECEMBER)
            ).token
            for who, (role, promoter_id) in TOKENS.items()
        }


@pytest.fixture(scope="session")
def filled(
    _sqlite_template: Path, _postgres_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """Database -> the URL of one with the paid site in it; to be copied."""
    folder = tmp_path_factory.mktemp("filled")
    shutil.copy(_sqlite_template, folder / "books.sqlite")
    urls = {
        "sqlite": f"sqlite:///{folder / 'books.sqlite'}",
        "postgresql": postgres.fresh_database(template=_postgres_template),
    }
    for name, url in urls.items():
        engine = make_engine(url)
        fill(engine, folder / name)
        pay(engine, folder / name / "paid")
        engine.dispose()
    yield urls
    postgres.drop_database(urls["postgresql"])


def copy_of(urls: dict[str, str], name: str, folder: Path) -> str:
    """The URL of a copy of the filled database."""
    if name == "postgresql":
        return postgres.fresh_database(template=urls[name])
    shutil.copy(urls[name].removeprefix("sqlite:///"), folder / "books.sqlite")
    return f"sqlite:///{folder / 'books.sqlite'}"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def site(
    request: pytest.FixtureRequest, filled: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A site of the module's own on each database."""
    folder = tmp_path_factory.mktemp("api")
    url = copy_of(filled, request.param, folder)
    app = application(url, DECEMBER, folder, api_calls_per_minute=1_000_000)
    engine = make_engine(url)
    yield Site(app, engine, url, folder, tokens_of(engine))
    engine.dispose()
    close(app)
    if request.param == "postgresql":
        postgres.drop_database(url)


Shell = Callable[..., str]


@pytest.fixture(scope="module")
def shell(site: Site) -> Shell:
    """Runs a command on the site's database, at its present; its standard output."""

    def run(*words: str) -> str:
        return bounty(site.database_url, *words, now=f"{DECEMBER.replace(' ', 'T')}+08:00").stdout

    return run
