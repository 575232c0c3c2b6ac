"""Why one order counts and earns, and where its money is: one page, for its promoter and for finance."""

from datetime import date
from types import ModuleType
from typing import TypedDict

from sqlalchemy import Connection

from bounty.accounting.promoter_statement import (
    MonthLine,
    PayoutStatus,
    books_of_promoter,
    every_payment,
    month_lines,
    payment_lines_of_order,
    payout_statuses,
)
from bounty.db import QueryRow
from bounty.orders.queries import order_numbered
from bounty.progress.history import PromoterMonth, data_as_of, month_of, periods_with
from bounty.progress.order_list import ListedOrder, listed_now
from bounty.progress.service import Explanation, explain
from bounty.progress.timeline import Received, rows_received
from bounty.rules.periods import MAIN, Period
from bounty.web.period_names import programme_names, several_programmes
from bounty.web.promoter import texts as words
from bounty.web.promoter.texts import Event, OrderVerdict
from bounty.web.shared import payment_texts
from bounty.web.shared.request_context import now


class OrderPageContents(TypedDict):
    """What ``promoter/order.html`` shows."""

    why: Explanation
    periods: list[Period]
    """The promoter's with the order, where there are several programmes."""
    month: PromoterMonth | None
    row: ListedOrder | None
    line: MonthLine | None
    pays_on: date | None
    rate_permille: int
    trail: list[QueryRow]
    """The lines of payments that are of the order."""
    payout_statuses: dict[int, PayoutStatus]
    """Tranche -> the result of the promoter's payment in it."""
    received: Received
    as_of: int | None
    now: int
    words: ModuleType
    paid: ModuleType
    verdict: OrderVerdict
    events: list[Event]


def order_page(
    connection: Connection, promoter_id: int, order_sn: str, programme: str | None, *, for_staff: bool
) -> OrderPageContents | None:
    """What ``promoter/order.html`` shows; null where the promoter has no such order, and there is no such programme.

    programme  in which the order is judged; null for the first in which the promoter takes part
    for_staff  with the rows as received, which may have columns that are not for promoters
    """
    order = order_numbered(connection, order_sn)
    if order is None or order.promoter_id != promoter_id or programme not in (None, *programme_names()):
        return None
    periods = periods_with(connection, promoter_id, order.paid_at) if several_programmes() else []
    if programme is None:
        programme = periods[0].programme if periods else MAIN
    why = explain(connection, order_sn, now(), programme)
    month = None if why.period is None else month_of(connection, promoter_id, why.period)
    row, line, rate_permille, payments = None, None, 0, None
    if month is not None:
        listed, rate_permille = listed_now(connection, promoter_id, month, now(), [order_sn])
        row = connection.execute(listed).first()
        if month.published is not None:
            books = books_of_promoter(connection, promoter_id, now())
            payments = books.payments
            line = connection.execute(month_lines(connection, books, month, now(), [order_sn])).first()
    shown = row if line is None else line
    return {
        "why": why,
        "periods": periods,
        "month": month,
        "row": row,
        "line": line,
        "pays_on": None if month is None or shown is None else words.pays_on(month, now())(shown),
        "rate_permille": rate_permille,
        "trail": payment_lines_of_order(connection, promoter_id, order_sn),
        "payout_statuses": payout_statuses(
            every_payment(connection, promoter_id) if payments is None else payments
        ),
        "received": rows_received(connection, promoter_id, order_sn, with_texts=for_staff),
        "as_of": data_as_of(connection),
        "now": now(),
        "words": words,
        "paid": payment_texts,
        "verdict": words.verdict_of(why, row, line, now()),
        "events": words.events(why, month, row, now()),
    }
