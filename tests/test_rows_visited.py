"""No page adds up the books: with 20,000 orders it visits no more rows than it shows, and some constant number."""

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, Engine, delete, event, func, select

from bounty.accounting.finance_queries import coming_shown
from bounty.accounting.stored_figures import refresh, unlike_computed
from bounty.accounts.service import add_user
from bounty.clock import shown
from bounty.db import analyze, snapshot, transaction
from bounty.forecast.period_forecast import keep_forecast, make_forecast
from bounty.models import Base, Batch, Order, StoredFigure, User
from bounty.rules.periods import Period
from bounty.settlement.service import settle
from bounty.totals.service import recompute_period, recompute_touched
from bounty.web.shared.access import allowed
from bounty.web.shared.request_context import EXTENSION
from tests.factories import PROMOTER, Month, Row, order_row, promoter, shanghai, sn, terms_toml, write_csv_api
from tests.payout.world import JANUARY_20, Paying
from tests.web.clients import application, close
from tests.web.test_routes import address, routes

NOW, LATER = "2022-12-25 12:00:00", "2023-02-20 12:00:00"
ORDERS, BUSIEST = 20_000, 12_000
PROMOTERS = range(PROMOTER, PROMOTER + 21)
MEDIAN = PROMOTERS[10]
DECEMBER = Period(2022, 12)
FEW = {"sqlite": 150_000, "postgresql": 6_000}
"""SQLite: steps of its virtual machine, some ten for each row of an index that a statement visits and more for what it
computes of it. PostgreSQL: rows read from tables and entries read from indexes. Of all statements of a page."""
ADDED_UP = {"sqlite": 2_000_000, "postgresql": 30_000}
"""The same for a promoter of at most MOST_JUDGED orders and MOST_ADDED_UP lines, whose pages add them up."""
FILES = (".csv", ".zip", ".xlsx", ".json", ".pdf")
"""How addresses of exports end, which write all rows one after the other."""


class Visited:
    """Counts what the statements of an application visit."""

    def __init__(self, engine: Engine) -> None:
        self.count = 0
        if engine.dialect.name == "sqlite":
            event.listen(engine, "checkout", self._count_steps)
        else:
            self._before = 0
            event.listen(engine, "begin", self._begin)
            event.listen(engine, "commit", self._add_rows)
            event.listen(engine, "rollback", self._add_rows)

    def _count_steps(self, driver_connection: Any, *_: object) -> None:
        driver_connection.set_progress_handler(self._hundred_steps, 100)

    def _hundred_steps(self) -> int:
        self.count += 100
        return 0

    def _begin(self, connection: Connection) -> None:
        self._before = self._rows(connection)  # of transactions before, which the server has not put down yet

    def _add_rows(self, connection: Connection) -> None:
        self.count += self._rows(connection) - self._before

    def _rows(self, connection: Connection) -> int:
        rows = (
            "SELECT (SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_xact_user_tables) + coalesce(sum("
            "pg_stat_get_xact_tuples_returned(indexrelid)), 0) FROM pg_index WHERE indexrelid >= 16384"
        )
        return int(connection.exec_driver_sql(rows).scalar_one())


@pytest.fixture
def books(engine: Engine, tmp_path: Path) -> None:
    """December on the 25th: a promoter with 12,000 orders, twenty with 400 each; all have reached the target."""
    month = Month(engine, tmp_path, now=NOW)
    people = [promoter(each) for each in PROMOTERS]
    month.begin(*people, toml=terms_toml(levels={"V0": 'direct_only = true\ngmv_yuan = "9000.00"'}))

    rows = (
        order_row(
            number=number,
            promoter_id=_owner(number),
            paid=_paid(number),
            received="2022-12-24 12:00:00" if number % 7 else None,
        )
        for number in range(ORDERS)
    )
    counts = month.take("orders", write_csv_api(tmp_path / "orders.csv", rows))
    assert counts.new == ORDERS
    _take_small_file(month, tmp_path)
    _accounts(engine)


@pytest.fixture
def paid_books(engine: Engine, tmp_path: Path) -> None:
    """December published, and half of it paid by a tranche; since then a quarter of its orders has changed: some have
    failed, and others have settled and are due."""
    month = Month(engine, tmp_path, now="2023-01-15 12:00:00")
    month.begin(
        *(promoter(each) for each in PROMOTERS),
        toml=terms_toml(levels={"V0": 'direct_only = true\ngmv_yuan = "9000.00"'}),
    )
    month.take("orders", write_csv_api(tmp_path / "orders.csv", (_settling(each) for each in range(ORDERS))))
    month.settle()
    month.publish()
    paying = Paying.of(month)
    paying.payee(*PROMOTERS[:-2])
    made = paying.prepare(JANUARY_20)
    paying.export(made.tranche_id)
    for each in PROMOTERS[:-2]:
        paying.outcome(made.tranche_id, promoter_id=each, paid=each % 3 != 0)
    month.now = shanghai("2023-02-12 12:00:00")
    changed = (_settling(each, later=True) for each in range(0, ORDERS, 4))
    month.take("orders", write_csv_api(tmp_path / "later.csv", changed))
    _take_small_file(month, tmp_path)
    _accounts(engine)


