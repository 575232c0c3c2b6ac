"""Moving the received rows of a closed month out of the tables, into files of at most ROWS_OF_A_FILE rows.

Each file is moved by itself:

    rows ─write, fsync─> .part ─> NAME ─read back, fold─> proved ─compare in the writing transaction─> rows deleted

Before the commit the books are unchanged, and at most a file too many is there. After it the archive is whole.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from sqlalchemy import Column, Connection, Engine, delete, func, insert, select, tuple_

from bounty.archives.folder import file_name, folder_locked, strays
from bounty.archives.table_bytes import table_bytes
from bounty.audit.service import record
from bounty.clock import midnight
from bounty.db import WholeNumber, Words, clear, favour_lookups, load, snapshot, transaction, workspace
from bounty.errors import BountyError
from bounty.ingest.unfinished import require_finished
from bounty.models import (
    Archive,
    ArchiveBatch,
    ArchiveMove,
    FetchWindow,
    OpenPeriod,
    OrderRepeat,
    OrderVersion,
)
from bounty.orders.archive_files import (
    ArchivedRow,
    ArchiveFile,
    ArchiveWriter,
    ContentHash,
    by_order,
    give_name,
    sha256_of,
    spare_memory,
    unwritable,
)
from bounty.orders.archive_proof import changed_rows, memory_fold, unlike_orders
from bounty.orders.archive_rows import (
    Places,
    Record,
    Span,
    no_places,
    numbers_within,
    replace_records,
    row_places,
    rows_with_texts,
    texts_at,
)
from bounty.orders.archived import MovedCounts, archives, archives_folder
from bounty.orders.received_texts import packed
from bounty.rules.periods import Period
from bounty.settlement.period_lock import closed_periods

ROWS_OF_A_FILE = 50_000
"""Rows of one file, and of one transaction; their texts are held in memory."""


@dataclass(frozen=True, slots=True)
class Archived:
    """A file that was moved."""

    archive_id: int
    file_name: str
    sha256: str
    file_bytes: int
    orders: int
    rows: int
    repeats: int


@dataclass(slots=True)
class ArchivedMonth:
    """What a move did."""

    month: str
    folder: Path
    files: list[Archived] = field(default_factory=list)
    orders_staying: int = 0
    """Orders whose rows name several promoters, or another month: they stay in the tables."""
    table_bytes_before: int = 0
    table_bytes_after: int = 0
    strays: list[str] = field(default_factory=list)
    """Files in the folder that are no archive of these books."""

    @property
    def orders(self) -> int:
        """How many orders' rows were moved."""
        return sum(file.orders for file in self.files)

    @property
    def rows(self) -> int:
        """How many rows were moved."""
        return sum(file.rows for file in self.files)

    @property
    def file_bytes(self) -> int:
        """The size of the files."""
        return sum(file.file_bytes for file in self.files)


def month_span(month: Period) -> Span:
    """The orders that were paid in a month."""
    return Span(midnight(month.first_day), midnight(month.plus(1).first_day), "", None)


def archive_month(
    engine: Engine, month: Period, now: int, on_progress: Callable[[int], None] = lambda _: None
) -> ArchivedMonth:
    """Move the received rows of the orders paid in a month into archives, file by file.

    on_progress  called with the number of rows moved so far

    Raises BountyError, and nothing more is moved then, where the month is not closed for every programme that opened
    it, a large file of orders is not in whole, nothing is left to move, a row is not as it should be or changed
    meanwhile, the folder can't be written, or pyarrow is not installed.
    """
    spare_memory()
    done = ArchivedMonth(month.name, archives_folder(engine))
    with snapshot(engine) as connection:
        _require_movable(connection, month)
        done.table_bytes_before = table_bytes(connection)
    with folder_locked(done.folder):
        with snapshot(engine) as connection:
            span = numbers_within(connection, month_span(month))
        while span is not None:
            span = _move_file(engine, month, span, done, now, on_progress)
        if not done.files:
            raise _nothing_left(engine, done)
        with snapshot(engine) as connection:
            done.table_bytes_after = table_bytes(connection)
            done.strays = strays(connection, done.folder)
    return done


def _require_movable(connection: Connection, month: Period) -> None:
    """Raises BountyError unless every period that shares days with the month is closed, and there is one."""
    require_finished(connection)
    span, period = month_span(month), OpenPeriod
    opened = connection.execute(
        select(period.period)
        .where(period.month_from < span.paid_until, period.month_until > span.paid_from)
        .order_by(period.period)
    ).scalars()
    open_periods = list(opened)
    if not open_periods:
        raise BountyError(
            f"No programme has opened {month.name}: only closed months are archived.",
            f"没有项目开过 {month.name} 期：只有已关账的月份才能归档。",
        )
    still = [each for each in open_periods if each not in closed_periods(connection)]
    if still:
        raise BountyError(
            f"{still[0]} is not closed: close it first (`bounty payout close {Period.parse(still[0]).arguments}`).",
            f"{still[0]} 期还没有关账：请先关账再归档。",
        )


