"""A month of more orders than a page may judge: its lists show, page by page, what its files have."""

import csv
import html
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select

from bounty.accounts.service import add_user
from bounty.db import transaction
from bounty.models import User
from bounty.progress.large_months import MOST_JUDGED
from tests.factories import PROMOTER, Month, Row, order_row, promoter, shanghai, terms_toml, write_csv_api
from tests.web.clients import application, close

ORDERS = MOST_JUDGED + 140
NOW = "2022-12-25 12:00:00"
CAPS = 'order_cap_yuan = "50.00"\npromoter_cap_yuan = "150.00"'


def _order(number: int) -> Row:
    """Of every verdict some: pending, failed, paid after the window, compared, virtual; two of one instant."""
    day = 1 + number % 24
    failed: Row = {"status": 4, "verified": "2022-12-24 13:00:00"} if number % 11 == 0 else {}
    return order_row(
        number=number,
        amount_fen=100 + 7 * number,
        paid=f"2022-12-{day:02d} 12:00:{number // 48:02d}",
        received=None if number % 5 == 0 else "2022-12-24 12:00:00",
        price_compare_status=int(number % 7 == 0),
        cat_ids=[15083] if number % 13 == 0 else [239],
        goods_name=f"第{number % 10}种",
        **failed,
    )


@pytest.fixture
def client(engine: Engine, database_url: str, tmp_path: Path) -> Iterator[FlaskClient]:
    month = Month(engine, tmp_path, now=NOW)
    month.begin(
        promoter(PROMOTER),
        toml=terms_toml(levels={"V0": 'direct_only = true\ngmv_yuan = "90.00"'}, caps=CAPS),
    )
    month.take("orders", write_csv_api(tmp_path / "orders.csv", map(_order, range(ORDERS))))
    app = application(database_url, NOW, tmp_path)
    yield _client(app, engine)
    close(app)


def _client(app: Flask, engine: Engine) -> FlaskClient:
    client = app.test_client()
    with transaction(engine) as connection, client.session_transaction() as session:
        add_user(
            connection,
            email="busy@example.com",
            name="busy",
            role="promoter",
            promoter_id=PROMOTER,
            password="a long and good one",
            now=shanghai(NOW),
        )
        session["_user_id"] = connection.execute(select(User.fs_uniquifier)).scalar_one()
        session["_fresh"], session["began"], session["seen"] = True, shanghai(NOW), shanghai(NOW)
    return client


def shown(client: FlaskClient, path: str, *, subsidy: bool = True) -> list[tuple[str, str]]:
    """Order number and subsidy, if it has one, of every row on every page of a list."""
    rows: list[tuple[str, str]] = []
    following: str | None = path
    while following is not None:
        page = client.get(following, headers={"Accept-Language": "zh"})
        assert page.status_code == 200, following
        body = page.text.partition("<tbody>")[2].partition("</tbody>")[0]
        for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL):
            number, given = (
                re.search(r"<small>(\S+) ·", row),
                re.search(r'"补贴">(?:<b>)?(?:¥([\d.,]+))?', row),
            )
            assert number is not None
            assert given is not None or not subsidy
            rows.append((number[1], ((given and given[1]) or "0.00").replace(",", "")))
        link = re.search(r'<a class="button" href="([^"]+)">下一页', page.text)
        following = None if link is None else html.unescape(link[1])
    return rows


def filed(client: FlaskClient, path: str) -> list[tuple[str, str]]:
    """The same of the file."""
    text = client.get(path).data.decode("utf-8-sig")
    return [(row["order_sn"], row["subsidy_yuan"]) for row in csv.DictReader(io.StringIO(text))]


FILTERS = (
    "",
    "?sort=paid_at",
    "?verdict=counted",
    "?verdict=pending",
    "?verdict=not",
    "?reason=NOT_FAILED",
    "?reason=NOT_VIRTUAL&verdict=not",
    "?reason=NOT_VIRTUAL&verdict=counted",
    "?subsidy=yes",
    "?subsidy=only",
    "?subsidy=no&verdict=counted",
    "?q=第3",
    "?q=221205-000000000000017",
    "?q=221205-00000000000001",
)


def test_pages_of_a_large_month_show_what_its_file_has(client: FlaskClient) -> None:
    for query in FILTERS:
        rows = shown(client, f"/months/2022-12/orders{query}")
        assert rows == filed(client, f"/months/2022-12/orders.csv{query}"), query
    every = filed(client, "/months/2022-12/orders.csv")
    assert len(every) == ORDERS
    assert sum(round(100 * float(subsidy)) for _, subsidy in every) == 150_00  # the cap is met on some day


def test_the_list_of_what_waits_has_every_pending_order_of_its_file(client: FlaskClient) -> None:
    rows = [number for number, _ in shown(client, "/months/2022-12/bring-home", subsidy=False)]
    text = client.get("/months/2022-12/bring-home.csv").data.decode("utf-8-sig")
    waiting = [(row["paid_at"], row["order_sn"]) for row in csv.DictReader(io.StringIO(text))]
    assert len(waiting) > 40
    assert rows == [number for _, number in sorted(waiting)]


def test_the_subsidy_of_a_large_month_shows_what_its_file_has(client: FlaskClient) -> None:
    for query in ("", "?q=第3", "?state=expected", "?state=paid"):
        rows = shown(client, f"/months/2022-12/subsidy{query}")
        assert rows == filed(client, f"/months/2022-12/subsidy.csv{query}"), query
    every = filed(client, "/months/2022-12/subsidy.csv")
    page = client.get("/months/2022-12/subsidy", headers={"Accept-Language": "zh"}).text
    assert f"全部 {len(every)} 单" in page
    assert "¥150.00" in page


def test_the_counts_of_a_large_month_are_those_of_its_file(client: FlaskClient) -> None:
    page = client.get("/months/2022-12/orders?reason=NOT_FAILED", headers={"Accept-Language": "zh"}).text
    found = filed(client, "/months/2022-12/orders.csv?reason=NOT_FAILED")
    assert f"全部 {len(found)} 单" in page
    counts = [
        len(filed(client, f"/months/2022-12/orders.csv?verdict={each}"))
        for each in ("counted", "pending", "not")
    ]
    words = re.sub(r"<[^>]*>|\s+", " ", client.get("/orders", headers={"Accept-Language": "zh"}).text)
    shown_counts = re.search(r"全部 (\d+) .*?已计入 (\d+) .*?待收货 (\d+) .*?不计入 (\d+) ", words)
    assert shown_counts is not None
    assert list(map(int, shown_counts.groups())) == [ORDERS, *counts]
