"""Generates promoters with their careers, goods, promotion links and violations."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from bounty.clock import midnight
from bounty.rules.periods import Period
from bounty.sample.context import HOUR, SampleContext
from bounty.sample.goods import GOODS, Goods

_SURNAMES: Final = "陈林李王张刘黄周吴徐孙马朱胡郭何高罗郑梁谢宋唐许韩冯邓曹彭曾"
_GIVEN_NAMES: Final = (
    "默 静 婷 磊 洋 勇 艳 敏 涛 明 超 霞 平 刚 桂兰 建国 志强 秀英 小红 海燕 晓东 文博 雨桐 子涵 "
    "思远 佳怡 浩然 欣妍 一鸣 若溪 俊杰 诗雅 梓萱 宇航 雪梅 春生 玉梅 国栋 立新 永康"
).split()
_REASONS: Final = ("站内导流", "虚假交易", "诱导下单", "违规推广素材")

Span = tuple[int, int]
"""A half-open span of epoch seconds; empty if the start is not before the end."""


@dataclass(frozen=True)
class Career:
    """A promoter's registration and levels."""

    registered_on: date
    levels: dict[date, str]
    """First day of a level -> level, oldest first."""


@dataclass(frozen=True)
class SamplePromoter:
    """A promoter of the sample."""

    promoter_id: int
    name: str
    career: Career
    size: int
    """Number of counting orders in the task window of an ordinary month; 0 for a promoter without sales."""
    goods: list[Goods]
    """The goods that the promoter sells."""
    places: list[str]
    """The promotion link IDs (p_id) in use."""
    punished: dict[Period, str]
    """Month -> a further p_id that the platform punishes near the month's end."""

    def level_in(self, month: Period) -> str | None:
        """The promoter's level for a month; None without a level or if the promoter is not on the roster."""
        started = [day for day in self.career.levels if day <= month.first_day]
        listed = self.career.registered_on < month.first_day
        return self.career.levels[started[-1]] if listed and started else None

    def task_span(self, context: SampleContext, month: Period) -> Span:
        """The part of the month's task window in which the promoter sells."""
        bounds = context.bounds[month]
        return self._span(context, bounds.task_from, bounds.task_until)

    def later_span(self, context: SampleContext, month: Period) -> Span:
        """The part of the month after the task window in which the promoter sells."""
        bounds = context.bounds[month]
        return self._span(context, bounds.task_until, bounds.month_until)

    def _span(self, context: SampleContext, start: int, until: int) -> Span:
        return max(start, midnight(self.career.registered_on) + HOUR), min(until, context.latest)


@dataclass(frozen=True)
class SampleViolation:
    """A promoter's violation. ``cleared_on`` is None if it was not cleared."""

    promoter_id: int
    occurred_on: date
    reason: str
    cleared_on: date | None


def draw_people(context: SampleContext, count: int, orders: int) -> list[SamplePromoter]:
    """All promoters, the largest first.

    count   number of promoters
    orders  number of distinct order numbers of the whole history
    """
    rng = context.rng
    names = [surname + given for surname in _SURNAMES for given in _GIVEN_NAMES]
    rng.shuffle(names)
    ids = rng.sample(range(1_000_000, 10_000_000), count)
    sizes = _sizes(count, orders)
    careers = _careers(context, count)
    # Promoters of medium size: large enough to have punished orders, but the result does not depend on these.
    punished_in = {count // 8 + rank: period for rank, period in enumerate(context.past_periods)}
    people = []
    for rank, promoter_id in enumerate(ids):
        places = [f"{promoter_id}_{number}" for number in rng.sample(range(10**8, 10**9), rng.randint(2, 6))]
        punished = {punished_in[rank]: places.pop()} if rank in punished_in else {}
        people.append(
            SamplePromoter(
                promoter_id=promoter_id,
                name=f"示例·{names[rank % len(names)]}",
                career=careers[rank],
                size=sizes[rank],
                goods=_range_of_goods(rng),
                places=places,
                punished=punished,
            )
        )
    return people


def _sizes(count: int, orders: int) -> list[int]:
    """Rank -> number of orders in a task window, by the Zipf-Mandelbrot law. Four in ten promoters sell nothing.

    One task window has about 14% of all orders. The others are later in the month, fail, or precede the programme.
    """
    sellers = count * 6 // 10
    weights = [1_000_000 // (rank + 8) for rank in range(sellers)]
    total = sum(weights)
    window_orders = orders * 14 // 100
    return [max(1, window_orders * weight // total) for weight in weights] + [0] * (count - sellers)


def _range_of_goods(rng: random.Random) -> list[Goods]:
    """The goods of one promoter: goods of similar prices, more often expensive ones."""
    middle = max(rng.randrange(10, len(GOODS) - 4), rng.randrange(10, len(GOODS) - 4))
    return rng.sample(GOODS[max(0, middle - 12) : middle + 8], 8)


def _careers(context: SampleContext, count: int) -> list[Career]:
    """Rank -> career. The edge cases of eligibility are among the ranks with few sales."""
    careers = [_career(context, rank, count) for rank in range(count)]
    edges = _edge_careers(context)
    at = count // 5
    careers[at : at + len(edges)] = edges
    return careers[:count]


def _career(context: SampleContext, rank: int, count: int) -> Career:
    """A random career of the last two years. Large promoters have a higher level more often."""
    start = context.months[-1].plus(-24).first_day
    registered_on = start + timedelta(days=context.rng.randrange((context.today - start).days))
    large = rank < count // 4
    level = context.drawn({"V0": 60, "V1": 34, "V2": 6} if large else {"V0": 80, "V1": 17, "V2": 3})
    before = {"V0": None, "V1": "V0", "V2": "V1"}[level]
    rises_on = context.rng.choice(context.months).first_day
    if before and registered_on < rises_on and context.chance(350):
        return Career(registered_on, {registered_on: before, rises_on: level})
    return Career(registered_on, {registered_on: level})


def _edge_careers(context: SampleContext) -> list[Career]:
    """Edge cases: for each period a V1 promoter who is registered just long enough, and one who is a day short; and one
    promoter without a level."""
    tenure = context.terms.levels["V1"].min_tenure_months
    days = [period.plus(-tenure).day(number) for period in context.periods for number in (1, 2)]
    levelless = context.past_periods[-1]
    late = Career(levelless.plus(-1).day(10), {levelless.day(15): "V0"})
    return [*(Career(day, {day: "V1"}) for day in days), late]


def draw_violations(context: SampleContext, people: Sequence[SamplePromoter]) -> list[SampleViolation]:
    """Violations of one promoter in twenty; some are cleared by now."""
    violations = []
    for promoter in people:
        if not context.chance(50):
            continue
        registered_on = promoter.career.registered_on
        occurred_on = registered_on + timedelta(
            days=context.rng.randint(0, (context.today - registered_on).days)
        )
        cleared_on = occurred_on + timedelta(days=context.rng.randint(30, 90))
        cleared = cleared_on <= context.today and context.chance(400)
        reason = context.rng.choice(_REASONS)
        violations.append(
            SampleViolation(promoter.promoter_id, occurred_on, reason, cleared_on if cleared else None)
        )
    return violations


def draw_links(context: SampleContext, people: Sequence[SamplePromoter]) -> dict[str, str]:
    """p_id -> channel of its links: ``app`` for most, ``other`` for some; a p_id of an unknown channel is absent."""
    channels = {
        place: context.drawn({"app": 80, "other": 9, "": 11})
        for promoter in people
        for place in promoter.places
    }
    return {place: channel for place, channel in channels.items() if channel}
