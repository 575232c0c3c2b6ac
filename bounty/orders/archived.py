"""Orders whose received rows lie in archives: which they are, their rows for a reader, and bringing them back.

An order is archived if it is in ``orders`` and has no row in ``order_versions``. An import that brings a row of such an
order first brings its rows back, in the same transaction, and then goes on as if they had never left.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Engine, delete, exists, func, insert, select, update

from bounty.db import Query, Words, clear, fetch_all, load, workspace
from bounty.errors import BountyError
from bounty.models import Archive, ArchiveBatch, ArchiveMove, Order, OrderRepeat, OrderVersion
from bounty.orders.archive_files import VERSION_COLUMNS, ArchivedRow, ArchiveFault, ArchiveFile
from bounty.orders.archive_rows import ComingTexts, put_texts_back

_FOLDER: Final = "archives"
"""Execution option of an engine: the folder of archives."""


def with_archives(engine: Engine, folder: Path) -> Engine:
    """The same engine, which knows the folder of archives."""
    return engine.execution_options(**{_FOLDER: folder})


def archives_folder(of: Connection | Engine) -> Path:
    """The folder of archives. Raises BountyError where it is not known."""
    folder = of.get_execution_options().get(_FOLDER)
    if not isinstance(folder, Path):
        raise BountyError("The folder of archives is not known here: set BOUNTY_ARCHIVES.")
    return folder


class ArchiveRow(NamedTuple):
    """A row of ``archives``."""

    archive_id: int
    month: str
    paid_from: int
    paid_until: int
    file_name: str
    sha256: str
    file_bytes: int
    content_sha256: str
    orders: int
    rows: int
    repeats: int
    first_order_sn: str
    last_order_sn: str
    newest_file_row_at: int | None
    orders_left: int
    rows_left: int
    archived_at: int
    restored_at: int | None


def archives(connection: Connection, *conditions: ColumnElement[bool]) -> list[ArchiveRow]:
    """Archives, the newest first."""
    rows = select(Archive.__table__).order_by(Archive.archive_id.desc())
    return fetch_all(connection, rows.where(*conditions), ArchiveRow)


def archives_in_use(connection: Connection) -> list[ArchiveRow]:
    """The archives in which rows of some order still lie, the newest first."""
    return archives(connection, Archive.orders_left > 0)


def open_archive(connection: Connection, archive: ArchiveRow) -> ArchiveFile:
    """The file of an archive. Raises ArchiveFault where it is missing or another one."""
    return ArchiveFile(archives_folder(connection) / archive.file_name, archive.sha256)


# Which orders are archived

_coming = workspace("coming_orders", Column("order_sn", Words, primary_key=True))
_coming.primary_key.ddl_if(dialect="sqlite")


def is_archived() -> ColumnElement[bool]:
    """The condition on ``orders`` that a row is of an archived order."""
    return ~exists().where(
        OrderVersion.promoter_id == Order.promoter_id, OrderVersion.order_sn == Order.order_sn
    )


def _archived_among(
    connection: Connection, numbers: Iterable[str], archived: Sequence[ArchiveRow]
) -> dict[str, tuple[int, int]]:
    """Those of some orders that are archived: number -> promoter, and when it was paid."""
    near = [
        (number,)
        for number in set(numbers)
        if any(each.first_order_sn <= number <= each.last_order_sn for each in archived)
    ]
    if not near:
        return {}
    clear(connection, _coming)
    load(connection, _coming, near)
    rows = connection.execute(
        select(Order.order_sn, Order.promoter_id, Order.paid_at)
        .join_from(_coming, Order, Order.order_sn == _coming.c.order_sn)
        .where(Order.paid_at.is_not(None), is_archived())
    )
    return {row.order_sn: (row.promoter_id, row.paid_at) for row in rows}


# An order's rows, for a reader


def archived_rows(connection: Connection, order_sn: str) -> list[ArchivedRow]:
    """The rows of one order that is archived; none where it is not.

    Raises ArchiveFault where its archive can't be read, or no archive has it.
    """
    order = connection.execute(select(Order.paid_at).where(Order.order_sn == order_sn, is_archived())).first()
    if order is None or order.paid_at is None:
        return []
    for archive in archives_in_use(connection):
        if _may_have(archive, order_sn, order.paid_at):
            try:
                found = list(open_archive(connection, archive).rows_of_orders([order_sn]))
            except BountyError as refusal:
                raise ArchiveFault(str(refusal), refusal.zh, archive.file_name) from refusal
            if found:
                return found
    raise _nowhere(order_sn)


def _may_have(archive: ArchiveRow, order_sn: str, paid_at: int) -> bool:
    return (
        archive.paid_from <= paid_at < archive.paid_until
        and archive.first_order_sn <= order_sn <= archive.last_order_sn
    )


def _nowhere(order_sn: str) -> ArchiveFault:
    return ArchiveFault(
        f"Order {order_sn} has no rows, neither in the tables nor in an archive: run `bounty check`, and restore a "
        "backup.",
        f"订单 {order_sn} 在表和归档里都没有数据行：请运行 bounty check，并从备份恢复。",
        "",
    )


# Bringing rows back


class Returning:
    """Brings the rows of archived orders back into the tables, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._archived = archives_in_use(connection)

    def bring_back(self, numbers: Iterable[str]) -> int:
        """Bring back those of some orders that are archived; how many they were.

        Raises ArchiveFault where an archive can't be read, or no archive has an order.
        """
        if not self._archived:
            return 0
        waiting = _archived_among(self._connection, numbers, self._archived)
        brought = len(waiting)
        for archive in self._archived:
            own = [number for number, (_, paid_at) in waiting.items() if _may_have(archive, number, paid_at)]
            if own:
                rows = list(open_archive(self._connection, archive).rows_of_orders(own))
                if rows:
                    return_rows(self._connection, archive, [rows])
                for row in rows:
                    waiting.pop(row.order_sn, None)
        if waiting:
            raise _nowhere(min(waiting))
        return brought


