"""Queries over single orders as they stand."""

from collections.abc import Sequence

from sqlalchemy import BindParameter, Connection, Row, select, union

from bounty.db import CompoundQuery
from bounty.models import Order, OrderVersion

OrderNumbers = Sequence[str] | BindParameter[str]
"""Order numbers, or an expanding parameter for a statement that is asked with them."""


def order_numbered(connection: Connection, order_sn: str) -> Row[int, str | None, int | None] | None:
    """promoter_id, goods_name and paid_at of an order; null where there is none of this number."""
    order = select(Order.promoter_id, Order.goods_name, Order.paid_at).where(Order.order_sn == order_sn)
    return connection.execute(order).first()


def owns_order(connection: Connection, promoter_id: int, order_sn: str) -> bool:
    """Whether there is such an order, and it is this promoter's."""
    order = select(Order.order_sn).where(Order.promoter_id == promoter_id, Order.order_sn == order_sn)
    return connection.execute(order).first() is not None


def promoters_of_order(order_sn: str) -> CompoundQuery:
    """Every promoter who ever had an order. Rows that are archived name its present one."""
    return union(
        select(OrderVersion.promoter_id).where(OrderVersion.order_sn == order_sn),
        select(Order.promoter_id).where(Order.order_sn == order_sn),
    )
