"""Bringing everything of a month back from its archives into the tables, an archive in a transaction."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, update

from bounty.archives.folder import folder_locked
from bounty.archives.table_bytes import table_bytes
from bounty.audit.service import record
from bounty.db import favour_lookups, snapshot, transaction
from bounty.errors import BountyError
from bounty.ingest.unfinished import require_finished
from bounty.models import Archive
from bounty.orders.archive_files import ArchivedRow, ContentHash, by_order, spare_memory
from bounty.orders.archive_rows import Places, Span, no_places, rows_with_texts, texts_at
from bounty.orders.archived import (
    ArchiveRow,
    archived_orders_of,
    archives,
    archives_folder,
    open_archive,
    return_rows,
)
from bounty.rules.periods import Period


@dataclass(slots=True)
class RestoredMonth:
    """What a restoring did."""

    month: str
    folder: Path
    archives: list[ArchiveRow]
    orders: int = 0
    rows: int = 0
    table_bytes_before: int = 0
    table_bytes_after: int = 0


def restore_month(
    engine: Engine, month: Period, now: int, on_progress: Callable[[int], None] = lambda _: None
) -> RestoredMonth:
    """Bring the rows of a month back into the tables. The files stay, and their archives are marked as restored.

    on_progress  called with the number of rows brought back so far

    Raises BountyError where the month has no archive, a large file of orders is not in whole, and ArchiveFault where a
    file is missing or another one; archives before it are restored then.
    """
    spare_memory()
    folder = archives_folder(engine)
    with folder_locked(folder):
        with snapshot(engine) as connection:
            require_finished(connection)
            before = table_bytes(connection)
            in_use = archives(connection, Archive.month == month.name, Archive.orders_left > 0)
            if not in_use:
                raise BountyError(
                    f"{month.name} has no archive to restore.", f"{month.name} 没有可以恢复的归档。"
                )
            for archive in in_use:
                open_archive(connection, archive)
        done = RestoredMonth(month.name, folder, in_use, table_bytes_before=before)
        for archive in in_use:
            with transaction(engine) as connection:
                require_finished(connection)
                orders, rows = _restore(connection, archive, now)
            done.orders += orders
            done.rows += rows
            on_progress(done.rows)
        with snapshot(engine) as connection:
            done.table_bytes_after = table_bytes(connection)
    return done


def _restore(connection: Connection, archive: ArchiveRow, now: int) -> tuple[int, int]:
    """Bring back what of an archive is not in the tables. Those that were made later must have been restored."""
    favour_lookups(connection)
    (stands,) = archives(connection, Archive.archive_id == archive.archive_id)
    content, places, numbers = ContentHash(), no_places(), set[str]()

    def absent() -> Iterator[list[ArchivedRow]]:
        for rows in by_order(open_archive(connection, archive).rows()):
            away = archived_orders_of(connection, archive, rows)
            own = [row for row in rows if row.order_sn in away]
            for row in own:
                content.add(row)
                places[row.batch_id].append(row.place)
            numbers.update(away)
            if own:
                yield own

    orders, rows = return_rows(connection, archive, absent())
    if (orders, rows) != (stands.orders_left, stands.rows_left):
        raise BountyError(
            f"Archive {archive.archive_id} should have {stands.orders_left:,} orders to restore, and has {orders:,}: "
            "run `bounty check`. Nothing of it was restored.",
            f"归档 {archive.archive_id} 应有 {stands.orders_left:,} 单可恢复，实有 {orders:,} 单："
            "请运行 bounty check。这个归档没有恢复。",
        )
    _require_equal(connection, archive, content, places, numbers)
    connection.execute(
        update(Archive).where(Archive.archive_id == archive.archive_id).values(restored_at=now)
    )
    after = {"archive": archive.archive_id, "file": archive.file_name, "orders": orders, "rows": rows}
    record(connection, "archive.restore", archive.month, now, after=after)
    return orders, rows


def _require_equal(
    connection: Connection, archive: ArchiveRow, content: ContentHash, places: Places, numbers: set[str]
) -> None:
    """Raises BountyError unless the tables now have the rows as the file has them."""
    span = Span(
        archive.paid_from, archive.paid_until, "", archive.last_order_sn, first=archive.first_order_sn
    )
    found = ContentHash()
    for row in rows_with_texts(connection, span, numbers.__contains__, texts_at(connection, places)):
        found.add(row)
    if found.hex != content.hex:
        raise BountyError(
            f"The rows of archive {archive.archive_id} did not come back as they are in its file: nothing of it was "
            "restored.",
            f"归档 {archive.archive_id} 的数据行恢复后与文件不同：这个归档没有恢复。",
        )
