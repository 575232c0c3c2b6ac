"""Received rows of orders as the tables have them, with texts and repeats: what an archive is written from, and what it
is compared with."""

from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from itertools import groupby, islice
from operator import itemgetter
from typing import NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, and_, delete, func, insert, select, tuple_

from bounty.db import WholeNumber, clear, load, workspace
from bounty.errors import BountyError
from bounty.models import Order, OrderRepeat, OrderVersion, ReceivedTexts
from bounty.orders.archive_files import VERSION_COLUMNS, ArchivedRow
from bounty.orders.received_texts import packed, unpacked

ROWS_AT_A_TIME = 5_000
RECORDS_AT_A_TIME = 100
Record = tuple[int, int]
"""A batch and a first place, which name a record of ``received_texts``."""
Places = defaultdict[int, "array[int]"]
"""Batch -> places of rows in it."""
Texts = dict[int, dict[int, tuple[int, bytes]]]
"""Batch -> place of a row in it -> first place of its text's record, and the text in UTF-8: it takes half the room."""


def no_places() -> Places:
    """Places, to which some are added."""
    return defaultdict(lambda: array("q"))


class RowPlace(NamedTuple):
    """Where an order's row came from, without its facts."""

    order_sn: str
    promoter_id: int
    now_promoter_id: int
    """The order's promoter."""
    paid_at: int | None
    batch_id: int
    place: int


class Span(NamedTuple):
    """Orders that were paid in a month, by their numbers."""

    paid_from: int
    paid_until: int
    after: str
    """Numbers after this one; blank: from the first."""
    last: str | None
    """Numbers up to this one; null: to the end."""
    first: str = ""
    """Numbers from this one."""


def numbers_within(connection: Connection, span: Span) -> Span | None:
    """The same span with the first and the last number of its orders; null where it has none."""
    order = Order.__table__.c
    first, last = connection.execute(
        select(func.min(order.order_sn), func.max(order.order_sn)).where(
            order.paid_at >= span.paid_from, order.paid_at < span.paid_until
        )
    ).one()
    return None if first is None else span._replace(first=first, last=last)


def row_places(connection: Connection, span: Span) -> Generator[RowPlace, None, None]:
    """Every row of the orders of a span, whichever promoter it names, sorted by the order's number.

    Orders and rows are read side by side, both sorted, and matched here: no statement goes by the number alone.
    """
    version, order = OrderVersion.__table__.c, Order.__table__.c
    orders = (
        select(order.order_sn, order.promoter_id)
        # Not by the index of payment times: then all of the month would be sorted for each file.
        .where(
            (order.paid_at + 0).between(span.paid_from, span.paid_until - 1), *_within(order.order_sn, span)
        )
        .order_by(order.order_sn)
    )
    rows = (
        select(version.order_sn, version.promoter_id, version.paid_at, version.batch_id, version.place)
        .where(*_within(version.order_sn, span))
        .order_by(version.order_sn, version.row_hash, version.promoter_id)
    )
    some = {"yield_per": ROWS_AT_A_TIME}
    with (
        closing(connection.execute(orders, execution_options=some)) as owners,
        closing(connection.execute(rows, execution_options=some)) as received,
    ):
        owner = next(owners, None)
        for number, promoter_id, paid_at, batch_id, place in received:
            while owner is not None and owner.order_sn < number:
                owner = next(owners, None)
            if owner is None:
                return
            if owner.order_sn == number:
                yield RowPlace(number, promoter_id, owner.promoter_id, paid_at, batch_id, place)


def _within(number: ColumnElement[str], span: Span) -> Iterator[ColumnElement[bool]]:
    yield number > span.after if span.after else number >= span.first
    if span.last is not None:
        yield number <= span.last


