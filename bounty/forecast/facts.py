"""What the books hold for a forecast: the roster, this month's orders, and how orders of past months went; as arrays.

Every statement reads the relation ``orders``. A common table expression of that name hides the table, and then the
statement reads what the books knew at an earlier instant.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import CTE, ColumnElement, Connection, Float, and_, case, cast, func, literal, or_, select

from bounty.clock import SHANGHAI
from bounty.db import Query
from bounty.models import Order, RosterEntry
from bounty.rules.clauses import (
    SUBSIDY_CLAUSES,
    TASK_CLAUSES,
    BoundColumns,
    all_hold,
    newest_notices_elsewhere,
)
from bounty.rules.measure import direct_only_of
from bounty.rules.periods import Bounds, Period, bounds_of
from bounty.rules.sql_math import capped_at, count_where, sum_or_zero, whole_part
from bounty.rules.subsidy import before_promoter_cap
from bounty.rules.terms import Terms

Whole = NDArray[np.int64]
Real = NDArray[np.floating[Any]]
Known = Callable[[int, int], CTE]
"""What the books knew at an earlier instant of the orders paid in a span, as a common table expression ``orders``."""
DAY = 86_400
HISTORY_MONTHS = 3
"""Past months that a forecast learns from."""
NEVER = -1
"""Of days before the cutoff: at the cutoff, later, or not at all."""
_SHANGHAI_SECONDS = 8 * 3600
_CHANGING = ("PAID_IN_WINDOW", "PAID_IN_MONTH", "NOT_FAILED", "RECEIVED_IN_TIME")
_TASK_LASTING = tuple(clause for clause in TASK_CLAUSES if clause.code not in _CHANGING)
"""The clauses that time does not change: what an order is, not how it ended."""
_SUBSIDY_LASTING = tuple(clause for clause in SUBSIDY_CLAUSES if clause.code not in _CHANGING)


@dataclass(frozen=True, slots=True)
class Roster:
    """The eligible promoters of a period, by promoter id."""

    promoter_ids: Whole
    target_gmv_fen: Whole
    """0 for no such target."""
    target_orders: Whole


@dataclass(frozen=True, slots=True)
class MonthOrders:
    """This month's orders of eligible promoters that meet every lasting clause, sorted by promoter."""

    promoter: Whole
    """The place in the roster."""
    paid_at: Whole
    capped_fen: Whole
    for_task: NDArray[np.bool_]
    """Paid in the task window, and of a kind that counts."""
    received_at: Whole
    """0: not before the cutoff, as known."""
    failed: NDArray[np.bool_]
    earned_fen: Whole
    """By order and tier: what it would earn at that tier's rate; 0 for one that earns nothing."""


@dataclass(frozen=True, slots=True)
class PastMonth:
    """What each promoter of the roster was paid for in the task window of an earlier month."""

    orders: Whole
    """Of a kind that counts, however they ended."""
    early_orders: Whole
    """Of these, paid before as much of the window was over as is now."""
    capped_fen: Real
    squared_fen: Real
    """The sum of the squares."""
    exposure: float
    """Days of the window, weighted by weekday."""
    early_exposure: float


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How orders of past months went, by whole days before their month's receipt cutoff; a row for each combination."""

    paid: Whole
    received: Whole
    """NEVER where it was not received before the cutoff."""
    failed: Whole
    orders: Whole


@dataclass(frozen=True, slots=True)
class ForecastFacts:
    """All that a forecast of one period is made from."""

    bounds: Bounds
    now: int
    roster: Roster
    present: MonthOrders
    past: list[PastMonth]
    """The newest first; months without any order are left out."""
    lifetimes: Lifetimes
    weekdays: Real
    """Seven weights about 1, from Monday: how many orders are paid on such a day."""

    def exposure(self, start: int, until: int) -> float:
        """The days of a span, weighted by weekday; 0 for an empty one."""
        return exposure(self.weekdays, start, until)


def exposure(weekdays: Real, start: int, until: int) -> float:
    """The days of a span, weighted by weekday; 0 for an empty one."""
    total, at = 0.0, start
    while at < until:
        days = (at + _SHANGHAI_SECONDS) // DAY
        end = min(until, (days + 1) * DAY - _SHANGHAI_SECONDS)
        total += weekdays[(days + 3) % 7] * (end - at) / DAY
        at = end
    return total


