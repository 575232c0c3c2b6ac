"""Readers without a browser: the application's own test client, logged in or not, its clock standing."""

import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from bounty.app import create_app
from bounty.web.shared.request_context import EXTENSION
from config import Settings
from tests.factories import shanghai
from tests.web.world import PASSWORD, PAYEE_KEY

KEYS: dict[str, Any] = {
    "secret_key": "a key of the tests, which keeps no secret",
    "totp_key": "another key of theirs, as little",
    "payee_key": PAYEE_KEY,
}
STRONG = {
    "secret_key": "kJ3-2hS9_pQx7Lw0ZrT5vYc8BnM1aDfG",
    "totp_key": "Wq8_eR5tYu2iOp-A7sDf4gHj1kLz9xCv",
    "payee_key": "Zb5-nM2vCx8_Lk4jHg7fDs1aPo9iUy3T",
    "allowed_hosts": "localhost",
    "public_url": "https://localhost",
    "env": "production",
}
"""Settings with which production starts."""
NOON = shanghai("2022-12-15 12:00:00")
"""Where the ``clock`` stands until it is moved."""
Opened = Callable[..., Flask]
"""Makes an application with these settings."""


def application(database_url: str, now: str | None, folder: Path | None = None, **settings: Any) -> Flask:
    """The application over a database, its uploads and mails in a folder of the test's.

    now   a wall time in Shanghai, at which its clock stands; without one it has this process's
    """
    at = None if now is None else shanghai(now)
    given: dict[str, Any] = KEYS | {"database_url": database_url, "now": at} | settings
    if folder is not None:
        given = {"uploads": folder / "uploads", "backups": folder / "backups"} | given
    app = create_app(Settings(**given))
    app.testing = True
    return app


def close(app: Flask) -> None:
    """An application keeps its connections for as long as its process lives; a test closes them."""
    books = app.extensions[EXTENSION]
    books.engine.dispose()
    if books.replica is not None:
        books.replica.engine.dispose()


def words_of(page: str) -> str:
    """What a reader sees of a page, on one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def token_of(page: str) -> str:
    """The token that its forms carry."""
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert found, "the page has no form"
    return found[1]


def post(client: FlaskClient, path: str, **fields: Any) -> Any:
    """Post a form as a page of ours does, with the token of the log-in page, which all forms of a session share."""
    token = token_of(client.get("/rules").text)
    return client.post(path, data={"csrf_token": token, **fields})


def log_in(client: FlaskClient, email: str, password: str = PASSWORD) -> Any:
    """Through the form; the answer to it."""
    return post(client, "/login", email=email, password=password, submit="1")


def is_in(client: FlaskClient) -> bool:
    """Whether the client is somebody: the page says whose it is."""
    return "退出" in words_of(client.get("/notices", headers={"Accept-Language": "zh"}).text)


def production(opened: Opened) -> FlaskClient:
    """A browser at a site as it runs for real."""
    client = opened(**STRONG).test_client()
    client.environ_base["HTTP_REFERER"] = "https://localhost/"
    return client
