"""Every open period at a glance: its state, computed from what is there, its counts, and its notices."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, case, func, select, true

from bounty.models import OpenPeriod, Order, Quarantined, Result, RosterEntry, Settlement, TermsVersion
from bounty.publication.service import changed_results, changes_by_cause, notices
from bounty.rules.periods import Period
from bounty.rules.terms import read_terms
from bounty.rules.whole import count_where

STATES = {
    "OPEN": ("推广中", "open"),
    "AWAITING_RECEIPTS": ("待收货截止", "awaiting receipts"),
    "READY_TO_SETTLE": ("待核算", "ready to settle"),
    "DRAFT": ("草稿", "draft"),
    "PUBLISHED": ("已公示", "published"),
    "CORRECTED": ("已更正", "corrected"),
}
"""State -> its name in Chinese and English."""


@dataclass(frozen=True, slots=True)
class PublishedResult:
    """A notice with what it changed of the one before."""

    facts: Any
    """The notice's and its settlement's columns."""
    causes: list[Any]
    """Per cause: orders, and what they move the subsidy by."""
    promoters_changed: int


@dataclass(frozen=True, slots=True)
class PeriodOverview:
    """One period."""

    period: str
    terms_name: str
    state: str
    """A key of STATES."""
    bounds: Any
    on_roster: int
    eligible: int
    active: int
    """With at least one order paid in the task window."""
    orders: int
    """Paid in the month."""
    settlement: Any | None
    """The newest one; null where there is none."""
    passed: int
    """In it."""
    notices: list[PublishedResult]


@dataclass(frozen=True, slots=True)
class Overview:
    """The periods, the newest first, and what waits in quarantine."""

    periods: list[PeriodOverview]
    quarantined: int


def overview(connection: Connection, now: int) -> Overview:
    """Every open period as of now."""
    rosters = {
        row.period: row
        for row in connection.execute(
            select(
                RosterEntry.period,
                func.count().label("on_roster"),
                count_where(RosterEntry.reason.is_(None)).label("eligible"),
            ).group_by(RosterEntry.period)
        )
    }
    orders = {row.period: row for row in connection.execute(_orders_by_period())}
    newest = {
        row.period: row
        for row in connection.execute(select(Settlement.__table__).order_by(Settlement.settlement_id))
    }
    passed = dict(
        connection.execute(
            select(Result.settlement_id, count_where(Result.passed.is_(true()))).group_by(
                Result.settlement_id
            )
        ).all()
    )
    published: dict[str, list[Any]] = {}
    for row in notices(connection):
        published.setdefault(row.period, []).append(row)
    periods = []
    for bounds in connection.execute(
        select(OpenPeriod.__table__, TermsVersion.toml)
        .join(TermsVersion, TermsVersion.terms_id == OpenPeriod.terms_id)
        .order_by(OpenPeriod.period.desc())
    ):
        name = bounds.period
        settlement = newest.get(name)
        told = published.get(name, [])
        counted = orders.get(name)
        periods.append(
            PeriodOverview(
                period=name,
                terms_name=read_terms(bounds.toml).name,
                state=state_of(bounds, settlement, told, now),
                bounds=bounds,
                on_roster=rosters[name].on_roster,
                eligible=rosters[name].eligible,
                active=counted.active if counted else 0,
                orders=counted.orders if counted else 0,
                settlement=settlement,
                passed=passed.get(settlement.settlement_id, 0) if settlement else 0,
                notices=[_with_changes(connection, row, told) for row in told],
            )
        )
    waiting = select(func.count()).where(Quarantined.closed_at.is_(None))
    return Overview(periods, connection.execute(waiting.select_from(Quarantined)).scalar_one())


def state_of(bounds: Any, settlement: Any | None, told: list[Any], now: int) -> str:
    """The state of an open period; no column can contradict it."""
    if settlement is not None and all(row.settlement_id != settlement.settlement_id for row in told):
        return "DRAFT"
    if told:
        return "PUBLISHED" if len(told) == 1 else "CORRECTED"
    if now < bounds.task_until:
        return "OPEN"
    return "AWAITING_RECEIPTS" if now < bounds.receipt_cutoff else "READY_TO_SETTLE"


def _orders_by_period() -> Any:
    in_task = and_(Order.paid_at >= OpenPeriod.task_from, Order.paid_at < OpenPeriod.task_until)
    return (
        select(
            OpenPeriod.period,
            func.count().label("orders"),
            func.count(func.distinct(case((in_task, RosterEntry.promoter_id)))).label("active"),
        )
        .select_from(OpenPeriod)
        .join(Order, and_(Order.paid_at >= OpenPeriod.month_from, Order.paid_at < OpenPeriod.month_until))
        .outerjoin(
            RosterEntry,
            and_(RosterEntry.promoter_id == Order.promoter_id, RosterEntry.period == OpenPeriod.period),
        )
        .group_by(OpenPeriod.period)
    )


def _with_changes(connection: Connection, notice: Any, told: list[Any]) -> PublishedResult:
    before = next((row for row in told if row.notice == notice.notice - 1), None)
    if before is None:
        return PublishedResult(notice, [], 0)
    promoters = changed_results(
        connection, Period.parse(notice.period), before.settlement_id, notice.settlement_id
    )
    return PublishedResult(notice, changes_by_cause(connection, notice.settlement_id), len(promoters))
