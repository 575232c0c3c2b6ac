"""Queries over single orders as they stand."""

from sqlalchemy import Connection, Row, select

from bounty.models import Order


def order_numbered(connection: Connection, order_sn: str) -> Row[int, str | None, int | None] | None:
    """promoter_id, goods_name and paid_at of an order; null where there is none of this number."""
    order = select(Order.promoter_id, Order.goods_name, Order.paid_at).where(Order.order_sn == order_sn)
    return connection.execute(order).first()


def owns_order(connection: Connection, promoter_id: int, order_sn: str) -> bool:
    """Whether there is such an order, and it is this promoter's."""
    order = select(Order.order_sn).where(Order.promoter_id == promoter_id, Order.order_sn == order_sn)
    return connection.execute(order).first() is not None
