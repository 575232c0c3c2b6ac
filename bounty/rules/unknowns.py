"""What may be unknown of an order and yet grants or denies something."""

from sqlalchemy import ColumnElement, and_, exists

from bounty.db import Columns
from bounty.models import Link, Order, OrderVersion

OrderColumns = type[Order] | type[OrderVersion] | Columns
"""The columns of ``orders``, of ``order_versions``, or of another relation that has those of an order."""

RECEIVED_STATUSES = (2, 3, 5)
"""Received, audited, settled: what has one of these was received, whether or not its row says when."""


def receipt_unknown(row: OrderColumns) -> ColumnElement[bool]:
    """Whether a row says that it was received, but not when."""
    return and_(row.order_status.in_(RECEIVED_STATUSES), row.received_at.is_(None))


def unknowns(row: OrderColumns) -> dict[str, ColumnElement[bool]]:
    """Code -> whether that is unknown of an order, or of a row received for one.

    row   the columns of ``orders`` or of ``order_versions``
    """
    linked = exists().where(Link.promoter_id == row.promoter_id, Link.p_id == row.p_id).correlate_except(Link)
    return {
        "RECEIPT_UNKNOWN": receipt_unknown(row),
        "CATEGORY_UNKNOWN": row.cat_ids.is_(None),
        "TYPE_UNKNOWN": row.type.is_(None),
        "PRICE_COMPARE_UNKNOWN": row.price_compare_status.is_(None),
        "LINK_UNKNOWN": ~linked,
    }
