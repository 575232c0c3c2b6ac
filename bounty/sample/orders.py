"""Generates the sample's orders: those that reach each promoter's sales target, and further ones."""

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
"""Relative number of orders in each hour of the day in Shanghai, in tenths."""


@dataclass(frozen=True, slots=True)
class SampleOrder:
    """The constant facts of an order and its updates, oldest first. None for facts that its rows do not have."""

    serial: int
    outcome: OrderOutcome
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


def draw_orders(context: SampleContext, people: Sequence[SamplePromoter], count: int) -> list[SampleOrder]:
    """All orders: those of the task windows, by month, and further ones up to ``count``."""
    made = [
        order
        for month in context.months
        for promoter in people
        for order in _task_orders(context, promoter, month)
    ]
    return made + _other_orders(context, people, count - len(made))


def _task_orders(context: SampleContext, promoter: SamplePromoter, month: Period) -> list[SampleOrder]:
    """A promoter's orders in a task window: counting orders up to the sales target, and some failing orders."""
    target = draw_sales_target(context, promoter, month)
    span = promoter.task_span(context, month)
    counting, failing = outcomes_of(context, promoter, month)
    gmv_fen = counted = 0
    made: list[SampleOrder] = []
    while counted < target.orders or gmv_fen < target.gmv_fen:
        # The last order gets the amount that reaches the target exactly.
        short_fen = target.gmv_fen - gmv_fen if counted + 1 >= target.orders else 0
        order = _order(context, promoter, month, context.drawn(counting), span, short_fen)
        gmv_fen += context.capped_fen(order.amount_fen)
        counted += 1
        made.append(order)
        if context.chance(280):
            made.append(_order(context, promoter, month, context.drawn(failing), span))
    context.history_fen[month, promoter.promoter_id] = sum(
        context.capped_fen(order.amount_fen) for order in made if counts_in_history(order.outcome)
    )
    return made


def _other_orders(context: SampleContext, people: Sequence[SamplePromoter], count: int) -> list[SampleOrder]:
    """``count`` orders after the task windows, distributed by the promoters' sizes and their time."""
    slots = []
    weights = []
    for month in context.months:
        for promoter in people:
            start, until = span = promoter.later_span(context, month)
            if promoter.size and start < until:
                slots.append((promoter, month, span))
                weights.append(promoter.size * (until - start))
    if not slots:
        return []
    made = []
    for promoter, month, span in context.rng.choices(slots, weights, k=max(0, count)):
        counting, failing = outcomes_of(context, promoter, month)
        made.append(
            _order(
                context, promoter, month, context.drawn(failing if context.chance(220) else counting), span
            )
        )
    return made


def _order(
    context: SampleContext,
    promoter: SamplePromoter,
    month: Period,
    outcome: OrderOutcome,
    span: Span,
    short_fen: int = 0,
) -> SampleOrder:
    """An order with an outcome, paid within the span.

    short_fen  the amount that the promoter still needs; the order gets this amount if its goods cost at least as much
    """
    rng = context.rng
    serial = context.next_serial()
    goods = rng.choice(VIRTUAL_GOODS if outcome is OrderOutcome.VIRTUAL else promoter.goods)
    quantity, amount_fen = _amount(rng, goods)
    if 1_00 <= short_fen <= context.capped_fen(amount_fen):
        amount_fen = short_fen
    compared = outcome is OrderOutcome.COMPARED
    rate_permille = _rate_permille(outcome, goods)
    paid_at = _instant(rng, *span)
    created_at = paid_at - rng.randrange(3, rng.choice((20, 120, 1000)))
    known = outcome is OrderOutcome.VIRTUAL or not context.chance(4)
    return SampleOrder(
        serial=serial,
        outcome=outcome,
        order_sn=f"{shanghai_date(created_at):%y%m%d}-{digits(serial)}",
        place=promoter.punished[month] if outcome is OrderOutcome.PUNISHED else rng.choice(promoter.places),
        goods=goods,
        quantity=quantity,
        amount_fen=amount_fen,
        rate_permille=rate_permille,
        commission_fen=fen_of(share(money_of(amount_fen), rate_permille)),
        type=context.drawn(SCENES) if goods.type is None else goods.type,
        cat_ids=goods.cat_ids if known else None,
        is_direct={OrderOutcome.INDIRECT: 0, OrderOutcome.DIRECT_UNKNOWN: None}.get(outcome, 1),
        price_compare=int(compared) if known or compared else None,
        created_at=created_at,
        paid_at=None if outcome is OrderOutcome.UNPAID else paid_at,
        steps=draw_steps(rng, outcome, paid_at, context.bounds[month]),
    )


def _amount(rng: random.Random, goods: Goods) -> tuple[int, int]:
    """A random quantity, and the amount paid in fen after a coupon."""
    quantity = 2 if goods.price_fen < 50_00 and rng.randrange(12) == 0 else 1
    full_fen = goods.price_fen * quantity
    coupons = [coupon_fen for coupon_fen in _COUPONS_FEN if coupon_fen * 5 <= full_fen]
    return quantity, full_fen - (rng.choice(coupons) if rng.randrange(3) == 0 else 0)


def _rate_permille(outcome: OrderOutcome, goods: Goods) -> int:
    """The commission rate; half of it for a price comparison order."""
    if outcome is OrderOutcome.NO_COMMISSION:
        return 0
    return goods.rate_permille // 2 if outcome is OrderOutcome.COMPARED else goods.rate_permille


def _instant(rng: random.Random, start: int, until: int) -> int:
    """A random instant within a span, more often by day; sometimes the first or last instant of the span."""
    if rng.randrange(300) == 0:
        return rng.choice((start, until - 1))
    while True:
        instant = rng.randrange(start, until)
        if _BUSY[(instant // HOUR + 8) % 24] > rng.randrange(10):
            return instant


def digits(serial: int) -> str:
    """15 digits that look random and never repeat, because the factor is coprime to 10^15."""
    return f"{serial * 611_953_281_647_293 % 10**15:015d}"
