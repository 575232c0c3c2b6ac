"""Months of a promoter with more orders than a page may judge: their orders by index, and totals as they are stored."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, and_, or_, select

from bounty.db import Query
from bounty.models import DailyProgress, Line, Order, PromoterSubsidy
from bounty.progress.history import PromoterMonth
from bounty.progress.order_list import Expected, tier_of_rate
from bounty.progress.service import Tally
from bounty.rules.clauses import RECEIVED_IN_TIME
from bounty.rules.measure import PENDING
from bounty.totals.queries import A_DAY

MOST_JUDGED = 500
"""A page judges and adds up the orders of a month of at most so many."""
MOST_ADDED_UP = 1_000
"""A page adds up what has become of at most so many lines of a promoter's notices."""


def is_large(month: PromoterMonth) -> bool:
    """Whether a promoter has more orders of a month than a page may judge."""
    return month.paid_orders > MOST_JUDGED


@dataclass(frozen=True, slots=True)
class MonthTotals:
    """What the orders of a promoter's month come to, by day and verdict."""

    month: PromoterMonth
    by_day: dict[tuple[int, str], Tally]

    def of(self, verdicts: Collection[str] | None = None) -> Tally:
        """The orders with these verdicts together; of all without."""
        tallies = (
            tally for (_, verdict), tally in self.by_day.items() if verdicts is None or verdict in verdicts
        )
        return sum(tallies, Tally())

    def days_with(self, verdicts: Collection[str]) -> list[int]:
        """The days of the period, from 1, on which orders with these verdicts were paid."""
        return sorted({day for day, verdict in self.by_day if verdict in verdicts})


def month_totals(connection: Connection, promoter_id: int, month: PromoterMonth) -> MonthTotals:
    """By the totals of open periods; who waits for a receipt after a notice waits in vain, as in ``listed_orders``."""
    row = DailyProgress.__table__.c
    stored = select(row.day, row.verdict, row.orders, row.amount_fen, row.capped_fen).where(
        row.period == str(month.period), row.promoter_id == promoter_id
    )
    by_day: dict[tuple[int, str], Tally] = {}
    for day, stands, *sums in connection.execute(stored):
        too_late = stands == PENDING and month.published is not None
        place = (day, RECEIVED_IN_TIME.code if too_late else stands)
        by_day[place] = by_day.get(place, Tally()) + Tally(*sums)
    return MonthTotals(month, by_day)


def expected_at(
    connection: Connection, promoter_id: int, month: PromoterMonth, rate_permille: int
) -> Expected:
    """What the orders of a month without a notice earn at a rate."""
    row = PromoterSubsidy.__table__.c
    stored = select(row.orders, row.basis_fen, row.subsidy_fen).where(
        row.period == str(month.period),
        row.promoter_id == promoter_id,
        row.tier == tier_of_rate(month.terms, rate_permille),
    )
    found = connection.execute(stored).first()
    return Expected(0, 0, 0) if found is None else Expected(*found)


def order_keys(promoter_id: int, month: PromoterMonth, days: Collection[int] | None = None) -> Query:
    """The orders that a promoter was paid for in a month: paid_at, order_sn.

    days   only those paid on these days of the period, from 1
    """
    facts, begins, ends = Order.__table__.c, month.bounds.month_from, month.bounds.month_until
    keys = select(facts.paid_at, facts.order_sn).where(facts.promoter_id == promoter_id)
    if days is None:
        return keys.where(facts.paid_at >= begins, facts.paid_at < ends)
    runs: list[list[int]] = []
    for day in sorted(days):
        if runs and runs[-1][1] == day:
            runs[-1][1] = day + 1
        else:
            runs.append([day, day + 1])
    first, end = (runs[0][0], runs[-1][1]) if runs else (1, 1)
    keys = keys.where(
        facts.paid_at >= begins + (first - 1) * A_DAY, facts.paid_at < begins + (end - 1) * A_DAY
    )
    if len(runs) < 2:
        return keys
    on_days = (
        and_(facts.paid_at >= begins + (start - 1) * A_DAY, facts.paid_at < begins + (until - 1) * A_DAY)
        for start, until in runs
    )
    return keys.where(or_(*on_days))


def waiting_keys(promoter_id: int, month: PromoterMonth, days: Collection[int]) -> Query:
    """The orders of some days of a month that were not received: paid_at, order_sn."""
    return order_keys(promoter_id, month, days).where(Order.received_at.is_(None))


def line_keys(promoter_id: int, settlement_id: int) -> Query:
    """The orders to which a settlement gives something: order_sn."""
    return select(Line.order_sn).where(Line.promoter_id == promoter_id, Line.settlement_id == settlement_id)
