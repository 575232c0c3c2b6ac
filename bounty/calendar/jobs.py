"""Runs the calendar jobs: each slot once, recorded in the transaction of the job's effect.

Every worker tries all slots that are due. The write lock lets one worker at a time in, and the next one finds the slot
done.
"""

import datetime as dt
import fcntl
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, insert, select

from bounty.audit.service import record
from bounty.backup.service import back_up
from bounty.calendar.schedule import Calendar, ScheduledSlot, scheduled_slots
from bounty.checks.books import CALENDAR_DONE, CHECKS, Finding, run_checks
from bounty.clock import midnight, shown
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.forecast.anomalies import UnusualShare, flags_of, keep_flags, watched_periods
from bounty.forecast.stored import open_for_forecast, score_published
from bounty.models import OpenPeriod, Slot
from bounty.notices.late_facts import LateFacts, in_words, late_facts
from bounty.notices.period_status import period_status
from bounty.notices.service import newest_notice
from bounty.notifications.outbox import MessageText, announce, notify_operators
from bounty.platforms.pdd.account import PlatformAccount
from bounty.platforms.pdd.client import Platform
from bounty.private import private_folder
from bounty.progress.reminders import remind
from bounty.release.service import keep_checks
from bounty.roster.programmes import period_in_words
from bounty.roster.service import open_roster
from bounty.roster.terms import open_period, terms_in_force
from bounty.rules.periods import MAIN, Period
from bounty.settlement.period_lock import closed_periods
from bounty.settlement.service import settle
from bounty.sync.coverage import coverage_of
from bounty.sync.intervals import Interval
from bounty.sync.recheck import recheck_orders
from bounty.tranches import preparation
from bounty.tranches.preparation import NothingDue

if TYPE_CHECKING:
    from bounty.forecast.period_forecast import MadeForecast  # with numpy, which only one job needs

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NotYet:
    """The result of a job that must be tried again, but whose transaction is committed, for example with a message to
    operators."""

    reason: str


@dataclass(frozen=True, slots=True)
class JobContext:
    """The settings and services of the jobs."""

    engine: Engine
    now: Callable[[], int]
    """Returns the present instant; epoch seconds."""
    calendar: Calendar
    platform: PlatformAccount
    """The account on the open platform; with a blank client id, orders come only from files."""
    backups: Path
    """The folder for backups."""
    postgres_programs: Path | None = None
    """The folder of PostgreSQL's client programs; None to find them on the PATH."""
    alipay_least_fen: int = 10
    """The smallest amount that Alipay transfers, whole fen; smaller amounts are carried over."""


Preparation = AbstractContextManager[Any]


def no_preparation(_context: JobContext, _slot: ScheduledSlot) -> Preparation:
    """The preparation of a job that needs none."""
    return nullcontext()


@dataclass(frozen=True, slots=True)
class Job:
    """The functions of a job."""

    act: Callable[[Connection, ScheduledSlot, Any, int], str | NotYet]
    """The job's effect, within the transaction of its slot. It gets the result of ``prepare`` and the present instant,
    and returns the outcome as an English sentence, or NotYet. It raises BountyError if the job is impossible now; then
    the transaction is rolled back and the slot stays due."""
    prepare: Callable[[JobContext, ScheduledSlot], Preparation] = no_preparation
    """Work before the transaction: work that takes long or happens outside of the database."""
    together: bool = False
    """Whether one run covers all slots that are due, for example after a long downtime."""


def freeze(connection: Connection, slot: ScheduledSlot, _: None, now: int) -> str:
    """Freeze a month's roster; do nothing if it is frozen."""
    assert slot.period is not None
    opening = open_roster(connection, slot.period, now)
    state = "frozen" if opening.created else "open already"
    return f"{state}: {opening.on_roster} on the roster, {opening.eligible} eligible"


def remind_of_receipts(connection: Connection, slot: ScheduledSlot, _: None, now: int) -> str:
    """Remind promoters of orders without confirmed receipt; do nothing after the receipt cutoff."""
    assert slot.period is not None
    if now >= open_period(connection, slot.period).receipt_cutoff:
        return "too late: the receipt cutoff had passed, and nobody was told"
    reminded = remind(connection, slot.period, now)
    return f"{reminded.promoters} promoters, {reminded.orders} orders pending; {reminded.mailed} mailed"


