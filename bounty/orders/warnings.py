"""What is taken in as it stands and yet looks odd. A flag judges nothing: it asks a person to look."""

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, exists, false, func, or_, select, true

from bounty.clock import midnight, shanghai_date
from bounty.db import Query, plan_for_values
from bounty.errors import BountyError
from bounty.files.cells import FORMULA_STARTS
from bounty.files.csv_records import Record
from bounty.files.tables import reread_record
from bounty.models import Batch, Order, OrderVersion
from bounty.orders.archived import require_batch_in_tables
from bounty.orders.received_texts import texts_of_batch
from bounty.platforms.pdd.sheet_orders import layout_of, without_seconds
from bounty.rules.periods import Period
from bounty.rules.unknowns import OrderColumns, receipt_unknown

_UNSEEN = tuple("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufffd")
"""Characters that turn the direction of what is read, and the one that stands for a lost character."""
_FAR_OFF = 30
"""A median so many times another is more than trade can explain, and near the hundred of fen taken for yuan."""


def times_out_of_order(row: OrderColumns, now: int) -> ColumnElement[bool]:
    """W-ORDER: paid before it was made, received before it was paid, changed before it was made, or in the future."""
    instants = (
        row.created_at,
        row.paid_at,
        row.received_at,
        row.verified_at,
        row.settled_at,
        row.modified_at,
    )
    return _certainly(
        row.paid_at < row.created_at,
        row.received_at < row.paid_at,
        row.modified_at < row.created_at,
        *(instant > now for instant in instants),
    )


def warning_text(row: OrderColumns) -> ColumnElement[bool]:
    """W-TEXT: a name that begins like a formula, or holds characters that mislead the eye."""
    name = row.goods_name
    return _certainly(func.substr(name, 1, 1).in_(FORMULA_STARTS), *(name.contains(sign) for sign in _UNSEEN))


def in_conflict(row: type[OrderVersion]) -> ColumnElement[bool]:
    """CONFLICT: the row has the newest row's time and is, or differs in a fact from, the row that won."""
    conflicting = exists().where(
        Order.order_sn == row.order_sn, Order.modified_at == row.modified_at, Order.conflicting.is_(true())
    )
    return and_(conflicting, row.withdrawn.is_(false()))


def _certainly(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether one of them holds; what is not known does not."""
    return func.coalesce(or_(*conditions), false())


FLAG_TEXTS = {
    "W-ORDER": ("{rows:,} 行的时间先后不合常理", "the times of {rows:,} rows are out of order"),
    "W-TEXT": ("{rows:,} 行的商品名称含易误导的字符", "the goods' names of {rows:,} rows mislead the eye"),
    "W-SECONDS": (
        "{rows:,} 行的时间没有秒：同一分钟内的先后无从得知",
        "times of {rows:,} rows have no seconds: what came first within a minute is lost",
    ),
    "CONFLICT": (
        "{rows:,} 行与同一订单、同一更新时间的另一行不一致：按规则只取其一",
        "{rows:,} rows differ from another of the same order and time: the rule chose one",
    ),
}
"""The text about so many rows with a flag, where no count of unknowns covers it: in Chinese and in English."""


@dataclass(frozen=True, slots=True)
class FlaggedRow:
    """A row of a batch, with its place in it and the flags it has.

    W-ORDER     its times are out of order
    W-TEXT      a name that misleads
    W-RECEIPT   received by its status, without a receipt time
    W-SECONDS   a time without seconds: the order of events within a minute is lost
    CONFLICT    another row of the same order and time says otherwise
    """

    place: int
    order_sn: str
    flags: tuple[str, ...]


def flagged_rows(connection: Connection, batch_id: int, now: int) -> Iterator[FlaggedRow]:
    """The rows that a batch brought and that look odd, in their order.

    Raises BountyError if there is no such batch of orders, or rows of it are archived.
    """
    batch = connection.execute(
        select(Batch.kind, Batch.shape, Batch.header).where(Batch.batch_id == batch_id)
    ).first()
    if batch is None or batch.kind != "orders":
        raise BountyError(f"There is no batch {batch_id} of orders: `bounty import list` shows them.")
    require_batch_in_tables(connection, batch_id)
    plan_for_values(connection)
    row = OrderVersion
    flags = {
        "W-ORDER": times_out_of_order(row, now),
        "W-TEXT": warning_text(row),
        "W-RECEIPT": receipt_unknown(row),
        "CONFLICT": in_conflict(row),
    }
    lacks_seconds = _seconds_of(batch.shape, batch.header)
    query: Query = select(row.place, row.order_sn, *(flag.label(code) for code, flag in flags.items()))
    query = query.where(row.batch_id == batch_id).order_by(row.place)
    if lacks_seconds is None:
        query = query.where(or_(*flags.values()))
    texts = iter(() if lacks_seconds is None else texts_of_batch(connection, batch_id))
    for found in connection.execute(query, execution_options={"yield_per": 1000}).mappings():
        codes = [code for code in flags if found[code]]
        if lacks_seconds is not None and lacks_seconds(_text_at(texts, found["place"])):
            codes.insert(codes.index("CONFLICT") if "CONFLICT" in codes else len(codes), "W-SECONDS")
        if codes:
            yield FlaggedRow(found["place"], found["order_sn"], tuple(codes))


def _text_at(texts: Iterator[tuple[int, str]], place: int) -> str:
    """The text of the row at a place; later places only remain."""
    return next((text for at, text in texts if at == place), "")


def _seconds_of(shape: str, header: str | None) -> Callable[[str], bool] | None:
    """Whether a stored row of a file has a time without seconds; null where its kind of file can't hold one."""
    if header is None or "支付时间" not in unicodedata.normalize("NFKC", header):
        return None
    names, _ = reread_record(shape, header, header, 1)
    layout = layout_of(names)

    def lacks(raw: str) -> bool:
        _, record = reread_record(shape, header, raw, 1)
        return isinstance(record, Record) and without_seconds(layout, record.cells)

    return lacks


@dataclass(frozen=True, slots=True)
class Medians:
    """What the middle order of a batch came to, next to that of the month before its newest order; whole fen."""

    batch_fen: int
    month: Period
    month_fen: int | None
    """Null where there is no order of that month."""

    @property
    def far_off(self) -> bool:
        """W-UNIT: fen may have been taken for yuan, or yuan for fen."""
        low, high = sorted((self.batch_fen, self.month_fen or self.batch_fen))
        return high >= _FAR_OFF * max(low, 1)


def medians(connection: Connection, batch_id: int) -> Medians | None:
    """The medians by which W-UNIT is decided; null for a batch without paid orders."""
    plan_for_values(connection)
    row, order = OrderVersion, Order
    of_batch = (row.batch_id == batch_id, row.paid_at.is_not(None))
    newest = connection.execute(select(func.max(row.paid_at)).where(*of_batch)).scalar()
    if newest is None:
        return None
    month = Period.of(shanghai_date(newest)).plus(-1)
    since, until = midnight(month.first_day), midnight(month.plus(1).first_day)
    batch_fen = _median(connection, select(row.order_amount_fen).where(*of_batch))
    held = select(order.order_amount_fen).where(order.paid_at >= since, order.paid_at < until)
    return Medians(batch_fen or 0, month, _median(connection, held))


def _median(connection: Connection, amounts: Query) -> int | None:
    count = connection.execute(select(func.count()).select_from(amounts.subquery())).scalar_one()
    (amount,) = amounts.selected_columns
    return connection.execute(amounts.order_by(amount).limit(1).offset(count // 2)).scalar()
