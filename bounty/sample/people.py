"""Who sells: promoters with their careers, goods and places, and what else the operator knows of them."""

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
"""From an instant until an instant; empty if they are the wrong way round."""


@dataclass(frozen=True)
class Career:
    """When a promoter registered, and the level from each day on, oldest first."""

    registered_on: date
    levels: dict[date, str]


@dataclass(frozen=True)
class SamplePromoter:
    """Who sells, what, where and how much."""

    promoter_id: int
    name: str
    career: Career
    size: int
    """Orders that count in the task window of an ordinary month; 0 for who sells nothing."""
    goods: list[Goods]
    places: list[str]
    """p_ids in use."""
    punished: dict[Period, str]
    """A further place, by the month near whose end the platform punishes it."""

    def level_in(self, month: Period) -> str | None:
        """The level by which the month is judged; None for who is not on its roster or has none."""
        started = [day for day in self.career.levels if day <= month.first_day]
        listed = self.career.registered_on < month.first_day
        return self.career.levels[started[-1]] if listed and started else None

    def task_span(self, world: SampleContext, month: Period) -> Span:
        """When the promoter sells within the month's task window."""
        bounds = world.bounds[month]
        return self._span(world, bounds.task_from, bounds.task_until)

    def later_span(self, world: SampleContext, month: Period) -> Span:
        """When the promoter sells in the rest of the month."""
        bounds = world.bounds[month]
        return self._span(world, bounds.task_until, bounds.month_until)

    def _span(self, world: SampleContext, start: int, until: int) -> Span:
        return max(start, midnight(self.career.registered_on) + HOUR), min(until, world.latest)


@dataclass(frozen=True)
class SampleViolation:
    """What a promoter did, and the day on which it was cleared; None where it still stands."""

    promoter_id: int
    occurred_on: date
    reason: str
    cleared_on: date | None


def draw_people(world: SampleContext, count: int, orders: int) -> list[SamplePromoter]:
    """Everybody, the largest first.

    orders  how many distinct order numbers the whole history is to have
    """
    rng = world.rng
    names = [surname + given for surname in _SURNAMES for given in _GIVEN_NAMES]
    rng.shuffle(names)
    ids = rng.sample(range(1_000_000, 10_000_000), count)
    sizes = _sizes(count, orders)
    careers = _careers(world, count)
    # Neither the largest, whose result would hang on it, nor so small that it would not be seen.
    punished_in = {count // 8 + rank: period for rank, period in enumerate(world.past_periods)}
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
    """Orders a task window by rank, after Zipf and Mandelbrot; four in ten sell nothing.

    A month's window holds about 14% of all orders that count; the rest is late in the month, fails, or is history.
    """
    sellers = count * 6 // 10
    weights = [1_000_000 // (rank + 8) for rank in range(sellers)]
    total = sum(weights)
    a_window = orders * 14 // 100
    return [max(1, a_window * weight // total) for weight in weights] + [0] * (count - sellers)


def _range_of_goods(rng: random.Random) -> list[Goods]:
    """What one promoter sells: neighbours in price, the dearer ones more often."""
    middle = max(rng.randrange(10, len(GOODS) - 4), rng.randrange(10, len(GOODS) - 4))
    return rng.sample(GOODS[max(0, middle - 12) : middle + 8], 8)


def _careers(world: SampleContext, count: int) -> list[Career]:
    """A career by rank, those on the edges of the roster among the ranks that sell a little."""
    careers = [_career(world, rank, count) for rank in range(count)]
    edges = _edge_careers(world)
    at = count // 5
    careers[at : at + len(edges)] = edges
    return careers[:count]


def _career(world: SampleContext, rank: int, count: int) -> Career:
    """A career of the last two years; the large have risen more often."""
    start = world.months[-1].plus(-24).first_day
    registered_on = start + timedelta(days=world.rng.randrange((world.today - start).days))
    large = rank < count // 4
    level = world.drawn({"V0": 60, "V1": 34, "V2": 6} if large else {"V0": 80, "V1": 17, "V2": 3})
    before = {"V0": None, "V1": "V0", "V2": "V1"}[level]
    rises_on = world.rng.choice(world.months).first_day
    if before and registered_on < rises_on and world.chance(350):
        return Career(registered_on, {registered_on: before, rises_on: level})
    return Career(registered_on, {registered_on: level})


def _edge_careers(world: SampleContext) -> list[Career]:
    """For each period a V1 who has been registered just long enough and one who lacks a day; one without a level."""
    tenure = world.terms.levels["V1"].min_tenure_months
    days = [period.plus(-tenure).day(number) for period in world.periods for number in (1, 2)]
    levelless = world.past_periods[-1]
    late = Career(levelless.plus(-1).day(10), {levelless.day(15): "V0"})
    return [*(Career(day, {day: "V1"}) for day in days), late]


def draw_violations(world: SampleContext, people: Sequence[SamplePromoter]) -> list[SampleViolation]:
    """Violations of one promoter in twenty, some of them cleared by now."""
    violations = []
    for one in people:
        if not world.chance(50):
            continue
        registered_on = one.career.registered_on
        occurred_on = registered_on + timedelta(days=world.rng.randint(0, (world.today - registered_on).days))
        cleared_on = occurred_on + timedelta(days=world.rng.randint(30, 90))
        cleared = cleared_on <= world.today and world.chance(400)
        reason = world.rng.choice(_REASONS)
        violations.append(
            SampleViolation(one.promoter_id, occurred_on, reason, cleared_on if cleared else None)
        )
    return violations


def draw_links(world: SampleContext, people: Sequence[SamplePromoter]) -> dict[str, str]:
    """Where places make their links: most in the app, some elsewhere; those of which nothing is known are absent."""
    channels = {place: world.drawn({"app": 80, "other": 9, "": 11}) for one in people for place in one.places}
    return {place: channel for place, channel in channels.items() if channel}
