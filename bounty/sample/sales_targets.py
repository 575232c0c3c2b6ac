"""Decides how much each promoter sells in a task window: the usual amount, or an amount near the target."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bounty.rules.periods import Period
from bounty.rules.terms import Formula
from bounty.sample.context import SampleContext, SampleTarget
from bounty.sample.people import SamplePromoter

_AIMS: Final = (860, 930, 975, 995, 1000, 1003, 1020, 1060, 1150, 1300, 1500, 1510)
"""The attained share of the target, for promoters who aim at their target; per mille."""
_IMPORTED_TARGETS: Final = (
    SampleTarget(120_000, 12),
    SampleTarget(150_000, 0),
    SampleTarget(0, 15),
    SampleTarget(0, 0),
    SampleTarget(0, 0),
)


@dataclass(frozen=True)
class SalesTarget:
    """The GMV (whole fen) and the number of orders that a promoter reaches in a task window."""

    gmv_fen: int
    orders: int


def draw_imported_targets(
    context: SampleContext, people: Sequence[SamplePromoter], violators: set[int]
) -> dict[tuple[Period, int], SampleTarget]:
    """Imported targets of some V0 promoters without violations in each period: lower targets, and none at all."""
    targets = {}
    for period in context.periods:
        eligible = [
            promoter
            for promoter in people
            if promoter.level_in(period) == "V0" and promoter.promoter_id not in violators
        ]
        near = [promoter for promoter in eligible if 5 <= promoter.size <= 20]
        chosen = context.rng.sample(near, min(len(near), len(_IMPORTED_TARGETS)))
        for promoter, target in zip(chosen, _IMPORTED_TARGETS, strict=False):
            targets[period, promoter.promoter_id] = target
    return targets


def draw_sales_target(context: SampleContext, promoter: SamplePromoter, month: Period) -> SalesTarget:
    """The amount that the promoter sells in the month's task window."""
    usual = _usual_orders(context, promoter, month)
    if month not in context.past_periods or not usual:
        return SalesTarget(0, usual)
    target = _target(context, promoter, month)
    attained = [1000 * usual // target.orders] if target.orders else []
    attained += [1000 * usual * _usual_fen(context, promoter) // target.gmv_fen] if target.gmv_fen else []
    if not attained or not 550 <= min(attained) <= 1450 or context.chance(250):
        return SalesTarget(0, usual)
    aim = context.rng.choice(_AIMS)
    return SalesTarget(target.gmv_fen * aim // 1000, target.orders * aim // 1000)


def _usual_orders(context: SampleContext, promoter: SamplePromoter, month: Period) -> int:
    """A random number of counting orders. Some promoters pause, and before the programme sales are lower."""
    start, until = promoter.task_span(context, month)
    resting = 30 if promoter.size >= 15 else 280
    if not promoter.size or start >= until or context.chance(resting):
        return 0
    bounds = context.bounds[month]
    elapsed = 1000 * (until - start) // (bounds.task_until - bounds.task_from)
    activity = 1000 if month in context.periods else 800 if promoter.level_in(month) == "V1" else 400
    return max(1, promoter.size * context.rng.randint(600, 1400) * activity * elapsed // 1000**3)


def _usual_fen(context: SampleContext, promoter: SamplePromoter) -> int:
    """The average GMV of an order of the promoter's goods before coupons; whole fen."""
    return sum(context.capped_fen(goods.price_fen) for goods in promoter.goods) // len(promoter.goods)


def _target(context: SampleContext, promoter: SamplePromoter, period: Period) -> SampleTarget:
    """The promoter's targets on the roster of the period; none for a level that the terms do not offer."""
    imported = context.imported_targets.get((period, promoter.promoter_id))
    if imported is not None:
        return imported
    level = context.terms.levels.get(promoter.level_in(period) or "")
    if level is None:
        return SampleTarget(0, 0)
    if isinstance(level.gmv, Formula):
        months = [period.plus(-2 - back) for back in range(level.gmv.history_periods)]
        history_fen = sum(context.history_fen.get((month, promoter.promoter_id), 0) for month in months)
        return SampleTarget(level.gmv.target_fen(history_fen), level.orders or 0)
    return SampleTarget(level.gmv or 0, level.orders or 0)
