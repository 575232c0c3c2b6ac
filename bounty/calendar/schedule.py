"""What the calendar asks for, computed from the terms and the clock; and what of it is done, due or missed.

terms ──> the first month ──> freeze 2022-12, settle 2022-12, ...    a slot a month
      │                       pay 2023-01-20, ...
      └─> added on        ──> remind 2023-01-07, check 2022-12-03    a slot a day
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, Literal

from sqlalchemy import Connection, func, select

from bounty.clock import midnight, shanghai_date
from bounty.models import OpenPeriod, Slot, TermsVersion
from bounty.roster.terms import terms_in_force
from bounty.rules.periods import Period, bounds_of

HOUR: Final = 3600
PATIENCE: Final = 86_400
"""Seconds after which what is due and not done counts as missed. It is still done at the next wake."""
State = Literal["done", "due", "missed"]


@dataclass(frozen=True, slots=True)
class Calendar:
    """At which days and hours of Shanghai the month is run."""

    freeze_day: int = 25
    """Of the month before: the roster is frozen."""
    remind_days: tuple[int, ...] = (1, 7, 9)
    """Of the month after: who still waits for receipts is reminded."""
    hour: int = 9
    """Of these, and of the payout day."""
    settle_grace: int = 4 * HOUR
    """Seconds from the receipt cutoff until the settlement is drafted."""
    payout_day: int = 20
    """Of the months after: a tranche is prepared of what settled before that day."""
    night_hour: int = 5
    """Of every day: the books check themselves and are backed up; later than a draft, so that it looks at it too."""
    backups: bool = True
    """Whether they are backed up."""


@dataclass(frozen=True, slots=True)
class ScheduledSlot:
    """One thing that the calendar has asked for, and what became of it."""

    job: str
    slot: str
    due_at: int
    period: Period | None = None
    """The month that it concerns, where it concerns one."""
    done_at: int | None = None
    outcome: str | None = None
    opened_at: int | None = None
    """Of a roster to be frozen: when somebody froze it by hand; the worker has nothing left to do there."""

    def state(self, now: int) -> State:
        """How it stands."""
        if self.done_at is not None or self.opened_at is not None:
            return "done"
        return "missed" if now > self.due_at + PATIENCE else "due"


def scheduled_slots(
    connection: Connection, calendar: Calendar, now: int, *, since: int = 0
) -> list[ScheduledSlot]:
    """Everything that the calendar has asked for up to now, the earliest first.

    since   leaves out what was due before this instant

    It begins with the month in which terms were first added, or with the first month they apply to, if that is later;
    without terms it asks for nothing.
    """
    first, added_at = _begins(connection)
    if first is None:
        return []
    # A slot's due time can only be later than planned: it is due since terms were added.
    held = select(Slot.__table__).where(Slot.due_at >= since)
    done = {(row.job, row.slot): row for row in connection.execute(held)}
    opened: dict[str, int] = dict(connection.execute(select(OpenPeriod.period, OpenPeriod.opened_at)).all())
    asked = []
    for job, slot, due_at, period in (
        *_of_months(connection, calendar, first, now),
        *_of_days(calendar, first, max(added_at, since), now),
    ):
        # What was due before anybody could know of it is due since then.
        due_since, row = max(due_at, added_at), done.get((job, slot))
        if since <= due_since <= now:
            one = ScheduledSlot(
                job, slot, due_since, period, opened_at=opened.get(slot) if job == "freeze" else None
            )
            if row is not None:
                one = replace(one, due_at=row.due_at, done_at=row.done_at, outcome=row.outcome)
            asked.append(one)
    return sorted(asked, key=lambda each: (each.due_at, each.job, each.slot))


def freeze_at(calendar: Calendar, period: Period) -> int:
    """When the calendar freezes the roster of a month; epoch seconds."""
    return midnight(period.plus(-1).day(calendar.freeze_day)) + calendar.hour * HOUR


@dataclass(frozen=True, slots=True)
class ComingPeriod:
    """A month whose roster is not frozen."""

    period: Period
    freeze_at: int
    """When it is, or should have been, frozen; epoch seconds."""
    can_open_at: int
    """From when on it can be."""

    def overdue(self, now: int) -> bool:
        """Whether its freeze day has passed."""
        return now >= self.freeze_at

    def days_late(self, now: int) -> int:
        """Days of the calendar since it should have been frozen; 0 before."""
        return max(0, (shanghai_date(now) - shanghai_date(self.freeze_at)).days)


def roster_late_since(connection: Connection, calendar: Calendar, period: Period, now: int) -> int | None:
    """When the roster of a month should have been frozen, where that has passed and it is not; epoch seconds."""
    due_at = freeze_at(calendar, period)
    held = select(OpenPeriod.period).where(OpenPeriod.period == str(period))
    return due_at if now >= due_at and connection.execute(held).first() is None else None


def coming_period(connection: Connection, calendar: Calendar, period: Period) -> ComingPeriod:
    """What the calendar says of a month that is not open.

    Raises BountyError where no terms apply to it.
    """
    complete_at = bounds_of(period.plus(-2), terms_in_force(connection, period).terms).receipt_cutoff
    return ComingPeriod(period, freeze_at(calendar, period), complete_at)


def coming_periods(connection: Connection, calendar: Calendar, now: int) -> list[ComingPeriod]:
    """The months up to the next one that are in the calendar and not open, the newest first; none without terms."""
    first, _added_at = _begins(connection)
    if first is None:
        return []
    opened = set(connection.execute(select(OpenPeriod.period)).scalars())
    months = _months(first, Period.of(shanghai_date(now)).plus(1))
    missing = [each for each in months if str(each) not in opened]
    return [coming_period(connection, calendar, each) for each in reversed(missing)]


_Due = tuple[str, str, int, Period | None]


def _begins(connection: Connection) -> tuple[Period | None, int]:
    """The first month of the calendar and when terms were first added; null and 0 without terms."""
    query = select(func.min(TermsVersion.effective_from), func.min(TermsVersion.added_at))
    first_month, added_at = connection.execute(query).one()
    if not added_at:
        return None, 0
    return max(Period.parse(first_month), Period.of(shanghai_date(added_at))), added_at


def _of_months(connection: Connection, calendar: Calendar, first: Period, now: int) -> Iterator[_Due]:
    cutoffs = dict(connection.execute(select(OpenPeriod.period, OpenPeriod.receipt_cutoff)).all())
    for period in _months(first, Period.of(shanghai_date(now)).plus(1)):
        yield "freeze", str(period), freeze_at(calendar, period), period
        if midnight(period.plus(1).first_day) > now:  # not over: nothing of it can be settled
            continue
        for day in calendar.remind_days:
            on = period.plus(1).day(day)
            yield "remind", on.isoformat(), midnight(on) + calendar.hour * HOUR, period
        on = period.plus(1).day(calendar.payout_day)
        yield "pay", on.isoformat(), midnight(on) + calendar.hour * HOUR, period
        cutoff = cutoffs.get(str(period))
        if cutoff is None:
            cutoff = bounds_of(period, terms_in_force(connection, period).terms).receipt_cutoff
        yield "settle", str(period), cutoff + calendar.settle_grace, period


def _of_days(calendar: Calendar, first: Period, added_at: int, now: int) -> Iterator[_Due]:
    day, until = shanghai_date(added_at), shanghai_date(now)
    while day <= until:
        due_at = midnight(day) + calendar.night_hour * HOUR
        if due_at >= added_at:
            yield "check", day.isoformat(), due_at, None
            if calendar.backups:
                yield "backup", day.isoformat(), due_at, None
        day += timedelta(days=1)


def _months(first: Period, last: Period) -> Iterator[Period]:
    while first <= last:
        yield first
        first = first.plus(1)
