"""What is taken in as it stands and yet looks odd. A flag judges nothing: it asks a person to look."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, false, func, or_, select

from bounty.clock import midnight, shanghai_date
from bounty.db import Query
from bounty.errors import BountyError
from bounty.models import Batch, Order, OrderVersion
from bounty.rules.periods import Period

FORMULA_STARTS = tuple("=+-@\t\r＝＋－＠")
"""What a spreadsheet takes for the start of a formula."""
_UNSEEN = tuple("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufffd")
"""Characters that turn the direction of what is read, and the one that stands for a lost character."""
_FAR_OFF = 30
"""A median so many times another is more than trade can explain, and near the hundred of fen taken for yuan."""


def times_out_of_order(row: Any, now: int) -> ColumnElement[bool]:
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


def warning_text(row: Any) -> ColumnElement[bool]:
    """W-TEXT: a name that begins like a formula, or holds characters that mislead the eye."""
    name = row.goods_name
    return _certainly(func.substr(name, 1, 1).in_(FORMULA_STARTS), *(name.contains(sign) for sign in _UNSEEN))


def _certainly(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether one of them holds; what is not known does not."""
    return func.coalesce(or_(*conditions), false())


@dataclass(frozen=True, slots=True)
class FlaggedRow:
    """A row of a batch, with its place in it and the flags it has: W-ORDER, W-TEXT."""

    place: int
    order_sn: str
    flags: tuple[str, ...]


def flagged_rows(connection: Connection, batch_id: int, now: int) -> Iterator[FlaggedRow]:
    """The rows that a batch brought and that look odd, in their order.

    Raises BountyError if there is no such batch of orders.
    """
    kind = connection.execute(select(Batch.kind).where(Batch.batch_id == batch_id)).scalar()
    if kind != "orders":
        raise BountyError(f"There is no batch {batch_id} of orders: `bounty import list` shows them.")
    row = OrderVersion
    order, text = times_out_of_order(row, now), warning_text(row)
    query = (
        select(row.place, row.order_sn, order.label("order"), text.label("text"))
        .where(row.batch_id == batch_id, or_(order, text))
        .order_by(row.place)
    )
    for found in connection.execute(query, execution_options={"yield_per": 1000}):
        flags = [code for code, applies in (("W-ORDER", found.order), ("W-TEXT", found.text)) if applies]
        yield FlaggedRow(found.place, found.order_sn, tuple(flags))


@dataclass(frozen=True, slots=True)
class Medians:
    """What the middle order of a batch came to, next to that of the month before its newest order; whole fen."""

    batch_fen: int
    month: Period
    month_fen: int | None
    """Null where no order of that month is held."""

    @property
    def far_off(self) -> bool:
        """W-UNIT: fen may have been taken for yuan, or yuan for fen."""
        low, high = sorted((self.batch_fen, self.month_fen or self.batch_fen))
        return high >= _FAR_OFF * max(low, 1)


def medians(connection: Connection, batch_id: int) -> Medians | None:
    """The medians by which W-UNIT is told; null for a batch without paid orders."""
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
