"""Every page that has an address of its own, for each kind of reader, beside the aim of 100 ms.

The pages are those of the application's own routes, so that none is forgotten: with the month, a promoter, an
order, a notice and a tranche in their addresses, and lists also filtered and searched. Exports are left out: they write
all rows. Each is asked for in this process, so that a figure is what the application takes; the way over the network
comes on top.
"""

from collections.abc import Iterator
from statistics import median
from time import perf_counter
from typing import Any

from flask import Flask
from sqlalchemy import Engine, func, select
from werkzeug.routing import Rule

from bench.data import OPENED_AT, PERIOD, epoch
from bench.pages import cookie_of, settings_of
from bench.watch import watch
from bounty.app import create_app
from bounty.db import make_engine, snapshot
from bounty.models import Batch, Line, Order, Result, TrancheLine
from bounty.web.shared.access import EVERYBODY, allowed

AIM_MS = 100
EXPORTS = (".csv", ".zip", ".xlsx", ".json", ".pdf")
"""How addresses of exports end."""
APART = ("api.", "security.", "static", "health.")
"""Endpoints that are no pages of the program's own."""
STAFF = ("operator", "finance", "admin")
ASKED, BUDGET_S = 10, 1.0
"""A page is asked for so often, or until so many seconds are spent; at least once, after a first time."""
LIMIT_S = 60.0
"""A page that takes longer is stopped, and has missed the aim by far."""
FILTERED = {
    "operator": (
        "/operations/periods/{period}/results?result=passed",
        "/operations/roster/opening?period=2023-01",
        "/operations/roster/{period}/?q={promoter_id}",
        "/search/?q={order_sn}",
        "/search/?q={promoter_id}",
    ),
    "finance": ("/finance/reconcile?tranche=1", "/finance/adjustments?cause=FAILED"),
    "promoter": (
        "/orders?verdict=pending",
        "/orders?reason=NOT_FAILED",
        "/orders?subsidy=only",
        "/orders?q={order_sn}",
        "/orders?sort=paid_at",
        "/subsidy?state=paid",
        "/subsidy?q=nothing",
    ),
}
"""Role -> lists with a filter, an order or a search, besides the pages as they open."""


def every_page(
    url: str,
    at: str,
    busiest: int,
    middle: list[int],
    *,
    own: bool,
    asked: int = ASKED,
    limit_s: float = LIMIT_S,
) -> dict[str, Any]:
    """What each page takes.

    at        the instant at which the application's clock stands
    busiest   the promoter with the most orders
    middle    promoters with a median number of orders; of these, one with lines
    own       also the promoters' own pages
    asked     how often at most after the first time, which is told apart; with 0 there is only the first
    limit_s   after so many seconds a page is stopped
    Returns  pages: a list with reader, path, ms (median), worst_ms, first_ms, asked, stopped, database_ms (median),
             statements and bytes; apart: what is no page here, with the status
    """
    app = create_app(settings_of(url, at))
    engine: Engine = app.extensions["bounty.books"].engine
    spent = watch(engine)
    found: list[dict[str, Any]] = []
    apart: list[str] = []
    most_lines = _with_most_lines(url)
    readers: list[tuple[str, str, int | None]] = [(role, role, None) for role in (*STAFF, "nobody")]
    if own:
        readers.append(("promoter, most orders", "promoter", busiest))
        readers.append(("promoter, most lines", "promoter", most_lines))
        readers.append(("promoter, median", "promoter", _with_most_lines(url, middle)))
    for reader, role, promoter_id in readers:
        given = _given(url, promoter_id or most_lines)
        cookie = "" if role == "nobody" else cookie_of(url, promoter_id, role, at)
        client = app.test_client(use_cookies=False)
        for path in (*_paths(app, role, given), *(path.format(**given) for path in FILTERED.get(role, ()))):
            took: list[float] = []
            in_database: list[float] = []
            # One that is slow at first is not asked for again: at ten million it would hold up the bench.
            while len(took) <= asked and sum(took[1:]) < BUDGET_S * 1000 and sum(took) < limit_s * 500:
                spent.empty()
                start = perf_counter()
                with spent.at_most(limit_s):
                    answer = client.get(path, headers={"Cookie": cookie} if cookie else {}, buffered=True)
                took.append((perf_counter() - start) * 1000)
                in_database.append(spent.ms)
                if answer.status_code != 200:
                    break
            stopped = took[-1] >= limit_s * 1000 and answer.status_code >= 500
            assert stopped or answer.status_code < 500, f"{path} ({reader}): {answer.status}"
            if answer.status_code != 200 and not stopped:
                apart.append(f"{answer.status_code} {path} ({reader})")
                continue
            found.append(
                {
                    "reader": reader,
                    "path": path,
                    "ms": median(took[1:] or took),
                    "worst_ms": max(took[1:] or took),
                    "first_ms": took[0],
                    "asked": len(took) - 1,
                    "stopped": stopped,
                    "database_ms": median(in_database[1:] or in_database),
                    "statements": spent.statements,
                    "bytes": len(answer.data),
                }
            )
    engine.dispose()
    return {"pages": found, "apart": apart}


def _with_most_lines(url: str, among: list[int] | None = None) -> int:
    """The promoter to whom the first settlement gave the most lines."""
    engine = make_engine(url)
    most = select(Result.promoter_id).where(Result.settlement_id == 1).order_by(Result.subsidy_orders.desc())
    if among is not None:
        most = most.where(Result.promoter_id.in_(among))
    with snapshot(engine) as connection:
        promoter_id: int = connection.execute(most.limit(1)).scalar_one()
    engine.dispose()
    return promoter_id


def _given(url: str, promoter_id: int) -> dict[str, Any]:
    """What stands in addresses: an order of the promoter's, best one that was paid out, and the newest batch."""
    engine = make_engine(url)
    with snapshot(engine) as connection:
        paid_out, with_line, any_order = (
            select(row.order_sn).where(row.promoter_id == promoter_id).limit(1)
            for row in (TrancheLine, Line, Order)
        )
        any_of_month = any_order.where(Order.paid_at >= epoch(OPENED_AT)).order_by(Order.paid_at)
        found = (connection.execute(query).scalar() for query in (paid_out, with_line, any_of_month))
        order_sn = next(filter(None, found))
        batch_id = connection.execute(select(func.max(Batch.batch_id))).scalar_one()
    engine.dispose()
    one = dict.fromkeys(("notice", "number", "tranche_id", "terms_id", "appeal_id", "endpoint_id"), 1)
    return {
        "period": PERIOD,
        "promoter_id": promoter_id,
        "order_sn": order_sn,
        "batch_id": batch_id,
        **one,
    }


def _paths(app: Flask, role: str, given: dict[str, Any]) -> Iterator[str]:
    """The addresses of the pages that are measured for a role: of staff, finance sees its own, and others the first
    that may."""
    rules: list[Rule] = sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule)
    with app.test_request_context():
        adapter = app.url_map.bind("localhost")
        for rule in rules:
            roles = allowed(app, rule.endpoint)
            if role == "promoter" or roles == EVERYBODY:
                mine = (role == "promoter" and role in roles) or (role == "nobody" and roles == EVERYBODY)
            else:
                order = ("finance", "operator", "admin") if rule.rule.startswith("/finance") else STAFF
                mine = role == next((each for each in order if each in roles), None)
            if (
                mine
                and "GET" in (rule.methods or ())
                and not rule.rule.endswith(EXPORTS)
                and not rule.endpoint.startswith(APART)
                and rule.arguments <= given.keys()
            ):
                yield adapter.build(rule.endpoint, {name: given[name] for name in rule.arguments})