def bring_back(connection: Connection, numbers: Iterable[str]) -> int:
    """The same for one call."""
    return Returning(connection).bring_back(numbers)


def return_rows(
    connection: Connection, archive: ArchiveRow, lists: Iterable[Sequence[ArchivedRow]]
) -> tuple[int, int]:
    """Write rows of an archive back into the tables, with their repeats and texts, and count them off; how many orders
    and rows.

    lists   all rows of some archived orders; no order's rows are in two lists
    """
    connection.execute(insert(ArchiveMove).values(archive_id=archive.archive_id))
    texts: ComingTexts = {}
    moved = MovedCounts()
    for rows in lists:
        connection.execute(
            insert(OrderVersion), [dict(zip(VERSION_COLUMNS, row.version, strict=True)) for row in rows]
        )
        repeats = [
            {
                "promoter_id": row.promoter_id,
                "order_sn": row.order_sn,
                "row_hash": row.row_hash,
                "batch_id": batch_id,
                "place": place,
            }
            for row in rows
            for batch_id, place in row.repeats
        ]
        if repeats:
            connection.execute(insert(OrderRepeat), repeats)
        for row in rows:
            texts.setdefault((row.batch_id, row.text_record), []).append((row.place, row.text.encode()))
        moved.add(rows)
    put_texts_back(connection, texts)
    _count_off(connection, archive.archive_id, moved)
    connection.execute(delete(ArchiveMove))
    return moved.orders, moved.rows


class MovedCounts:
    """How many orders, rows and repeats were moved, and of which batches."""

    def __init__(self) -> None:
        self.orders = self.rows = self.repeats = 0
        self.first: Counter[int] = Counter()
        """Batch -> rows that it brought first."""
        self.again: Counter[int] = Counter()
        """Batch -> rows that it contained again."""
        self._last = ""

    def add(self, rows: Iterable[ArchivedRow]) -> None:
        """Count the next rows, in the order of their keys."""
        for row in rows:
            self.orders += row.order_sn != self._last
            self._last = row.order_sn
            self.rows += 1
            self.repeats += len(row.repeats)
            self.first[row.batch_id] += 1
            for batch_id, _ in row.repeats:
                self.again[batch_id] += 1