class NothingLeft(BountyError):
    """A move of a month of which nothing can be moved."""


def _nothing_left(engine: Engine, done: ArchivedMonth) -> NothingLeft:
    with snapshot(engine) as connection:
        in_use = archives(connection, Archive.month == done.month, Archive.orders_left > 0)
    if in_use:
        orders = sum(each.orders_left for each in in_use)
        return NothingLeft(
            f"{done.month} is archived already, with {orders:,} orders: nothing is left to move.",
            f"{done.month} 已经归档（{orders:,} 单）：没有剩下的数据行。",
        )
    return NothingLeft(
        f"No order of {done.month} can be archived: none was paid in it, or their rows name several promoters or "
        "months.",
        f"{done.month} 没有可以归档的订单：当月没有付款的订单，或者它们的数据行涉及几位推手或几个月。",
    )


@dataclass(slots=True)
class _Part:
    """The orders of one file."""

    span: Span
    orders: dict[str, int] = field(default_factory=dict)
    """Number -> promoter."""
    places: Places = field(default_factory=no_places)
    """Of every row."""
    rows: int = 0
    staying: int = 0
    is_last: bool = True


def _next_part(connection: Connection, span: Span) -> _Part:
    """The next orders of a span whose rows can be moved. An order stays where its rows name another promoter, whose
    lines are found by them, or another month."""
    part, last = _Part(span), span.after
    with closing(row_places(connection, span)) as every:
        for number, rows in groupby(every, key=lambda row: row.order_sn):
            if part.rows >= ROWS_OF_A_FILE:
                part.is_last = False
                break
            last, of_order = number, list(rows)
            if all(
                row.promoter_id == row.now_promoter_id
                and (row.paid_at is None or span.paid_from <= row.paid_at < span.paid_until)
                for row in of_order
            ):
                part.orders[number] = of_order[0].promoter_id
                part.rows += len(of_order)
                for row in of_order:
                    part.places[row.batch_id].append(row.place)
            else:
                part.staying += 1
    part.span = span._replace(last=last)
    return part


def _move_file(
    engine: Engine,
    month: Period,
    span: Span,
    done: ArchivedMonth,
    now: int,
    on_progress: Callable[[int], None],
) -> Span | None:
    """Move the rows of one file; the span of what follows, null where nothing does."""
    with snapshot(engine) as connection:
        favour_lookups(connection)
        part = _next_part(connection, span)
        done.orders_staying += part.staying
        if not part.orders:
            return None
        archive_id = _next_id(connection)
        path, sha256, is_new = _written(connection, done.folder, month, archive_id, part)
    with _unlinked_where_refused(path, is_new=is_new), snapshot(engine) as connection:
        content, counts = _proved(connection, ArchiveFile(path, sha256), month)
    # The file is deleted within the transaction or not at all: after it, the rows may be in the file alone.
    with transaction(engine) as connection, _unlinked_where_refused(path, is_new=is_new):
        _require_movable(connection, month)
        if _next_id(connection) != archive_id:
            raise _changed(month)
        made = Archived(
            archive_id, path.name, sha256, path.stat().st_size, counts.orders, counts.rows, counts.repeats
        )
        newest_at = _take_out(connection, month, span, part, content, archive_id)
        _keep(connection, month, made, part, content=content, counts=counts, newest_at=newest_at, now=now)
    done.files.append(made)
    on_progress(done.rows)
    return None if part.is_last else span._replace(after=part.span.last or "")


@contextmanager
def _unlinked_where_refused(path: Path, *, is_new: bool) -> Iterator[None]:
    """Delete a file that was written in vain, unless one of its name was there before."""
    try:
        yield
    except BaseException:
        if is_new:
            path.unlink(missing_ok=True)
        raise


def _next_id(connection: Connection) -> int:
    return connection.execute(select(func.coalesce(func.max(Archive.archive_id), 0) + 1)).scalar_one()


def _written(
    connection: Connection, folder: Path, month: Period, archive_id: int, part: _Part
) -> tuple[Path, str, bool]:
    """The file of a part under its own name, on the disk; its hash; and whether there was none of the name."""
    writer = ArchiveWriter(folder)
    try:
        texts = texts_at(connection, part.places)
        for row in rows_with_texts(connection, part.span, part.orders.__contains__, texts):
            writer.add(row)
        written = writer.finish()
        sha256 = sha256_of(written)
        name = file_name(month.name, archive_id, sha256)
        is_new = not (folder / name).exists()
        return give_name(written, name), sha256, is_new
    except OSError as error:  # the disk is full, or gone
        raise unwritable(folder, error) from error
    finally:
        writer.discard()


