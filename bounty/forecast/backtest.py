"""How good the forecast is: past months replayed as they were known on certain days, and compared with their end."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import CTE, Connection, and_, select

from bounty.clock import midnight
from bounty.forecast.facts import ForecastFacts, Real, facts_of
from bounty.forecast.model import Forecast, forecast_of
from bounty.models import OpenPeriod
from bounty.orders.fold import folded
from bounty.progress.pace import TargetProgress, days_of
from bounty.roster.terms import terms_in_force
from bounty.rules.periods import Period
from bounty.rules.terms import MONTH
from bounty.settlement.queries import measured_roster

CHECKED_DAYS = (5, 10, 15, 20, 35)
"""Days of the month, at whose first instant it is replayed; 35 is the 5th of the next month."""
BINS = 10


def day_name(day: int) -> str:
    """A checked day for people.

    >>> day_name(5), day_name(35)
    ('the 5th', 'the 5th of the next month')
    """
    return f"the {day}th" if day <= 31 else f"the {day - 30}th of the next month"


def checked_at(period: Period, day: int) -> int:
    """The first instant of a checked day of a period."""
    if day > 31:
        return midnight(period.plus(1).day(day - 30))
    return midnight(period.day(day))


@dataclass(frozen=True, slots=True)
class DayScore:
    """How the forecasts of one day went, over the promoters of all months replayed."""

    day: int
    promoters: int
    """Eligible, with an order of the task's kinds in the months before, or in this month by then. What came later must
    not decide who is left out: otherwise ranges that begin at 0 would seem to fail."""
    brier: float
    """The mean squared error of the probabilities; 0 is perfect."""
    brier_pace: float
    """Of the pace line: 1 for who reaches the target at this pace, else 0."""
    brier_last_month: float
    """Of "as last month": 1 for who passed then, else 0."""
    ranges: int
    """GMV ranges that promise about 80 % (75 to 85)."""
    held: float
    """The share of these that held the outcome."""
    all_promised: float
    """What all ranges promise on average: more than 80 % where few orders are open."""
    all_held: float
    bins: list[tuple[float, float, int]]
    """The reliability table, by tenths of the probability: its mean, the share that passed, promoters."""

    def as_json(self) -> dict[str, Any]:
        """By name."""
        return {name: getattr(self, name) for name in self.__slots__}


def backtest(connection: Connection, periods: list[Period], seed: int) -> Iterator[DayScore]:
    """Replay months whose cutoff is over, each as known on the checked days; a score for each day."""
    ended = {str(period): _outcome(connection, period) for period in periods}
    before = {
        str(period): _outcome(connection, period.plus(-1)) if _is_open(connection, period.plus(-1)) else {}
        for period in periods
    }
    for day in CHECKED_DAYS:
        found = [_replayed(connection, period, day, seed, ended, before) for period in periods]
        yield _score(day, np.concatenate([each for each in found if len(each)] or [np.empty((0, 8))]))


def replayable(connection: Connection, now: int) -> list[Period]:
    """The open months whose receipt cutoff is over, oldest first; half-months are left out."""
    ended = select(OpenPeriod.period).where(OpenPeriod.receipt_cutoff <= now).order_by(OpenPeriod.month_from)
    periods = [Period.parse(text) for text in connection.execute(ended).scalars()]
    return [period for period in periods if period.cycle == MONTH]


def _is_open(connection: Connection, period: Period) -> bool:
    return (
        connection.execute(select(OpenPeriod.period).where(OpenPeriod.period == str(period))).first()
        is not None
    )


_Outcome = dict[int, tuple[int, int, bool]]


def _outcome(connection: Connection, period: Period) -> _Outcome:
    """By eligible promoter: GMV, orders, and whether the month was passed, on all that is known now."""
    terms = terms_in_force(connection, period).terms
    rows = connection.execute(measured_roster(period, terms))
    return {row.promoter_id: (row.gmv_fen, row.orders, row.rate_permille is not None) for row in rows}


def _replayed(
    connection: Connection,
    period: Period,
    day: int,
    seed: int,
    ended: dict[str, _Outcome],
    before: dict[str, _Outcome],
) -> Real:
    """A row for each active promoter: probability, pace, last month, passed, low, high, GMV, what the range holds."""
    terms = terms_in_force(connection, period).terms
    at = checked_at(period, day)

    def known(start: int, until: int) -> CTE:
        return folded(
            orders=lambda row: and_(row.paid_at >= start, row.paid_at < until),
            known=lambda row: row.modified_at < at,
        ).cte("orders")

    facts = facts_of(connection, period, terms, at, known)
    forecast = forecast_of(facts, terms, seed)
    outcome, last = ended[str(period)], before[str(period)]
    counted, pending = forecast.counted_gmv_fen, forecast.pending_gmv_fen
    sold_before = sum((month.orders for month in facts.past), np.zeros(len(facts.roster.promoter_ids)))
    rows = []
    for place, promoter_id in enumerate(facts.roster.promoter_ids.tolist()):
        gmv_fen, _, passed = outcome[promoter_id]
        seen = forecast.counted_orders[place] + forecast.pending_orders[place] + forecast.failed_orders[place]
        if not seen and not sold_before[place]:
            continue
        pace = _pace(facts, place, int(counted[place] + pending[place]), forecast, at)
        rows.append(
            (
                forecast.probability[place],
                pace,
                last.get(promoter_id, (0, 0, False))[2],
                passed,
                forecast.gmv_fen.low[place],
                forecast.gmv_fen.high[place],
                gmv_fen,
                forecast.gmv_fen.holds[place],
            )
        )
    return np.array(rows, float).reshape(-1, 8)


def _pace(facts: ForecastFacts, place: int, gmv_fen: int, forecast: Forecast, at: int) -> bool:
    """Whether the pace line of the task page leads to every target."""
    days = days_of(facts.bounds, at)
    orders = int(forecast.counted_orders[place] + forecast.pending_orders[place])
    targets = (
        (int(facts.roster.target_gmv_fen[place]), gmv_fen),
        (int(facts.roster.target_orders[place]), orders),
    )
    return all(TargetProgress(target, 0, sure, days).forecast >= target for target, sure in targets if target)


def _score(day: int, rows: Real) -> DayScore:
    probability, pace, last, passed, low, high, gmv, holds = rows.T
    inside = (low <= gmv) & (gmv <= high)
    promises: NDArray[np.bool_] = (holds >= 0.75) & (holds <= 0.85)

    def mean(values: Any) -> float:
        return float(np.mean(values)) if len(values) else 0.0

    tenth = np.minimum((probability * BINS).astype(int), BINS - 1)
    bins = [
        (mean(probability[tenth == at]), mean(passed[tenth == at]), int((tenth == at).sum()))
        for at in range(BINS)
        if (tenth == at).any()
    ]
    return DayScore(
        day=day,
        promoters=len(rows),
        brier=mean((probability - passed) ** 2),
        brier_pace=mean((pace - passed) ** 2),
        brier_last_month=mean((last - passed) ** 2),
        ranges=int(promises.sum()),
        held=mean(inside[promises]),
        all_promised=mean(holds),
        all_held=mean(inside),
        bins=bins,
    )
