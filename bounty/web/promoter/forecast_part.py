"""The part of the task page that looks ahead: the promoter's own odds, and a payout that is under review."""

from typing import Any

from sqlalchemy import Connection

from bounty.forecast.stored import promoter_forecast
from bounty.progress.history import PromoterMonth
from bounty.tranches.holds import holds_of


def forecast_part(
    connection: Connection, month: PromoterMonth, promoter_id: int, now: int
) -> tuple[Any | None, list[Any]]:
    """The newest forecast of a month whose cutoff is still to come, or null; and the holds that are not released."""
    forecast = None
    if month.reason is None and now < month.bounds.receipt_cutoff:
        forecast = promoter_forecast(connection, month.period, promoter_id)
    holds = connection.execute(holds_of(month.period, promoter_id)).all()
    return forecast, [hold for hold in holds if hold.released_at is None]
