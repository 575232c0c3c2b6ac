"""Orders in: rows are kept, then folded; set by set, never one by one."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Executable,
    ScalarSelect,
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
from sqlalchemy.orm import InstrumentedAttribute

from bounty.db import (
    Columns,
    CompoundQuery,
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
from bounty.models import (
    Batch,
    CategorySet,
    ImportOrder,
    Order,
    OrderRepeat,
    OrderVersion,
    Promoter,
    Quarantined,
)
from bounty.orders.archived import Returning
from bounty.orders.fold import Rows, canonical_facts, folded, folded_alone, is_alone
from bounty.orders.received_texts import keep_texts
from bounty.platforms.pdd.order_files import OrderRow
from bounty.rules.sql_math import count_where
from bounty.totals.service import recompute_touched

CHUNK = 20_000
"""Rows folded at a time: large enough for the statements to be cheap a row, small enough for flat memory."""
ANALYZE_FROM = 10_000
"""A batch of so many rows may have changed what the planner should know."""

_Kind = TypeVar("_Kind")


def _staged_column(name: str) -> Column[object]:
    """A column of received rows; but the place is the key.

    Places rise, so that SQLite keeps the rows by them and need not sort them again.
    """
    of_rows = OrderVersion.__table__.c[name]
    return Column(name, of_rows.type, primary_key=name == "place", autoincrement=False)


_staged = workspace("staged_orders", *(_staged_column(name) for name in OrderRow._fields if name != "raw"))
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
    # PostgreSQL rebuilds the indexes of such a table at every commit, and then replans every query that uses it.
    _table.primary_key.ddl_if(dialect="sqlite")


def import_order_rows(
    connection: Connection,
    batch_id: int,
    rows: Iterable[OrderRow | BadRow],
    now: int,
    on_progress: Callable[[int], None] = lambda _: None,
    headers: Mapping[str, str] = NO_HEADERS,
) -> Counts:
    """Keep the rows of a batch, fold the orders they touch, and hold the bad ones in quarantine.

    rows     in the order of their places, which rise
    on_progress  called with the number of rows read so far
    headers  fact -> the file's own header for it
    """
    batch = BatchImport(connection, batch_id, headers)
    batch.take(rows, on_progress)
    return batch.finish(now)


class BatchImport:
    """Imports rows of a batch within one transaction: those of a whole file, or of a part of it."""

    def __init__(
        self, connection: Connection, batch_id: int, headers: Mapping[str, str] = NO_HEADERS
    ) -> None:
        """
        headers  fact -> the file's own header for it
        """
        self._connection, self._batch_id = connection, batch_id
        self._holding = BatchQuarantine(connection, batch_id, "orders", headers)
        self.read = self.kept = self._analyzed = 0
        self._returning = Returning(connection)
        favour_lookups(connection)
        make(connection, _staged)  # it is empty: every chunk leaves it so
        clear(connection, _touched)

    @property
    def quarantined(self) -> int:
        """How many rows are bad."""
        return self._holding.rows

    def take(
        self,
        rows: Iterable[OrderRow | BadRow],
        on_progress: Callable[[int], None] = lambda _: None,
        most: int | None = None,
    ) -> None:
        """Keep rows, and fold the orders they touch. Called once.

        rows     in the order of their places, which rise
        on_progress  called with the number of rows read so far
        most     rows are read at most
        """
        statements = _statements(self._connection.dialect.name)
        reading = islice(rows, most)
        part_from = None
        while chunk := list(islice(reading, CHUNK)):
            self.read += len(chunk)
            self._holding.add([row for row in chunk if isinstance(row, BadRow)])
            good = [row for row in chunk if not isinstance(row, BadRow)]
            part_from = chunk[0].place if part_from is None else part_from
            self._returning.bring_back(row.order_sn for row in good)
            if good and (kept_here := _keep(self._connection, self._batch_id, good, self._holding)):
                places = {"batch": self._batch_id, "first_place": good[0].place, "last_place": good[-1].place}
                whole = kept_here == len(good)
                keep_texts(
                    self._connection, self._batch_id, good if whole else _kept(self._connection, good, places)
                )
                earlier = {"earlier": self.kept, "part_from": part_from}
                self._connection.execute(statements.note_touched, places | earlier)
                self.kept += kept_here
                self._connection.execute(statements.fold_touched, places)
                if self.kept >= max(ANALYZE_FROM, 2 * self._analyzed):
                    # Else PostgreSQL would go through all that came before at each chunk, as fits the little it found.
                    analyze(self._connection, Order, OrderVersion, CategorySet)
                    self._analyzed = self.kept
            on_progress(self.read)
            del chunk, good  # else two chunks would be held while the next is read
        if (
            self.read - self.quarantined - self.kept >= ANALYZE_FROM
            and self._connection.dialect.name == "postgresql"
        ):
            # Else the page before an undo would go through all repeats for each order: of 91,000, for ten seconds.
            analyze(self._connection, OrderRepeat)

    def finish(self, now: int) -> Counts:
        """The counts of a batch whose rows are all in; its bad rows are in quarantine then."""
        self._holding.settle_in()
        counts = Counts(read=self.read, quarantined=self.quarantined)
        counts.unchanged = counts.read - counts.quarantined - self.kept
        if self.kept:
            counts.new, counts.changed = conclude_orders(self._connection, self._batch_id, _touched, now)
            recompute_touched(self._connection, rows_of_orders(_touched))
        counts.stale = self.kept - counts.new - counts.changed
        return counts

    def finish_part(self) -> None:
        """End a part: write its bad rows to quarantine and recompute totals. ``import_orders`` keeps the state that
        each order had before the first part."""
        self._holding.settle_in(in_parts=True)
        if self.kept:
            self._connection.execute(_statements(self._connection.dialect.name).note_before)
            recompute_touched(self._connection, rows_of_orders(_touched))


def conclude_orders(
    connection: Connection, batch_id: int, before: Table, now: int, up_to: str | None = None
) -> tuple[int, int]:
    """How many orders of a batch are new, and how many changed; also closes the open quarantine entries of earlier
    batches that are rows of these orders.

    before   how the orders stood, in the columns of ``import_orders``
    up_to    only orders up to this number
    """
    count, supersede = _conclusions(before, some=up_to is not None)
    some = {} if up_to is None else {"up_to": up_to}
    new, changed = connection.execute(count, some).one()
    connection.execute(supersede, {"batch": batch_id, "now": now, **some})
    return new, changed


@cache
def _conclusions(before: Table, *, some: bool) -> tuple[Executable, Executable]:
    row = before.c
    which = row.order_sn <= bindparam("up_to", type_=Words) if some else true()
    changed = and_(row.facts.is_not(None), _stands_otherwise(row))
    count = select(count_where(row.facts.is_(None)), count_where(changed)).select_from(before).where(which)
    batch, entry = bindparam("batch", type_=WholeNumber), Quarantined
    supersede = (
        update(entry)
        .where(
            entry.closed_at.is_(None),
            entry.kind == "orders",
            entry.batch_id < batch,
            entry.code != UNKNOWN_PROMOTER,  # such a row is good, and goes in with its promoter
            entry.subject.in_(select(row.order_sn).where(which)),
        )
        .values(closed_at=bindparam("now", type_=WholeNumber), closed_how="superseded", closed_batch_id=batch)
    )
    return count, supersede


def _keep(connection: Connection, batch_id: int, rows: list[OrderRow], holding: BatchQuarantine) -> int:
    """Keep the rows that are not held already; how many were kept."""
    statements = _statements(connection.dialect.name)
    load(connection, _staged, [row[:-1] for row in rows])  # the text, which is last, is kept apart
    has_strangers, has_new_sets = connection.execute(statements.look).one()
    strangers = set(connection.execute(statements.strangers).scalars()) if has_strangers else set()
    if strangers:
        holding.add([_unknown_promoter(row) for row in rows if row.place in strangers])
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


def _kept(connection: Connection, rows: list[OrderRow], places: Mapping[str, int]) -> list[OrderRow]:
    """Those of a chunk's rows that were kept."""
    kept = set(connection.execute(_statements(connection.dialect.name).places_kept, places).scalars())
    return [row for row in rows if row.place in kept]


