"""Every schedule, in one table; runs in a process of its own, of which there may be several.

The timer only wakes us: what is due is in the tables. So a wake-up that is late, missed or doubled does no harm.
"""

import logging
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.interval import IntervalTrigger

from bounty.calendar.jobs import JobContext, catch_up
from bounty.clock import SHANGHAI, shown
from bounty.db import snapshot
from bounty.errors import BountyError
from bounty.notifications.delivery import DeliveryChannels, send_due
from bounty.platforms.pdd.client import Platform
from bounty.sync import service as syncing
from bounty.sync.recheck import periods_to_recheck, recheck_orders

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """What a worker works with."""

    means: JobContext
    """On whose engine's connections the worker acts."""
    calendar_seconds: int
    """From one look at the calendar to the next."""
    sync_seconds: int
    """From one reading of the platform's orders to the next."""
    post: DeliveryChannels
    """How messages leave."""
    post_seconds: int
    """From one look at the outbox to the next."""
    refused: dict[str, dict[str, str]] = field(default_factory=dict)
    """Schedule -> what could not be done at its last wake-up -> why; so that it is said once."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A thing that a worker does again and again."""

    name: str
    seconds: Callable[[WorkerContext], int]
    """From one wake-up to the next."""
    wake: Callable[[WorkerContext], Iterator[tuple[str, bool, str]]]
    """Does what is due; yields what it was about, whether it was done, and what became of it."""


def sync(desk: WorkerContext) -> Iterator[tuple[str, bool, str]]:
    """Fetch orders, from what is held to now, and sweep what is to be settled; without an account, files are all."""
    engine, now = desk.means.engine, desk.means.now
    if not desk.means.platform.client_id:
        return
    platform = Platform(desk.means.platform, now)
    for read in syncing.sync(
        engine, platform, now, "UPDATED", syncing.windows_to_read(engine, platform, now(), None, None)
    ):
        why = read.reading.incomplete_reason
        about = f"sync {shown(read.span.from_at)} {shown(read.span.until_at)}"
        yield about, why is None, str(read.counts) if why is None else why
    with snapshot(engine) as connection:
        periods = periods_to_recheck(connection, now())
    for period in periods:
        for swept in recheck_orders(engine, platform, now, period):
            said = f"orders={swept.orders} unanswered={len(swept.unanswered)} {swept.counts}"
            yield f"sweep {period}", True, said


def calendar(desk: WorkerContext) -> Iterator[tuple[str, bool, str]]:
    """Freeze, remind, draft, check, back up: whatever the calendar has asked for and nobody has done."""
    for outcome in catch_up(desk.means):
        newest = outcome.asked[-1]
        yield f"{newest.job} {newest.slot}", outcome.done, outcome.said


def post(desk: WorkerContext) -> Iterator[tuple[str, bool, str]]:
    """Send what is in the outbox. What fails is tried again, and is seen in the outbox."""
    for sending in send_due(desk.means.engine, desk.post, desk.means.now):
        said = "sent" if sending.error is None else f"not taken: {sending.error}"
        yield sending.message, True, said


SCHEDULES = (
    Schedule("sync", lambda desk: desk.sync_seconds, sync),
    Schedule("calendar", lambda desk: desk.calendar_seconds, calendar),
    Schedule("post", lambda desk: desk.post_seconds, post),
)
"""All there is; how often, and at which days and hours, are settings (config.py)."""


def once(desk: WorkerContext) -> list[str]:
    """Do all that is due; what could not be done, each with its reason."""
    for schedule in SCHEDULES:
        _wake(desk, schedule)
    return [f"{about}: {why}" for refused in desk.refused.values() for about, why in refused.items()]


def run(desk: WorkerContext) -> None:
    """Wake at every schedule's time until the process is told to end; what is going on then is finished first."""
    scheduler = BlockingScheduler(timezone=SHANGHAI)
    for schedule in SCHEDULES:
        scheduler.add_job(
            _wake,
            IntervalTrigger(seconds=schedule.seconds(desk), timezone=SHANGHAI),
            args=(desk, schedule),
            id=schedule.name,
            next_run_time=datetime.now(SHANGHAI),
            misfire_grace_time=None,  # its own default would drop a wake-up that is a second late
            coalesce=True,
            max_instances=1,
        )

    def end(_signal: int, _frame: Any) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
    try:
        scheduler.start()
    except (KeyboardInterrupt, SystemExit):
        scheduler.shutdown(wait=True)


def _wake(desk: WorkerContext, schedule: Schedule) -> None:
    """One wake-up. Whatever goes wrong in it, the next one comes."""
    before, refused = desk.refused.get(schedule.name, {}), {}
    try:
        for about, done, said in schedule.wake(desk):
            if done:
                log.info("%s: %s", about, said)
            else:
                refused[about] = said
    except BountyError as refusal:
        refused[schedule.name] = str(refusal)
    except Exception as error:
        log.exception("%s", schedule.name)
        refused[schedule.name] = f"{type(error).__name__}: {error}"
    for about, why in refused.items():
        if before.get(about) != why:
            log.warning("%s: not done: %s", about, why)
    desk.refused[schedule.name] = refused
