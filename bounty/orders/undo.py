"""Taking a batch of orders back, as if it had never come."""

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    FromClause,
    and_,
    delete,
    exists,
    false,
    func,
    or_,
    select,
    union,
    update,
)
from sqlalchemy.orm import aliased

from bounty.audit.service import record
from bounty.db import (
    Bytes,
    Query,
    WholeNumber,
    Words,
    clear,
    fetch_all,
    insert_into,
    plan_for_values,
    workspace,
)
from bounty.errors import BountyError
from bounty.models import (
    Batch,
    ImportProgress,
    Notice,
    OpenPeriod,
    Order,
    OrderRepeat,
    OrderVersion,
    Quarantined,
    Settlement,
)
from bounty.orders.archived import require_batch_in_tables
from bounty.orders.fold import folded
from bounty.orders.part_progress import end_where_it_is
from bounty.orders.service import fold_orders, rows_of_orders
from bounty.totals.service import recompute_touched

_orphaned = workspace(
    "orphaned_rows",
    Column("promoter_id", WholeNumber, primary_key=True),
    Column("order_sn", Words, primary_key=True),
    Column("row_hash", Bytes, primary_key=True),
)
"""The rows that the batch brought, first or again, and no batch that still holds did."""


def undo_batch(connection: Connection, batch_id: int, now: int) -> int:
    """Withdraw what only this batch brought, and fold its orders again; how many rows were withdrawn.

    A file that is not in whole yet ends with it. Rows that another batch brought too stay. Entries of the quarantine
    that it opened are closed, and those that it closed are open again.

    Raises BountyError if there is no such batch of orders, it is undone already, rows of it are archived, or a notice
    rests on it.
    """
    _require_undoable(connection, batch_id)
    plan_for_values(connection)
    end_where_it_is(connection, batch_id, now)
    connection.execute(update(Batch).where(Batch.batch_id == batch_id).values(undone_at=now))
    _gather_orphans(connection, batch_id)
    _refuse_if_published(connection, batch_id, _orphaned)
    rows = connection.execute(
        update(OrderVersion).where(exists().where(_is(OrderVersion, _orphaned))).values(withdrawn=True)
    )
    orders = select(_orphaned.c.order_sn)
    fold_orders(connection, lambda row: row.order_sn.in_(orders))
    # The fold has just moved each order to the promoter of its newest row, so a row that stands has that promoter.
    live = exists().where(
        OrderVersion.promoter_id == Order.promoter_id,
        OrderVersion.order_sn == Order.order_sn,
        OrderVersion.withdrawn.is_(false()),
    )
    connection.execute(delete(Order).where(Order.order_sn.in_(orders), ~live))
    recompute_touched(connection, rows_of_orders(_orphaned))
    _undo_quarantine(connection, batch_id, now)
    record(connection, "batch.undo", f"batch {batch_id}", now, after={"rows_withdrawn": rows.rowcount})
    return rows.rowcount


def _require_undoable(connection: Connection, batch_id: int) -> None:
    batch = connection.execute(select(Batch.kind, Batch.undone_at).where(Batch.batch_id == batch_id)).first()
    if batch is None:
        raise BountyError(
            f"There is no batch {batch_id}: `bounty import list` shows them.", f"没有批次 {batch_id}。"
        )
    if batch.kind != "orders":
        raise BountyError(
            f"Batch {batch_id} is of {batch.kind}, and only orders can be taken back: import a corrected file, "
            "whose rows replace the old ones.",
            f"批次 {batch_id} 不是订单：只有订单可以撤销。请导入更正后的文件，新行会取代旧行。",
        )
    if batch.undone_at is not None:
        raise BountyError(f"Batch {batch_id} is undone already.", f"批次 {batch_id} 已经撤销过。")
    require_batch_in_tables(connection, batch_id)


@dataclass(frozen=True, slots=True)
class Undoing:
    """What undoing a batch would take back; nothing is written."""

    rows: int
    """Rows that would be withdrawn."""
    periods: dict[str | None, int]
    """Open period (null for orders in none) -> orders that would change."""
    gone: int
    """Orders of which nothing would be left."""
    stand: Query
    """The orders of which the batch brought a row, as they stand, with the columns of ``orders``."""
    left: Query
    """The same as they would be; without those of which nothing would be left."""


def would_undo(connection: Connection, batch_id: int) -> Undoing:
    """What ``undo_batch`` would do, by reading alone. Raises BountyError as it does."""
    _require_undoable(connection, batch_id)
    plan_for_values(connection)
    orphaned = _orphaned_rows(batch_id).cte("orphaned")
    _refuse_if_published(connection, batch_id, orphaned)
    withdrawn = select(func.count()).select_from(orphaned).join(OrderVersion, _is(OrderVersion, orphaned))
    of_batch = select(orphaned.c.order_sn).distinct().subquery("of_batch")
    left = aliased(OrderVersion, name="left_over")
    remains = exists().where(
        left.order_sn == of_batch.c.order_sn, left.withdrawn.is_(false()), ~_is_orphaned(left, batch_id)
    )
    gone = (
        select(func.count())
        .select_from(of_batch)
        .join(Order, Order.order_sn == of_batch.c.order_sn)
        .where(~remains)
    )
    brought = union(
        *(select(table.order_sn).where(table.batch_id == batch_id) for table in (OrderVersion, OrderRepeat))
    )

    def is_of_batch(row: type[OrderVersion]) -> ColumnElement[bool]:
        return row.order_sn.in_(brought)

    return Undoing(
        rows=connection.execute(withdrawn).scalar_one(),
        periods=_periods_touched(connection, orphaned),
        gone=connection.execute(gone).scalar_one(),
        stand=folded(is_of_batch),
        left=folded(is_of_batch, lambda row: ~_is_orphaned(row, batch_id)),
    )


