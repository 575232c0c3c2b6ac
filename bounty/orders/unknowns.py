"""What is not known of orders and yet grants something, counted: for the rows of a batch, and for a month's orders.

An unknown category, type or price comparison counts as ordinary, and an unknown link may earn a subsidy. A status that
says "received" without the time of it grants nothing: it denies, and just as silently.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, func, select

from bounty.db import Query
from bounty.models import Link, OpenPeriod, Order, OrderVersion, RosterEntry
from bounty.rules.periods import Period
from bounty.rules.sql_math import count_where

RECEIVED_STATUSES = (2, 3, 5)
"""Received, audited, settled: what has one of these was received, whether or not its row says when."""

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


def receipt_unknown(row: Any) -> ColumnElement[bool]:
    """Whether a row says that it was received, but not when."""
    return and_(row.order_status.in_(RECEIVED_STATUSES), row.received_at.is_(None))


def unknown_in_batch(connection: Connection, batch_id: int) -> list[Unknown]:
    """What is not known of the rows that a batch brought."""
    row = OrderVersion
    return _counted(connection, select(*_counts(row)).where(row.batch_id == batch_id))


def unknown_in_month(connection: Connection, period: Period) -> list[Unknown]:
    """What is not known of the orders paid in an open period's month by who is eligible in it."""
    of_month = and_(
        Order.promoter_id == RosterEntry.promoter_id,
        Order.paid_at >= OpenPeriod.month_from,
        Order.paid_at < OpenPeriod.month_until,
    )
    eligible = and_(RosterEntry.period == OpenPeriod.period, RosterEntry.reason.is_(None))
    return _counted(
        connection,
        select(*_counts(Order))
        .select_from(OpenPeriod)
        .join(RosterEntry, eligible)
        .join(Order, of_month)
        .where(OpenPeriod.period == str(period)),
    )


def _counts(row: Any) -> Sequence[ColumnElement[int]]:
    linked = exists().where(Link.promoter_id == row.promoter_id, Link.p_id == row.p_id).correlate_except(Link)
    return (
        func.count(row.order_sn).label("every"),
        count_where(row.order_status.in_(RECEIVED_STATUSES)).label("received"),
        count_where(receipt_unknown(row)).label("RECEIPT_UNKNOWN"),
        count_where(row.cat_ids.is_(None)).label("CATEGORY_UNKNOWN"),
        count_where(row.type.is_(None)).label("TYPE_UNKNOWN"),
        count_where(row.price_compare_status.is_(None)).label("PRICE_COMPARE_UNKNOWN"),
        count_where(~linked).label("LINK_UNKNOWN"),
    )


def _counted(connection: Connection, counts: Query) -> list[Unknown]:
    found = connection.execute(counts).mappings().one()
    return [
        Unknown(code, found[code], found["received" if code == "RECEIPT_UNKNOWN" else "every"])
        for code in _SENTENCES
        if found[code]
    ]
