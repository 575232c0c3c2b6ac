"""Which pending orders bring the target home once their buyers confirm the receipt: the largest first, and how many of
them are enough."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any

from sqlalchemy import Connection, select

from bounty.db import Query, written_out
from bounty.models import Order
from bounty.progress.queries import A_PERIOD, A_PROMOTER, month_of_promoter
from bounty.rules.measure import frozen_bounds, may_count
from bounty.rules.sql_math import capped_at
from bounty.rules.terms import Terms

LOOKED_AT = 100
"""So many of the largest pending orders are looked at; who needs more of them is told just that."""


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
    largest: tuple[Any, ...]
    """At most LOOKED_AT of them; with the columns of ``waiting_orders``."""


@lru_cache(maxsize=64)
def _largest(terms: Terms) -> Query:
    waiting = waiting_orders(terms).subquery("waiting")
    largest_first = (waiting.c.counts_fen.desc(), waiting.c.paid_at, waiting.c.order_sn)
    return written_out(select(waiting).order_by(*largest_first).limit(LOOKED_AT))


def waiting_orders(terms: Terms) -> Query:
    """A promoter's orders of a month that count once they are received: order_sn, goods_name, paid_at, amount_fen and
    counts_fen (what each would count to GMV); asked with period, promoter_id."""
    facts = Order.__table__.c
    return month_of_promoter(
        select(
            facts.order_sn,
            facts.goods_name,
            facts.paid_at,
            facts.order_amount_fen.label("amount_fen"),
            capped_at(facts.order_amount_fen, terms.task.order_cap_fen).label("counts_fen"),
        ),
        A_PERIOD,
        A_PROMOTER,
    ).where(facts.received_at.is_(None), may_count(facts, frozen_bounds(terms), terms))


def bring_home_of(
    connection: Connection, terms: Terms, asked: dict[str, Any], gmv_fen: int, orders: int, waiting: int
) -> BringHome:
    """Which pending orders of a month would do; one query.

    asked             period and promoter_id
    gmv_fen, orders   what is missing without the pending orders
    waiting           how many there are
    """
    largest = tuple(connection.execute(_largest(terms), asked))
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
