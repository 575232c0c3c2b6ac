"""My task: where a promoter stands in a month, what is missing, and what it would earn."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import starmap
from typing import NamedTuple

from sqlalchemy import Connection, select

from bounty.db import QueryRow, fetch_first
from bounty.models import DailyProgress, PromoterSubsidy, RosterOverride, Violation
from bounty.progress.bring_home import BringHome, bring_home_of
from bounty.progress.history import PromoterMonth
from bounty.progress.next_tier import NextTier, next_tier_of
from bounty.progress.order_list import (
    Expected,
    TierSubsidy,
    expected_of,
    expected_rate,
    newest_orders,
    rate_reached,
    within_reach,
)
from bounty.progress.pace import TargetProgress, WindowDays, days_of
from bounty.progress.queries import A_PERIOD, A_PROMOTER
from bounty.progress.service import Tally
from bounty.roster.queries import PromoterViolation
from bounty.rules.clauses import RECEIVED_IN_TIME, TASK_CLAUSES
from bounty.rules.measure import COUNTED, PENDING
from bounty.rules.terms import Terms

NEWEST = 10
"""Orders that a task shows."""


@dataclass(frozen=True, slots=True)
class DayTotal:
    """What the orders paid on one day of the month count."""

    day: int
    counted: Tally
    pending: Tally


class NewestOverride(NamedTuple):
    """Why and when a roster entry was changed by hand."""

    reason: str
    overridden_at: int


@dataclass(frozen=True, slots=True)
class Task:
    """A promoter's month, as of now."""

    month: PromoterMonth
    terms: Terms
    override: NewestOverride | None
    """The newest change of the roster entry by hand."""
    violation: PromoterViolation | None
    """The one that keeps the promoter out longest."""
    counted: Tally
    pending: Tally
    not_counted: dict[str, Tally]
    """By the first clause that fails, in the order of the clauses."""
    daily: tuple[DayTotal, ...]
    """Every day of the month with an order that counts or waits."""
    days: WindowDays
    gmv: TargetProgress | None
    """Null where there is no such target."""
    orders: TargetProgress | None
    rate_permille: int
    """Of the tier reached, or the first: what the expected subsidy is taken at."""
    next_tier: NextTier | None
    """The one above it, while it may still be reached."""
    expected: Expected
    newest: tuple[QueryRow, ...]
    """The newest orders, with the columns of ``order_list.listed_orders``."""
    following: PromoterMonth | None
    """The next month, as soon as its roster is frozen."""
    reachable: bool
    """Whether the promoter may still pass; see ``order_list.within_reach``."""
    bring_home: BringHome | None
    """Which pending orders would do, while that helps: not passed yet, within reach, and before the cutoff."""

    @property
    def all(self) -> Tally:
        """Every order paid in the month."""
        return sum(self.not_counted.values(), self.counted + self.pending)

    @property
    def targets(self) -> tuple[TargetProgress, ...]:
        """Of the targets there are."""
        return tuple(target for target in (self.gmv, self.orders) if target is not None)

    @property
    def passed(self) -> bool:
        """Whether what is counted reaches every target, for an eligible promoter whose pass was not taken back."""
        return self._may_pass and all(each.counted >= each.target for each in self.targets)

    @property
    def would_pass(self) -> bool:
        """Whether it would, were every pending order received in time."""
        return self._may_pass and all(each.missing == 0 for each in self.targets)

    @property
    def _may_pass(self) -> bool:
        return self.month.reason is None and self.month.void is None


_NEWEST_OVERRIDE = (
    select(RosterOverride.reason, RosterOverride.overridden_at)
    .where(RosterOverride.promoter_id == A_PROMOTER, RosterOverride.period == A_PERIOD)
    .order_by(RosterOverride.number.desc())
    .limit(1)
)
_DAYS = select(
    DailyProgress.day,
    DailyProgress.verdict,
    DailyProgress.orders,
    DailyProgress.amount_fen,
    DailyProgress.capped_fen,
).where(DailyProgress.period == A_PERIOD, DailyProgress.promoter_id == A_PROMOTER)
_TIERS = select(*(PromoterSubsidy.__table__.c[name] for name in TierSubsidy._fields)).where(
    PromoterSubsidy.period == A_PERIOD, PromoterSubsidy.promoter_id == A_PROMOTER
)


