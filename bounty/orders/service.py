"""Orders in: rows are kept, then folded; set by set, never one by one."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Table,
    and_,
    case,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    true,
    update,
)

from bounty.db import Bytes, Flag, WholeNumber, Words, analyze, clear, insert_into, load, workspace
from bounty.intake.batches import Counts
from bounty.intake.catalogue import BadRow, bad_row
from bounty.intake.quarantine import UNKNOWN_PROMOTER, Holding, close
from bounty.models import Batch, CategorySet, Order, OrderRepeat, OrderVersion, Promoter, Quarantined
from bounty.orders.fold import Rows, canonical_facts, folded
from bounty.orders.reading import OrderRow

CHUNK = 20_000
"""Rows folded at a time: large enough for the statements to be cheap a row, small enough for flat memory."""
ANALYZE_FROM = 10_000
"""A batch of so many rows may have changed what the planner should know."""

_WORDS = {"order_sn", "p_id", "goods_name", "cat_ids", "raw"}


def _column(name: str) -> Column[Any]:
    kind: Any = (
        Words
        if name in _WORDS
        else Flag
        if name == "is_detail"
        else Bytes
        if name == "row_hash"
        else WholeNumber
    )
    return Column(name, kind)


_staged = workspace("staged_orders", *(_column(name) for name in OrderRow._fields))
_touched = workspace(
    "touched_orders",
    Column("order_sn", Words, primary_key=True),
    # The state before the batch; null for an order seen for the first time.
    Column("facts", Words),
    Column("modified_at", WholeNumber),
    Column("link_made_at", WholeNumber),
    Column("failed_at", WholeNumber),
)


def take_in(
    connection: Connection,
    batch_id: int,
    rows: Iterable[OrderRow | BadRow],
    now: int,
    told: Callable[[int], None] = lambda _: None,
) -> Counts:
    """Keep the rows of a batch, fold the orders they touch, and hold the bad ones in quarantine.

    rows    in the order of their places, which rise
    told    called with the number of rows read so far
    """
    counts = Counts()
    holding = Holding(connection, batch_id, "orders")
    for workspace_table in (_staged, _touched):
        clear(connection, workspace_table)
    kept = 0
    reading = iter(rows)
    while chunk := list(islice(reading, CHUNK)):
        counts.read += len(chunk)
        holding.add([row for row in chunk if isinstance(row, BadRow)])
        good = [row for row in chunk if not isinstance(row, BadRow)]
        if good:
            kept += _keep(connection, batch_id, good, holding)
            _fold_chunk(connection, batch_id, good[0].place, good[-1].place)
        told(counts.read)
    holding.settle_in()
    counts.quarantined = holding.rows
    counts.unchanged = counts.read - counts.quarantined - kept
    before = _touched.c
    counts.new = _count(connection, before.facts.is_(None))
    counts.changed = _count(
        connection,
        or_(
            before.facts != canonical_facts(Order),
            before.modified_at != Order.modified_at,
            before.link_made_at.is_distinct_from(Order.link_made_at),
            before.failed_at.is_distinct_from(Order.failed_at),
        ),
        before.facts.is_not(None),
    )
    counts.stale = kept - counts.new - counts.changed
    close(
        connection,
        "superseded",
        batch_id,
        now,
        Quarantined.kind == "orders",
        Quarantined.batch_id < batch_id,
        Quarantined.code != UNKNOWN_PROMOTER,  # such a row is good, and goes in with its promoter
        Quarantined.subject.in_(select(_touched.c.order_sn)),
    )
    if counts.read >= ANALYZE_FROM:
        analyze(connection, Order, OrderVersion, CategorySet)
    return counts


def _keep(connection: Connection, batch_id: int, rows: list[OrderRow], holding: Holding) -> int:
    """Keep the rows that are not held already; how many were kept."""
    load(connection, _staged, list[tuple[Any, ...]](rows))
    staged = _staged.c
    unknown = ~exists().where(Promoter.promoter_id == staged.promoter_id)
    strangers = connection.execute(select(_staged).where(unknown).order_by(staged.place)).all()
    if strangers:
        holding.add([_unknown_promoter(row) for row in strangers])
        connection.execute(delete(_staged).where(unknown))
    names = [column.name for column in staged]
    versions = insert_into(connection, OrderVersion).from_select(
        ["batch_id", "withdrawn", *names],
        select(literal(batch_id), literal(False, Flag), *staged).order_by(staged.place),
    )
    kept = connection.execute(
        versions.on_conflict_do_nothing(), execution_options={"preserve_rowcount": True}
    ).rowcount
    if kept + len(strangers) < len(rows):
        kept += _revive(connection, batch_id)
        _note_repeats(connection, batch_id)
    connection.execute(delete(_staged))
    _keep_category_sets(connection, {row.cat_ids for row in rows if row.cat_ids})
    return kept


def _same_row(version: Any) -> ColumnElement[bool]:
    staged = _staged.c
    return and_(
        version.promoter_id == staged.promoter_id,
        version.order_sn == staged.order_sn,
        version.row_hash == staged.row_hash,
    )


def _revive(connection: Connection, batch_id: int) -> int:
    """Rows that were withdrawn and come again are this batch's now; how many."""
    if (
        connection.execute(select(Batch.batch_id).where(Batch.undone_at.is_not(None)).limit(1)).first()
        is None
    ):
        return 0
    place = select(func.min(_staged.c.place)).where(_same_row(OrderVersion)).scalar_subquery()
    return connection.execute(
        update(OrderVersion)
        .where(OrderVersion.withdrawn.is_(true()), exists().where(_same_row(OrderVersion)))
        .values(withdrawn=False, batch_id=batch_id, place=place)
    ).rowcount