def _periods_touched(connection: Connection, orphaned: FromClause) -> dict[str | None, int]:
    in_period = and_(
        OrderVersion.paid_at >= OpenPeriod.month_from, OrderVersion.paid_at < OpenPeriod.month_until
    )
    rows = connection.execute(
        select(OpenPeriod.period, func.count(OrderVersion.order_sn.distinct()))
        .select_from(orphaned)
        .join(OrderVersion, _is(OrderVersion, orphaned))
        .outerjoin(OpenPeriod, in_period)
        .group_by(OpenPeriod.period)
    )
    return dict(rows.all())


_KEY = tuple(column.name for column in _orphaned.c)


def _is(row: type[OrderVersion] | type[OrderRepeat], orphaned: FromClause) -> ColumnElement[bool]:
    """Whether a row of ``order_versions`` or ``order_repeats`` is one of the orphaned."""
    return and_(*(orphaned.c[name] == getattr(row, name) for name in _KEY))


def _is_orphaned(row: type[OrderVersion], batch_id: int) -> ColumnElement[bool]:
    """The same of a row of ``order_versions``, looked up by its key."""
    repeat = aliased(OrderRepeat, name="repeat")
    again = and_(*(getattr(repeat, name) == getattr(row, name) for name in _KEY))
    held = _other_batches(batch_id)
    brought = or_(row.batch_id == batch_id, exists().where(again, repeat.batch_id == batch_id))
    return and_(brought, ~or_(row.batch_id.in_(held), exists().where(again, repeat.batch_id.in_(held))))


def _other_batches(batch_id: int) -> Query:
    """The other batches that are not undone."""
    return select(Batch.batch_id).where(Batch.undone_at.is_(None), Batch.batch_id != batch_id)


def _orphaned_rows(batch_id: int) -> Query:
    """The rows that a batch brought, first or again, and no other batch that still holds did: their key."""
    brought = union(
        *(
            select(*(getattr(table, name) for name in _KEY)).where(table.batch_id == batch_id)
            for table in (OrderVersion, OrderRepeat)
        )
    ).cte("brought")
    elsewhere = [
        exists().where(_is(table, brought), table.batch_id.in_(_other_batches(batch_id)))
        for table in (OrderVersion, OrderRepeat)
    ]
    return select(*brought.c).where(~or_(*elsewhere))


def _gather_orphans(connection: Connection, batch_id: int) -> None:
    clear(connection, _orphaned)
    connection.execute(
        insert_into(connection.dialect.name, _orphaned).from_select(list(_KEY), _orphaned_rows(batch_id))
    )


def _refuse_if_published(connection: Connection, batch_id: int, orphaned: FromClause) -> None:
    """A notice rests on a batch that its settlement knew, and whose rows are, or made, orders of its month."""
    of_month = [
        and_(paid_at >= OpenPeriod.month_from, paid_at < OpenPeriod.month_until)
        for paid_at in (OrderVersion.paid_at, Order.paid_at)
    ]
    resting = connection.execute(
        select(Notice.period, func.max(Notice.notice).label("notice"))
        .select_from(orphaned)
        .join(OrderVersion, _is(OrderVersion, orphaned))
        .outerjoin(Order, Order.order_sn == OrderVersion.order_sn)
        .join(OpenPeriod, or_(*of_month))
        .join(Notice, Notice.period == OpenPeriod.period)
        .join(
            Settlement,
            and_(
                Settlement.settlement_id == Notice.settlement_id,
                Settlement.as_of_batch_id >= OrderVersion.batch_id,
            ),
        )
        .group_by(Notice.period)
        .order_by(Notice.period)
    ).first()
    if resting is not None:
        raise BountyError(
            f"Notice {resting.notice} of {resting.period} rests on batch {batch_id}, and what is published stays: "
            "import corrected rows and publish a correction as the next notice.",
            f"{resting.period} 第 {resting.notice} 号公示以批次 {batch_id} 为据，已公示的不再变："
            "请导入更正后的行，再发更正公示。",
        )


def _undo_quarantine(connection: Connection, batch_id: int, now: int) -> None:
    entry = Quarantined
    opened = update(entry).where(entry.batch_id == batch_id, entry.closed_at.is_(None))
    connection.execute(opened.values(closed_at=now, closed_how="withdrawn"))
    closed = update(entry).where(entry.closed_batch_id == batch_id)
    connection.execute(closed.values(closed_at=None, closed_how=None, closed_batch_id=None))


class BatchRow(NamedTuple):
    """A row of ``batches``."""

    batch_id: int
    kind: str
    file_name: str
    sha256: str
    shape: str
    header: str | None
    encoding: str
    imported_at: int
    rows_read: int
    rows_new: int
    rows_changed: int
    rows_unchanged: int
    rows_stale: int
    rows_quarantined: int
    undone_at: int | None
    rows_so_far: int | None
    """Of a file that is not in whole yet, whose counts are 0; null for every other batch."""


def batches(connection: Connection) -> list[BatchRow]:
    """Every batch, the newest first."""
    rows = select(Batch.__table__, ImportProgress.rows_read.label("rows_so_far")).outerjoin(
        ImportProgress, ImportProgress.batch_id == Batch.batch_id
    )
    return fetch_all(connection, rows.order_by(Batch.batch_id.desc()), BatchRow)