def facts_of(
    connection: Connection,
    period: Period,
    terms: Terms,
    now: int,
    known: Known | None = None,
) -> ForecastFacts:
    """Read what a forecast needs: a statement for the roster, one for the month, and three for each past month.

    known   what the books knew at an earlier instant; null: what they know now
    """
    bounds = bounds_of(period, terms)
    read = _Reader(connection, period, terms, known)
    roster = read.roster()
    past_bounds = [bounds_of(period.plus(-back), terms) for back in range(1, HISTORY_MONTHS + 1)]
    weekdays = read.weekdays([each for each in past_bounds if each.task_until <= now])
    elapsed = max(0, min(now, bounds.task_until) - bounds.task_from)
    past = [
        month
        for each in past_bounds
        if each.task_until <= now
        for month in [read.past_month(each, roster, elapsed, weekdays)]
        if month.orders.any()
    ]
    lifetimes = [read.lifetimes(each) for each in past_bounds if each.receipt_cutoff <= now]
    return ForecastFacts(
        bounds=bounds,
        now=now,
        roster=roster,
        present=read.present(bounds, roster),
        past=past,
        lifetimes=Lifetimes(*np.concatenate([np.empty((0, 4), np.int64), *lifetimes]).T),
        weekdays=weekdays,
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """The statements, over one relation of orders."""

    connection: Connection
    period: Period
    terms: Terms
    known: Known | None

    def rows(self, query: Query, width: int) -> Whole:
        """The rows of a SELECT of whole numbers, none null."""
        found = [tuple(row) for row in self.connection.execute(query)]
        return np.array(found, np.int64).reshape(len(found), width)

    def as_known(self, query: Query, start: int, until: int) -> Query:
        return query if self.known is None else query.add_cte(self.known(start, until))

    def roster(self) -> Roster:
        entries = select(
            RosterEntry.promoter_id,
            func.coalesce(RosterEntry.target_gmv_fen, 0),
            func.coalesce(RosterEntry.target_orders, 0),
        ).where(RosterEntry.period == str(self.period), RosterEntry.reason.is_(None))
        rows = self.rows(entries.order_by(RosterEntry.promoter_id), 3)
        return Roster(rows[:, 0], rows[:, 1], rows[:, 2])

    def bound_columns(self, bounds: Bounds) -> BoundColumns:
        return BoundColumns(
            task_from=literal(bounds.task_from),
            task_until=literal(bounds.task_until),
            receipt_cutoff=literal(bounds.receipt_cutoff),
            month_from=literal(bounds.month_from),
            month_until=literal(bounds.month_until),
            direct_only=direct_only_of(RosterEntry.__table__.c.level, self.terms),
            elsewhere=newest_notices_elsewhere(literal(str(self.period))),
        )

    def of_roster(self, columns: Query, start: int, until: int) -> Query:
        """A SELECT of the eligible promoters' orders that were paid in a span."""
        facts = Order.__table__.c
        return columns.select_from(RosterEntry).join(
            Order,
            and_(
                facts.promoter_id == RosterEntry.promoter_id,
                facts.paid_at >= start,
                facts.paid_at < until,
                RosterEntry.period == str(self.period),
                RosterEntry.reason.is_(None),
            ),
        )

    def lasting(self, bounds: Bounds) -> ColumnElement[bool]:
        return all_hold(_TASK_LASTING, Order.__table__.c, self.bound_columns(bounds), self.terms)

    def present(self, bounds: Bounds, roster: Roster) -> MonthOrders:
        facts, terms = Order.__table__.c, self.terms
        columns = self.bound_columns(bounds)
        in_window = and_(facts.paid_at >= bounds.task_from, facts.paid_at < bounds.task_until)
        for_task, earns = (
            and_(in_window, self.lasting(bounds)),
            all_hold(_SUBSIDY_LASTING, facts, columns, terms),
        )
        cutoff = bounds.receipt_cutoff
        tiers = terms.subsidy.tiers
        query = self.of_roster(
            select(
                facts.promoter_id,
                facts.paid_at,
                capped_at(facts.order_amount_fen, terms.task.order_cap_fen),
                case((for_task, 1), else_=0),
                case(
                    (and_(facts.received_at.is_not(None), facts.received_at < cutoff), facts.received_at),
                    else_=0,
                ),
                case((and_(facts.failed_at.is_not(None), facts.failed_at < cutoff), 1), else_=0),
                *(
                    case((earns, before_promoter_cap(facts, literal(tier.rate_permille), terms)), else_=0)
                    for tier in tiers
                ),
            ),
            bounds.month_from,
            bounds.month_until,
        ).where(or_(for_task, earns))
        rows = self.rows(self.as_known(query, bounds.month_from, bounds.month_until), 6 + len(tiers))
        # By all columns: the draws must not depend on the order in which a database gives its rows.
        rows = rows[np.lexsort(rows.T[::-1])]
        return MonthOrders(
            promoter=np.searchsorted(roster.promoter_ids, rows[:, 0]),
            paid_at=rows[:, 1],
            capped_fen=rows[:, 2],
            for_task=rows[:, 3] == 1,
            received_at=rows[:, 4],
            failed=rows[:, 5] == 1,
            earned_fen=rows[:, 6:],
        )

    def past_month(self, bounds: Bounds, roster: Roster, elapsed: int, weekdays: Real) -> PastMonth:
        facts = Order.__table__.c
        capped = capped_at(facts.order_amount_fen, self.terms.task.order_cap_fen)
        real: ColumnElement[float] = cast(capped, Float)
        early_until = min(bounds.task_from + elapsed, bounds.task_until)
        query = (
            self.of_roster(
                select(
                    facts.promoter_id,
                    func.count(),
                    count_where(facts.paid_at < early_until),
                    sum_or_zero(capped),
                    func.sum(real * real),
                ),
                bounds.task_from,
                bounds.task_until,
            )
            .where(self.lasting(bounds))
            .group_by(facts.promoter_id)
        )
        query = self.as_known(query, bounds.task_from, bounds.task_until)
        rows = np.array([tuple(row) for row in self.connection.execute(query)], float).reshape(-1, 5)
        spread = np.zeros((len(roster.promoter_ids), 4))
        spread[np.searchsorted(roster.promoter_ids, rows[:, 0].astype(np.int64))] = rows[:, 1:]
        return PastMonth(
            orders=spread[:, 0].astype(np.int64),
            early_orders=spread[:, 1].astype(np.int64),
            capped_fen=spread[:, 2],
            squared_fen=spread[:, 3],
            exposure=exposure(weekdays, bounds.task_from, bounds.task_until),
            early_exposure=exposure(weekdays, bounds.task_from, early_until),
        )

    def lifetimes(self, bounds: Bounds) -> Whole:
        facts = Order.__table__.c

        def before_cutoff(instant: ColumnElement[int]) -> ColumnElement[int]:
            left = bounds.receipt_cutoff - 1 - instant
            return case((and_(instant.is_not(None), left >= 0), whole_part(left, DAY)), else_=NEVER)

        days = [before_cutoff(each) for each in (facts.paid_at, facts.received_at, facts.failed_at)]
        labelled = [each.label(name) for each, name in zip(days, ("paid", "received", "failed"), strict=True)]
        each = (
            self.of_roster(select(*labelled), bounds.task_from, bounds.task_until)
            .where(self.lasting(bounds))
            .subquery("each_order")
        )
        query = select(*each.c, func.count()).group_by(*each.c)
        return self.rows(self.as_known(query, bounds.task_from, bounds.task_until), 4)

    def weekdays(self, months: list[Bounds]) -> Real:
        facts = Order.__table__.c
        day = whole_part(facts.paid_at + _SHANGHAI_SECONDS, DAY)
        paid = np.zeros(7)
        lasted = np.zeros(7)
        for bounds in months:
            found = (
                self.of_roster(select(((day + 3) % 7).label("weekday")), bounds.task_from, bounds.task_until)
                .where(self.lasting(bounds))
                .subquery("days")
            )
            query = select(found.c.weekday, func.count()).group_by(found.c.weekday)
            for weekday, orders in self.rows(self.as_known(query, bounds.task_from, bounds.task_until), 2):
                paid[weekday] += orders
            first = (bounds.task_from + _SHANGHAI_SECONDS) // DAY
            for at in range(first, (bounds.task_until + _SHANGHAI_SECONDS) // DAY):
                lasted[(at + 3) % 7] += 1
        if not paid.sum():
            return np.ones(7)
        mean = paid.sum() / lasted.sum()
        # Drawn towards 1 by as much as fifty orders of an ordinary day would.
        weights: Real = (paid + 50) / (lasted * mean + 50)
        return weights


assert SHANGHAI.key == "Asia/Shanghai", "an offset that never changes, see clock"
