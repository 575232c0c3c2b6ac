"""The forecast: every promoter's month simulated to its end, some hundred times, from what the books hold.

    orders still pending  ->  each is drawn: received in time and not refunded, as such orders of past months were
    orders still to come  ->  drawn: the promoter's own pace, by weekday, between this month's and past months'
    both together         ->  GMV, orders, pass or not, subsidy; the share of draws that pass is the probability

Nothing here reads the database or the clock, and the draws depend on the seed alone.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bounty.forecast.facts import DAY, NEVER, ForecastFacts, PastMonth, Real, Whole
from bounty.rules.terms import Terms

DRAWS = 400
RANGE_PERCENT = 80
_AT_ONCE = 20_000_000
"""Draws of orders that are in memory together."""
_SHAPES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 64.0)
"""How alike a promoter's months may be: the shape of the gamma distribution of the pace about its mean."""
_USUAL_SHAPE = 2.0
_USUAL_CHANCE = 0.85
"""Of an order to be received in time and kept, where no past month says."""
_NEIGHBOUR_DAYS = 2


@dataclass(frozen=True, slots=True)
class Ranges:
    """For each promoter, the range between the lowest and the highest tenth of the draws."""

    low: Whole
    high: Whole
    middle: Whole
    """The median."""
    holds: Real
    """The share of the draws within: more than 80 % where there are few possible ends."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Of every promoter of the roster, in its order."""

    probability: Real
    gmv_fen: Ranges
    orders: Ranges
    subsidy_fen: Ranges
    expected_subsidy_fen: Whole
    """The mean of the draws."""
    counted_gmv_fen: Whole
    counted_orders: Whole
    pending_gmv_fen: Whole
    pending_orders: Whole
    failed_gmv_fen: Whole
    """Of orders that would count, had they not failed."""
    failed_orders: Whole
    needed_orders: Whole
    """The smallest number of pending orders that reaches the target, the largest first; 0: none are needed, or all of
    them are too few."""
    nudge_orders: Whole
    """Of the largest pending orders, those whose receipt moves the probability: the needed ones, or up to three."""
    nudge_probability: Real
    """Once these are received."""
    committed_fen: Whole
    """The subsidy of who passes already, on the orders known now; 0 for the others."""
    total_subsidy_fen: Real
    """Of all promoters together, by draw."""
    total_passes: Real


@dataclass(frozen=True, slots=True)
class Chances:
    """By whole days before the cutoff: how likely an order counts in the end."""

    pending: Real
    """Paid so long before, and neither received nor failed by now."""
    received: Real
    """Received so long before, and not failed by now."""
    coming: Real
    """Of an order that is paid so long before, from now on."""


def chances_of(facts: ForecastFacts) -> Chances:
    """From the lifetimes of past months' orders, those paid or received on neighbouring days together."""
    life = facts.lifetimes
    days_left = max(0, round((facts.bounds.receipt_cutoff - facts.now) / DAY))
    last = (facts.bounds.receipt_cutoff - facts.bounds.month_from) // DAY + 1
    kept = (life.failed == NEVER).astype(float)
    good = kept * (life.received != NEVER)
    unfailed = life.failed < days_left
    waiting = (life.paid >= days_left) & (life.received < days_left) & unfailed
    arrived = (life.received >= days_left) & unfailed

    def by_day(day: Whole, which: NDArray[np.bool_], outcome: Real, usual: float) -> Real:
        weight = life.orders * which
        inside = (day >= 0) & (day <= last)
        index = np.where(inside, day, 0)
        of = np.bincount(index, weight * inside, last + 1)
        held = np.bincount(index, weight * inside * outcome, last + 1)
        pooled = (held.sum() + 20 * usual) / (of.sum() + 20)
        window = np.ones(2 * _NEIGHBOUR_DAYS + 1)
        near_of, near_held = (np.convolve(each, window, "same") for each in (of, held))
        chance: Real = (near_held + 10 * pooled) / (near_of + 10)
        return chance

    return Chances(
        pending=by_day(life.paid, waiting, good, _USUAL_CHANCE),
        received=by_day(life.received, arrived, kept, 0.98),
        coming=by_day(life.paid, np.ones(len(life.paid), bool), good, _USUAL_CHANCE),
    )


