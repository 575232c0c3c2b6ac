"""Every open period at a glance: its state, computed from what is there, its counts, and its notice."""

from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection, func, select, true

from bounty import figures
from bounty.db import fetch_all
from bounty.labels import LabelledCode
from bounty.models import Approval, OpenPeriod, Result, RosterEntry, Settlement
from bounty.notices.service import NoticeRow, notices
from bounty.roster.terms import PeriodRow
from bounty.rules.sql_math import count_where
from bounty.settlement.approval import approval_counts, approvals_needed
from bounty.settlement.period_lock import closed_periods
from bounty.settlement.service import SettlementRow

HEADCOUNTS = "headcounts"
"""The stored figure of how many promoters there are in every period."""


class PeriodState(LabelledCode):
    """Where a period stands; computed from what is there."""

    UPCOMING = "UPCOMING", "待开始", "upcoming"
    OVERDUE = "OVERDUE", "逾期未冻结", "overdue"
    OPEN = "OPEN", "推广中", "open"
    AWAITING_RECEIPTS = "AWAITING_RECEIPTS", "待收货截止", "awaiting receipts"
    READY_TO_SETTLE = "READY_TO_SETTLE", "待核算", "ready to settle"
    DRAFT = "DRAFT", "草稿", "draft"
    APPROVED = "APPROVED", "已批准", "approved"
    PUBLISHED = "PUBLISHED", "已公示", "published"
    CORRECTED = "CORRECTED", "已更正", "corrected"
    CLOSED = "CLOSED", "已关账", "closed"


def is_draft(settlement: SettlementRow | None, published: list[NoticeRow]) -> bool:
    """Whether the newest settlement of a period still awaits its notice; one with the content of the newest
    notice needs none.

    settlement   the newest one; null where there is none
    published    the period's notices with their settlements' facts, the newest first
    """
    if settlement is None or any(row.settlement_id == settlement.settlement_id for row in published):
        return False
    return not published or published[0].content_sha256 != settlement.content_sha256


def state_of(
    bounds: PeriodRow,
    settlement: SettlementRow | None,
    published: list[NoticeRow],
    now: int,
    *,
    approved: bool = False,
    closed: bool = False,
) -> PeriodState:
    """The state of an open period; no column can contradict it.

    settlement   the newest one
    published    its notices
    approved     whether enough accounts approved the settlement
    closed       whether it was closed, and not reopened since
    """
    if closed:
        return PeriodState.CLOSED
    if is_draft(settlement, published):
        return PeriodState.APPROVED if approved else PeriodState.DRAFT
    if published:
        return PeriodState.PUBLISHED if len(published) == 1 else PeriodState.CORRECTED
    ends = (
        (bounds.task_from, PeriodState.UPCOMING),
        (bounds.task_until, PeriodState.OPEN),
        (bounds.receipt_cutoff, PeriodState.AWAITING_RECEIPTS),
    )
    return next((state for until, state in ends if now < until), PeriodState.READY_TO_SETTLE)


@dataclass(frozen=True, slots=True)
class PeriodSummary:
    """One open period in the list of all."""

    period: str
    state: PeriodState
    bounds: PeriodRow
    on_roster: int
    eligible: int
    settlement: SettlementRow | None
    """The newest one; null where there is none."""
    passed: int
    """In it."""
    notice: NoticeRow | None
    """The newest one; null where there is none."""


def open_periods(connection: Connection) -> list[PeriodRow]:
    """Every open period, the newest first."""
    newest_first = select(OpenPeriod.__table__).order_by(OpenPeriod.month_from.desc(), OpenPeriod.period)
    return fetch_all(connection, newest_first, PeriodRow)


def period_summaries(connection: Connection, now: int) -> list[PeriodSummary]:
    """Every open period, the newest first; eight queries, and fewer of large books."""
    people = headcounts(connection, now)
    newest = {
        row.period: row
        for row in fetch_all(
            connection, select(Settlement.__table__).order_by(Settlement.settlement_id), SettlementRow
        )
    }
    ids = [row.settlement_id for row in newest.values()]
    approvals = {
        row.settlement_id: row.approvals
        for row in connection.execute(
            select(Settlement.settlement_id, func.count().label("approvals"))
            .join(Approval, approval_counts(Settlement))
            .where(Settlement.settlement_id.in_(ids))
            .group_by(Settlement.settlement_id)
        )
    }
    by_period: dict[str, list[NoticeRow]] = {}
    for row in notices(connection):
        by_period.setdefault(row.period, []).append(row)
    closed, found = closed_periods(connection), []
    for bounds in open_periods(connection):
        period = bounds.period
        settlement = newest.get(period)
        of_period = by_period.get(period, [])
        approved = settlement is not None and (
            approvals.get(settlement.settlement_id, 0) >= approvals_needed(settlement.prepared_by_id)
        )
        found.append(
            PeriodSummary(
                period,
                state_of(bounds, settlement, of_period, now, approved=approved, closed=period in closed),
                bounds,
                people.on_roster[period],
                people.eligible[period],
                settlement,
                people.passed.get(settlement.settlement_id, 0) if settlement else 0,
                of_period[0] if of_period else None,
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class Headcounts:
    """How many promoters there are in every open period."""

    on_roster: dict[str, int]
    """Period -> promoters."""
    eligible: dict[str, int]
    passed: dict[int, int]
    """Settlement -> promoters; of the newest of each period."""


def headcounts(connection: Connection, now: int) -> Headcounts:
    """How many promoters there are in every open period."""
    found = figures.as_of_now(connection, HEADCOUNTS, now, partial(headcounts_content, connection))
    passed = {int(settlement_id): promoters for settlement_id, promoters in found["passed"].items()}
    return Headcounts(found["on_roster"], found["eligible"], passed)


def headcounts_content(connection: Connection) -> dict[str, dict[str, int]]:
    """``Headcounts`` as they are stored."""
    rosters = select(
        RosterEntry.period,
        func.count().label("on_roster"),
        count_where(RosterEntry.reason.is_(None)).label("eligible"),
    ).group_by(RosterEntry.period)
    of_period = connection.execute(rosters).all()
    newest = select(func.max(Settlement.settlement_id)).group_by(Settlement.period)
    results = (
        select(Result.settlement_id, count_where(Result.passed.is_(true())).label("promoters"))
        .where(Result.settlement_id.in_(newest))
        .group_by(Result.settlement_id)
    )
    return {
        "on_roster": {row.period: row.on_roster for row in of_period},
        "eligible": {row.period: row.eligible for row in of_period},
        "passed": {str(row.settlement_id): row.promoters for row in connection.execute(results)},
    }