def _proved(connection: Connection, file: ArchiveFile, month: Period) -> tuple[str, MovedCounts]:
    """The hash of a file's rows as they are read from the disk, and how many they are.

    Raises BountyError where a row is not as it was received, or its order is not what the rows fold into.
    """
    content, counts = ContentHash(), MovedCounts()
    changed, unlike = 0, set[str]()
    with memory_fold() as fold:
        for rows in by_order(file.rows()):
            for row in rows:
                content.add(row)
            counts.add(rows)
            changed += changed_rows(rows)
            unlike |= unlike_orders(connection, fold, rows)
    if changed or unlike:
        raise BountyError(
            f"{changed:,} rows of {month.name} are not as they were received, and {len(unlike):,} orders are not what "
            "their rows fold into: run `bounty check`, and find out why. Nothing was moved.",
            f"{month.name} 有 {changed:,} 行与收到时不同，{len(unlike):,} 单与数据行折叠的结果不同："
            "请运行 bounty check 查明原因。没有移动任何数据。",
        )
    return content.hex, counts


def _changed(month: Period) -> BountyError:
    return BountyError(
        f"Rows of {month.name} changed while they were archived: these were not moved. Run this again.",
        f"归档 {month.name} 时数据行有变化：这些行没有移动。请再运行一次。",
    )


# In the writing transaction

_moved = workspace(
    "moved_orders",
    Column("order_sn", Words, primary_key=True),
    Column("promoter_id", WholeNumber, primary_key=True, autoincrement=False),
)
_moved.primary_key.ddl_if(dialect="sqlite")


def _take_out(
    connection: Connection, month: Period, span: Span, part: _Part, content: str, archive_id: int
) -> int | None:
    """Delete the rows of a part, which must be those of its file; the newest ``modified_at`` of a row from a file.

    span   where the part was found

    Raises BountyError where a row is not as in the file, and nothing may be kept of the transaction then.
    """
    favour_lookups(connection)
    if _next_part(connection, span) != part:  # also a row of another promoter, which would stay behind
        raise _changed(month)
    left: dict[Record, bytes | None] = {}

    def keep_others(name: Record, others: list[tuple[int, str]]) -> None:
        left[name] = packed(others) if others else None

    texts = texts_at(connection, part.places, keep_others)
    fetched = set(
        connection.execute(select(FetchWindow.batch_id).where(FetchWindow.batch_id.is_not(None))).scalars()
    )
    found, counts, newest_at = ContentHash(), MovedCounts(), None
    for row in rows_with_texts(connection, part.span, part.orders.__contains__, texts):
        found.add(row)
        counts.add((row,))
        if _is_from_file(row, fetched):
            newest_at = row.modified_at if newest_at is None else max(newest_at, row.modified_at)
    if found.hex != content:
        raise _changed(month)
    texts.clear()
    connection.execute(insert(ArchiveMove).values(archive_id=archive_id))
    clear(connection, _moved)
    load(connection, _moved, list(part.orders.items()))
    _delete(connection, month, part.span, counts)
    replace_records(connection, left)
    connection.execute(delete(ArchiveMove))
    return newest_at


def _is_from_file(row: ArchivedRow, fetched: set[int | None]) -> bool:
    """Whether a valid row came by a file, and not only from the platform."""
    batches: Iterable[int] = (row.batch_id, *(batch_id for batch_id, _ in row.repeats))
    return not row.withdrawn and any(batch_id not in fetched for batch_id in batches)


def _delete(connection: Connection, month: Period, span: Span, counts: MovedCounts) -> None:
    """Delete the rows and repeats of the moved orders, which must be as many as were compared."""
    moved = select(_moved.c.order_sn, _moved.c.promoter_id)
    deleted = [
        connection.execute(
            delete(table).where(
                table.order_sn > span.after,
                table.order_sn <= span.last,
                tuple_(table.order_sn, table.promoter_id).in_(moved),
            )
        ).rowcount
        for table in (OrderRepeat, OrderVersion)
    ]
    if deleted != [counts.repeats, counts.rows]:
        raise _changed(month)


def _keep(
    connection: Connection,
    month: Period,
    made: Archived,
    part: _Part,
    *,
    content: str,
    counts: MovedCounts,
    newest_at: int | None,
    now: int,
) -> None:
    """Record an archive."""
    numbers = sorted(part.orders)
    connection.execute(
        insert(Archive).values(
            archive_id=made.archive_id,
            month=month.name,
            paid_from=part.span.paid_from,
            paid_until=part.span.paid_until,
            file_name=made.file_name,
            sha256=made.sha256,
            file_bytes=made.file_bytes,
            content_sha256=content,
            orders=made.orders,
            rows=made.rows,
            repeats=made.repeats,
            first_order_sn=numbers[0],
            last_order_sn=numbers[-1],
            newest_file_row_at=newest_at,
            orders_left=made.orders,
            rows_left=made.rows,
            archived_at=now,
        )
    )
    connection.execute(
        insert(ArchiveBatch),
        [
            {
                "archive_id": made.archive_id,
                "batch_id": batch_id,
                "rows": counts.first[batch_id],
                "repeats": counts.again[batch_id],
            }
            for batch_id in sorted(counts.first.keys() | counts.again.keys())
        ],
    )
    after = {
        "archive": made.archive_id,
        "file": made.file_name,
        "sha256": made.sha256,
        "orders": made.orders,
        "rows": made.rows,
    }
    record(connection, "archive.make", month.name, now, after=after)
