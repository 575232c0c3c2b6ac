"""Making the forecast of an open period, and writing it into the books. With numpy: not for a request."""

import zlib
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, insert

from bounty.clock import shown
from bounty.errors import BountyError
from bounty.forecast.facts import Real, Whole, facts_of
from bounty.forecast.model import Forecast, forecast_of
from bounty.forecast.stored import drop_superseded
from bounty.ingest.unfinished import require_finished
from bounty.json_types import JsonObject
from bounty.models import PeriodForecast, PromoterForecast
from bounty.money import grouped_yuan
from bounty.notifications.outbox import MessageText, announce, notify_operators
from bounty.roster.terms import open_period, terms_in_force
from bounty.rules.periods import Period, programme_key

_AT_ONCE = 5_000
"""Rows of one INSERT."""


@dataclass(frozen=True, slots=True)
class MadeForecast:
    """A period's forecast, ready to be printed or stored."""

    period: Period
    as_of: int
    programme: dict[str, int]
    """The columns of ``forecasts``, but for period and score."""
    promoters: list[dict[str, int]]
    """The columns of ``promoter_forecasts``, but for period and as_of."""
    budget_fen: int | None

    def as_json(self, *, promoters: bool) -> JsonObject:
        """For the command."""
        content: JsonObject = {
            **programme_key(self.period),
            **self.programme,
            "period": self.period.name,
            "as_of": shown(self.as_of),
            "budget_fen": self.budget_fen,
        }
        if promoters:
            content["forecasts"] = self.promoters
        return content


def make_forecast(connection: Connection, period: Period, now: int) -> MadeForecast:
    """Forecast an open period from what is known now; nothing is written. The same facts give the same forecast.

    Raises BountyError if it is not open, has not begun, its receipt cutoff is over, or while a large file is not in
    whole.
    """
    bounds = open_period(connection, period)
    if not bounds.month_from <= now < bounds.receipt_cutoff:
        raise BountyError(
            f"{period} can be forecast from {shown(bounds.month_from)} until its receipt cutoff, "
            f"{shown(bounds.receipt_cutoff)}.",
            f"{period} 只能在 {shown(bounds.month_from)} 到收货截止 {shown(bounds.receipt_cutoff)} 之间预测。",
        )
    require_finished(connection)
    terms = terms_in_force(connection, period).terms
    seed = zlib.crc32(f"{period} {now}".encode())
    facts = facts_of(connection, period, terms, now)
    forecast = forecast_of(facts, terms, seed)
    return MadeForecast(
        period,
        now,
        _programme(forecast, now, seed, len(facts.past)),
        _promoters(facts.roster.promoter_ids, forecast),
        terms.subsidy.budget_fen,
    )


def _programme(forecast: Forecast, now: int, seed: int, months: int) -> dict[str, int]:
    subsidy, passes = forecast.total_subsidy_fen, forecast.total_passes

    def at(draws: Real | Whole, percent: int) -> int:
        return int(np.percentile(draws, percent))

    return {
        "as_of": now,
        "seed": seed,
        "promoters": len(forecast.probability),
        "history_months": months,
        "passes": round(float(passes.mean())),
        "passes_low": at(passes, 10),
        "passes_high": at(passes, 90),
        "committed_fen": int(forecast.committed_fen.sum()),
        "subsidy_fen": round(float(subsidy.mean())),
        "subsidy_low_fen": at(subsidy, 10),
        "subsidy_high_fen": at(subsidy, 90),
    }


def _promoters(promoter_ids: Whole, forecast: Forecast) -> list[dict[str, int]]:
    columns = {
        "promoter_id": promoter_ids,
        "probability_permille": np.rint(forecast.probability * 1000).astype(np.int64),
        "gmv_low_fen": forecast.gmv_fen.low,
        "gmv_fen": forecast.gmv_fen.middle,
        "gmv_high_fen": forecast.gmv_fen.high,
        "orders_low": forecast.orders.low,
        "orders": forecast.orders.middle,
        "orders_high": forecast.orders.high,
        "subsidy_low_fen": forecast.subsidy_fen.low,
        "subsidy_fen": forecast.expected_subsidy_fen,
        "subsidy_high_fen": forecast.subsidy_fen.high,
        "counted_gmv_fen": forecast.counted_gmv_fen,
        "counted_orders": forecast.counted_orders,
        "pending_gmv_fen": forecast.pending_gmv_fen,
        "pending_orders": forecast.pending_orders,
        "failed_gmv_fen": forecast.failed_gmv_fen,
        "failed_orders": forecast.failed_orders,
        "needed_orders": forecast.needed_orders,
        "nudge_orders": forecast.nudge_orders,
        "nudge_permille": np.rint(forecast.nudge_probability * 1000).astype(np.int64),
    }
    lists = [values.tolist() for values in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


def keep_forecast(connection: Connection, made: MadeForecast) -> None:
    """Write a forecast in the place of the one before, and tell operators once if it passes the budget."""
    drop_superseded(connection, made.period)
    connection.execute(insert(PeriodForecast).values(period=str(made.period), **made.programme))
    shared = {"period": str(made.period), "as_of": made.as_of}
    for first in range(0, len(made.promoters), _AT_ONCE):
        rows = made.promoters[first : first + _AT_ONCE]
        connection.execute(insert(PromoterForecast), [{**shared, **row} for row in rows])
    if made.budget_fen is not None and made.programme["subsidy_high_fen"] > made.budget_fen:
        _notify_of_budget(connection, made, made.budget_fen)


def _notify_of_budget(connection: Connection, made: MadeForecast, budget_fen: int) -> None:
    budget, high = grouped_yuan(budget_fen), grouped_yuan(made.programme["subsidy_high_fen"])
    low, expected = (grouped_yuan(made.programme[name]) for name in ("subsidy_low_fen", "subsidy_fen"))
    text = MessageText(
        (
            f"{made.period} 期补贴可能超出预算 {budget}",
            f"{made.period}: the subsidy may pass the budget of {budget}",
        ),
        zh=f"{made.period} 期补贴预计 {expected}，八成可能在 {low} 到 {high} 之间，上限已超过预算 {budget}。"
        "这只是提醒：补贴不会因此减少。",
        en=f"The subsidy of {made.period} is expected to be {expected}, with a chance of 80 % between {low} and "
        f"{high}: the upper end passes the budget of {budget}. This only tells: no subsidy is cut for it.",
        path=f"/operations/periods/{made.period}/forecast",
    )
    notify_operators(connection, "budget", str(made.period), text, made.as_of)
    names = ("subsidy_low_fen", "subsidy_fen", "subsidy_high_fen")
    event = {"period": str(made.period), "budget_fen": budget_fen} | {
        each: made.programme[each] for each in names
    }
    announce(connection, "budget", str(made.period), event, made.as_of)
