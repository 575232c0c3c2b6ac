"""What is due now: everything that operations have to do, each with its deadline; the page Today shows it.

It reads what is open, and of every unpublished period its checklist; nothing adds up the books.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from sqlalchemy import Connection, func, select

from bounty.appeals.queries import WITH_OPERATIONS, appeals, with_operations
from bounty.calendar.schedule import HOUR, Calendar, coming_periods
from bounty.calendar.schedule_overview import overdue_slots
from bounty.clock import midnight, shanghai_date
from bounty.ingest.queries import count_open, open_entry_count
from bounty.notices.late_facts import LateFacts, late_facts_shown
from bounty.notices.period_status import period_status
from bounty.notices.period_summaries import PeriodSummary, period_summaries
from bounty.notifications.service import undelivered
from bounty.release.checklist import checklist
from bounty.release.next_code import after_notice
from bounty.release.next_step import NextStep, next_step
from bounty.roster.terms import terms_in_force
from bounty.rules.periods import Period
from bounty.tranches.state import newest_tranche

Kind = Literal["FREEZE", "STEP", "LATE", "APPEALS", "QUARANTINE", "UNDELIVERED", "SLOT", "TRANCHE"]
SOON = 7 * 86_400
"""Seconds before its day from which the freezing of a roster is listed."""
_OF_PERIODS = ("freeze", "settle")
"""Jobs of the calendar that the periods' own lines stand for."""


@dataclass(frozen=True, slots=True)
class DueItem:
    """One thing to do."""

    kind: Kind
    due_at: int | None
    """Until when; epoch seconds, exclusive. Null for what should be done as soon as possible."""
    period: Period | None = None
    count: int = 1
    """How many appeals, rows or messages; days late for a roster; the number of a tranche."""
    late: LateFacts | None = None
    """Of LATE: what settling again would change."""
    step: NextStep | None = None
    """Of STEP."""
    code: str = ""
    """The job of a SLOT, the state of a TRANCHE."""

    def overdue(self, now: int) -> bool:
        """Whether its deadline has passed."""
        return self.due_at is not None and now >= self.due_at


def due_items(
    connection: Connection, calendar: Calendar, now: int, *, approval_required: bool
) -> list[DueItem]:
    """Everything due, the nearest deadline first, and what has none last."""
    periods = [each for each in period_summaries(connection, now) if each.state != "CLOSED"]
    steps = [
        item
        for each in periods
        for item in _of_period(connection, calendar, each, now, approval_required=approval_required)
    ]
    found = [
        *_rosters(connection, calendar, now),
        *steps,
        *_appeals(connection, now),
        # A period whose next step is its quarantine says so itself.
        *([] if _has_quarantine_step(steps) else _quarantine(connection, periods)),
        *_slots(connection, calendar, now),
        *_tranche(connection, calendar, now),
    ]
    if given_up := connection.execute(undelivered()).scalar_one():
        found.append(DueItem("UNDELIVERED", None, count=given_up))
    return sorted(found, key=lambda each: (each.due_at is None, each.due_at or 0, each.kind))


class OpenCounts(NamedTuple):
    """How much is open, whatever its deadline."""

    quarantined: int
    """Rows in quarantine."""
    appeals: int
    """Appeals that operations have to answer."""
    undelivered: int
    """Messages that were given up."""


def open_counts(connection: Connection, now: int) -> OpenCounts:
    """For every page's navigation: one statement, each count of an index."""
    counts = (open_entry_count(), with_operations(now), undelivered())
    return OpenCounts(*connection.execute(select(*(each.scalar_subquery() for each in counts))).one())


def _rosters(connection: Connection, calendar: Calendar, now: int) -> Iterator[DueItem]:
    for each in coming_periods(connection, calendar, now):
        if now >= each.freeze_at - SOON:
            yield DueItem("FREEZE", each.freeze_at, each.period, count=each.days_late(now))


def _of_period(
    connection: Connection, calendar: Calendar, each: PeriodSummary, now: int, *, approval_required: bool
) -> Iterator[DueItem]:
    period, bounds = Period.parse(each.period), each.bounds
    if each.state in ("PUBLISHED", "CORRECTED"):
        terms = terms_in_force(connection, period).terms
        late: LateFacts | None = late_facts_shown(connection, period, terms, each.notice, now).content
        if late is not None:
            yield DueItem("LATE", None, period, late=late)
        return
    stage = period_status(connection, period, now)
    step = next_step(
        stage,
        checklist(connection, stage, now),
        after_notice(connection, stage, now, shown=True),
        approval_required=approval_required,
    )
    due_at = {
        "UPCOMING": bounds.task_from,
        "OPEN": bounds.receipt_cutoff,
        "AWAITING_RECEIPTS": bounds.receipt_cutoff,
        "READY_TO_SETTLE": bounds.receipt_cutoff + calendar.settle_grace,
    }.get(each.state, payout_after(calendar, bounds.receipt_cutoff))
    yield DueItem("STEP", due_at, period, step=step)


def payout_after(calendar: Calendar, at: int) -> int:
    """When the calendar next prepares a tranche, at or after an instant; epoch seconds. What is settled is to be
    published by then."""
    month = Period.of(shanghai_date(at))
    days = (midnight(each.day(calendar.payout_day)) + calendar.hour * HOUR for each in (month, month.plus(1)))
    return next(day for day in days if day >= at)


def _appeals(connection: Connection, now: int) -> Iterator[DueItem]:
    row = appeals(now).subquery("row").c
    waits = connection.execute(
        select(func.count().label("rows"), func.min(row.due_at).label("due_at")).where(
            row.state.in_(WITH_OPERATIONS)
        )
    ).one()
    if waits.rows:
        yield DueItem("APPEALS", waits.due_at, count=waits.rows)


def _has_quarantine_step(steps: list[DueItem]) -> bool:
    return any(item.step is not None and item.step.place == "QUARANTINE" for item in steps)


def _quarantine(connection: Connection, periods: list[PeriodSummary]) -> Iterator[DueItem]:
    if rows := count_open(connection):
        cutoffs = [each.bounds.receipt_cutoff for each in periods if each.notice is None]
        yield DueItem("QUARANTINE", min(cutoffs, default=None), count=rows)


def _slots(connection: Connection, calendar: Calendar, now: int) -> Iterator[DueItem]:
    """Each job of which something was missed once, with the earliest."""
    missed: dict[str, list[int]] = {}
    for each in overdue_slots(connection, calendar, now):
        if each.job not in _OF_PERIODS:
            missed.setdefault(each.job, []).append(each.due_at)
    for job, due_at in missed.items():
        yield DueItem("SLOT", min(due_at), count=len(due_at), code=job)


def _tranche(connection: Connection, calendar: Calendar, now: int) -> Iterator[DueItem]:
    """The newest tranche, unless nothing of it waits."""
    newest = newest_tranche(connection)
    if newest is not None and newest.state in ("prepared", "approved", "exported"):
        due_at = payout_after(calendar, newest.prepared_at)
        yield DueItem("TRANCHE", due_at, count=newest.tranche_id, code=newest.state)
