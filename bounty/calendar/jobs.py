"""Doing what the calendar asks for: each slot once, in one transaction with its effect.

Whoever wakes takes what is not done yet. Of several workers one has the turn to write; the next finds the slot done.
"""

import datetime as dt
import fcntl
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, insert, select

from bounty.audit.service import record
from bounty.backup.service import back_up
from bounty.calendar.schedule import Calendar, ScheduledSlot, scheduled_slots
from bounty.checks.books import CALENDAR_DONE, CHECKS, Finding, run_checks
from bounty.clock import midnight, shown
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
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

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NotYet:
    """Why a slot stays due, though what was written meanwhile is kept: operators are told, say."""

    why: str


@dataclass(frozen=True, slots=True)
class JobContext:
    """What the jobs work with."""

    engine: Engine
    now: Callable[[], int]
    calendar: Calendar
    platform: PlatformAccount
    """Ours on the open platform; without one, orders come from files alone."""
    backups: Path
    """Where backups are kept."""
    postgres_programs: Path | None = None
    """The folder of PostgreSQL's client programs; null: on the PATH."""
    alipay_least_fen: int = 10
    """The least that Alipay transfers: less is carried on."""


Prepared = AbstractContextManager[Any]


def nothing(_means: JobContext, _asked: ScheduledSlot) -> Prepared:
    """For a job that needs no preparation."""
    return nullcontext()


@dataclass(frozen=True, slots=True)
class Job:
    """How a job is done."""

    act: Callable[[Connection, ScheduledSlot, Any, int], str | NotYet]
    """Its effect; what it came to, or why it is not done yet. Raises BountyError where it can't be done now: then it
    stays due too, and nothing of it is kept."""
    prepare: Callable[[JobContext, ScheduledSlot], Prepared] = nothing
    """What takes long, or is not in the books, and so comes before the transaction; the effect is given its result."""
    together: bool = False
    """Whether one effect serves all slots that are due, as after a long stop."""


def freeze(connection: Connection, asked: ScheduledSlot, _: None, now: int) -> str:
    """Freeze a month's roster, unless somebody has."""
    assert asked.period is not None
    opening = open_roster(connection, asked.period, now)
    state = "frozen" if opening.anew else "open already"
    return f"{state}: {opening.on_roster} on the roster, {opening.eligible} eligible"


def remind_of_receipts(connection: Connection, asked: ScheduledSlot, _: None, now: int) -> str:
    """Tell promoters of the orders that still need their receipt, while it helps."""
    assert asked.period is not None
    if now >= open_period(connection, asked.period).receipt_cutoff:
        return "too late: the receipt cutoff had passed, and nobody was told"
    reminded = remind(connection, asked.period, now)
    return f"{reminded.promoters} promoters, {reminded.orders} orders pending; {reminded.mailed} mailed"


@contextmanager
def swept(means: JobContext, asked: ScheduledSlot) -> Iterator[None]:
    """See that the platform was asked again for every order that can still change the result, unless it is published.

    Fetching does so from the cutoff on; nothing is drafted on what it has not come to.
    """
    assert asked.period is not None
    if means.platform.client_id:
        with snapshot(means.engine) as connection:
            published = newest_notice(connection, asked.period)
        if published is None:
            for _batch in recheck_orders(
                means.engine, Platform(means.platform, means.now), means.now, asked.period
            ):
                pass
    yield


def draft(connection: Connection, asked: ScheduledSlot, _: None, now: int) -> str | NotYet:
    """Draft a month's settlement, once what was fetched for it has no gap; one that is published is left to people."""
    assert asked.period is not None
    notice = newest_notice(connection, asked.period)
    if notice is not None:
        return f"published already, as notice {notice.notice}"
    covered = coverage_of(connection, open_period(connection, asked.period))
    gaps, _to_come = covered.gaps_at(now)
    if covered.asked_for and gaps:
        return _tell_of_gaps(connection, asked.period, gaps, now)
    settled = settle(connection, asked.period, now)
    state = "drafted" if settled.anew else "drafted already"
    return f"settlement {settled.settlement_id} {state}: {settled.content_sha256}"


