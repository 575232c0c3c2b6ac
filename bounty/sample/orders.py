"""The orders that are made: as many as the goals ask for, and what comes beside them and after."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bounty.clock import shanghai_date
from bounty.money import fen_of, money_of, share
from bounty.rules.periods import Period
from bounty.sample.context import HOUR, SampleContext
from bounty.sample.goods import SCENES, VIRTUAL_GOODS, Goods
from bounty.sample.order_lifecycle import OrderStep, draw_steps
from bounty.sample.outcomes import OrderOutcome, counts_in_history, outcomes_of
from bounty.sample.people import SamplePromoter, Span
from bounty.sample.sales_targets import draw_sales_target

_COUPONS_FEN: Final = (1_00, 3_00, 5_00, 10_00, 20_00)
_BUSY: Final = (3, 2, 1, 1, 1, 1, 2, 3, 5, 7, 8, 8, 8, 8, 7, 7, 7, 7, 7, 8, 10, 10, 9, 6)
"""How busy each hour of the day is in Shanghai, in tenths."""


@dataclass(frozen=True, slots=True)
class SampleOrder:
    """What does not change of an order, and its steps, oldest first; None for what its rows do not carry."""

    serial: int
    fate: OrderOutcome
    order_sn: str
    place: str
    goods: Goods
    quantity: int
    amount_fen: int
    rate_permille: int
    commission_fen: int
    type: int
    cat_ids: tuple[int, ...] | None
    is_direct: int | None
    price_compare: int | None
    created_at: int
    paid_at: int | None
    steps: list[OrderStep]


def draw_orders(world: SampleContext, people: Sequence[SamplePromoter], count: int) -> list[SampleOrder]:
    """All orders: those of the task windows, by month, and others until there are as many as asked for."""
    made = [order for month in world.months for one in people for order in _task_orders(world, one, month)]
    return made + _other_orders(world, people, count - len(made))


def _task_orders(world: SampleContext, one: SamplePromoter, month: Period) -> list[SampleOrder]:
    """The orders of a promoter in a task window: as many that count as the goal asks for, and some that do not."""
    goal = draw_sales_target(world, one, month)
    span = one.task_span(world, month)
    counting, failing = outcomes_of(world, one, month)
    gmv_fen = counted = 0
    made: list[SampleOrder] = []
    while counted < goal.orders or gmv_fen < goal.gmv_fen:
        # The order that completes the goal does so to the fen, the others being as they come.
        short_fen = goal.gmv_fen - gmv_fen if counted + 1 >= goal.orders else 0
        order = _order(world, one, month, world.drawn(counting), span, short_fen)
        gmv_fen += world.capped_fen(order.amount_fen)
        counted += 1
        made.append(order)
        if world.chance(280):
            made.append(_order(world, one, month, world.drawn(failing), span))
    world.history_fen[month, one.promoter_id] = sum(
        world.capped_fen(order.amount_fen) for order in made if counts_in_history(order.fate)
    )
    return made


def _other_orders(world: SampleContext, people: Sequence[SamplePromoter], count: int) -> list[SampleOrder]:
    """So many orders after the task windows, by everybody's size and the time there was."""
    slots = []
    weights = []
    for month in world.months:
        for one in people:
            start, until = span = one.later_span(world, month)
            if one.size and start < until:
                slots.append((one, month, span))
                weights.append(one.size * (until - start))
    if not slots:
        return []
    made = []
    for one, month, span in world.rng.choices(slots, weights, k=max(0, count)):
        counting, failing = outcomes_of(world, one, month)
        made.append(_order(world, one, month, world.drawn(failing if world.chance(220) else counting), span))
    return made


def _order(
    world: SampleContext,
    one: SamplePromoter,
    month: Period,
    fate: OrderOutcome,
    span: Span,
    short_fen: int = 0,
) -> SampleOrder:
    """An order of that fate, paid within the span.

    short_fen  what the promoter lacks; the order is of just that amount if it is worth more
    """
    rng = world.rng
    serial = world.next_serial()
    goods = rng.choice(VIRTUAL_GOODS if fate is OrderOutcome.VIRTUAL else one.goods)
    quantity, amount_fen = _amount(rng, goods)
    if 1_00 <= short_fen <= world.capped_fen(amount_fen):
        amount_fen = short_fen
    compared = fate is OrderOutcome.COMPARED
    rate_permille = _rate_permille(fate, goods)
    paid_at = _instant(rng, *span)
    created_at = paid_at - rng.randrange(3, rng.choice((20, 120, 1000)))
    known = fate is OrderOutcome.VIRTUAL or not world.chance(4)
    return SampleOrder(
        serial=serial,
        fate=fate,
        order_sn=f"{shanghai_date(created_at):%y%m%d}-{digits(serial)}",
        place=one.punished[month] if fate is OrderOutcome.PUNISHED else rng.choice(one.places),
        goods=goods,
        quantity=quantity,
        amount_fen=amount_fen,
        rate_permille=rate_permille,
        commission_fen=fen_of(share(money_of(amount_fen), rate_permille)),
        type=world.drawn(SCENES) if goods.type is None else goods.type,
        cat_ids=goods.cat_ids if known else None,
        is_direct={OrderOutcome.INDIRECT: 0, OrderOutcome.DIRECT_UNKNOWN: None}.get(fate, 1),
        price_compare=int(compared) if known or compared else None,
        created_at=created_at,
        paid_at=None if fate is OrderOutcome.UNPAID else paid_at,
        steps=draw_steps(rng, fate, paid_at, world.bounds[month]),
    )


def _amount(rng: random.Random, goods: Goods) -> tuple[int, int]:
    """A quantity, and what is paid for it in fen after a coupon."""
    quantity = 2 if goods.price_fen < 50_00 and rng.randrange(12) == 0 else 1
    full_fen = goods.price_fen * quantity
    coupons = [coupon_fen for coupon_fen in _COUPONS_FEN if coupon_fen * 5 <= full_fen]
    return quantity, full_fen - (rng.choice(coupons) if rng.randrange(3) == 0 else 0)


def _rate_permille(fate: OrderOutcome, goods: Goods) -> int:
    """The commission's rate; less on an order that was found by comparing prices."""
    if fate is OrderOutcome.NO_COMMISSION:
        return 0
    return goods.rate_permille // 2 if fate is OrderOutcome.COMPARED else goods.rate_permille


def _instant(rng: random.Random, start: int, until: int) -> int:
    """An instant within a span: by day rather than by night, and now and then its very first or last."""
    if rng.randrange(300) == 0:
        return rng.choice((start, until - 1))
    while True:
        instant = rng.randrange(start, until)
        if _BUSY[(instant // HOUR + 8) % 24] > rng.randrange(10):
            return instant


def digits(serial: int) -> str:
    """15 digits that look like chance and never come twice: the factor has no divisor in common with 10^15."""
    return f"{serial * 611_953_281_647_293 % 10**15:015d}"