def task_of(
    connection: Connection,
    promoter_id: int,
    month: PromoterMonth,
    now: int,
    *,
    following: PromoterMonth | None = None,
) -> Task:
    """Where a promoter stands in a month: three queries, and one more each for who has pending orders to bring home,
    is out over a violation, or whose entry was put right by hand.
    """
    terms = month.terms
    verdicts: dict[str, Tally] = {}
    by_day: dict[int, dict[str, Tally]] = {}
    key: dict[str, str | int] = {"period": str(month.period), "promoter_id": promoter_id}
    for day, stands, *sums in connection.execute(_DAYS, key):
        of_day = Tally(*sums)
        too_late = stands == PENDING and month.published is not None
        verdict = RECEIVED_IN_TIME.code if too_late else stands
        verdicts[verdict] = verdicts.get(verdict, Tally()) + of_day
        if verdict in (COUNTED, PENDING):
            by_day.setdefault(day, {})[verdict] = of_day
    counted, pending = verdicts.pop(COUNTED, Tally()), verdicts.pop(PENDING, Tally())
    reachable = within_reach(
        month, counted.capped_fen + pending.capped_fen, counted.orders + pending.orders, now
    )
    days = days_of(month.bounds, now)
    gmv, orders = (
        None if target is None else TargetProgress(target, is_counted, is_pending, days)
        for target, is_counted, is_pending in (
            (month.target_gmv_fen, counted.capped_fen, pending.capped_fen),
            (month.target_orders, counted.orders, pending.orders),
        )
    )
    reached = rate_reached(
        terms, counted.capped_fen, counted.orders, month.target_gmv_fen, month.target_orders
    )
    permille = expected_rate(terms, reached, month, reachable=reachable)
    tiers = {row.tier: row for row in starmap(TierSubsidy, connection.execute(_TIERS, key))}
    expected, earned_fen = expected_of(terms, tiers, permille)
    published = month.published
    helps = bool(pending.orders) and reachable and reached is None and now < month.bounds.receipt_cutoff
    next_tier = next_tier_of(terms, permille, gmv, orders, tiers, expected.subsidy_fen) if reachable else None
    if next_tier is not None and now >= month.bounds.task_until and (next_tier.gmv_fen or next_tier.orders):
        next_tier = None  # no order can be added
    newest = connection.execute(
        newest_orders(terms, NEWEST, published=published is not None),
        {
            **key,
            "rate_permille": permille,
            "earned_fen": earned_fen,
            "settlement_id": None if published is None else published.settlement_id,
        },
    )
    return Task(
        month=month,
        terms=terms,
        override=_override(connection, key) if month.derivation.get("source") == "override" else None,
        violation=_violation(connection, promoter_id, month) if month.reason == "VIOLATION" else None,
        counted=counted,
        pending=pending,
        not_counted={
            clause.code: verdicts[clause.code] for clause in TASK_CLAUSES if clause.code in verdicts
        },
        daily=tuple(
            DayTotal(day, tallies.get(COUNTED, Tally()), tallies.get(PENDING, Tally()))
            for day, tallies in sorted(by_day.items())
        ),
        days=days,
        gmv=gmv,
        orders=orders,
        rate_permille=permille,
        next_tier=next_tier,
        expected=expected,
        newest=tuple(newest),
        following=following,
        reachable=reachable,
        bring_home=bring_home_of(
            connection,
            terms,
            key,
            max((month.target_gmv_fen or 0) - counted.capped_fen, 0),
            max((month.target_orders or 0) - counted.orders, 0),
            pending.orders,
        )
        if helps
        else None,
    )


def _override(connection: Connection, key: Mapping[str, str | int]) -> NewestOverride | None:
    row = connection.execute(_NEWEST_OVERRIDE, key).first()
    return None if row is None else NewestOverride(*row)


def _violation(connection: Connection, promoter_id: int, month: PromoterMonth) -> PromoterViolation | None:
    first_day = month.period.first_day
    query = (
        select(*(Violation.__table__.c[name] for name in PromoterViolation._fields))
        .where(
            Violation.promoter_id == promoter_id,
            Violation.occurred_on < first_day,
            Violation.cleared_on.is_(None) | (Violation.cleared_on >= first_day),
        )
        .order_by(
            Violation.cleared_on.is_not(None), Violation.cleared_on.desc(), Violation.occurred_on.desc()
        )
        .limit(1)
    )
    return fetch_first(connection, query, PromoterViolation)
