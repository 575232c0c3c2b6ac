"""A promoter's subsidy of a month, order by order, before a notice says so: all of it is expected."""

from sqlalchemy import literal, select

from bounty.db import Query, WholeNumber


def expected_lines(listed: Query, rate_permille: int) -> Query:
    """What listed orders would earn: order_sn, goods_name, paid_at, basis_fen, rate_permille, subsidy_fen, received_at,
    verified_at, settled_at.

    listed   of ``order_list.listed_orders``
    """
    every = listed.subquery("listed").c
    return select(
        every.order_sn,
        every.goods_name,
        every.paid_at,
        every.basis_fen,
        literal(rate_permille, WholeNumber).label("rate_permille"),
        every.subsidy_fen,
        every.received_at,
        every.verified_at,
        every.settled_at,
    ).where(every.subsidy_fen > 0)
