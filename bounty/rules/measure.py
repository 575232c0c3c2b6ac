"""The measure: what a promoter's orders count to the task, for whoever brings facts, bounds and terms.

Progress, settlement, simulation and the history behind a target all take these columns.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, case, literal, not_

from bounty.models import OpenPeriod, RosterEntry
from bounty.rules.clauses import RECEIVED_IN_TIME, TASK_CLAUSES, BoundColumns, Facts, all_hold
from bounty.rules.terms import Terms
from bounty.rules.whole import count_where, lesser, total

COUNTED = "COUNTED"
PENDING = "PENDING"


@dataclass(frozen=True, slots=True)
class Measure:
    """What one promoter's rows come to; aggregates for a SELECT grouped by promoter."""

    gmv_fen: ColumnElement[int]
    """Whole fen, each order at most the cap."""
    orders: ColumnElement[int]


def measured(facts: Facts, bounds: BoundColumns, terms: Terms) -> Measure:
    """GMV and orders that count. The caller restricts ``paid_at`` to the month, so that an index is used."""
    counts = all_hold(TASK_CLAUSES, facts, bounds, terms)
    capped = lesser(facts.order_amount_fen, terms.task.order_cap_fen)
    return Measure(gmv_fen=total(case((counts, capped), else_=0)), orders=count_where(counts))


def hoped(facts: Facts, bounds: BoundColumns, terms: Terms) -> Measure:
    """What counts and what is pending together: as ``measured``, once every receipt that is missing comes in time."""
    counts = verdict(facts, bounds, terms).in_((COUNTED, PENDING))
    capped = lesser(facts.order_amount_fen, terms.task.order_cap_fen)
    return Measure(gmv_fen=total(case((counts, capped), else_=0)), orders=count_where(counts))


def verdict(facts: Facts, bounds: BoundColumns, terms: Terms) -> ColumnElement[str]:
    """COUNTED, PENDING (only the receipt is missing; the clock is not asked), or the first clause that fails."""
    *others, receipt = TASK_CLAUSES
    assert receipt is RECEIVED_IN_TIME, "pending is what only the last clause keeps from counting"
    return case(
        *((not_(clause.holds(facts, bounds, terms)), literal(clause.code)) for clause in others),
        (receipt.holds(facts, bounds, terms), literal(COUNTED)),
        (facts.received_at.is_(None), literal(PENDING)),
        else_=literal(receipt.code),
    )


def frozen_bounds(terms: Terms) -> BoundColumns:
    """The bounds of an open period, as columns of ``periods`` joined with ``roster``."""
    period, entry = OpenPeriod.__table__.c, RosterEntry.__table__.c
    return BoundColumns(
        task_from=period.task_from,
        task_until=period.task_until,
        receipt_cutoff=period.receipt_cutoff,
        month_from=period.month_from,
        month_until=period.month_until,
        direct_only=direct_only_of(entry.level, terms),
    )


def direct_only_of(level: ColumnElement[str], terms: Terms) -> ColumnElement[bool]:
    """Whether only direct orders count at a level, as an expression; yes where the terms do not know it."""
    free = [name for name, rules in terms.levels.items() if not rules.direct_only]
    return case((level.in_(free), literal(0)), else_=literal(1)) == literal(1)
