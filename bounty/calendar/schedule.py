"""What the calendar asks for, computed from the terms and the clock; and what of it is done, due or missed.

terms ──> the first month ──> freeze 2022-12, settle 2022-12, ...    a slot a month, or a half of one
      │                       pay 2023-01-20, ...
      └─> added on        ──> remind 2023-01-07, check 2022-12-03    a slot a day
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, select

from bounty.clock import midnight, shanghai_date
from bounty.labels import LabelledCode
from bounty.models import OpenPeriod, Slot, TermsVersion
from bounty.roster.programmes import programmes, require_programme, require_running
from bounty.roster.terms import terms_in_force
from bounty.rules.periods import MAIN, Period, bounds_of
from bounty.rules.terms import MONTH

HOUR: Final = 3600
PATIENCE: Final = 86_400
"""Seconds after which what is due and not done counts as missed. It is still done at the next wake."""


class CalendarJob(LabelledCode):
    """What the calendar asks for."""

    FREEZE = "freeze", "冻结名单", "Freeze the roster"
    REMIND = "remind", "收货提醒", "Remind of receipts"
    SETTLE = "settle", "起草核算", "Draft the settlement"
    PAY = "pay", "准备付款批次", "Prepare a tranche"
    CHECK = "check", "账目自查", "Check the books"
    FORECAST = "forecast", "预测与异常标记", "Forecast and flag"
    BACKUP = "backup", "备份", "Back up"


class SlotState(LabelledCode):
    """The state of a slot of the calendar."""

    DONE = "done", "已完成", "done"
    DUE = "due", "待办", "due"
    MISSED = "missed", "已错过", "missed"


@dataclass(frozen=True, slots=True)
class Calendar:
    """At which days and hours of Shanghai the month is run; a half-month as long before its bounds as they are."""

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
    """A slot of the calendar, and its result."""

    job: str
    slot: str
    due_at: int
    period: Period | None = None
    """The month that it concerns, where it concerns one."""
    done_at: int | None = None
    outcome: str | None = None
    opened_at: int | None = None
    """Of a roster to be frozen: when somebody froze it by hand; the worker has nothing left to do there."""

    @property
    def programme(self) -> str | None:
        """The code of the programme whose slot it is; null for what is of all programmes."""
        return None if self.period is None or self.job == "pay" else self.period.programme

    @property
    def name(self) -> str:
        """The slot without its programme: a period or a day."""
        return self.slot.rpartition(":")[2]

    def state(self, now: int) -> SlotState:
        """How it stands."""
        if self.done_at is not None or self.opened_at is not None:
            return SlotState.DONE
        return SlotState.MISSED if now > self.due_at + PATIENCE else SlotState.DUE


def scheduled_slots(
    connection: Connection, calendar: Calendar, now: int, *, since: int = 0
) -> list[ScheduledSlot]:
    """Every slot of the calendar up to now, the earliest first.

    since   leaves out what was due before this instant

    A programme begins with the period in which its terms were first added, or with the first period they apply to, if
    that is later; without terms it asks for nothing. Each goes by its own cycle; payouts and nights are of all.
    """
    firsts = _firsts(connection)
    if not firsts:
        return []
    added_first = min(added_at for _, added_at in firsts)
    months = [Period(first.year, first.month) for first, _ in firsts]
    # A slot's due time can only be later than planned: it is due since terms were added.
    held = select(Slot.__table__).where(Slot.due_at >= since)
    done = {(row.job, row.slot): row for row in connection.execute(held)}
    columns = (OpenPeriod.period, OpenPeriod.opened_at, OpenPeriod.receipt_cutoff)
    periods = connection.execute(select(*columns)).all()
    opened = {period: opened_at for period, opened_at, _ in periods}
    cutoffs = {period: cutoff for period, _, cutoff in periods}
    slots = []
    for (job, slot, due_at, period), added_at in (
        *(
            (due, added_at)
            for first, added_at in firsts
            for due in _of_periods(connection, calendar, first, cutoffs, now)
        ),
        *((due, added_first) for due in _of_payouts(calendar, min(months), now)),
        *((due, added_first) for due in _of_days(calendar, max(added_first, since), now)),
    ):
        # What was due before anybody could know of it is due since then.
        due_since, row = max(due_at, added_at), done.get((job, slot))
        if since <= due_since <= now:
            one = ScheduledSlot(
                job, slot, due_since, period, opened_at=opened.get(slot) if job == "freeze" else None
            )
            if row is not None:
                one = replace(one, due_at=row.due_at, done_at=row.done_at, outcome=row.outcome)
            slots.append(one)
    return sorted(slots, key=lambda each: (each.due_at, each.job, each.slot))


def freeze_at(connection: Connection, calendar: Calendar, period: Period) -> int:
    """When the calendar freezes a roster, epoch seconds; of a half-month as many days before as of a month of 31 days,
    and not before the last of its history is complete.

    Raises BountyError for a half-month to which no terms apply.
    """
    if period.cycle == MONTH:
        return midnight(period.plus(-1).day(calendar.freeze_day)) + calendar.hour * HOUR
    terms = terms_in_force(connection, period).terms
    days_before = max(1, 32 - calendar.freeze_day)
    frozen_on = midnight(period.first_day - timedelta(days=days_before)) + calendar.hour * HOUR
    return max(frozen_on, bounds_of(period.plus(-2), terms).receipt_cutoff)


@dataclass(frozen=True, slots=True)
class ComingPeriod:
    """A period whose roster is not frozen."""

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
    """When the roster of a period should have been frozen, where that has passed and it is not; epoch seconds.

    Null too for a programme that is retired. Raises BountyError for a half-month to which no terms apply.
    """
    if period.cycle == MONTH and now < freeze_at(connection, calendar, period):
        return None  # whatever the programme: it has no slots
    if require_programme(connection, period.programme).retired_at is not None:
        return None
    due_at = freeze_at(connection, calendar, period)
    held = select(OpenPeriod.period).where(OpenPeriod.period == str(period))
    return due_at if now >= due_at and connection.execute(held).first() is None else None


def next_roster_late_since(connection: Connection, calendar: Calendar, now: int) -> int | None:
    """Since when the roster of a period that is under way, or comes next, in any programme is late; epoch seconds."""
    late = (
        each.freeze_at
        for each in coming_periods(connection, calendar, now)
        if each.overdue(now) and now < midnight(each.period.plus(1).first_day)
    )
    return min(late, default=None)


def coming_period(connection: Connection, calendar: Calendar, period: Period) -> ComingPeriod:
    """What the calendar says of a period that is not open.

    Raises BountyError where no terms apply to it, and where its programme is retired.
    """
    terms = terms_in_force(connection, period).terms
    require_running(connection, period.programme)
    complete_at = bounds_of(period.plus(-2), terms).receipt_cutoff
    return ComingPeriod(period, freeze_at(connection, calendar, period), complete_at)


def coming_periods(connection: Connection, calendar: Calendar, now: int) -> list[ComingPeriod]:
    """The periods of every programme that is not retired, up to its next one, that are in the calendar and not open,
    the newest first; none without terms."""
    opened = set(connection.execute(select(OpenPeriod.period)).scalars())
    running = {row.code for row in programmes(connection) if row.retired_at is None}
    missing = [
        period
        for first, _added_at in _firsts(connection)
        if first.programme in running
        for period in _up_to(first, _next_of(first, now))
        if str(period) not in opened
    ]
    return [coming_period(connection, calendar, each) for each in sorted(missing, reverse=True)]


def _firsts(connection: Connection) -> list[tuple[Period, int]]:
    """The first period of each programme that has terms, with when terms were first added to it."""
    firsts: dict[str, tuple[Period, int]] = {}
    for effective_from, added_at in connection.execute(
        select(TermsVersion.effective_from, TermsVersion.added_at)
    ):
        period = Period.parse(effective_from)
        first, added_first = firsts.get(period.programme, (period, added_at))
        firsts[period.programme] = min(first, period), min(added_first, added_at)
    return [
        (max(first, Period.of(shanghai_date(added_at), first.cycle, first.programme)), added_at)
        for first, added_at in firsts.values()
    ]


_Due = tuple[str, str, int, Period | None]


def _next_of(first: Period, now: int) -> Period:
    """The period that follows the present one, in the programme and cycle of the first."""
    return Period.of(shanghai_date(now), first.cycle, first.programme).plus(1)


def _of_periods(
    connection: Connection, calendar: Calendar, first: Period, cutoffs: Mapping[str, int], now: int
) -> Iterator[_Due]:
    """The slots of each period of a programme.

    cutoffs   open period -> its receipt cutoff
    """
    retired = require_programme(connection, first.programme).retired_at is not None
    for period in _up_to(first, _next_of(first, now)):
        cutoff = cutoffs.get(str(period))
        if cutoff is None and retired:  # it opens no period any more
            continue
        yield "freeze", str(period), freeze_at(connection, calendar, period), period
        if midnight(period.plus(1).first_day) > now:  # not over: nothing of it can be settled
            continue
        if cutoff is None:
            cutoff = bounds_of(period, terms_in_force(connection, period).terms).receipt_cutoff
        for slot, due_at in _reminders(calendar, period, cutoff):
            yield "remind", slot, due_at, period
        yield "settle", str(period), cutoff + calendar.settle_grace, period


def _reminders(calendar: Calendar, period: Period, cutoff: int) -> Iterator[tuple[str, int]]:
    """The slots in which promoters are reminded; of a half-month as many days before its cutoff as of a month's on the
    11th."""
    for day in calendar.remind_days:
        if period.cycle == MONTH:
            on = period.plus(1).day(day)
        else:
            on = shanghai_date(cutoff) - timedelta(days=max(1, 11 - day))
            if on < period.plus(1).first_day:
                continue
        slot = on.isoformat() if period.programme == MAIN else f"{period} {on.isoformat()}"
        yield slot, midnight(on) + calendar.hour * HOUR


def _of_payouts(calendar: Calendar, first: Period, now: int) -> Iterator[_Due]:
    """A tranche a month, of what settled in all programmes."""
    for month in _up_to(first, Period.of(shanghai_date(now)).plus(-1)):
        on = month.plus(1).day(calendar.payout_day)
        yield "pay", on.isoformat(), midnight(on) + calendar.hour * HOUR, month


def _of_days(calendar: Calendar, added_at: int, now: int) -> Iterator[_Due]:
    day, until = shanghai_date(added_at), shanghai_date(now)
    while day <= until:
        due_at = midnight(day) + calendar.night_hour * HOUR
        if due_at >= added_at:
            yield "check", day.isoformat(), due_at, None
            yield "forecast", day.isoformat(), due_at, None
            if calendar.backups:
                yield "backup", day.isoformat(), due_at, None
        day += timedelta(days=1)


def _up_to(first: Period, last: Period) -> Iterator[Period]:
    while first <= last:
        yield first
        first = first.plus(1)
