"""What a promoter's month comes to, and every clause of one order."""

from functools import lru_cache

from sqlalchemy import BindParameter, and_, bindparam, func, select

from bounty.db import Query, WholeNumber, Words, written_out
from bounty.models import DailyProgress, OpenPeriod, Order, RosterEntry
from bounty.orders.queries import OrderNumbers
from bounty.orders.warnings import times_out_of_order, warning_text
from bounty.rules.clauses import BoundColumns, Clause, Facts, link_channel
from bounty.rules.measure import frozen_bounds, verdict_number
from bounty.rules.periods import Period
from bounty.rules.sql_math import capped_at, sum_or_zero
from bounty.rules.terms import Terms
from bounty.totals.queries import once_a_row

A_PERIOD: BindParameter[str] = bindparam("period", type_=Words())
A_PROMOTER: BindParameter[int] = bindparam("promoter_id", type_=WholeNumber)
"""A statement that is built once and executed for many parameters: building one costs more than executing it."""


def month_of_promoter(
    columns: Query,
    period: Period | BindParameter[str],
    promoter_id: int | BindParameter[int],
    numbers: OrderNumbers | None = None,
) -> Query:
    """A SELECT of the orders that a promoter was paid for in an open month, with its bounds and roster entry.

    numbers   only of the orders of these numbers, which are looked up one by one
    """
    facts = Order.__table__.c
    if numbers is not None:
        # Plus nothing, or SQLite reads all orders of the promoter and then looks for the numbers.
        paid_at = facts.paid_at + 0
        of_month = and_(
            facts.order_sn.in_(numbers),
            facts.promoter_id == RosterEntry.promoter_id,
            paid_at >= OpenPeriod.month_from,
            paid_at < OpenPeriod.month_until,
        )
    else:
        of_month = and_(
            facts.promoter_id == RosterEntry.promoter_id,
            facts.paid_at >= OpenPeriod.month_from,
            facts.paid_at < OpenPeriod.month_until,
        )
    return (
        columns.select_from(OpenPeriod)
        .join(RosterEntry, RosterEntry.period == OpenPeriod.period)
        .join(Order, of_month)
        .where(
            OpenPeriod.period == (str(period) if isinstance(period, Period) else period),
            RosterEntry.promoter_id == promoter_id,
        )
    )


VERDICT_SUMS: Query = (
    select(
        DailyProgress.verdict,
        sum_or_zero(DailyProgress.__table__.c.orders).label("orders"),
        sum_or_zero(DailyProgress.__table__.c.amount_fen).label("amount_fen"),
        sum_or_zero(DailyProgress.__table__.c.capped_fen).label("capped_fen"),
    )
    .where(DailyProgress.period == A_PERIOD, DailyProgress.promoter_id == A_PROMOTER)
    .group_by(DailyProgress.verdict)
)
"""A promoter's orders of a month by verdict, as they are now, from the totals; parameters period, promoter_id."""


@lru_cache(maxsize=64)
def verdict_totals(terms: Terms) -> Query:
    """The orders a promoter was paid for in the month, by verdict, added up from the orders themselves, also as they
    were at a past moment: verdict (its place in VERDICTS), orders,
    amount_fen, capped_fen; parameters period, promoter_id.

    6    9   100450   90950
    7    3    31900   31900
    3    2     5000    5000
    """
    facts = Order.__table__.c
    judged = once_a_row(
        month_of_promoter(
            select(
                verdict_number(facts, frozen_bounds(terms), terms).label("verdict"), facts.order_amount_fen
            ),
            A_PERIOD,
            A_PROMOTER,
        )
    ).c
    totals = select(
        judged.verdict,
        func.count().label("orders"),
        sum_or_zero(judged.order_amount_fen).label("amount_fen"),
        sum_or_zero(capped_at(judged.order_amount_fen, terms.task.order_cap_fen)).label("capped_fen"),
    ).group_by(judged.verdict)
    return written_out(totals)


def judged_order(
    order_sn: str, clauses: tuple[tuple[Clause, ...], ...], bounds: BoundColumns, terms: Terms, now: int
) -> Query:
    """One order's facts, its link channel, capped_fen, what is odd, and every clause as ``clause_LIST_PLACE``."""
    facts: Facts = Order.__table__.c
    columns = [
        clause.holds(facts, bounds, terms).label(f"clause_{which}_{place}")
        for which, several in enumerate(clauses)
        for place, clause in enumerate(several)
    ]
    others = (
        link_channel(facts).label("link_channel"),
        capped_at(facts.order_amount_fen, terms.task.order_cap_fen).label("capped_fen"),
        times_out_of_order(facts, now).label("times_out_of_order"),
        warning_text(facts).label("odd_text"),
    )
    return select(Order.__table__, *others, *columns).where(Order.order_sn == order_sn)
