"""Syncing: from what is not covered yet to what is held, span by span."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from sqlalchemy import Connection, Engine, func, insert, select

from bounty import importer
from bounty.audit.service import record
from bounty.clock import shown
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.ingest.batches import Counts
from bounty.models import FetchWindow
from bounty.platforms.pdd.client import Platform
from bounty.platforms.pdd.errors import PlatformError
from bounty.sync.coverage import covered_by
from bounty.sync.intervals import LAG, REACH, Interval, halves, split_into_windows, uncovered
from bounty.sync.list_reader import ListReading, Told, TooMany, read_paid, read_updated

Clock = Callable[[], int]
READERS: Final = {"UPDATED": read_updated, "PAID": read_paid}


@dataclass(frozen=True, slots=True)
class Read:
    """A span that was read, and what became of its rows."""

    kind: str
    span: Interval
    reading: ListReading
    counts: Counts


def due(
    engine: Engine, platform: Platform, now: int, from_at: int | None, until_at: int | None
) -> list[Interval]:
    """The spans to read by time of update, the earliest first.

    from_at, until_at   what to read whether it is held or not; without from_at, whatever is not covered yet: from where
                        the first reading ever began, or as far back as the platform tells

    Raises BountyError where the platform no longer tells, or the two are the wrong way round.
    """
    latest, earliest = now - LAG, now - REACH
    until_at = latest if until_at is None else min(until_at, latest)
    if from_at is not None:
        if from_at < earliest:
            raise BountyError(
                f"The platform tells of the updates of 90 days, from {shown(earliest)} on: give a later --from, read "
                "what was paid before that with --backfill, or import it from files.",
                f"平台只提供最近 90 天的更新（{shown(earliest)} 起）：请改晚 --from，"
                "或用 --backfill 按支付时间补，或导入文件。",
            )
        if from_at >= until_at:
            raise BountyError(
                f"Nothing lies between {shown(from_at)} and {shown(until_at)}: --from must come before --to, and what "
                f"happened in the last {LAG} s is read a little later.",
                f"{shown(from_at)} 与 {shown(until_at)} 之间没有时间段：--from 须早于 --to，最近 {LAG} 秒稍后再取。",
            )
        return split_into_windows([Interval(from_at, until_at)])
    with snapshot(engine) as connection:
        began = connection.execute(
            select(func.min(FetchWindow.from_at)).where(FetchWindow.kind == "UPDATED")
        ).scalar()
        span = Interval(earliest if began is None else max(began, earliest), until_at)
        return split_into_windows(uncovered(span, covered_by(connection, "UPDATED", platform.listed, span)))


def due_backfill(now: int, from_at: int | None, until_at: int | None) -> list[Interval]:
    """The spans to read by time of payment; whatever was read before, since orders go on changing.

    Raises BountyError without a beginning.
    """
    until_at = now if until_at is None else min(until_at, now)
    if from_at is None or from_at >= until_at:
        raise BountyError(
            "Say from when on orders were paid, before --to and in the past: --backfill --from 2022-12-01.",
            "请用 --from 写明从何时支付的订单补起，须早于 --to 且已过去：--backfill --from 2022-12-01。",
        )
    return split_into_windows([Interval(from_at, until_at)])


def sync(
    engine: Engine,
    platform: Platform,
    clock: Clock,
    kind: str,
    spans: list[Interval],
    told: Told = lambda _: None,
) -> Iterator[Read]:
    """Read spans one after the other, each with its rows in one transaction; yields each once it is committed.

    kind     UPDATED or PAID
    told     called with the number of orders read so far

    Raises PlatformError at the span that the platform does not answer for, which is then on record as not done;
    RefusedFile for a reply that is wholly wrong. What was read before stays.
    """
    waiting, before = list(reversed(spans)), 0
    while waiting:
        span = waiting.pop()
        try:
            read = _sync_span(engine, platform, clock, kind, span, _counting_on(told, before))
        except TooMany:
            waiting.extend(reversed(halves(span)))
            continue
        before += read.reading.held
        yield read


def _counting_on(told: Told, before: int) -> Told:
    return lambda orders: told(before + orders)


def _sync_span(
    engine: Engine, platform: Platform, clock: Clock, kind: str, span: Interval, told: Told
) -> Read:
    asked_at = clock()
    with TemporaryDirectory() as folder:
        path = Path(folder, f"{kind.lower()}-{_stamp(span.from_at)}-{_stamp(span.until_at)}.jsonl")
        try:
            with path.open("w+b") as file:
                reading = READERS[kind](platform, span, file, told)
        except PlatformError as error:
            with transaction(engine) as connection:
                nothing = Read(kind, span, ListReading(None, 0, 0, error.family), Counts())
                _keep(connection, nothing, platform.listed, asked_at, clock(), None)
            raise
        # By the platform's clock: where ours is ahead, what is yet to happen there is not proven by our asking.
        known_at = asked_at + min(0, platform.clock_off) - LAG
        if known_at <= span.from_at:
            reading = replace(reading, why="CLOCK")
        elif known_at < span.until_at:
            span = Interval(span.from_at, known_at)
        # The file is read as any that an operator imports: the same shapes, quarantine and fold.
        opened = importer.open_file("orders", path) if reading.pages else None
        with transaction(engine) as connection:
            now, batch_id, counts = clock(), None, Counts()
            if opened is not None:
                batch_id, counts = importer.import_rows(connection, opened, now)
            read = Read(kind, span, reading, counts)
            _keep(connection, read, platform.listed, known_at, now, batch_id)
    return read


def _keep(
    connection: Connection, read: Read, whose: str, known_at: int, now: int, batch_id: int | None
) -> None:
    """The slice, beside its rows, and who asked for it."""
    reading, span = read.reading, read.span
    connection.execute(
        insert(FetchWindow).values(
            kind=read.kind,
            whose=whose,
            from_at=span.from_at,
            until_at=span.until_at,
            known_at=known_at,
            read_at=now,
            done=reading.why is None,
            why=reading.why,
            rows_told=reading.told,
            rows_held=reading.held,
            pages=reading.pages,
            batch_id=batch_id,
        )
    )
    after = {"kind": read.kind, "why": reading.why, "told": reading.told, "held": reading.held}
    subject = f"{shown(span.from_at)} {shown(span.until_at)}"
    record(
        connection, "sync.slice", subject, now, after=after | {"batch": batch_id, "counts": str(read.counts)}
    )


def _stamp(instant: int) -> str:
    return shown(instant)[:19].replace("-", "").replace(":", "")