def _tell_of_gaps(connection: Connection, period: Period, gaps: list[Interval], now: int) -> NotYet:
    first, count = shown(gaps[0].from_at)[:16].replace("T", " "), len(gaps)
    some = "a gap" if count == 1 else f"{count} gaps"
    letter = MessageText(
        (
            f"{period} 期平台数据有 {count} 个缺口，暂不核算",
            f"{period} has {some}: it is not settled yet",
        ),
        zh=f"从平台取的 {period} 期订单有 {count} 个时间缺口，最早从 {first} 起。补齐后自动核算："
        f"bounty sync；明细见 bounty sync coverage {period}。",
        en=f"What was fetched of {period} has {some}, the first from {first}. Once that is filled it is settled "
        f"by itself: bounty sync; bounty sync coverage {period} shows them.",
        path=f"/operations/periods/{period}",
    )
    notify_operators(connection, "coverage", str(period), letter, now)
    told = {"period": str(period), "gaps": count, "first_from": shown(gaps[0].from_at)}
    announce(connection, "coverage", str(period), told, now)
    return NotYet(
        f"{period} has {some} in what was fetched, the first from {first}: `bounty sync coverage {period}` "
        "shows them"
    )


def payers_least(means: JobContext, _asked: ScheduledSlot) -> Prepared:
    """The least that Alipay transfers."""
    return nullcontext(means.alipay_least_fen)


def pay(connection: Connection, asked: ScheduledSlot, alipay_least_fen: int, now: int) -> str:
    """Prepare a tranche of what settled before the day; people approve it and export it."""
    before = midnight(dt.date.fromisoformat(asked.slot))
    try:
        tranche, anew = preparation.prepare(connection, before, now, alipay_least_fen)
    except NothingDue as nothing_due:
        return str(nothing_due)
    state = "prepared" if anew else "prepared already"
    return f"tranche {tranche.tranche_id} {state}: {tranche.content_sha256}"


@dataclass(frozen=True, slots=True)
class Checked:
    """What a look at the books found."""

    findings: list[Finding]
    late: list[tuple[Period, int, LateFacts]]
    """Published periods that settling again would change, with the newest notice's number."""


def check(connection: Connection, asked: ScheduledSlot, found: Checked, now: int) -> str:
    """Keep what the checks found, for every draft that waits for its notice; tell of data that came after a notice."""
    findings = found.findings
    for late in found.late:
        _tell_of_late_facts(connection, *late, now)
    for (period,) in connection.execute(select(OpenPeriod.period).order_by(OpenPeriod.period)).all():
        if period_status(connection, Period.parse(period), now).draft is not None:
            keep_checks(connection, Period.parse(period), findings, now)
    violations = sum(finding.violations for finding in findings)
    if violations:
        _tell_of_violations(connection, asked.slot, findings, now)
    return f"{len(CHECKS)} checks, {violations} violations"


def _tell_of_late_facts(
    connection: Connection, period: Period, notice: int, late: LateFacts, now: int
) -> None:
    zh, en = in_words(late)
    letter = MessageText(
        (f"{period} 期公示之后有新数据", f"{period}: data came after notice {notice}"),
        zh=f"{period} 期第 {notice} 号公示之后导入的数据会改变结果：{zh}。请再次核算，作为下一号公示。",
        en=f"Data that was imported after notice {notice} of {period} changes its results: {en}. "
        "Settle again: it becomes the next notice.",
        path=f"/operations/periods/{period}/settling",
    )
    # The same difference is told once; another one is news.
    cause = f"{period} notice {notice}: {late.orders} orders, {late.results} results, {late.subsidy_fen} fen"
    notify_operators(connection, "late", cause, letter, now)
    told = {"period": str(period), "notice": notice, "orders": late.orders, "results": late.results}
    announce(connection, "late", cause, told | {"subsidy_fen": late.subsidy_fen}, now)


def _late_periods(connection: Connection) -> Iterator[tuple[Period, int, LateFacts]]:
    """Published periods, not closed, that settling again would change."""
    closed = closed_periods(connection)
    for text in connection.execute(select(OpenPeriod.period).order_by(OpenPeriod.period)).scalars().all():
        period = Period.parse(text)
        notice = None if text in closed else newest_notice(connection, period)
        late = late_facts(connection, period, terms_in_force(connection, period).terms, notice)
        if notice is not None and late is not None:
            yield period, notice.notice, late


def _tell_of_violations(connection: Connection, day: str, findings: list[Finding], now: int) -> None:
    off = {finding.name: finding.violations for finding in findings if finding.violations}
    names = "\n".join(f"{name} {count}" for name, count in off.items())
    letter = MessageText(
        (f"账目不平：{len(off)} 项自查不符", f"The books do not balance: {len(off)} checks are broken"),
        zh=f"{shown(now)[:16].replace('T', ' ')} 自查不符：\n{names}\n查明之前，请勿公示、勿付款。",
        en=f"As of {shown(now)[:16].replace('T', ' ')}:\n{names}\nPublish and pay nothing until it is known why.",
        path="/operations/audit/",
    )
    notify_operators(connection, "books", day, letter, now)
    announce(connection, "books", day, {"violations": off}, now)