def _take_small_file(month: Month, folder: Path) -> None:
    """The newest batch, which pages of a batch are asked for: ten orders that have not settled."""
    numbers = range(ORDERS + 1, ORDERS + 31, 3)
    rows = (_settling(number) for number in numbers)
    assert month.take("orders", write_csv_api(folder / "small.csv", rows)).new == len(numbers)


def _settling(number: int, *, later: bool = False) -> Row:
    """An order that had settled by January 20th (two of three), or settles or fails in February."""
    first = number % 3 != 0
    failed = later and number % 40 == 0
    settled = None if failed else "2023-01-19 00:00:00" if first else "2023-02-10 00:00:00" if later else None
    return order_row(
        number=number,
        promoter_id=_owner(number),
        status=4 if failed else 2 if settled is None else 5,
        paid=_paid(number),
        received="2022-12-24 12:00:00" if number % 7 else None,
        verified=None if settled is None else "2022-12-28 00:00:00",
        settled=settled,
        modified="2023-02-11 00:00:00" if later else "2023-01-20 00:00:00",
    )


def _owner(number: int) -> int:
    return PROMOTER if number < BUSIEST else PROMOTERS[1 + number % 20]


def _paid(number: int) -> str:
    return f"2022-12-{1 + number % 20:02d} {number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}"


def _accounts(engine: Engine) -> None:
    with transaction(engine) as connection:
        analyze(connection, *(mapper.class_ for mapper in Base.registry.mappers))
        staff = ("operator", "finance", "admin")
        accounts = (*((name, None) for name in staff), ("busiest", PROMOTER), ("median", MEDIAN))
        for name, promoter_id in accounts:
            add_user(
                connection,
                email=f"{name}@example.com",
                name=name,
                role="promoter" if promoter_id else name,
                promoter_id=promoter_id,
                password="a long and good one",
                now=shanghai(NOW),
            )


class Reader:
    """Asks for pages and counts what each visits."""

    def __init__(self, engine: Engine, app: Flask, now: str) -> None:
        self.engine, self.app, self.now = engine, app, now
        self.visited = Visited(app.extensions[EXTENSION].engine)

    def by(self, name: str, *paths: str, absent: bool = False) -> dict[str, int]:
        """What each page visits for one account.

        absent   whether a page may be one that is not there, leads elsewhere, or is refused for now
        """
        client, found = self.client(name), {}
        for path in paths:
            status = client.get(path).status_code
            assert status < 500 if absent else status == 200, path
            # The first time statements are made, and what is the same for all requests is read.
            self.visited.count = 0
            client.get(path, buffered=True)
            found[f"{path} ({name})"] = self.visited.count
        return found

    def client(self, name: str) -> FlaskClient:
        """One that is logged in to an account."""
        client = self.app.test_client()
        of_name = select(User.fs_uniquifier).where(User.email == f"{name}@example.com")
        with transaction(self.engine) as connection, client.session_transaction() as session:
            session["_user_id"], session["_fresh"] = connection.execute(of_name).scalar_one(), True
            session["began"] = session["seen"] = shanghai(self.now)
        return client

    def bodies(self, name: str, *paths: str) -> dict[str, str]:
        """What each page shows to an account, without what is another in every answer."""
        client = self.client(name)
        return {path: CHANGING.sub("", client.get(path).get_data(as_text=True)) for path in paths}


CHANGING = re.compile(r'name="csrf_token"[^>]*>|nonce="[^"]*"')


def every_page(app: Flask, reader: Reader, promoter_name: str = "busiest") -> dict[str, int]:
    """What every page visits that has an address of its own, for the first reader to whom it is open."""
    names = {"promoter": promoter_name, "operator": "operator", "finance": "finance", "admin": "admin"}
    with snapshot(reader.engine) as connection:
        newest_batch = connection.execute(select(func.max(Batch.batch_id))).scalar_one()
    given = {"period": "2022-12", "promoter_id": PROMOTER, "order_sn": sn(4), "batch_id": newest_batch}
    found: dict[str, int] = {}
    for rule in routes(app):
        roles = allowed(app, rule.endpoint)
        name = next((names[role] for role in names if role in roles), None)
        if "GET" not in (rule.methods or ()) or name is None or rule.rule.endswith(FILES):
            continue
        own = {key: value for key, value in given.items() if key in rule.arguments}
        found |= reader.by(name, address(app, rule, **own), absent=True)
    return found


