"""Flags about promoters: shares of orders that are unusual in the programme. A hint for a person, no verdict.

Each flag has its evidence (so many of so many orders) and the same share over all promoters of the period.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select

from bounty.db import QueryRow, fetch_all
from bounty.models import Anomaly, OpenPeriod, Order, RosterEntry
from bounty.models.forecast import AnomalyCode
from bounty.roster.terms import terms_in_force
from bounty.rules.periods import Period
from bounty.rules.sql_math import count_where, sum_or_zero
from bounty.settlement.period_lock import closed_periods

LEAST_ORDERS = 10
"""Fewer orders say nothing."""
LEAST_SHARE_PERMILLE = 200
TIMES_NORM = 3
"""A share counts as unusual from so many times that of all promoters together, and from LEAST_SHARE_PERMILLE on."""
WATCHED_SECONDS = 60 * 86_400
"""How long after its receipt cutoff a period is looked at: refunds come late."""
_LAST_SECONDS = 6 * 3600
_MINUTES = 10 * 60


@dataclass(frozen=True, slots=True)
class UnusualShare:
    """What is unusual of a promoter's period."""

    promoter_id: int
    code: str
    orders: int
    of_orders: int
    norm_permille: int


class FlaggedPromoter(NamedTuple):
    """A kept flag of a promoter's period."""

    promoter_id: int
    name: str
    """On the roster."""
    code: str
    """One of AnomalyCode."""
    orders: int
    """That show it."""
    of_orders: int
    norm_permille: int
    """The same share over all promoters of the period, whole per mille."""


def kept_flags(connection: Connection, period: Period, most: int) -> list[FlaggedPromoter]:
    """The kept flags of a period, the largest share first.

    most   flags at most
    """
    entry = and_(RosterEntry.promoter_id == Anomaly.promoter_id, RosterEntry.period == Anomaly.period)
    share = Anomaly.orders * 1000 / Anomaly.of_orders
    flags = (
        select(
            Anomaly.promoter_id,
            RosterEntry.name,
            Anomaly.code,
            Anomaly.orders,
            Anomaly.of_orders,
            Anomaly.norm_permille,
        )
        .join(RosterEntry, entry)
        .where(Anomaly.period == str(period))
        .order_by(share.desc(), Anomaly.promoter_id, Anomaly.code)
        .limit(most)
    )
    return fetch_all(connection, flags, FlaggedPromoter)


def watched_periods(connection: Connection, now: int) -> list[Period]:
    """The periods that have begun and whose receipt cutoff was at most WATCHED_SECONDS ago, but for closed ones."""
    closed = closed_periods(connection)
    begun = select(OpenPeriod.period).where(
        OpenPeriod.month_from <= now, OpenPeriod.receipt_cutoff > now - WATCHED_SECONDS
    )
    texts = connection.execute(begun.order_by(OpenPeriod.month_from, OpenPeriod.period)).scalars()
    return [Period.parse(text) for text in texts if text not in closed]


def flags_of(connection: Connection, period: Period) -> list[UnusualShare]:
    """The flags of every promoter of a period, on the orders known now: one statement.

    Of orders near the cap, those of the promoter's most frequent set of categories count.
    """
    terms = terms_in_force(connection, period).terms
    facts, bounds = Order.__table__.c, OpenPeriod.__table__.c
    order_cap = terms.subsidy.order_cap_fen or terms.task.order_cap_fen
    rate = terms.subsidy.tiers[0].rate_permille
    meets_cap = order_cap * 1000 // rate if terms.subsidy.order_cap_fen and rate else terms.task.order_cap_fen
    conditions: dict[str, ColumnElement[bool]] = {
        "NEAR_CAP": and_(
            facts.order_amount_fen >= meets_cap * 95 // 100, facts.order_amount_fen <= meets_cap
        ),
        "LAST_HOURS": and_(
            facts.paid_at >= bounds.task_until - _LAST_SECONDS, facts.paid_at < bounds.task_until
        ),
        "REFUNDS_AFTER_CUTOFF": and_(facts.failed_at.is_not(None), facts.failed_at >= bounds.receipt_cutoff),
        "INSTANT_RECEIPT": and_(facts.received_at.is_not(None), facts.received_at < facts.paid_at + _MINUTES),
        "PRICE_COMPARISON": and_(facts.price_compare_status.is_not(None), facts.price_compare_status == 1),
    }
    by_categories = (
        select(
            facts.promoter_id,
            func.count().label("of_orders"),
            *(count_where(condition).label(code) for code, condition in conditions.items()),
        )
        .select_from(OpenPeriod)
        .join(RosterEntry, RosterEntry.period == bounds.period)
        .join(
            Order,
            and_(
                facts.promoter_id == RosterEntry.promoter_id,
                facts.paid_at >= bounds.task_from,
                facts.paid_at < bounds.task_until,
            ),
        )
        .where(bounds.period == str(period), RosterEntry.reason.is_(None))
        .group_by(facts.promoter_id, facts.cat_ids)
        .subquery("by_categories")
        .c
    )
    total = {
        code: (func.max if code == "NEAR_CAP" else sum_or_zero)(by_categories[code]) for code in conditions
    }
    rows = connection.execute(
        select(
            by_categories.promoter_id,
            sum_or_zero(by_categories.of_orders).label("of_orders"),
            *(count.label(code) for code, count in total.items()),
        )
        .group_by(by_categories.promoter_id)
        .order_by(by_categories.promoter_id)
    ).all()
    return [flag for code in map(str, AnomalyCode) for flag in _unusual(code, rows)]


def _unusual(code: str, rows: Sequence[QueryRow]) -> list[UnusualShare]:
    every = sum(row.of_orders for row in rows)
    norm = sum(row._mapping[code] for row in rows) * 1000 // every if every else 0
    least = max(LEAST_SHARE_PERMILLE, TIMES_NORM * norm)
    return [
        UnusualShare(row.promoter_id, code, row._mapping[code], row.of_orders, norm)
        for row in rows
        if row.of_orders >= LEAST_ORDERS and row._mapping[code] * 1000 >= least * row.of_orders
    ]


def keep_flags(connection: Connection, period: Period, flags: list[UnusualShare], now: int) -> None:
    """Write the flags of a period in the place of those before."""
    connection.execute(delete(Anomaly).where(Anomaly.period == str(period)))
    if flags:
        connection.execute(
            insert(Anomaly),
            [
                {
                    "promoter_id": flag.promoter_id,
                    "period": str(period),
                    "code": flag.code,
                    "found_at": now,
                    "orders": flag.orders,
                    "of_orders": flag.of_orders,
                    "norm_permille": flag.norm_permille,
                }
                for flag in flags
            ],
        )
