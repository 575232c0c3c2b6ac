"""The measure: what a promoter's orders count to the task, for whoever brings facts, bounds and terms.

Progress, settlement, simulation and the history behind a target all take these columns.
"""

from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import ColumnElement, and_, case, func, literal, not_, or_

from bounty.db import Query
from bounty.models import OpenPeriod, Order, RosterEntry
from bounty.rules.clauses import (
    RECEIVED_IN_TIME,
    TASK_CLAUSES,
    BoundColumns,
    Facts,
    Settlements,
    all_hold,
    newest_notices_elsewhere,
)
from bounty.rules.periods import Period
from bounty.rules.sql_math import capped_at, sum_or_zero
from bounty.rules.terms import Terms

_Name = TypeVar("_Name")
COUNTED = "COUNTED"
PENDING = "PENDING"
VERDICTS = (*(clause.code for clause in TASK_CLAUSES[:-1]), COUNTED, PENDING, TASK_CLAUSES[-1].code)
"""What an order can be."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What one promoter's rows come to; aggregates for a SELECT grouped by promoter."""

    gmv_fen: ColumnElement[int]
    """Whole fen, each order at most the cap."""
    orders: ColumnElement[int]


def measured(facts: Facts, terms: Terms) -> Measure:
    """GMV and orders of rows that were restricted to those which count."""
    capped = capped_at(facts.order_amount_fen, terms.task.order_cap_fen)
    return Measure(gmv_fen=sum_or_zero(capped), orders=func.count(facts.promoter_id))


def counts(facts: Facts, bounds: BoundColumns, terms: Terms) -> ColumnElement[bool]:
    """Whether an order counts."""
    return all_hold(TASK_CLAUSES, facts, bounds, terms)


def may_count(facts: Facts, bounds: BoundColumns, terms: Terms) -> ColumnElement[bool]:
    """Whether an order counts, or will once a receipt that is missing comes in time."""
    others = all_hold(TASK_CLAUSES[:-1], facts, bounds, terms)
    return and_(others, or_(facts.received_at.is_(None), RECEIVED_IN_TIME.holds(facts, bounds, terms)))


def verdict(facts: Facts, bounds: BoundColumns, terms: Terms) -> ColumnElement[str]:
    """COUNTED, PENDING (only the receipt is missing; whatever the time is), or the first clause that fails."""
    return _judged(facts, bounds, terms, [literal(code) for code in VERDICTS])


def verdict_number(facts: Facts, bounds: BoundColumns, terms: Terms) -> ColumnElement[int]:
    """The place of an order's verdict in VERDICTS: to group by, as numbers sort many times quicker than words."""
    return _judged(facts, bounds, terms, [literal(number) for number in range(len(VERDICTS))])


def _judged(
    facts: Facts, bounds: BoundColumns, terms: Terms, names: list[ColumnElement[_Name]]
) -> ColumnElement[_Name]:
    *others, receipt = TASK_CLAUSES
    assert receipt is RECEIVED_IN_TIME, "pending is what only the last clause keeps from counting"
    *codes, counted, pending, late = names
    return case(
        *(
            (not_(clause.holds(facts, bounds, terms)), code)
            for clause, code in zip(others, codes, strict=True)
        ),
        (receipt.holds(facts, bounds, terms), counted),
        (facts.received_at.is_(None), pending),
        else_=late,
    )


def of_eligible(columns: Query, period: Period, which: ColumnElement[bool], *, outer: bool = False) -> Query:
    """A SELECT of an open period's eligible promoters, each with those of their orders for which something holds.

    outer   keeps who has no such order
    """
    entry = and_(RosterEntry.period == OpenPeriod.period, RosterEntry.reason.is_(None))
    return (
        columns.select_from(OpenPeriod)
        .join(RosterEntry, entry)
        .join(Order, and_(Order.promoter_id == RosterEntry.promoter_id, which), isouter=outer)
        .where(OpenPeriod.period == str(period))
    )


def frozen_bounds(terms: Terms, elsewhere: Settlements | None = None) -> BoundColumns:
    """The bounds of an open period, as columns of ``periods`` joined with ``roster``.

    elsewhere   the settlements of the notices of other programmes that exclusive terms go by; null: of the newest
    """
    period, entry = OpenPeriod.__table__.c, RosterEntry.__table__.c
    return BoundColumns(
        task_from=period.task_from,
        task_until=period.task_until,
        receipt_cutoff=period.receipt_cutoff,
        month_from=period.month_from,
        month_until=period.month_until,
        direct_only=direct_only_of(entry.level, terms),
        elsewhere=newest_notices_elsewhere(period.period) if elsewhere is None else elsewhere,
    )


def direct_only_of(level: ColumnElement[str], terms: Terms) -> ColumnElement[bool]:
    """Whether only direct orders count at a level, as an expression; yes where the terms do not know it."""
    free = [name for name, rules in terms.levels.items() if not rules.direct_only]
    return not_(and_(level.is_not(None), level.in_(free)))
