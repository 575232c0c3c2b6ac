"""Which pending orders bring the target home once their buyers confirm the receipt: the largest first, and how many of
them are enough."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, starmap
from typing import NamedTuple

from sqlalchemy import Connection, and_, case, select

from bounty.db import Query, written_out
from bounty.models import Order
from bounty.orders.queries import OrderNumbers
from bounty.progress.queries import A_PERIOD, A_PROMOTER, month_of_promoter
from bounty.rules.measure import frozen_bounds, may_count
from bounty.rules.sql_math import capped_at
from bounty.rules.terms import Terms
from bounty.totals.queries import once_a_row

LOOKED_AT = 100
"""So many of the largest pending orders are read; whoever needs more of them is shown only that."""


class WaitingOrder(NamedTuple):
    """A pending order."""

    order_sn: str
    goods_name: str | None
    paid_at: int
    amount_fen: int
    counts_fen: int
    """What it would count to GMV."""


@dataclass(frozen=True, slots=True)
class BringHome:
    """What is missing while pending orders wait, and which of them would do."""

    gmv_fen: int
    """Missing of the GMV target without the pending orders; 0 where there is no such target, or it is reached."""
    orders: int
    """The same of the orders target."""
    waiting: int
    """Pending orders."""
    needed: int | None
    """The fewest pending orders that suffice for both; null where LOOKED_AT of them do not."""
    any_of: int
    """Whichever ``needed`` of so many of the largest are received, they suffice."""
    largest: tuple[WaitingOrder, ...]
    """At most LOOKED_AT of them."""


@lru_cache(maxsize=64)
def _largest(terms: Terms) -> Query:
    waiting = waiting_orders(terms).subquery("waiting")
    largest_first = (waiting.c.counts_fen.desc(), waiting.c.paid_at, waiting.c.order_sn)
    return written_out(select(waiting).order_by(*largest_first).limit(LOOKED_AT))


def waiting_orders(terms: Terms, numbers: OrderNumbers | None = None) -> Query:
    """A promoter's orders of a month that count once they are received, as ``WaitingOrder``; parameters period,
    promoter_id.

    numbers   only the orders of these numbers
    """
    facts = Order.__table__.c
    waits = and_(facts.received_at.is_(None), may_count(facts, frozen_bounds(terms), terms))
    columns = (
        facts.order_sn,
        facts.goods_name,
        facts.paid_at,
        facts.order_amount_fen.label("amount_fen"),
        capped_at(facts.order_amount_fen, terms.task.order_cap_fen).label("counts_fen"),
    )
    if numbers is None:
        return month_of_promoter(select(*columns), A_PERIOD, A_PROMOTER).where(waits)
    # Asked once a row, or SQLite looks for the numbers among all that were paid in the task window.
    judged = select(*columns, case((waits, 1), else_=0).label("waits"))
    row = once_a_row(month_of_promoter(judged, A_PERIOD, A_PROMOTER, numbers)).c
    return select(*(row[column.name] for column in columns)).where(row.waits == 1)


def bring_home_of(
    connection: Connection,
    terms: Terms,
    key: Mapping[str, str | int],
    gmv_fen: int,
    orders: int,
    waiting: int,
) -> BringHome:
    """Which pending orders of a month would do; one query.

    key               period and promoter_id
    gmv_fen, orders   what is missing without the pending orders
    waiting           how many there are
    """
    largest = tuple(starmap(WaitingOrder, connection.execute(_largest(terms), key)))
    needed, any_of = enough(gmv_fen, orders, [row.counts_fen for row in largest])
    return BringHome(gmv_fen, orders, waiting, needed, any_of, largest)


def enough(gmv_fen: int, orders: int, counts_fen: Sequence[int]) -> tuple[int | None, int]:
    """How many of some orders suffice, and of how many of the largest it may be any; null and 0 where all do not.

    counts_fen   what each counts, the largest first

    >>> enough(4170, 1, [9000, 6000, 4170, 900])
    (1, 3)
    >>> enough(12_000, 1, [9000, 6000, 4170, 900]), enough(0, 2, [900, 700, 500]), enough(20_000, 1, [9000])
    ((2, 2), (2, 3), (None, 0))
    """
    sums = [0, *accumulate(counts_fen)]
    for many in range(max(orders, 1), len(sums)):
        if sums[many] >= gmv_fen:
            may = (
                last for last in range(len(sums) - 1, many, -1) if sums[last] - sums[last - many] >= gmv_fen
            )
            return many, next(may, many)
    return None, 0
