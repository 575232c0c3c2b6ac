"""Orders in: rows are kept, then folded; set by set, never one by one."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    CompoundSelect,
    Connection,
    Executable,
    Table,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    union_all,
    update,
)

from bounty.db import (
    Bytes,
    Flag,
    Query,
    WholeNumber,
    Words,
    analyze,
    clear,
    empty,
    favour_lookups,
    insert_into,
    load,
    make,
    workspace,
)
from bounty.files.problems import BadRow, bad_row
from bounty.ingest.batches import Counts
from bounty.ingest.quarantine import NO_HEADERS, UNKNOWN_PROMOTER, BatchQuarantine
from bounty.models import Batch, CategorySet, Order, OrderRepeat, OrderVersion, Promoter, Quarantined
from bounty.orders.fold import Rows, canonical_facts, folded, folded_alone, is_alone
from bounty.platforms.pdd.order_files import OrderRow
from bounty.rules.sql_math import count_where
from bounty.totals.service import recompute_touched

CHUNK = 20_000
"""Rows folded at a time: large enough for the statements to be cheap a row, small enough for flat memory."""
ANALYZE_FROM = 10_000
"""A batch of so many rows may have changed what the planner should know."""

_WORDS = {"order_sn", "p_id", "goods_name", "cat_ids", "live_room", "raw"}


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
    # Places rise, so that SQLite keeps the rows by them and need not sort them again.
    return Column(name, kind, primary_key=name == "place", autoincrement=False)


_staged = workspace("staged_orders", *(_column(name) for name in OrderRow._fields))
_touched = workspace(
    "touched_orders",
    Column("order_sn", Words, primary_key=True),
    # The state before the batch; null for an order seen for the first time.
    Column("facts", Words),
    Column("modified_at", WholeNumber),
    Column("link_made_at", WholeNumber),
    Column("failed_at", WholeNumber),
    Column("live_room", Words),
)
for _table in (_staged, _touched):
    # PostgreSQL builds the indexes of such a table anew at every commit, and then plans all that uses it anew.
    _table.primary_key.ddl_if(dialect="sqlite")


def import_order_rows(
    connection: Connection,
    batch_id: int,
    rows: Iterable[OrderRow | BadRow],
    now: int,
    told: Callable[[int], None] = lambda _: None,
    headers: Mapping[str, str] = NO_HEADERS,
) -> Counts:
    """Keep the rows of a batch, fold the orders they touch, and hold the bad ones in quarantine.

    rows     in the order of their places, which rise
    told     called with the number of rows read so far
    headers  fact -> the file's own header for it
    """
    counts = Counts()
    statements = _statements(connection.dialect.name)
    holding = BatchQuarantine(connection, batch_id, "orders", headers)
    favour_lookups(connection)
    make(connection, _staged)  # it is empty: every chunk leaves it so
    clear(connection, _touched)
    kept = analyzed = 0
    reading = iter(rows)
    while chunk := list(islice(reading, CHUNK)):
        counts.read += len(chunk)
        holding.add([row for row in chunk if isinstance(row, BadRow)])
        good = [row for row in chunk if not isinstance(row, BadRow)]
        if good and (kept_here := _keep(connection, batch_id, good, holding)):
            places = {"batch": batch_id, "first_place": good[0].place, "last_place": good[-1].place}
            connection.execute(statements.note_touched, places | {"earlier": kept})
            kept += kept_here
            connection.execute(statements.fold_touched, places)
            if kept >= max(ANALYZE_FROM, 2 * analyzed):
                # Else PostgreSQL would go through all that came before at each chunk, as fits the little it found.
                analyze(connection, Order, OrderVersion, CategorySet)
                analyzed = kept
        told(counts.read)
        del chunk, good  # else two chunks would be held while the next is read
    holding.settle_in()
    counts.quarantined = holding.rows
    counts.unchanged = counts.read - counts.quarantined - kept
    if kept:
        counts.new, counts.changed = connection.execute(statements.count_touched).one()
        connection.execute(statements.supersede, {"batch": batch_id, "now": now})
        recompute_touched(connection, rows_of_orders(_touched))
    counts.stale = kept - counts.new - counts.changed
    return counts


def _keep(connection: Connection, batch_id: int, rows: list[OrderRow], holding: BatchQuarantine) -> int:
    """Keep the rows that are not held already; how many were kept."""
    statements = _statements(connection.dialect.name)
    load(connection, _staged, list[tuple[Any, ...]](rows))
    has_strangers, has_new_sets = connection.execute(statements.look).one()
    strangers = connection.execute(statements.strangers).all() if has_strangers else []
    if strangers:
        holding.add([_unknown_promoter(row) for row in strangers])
        connection.execute(statements.drop_strangers)
    kept = connection.execute(
        statements.keep, {"batch": batch_id}, execution_options={"preserve_rowcount": True}
    ).rowcount
    if kept + len(strangers) < len(rows):
        kept += _revive(connection, batch_id)
        connection.execute(statements.note_repeats, {"batch": batch_id})
    if has_new_sets:
        _keep_category_sets(connection)
    empty(connection, _staged, len(rows))
    return kept


def _same_row(row: Any, other: Any) -> ColumnElement[bool]:
    return and_(
        row.promoter_id == other.promoter_id,
        row.order_sn == other.order_sn,
        row.row_hash == other.row_hash,
    )


def _revive(connection: Connection, batch_id: int) -> int:
    """Rows that were withdrawn and come again are this batch's now; how many."""
    undone = select(Batch.batch_id).where(Batch.undone_at.is_not(None)).limit(1)
    if connection.execute(undone).first() is None:
        return 0
    return connection.execute(_statements(connection.dialect.name).revive, {"batch": batch_id}).rowcount


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


