"""What a promoter's token reads: the promoter's own task and orders."""

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from bounty.accounting import promoter_statement
from bounty.clock import shown
from bounty.db import Query
from bounty.errors import BountyError
from bounty.notifications.inbox import inbox
from bounty.orders.queries import owns_order
from bounty.progress import service
from bounty.progress.history import PromoterMonth, month_of, months
from bounty.progress.order_list import listed_now
from bounty.rules.periods import Period
from bounty.web.api import models
from bounty.web.api.bearer import own_promoter
from bounty.web.api.lists import listing
from bounty.web.api.operation import operation
from bounty.web.api.problems import Problem, not_found
from bounty.web.promoter import tables
from bounty.web.promoter.notifications import NEWS
from bounty.web.shared.request_context import now, reading


@operation("/me/progress/<period:period>", "promoter", answer=models.ProgressBody)
def my_progress(period: Period) -> dict[str, Any]:
    """How far I am in a period, as `bounty progress --json` says it."""
    with reading() as connection:
        try:
            return {**service.progress_of(connection, period, own_promoter(), now()).as_json()}
        except BountyError as refusal:  # it is not open, or I am not on its roster
            raise Problem(404, "NOT_FOUND", refusal.zh, str(refusal)) from None


@operation("/me/orders/<order_sn>", "promoter", answer=models.ExplanationBody, query=models.OrderQuery)
def my_order(order_sn: str, query: models.OrderQuery) -> dict[str, Any]:
    """Why one of my orders counts or does not in a programme, as `bounty explain --json` says it."""
    with reading() as connection:
        if not owns_order(connection, own_promoter(), order_sn):
            raise not_found()
        try:
            explained = {**service.explain(connection, order_sn, now(), query.programme).as_json()}
        except BountyError as refusal:  # there is no such programme, or it has no terms for the period
            raise Problem(404, "NOT_FOUND", refusal.zh, str(refusal)) from None
    return explained | {"as_of": shown(now())}


@listing("/me/messages", "promoter", table=NEWS)
def my_messages(_connection: Connection) -> Query:
    """What I was told, the newest first; mails and pages say the same."""
    return inbox(own_promoter())


@listing("/me/periods", "promoter", table=replace(tables.HISTORY, name="periods"))
def my_periods(_connection: Connection) -> Query:
    """My periods, each with its target and the newest notice's result."""
    return months(own_promoter())


@listing("/me/periods/<period:period>/orders", "promoter", table=tables.ORDERS)
def my_orders(connection: Connection, period: Period) -> Query:
    """My orders of a period, each with its verdict and what it earns."""
    rows, _ = listed_now(connection, own_promoter(), _month(connection, period), now())
    return rows


@listing(
    "/me/periods/<period:period>/subsidy-lines",
    "promoter",
    table=replace(tables.SUBSIDY, name="subsidy_lines"),
)
def my_subsidy_lines(connection: Connection, period: Period) -> Query:
    """What each of my orders of a period earns, and where the money is."""
    books = promoter_statement.books_of_promoter(connection, own_promoter(), now())
    return promoter_statement.month_lines(connection, books, _month(connection, period), now())


@listing("/me/payments", "promoter", table=tables.PAYMENTS)
def my_payments(_connection: Connection) -> Query:
    """My payments, and what came of them."""
    return promoter_statement.payments(own_promoter())


@listing("/me/payments/<int:tranche_id>/lines", "promoter", table=tables.PAYMENT_LINES)
def my_payment_lines(connection: Connection, tranche_id: int) -> Query:
    """What one of my payments is made of."""
    if promoter_statement.payment_of(connection, own_promoter(), tranche_id) is None:
        raise not_found()
    return promoter_statement.payment_lines(own_promoter(), tranche_id)


def _month(connection: Connection, period: Period) -> PromoterMonth:
    month = month_of(connection, own_promoter(), period)
    if month is None:
        raise not_found()
    return month
