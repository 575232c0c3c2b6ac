"""What machines ask the site, and what it writes of itself, as gunicorn serves it in production."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine, text

from bounty.accounts.service import add_user
from bounty.db import transaction
from config import ROOT
from tests.factories import Month, environment, order_row, plain_terms, promoter
from tests.web.clients import application, close, is_in, log_in, words_of

TOKEN = "canary-metrics-token"
PASSWORD = "canary-password-of-nobody"
KEY = "canary-key 0123456789 abcdefghijklmnop"


def test_alive_and_ready(database_url: str) -> None:
    app = application(database_url, None)
    client = app.test_client()
    assert client.get("/healthz").data == b"ok\n"
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json) == (200, {"database": "ok", "schema": "ok", "disk": "ok"})
    close(app)


def test_not_ready_with_a_schema_that_is_behind(database_url: str, engine: Engine) -> None:
    app = application(database_url, None)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json == {"database": "ok", "schema": "BountyError", "disk": "ok"}
    assert app.test_client().get("/healthz").status_code == 200
    close(app)


def test_figures_are_for_whoever_bears_the_token(database_url: str) -> None:
    closed = application(database_url, None)
    assert closed.test_client().get("/metrics").status_code == 404
    close(closed)
    app = application(database_url, None, metrics_token=TOKEN)
    client = app.test_client()
    for given in ({}, {"Authorization": "Bearer another"}, {"Authorization": TOKEN}):
        assert client.get("/metrics", headers=given).status_code == 404
    close(app)


def test_figures_are_those_of_the_books(database_url: str, engine: Engine, tmp_path: Path) -> None:
    month = Month(engine, tmp_path)
    month.begin(promoter(), toml=plain_terms())
    month.orders(order_row(number=1), order_row(number=2), order_row(number=3, promoter_id=999))
    app = application(database_url, None, metrics_token=TOKEN)
    answer = app.test_client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert found["bounty_rows", "orders", "new"] == 2
    assert found["bounty_quarantine_open", "orders"] == 1
    assert found["bounty_orders_imported_timestamp_seconds",] > 0
    assert found["bounty_notices",] == 0
    assert found["bounty_slots", "missed"] > 100  # nobody has worked since January
    assert (found["bounty_slots", "done"], found["bounty_outbox", "waiting"]) == (0, 0)
    close(app)


class Served:
    """The site as production runs it, and what it wrote to standard error."""

    def __init__(self, database_url: str, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as held:
            self.port = held.getsockname()[1]
        (folder / "metrics").mkdir()
        self._log = folder / "log"
        env = environment(
            database_url,
            BOUNTY_ENV="production", BOUNTY_BIND=f"127.0.0.1:{self.port}", BOUNTY_ALLOWED_HOSTS="bounty.example",
            BOUNTY_PUBLIC_URL="https://bounty.example", BOUNTY_PROXIES="1", BOUNTY_METRICS_TOKEN=TOKEN,
            BOUNTY_SECRET_KEY=KEY, BOUNTY_TOTP_KEY=KEY[::-1], BOUNTY_PAYEE_KEY=KEY,
            BOUNTY_UPLOADS=str(folder / "uploads"),
            PROMETHEUS_MULTIPROC_DIR=str(folder / "metrics"),
        )  # fmt: skip
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "--config",
            "deploy/gunicorn.conf.py",
            "bounty.app:create_app()",
        ]
        self._file = self._log.open("wb")
        self._process = subprocess.Popen(command, cwd=ROOT, env=env, stderr=self._file)

    def ask(self, path: str, method: str = "GET", body: str = "", **headers: str) -> tuple[int, str]:
        said = {
            "Host": "bounty.example", "X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7",
            "Content-Type": "application/x-www-form-urlencoded", **headers,
        }  # fmt: skip
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, body, said)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def wait(self) -> None:
        for _ in range(300):
            try:
                self.ask("/healthz")
            except OSError:
                assert self._process.poll() is None, self._log.read_text()
                time.sleep(0.2)
            else:
                return
        raise AssertionError(self._log.read_text())

    def kill(self) -> None:
        """Wherever a test left it."""
        self._process.kill()
        self._process.wait(timeout=60)
        self._file.close()

    def stop(self) -> str:
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(timeout=60) == 0
        self._file.close()
        return self._log.read_text()


@pytest.fixture
def served(database_url: str, tmp_path: Path) -> Iterator[Served]:
    site = Served(database_url, tmp_path)
    site.wait()
    yield site
    site.kill()


def test_every_line_is_json_numbered_and_without_secrets(served: Served) -> None:
    status, _page = served.ask("/login")
    assert status == 200
    served.ask("/login", "POST", f"email=canary-person%40example.com&password={PASSWORD}")
    served.ask("/orders/canary-order?canary-query=1", Cookie="session=canary-cookie")
    served.ask("/healthz")
    status, figures = served.ask("/metrics", Authorization=f"Bearer {TOKEN}")
    assert status == 200
    asked: Any = [
        sample
        for family in text_string_to_metric_families(figures)
        for sample in family.samples
        if sample.name == "bounty_http_requests_total" and sample.labels.get("route") == "/login"
    ]
    assert sum(sample.value for sample in asked) == 2, "the workers' figures are summed up"
    log = served.stop()
    lines = [json.loads(line) for line in log.splitlines()]
    requests = [line for line in lines if line["event"] == "request"]
    assert [(line["method"], line["route"]) for line in requests] == [
        ("GET", "/login"), ("POST", "/login"), ("GET", "/orders/<order_sn>"),
    ]  # fmt: skip
    for line in requests:
        assert {"timestamp", "level", "request_id", "status", "ms", "user_id"} <= line.keys()
        assert len(line["request_id"]) == 16
    assert "canary" not in log


def test_without_its_tables_the_site_still_answers_in_words(database_url: str, engine: Engine) -> None:
    with transaction(engine) as connection:
        add_user(
            connection, email="li@example.com", name="李", role="operator", promoter_id=None,
            password="long enough for a test", now=0,
        )  # fmt: skip
    app = application(database_url, None)
    client = app.test_client()
    log_in(client, "li@example.com", "long enough for a test")
    assert is_in(client)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE users RENAME TO gone"))
    answer = client.get("/operations/")
    assert answer.status_code in (500, 503)
    assert "没有任何改动" in words_of(answer.text)
    close(app)
