"""Whether the archives are as the books record them: files, rows, and what the rows fold into."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, func, select

from bounty.errors import BountyError
from bounty.models import Archive, ArchiveBatch, ArchiveMove, Order
from bounty.orders.archive_files import ArchivedRow, by_order
from bounty.orders.archive_proof import MemoryFold, changed_rows, memory_fold, unlike_orders
from bounty.orders.archived import (
    ArchiveRow,
    MovedCounts,
    archived_orders_of,
    archives_in_use,
    is_archived,
    open_archive,
)

ARCHIVES = "archives-as-recorded"
"""The name of the check."""


def archives_as_recorded(connection: Connection) -> int:
    """Archives whose file is missing or another one; archived rows that don't hash as when they were received; archived
    orders that are not what their rows fold into; counts that are not those of the files; orders without rows that no
    archive has."""
    violations = connection.execute(select(func.count()).select_from(ArchiveMove)).scalar_one()
    in_use = archives_in_use(connection)
    if in_use:
        left = sum(archive.orders_left for archive in in_use)
        without_rows = select(func.count()).select_from(Order).where(is_archived())
        violations += abs(connection.execute(without_rows).scalar_one() - left)
        with memory_fold() as fold:
            seen: dict[str, set[str]] = {}
            for archive in in_use:
                of_month = seen.setdefault(archive.month, set())
                violations += _violations(connection, fold, archive, in_use, of_month)
    return violations


def _violations(
    connection: Connection,
    fold: MemoryFold,
    archive: ArchiveRow,
    in_use: Sequence[ArchiveRow],
    seen: set[str],
) -> int:
    """What is off with one archive.

    seen   the orders of newer archives of the month, which an older one may have too; those of this one are added
    """
    overlaps = any(
        other.archive_id < archive.archive_id
        and other.month == archive.month
        and other.first_order_sn <= archive.last_order_sn
        and other.last_order_sn >= archive.first_order_sn
        for other in in_use
    )
    violations, counts = 0, MovedCounts()
    try:
        for rows in by_order(open_archive(connection, archive).rows()):
            away = archived_orders_of(connection, archive, rows) - seen
            own: list[ArchivedRow] = [row for row in rows if row.order_sn in away]
            counts.add(own)
            if own:
                violations += changed_rows(own) + len(unlike_orders(connection, fold, own))
            if overlaps:
                seen |= away
    except BountyError:
        return violations + 1
    violations += abs(counts.orders - archive.orders_left) + abs(counts.rows - archive.rows_left)
    return violations + _batches_off(connection, archive, counts)


def _batches_off(connection: Connection, archive: ArchiveRow, counts: MovedCounts) -> int:
    """Batches of which an archive has more or fewer rows than is recorded."""
    batch = ArchiveBatch
    kept = select(batch.batch_id, batch.rows, batch.repeats).where(batch.archive_id == archive.archive_id)
    recorded = {row.batch_id: (row.rows, row.repeats) for row in connection.execute(kept)}
    found = {
        batch_id: (counts.first[batch_id], counts.again[batch_id])
        for batch_id in counts.first.keys() | counts.again.keys()
    }
    return sum(recorded.get(each) != found.get(each) for each in recorded.keys() | found.keys())


def covered_by_an_archive() -> ColumnElement[bool]:
    """The condition on ``orders`` that an archive of the month may have the order's rows."""
    return (
        select(Archive.archive_id)
        .where(
            Archive.orders_left > 0,
            Archive.paid_from <= Order.paid_at,
            Archive.paid_until > Order.paid_at,
            Archive.first_order_sn <= Order.order_sn,
            Archive.last_order_sn >= Order.order_sn,
        )
        .exists()
    )
