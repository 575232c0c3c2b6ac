"""What the Schedule page shows: the recent slots of the calendar, the next ones, and whether a worker runs."""

from dataclasses import dataclass

from sqlalchemy import Connection, func, select, true

from bounty.calendar.schedule import Calendar, ScheduledSlot, scheduled_slots
from bounty.db import insert_into
from bounty.models import FetchWindow, Slot, WorkerWake

CALENDAR = "calendar"
RECENT = 62 * 86_400
"""Seconds back for which slots are looked at: what is older was done, or was seen."""
A_WEEK = 7 * 86_400
AHEAD = 40 * 86_400
"""Seconds ahead in which every job is due once."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The calendar as of now."""

    overdue: list[ScheduledSlot]
    """What is missed, and rosters that should be frozen; the earliest first; a daily job once."""
    recent: list[ScheduledSlot]
    """The recent slots, the newest first: the daily jobs of a week, the others of two months."""
    following: list[ScheduledSlot]
    """The next slot of each job, and of each programme where it concerns one; the earliest first."""
    woken_at: int | None
    """When a worker last looked; epoch seconds."""
    synced_at: int | None
    """When a reading of the platform last succeeded."""
    backed_up_at: int | None


def schedule_of(connection: Connection, calendar: Calendar, now: int) -> Schedule:
    """The recent slots and the next ones; six queries."""
    slots = scheduled_slots(connection, calendar, now, since=now - RECENT)
    following: dict[tuple[str, str], ScheduledSlot] = {}
    for each in scheduled_slots(connection, calendar, now + AHEAD, since=now):
        if each.due_at > now:
            following.setdefault((each.job, each.period.programme if each.period else ""), each)
    done_at = select(func.max(Slot.done_at)).where(Slot.job == "backup")
    return Schedule(
        overdue=_overdue(slots, now),
        recent=[each for each in slots[::-1] if each.period is not None or each.due_at >= now - A_WEEK],
        following=list(following.values()),
        woken_at=connection.execute(select(func.max(WorkerWake.woken_at))).scalar(),
        synced_at=connection.execute(
            select(func.max(FetchWindow.read_at)).where(FetchWindow.done.is_(true()))
        ).scalar(),
        backed_up_at=connection.execute(done_at).scalar(),
    )


def overdue_slots(connection: Connection, calendar: Calendar, now: int) -> list[ScheduledSlot]:
    """What of the last weeks is overdue, the earliest first; a daily job once."""
    return _overdue(scheduled_slots(connection, calendar, now, since=now - RECENT), now)


def _overdue(slots: list[ScheduledSlot], now: int) -> list[ScheduledSlot]:
    """What is overdue, the earliest first; of what is done every day the first alone, as one run makes up for all."""
    found: dict[tuple[str, str], ScheduledSlot] = {}
    for each in slots:
        if is_overdue(each, now):
            found.setdefault((each.job, "" if each.period is None else each.slot), each)
    return list(found.values())


def is_overdue(slot: ScheduledSlot, now: int) -> bool:
    """Whether somebody should act: a slot is missed, or the day passed on which a roster is frozen."""
    state = slot.state(now)
    return state == "missed" or (slot.job == "freeze" and state == "due")


def keep_wake(connection: Connection, now: int) -> None:
    """Keep that a worker looked at the calendar now."""
    wake = insert_into(connection.dialect.name, WorkerWake).values(job=CALENDAR, woken_at=now)
    connection.execute(
        wake.on_conflict_do_update(index_elements=["job"], set_={"woken_at": wake.excluded.woken_at})
    )