@contextmanager
def orders_rechecked(context: JobContext, slot: ScheduledSlot) -> Iterator[None]:
    """Recheck the orders that can still change the result, unless it is published.

    Syncing rechecks them too, from the receipt cutoff on; this makes sure that no draft is made before it has finished.
    """
    assert slot.period is not None
    if context.platform.client_id:
        with snapshot(context.engine) as connection:
            published = newest_notice(connection, slot.period)
        if published is None:
            platform = Platform(context.platform, context.now)
            for _batch in recheck_orders(context.engine, platform, context.now, slot.period):
                pass
    yield


def draft(connection: Connection, slot: ScheduledSlot, _: None, now: int) -> str | NotYet:
    """Compute a month's draft settlement once its coverage has no gap; do nothing if the month is published."""
    assert slot.period is not None
    notice = newest_notice(connection, slot.period)
    if notice is not None:
        return f"published already, as notice {notice.notice}"
    coverage = coverage_of(connection, open_period(connection, slot.period))
    gaps, _later = coverage.gaps_at(now)
    if coverage.is_required and gaps:
        return _notify_of_gaps(connection, slot.period, gaps, now)
    settled = settle(connection, slot.period, now)
    state = "drafted" if settled.created else "drafted already"
    return f"settlement {settled.settlement_id} {state}: {settled.content_sha256}"


def _notify_of_gaps(connection: Connection, period: Period, gaps: list[Interval], now: int) -> NotYet:
    first, count = shown(gaps[0].from_at)[:16].replace("T", " "), len(gaps)
    some = "a gap" if count == 1 else f"{count} gaps"
    zh, en = period_in_words(connection, period)
    text = MessageText(
        (
            f"{zh} 期平台数据有 {count} 个缺口，暂不核算",
            f"{en} has {some}: it is not settled yet",
        ),
        zh=f"从平台取的 {zh} 期订单有 {count} 个时间缺口，最早从 {first} 起。补齐后自动核算："
        f"bounty sync；明细见 bounty sync coverage {period.arguments}。",
        en=f"What was fetched of {en} has {some}, the first from {first}. Once that is filled it is settled "
        f"by itself: bounty sync; bounty sync coverage {period.arguments} shows them.",
        path=f"/operations/periods/{period}",
    )
    notify_operators(connection, "coverage", str(period), text, now)
    data = {"period": str(period), "gaps": count, "first_from": shown(gaps[0].from_at)}
    announce(connection, "coverage", str(period), data, now)
    return NotYet(
        f"{period} has {some} in what was fetched, the first from {first}: `bounty sync coverage {period}` "
        "shows them"
    )


def alipay_minimum(context: JobContext, _slot: ScheduledSlot) -> Preparation:
    """The smallest amount that Alipay transfers, whole fen."""
    return nullcontext(context.alipay_least_fen)


def pay(connection: Connection, slot: ScheduledSlot, alipay_least_fen: int, now: int) -> str:
    """Prepare the tranche of orders that settled before the slot's day; people approve and export it."""
    settled_before = midnight(dt.date.fromisoformat(slot.slot))
    try:
        tranche, is_new = preparation.prepare(connection, settled_before, now, alipay_least_fen)
    except NothingDue as nothing_due:
        return str(nothing_due)
    state = "prepared" if is_new else "prepared already"
    return f"tranche {tranche.tranche_id} {state}: {tranche.content_sha256}"


@dataclass(frozen=True, slots=True)
class Checked:
    """The results of the checks, computed before the transaction."""

    findings: list[Finding]
    late: list[tuple[Period, int, LateFacts]]
    """(period, newest notice's number, late facts) of the published periods that a new settlement would change."""


def check(connection: Connection, slot: ScheduledSlot, checked: Checked, now: int) -> str:
    """Record the results of the checks for every unpublished draft; notify operators of violations and of data that was
    imported after a notice."""
    findings = checked.findings
    for late in checked.late:
        _notify_of_late_facts(connection, *late, now)
    for (period,) in connection.execute(select(OpenPeriod.period).order_by(OpenPeriod.period)).all():
        if period_status(connection, Period.parse(period), now).draft is not None:
            keep_checks(connection, Period.parse(period), findings, now)
    violations = sum(finding.violations for finding in findings)
    if violations:
        _notify_of_violations(connection, slot.slot, findings, now)
    return f"{len(CHECKS)} checks, {violations} violations"


