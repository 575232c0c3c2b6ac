"""Why one order counts and earns, and where its money is: one page, for its promoter and for finance."""

from typing import Any

from sqlalchemy import Connection, select

from bounty.accounting.promoter_statement import (
    books_of_promoter,
    every_payment,
    month_lines,
    payment_lines,
    payout_statuses,
)
from bounty.orders.queries import order_numbered
from bounty.progress.history import data_as_of, month_of, periods_with
from bounty.progress.order_list import listed_now
from bounty.progress.service import explain
from bounty.progress.timeline import rows_received
from bounty.rules.periods import MAIN
from bounty.web.period_names import programme_names, several_programmes
from bounty.web.promoter import texts as words
from bounty.web.shared import payment_texts
from bounty.web.shared.request_context import now


def order_page(
    connection: Connection, promoter_id: int, order_sn: str, programme: str | None
) -> dict[str, Any] | None:
    """What ``promoter/order.html`` shows; null where the promoter has no such order, and there is no such programme.

    programme  in which the order is judged; null for the first in which the promoter takes part
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
        listed, rate_permille = listed_now(connection, promoter_id, month, now())
        every = listed.subquery("listed")
        row = connection.execute(select(every).where(every.c.order_sn == order_sn)).first()
        if month.published is not None:
            books = books_of_promoter(connection, promoter_id, now())
            payments = books.payments
            lines = month_lines(connection, books, month, now()).subquery("lines")
            line = connection.execute(select(lines).where(lines.c.order_sn == order_sn)).first()
    trail = payment_lines(promoter_id).subquery("trail")
    return {
        "why": why,
        "periods": periods,
        "month": month,
        "row": row,
        "line": line,
        "pays_on": None if month is None or (line or row) is None else words.pays_on(month)(line or row),
        "rate_permille": rate_permille,
        "trail": connection.execute(
            select(trail).where(trail.c.order_sn == order_sn).order_by(trail.c.tranche_id)
        ).all(),
        "fates": payout_statuses(every_payment(connection, promoter_id) if payments is None else payments),
        "received": rows_received(connection, promoter_id, order_sn),
        "as_of": data_as_of(connection),
        "now": now(),
        "words": words,
        "paid": payment_texts,
        "verdict": words.verdict_of(why, row, line, now()),
        "events": words.events(why, month, row, now()),
    }