def _keep_category_sets(connection: Connection) -> None:
    """The members of the staged sets that are not known."""
    members = [
        {"cat_ids": cat_ids, "category_id": int(member)}
        for cat_ids in connection.execute(_statements(connection.dialect.name).new_sets).scalars()
        for member in cat_ids.split(";")
    ]
    if members:
        connection.execute(insert(CategorySet), members)


def fold_orders(connection: Connection, orders: Rows) -> None:
    """Write the state of orders from their rows; an order that stands as it should is left alone."""
    connection.execute(_fold_statement(connection.dialect.name, folded(orders)))


def _fold_statement(dialect: str, states: Query | CompoundSelect[*tuple[Any, ...]]) -> Executable:
    names = [column.name for column in states.selected_columns]
    upsert = insert_into(dialect, Order).from_select(names, states)
    new: Any = upsert.excluded
    return upsert.on_conflict_do_update(
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


def _stands_otherwise() -> ColumnElement[bool]:
    """Whether a touched order, known before, differs from what it was."""
    before = _touched.c
    # An EXISTS an order, not a join: SQLite has no statistics of a temporary table and would go through all orders.
    return exists().where(
        Order.order_sn == before.order_sn,
        or_(
            before.modified_at != Order.modified_at,
            before.link_made_at.is_distinct_from(Order.link_made_at),
            before.failed_at.is_distinct_from(Order.failed_at),
            before.live_room.is_distinct_from(Order.live_room),
            before.facts != canonical_facts(Order),
        ),
    )


def rows_of_orders(numbers: Table) -> Query:
    """promoter_id and paid_at of every row of some orders: what an order is now, and was before, is one of them.

    numbers   has the order numbers, as order_sn; they may repeat
    """
    # Outer, and from the numbers, so that SQLite, which knows nothing of a temporary table, does not read all rows.
    return select(OrderVersion.promoter_id, OrderVersion.paid_at).outerjoin_from(
        numbers, OrderVersion, OrderVersion.order_sn == numbers.c.order_sn
    )


def orders_with_news() -> Query:
    """The order numbers that the last batch of orders in this transaction brought or changed."""
    return select(_touched.c.order_sn).where(or_(_touched.c.facts.is_(None), _stands_otherwise()))


@dataclass(frozen=True, slots=True)
class _Statements:
    """What taking in a chunk executes, made once a dialect: making the fold takes 60 ms, a page of rows 20."""

    look: Executable
    """Whether there are rows of unknown promoters among the staged, and sets of categories that no order had before."""
    strangers: Executable
    """The staged rows of promoters that are not known."""
    drop_strangers: Executable
    keep: Executable
    """The staged rows that are not held become this batch's."""
    new_sets: Executable
    """Such sets."""
    revive: Executable
    """The staged rows that are held, and were withdrawn, become this batch's."""
    note_repeats: Executable
    note_touched: Executable
    """How the orders stood, of which the chunk kept a row."""
    fold_touched: Executable
    count_touched: Executable
    """How many of the touched orders are new, and how many stand otherwise than before."""
    supersede: Executable


@cache
def _statements(dialect: str) -> _Statements:
    staged, before = _staged.c, _touched.c
    batch = bindparam("batch", type_=WholeNumber)
    places = (bindparam("first_place", type_=WholeNumber), bindparam("last_place", type_=WholeNumber))
    names = [column.name for column in staged]
    unknown = ~exists().where(Promoter.promoter_id == staged.promoter_id)
    new_set = and_(staged.cat_ids.is_not(None), ~exists().where(CategorySet.cat_ids == staged.cat_ids))
    rows = select(batch, literal(False, Flag), *staged).order_by(staged.place)
    keep = insert_into(dialect, OrderVersion).from_select(["batch_id", "withdrawn", *names], rows)
    version = OrderVersion

    def held(column: Any) -> Any:
        # Asked of each staged row, by its key. Joined, PostgreSQL takes what it has seen little of (a withdrawn row,
        # another batch) for no row at all, and then goes through the staged rows once for every row held.
        return select(column).where(_same_row(version, staged)).correlate(_staged).scalar_subquery()

    key = (staged.promoter_id, staged.order_sn, staged.row_hash)
    withdrawn = select(*key, func.min(staged.place).label("place")).where(held(version.withdrawn).is_(true()))
    coming = withdrawn.group_by(*key).subquery("coming")
    revive = (
        update(version)
        .where(_same_row(version, coming.c))
        .values(withdrawn=False, batch_id=batch, place=coming.c.place)
    )
    repeats = select(*key, batch, staged.place).where(held(version.batch_id) != batch)
    note_repeats = insert_into(dialect, OrderRepeat).from_select(
        ["promoter_id", "order_sn", "row_hash", "batch_id", "place"], repeats
    )

    def kept(row: Any) -> ColumnElement[bool]:
        return and_(row.batch_id == batch, row.place.between(*places))

    def has_company(row: Any) -> ColumnElement[bool]:
        among: ColumnElement[bool] = row.order_sn.in_(
            select(version.order_sn).where(kept(version), ~is_alone(version))
        )
        return among

    orders = select(version.order_sn).where(kept(version)).distinct().subquery("kept")
    state = select(
        orders.c.order_sn,
        case((Order.order_sn.is_not(None), canonical_facts(Order))),
        Order.modified_at,
        Order.link_made_at,
        Order.failed_at,
        Order.live_room,
    ).outerjoin_from(orders, Order, Order.order_sn == orders.c.order_sn)
    # Asked of the rows an order has, which are few: of _touched, PostgreSQL would go through all that a large file
    # touched at each chunk. Counted, not searched, so that neither database goes through the batch instead.
    in_earlier_chunks = count_where(and_(version.batch_id == batch, version.place < places[0]))
    brought = select(in_earlier_chunks).where(version.order_sn == orders.c.order_sn).scalar_subquery()
    is_first_chunk = bindparam("earlier", type_=WholeNumber) == 0
    note_touched = insert_into(dialect, _touched).from_select(
        [column.name for column in before],
        state.where(or_(Order.order_sn.is_(None), is_first_chunk, brought == 0)),
    )
    otherwise = _stands_otherwise()
    return _Statements(
        look=select(select(_staged).where(unknown).exists(), select(_staged).where(new_set).exists()),
        strangers=select(_staged).where(unknown).order_by(staged.place),
        drop_strangers=delete(_staged).where(unknown),
        keep=keep.on_conflict_do_nothing(),
        new_sets=select(staged.cat_ids).where(new_set).distinct(),
        revive=revive,
        note_repeats=note_repeats.on_conflict_do_nothing(),
        note_touched=note_touched,
        fold_touched=_fold_statement(dialect, union_all(folded_alone(kept), folded(has_company))),
        count_touched=select(
            count_where(before.facts.is_(None)), count_where(and_(before.facts.is_not(None), otherwise))
        ).select_from(_touched),
        supersede=update(Quarantined)
        .where(
            Quarantined.closed_at.is_(None),
            Quarantined.kind == "orders",
            Quarantined.batch_id < batch,
            Quarantined.code != UNKNOWN_PROMOTER,  # such a row is good, and goes in with its promoter
            Quarantined.subject.in_(select(before.order_sn)),
        )
        .values(
            closed_at=bindparam("now", type_=WholeNumber), closed_how="superseded", closed_batch_id=batch
        ),
    )
