"""The part of the task page that looks ahead: the promoter's own odds, and a payout that is under review."""

from sqlalchemy import Connection

from bounty.db import fetch_all
from bounty.forecast.stored import PromoterForecastRow, promoter_forecast
from bounty.progress.history import PromoterMonth
from bounty.tranches.holds import HoldRow, holds_of_promoter


def forecast_part(
    connection: Connection, month: PromoterMonth, promoter_id: int, now: int
) -> tuple[PromoterForecastRow | None, list[HoldRow]]:
    """The newest forecast of a month whose cutoff is still to come, or null; and the holds that are not released."""
    forecast = None
    if month.reason is None and now < month.bounds.receipt_cutoff:
        forecast = promoter_forecast(connection, month.period, promoter_id)
    asked = {"period": str(month.period), "promoter_id": promoter_id}
    holds = fetch_all(connection, holds_of_promoter(), HoldRow, asked)
    return forecast, [hold for hold in holds if hold.released_at is None]