def _same_row(row: type[OrderVersion] | Columns, other: Columns) -> ColumnElement[bool]:
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


def _unknown_promoter(row: OrderRow) -> BadRow:
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


def _fold_statement(dialect: str, states: Query | CompoundQuery) -> Executable:
    names = [column.name for column in states.selected_columns]
    upsert = insert_into(dialect, Order).from_select(names, states)
    new = upsert.excluded
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


def _stands_otherwise(before: Columns) -> ColumnElement[bool]:
    """Whether a touched order, known before, differs from what it was."""
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
    return select(_touched.c.order_sn).where(or_(_touched.c.facts.is_(None), _stands_otherwise(_touched.c)))


@dataclass(frozen=True, slots=True)
class _Statements:
    """What taking in a chunk executes, made once a dialect: making the fold takes 60 ms, a page of rows 20."""

    look: Executable
    """Whether there are rows of unknown promoters among the staged, and sets of categories that no order had before."""
    strangers: Executable
    """Places of the staged rows of promoters that are not known."""
    drop_strangers: Executable
    keep: Executable
    """The staged rows that are not held become this batch's."""
    places_kept: Executable
    """Places of a chunk's rows that became this batch's."""
    new_sets: Executable
    """Such sets."""
    revive: Executable
    """The staged rows that are held, and were withdrawn, become this batch's."""
    note_repeats: Executable
    note_touched: Executable
    """How the orders stood, of which the chunk kept a row."""
    note_before: Executable
    """The same of a part, kept for the parts that follow; what an earlier part noted stays."""
    fold_touched: Executable


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

    def held(column: InstrumentedAttribute[_Kind]) -> ScalarSelect[_Kind]:
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

    def kept(row: type[OrderVersion]) -> ColumnElement[bool]:
        return and_(row.batch_id == batch, row.place.between(*places))

    def has_company(row: type[OrderVersion]) -> ColumnElement[bool]:
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
    part_from = bindparam("part_from", type_=WholeNumber)
    in_earlier_chunks = count_where(
        and_(version.batch_id == batch, version.place >= part_from, version.place < places[0])
    )
    brought = select(in_earlier_chunks).where(version.order_sn == orders.c.order_sn).scalar_subquery()
    is_first_chunk = bindparam("earlier", type_=WholeNumber) == 0
    note_touched = insert_into(dialect, _touched).from_select(
        [column.name for column in before],
        state.where(or_(Order.order_sn.is_(None), is_first_chunk, brought == 0)),
    )
    names = [column.name for column in before]
    # WHERE, as SQLite takes ON CONFLICT right after a table for the condition of a join.
    note_before = insert_into(dialect, ImportOrder).from_select(names, select(*before).where(true()))
    return _Statements(
        look=select(select(_staged).where(unknown).exists(), select(_staged).where(new_set).exists()),
        strangers=select(staged.place).where(unknown),
        drop_strangers=delete(_staged).where(unknown),
        keep=keep.on_conflict_do_nothing(),
        places_kept=select(version.place).where(kept(version)),
        new_sets=select(staged.cat_ids).where(new_set).distinct(),
        revive=revive,
        note_repeats=note_repeats.on_conflict_do_nothing(),
        note_touched=note_touched,
        note_before=note_before.on_conflict_do_nothing(),
        fold_touched=_fold_statement(dialect, union_all(folded_alone(kept), folded(has_company))),
    )
