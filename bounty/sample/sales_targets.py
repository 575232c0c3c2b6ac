"""How much each promoter sells in a task window: as ever, or as much as the target makes worth while."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bounty.rules.periods import Period
from bounty.rules.terms import Formula
from bounty.sample.context import SampleContext, SampleTarget
from bounty.sample.people import SamplePromoter

_AIMS: Final = (860, 930, 975, 995, 1000, 1003, 1020, 1060, 1150, 1300, 1500, 1510)
"""Where people within reach of their target end up, per mille of it."""
_OWN_TARGETS: Final = (
    SampleTarget(120_000, 12),
    SampleTarget(150_000, 0),
    SampleTarget(0, 15),
    SampleTarget(0, 0),
    SampleTarget(0, 0),
)


@dataclass(frozen=True)
class SalesTarget:
    """A promoter sells in a task window until both are reached."""

    gmv_fen: int
    orders: int


def draw_given_targets(
    world: SampleContext, people: Sequence[SamplePromoter], violators: set[int]
) -> dict[tuple[Period, int], SampleTarget]:
    """For each period some V0 with targets of their own, lower ones and none at all; none of them violators."""
    targets = {}
    for period in world.periods:
        known = [one for one in people if one.level_in(period) == "V0" and one.promoter_id not in violators]
        near = [one for one in known if 5 <= one.size <= 20]
        chosen = world.rng.sample(near, min(len(near), len(_OWN_TARGETS)))
        for one, target in zip(chosen, _OWN_TARGETS, strict=False):
            targets[period, one.promoter_id] = target
    return targets


def draw_sales_target(world: SampleContext, one: SamplePromoter, month: Period) -> SalesTarget:
    """What the promoter sells in the month's task window."""
    usual = _usual_orders(world, one, month)
    if month not in world.past_periods or not usual:
        return SalesTarget(0, usual)
    target = _target(world, one, month)
    attained = [1000 * usual // target.orders] if target.orders else []
    attained += [1000 * usual * _usual_fen(world, one) // target.gmv_fen] if target.gmv_fen else []
    if not attained or not 550 <= min(attained) <= 1450 or world.chance(250):
        return SalesTarget(0, usual)
    aim = world.rng.choice(_AIMS)
    return SalesTarget(target.gmv_fen * aim // 1000, target.orders * aim // 1000)


def _usual_orders(world: SampleContext, one: SamplePromoter, month: Period) -> int:
    """Orders that count in the month, as chance has it: some rest, and before the programme there was less reason."""
    start, until = one.task_span(world, month)
    resting = 30 if one.size >= 15 else 280
    if not one.size or start >= until or world.chance(resting):
        return 0
    bounds = world.bounds[month]
    elapsed = 1000 * (until - start) // (bounds.task_until - bounds.task_from)
    zeal = 1000 if month in world.periods else 800 if one.level_in(month) == "V1" else 400
    return max(1, one.size * world.rng.randint(600, 1400) * zeal * elapsed // 1000**3)


def _usual_fen(world: SampleContext, one: SamplePromoter) -> int:
    """What an order of the usual goods adds to GMV, before coupons."""
    return sum(world.capped_fen(goods.price_fen) for goods in one.goods) // len(one.goods)


def _target(world: SampleContext, one: SamplePromoter, period: Period) -> SampleTarget:
    """What the roster will ask of the promoter; nothing of who has no level that the terms offer."""
    own = world.own_targets.get((period, one.promoter_id))
    if own is not None:
        return own
    level = world.terms.levels.get(one.level_in(period) or "")
    if level is None:
        return SampleTarget(0, 0)
    if isinstance(level.gmv, Formula):
        months = [period.plus(-2 - back) for back in range(level.gmv.history_periods)]
        history_fen = sum(world.history_fen.get((month, one.promoter_id), 0) for month in months)
        return SampleTarget(level.gmv.target_fen(history_fen), level.orders or 0)
    return SampleTarget(level.gmv or 0, level.orders or 0)
