"""What is kept between the parts of a large file: how far it has come, its orders as they were, and its bad rows."""

from sqlalchemy import Connection, Table, delete, func, insert, select, update

from bounty.audit.service import record
from bounty.ingest.batches import Counts, finish_batch
from bounty.ingest.unfinished import UnfinishedFile, unfinished_file
from bounty.models import ImportBadRow, ImportOrder, ImportProgress
from bounty.orders.service import BatchImport, conclude_orders

_before: Table = ImportOrder.metadata.tables[ImportOrder.__tablename__]


def begin_parts(connection: Connection, batch_id: int) -> None:
    """Make a batch the unfinished one. There must be none."""
    nothing = {f"rows_{name}": 0 for name in ("read", "kept", "quarantined", "new", "changed")}
    connection.execute(insert(ImportProgress).values(batch_id=batch_id, **nothing))


def add_part(connection: Connection, batch_id: int, part: BatchImport, now: int) -> None:
    """Add a part to the unfinished batch."""
    part.finish_part()
    _advance(connection, batch_id, now, read=part.read, kept=part.kept, quarantined=part.quarantined)


def conclude_some(connection: Connection, file: UnfinishedFile, most: int, now: int) -> Counts | None:
    """Count some of the orders of a file whose rows are all imported; returns the counts of the batch once all orders
    are counted.

    file   as it is in this transaction
    most   orders at most
    """
    some = select(_before.c.order_sn).order_by(_before.c.order_sn).limit(most).subquery("some")
    up_to = connection.execute(select(func.max(some.c.order_sn))).scalar()
    if up_to is None:
        return _counts(file, file.rows_new, file.rows_changed)
    new, changed = conclude_orders(connection, file.batch_id, _before, now, up_to)
    connection.execute(delete(_before).where(_before.c.order_sn <= up_to))
    _advance(connection, file.batch_id, now, new=new, changed=changed)
    return None


def end_parts(connection: Connection) -> None:
    """Delete what was kept between the parts: the batch is finished."""
    for table in (ImportBadRow, ImportOrder, ImportProgress):
        connection.execute(delete(table))


def end_where_it_is(connection: Connection, batch_id: int, now: int) -> None:
    """Finish a batch as if its file ended where it has come to; nothing where it is finished."""
    file = unfinished_file(connection)
    if file is None or file.batch_id != batch_id:
        return
    new, changed = conclude_orders(connection, batch_id, _before, now)
    finish_batch(connection, batch_id, _counts(file, file.rows_new + new, file.rows_changed + changed))
    end_parts(connection)


def _counts(file: UnfinishedFile, new: int, changed: int) -> Counts:
    return Counts(
        read=file.rows_read,
        new=new,
        changed=changed,
        unchanged=file.rows_read - file.rows_quarantined - file.rows_kept,
        stale=file.rows_kept - new - changed,
        quarantined=file.rows_quarantined,
    )


def _advance(connection: Connection, batch_id: int, now: int, **more: int) -> None:
    """Add to columns ``rows_…`` of the progress. The act makes figures that were computed before ones of the past."""
    row = ImportProgress.__table__.c
    values = {f"rows_{name}": row[f"rows_{name}"] + number for name, number in more.items()}
    connection.execute(update(ImportProgress).where(row.batch_id == batch_id).values(values))
    record(
        connection,
        "batch.part",
        f"batch {batch_id}",
        now,
        after={f"rows_{name}": n for name, n in more.items()},
    )
