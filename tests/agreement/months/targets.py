"""Orders added until a promoter meets a target or a tier exactly, or misses it by one fen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

from tests import oracle
from tests.agreement.months.case import DAY, Row, World
from tests.agreement.months.orders import (
    any_amount,
    any_life,
    any_number,
    any_tie,
    as_detail,
    as_told,
    at_the_same_time,
    commission_of,
    lives_well,
)


def top_up(world: World, entry: oracle.RosterEntry, owned: Sequence[oracle.Order]) -> list[Row]:
    """Orders that bring the promoter exactly to a target or tier, one short of it, or well past it."""
    rng, terms = world.rng, world.terms
    have = oracle.measure(owned, world.bounds(), terms, entry.direct_only)
    at = rng.choice([terms.tiers[0].at, rng.choice(terms.tiers).at])
    goal_gmv = ceil(at * (entry.target_gmv_fen or 0))
    goal_orders = ceil(at * (entry.target_orders or 0))
    aim = rng.choices(["leave", "gmv", "orders", "beyond"], [14, 38, 20, 28])[0]
    if aim == "leave":
        return []
    cap_fen = terms.task_order_cap_fen or 20000
    gmv_left, orders_left = goal_gmv - have.gmv_fen, goal_orders - have.orders
    if aim == "gmv" and entry.target_gmv_fen:
        amounts = _adding_up(world, gmv_left - rng.choice([0, 0, 0, 1]), max(0, orders_left))
    elif aim == "orders" and entry.target_orders:
        amounts = [cap_fen + rng.choice([0, 1, 7]) for _ in range(orders_left - rng.choice([0, 0, 0, 1]))]
    else:
        amounts = _adding_up(world, max(gmv_left, 0) + rng.randint(0, 3 * cap_fen), max(0, orders_left) + 1)
    rows = []
    for amount in amounts if len(amounts) <= 60 else []:
        rows += _sure_order(world, entry, amount)
    return rows


def _adding_up(world: World, gmv_fen: int, orders: int) -> list[int]:
    """Amounts that the task counts as exactly so much in at least so many orders; none when it is below 0.

    An amount at the cap may grow beyond: the task does not see it, the subsidy does.
    """
    rng, cap_fen = world.rng, world.terms.task_order_cap_fen or 20000
    amounts: list[int] = []
    left = gmv_fen
    while left > 0:
        amounts.append(
            min(left, rng.choice([cap_fen, cap_fen, rng.randint(1, cap_fen), any_tie(world, cap_fen)]))
        )
        left -= amounts[-1]
    while gmv_fen >= 0 and len(amounts) < orders:
        biggest = max(amounts, default=0)
        if amounts:
            amounts.remove(biggest)
        amounts += [biggest // 2, biggest - biggest // 2]
    return [
        amount + rng.choice([0, 0, 1, any_amount(world)]) if amount == cap_fen else amount
        for amount in amounts
    ]


def _sure_order(world: World, entry: oracle.RosterEntry, amount: int) -> list[Row]:
    """An order that counts for the promoter's task, whatever it was before: its newest row stands alone."""
    rng, bounds, terms = world.rng, world.bounds(), world.terms
    paid = rng.choices(
        [
            rng.randrange(bounds.task_from, bounds.task_until),
            bounds.task_from + DAY // 2,
            bounds.task_until - 1,
        ],
        [70, 25, 5],
    )[0]
    received = min(bounds.cutoff - 1, paid + rng.choice([3600, *[rng.randint(1, 9) * DAY] * 7, 90 * DAY]))
    life = replace(
        any_life(world, entry.promoter_id, bounds),
        order_sn=any_number(world, paid),
        order_amount=amount,
        promotion_amount=commission_of(world, amount),
        type=rng.choice([0, None]),
        cat_ids=rng.choice([None, [239]]) if terms.category_ids is None else [min(terms.category_ids)],
        is_direct=1 if entry.direct_only else rng.choice([0, 1, 1, None]),
        price_compare_status=rng.choice([0, 0, 0, 1]) if world.terms.count_price_compare else 0,
        room={"sep_duo_id": 7} if terms.count_live_room and world.chance(10) else {},
        created=paid - 9,
        paid=paid,
        received=received,
    )
    rows = lives_well(world, life)
    if world.chance(12):
        rows.insert(0, at_the_same_time(world, rows[0]))
    if world.chance(10):
        rows.append(as_detail(rows[-1], rng.choice([0, 1])))
    if world.chance(6):
        # Fails when the book is closed: still counted, no subsidy.
        known = {"order_receive_time": received}
        failed = max(bounds.cutoff, rows[-1]["order_modify_at"]) + rng.choice([0, 1, DAY])
        rows.append(as_told(life, 4, failed + 1, **known, order_verify_time=failed))
    return rows