def rows_with_texts(
    connection: Connection,
    span: Span,
    wanted: Callable[[str], bool],
    texts: Texts,
) -> Iterator[ArchivedRow]:
    """The rows of the orders of a span, sorted by their keys.

    wanted   which orders, by their numbers

    Raises BountyError for a row without a text.
    """
    version, order, repeat = OrderVersion.__table__.c, Order.__table__.c, OrderRepeat.__table__.c
    query = (
        select(*(version[name] for name in VERSION_COLUMNS), repeat.batch_id, repeat.place)
        .join_from(
            Order,
            OrderVersion,
            and_(Order.promoter_id == OrderVersion.promoter_id, Order.order_sn == OrderVersion.order_sn),
        )
        .outerjoin(
            OrderRepeat,
            and_(
                OrderRepeat.promoter_id == OrderVersion.promoter_id,
                OrderRepeat.order_sn == OrderVersion.order_sn,
                OrderRepeat.row_hash == OrderVersion.row_hash,
            ),
        )
        .where(
            order.paid_at >= span.paid_from,
            order.paid_at < span.paid_until,
            *_within(order.order_sn, span),
            *_within(version.order_sn, span),
        )
        .order_by(version.order_sn, version.row_hash, repeat.batch_id)
    )
    width = len(VERSION_COLUMNS)
    batch_at, place_at = VERSION_COLUMNS.index("batch_id"), VERSION_COLUMNS.index("place")
    number_at = VERSION_COLUMNS.index("order_sn")
    found = connection.execute(query, execution_options={"yield_per": ROWS_AT_A_TIME})
    try:
        for kept, same in groupby(map(tuple, found), key=itemgetter(slice(width))):
            if not wanted(kept[number_at]):
                continue
            first, text = texts.get(kept[batch_at], {}).get(kept[place_at], (0, None))
            if text is None:
                raise BountyError(
                    f"Order {kept[number_at]} has a row whose text is not there (batch {kept[batch_at]}, place "
                    f"{kept[place_at]}): run `bounty check`, and restore a backup. Nothing was moved.",
                    f"订单 {kept[number_at]} 有一行的原文不在（批次 {kept[batch_at]} 第 {kept[place_at]} 行）："
                    "请运行 bounty check，并从备份恢复。没有移动任何数据。",
                )
            repeats = tuple((row[width], row[width + 1]) for row in same if row[width] is not None)
            yield ArchivedRow(kept, first, text.decode(), repeats)
    finally:
        found.close()


# Texts

_records = workspace(
    "archived_records",
    Column("batch_id", WholeNumber, primary_key=True, autoincrement=False),
    Column("first_place", WholeNumber, primary_key=True, autoincrement=False),
)
_records.primary_key.ddl_if(dialect="sqlite")


def records_of(connection: Connection, places: Places) -> Iterator[tuple[Record, list[tuple[int, str]]]]:
    """The records in which the texts of rows lie, each with all its texts; damaged ones are left out."""
    record = ReceivedTexts
    for batch_id, of_rows in sorted(places.items()):
        firsts = (
            connection.execute(
                select(record.first_place).where(record.batch_id == batch_id).order_by(record.first_place)
            )
            .scalars()
            .all()
        )
        # The record of a place is the last that begins at or before it.
        begun = {bisect_right(firsts, place) - 1 for place in of_rows} - {-1}
        for first in (firsts[at] for at in sorted(begun)):
            texts = connection.execute(
                select(record.texts).where(record.batch_id == batch_id, record.first_place == first)
            ).scalar_one()
            try:
                yield (batch_id, first), unpacked(texts)
            except ValueError:
                continue


def texts_at(
    connection: Connection,
    places: Places,
    others: Callable[[Record, list[tuple[int, str]]], None] = lambda _record, _others: None,
) -> Texts:
    """The texts of rows, without what can't be read.

    others   called for each record with its other texts
    """
    found: Texts = {batch_id: {} for batch_id in places}
    wanted = {batch_id: set(of_rows) for batch_id, of_rows in places.items()}
    for (batch_id, first), texts in records_of(connection, places):
        own = wanted[batch_id]
        found[batch_id].update((place, (first, text.encode())) for place, text in texts if place in own)
        others((batch_id, first), [each for each in texts if each[0] not in own])
    return found


ComingTexts = dict[Record, list[tuple[int, bytes]]]
"""Record -> places and texts in UTF-8."""


def put_texts_back(connection: Connection, coming: ComingTexts) -> None:
    """Put texts of archived rows back into their records."""
    records = iter(sorted(coming))
    while some := list(islice(records, RECORDS_AT_A_TIME)):
        there = records_there(connection, some)
        merged: dict[Record, bytes | None] = {}
        for record in some:
            texts = dict(unpacked(there[record])) if record in there else {}
            texts |= {place: text.decode() for place, text in coming[record]}
            merged[record] = packed(sorted(texts.items()))
        replace_records(connection, merged)


def records_there(connection: Connection, records: Iterable[Record]) -> dict[Record, bytes]:
    """Those of some records that there are, compressed."""
    clear(connection, _records)
    load(connection, _records, list(records))
    record, wanted = ReceivedTexts.__table__.c, _records.c
    same = and_(record.batch_id == wanted.batch_id, record.first_place == wanted.first_place)
    rows = connection.execute(select(*record).select_from(_records).join(ReceivedTexts, same))
    return {(row.batch_id, row.first_place): row.texts for row in rows}


def replace_records(connection: Connection, records: Mapping[Record, bytes | None]) -> None:
    """Write records in place of those of the same names; null deletes one."""
    clear(connection, _records)
    load(connection, _records, list(records))
    row, gone = ReceivedTexts, _records.c
    connection.execute(
        delete(row).where(tuple_(row.batch_id, row.first_place).in_(select(gone.batch_id, gone.first_place)))
    )
    written = [
        {"batch_id": batch_id, "first_place": first, "texts": texts}
        for (batch_id, first), texts in records.items()
        if texts is not None
    ]
    if written:
        connection.execute(insert(row), written)