@dataclass(frozen=True, slots=True)
class Pace:
    """The gamma distribution of each promoter's orders a day: of a kind that counts, paid in the task window."""

    shape: Real
    scale: Real
    month_spread: float
    """The standard deviation of what all promoters have in common, as a logarithm."""


def _prior(past: list[PastMonth], pooled: float) -> Real:
    """A promoter's mean orders a day in past months, drawn a little towards that of all."""
    orders = sum((month.orders for month in past), np.zeros_like(past[0].orders))
    mean: Real = (orders + 2 * pooled) / (sum(month.exposure for month in past) + 2)
    return mean


def _common(prior: Real, orders: Whole, days: float) -> float:
    """How this month goes for all together, against their past months."""
    return float((orders.sum() + 30) / (prior.sum() * days + 30))


def _log_gamma(values: Real | Whole) -> Real:
    return np.array([math.lgamma(each) for each in values.tolist()])


def _log_likelihood(shape: Real, rate: Real, orders: Whole, days: float) -> float:
    """Of a negative binomial: the orders of so many days, where the pace is gamma distributed."""
    terms = (
        _log_gamma(shape + orders)
        - _log_gamma(shape)
        - _log_gamma(orders + 1)
        + shape * np.log(rate / (rate + days))
        + orders * np.log(days / (rate + days))
    )
    return float(terms.sum())


def pace_of(facts: ForecastFacts) -> Pace:
    """Each promoter's pace: past months say what to expect, this month's orders correct it, and how far they may is
    learnt from how alike the months before were."""
    bounds, now = facts.bounds, facts.now
    days = facts.exposure(bounds.task_from, max(bounds.task_from, min(now, bounds.task_until)))
    present = facts.present
    so_far = np.bincount(present.promoter[present.for_task], minlength=len(facts.roster.promoter_ids))
    people = max(1, len(so_far))
    if not facts.past:
        pooled = (int(so_far.sum()) / people + 0.05) / (days + 1)
        shape = np.full(len(so_far), 1.0)
        return Pace(shape + so_far, 1 / (shape / pooled + days), 0.1)
    pooled = sum(float(month.orders.sum()) for month in facts.past) / (
        people * sum(month.exposure for month in facts.past)
    )
    kind, spread = _learnt(facts.past, pooled)
    prior = _prior(facts.past, pooled)
    prior = prior * _common(prior, so_far, days)
    return Pace(kind + so_far, 1 / (kind / prior + days), spread)


def _learnt(past: list[PastMonth], pooled: float) -> tuple[float, float]:
    """The shape under which past months follow best from the months before them, and the spread of a month's common
    part."""
    tried = [(month, past[at + 1 :]) for at, month in enumerate(past[:-1])]
    found: dict[float, float] = dict.fromkeys(_SHAPES, 0.0)
    off = []
    for month, before in tried:
        prior = _prior(before, pooled)
        prior = prior * _common(prior, month.early_orders, month.early_exposure)
        left = month.exposure - month.early_exposure
        later = month.orders - month.early_orders
        if left <= 0:  # the window is over: the part does not matter, so take the whole month
            left, later, early, early_days = month.exposure, month.orders, np.zeros_like(later), 0.0
        else:
            early, early_days = month.early_orders, month.early_exposure
        for shape in _SHAPES:
            found[shape] += _log_likelihood(shape + early, shape / prior + early_days, later, left)
        best = max(found, key=lambda shape: found[shape])
        expected = ((best + early) / (best / prior + early_days) * left).sum()
        off.append(math.log((later.sum() + 10) / (expected + 10)))
    if not tried:
        return _USUAL_SHAPE, 0.1
    spread = math.sqrt(sum(each * each for each in off) / len(off))
    return max(found, key=lambda shape: found[shape]), min(0.3, max(0.03, spread))


def forecast_of(facts: ForecastFacts, terms: Terms, seed: int) -> Forecast:
    """Simulate every promoter's month to its receipt cutoff; the same facts and seed give the same forecast."""
    return _Simulation(facts, terms, np.random.default_rng(seed)).run()