LISTS_OF_ORDERS = (
    "/orders?verdict=pending",
    "/orders?verdict=not",
    "/orders?reason=NOT_FAILED",
    "/orders?subsidy=only",
    "/orders?q=nothing",
    f"/orders?q={sn(7)}",
    "/orders?sort=paid_at",
    "/subsidy?state=paid",
    "/subsidy?q=nothing",
)


def test_totals_of_touched_days_read_each_order_once(books: None, engine: Engine) -> None:
    """SQLite read the whole month of a promoter for each of its days: a late file of 5,000 rows took 15 s at a million
    orders."""
    visited = Visited(engine)
    with transaction(engine) as connection:
        recompute_period(connection, DECEMBER)
    of_a_rebuild, visited.count = visited.count, 0
    with transaction(engine) as connection:
        recompute_touched(connection, select(Order.promoter_id, Order.paid_at))
    assert visited.count <= 2 * of_a_rebuild


def test_a_page_visits_no_more_rows_than_it_shows_and_a_constant(
    books: None, engine: Engine, database_url: str, tmp_path: Path
) -> None:
    app = application(database_url, NOW, tmp_path)
    reader, few = Reader(engine, app, NOW), FEW[engine.dialect.name]
    found = every_page(app, reader) | reader.by("busiest", *LISTS_OF_ORDERS)
    assert {"/task (busiest)", "/orders (busiest)", "/operations/periods/2022-12 (operator)"} <= set(found)
    assert {path: count for path, count in found.items() if count > few} == {}
    of_median = every_page(app, reader, "median")
    assert {path: n for path, n in of_median.items() if n > ADDED_UP[engine.dialect.name]} == {}
    assert found["/task (busiest)"] <= 1.5 * of_median["/task (median)"]
    file = "/months/2022-12/orders.csv"
    assert reader.by("busiest", file)[f"{file} (busiest)"] > few  # it reads the month, and so is seen
    close(app)


def test_pages_of_a_month_that_was_published_and_partly_paid_visit_as_few(
    paid_books: None, engine: Engine, database_url: str, tmp_path: Path
) -> None:
    app, few = application(database_url, LATER, tmp_path), FEW[engine.dialect.name]
    reader = Reader(engine, app, LATER)
    before = every_page(app, reader)  # nothing was computed yet
    computed = refresh(engine, shanghai(LATER))
    assert {"next-tranche", "reconcile", "reconcile 1", "closing 2022-12", "late 2022-12"} <= set(computed)
    assert refresh(engine, shanghai(LATER)) == []
    paths = (*LISTS_OF_ORDERS, "/payments/1?kind=adjusted")
    after = every_page(app, reader) | reader.by("busiest", *paths)
    after |= reader.by("finance", "/finance/reconcile?tranche=1", "/finance/adjustments?cause=FAILED")
    found = {path: max(count, before.get(path, 0)) for path, count in after.items()}
    assert {path: count for path, count in found.items() if count > few} == {}
    of_median = every_page(app, reader, "median")
    assert {path: n for path, n in of_median.items() if n > ADDED_UP[engine.dialect.name]} == {}
    assert found["/months/2022-12/task (busiest)"] <= 1.5 * of_median["/months/2022-12/task (median)"]
    with transaction(engine) as connection:
        settle(connection, DECEMBER, shanghai(LATER))
    refresh(engine, shanghai(LATER))
    drafted = every_page(app, reader)
    assert {path: count for path, count in drafted.items() if count > few} == {}
    with snapshot(engine) as connection:
        assert unlike_computed(connection) == 0
        coming, figure = coming_shown(connection, shanghai(LATER))
    assert coming is not None
    assert (figure.current, coming.tranche.orders, coming.tranche.adjusted) == (True, 700, 333)
    close(app)


