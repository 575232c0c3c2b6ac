"""A promoter's subsidy of a month, order by order: expected before the notice, and what becomes of its lines after."""

from dataclasses import dataclass

from sqlalchemy import Connection, and_, case, func, literal, null, or_, select

from bounty.db import Query, WholeNumber
from bounty.models import Line, Order
from bounty.progress.history import PromoterMonth
from bounty.rules.periods import lapses_at
from bounty.rules.whole import total

PAYABLE, EXPECTED, VOID = "PAYABLE", "EXPECTED", "VOID"
STATES = (EXPECTED, PAYABLE, VOID)
"""Expected until the commission settles; payable from then; void where the order failed or lapsed first."""


def published_lines(promoter_id: int, month: PromoterMonth, now: int) -> Query:
    """The lines of the newest notice, each with its state by what is known of its order now, and why it is void.

    why   FAILED, LAPSED, or MOVED where the order is now of another promoter; null for a line that stands
    """
    assert month.published is not None
    lapse = lapses_at(month.period, month.terms)
    lapsed = (
        literal(1) == 0
        if lapse is None
        else and_(literal(lapse) <= now, or_(Order.settled_at.is_(None), Order.settled_at >= lapse))
    )
    why = case(
        (Order.order_sn.is_(None), "MOVED"),
        (Order.failed_at.is_not(None), "FAILED"),
        (lapsed, "LAPSED"),
        else_=null(),
    )
    state = case((why.is_not(None), VOID), (Order.settled_at.is_not(None), PAYABLE), else_=EXPECTED)
    return (
        select(
            Line.order_sn,
            Order.goods_name,
            Line.paid_at,
            Line.basis_fen,
            literal(month.published.rate_permille, WholeNumber).label("rate_permille"),
            Line.subsidy_fen,
            state.label("state"),
            why.label("why"),
            Order.received_at,
            Order.settled_at,
            Order.failed_at,
        )
        .select_from(Line)
        .outerjoin(Order, and_(Order.promoter_id == Line.promoter_id, Order.order_sn == Line.order_sn))
        .where(Line.promoter_id == promoter_id, Line.settlement_id == month.published.settlement_id)
    )


def expected_lines(listed: Query, rate_permille: int) -> Query:
    """The same columns of what listed orders would earn; until a notice says so, all of it is expected."""
    every = listed.subquery("listed").c
    return select(
        every.order_sn,
        every.goods_name,
        every.paid_at,
        every.basis_fen,
        literal(rate_permille, WholeNumber).label("rate_permille"),
        every.subsidy_fen,
        literal(EXPECTED).label("state"),
        case((literal(1) == 0, ""), else_=null()).label("why"),
        every.received_at,
        every.settled_at,
        every.failed_at,
    ).where(every.subsidy_fen > 0)


@dataclass(frozen=True, slots=True)
class StateSum:
    """The lines of one state."""

    orders: int = 0
    subsidy_fen: int = 0


def by_state(connection: Connection, lines: Query) -> dict[str, StateSum]:
    """What the lines of each state come to; every state is there."""
    every = lines.subquery("lines").c
    found = connection.execute(
        select(every.state, func.count().label("orders"), total(every.subsidy_fen).label("fen")).group_by(
            every.state
        )
    )
    sums = {row.state: StateSum(row.orders, row.fen) for row in found}
    return {state: sums.get(state, StateSum()) for state in STATES}
