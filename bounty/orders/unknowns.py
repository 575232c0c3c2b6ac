"""What is not known of orders and yet grants something, counted: for the rows of a batch, and for a month's orders.

An unknown category, type or price comparison counts as ordinary, and an unknown link may earn a subsidy. A status that
says "received" without the time of it grants nothing: it denies, and just as silently.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import ColumnElement, Connection, and_, func, select

from bounty import figures
from bounty.db import plan_for_values
from bounty.models import OrderVersion, PromoterProgress, RosterEntry
from bounty.rules.periods import Period
from bounty.rules.sql_math import count_where, sum_or_zero
from bounty.rules.unknowns import RECEIVED_STATUSES, unknowns

_SENTENCES = {
    "RECEIPT_UNKNOWN": (
        "{of:,} 行已收货的订单中，{rows:,} 行没有确认收货时间：按未收货算",
        "{rows:,} of {of:,} received rows have no receipt time: they count as not received",
    ),
    "CATEGORY_UNKNOWN": (
        "{of:,} 行中，{rows:,} 行没有类目：按普通商品算",
        "{rows:,} of {of:,} rows have no category: they count as ordinary goods",
    ),
    "TYPE_UNKNOWN": (
        "{of:,} 行中，{rows:,} 行没有订单类型：按普通商品算",
        "{rows:,} of {of:,} rows have no order type: they count as ordinary goods",
    ),
    "PRICE_COMPARE_UNKNOWN": (
        "{of:,} 行中，{rows:,} 行没有比价状态：按正常算",
        "{rows:,} of {of:,} rows have no price-comparison state: they count as ordinary",
    ),
    "LINK_UNKNOWN": (
        "{of:,} 行中，{rows:,} 行的推广位没有登记渠道：链接渠道未知",
        "{rows:,} of {of:,} rows have a promotion place without a known channel: their link is unknown",
    ),
}


@dataclass(frozen=True, slots=True)
class Unknown:
    """One thing that is not known of some rows or orders."""

    code: str
    rows: int
    """Above 0."""
    of: int
    """Of how many: of those received, for RECEIPT_UNKNOWN; else of all."""

    @property
    def zh(self) -> str:
        """What was counted, in Chinese."""
        return _SENTENCES[self.code][0].format(rows=self.rows, of=self.of)

    @property
    def en(self) -> str:
        """The same in English."""
        return _SENTENCES[self.code][1].format(rows=self.rows, of=self.of)


def unknown_in_batch(connection: Connection, batch_id: int) -> list[Unknown]:
    """What is not known of the rows that a batch brought."""
    row = OrderVersion
    plan_for_values(connection)
    counts = select(*_counts(row)).where(row.batch_id == batch_id)
    return _unknown(dict(connection.execute(counts).mappings().one()))


def unknown_in_month(connection: Connection, period: Period, now: int) -> list[Unknown]:
    """What is not known of the orders paid in an open period's month by who is eligible in it."""
    counts = partial(unknown_content, connection, period)
    return _unknown(figures.as_of_now(connection, unknown_subject(period), now, counts))


def unknown_subject(period: Period) -> str:
    """The stored figure of what is not known in a month."""
    return f"unknown {period}"


def unknown_content(connection: Connection, period: Period) -> dict[str, int]:
    """What is not known in a month, as it is stored: how many orders lack what, of ``every`` and ``received``."""
    total = PromoterProgress.__table__.c
    eligible = and_(
        RosterEntry.promoter_id == total.promoter_id,
        RosterEntry.period == total.period,
        RosterEntry.reason.is_(None),
    )
    counts = (
        select(
            sum_or_zero(total.paid_orders).label("every"),
            sum_or_zero(total.received_orders).label("received"),
            *(sum_or_zero(total[code.lower()]).label(code) for code in _SENTENCES),
        )
        .join(RosterEntry, eligible)
        .where(total.period == str(period))
    )
    return dict(connection.execute(counts).mappings().one())


def _counts(row: type[OrderVersion]) -> Sequence[ColumnElement[int]]:
    return (
        func.count(row.order_sn).label("every"),
        count_where(row.order_status.in_(RECEIVED_STATUSES)).label("received"),
        *(count_where(unknown).label(code) for code, unknown in unknowns(row).items()),
    )


def _unknown(counts: Mapping[str, int]) -> list[Unknown]:
    return [
        Unknown(code, counts[code], counts["received" if code == "RECEIPT_UNKNOWN" else "every"])
        for code in _SENTENCES
        if counts[code]
    ]
