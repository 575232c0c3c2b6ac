"""Syncing: find the windows that are not covered yet, and read and import them one by one."""

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
from bounty.sync.list_reader import ListReading, OnProgress, TooManyOrders, read_paid, read_updated

Clock = Callable[[], int]
"""Returns the present instant; epoch seconds."""
READERS: Final = {"UPDATED": read_updated, "PAID": read_paid}


@dataclass(frozen=True, slots=True)
class WindowRead:
    """A window that was read and imported."""

    kind: str
    """``UPDATED`` or ``PAID``."""
    span: Interval
    """The window."""
    reading: ListReading
    counts: Counts
    """The import's counts of the order rows."""


def windows_to_read(
    engine: Engine, platform: Platform, now: int, from_at: int | None, until_at: int | None
) -> list[Interval]:
    """The windows to read by update time, earliest first.

    from_at    read everything from here on, covered or not. None: read only uncovered time since the first window that
               was ever read, or the last 90 days before any read
    until_at   None for now

    Raises BountyError if from_at is more than 90 days ago, or not before until_at.
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
        first_read = connection.execute(
            select(func.min(FetchWindow.from_at)).where(FetchWindow.kind == "UPDATED")
        ).scalar()
        span = Interval(earliest if first_read is None else max(first_read, earliest), until_at)
        return split_into_windows(
            uncovered(span, covered_by(connection, "UPDATED", platform.order_scope, span))
        )


def backfill_windows(now: int, from_at: int | None, until_at: int | None) -> list[Interval]:
    """The windows to read by pay time. Windows that were read before are read again, because orders keep changing.

    Raises BountyError if from_at is missing, or not before until_at.
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
    on_progress: OnProgress = lambda _: None,
) -> Iterator[WindowRead]:
    """Read and import windows one after the other, one transaction each; yields each once it is committed.

    kind          UPDATED or PAID
    on_progress   called with the number of orders of all windows read so far

    Raises PlatformError if the platform does not answer; the window is then recorded as incomplete. Raises RefusedFile
    if a response cannot be imported as a whole. The windows before it stay committed.
    """
    remaining, orders_before = list(reversed(spans)), 0
    while remaining:
        span = remaining.pop()
        try:
            read = _sync_window(
                engine, platform, clock, kind, span, _progress_after(on_progress, orders_before)
            )
        except TooManyOrders:
            remaining.extend(reversed(halves(span)))
            continue
        orders_before += read.reading.orders
        yield read


def _progress_after(on_progress: OnProgress, orders_before: int) -> OnProgress:
    return lambda orders: on_progress(orders_before + orders)


def _sync_window(
    engine: Engine, platform: Platform, clock: Clock, kind: str, span: Interval, on_progress: OnProgress
) -> WindowRead:
    started_at = clock()
    with TemporaryDirectory() as folder:
        path = Path(folder, f"{kind.lower()}-{_stamp(span.from_at)}-{_stamp(span.until_at)}.jsonl")
        try:
            with path.open("w+b") as file:
                reading = READERS[kind](platform, span, file, on_progress)
        except PlatformError as error:
            with transaction(engine) as connection:
                failed = WindowRead(kind, span, ListReading(None, 0, 0, error.family), Counts())
                _record_window(connection, failed, platform.order_scope, started_at, clock(), None)
            raise
        # If our clock is ahead of the platform's, the read covers time only up to the platform's present.
        known_at = started_at + min(0, platform.clock_offset) - LAG
        if known_at <= span.from_at:
            reading = replace(reading, incomplete_reason="CLOCK")
        elif known_at < span.until_at:
            span = Interval(span.from_at, known_at)
        # The importer reads the file like an uploaded one: the same formats, quarantine and fold.
        opened = importer.open_file("orders", path) if reading.pages else None
        with transaction(engine) as connection:
            now, batch_id, counts = clock(), None, Counts()
            if opened is not None:
                batch_id, counts = importer.import_rows(connection, opened, now)
            read = WindowRead(kind, span, reading, counts)
            _record_window(connection, read, platform.order_scope, known_at, now, batch_id)
    return read


def _record_window(
    connection: Connection, read: WindowRead, whose: str, known_at: int, now: int, batch_id: int | None
) -> None:
    """Insert the window and its audit event, in the transaction of its order rows."""
    reading, span = read.reading, read.span
    connection.execute(
        insert(FetchWindow).values(
            kind=read.kind,
            whose=whose,
            from_at=span.from_at,
            until_at=span.until_at,
            known_at=known_at,
            read_at=now,
            done=reading.incomplete_reason is None,
            why=reading.incomplete_reason,
            rows_told=reading.total_count,
            rows_held=reading.orders,
            pages=reading.pages,
            batch_id=batch_id,
        )
    )
    after = {
        "kind": read.kind,
        "why": reading.incomplete_reason,
        "told": reading.total_count,
        "held": reading.orders,
    }
    subject = f"{shown(span.from_at)} {shown(span.until_at)}"
    record(
        connection, "sync.slice", subject, now, after=after | {"batch": batch_id, "counts": str(read.counts)}
    )


def _stamp(instant: int) -> str:
    return shown(instant)[:19].replace("-", "").replace(":", "")