def _notify_of_late_facts(
    connection: Connection, period: Period, notice: int, late: LateFacts, now: int
) -> None:
    zh, en = in_words(late)
    period_zh, period_en = period_in_words(connection, period)
    text = MessageText(
        (f"{period_zh} 期公示之后有新数据", f"{period_en}: data came after notice {notice}"),
        zh=f"{period_zh} 期第 {notice} 号公示之后导入的数据会改变结果：{zh}。请再次核算，作为下一号公示。",
        en=f"Data that was imported after notice {notice} of {period_en} changes its results: {en}. "
        "Settle again: it becomes the next notice.",
        path=f"/operations/periods/{period}/settling",
    )
    # The cause contains the figures, so the same difference is sent once and a changed one is sent again.
    cause = f"{period} notice {notice}: {late.orders} orders, {late.results} results, {late.subsidy_fen} fen"
    notify_operators(connection, "late", cause, text, now)
    data = {
        "period": str(period),
        "notice": notice,
        "orders": late.orders,
        "results": late.results,
        "subsidy_fen": late.subsidy_fen,
    }
    announce(connection, "late", cause, data, now)


def _late_periods(connection: Connection) -> Iterator[tuple[Period, int, LateFacts]]:
    """The published periods, not closed, that a new settlement would change."""
    closed = closed_periods(connection)
    for text in connection.execute(select(OpenPeriod.period).order_by(OpenPeriod.period)).scalars().all():
        period = Period.parse(text)
        notice = None if text in closed else newest_notice(connection, period)
        late = late_facts(connection, period, terms_in_force(connection, period).terms, notice)
        if notice is not None and late is not None:
            yield period, notice.notice, late


def _notify_of_violations(connection: Connection, day: str, findings: list[Finding], now: int) -> None:
    broken = {finding.name: finding.violations for finding in findings if finding.violations}
    names = "\n".join(f"{name} {count}" for name, count in broken.items())
    text = MessageText(
        (f"账目不平：{len(broken)} 项自查不符", f"The books do not balance: {len(broken)} checks are broken"),
        zh=f"{shown(now)[:16].replace('T', ' ')} 自查不符：\n{names}\n查明之前，请勿公示、勿付款。",
        en=f"As of {shown(now)[:16].replace('T', ' ')}:\n{names}\nPublish and pay nothing until it is known why.",
        path="/operations/audit/",
    )
    notify_operators(connection, "books", day, text, now)
    announce(connection, "books", day, {"violations": broken}, now)


@contextmanager
def checks_run(context: JobContext, _slot: ScheduledSlot) -> Iterator[Checked]:
    """Run the checks in a snapshot before the transaction, so that they block no writer."""
    with snapshot(context.engine) as connection:
        checked = Checked(list(run_checks(connection)), list(_late_periods(connection)))
    yield checked


