"""No page adds up the books: with 20,000 orders it visits no more rows than it shows, and some constant number."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, Engine, event, select

from bounty.accounts.service import add_user
from bounty.db import analyze, transaction
from bounty.models import Base, User
from bounty.web.shared.request_context import EXTENSION
from tests.factories import PROMOTER, Month, order_row, promoter, shanghai, terms_toml, write_csv_api
from tests.web.clients import application, close

NOW = "2022-12-25 12:00:00"
ORDERS, BUSIEST = 20_000, 12_000
PROMOTERS = range(PROMOTER, PROMOTER + 21)
MEDIAN = PROMOTERS[10]
FEW = {"sqlite": 150_000, "postgresql": 6_000}
"""SQLite: steps of its virtual machine, some ten for each row of an index that a statement visits and more for what it
computes of it. PostgreSQL: rows read from tables and entries read from indexes. Of all statements of a page."""


class Visited:
    """Counts what the statements of an application visit."""

    def __init__(self, engine: Engine) -> None:
        self.count = 0
        if engine.dialect.name == "sqlite":
            event.listen(engine, "checkout", self._count_steps)
        else:
            event.listen(engine, "commit", self._add_rows)
            event.listen(engine, "rollback", self._add_rows)

    def _count_steps(self, driver_connection: Any, *_: object) -> None:
        driver_connection.set_progress_handler(self._hundred_steps, 100)

    def _hundred_steps(self) -> int:
        self.count += 100
        return 0

    def _add_rows(self, connection: Connection) -> None:
        rows = (
            "SELECT (SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_xact_user_tables) + coalesce(sum("
            "pg_stat_get_xact_tuples_returned(indexrelid)), 0) FROM pg_index WHERE indexrelid >= 16384"
        )
        self.count += int(connection.exec_driver_sql(rows).scalar_one())


@pytest.fixture
def books(engine: Engine, tmp_path: Path) -> None:
    """December on the 25th: a promoter with 12,000 orders, twenty with 400 each; all have reached the target."""
    month = Month(engine, tmp_path, now=NOW)
    people = [promoter(each) for each in PROMOTERS]
    month.begin(*people, toml=terms_toml(levels={"V0": 'direct_only = true\ngmv_yuan = "9000.00"'}))

    def owner(number: int) -> int:
        return PROMOTER if number < BUSIEST else PROMOTERS[1 + number % 20]

    rows = (
        order_row(
            number=number,
            promoter_id=owner(number),
            paid=f"2022-12-{1 + number % 20:02d} 12:00:00",
            received="2022-12-24 12:00:00" if number % 7 else None,
        )
        for number in range(ORDERS)
    )
    counts = month.take("orders", write_csv_api(tmp_path / "orders.csv", rows))
    assert counts.new == ORDERS
    with transaction(engine) as connection:
        analyze(connection, *(mapper.class_ for mapper in Base.registry.mappers))
        for name, promoter_id in (("operator", None), ("busiest", PROMOTER), ("median", MEDIAN)):
            add_user(
                connection,
                email=f"{name}@example.com",
                name=name,
                role="promoter" if promoter_id else name,
                promoter_id=promoter_id,
                password="a long and good one",
                now=shanghai(NOW),
            )


@pytest.fixture
def app(books: None, database_url: str, tmp_path: Path) -> Iterator[Flask]:
    app = application(database_url, NOW, tmp_path)
    yield app
    close(app)


def test_a_page_visits_no_more_rows_than_it_shows_and_a_constant(app: Flask, engine: Engine) -> None:
    visited = Visited(app.extensions[EXTENSION].engine)

    def by(name: str, path: str) -> int:
        client = app.test_client()
        of_name = select(User.fs_uniquifier).where(User.email == f"{name}@example.com")
        with transaction(engine) as connection, client.session_transaction() as session:
            session["_user_id"], session["_fresh"] = connection.execute(of_name).scalar_one(), True
            session["began"] = session["seen"] = shanghai(NOW)
        assert client.get(path).status_code == 200, path
        visited.count = 0  # the first time statements are made, and what is the same for all requests is read
        assert client.get(path).status_code == 200
        return visited.count

    few = FEW[engine.dialect.name]
    found = {
        path: by("operator", path)
        for path in (
            "/operations/",
            "/operations/periods",
            "/operations/periods/2022-12",
            "/operations/periods/2022-12/results",
            "/operations/periods/2022-12/settling",
            "/operations/roster/2022-12/",
        )
    } | {"/history": by("busiest", "/history")}
    busiest, median = by("busiest", "/task"), by("median", "/task")
    assert {path: count for path, count in found.items() if count > few} == {}
    assert busiest <= min(1.5 * median, few)
    assert by("busiest", "/orders") > few  # which does read all orders of the month, and so is seen