def _count_off(connection: Connection, archive_id: int, moved: MovedCounts) -> None:
    connection.execute(
        update(Archive)
        .where(Archive.archive_id == archive_id)
        .values(orders_left=Archive.orders_left - moved.orders, rows_left=Archive.rows_left - moved.rows)
    )
    of_archive = ArchiveBatch.archive_id == archive_id
    for batch_id in moved.first.keys() | moved.again.keys():
        connection.execute(
            update(ArchiveBatch)
            .where(of_archive, ArchiveBatch.batch_id == batch_id)
            .values(
                rows=ArchiveBatch.rows - moved.first[batch_id],
                repeats=ArchiveBatch.repeats - moved.again[batch_id],
            )
        )
    connection.execute(
        delete(ArchiveBatch).where(of_archive, ArchiveBatch.rows == 0, ArchiveBatch.repeats == 0)
    )


# What is refused while rows are archived


def archived_months(connection: Connection, paid_from: int, paid_until: int) -> list[str]:
    """The months of which rows are archived and that share days with a span of time, in their order."""
    months: Query = (
        select(Archive.month)
        .where(Archive.orders_left > 0, Archive.paid_from < paid_until, Archive.paid_until > paid_from)
        .distinct()
        .order_by(Archive.month)
    )
    return list(connection.execute(months).scalars())


class RowsArchived(BountyError):
    """A request that needs received rows which lie in an archive."""

    def __init__(self, what_en: str, what_zh: str, month: str) -> None:
        super().__init__(
            f"{what_en}: run `bounty archive {month} --restore` first.",
            f"{what_zh}：请先运行 bounty archive {month} --restore。",
        )
        self.month = month


def rows_archived(month: str) -> RowsArchived:
    """The refusal of what needs the rows of a month."""
    return RowsArchived(f"The received rows of {month} are archived", f"{month} 的原始数据行已归档", month)


def require_in_tables(connection: Connection, paid_from: int, paid_until: int) -> None:
    """Raises RowsArchived where rows of orders that were paid within a span of time are archived."""
    for month in archived_months(connection, paid_from, paid_until):
        raise rows_archived(month)


def require_order_in_tables(connection: Connection, order_sn: str) -> None:
    """Raises RowsArchived where the rows of an order are archived."""
    order = connection.execute(select(Order.paid_at).where(Order.order_sn == order_sn, is_archived())).first()
    if order is not None and order.paid_at is not None:
        for month in archived_months(connection, order.paid_at, order.paid_at + 1):
            raise RowsArchived(
                f"The received rows of order {order_sn} are archived with {month}",
                f"订单 {order_sn} 的原始数据行已随 {month} 归档",
                month,
            )


def require_batch_in_tables(connection: Connection, batch_id: int) -> None:
    """Raises RowsArchived where rows of a batch are archived."""
    of_batch = connection.execute(
        select(
            Archive.month,
            func.sum(ArchiveBatch.rows + ArchiveBatch.repeats).label("rows"),
        )
        .join(Archive, Archive.archive_id == ArchiveBatch.archive_id)
        .where(ArchiveBatch.batch_id == batch_id)
        .group_by(Archive.month)
        .order_by(Archive.month)
    ).first()
    if of_batch is not None:
        rows, are = int(of_batch.rows), "row" if of_batch.rows == 1 else "rows"
        raise RowsArchived(
            f"{rows:,} {are} of batch {batch_id} {'is' if rows == 1 else 'are'} archived with {of_batch.month}",
            f"批次 {batch_id} 有 {rows:,} 行随 {of_batch.month} 归档",
            of_batch.month,
        )


def archived_orders_of(connection: Connection, archive: ArchiveRow, rows: Sequence[ArchivedRow]) -> set[str]:
    """Those of an archive's orders that are archived now, by number.

    rows   of some of its orders, sorted by their keys
    """
    order = Order.__table__.c
    found = connection.execute(
        select(order.order_sn).where(
            order.order_sn >= rows[0].order_sn,
            order.order_sn <= rows[-1].order_sn,
            order.paid_at >= archive.paid_from,
            order.paid_at < archive.paid_until,
            is_archived(),
        )
    )
    return {row.order_sn for row in rows}.intersection(found.scalars())