def _note_repeats(connection: Connection, batch_id: int) -> None:
    repeats = select(
        OrderVersion.promoter_id,
        OrderVersion.order_sn,
        OrderVersion.row_hash,
        literal(batch_id),
        _staged.c.place,
    ).where(_same_row(OrderVersion), OrderVersion.batch_id != batch_id)
    noted = insert_into(connection, OrderRepeat).from_select(
        ["promoter_id", "order_sn", "row_hash", "batch_id", "place"], repeats
    )
    connection.execute(noted.on_conflict_do_nothing())


def _unknown_promoter(row: Any) -> BadRow:
    return bad_row(
        UNKNOWN_PROMOTER,
        place=row.place,
        column="p_id",
        value=row.p_id,
        raw=row.raw,
        subject=row.order_sn,
        promoter_id=row.promoter_id,
        paid_at=row.paid_at,
        content=row.row_hash.hex(),
    )


def _keep_category_sets(connection: Connection, sets: set[str]) -> None:
    members = [
        {"cat_ids": cat_ids, "category_id": int(member)}
        for cat_ids in sorted(sets)
        for member in cat_ids.split(";")
    ]
    if members:
        connection.execute(insert_into(connection, CategorySet).on_conflict_do_nothing(), members)


def _fold_chunk(connection: Connection, batch_id: int, first_place: int, last_place: int) -> None:
    """Fold the orders of which the chunk kept a row, noting first how they stood before the batch."""
    kept = and_(OrderVersion.batch_id == batch_id, OrderVersion.place.between(first_place, last_place))
    orders = select(OrderVersion.order_sn).where(kept).distinct().subquery("kept")
    before = (
        select(
            orders.c.order_sn,
            case((Order.order_sn.is_not(None), canonical_facts(Order))),
            Order.modified_at,
            Order.link_made_at,
            Order.failed_at,
        )
        .outerjoin_from(orders, Order, Order.order_sn == orders.c.order_sn)
        .where(literal(1) == 1)
    )
    noted = insert_into(connection, _touched).from_select([column.name for column in _touched.c], before)
    connection.execute(noted.on_conflict_do_nothing())
    fold_orders(connection, lambda row: row.order_sn.in_(select(OrderVersion.order_sn).where(kept)))


def fold_orders(connection: Connection, orders: Rows) -> None:
    """Write the state of orders from their rows; an order that stands as it should is left alone."""
    states = folded(orders)
    names = [column.name for column in states.selected_columns]
    upsert = insert_into(connection, Order).from_select(names, states)
    new: Any = upsert.excluded
    connection.execute(
        upsert.on_conflict_do_update(
            index_elements=["order_sn"],
            set_={name: new[name] for name in names if name != "order_sn"},
            where=or_(
                Order.row_hash != new.row_hash,
                Order.return_status.is_distinct_from(new.return_status),
                Order.link_made_at.is_distinct_from(new.link_made_at),
                Order.failed_at.is_distinct_from(new.failed_at),
                Order.conflicting != new.conflicting,
            ),
        )
    )


def _count(connection: Connection, *conditions: ColumnElement[bool]) -> int:
    touched: Table = _touched
    return connection.execute(
        select(func.count())
        .select_from(touched)
        .join(Order, Order.order_sn == touched.c.order_sn)
        .where(*conditions)
    ).scalar_one()
