"""The site with November paid in part, and those who visit it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web.clients import application, close, log_in
from tests.web.payout_pages.desk import NOW, Visitor
from tests.web.world import EMAILS


@pytest.fixture
def app(paid_url: str, tmp_path: Path) -> Iterator[Flask]:
    app = application(paid_url, NOW, tmp_path)
    yield app
    close(app)


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    def visit(role: str) -> FlaskClient:
        client = app.test_client()
        log_in(client, EMAILS.get(role, role))
        return client

    return visit