class _Simulation:
    """One forecast at work: what is common to all promoters is worked out once, then promoters are drawn in parts."""

    def __init__(self, facts: ForecastFacts, terms: Terms, rng: np.random.Generator) -> None:
        self.facts, self.terms, self.rng = facts, terms, rng
        bounds, now, orders = facts.bounds, facts.now, facts.present
        self.people = len(facts.roster.promoter_ids)
        chances = chances_of(facts)

        def chance(by_day: Real, instants: Whole) -> Real:
            days = np.clip((bounds.receipt_cutoff - 1 - instants) // DAY, 0, len(by_day) - 1)
            return by_day[days]

        self.is_received = orders.received_at > 0
        survives = np.where(
            self.is_received,
            chance(chances.received, orders.received_at),
            chance(chances.pending, orders.paid_at) if now < bounds.receipt_cutoff else 0.0,
        )
        self.chance = np.where(orders.failed, 0.0, survives)
        self.open = orders.for_task & ~orders.failed
        self.pending = self.open & ~self.is_received
        self.pace = pace_of(facts)
        begin = max(now, bounds.task_from)
        self.days_left = facts.exposure(begin, bounds.task_until)
        self.month_left = facts.exposure(max(now, bounds.month_from), bounds.month_until)
        ahead = np.arange(begin, bounds.task_until, DAY // 4)
        self.coming = float(chance(chances.coming, ahead).mean()) if len(ahead) else 0.0
        # What all promoters have in common this month; a mean of 1.
        spread = self.pace.month_spread
        self.common = np.exp(spread * rng.standard_normal(DRAWS) - spread * spread / 2)
        self.mean_fen, self.variation = self._amounts()
        self.earned_each = self._earned_each()
        self.rank = self._rank()

    def _of_promoters(self, which: NDArray[np.bool_], amounts: Whole | Real | None = None) -> Real:
        orders = self.facts.present
        weights = None if amounts is None else amounts[which].astype(float)
        found: Real = np.bincount(orders.promoter[which], weights, self.people).astype(float)
        return found

    def _amounts(self) -> tuple[Real, float]:
        """A promoter's mean amount of an order after the cap, and by how much orders differ from their promoter's mean:
        the squared coefficient of variation."""
        orders = self.facts.present
        squares = self._of_promoters(orders.for_task, orders.capped_fen.astype(float) ** 2)
        number = self._of_promoters(orders.for_task) + sum(month.orders for month in self.facts.past)
        total = self._of_promoters(orders.for_task, orders.capped_fen)
        total = total + sum(month.capped_fen for month in self.facts.past)
        squares = squares + sum(month.squared_fen for month in self.facts.past)
        pooled = total.sum() / max(1.0, number.sum())
        mean = (total + 3 * pooled) / (number + 3)
        several = number >= 2
        within = (squares[several] - total[several] ** 2 / number[several]).sum()
        scale = ((number[several] - 1) * (total[several] / number[several]) ** 2).sum()
        return np.maximum(mean, 1.0), float(min(4.0, max(0.01, within / scale if scale > 0 else 0.5)))

    def _earned_each(self) -> Real:
        """By promoter and tier: what an order of the task's kinds brings in subsidy on average, drawn towards all."""
        orders = self.facts.present
        number = self._of_promoters(orders.for_task)
        earned = np.stack(
            [
                np.bincount(orders.promoter, orders.earned_fen[:, tier].astype(float), self.people)
                for tier in range(orders.earned_fen.shape[1])
            ],
            axis=1,
        )
        pooled = earned.sum(axis=0) / max(1.0, number.sum())
        each: Real = (earned + 3 * pooled) / (number[:, None] + 3)
        return each

    def _rank(self) -> Whole:
        """The place of each pending order among its promoter's, the largest first, from 0; of the others, -1."""
        orders = self.facts.present
        rank = np.full(len(orders.promoter), -1)
        at = np.flatnonzero(self.pending)
        by = at[np.lexsort((orders.paid_at[at], -orders.capped_fen[at], orders.promoter[at]))]
        starts = np.searchsorted(orders.promoter[by], np.arange(self.people))
        rank[by] = np.arange(len(by)) - starts[orders.promoter[by]]
        return rank

    def _needed(self) -> tuple[Whole, Whole]:
        """The smallest number of pending orders that suffices (0: none needed or all too few), and how many to name."""
        orders, roster = self.facts.present, self.facts.roster
        counted = self.open & self.is_received
        missing_fen = np.maximum(0, roster.target_gmv_fen - self._of_promoters(counted, orders.capped_fen))
        missing_orders = np.maximum(0, roster.target_orders - self._of_promoters(counted)).astype(np.int64)
        at = np.flatnonzero(self.pending)
        by = at[np.lexsort((self.rank[at], orders.promoter[at]))]
        promoter = orders.promoter[by]
        running = np.cumsum(orders.capped_fen[by])
        starts = np.searchsorted(promoter, np.arange(self.people))
        before = np.concatenate([[0], running])[starts]
        short = (running - before[promoter]) < missing_fen[promoter]
        number = np.bincount(promoter, minlength=self.people)
        by_gmv = np.bincount(promoter[short], minlength=self.people) + (missing_fen > 0)
        least = np.maximum(by_gmv, missing_orders)
        needed = np.where(least <= number, least, 0)
        return needed, np.where(needed > 0, needed, np.where(least > 0, np.minimum(3, number), 0))

    def run(self) -> Forecast:
        """All promoters, part by part."""
        orders, people = self.facts.present, self.people
        needed, nudge = self._needed()
        starts = np.searchsorted(orders.promoter, np.arange(people + 1))
        parts = []
        total_subsidy, total_passes = np.zeros(DRAWS), np.zeros(DRAWS)
        first = 0
        while first < people:
            most = starts[first] + _AT_ONCE // DRAWS
            until = min(people, first + 2000, max(first + 1, int(np.searchsorted(starts, most, "right")) - 1))
            part = self._part(first, until, starts, nudge)
            total_subsidy += part.pop("total_subsidy")
            total_passes += part.pop("total_passes")
            parts.append(part)
            first = until
        merged = {
            name: np.concatenate([part[name] for part in parts]) if parts else np.empty(0)
            for name in (parts[0] if parts else _NAMES)
        }
        counted, failed = self.open & self.is_received, orders.for_task & orders.failed

        def whole(which: NDArray[np.bool_], amounts: Whole | None = None) -> Whole:
            return self._of_promoters(which, amounts).astype(np.int64)

        def ranges(name: str) -> Ranges:
            low, high, middle = (
                np.rint(merged[f"{name}_{end}"]).astype(np.int64) for end in ("low", "high", "middle")
            )
            return Ranges(low, high, middle, merged[f"{name}_holds"])

        return Forecast(
            probability=merged["probability"],
            gmv_fen=ranges("gmv"),
            orders=ranges("orders"),
            subsidy_fen=ranges("subsidy"),
            expected_subsidy_fen=np.rint(merged["expected"]).astype(np.int64),
            counted_gmv_fen=whole(counted, orders.capped_fen),
            counted_orders=whole(counted),
            pending_gmv_fen=whole(self.pending, orders.capped_fen),
            pending_orders=whole(self.pending),
            failed_gmv_fen=whole(failed, orders.capped_fen),
            failed_orders=whole(failed),
            needed_orders=needed,
            nudge_orders=nudge,
            nudge_probability=merged["nudged"],
            committed_fen=self._committed(counted),
            total_subsidy_fen=total_subsidy,
            total_passes=total_passes,
        )

    def _committed(self, counted: NDArray[np.bool_]) -> Whole:
        """What who passes already has earned by now, at the tier that the counted orders reach."""
        orders, roster = self.facts.present, self.facts.roster
        gmv, number = self._of_promoters(counted, orders.capped_fen), self._of_promoters(counted)
        committed = np.zeros(self.people)
        for tier, rule in enumerate(self.terms.subsidy.tiers):
            earned = self._of_promoters(~orders.failed, orders.earned_fen[:, tier])
            reached = (gmv * 10_000 >= roster.target_gmv_fen * rule.at) & (
                number * 10_000 >= roster.target_orders * rule.at
            )
            committed = np.where(reached, earned, committed)
        cap = self.terms.subsidy.promoter_cap_fen
        return (committed if cap is None else np.minimum(committed, cap)).astype(np.int64)

    def _part(self, first: int, until: int, starts: Whole, nudge: Whole) -> dict[str, Real]:
        """The promoters from one place in the roster to another."""
        facts, orders = self.facts, self.facts.present
        span, people = slice(starts[first], starts[until]), slice(first, until)
        gmv, number, nudged_gmv, nudged_number = self._known(span, people, nudge)
        shape, scale = (each[people, None] for each in (self.pace.shape, self.pace.scale))
        pace = self.rng.gamma(shape, scale, (until - first, DRAWS)) * self.common
        came = self.rng.poisson(pace * self.days_left * self.coming)
        each_shape = 1 / self.variation
        amount = self.rng.gamma(came * each_shape, self.mean_fen[people, None] / each_shape)
        gmv, nudged_gmv = gmv + amount, nudged_gmv + amount
        number, nudged_number = number + came, nudged_number + came
        target_fen, target = (
            facts.roster.target_gmv_fen[people, None],
            facts.roster.target_orders[people, None],
        )
        subsidy = np.zeros_like(gmv)
        alive = np.where(orders.failed, 0.0, np.where(self.is_received, self.chance, 0.95))[span]
        later = pace * self.month_left * 0.95
        for tier, rule in enumerate(self.terms.subsidy.tiers):
            reached = (gmv * 10_000 >= target_fen * rule.at) & (number * 10_000 >= target * rule.at)
            known = np.bincount(
                orders.promoter[span] - first, alive * orders.earned_fen[span, tier], until - first
            )
            earned = known[:, None] + later * self.earned_each[people, tier, None]
            subsidy = np.where(reached, earned, subsidy)
        cap = self.terms.subsidy.promoter_cap_fen
        subsidy = subsidy if cap is None else np.minimum(subsidy, cap)
        passes = (gmv >= target_fen) & (number >= target)
        nudged = (nudged_gmv >= target_fen) & (nudged_number >= target)
        return {
            "probability": _share(passes),
            "nudged": np.maximum(_share(nudged), _share(passes)),
            "expected": subsidy.mean(axis=1),
            "total_subsidy": subsidy.sum(axis=0),
            "total_passes": passes.sum(axis=0).astype(float),
            **_middle_range("gmv", gmv),
            **_middle_range("orders", number.astype(float)),
            **_middle_range("subsidy", subsidy),
        }

    def _known(self, span: slice, people: slice, nudge: Whole) -> tuple[Real, Real, Real, Real]:
        """By promoter and draw: GMV and orders of the orders that are known; and the same once the nudged are in."""
        orders = self.facts.present
        at = np.flatnonzero(self.open[span]) + span.start
        owner = orders.promoter[at]
        counts = self.rng.random((len(at), DRAWS), np.float32) < self.chance[at, None]
        nudged = (self.rank[at] >= 0) & (self.rank[at] < nudge[owner])
        rows = people.stop - people.start
        gmv, number, more_gmv, more = (np.zeros((rows, DRAWS)) for _ in range(4))
        for into, which, values in (
            (number, np.ones(len(at), bool), None),
            (gmv, np.ones(len(at), bool), orders.capped_fen[at]),
            (more, nudged, None),
            (more_gmv, nudged, orders.capped_fen[at]),
        ):
            chosen = np.flatnonzero(which)
            if not len(chosen):
                continue
            drawn = counts[chosen] if into is number or into is gmv else ~counts[chosen]
            weighted = (
                drawn.astype(np.float32) if values is None else drawn * values[chosen, None].astype(float)
            )
            who, begins = np.unique(owner[chosen], return_index=True)
            into[who - people.start] = np.add.reduceat(weighted, begins, axis=0)
        return gmv, number, gmv + more_gmv, number + more


_NAMES = (
    "probability",
    "nudged",
    "expected",
    *(f"{name}_{end}" for name in ("gmv", "orders", "subsidy") for end in ("low", "high", "middle", "holds")),
)


def _share(passes: NDArray[np.bool_]) -> Real:
    """The share of draws, never quite 0 or 1: some hundred draws can't say never or always."""
    share: Real = (passes.sum(axis=1) + 0.25) / (passes.shape[1] + 0.5)
    return share


def _middle_range(name: str, drawn: Real) -> dict[str, Real]:
    """The range that leaves a tenth of the draws below and a tenth above, the median, and the share that it holds."""
    ordered = np.sort(drawn, axis=1)
    outside = drawn.shape[1] * (100 - RANGE_PERCENT) // 200
    low, high = ordered[:, outside], ordered[:, -outside - 1]
    return {
        f"{name}_low": low,
        f"{name}_high": high,
        f"{name}_middle": np.median(ordered, axis=1),
        f"{name}_holds": ((drawn >= low[:, None]) & (drawn <= high[:, None])).mean(axis=1),
    }
