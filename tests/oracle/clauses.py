"""Every clause of an order, and what a promoter's orders count."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.oracle.orders import NO_COMMISSION, UNPAID, Order
from tests.oracle.terms import Terms, Windows

Verdict = list[tuple[str, bool]]
"""Every clause's code with whether it holds, in the contract's order."""


def task_verdict(order: Order, bounds: Windows, terms: Terms, direct_only: bool) -> Verdict:
    """All task clauses of an order, in order."""
    paid, received = order.paid_at, order.received_at
    return [
        ("PAID_IN_WINDOW", paid is not None and bounds.task_from <= paid < bounds.task_until),
        ("COMMISSIONABLE", order.status not in (UNPAID, NO_COMMISSION)),
        ("DIRECT", not direct_only or order.direct),
        ("NOT_VIRTUAL", not order.virtual(terms)),
        ("IN_CATEGORY", order.in_category(terms)),
        ("AT_LEAST_MINIMUM", terms.min_order_fen is None or order.order_amount_fen >= terms.min_order_fen),
        ("NOT_PRICE_COMPARE", terms.count_price_compare or not order.price_compare),
        ("NOT_LIVE_ROOM", terms.count_live_room or order.live_room is None),
        ("NOT_FAILED", order.failed_at is None or order.failed_at >= bounds.cutoff),
        ("RECEIVED_IN_TIME", received is not None and received < bounds.cutoff),
    ]


def subsidy_verdict(
    order: Order, bounds: Windows, terms: Terms, channel: str, elsewhere: bool = False
) -> Verdict:
    """All subsidy clauses of an order, in order; `channel` is `app`, `other` or `unknown`, `elsewhere` whether it has
    a line in the newest notice of another programme.
    """
    paid = order.paid_at
    app_link = {"any": True, "app_or_unknown": channel != "other", "app": channel == "app"}[terms.links]
    return [
        ("PAID_IN_MONTH", paid is not None and bounds.month_from <= paid < bounds.month_until),
        ("COMMISSIONABLE", order.status not in (UNPAID, NO_COMMISSION)),
        ("NOT_VIRTUAL", not order.virtual(terms)),
        ("NOT_PRICE_COMPARE", terms.include_price_compare or not order.price_compare),
        ("NOT_LIVE_ROOM", terms.include_live_room or order.live_room is None),
        ("NOT_FAILED", order.failed_at is None),
        ("APP_LINK", app_link),
        ("NOT_IN_OTHER_PROGRAMME", not (terms.exclusive and elsewhere)),
    ]


def reason_of(verdict: Verdict) -> str | None:
    """The first clause that fails, None when all hold."""
    for code, holds in verdict:
        if not holds:
            return code
    return None


@dataclass(frozen=True)
class Measured:
    """What counts for a task: GMV after the order cap, and how many orders."""

    gmv_fen: int
    orders: int


def capped(order: Order, terms: Terms) -> int:
    """What one order adds to the GMV of a task, fen."""
    if terms.task_order_cap_fen is None:
        return order.order_amount_fen
    return min(order.order_amount_fen, terms.task_order_cap_fen)


def measure(orders: Iterable[Order], bounds: Windows, terms: Terms, direct_only: bool) -> Measured:
    """What these orders, all of one promoter, count for the task of the period with these bounds."""
    gmv_fen = count = 0
    for order in orders:
        if reason_of(task_verdict(order, bounds, terms, direct_only)) is None:
            gmv_fen += capped(order, terms)
            count += 1
    return Measured(gmv_fen, count)


def by_promoter(orders: Mapping[str, Order]) -> dict[int, list[Order]]:
    """The orders of each promoter, of whom the newest row's p_id speaks."""
    owned: dict[int, list[Order]] = {}
    for order in orders.values():
        owned.setdefault(order.promoter_id, []).append(order)
    return owned