@contextmanager
def checked(means: JobContext, _asked: ScheduledSlot) -> Iterator[Checked]:
    """A run of the checks, in a snapshot of its own: nobody has to wait for it."""
    with snapshot(means.engine) as connection:
        found = Checked(list(run_checks(connection)), list(_late_periods(connection)))
    yield found


@contextmanager
def backed_up(means: JobContext, asked: ScheduledSlot) -> Iterator[Path | None]:
    """A backup, unless another worker on this machine has made it meanwhile."""
    private_folder(means.backups)
    with (means.backups / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until the slot is written
        with snapshot(means.engine) as connection:
            held = select(Slot.slot).where(Slot.job == asked.job, Slot.slot == asked.slot)
            done = connection.execute(held).first() is not None
        if done:
            yield None
        else:
            yield back_up(means.engine, means.backups, means.now(), means.postgres_programs)[0]


def backup(_connection: Connection, _asked: ScheduledSlot, made: Path | None, _now: int) -> str:
    """Keep that there is a backup."""
    assert made is not None
    return f"{made.name}, restored and checked"


JOBS = {
    "freeze": Job(freeze),
    "remind": Job(remind_of_receipts, together=True),
    "settle": Job(draft, swept),
    "pay": Job(pay, payers_least),
    "check": Job(check, checked, together=True),
    "backup": Job(backup, backed_up, together=True),
}
"""Job of the calendar -> how it is done."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of some slots of a job."""

    asked: Sequence[ScheduledSlot]
    done: bool
    said: str


def catch_up(means: JobContext) -> Iterator[Outcome]:
    """Do whatever the calendar has asked for and is not done, the earliest first; yields what became of each.

    What can't be done now stays due, and the others are done all the same.
    """
    now = means.now()
    with snapshot(means.engine) as connection:
        waiting = [each for each in scheduled_slots(connection, means.calendar, now) if each.done_at is None]
    for job, slots in _in_turn(waiting):
        try:
            with JOBS[job].prepare(means, slots[-1]) as prepared, transaction(means.engine) as connection:
                said = _leave(connection, JOBS[job], slots, prepared, now)
        except BountyError as refusal:
            yield Outcome(slots, False, str(refusal))
        except Exception as error:  # whatever it is, it must not keep the other jobs from being done
            log.exception("%s %s", job, slots[-1].slot)
            yield Outcome(slots, False, f"{type(error).__name__}: {error}")
        else:
            if isinstance(said, NotYet):
                yield Outcome(slots, False, said.why)
            elif said is not None:
                yield Outcome(slots, True, said)


def _in_turn(waiting: Iterable[ScheduledSlot]) -> Iterator[tuple[str, list[ScheduledSlot]]]:
    """What is done in one go: a slot, or all slots of a job that is done together, when the last of them is due."""
    last = {_at_once(each): each.due_at for each in waiting if JOBS[each.job].together}
    order = sorted(
        waiting, key=lambda each: (last.get(_at_once(each), each.due_at), *_at_once(each), each.due_at)
    )
    for (job, _), slots in groupby(order, key=_at_once):
        if JOBS[job].together:
            yield job, list(slots)
        else:
            yield from ((job, [each]) for each in slots)


def _at_once(asked: ScheduledSlot) -> tuple[str, str]:
    """Slots for which this is equal are done together, where their job is: a later reminder of ``main`` takes up the
    earlier ones, while other programmes' periods, which overlap, are reminded each by itself."""
    period = asked.period
    return asked.job, "" if period is None or period.programme == MAIN else str(period)


def _leave(
    connection: Connection, job: Job, slots: list[ScheduledSlot], prepared: Any, now: int
) -> str | NotYet | None:
    """The effect and its slots; None where another worker has done them meanwhile."""
    held = set(connection.execute(select(Slot.slot).where(Slot.job == slots[0].job)).scalars())
    left = [each for each in slots if each.slot not in held]
    if not left:
        return None
    newest = left[-1]
    outcome = job.act(connection, newest, prepared, now)
    if isinstance(outcome, NotYet):
        return outcome
    for each in left:
        said = outcome if each is newest else f"together with {newest.slot}"
        connection.execute(
            insert(Slot).values(job=each.job, slot=each.slot, due_at=each.due_at, done_at=now, outcome=said)
        )
        event = {"due_at": each.due_at, "outcome": said}
        record(connection, CALENDAR_DONE, f"{each.job} {each.slot}", now, after=event)
    return outcome