@pytest.fixture
def crowded_books(engine: Engine, tmp_path: Path) -> Month:
    """December, published, paid in part and forecast, with 4,000 promoters on its roster; 1,200 of them have an order
    of 90 to 210 yuan, and every fifth has no payee."""
    month = Month(engine, tmp_path, now="2023-01-15 12:00:00")
    people = [promoter(PROMOTER + each, level="V0" if each % 3 else "V1") for each in range(4_000)]
    month.begin(*people, toml=terms_toml(levels={"V0": 'direct_only = true\ngmv_yuan = "100.00"'}))
    rows = (
        order_row(
            number=each,
            promoter_id=PROMOTER + each,
            amount_fen=90_00 + each * 10,
            paid="2022-12-05 12:00:00",
            received="2022-12-09 12:00:00",
            verified="2022-12-28 00:00:00",
            settled="2023-01-12 00:00:00",
            modified="2023-01-12 00:00:00",
            status=5,
        )
        for each in range(1_200)
    )
    month.take("orders", write_csv_api(tmp_path / "orders.csv", rows))
    with transaction(engine) as connection:
        keep_forecast(connection, make_forecast(connection, DECEMBER, shanghai(NOW)))
    month.settle()
    month.publish()
    paying = Paying.of(month)
    paying.payee(*(PROMOTER + each for each in range(4_000) if each % 5))
    paying.prepare(month.now)
    late = order_row(
        number=4_000,
        promoter_id=PROMOTER + 3_998,
        amount_fen=150_00,
        paid="2022-12-08 12:00:00",
        received="2022-12-09 12:00:00",
    )
    month.take("orders", write_csv_api(tmp_path / "newest.csv", [late]))
    month.settle()
    _accounts(engine)
    return month


OF_PROMOTERS = {
    "operator": (
        "/operations/",
        "/operations/imports/batches/6/undo",
        "/operations/periods",
        "/operations/periods/2022-12",
        "/operations/periods/2022-12/forecast",
        "/operations/periods/2022-12/preview",
        "/operations/periods/2022-12/results",
        "/operations/periods/2022-12/results?result=short",
        "/operations/periods/2022-12/results?active=no",
        "/operations/periods/2022-12/results?change=any",
        "/operations/periods/2022-12/settling",
        "/operations/roster/2022-12/",
        "/operations/roster/opening?period=2023-01",
        "/notices/2022-12/1",
    ),
    "finance": (
        "/finance/2022-12/1/results",
        "/finance/payees/",
        "/finance/payees/missing",
        "/finance/payees/proposals/1",
        "/finance/tranches/1",
    ),
}
"""Reader -> pages that say something of everybody on a roster."""
OF_ROSTER = (
    "changed 1 2",
    "forecast 2022-12",
    "headcounts",
    "levels 1",
    "levels 2",
    "opening 2023-01",
    "payees",
    "payouts 1",
    "results 2022-12",
    "roster 2022-12",
    "undo 6",
    "unknown 2022-12",
    "without payee",
)
"""What is stored for them."""


def _of_promoters(reader: Reader) -> tuple[dict[str, str], dict[str, int]]:
    """What these pages show, and what each visits."""
    shown_: dict[str, str] = {}
    visited: dict[str, int] = {}
    for name, paths in OF_PROMOTERS.items():
        shown_ |= reader.bodies(name, *paths)
        visited |= reader.by(name, *paths)
    return shown_, visited


def test_pages_of_a_large_roster_read_what_was_stored_of_it(
    crowded_books: Month, engine: Engine, database_url: str, tmp_path: Path
) -> None:
    # PostgreSQL goes through four thousand rows to join a hundred, and finds them by key among two hundred thousand.
    few = {"sqlite": FEW["sqlite"], "postgresql": ADDED_UP["postgresql"]}[engine.dialect.name]
    month, now = crowded_books, shown(crowded_books.now)
    app = application(database_url, now, tmp_path)
    reader = Reader(engine, app, now)
    refreshed = set(refresh(engine, month.now))
    assert set(OF_ROSTER) <= refreshed
    stored, visited = _of_promoters(reader)
    assert {path: n for path, n in visited.items() if n > few} == {}
    with snapshot(engine) as connection:
        assert unlike_computed(connection) == 0
    _forget(engine, *OF_ROSTER)
    computed, added_up = _of_promoters(reader)
    assert computed == stored
    assert sum(added_up.values()) > 3 * sum(visited.values())
    close(app)


def test_nobody_is_shown_of_a_roster_what_was_stored_before_a_change(
    crowded_books: Month, engine: Engine, database_url: str, tmp_path: Path
) -> None:
    month, now = crowded_books, shown(crowded_books.now)
    app = application(database_url, now, tmp_path)
    reader = Reader(engine, app, now)
    refresh(engine, month.now)
    before, _ = _of_promoters(reader)
    late = order_row(
        number=3_000, promoter_id=PROMOTER + 3_000, amount_fen=150_00, paid="2022-12-06 12:00:00"
    )
    month.take("orders", write_csv_api(tmp_path / "late.csv", [late]))
    after, _ = _of_promoters(reader)
    assert after["/operations/periods/2022-12"] != before["/operations/periods/2022-12"]
    _forget(engine, *OF_ROSTER)
    assert _of_promoters(reader)[0] == after
    close(app)


def _forget(engine: Engine, *subjects: str) -> None:
    with transaction(engine) as connection:
        assert connection.execute(
            delete(StoredFigure).where(StoredFigure.subject.in_(subjects))
        ).rowcount == len(subjects)