@contextmanager
def backup_made(context: JobContext, slot: ScheduledSlot) -> Iterator[Path | None]:
    """Make a backup; yields None if another worker on this machine has made it."""
    private_folder(context.backups)
    with (context.backups / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # held until the slot is committed
        with snapshot(context.engine) as connection:
            same_slot = select(Slot.slot).where(Slot.job == slot.job, Slot.slot == slot.slot)
            done = connection.execute(same_slot).first() is not None
        if done:
            yield None
        else:
            yield back_up(context.engine, context.backups, context.now(), context.postgres_programs)[0]


def backup(_connection: Connection, _slot: ScheduledSlot, path: Path | None, _now: int) -> str:
    """Return the outcome of a backup; the backup itself was made in the preparation."""
    assert path is not None
    return f"{path.name}, restored and checked"


@contextmanager
def forecasts_made(
    context: JobContext, _slot: ScheduledSlot
) -> Iterator[tuple[list["MadeForecast"], dict[Period, list[UnusualShare]]]]:
    """Make the forecasts and flags in a snapshot before the transaction, so that they block no writer."""
    from bounty.forecast.period_forecast import make_forecast  # noqa: PLC0415 - numpy, which only this job needs

    now = context.now()
    with snapshot(context.engine) as connection:
        made = [make_forecast(connection, period, now) for period in open_for_forecast(connection, now)]
        flags = {period: flags_of(connection, period) for period in watched_periods(connection, now)}
    yield made, flags


def forecast(
    connection: Connection,
    _slot: ScheduledSlot,
    found: tuple[list["MadeForecast"], dict[Period, list[UnusualShare]]],
    now: int,
) -> str:
    """Write the forecasts of the open periods and the flags, and score the forecasts of published periods."""
    from bounty.forecast.period_forecast import keep_forecast  # noqa: PLC0415 - numpy, which only this job needs

    made, flags = found
    for each in made:
        keep_forecast(connection, each)
    for period, of_period in flags.items():
        keep_flags(connection, period, of_period, now)
    scored = score_published(connection)
    periods = ", ".join(str(each.period) for each in made) or "no open period"
    return f"{periods}; {scored} earlier forecasts scored"


JOBS = {
    "freeze": Job(freeze),
    "remind": Job(remind_of_receipts, together=True),
    "settle": Job(draft, orders_rechecked),
    "pay": Job(pay, alipay_minimum),
    "check": Job(check, checks_run, together=True),
    "forecast": Job(forecast, forecasts_made, together=True),
    "backup": Job(backup, backup_made, together=True),
}
"""Name of a calendar job -> its functions."""


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """The outcome of a job's run."""

    slots: Sequence[ScheduledSlot]
    """The slots that the run covers, earliest first."""
    done: bool
    """False if the slots stay due."""
    message: str
    """The outcome, or the reason why the slots stay due."""


def catch_up(context: JobContext) -> Iterator[JobOutcome]:
    """Do every slot that is due, earliest first; yields the outcome of each run.

    A job that fails stays due and does not stop the others.
    """
    now = context.now()
    with snapshot(context.engine) as connection:
        open_slots = [
            slot for slot in scheduled_slots(connection, context.calendar, now) if slot.done_at is None
        ]
    for job, slots in _runs(open_slots):
        try:
            with (
                JOBS[job].prepare(context, slots[-1]) as prepared,
                transaction(context.engine) as connection,
            ):
                outcome = _run(connection, JOBS[job], slots, prepared, now)
        except BountyError as refusal:
            yield JobOutcome(slots, False, str(refusal))
        except Exception as error:  # an unexpected error of one job must not stop the others
            log.exception("%s %s", job, slots[-1].slot)
            yield JobOutcome(slots, False, f"{type(error).__name__}: {error}")
        else:
            if isinstance(outcome, NotYet):
                yield JobOutcome(slots, False, outcome.reason)
            elif outcome is not None:
                yield JobOutcome(slots, True, outcome)


def _runs(open_slots: Iterable[ScheduledSlot]) -> Iterator[tuple[str, list[ScheduledSlot]]]:
    """Group slots into runs: one slot each, or all slots of a job with ``together`` when the last of them is due."""
    last = {_run_key(each): each.due_at for each in open_slots if JOBS[each.job].together}
    order = sorted(
        open_slots,
        key=lambda each: (last.get(_run_key(each), each.due_at), *_run_key(each), each.due_at),
    )
    for (job, _), slots in groupby(order, key=_run_key):
        if JOBS[job].together:
            yield job, list(slots)
        else:
            yield from ((job, [each]) for each in slots)


def _run_key(slot: ScheduledSlot) -> tuple[str, str]:
    """Slots with equal keys run together if their job does. A later reminder of ``main`` includes the earlier ones;
    periods of other programmes overlap, so each of them has its own reminders."""
    period = slot.period
    return slot.job, "" if period is None or period.programme == MAIN else str(period)


def _run(
    connection: Connection, job: Job, slots: list[ScheduledSlot], prepared: Any, now: int
) -> str | NotYet | None:
    """Do a job and record its slots; returns None if another worker has done all of them."""
    done = set(connection.execute(select(Slot.slot).where(Slot.job == slots[0].job)).scalars())
    remaining = [each for each in slots if each.slot not in done]
    if not remaining:
        return None
    newest = remaining[-1]
    outcome = job.act(connection, newest, prepared, now)
    if isinstance(outcome, NotYet):
        return outcome
    for each in remaining:
        text = outcome if each is newest else f"together with {newest.slot}"
        connection.execute(
            insert(Slot).values(job=each.job, slot=each.slot, due_at=each.due_at, done_at=now, outcome=text)
        )
        event = {"due_at": each.due_at, "outcome": text}
        record(connection, CALENDAR_DONE, f"{each.job} {each.slot}", now, after=event)
    return outcome
