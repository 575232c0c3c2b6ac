"""The background worker: a table of schedules, and the process that runs them. Several workers may run at once.

Timers only trigger a run; the database says what is due. A late, missed or duplicate run therefore does no harm.
"""

import logging
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from types import FrameType
from typing import NamedTuple

from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.interval import IntervalTrigger

from bounty.accounting.stored_figures import refresh
from bounty.calendar.jobs import JobContext, catch_up
from bounty.calendar.schedule_overview import keep_wake
from bounty.clock import SHANGHAI, shown
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.notifications.delivery import DeliveryChannels, send_due
from bounty.platforms.pdd.client import Platform
from bounty.sync import service as syncing
from bounty.sync.recheck import periods_to_recheck, recheck_orders

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """The settings and services of a worker."""

    jobs: JobContext
    """The context of the calendar jobs, with the worker as the engine's actor."""
    calendar_seconds: int
    """Seconds between two runs of the calendar."""
    sync_seconds: int
    """Seconds between two reads of the platform's orders."""
    channels: DeliveryChannels
    """The mail server and the webhook."""
    post_seconds: int
    """Seconds between two deliveries of the outbox."""
    failures: dict[str, dict[str, str]] = field(default_factory=dict)
    """Schedule -> task -> reason, for the tasks that failed in the last run; a repeated failure is logged once."""


class TaskResult(NamedTuple):
    """The result of one task of a schedule."""

    task: str
    """The task, as ``freeze 2022-12``."""
    done: bool
    """False if the task must be tried again."""
    message: str
    """The outcome or the reason of the failure, for the log."""


@dataclass(frozen=True, slots=True)
class WorkerSchedule:
    """A recurring piece of work of the worker."""

    name: str
    seconds: Callable[[WorkerContext], int]
    """Seconds between two runs."""
    run: Callable[[WorkerContext], Iterator[TaskResult]]
    """Does the tasks that are due and yields their results."""


def sync(worker: WorkerContext) -> Iterator[TaskResult]:
    """Read the platform's orders since the last read, and recheck orders before a settlement.

    Does nothing without an account on the platform.
    """
    engine, now = worker.jobs.engine, worker.jobs.now
    if not worker.jobs.platform.client_id:
        return
    platform = Platform(worker.jobs.platform, now)
    for read in syncing.sync(
        engine, platform, now, "UPDATED", syncing.windows_to_read(engine, platform, now(), None, None)
    ):
        reason = read.reading.incomplete_reason
        task = f"sync {shown(read.span.from_at)} {shown(read.span.until_at)}"
        yield TaskResult(task, reason is None, str(read.counts) if reason is None else reason)
    with snapshot(engine) as connection:
        periods = periods_to_recheck(connection, now())
    for period in periods:
        for batch in recheck_orders(engine, platform, now, period):
            message = f"orders={batch.orders} unanswered={len(batch.unanswered)} {batch.counts}"
            yield TaskResult(f"sweep {period}", True, message)


def calendar(worker: WorkerContext) -> Iterator[TaskResult]:
    """Do the calendar jobs that are due (freeze, remind, settle, pay, check, back up), and record the run."""
    for outcome in catch_up(worker.jobs):
        newest = outcome.slots[-1]
        yield TaskResult(f"{newest.job} {newest.slot}", outcome.done, outcome.message)
    with transaction(worker.jobs.engine) as connection:
        keep_wake(connection, worker.jobs.now())


def stored_figures(worker: WorkerContext) -> Iterator[TaskResult]:
    """Compute the figures of large books whose facts have changed, so that pages need not."""
    for subject in refresh(worker.jobs.engine, worker.jobs.now()):
        yield TaskResult(f"figure {subject}", True, "computed")


def post(worker: WorkerContext) -> Iterator[TaskResult]:
    """Send the messages that are due. A failed message is no failed task, because the outbox tries it again."""
    for attempt in send_due(worker.jobs.engine, worker.channels, worker.jobs.now):
        message = "sent" if attempt.error is None else f"not taken: {attempt.error}"
        yield TaskResult(attempt.message, True, message)


SCHEDULES = (
    WorkerSchedule("sync", lambda worker: worker.sync_seconds, sync),
    WorkerSchedule("calendar", lambda worker: worker.calendar_seconds, calendar),
    WorkerSchedule("figures", lambda worker: worker.calendar_seconds, stored_figures),
    WorkerSchedule("post", lambda worker: worker.post_seconds, post),
)
"""All schedules. Their intervals are settings (config.py)."""


def once(worker: WorkerContext) -> list[str]:
    """Do everything that is due, once; returns the failed tasks with their reasons."""
    for schedule in SCHEDULES:
        _run_schedule(worker, schedule)
    return [f"{task}: {why}" for failures in worker.failures.values() for task, why in failures.items()]


def run(worker: WorkerContext) -> None:
    """Run every schedule at its interval until SIGTERM or Ctrl-C; a run in progress is finished first."""
    scheduler = BlockingScheduler(timezone=SHANGHAI)
    for schedule in SCHEDULES:
        scheduler.add_job(
            _run_schedule,
            IntervalTrigger(seconds=schedule.seconds(worker), timezone=SHANGHAI),
            args=(worker, schedule),
            id=schedule.name,
            next_run_time=datetime.now(SHANGHAI),
            misfire_grace_time=None,  # the default drops a run that is one second late
            coalesce=True,
            max_instances=1,
        )

    def end(_signal: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
    try:
        scheduler.start()
    except (KeyboardInterrupt, SystemExit):
        scheduler.shutdown(wait=True)


def _run_schedule(worker: WorkerContext, schedule: WorkerSchedule) -> None:
    """Run a schedule once. Errors are logged and never stop later runs."""
    before, failures = worker.failures.get(schedule.name, {}), {}
    try:
        for result in schedule.run(worker):
            if result.done:
                log.info("%s: %s", result.task, result.message)
            else:
                failures[result.task] = result.message
    except BountyError as refusal:
        failures[schedule.name] = str(refusal)
    except Exception as error:
        log.exception("%s", schedule.name)
        failures[schedule.name] = f"{type(error).__name__}: {error}"
    for task, why in failures.items():
        if before.get(task) != why:
            log.warning("%s: not done: %s", task, why)
    worker.failures[schedule.name] = failures
