"""Forecasts as they are kept: written by the worker, read by pages; and how good they have been."""

from typing import Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    FromClause,
    and_,
    case,
    cast,
    delete,
    func,
    select,
    true,
    update,
)

from bounty.clock import shanghai_date
from bounty.db import Condition, Query, QueryRow, fetch_all, fetch_first, row_where
from bounty.figures import list_content
from bounty.json_types import JsonObject
from bounty.models import Notice, OpenPeriod, PeriodForecast, PromoterForecast, Result, RosterEntry
from bounty.rules.periods import Period

KEPT_DAYS = (5, 10, 15, 20)
"""Of the month and of the next: the forecasts of these days are stored, to be compared with the published result."""

REACH_PERMILLE = 200
"""From this probability on, who lacks orders even with all pending ones received is within reach."""


def _missing(rows: FromClause, *, with_pending: bool) -> ColumnElement[bool]:
    """Whether a target is missed by what counts, and by pending orders too."""
    gmv = rows.c.counted_gmv_fen + (rows.c.pending_gmv_fen if with_pending else 0)
    orders = rows.c.counted_orders + (rows.c.pending_orders if with_pending else 0)
    return (gmv < rows.c.target_gmv_fen) | (orders < rows.c.target_orders)


GROUPS_OF_PROMOTERS: Final[dict[str, Condition]] = {
    "group=receipts": lambda rows: and_(
        _missing(rows, with_pending=False), ~_missing(rows, with_pending=True)
    ),
    "group=reach": lambda rows: and_(
        _missing(rows, with_pending=True), rows.c.probability_permille >= REACH_PERMILLE
    ),
    "group=refunds": lambda rows: and_(
        _missing(rows, with_pending=False),
        rows.c.counted_gmv_fen + rows.c.failed_gmv_fen >= rows.c.target_gmv_fen,
        rows.c.counted_orders + rows.c.failed_orders >= rows.c.target_orders,
    ),
}
"""What forecasts can be filtered by: ``filter=option`` -> condition on the rows of ``forecasts_with_targets``."""


class PeriodForecastRow(NamedTuple):
    """A row of ``forecasts``."""

    period: str
    as_of: int
    seed: int
    promoters: int
    history_months: int
    passes: int
    passes_low: int
    passes_high: int
    committed_fen: int
    subsidy_fen: int
    subsidy_low_fen: int
    subsidy_high_fen: int
    scored_promoters: int | None
    brier_millionths: int | None
    ranges_held: int | None


class PromoterForecastRow(NamedTuple):
    """A row of ``promoter_forecasts``."""

    promoter_id: int
    period: str
    as_of: int
    probability_permille: int
    gmv_low_fen: int
    gmv_fen: int
    gmv_high_fen: int
    orders_low: int
    orders: int
    orders_high: int
    subsidy_low_fen: int
    subsidy_fen: int
    subsidy_high_fen: int
    counted_gmv_fen: int
    counted_orders: int
    pending_gmv_fen: int
    pending_orders: int
    failed_gmv_fen: int
    failed_orders: int
    needed_orders: int
    nudge_orders: int
    nudge_permille: int


def newest_forecast(connection: Connection, period: Period) -> PeriodForecastRow | None:
    """The newest forecast of a period; null where there is none yet."""
    forecast = PeriodForecast.__table__
    of_period = select(forecast).where(forecast.c.period == str(period))
    return fetch_first(connection, of_period.order_by(forecast.c.as_of.desc()).limit(1), PeriodForecastRow)


def promoter_forecast(connection: Connection, period: Period, promoter_id: int) -> PromoterForecastRow | None:
    """The newest forecast of one promoter; null where there is none yet."""
    forecast = PromoterForecast.__table__
    query = (
        select(forecast)
        .where(forecast.c.promoter_id == promoter_id, forecast.c.period == str(period))
        .order_by(forecast.c.as_of.desc())
        .limit(1)
    )
    return fetch_first(connection, query, PromoterForecastRow)


def scores(connection: Connection, period: Period) -> list[PeriodForecastRow]:
    """The forecasts that were compared with a notice, of this period and those before it in its programme, the newest
    first."""
    forecast = PeriodForecast.__table__.c
    query = (
        select(PeriodForecast.__table__)
        .where(forecast.scored_promoters > 0)
        .order_by(forecast.as_of.desc())
        .limit(200)
    )
    rows = fetch_all(connection, query, PeriodForecastRow)
    return [row for row in rows if Period.parse(row.period).programme == period.programme][:20]


def drop_superseded(connection: Connection, period: Period) -> None:
    """Delete the forecasts of a period that are not of a kept day; one a day is kept of these."""
    forecast = PeriodForecast.__table__.c
    instants = (
        connection.execute(select(forecast.as_of).where(forecast.period == str(period))).scalars().all()
    )
    newest: dict[str, int] = {}
    for as_of in sorted(instants):
        day = shanghai_date(as_of)
        if day.day in KEPT_DAYS:
            newest[day.isoformat()] = as_of
    gone = sorted(set(instants) - set(newest.values()))
    for table in (PromoterForecast, PeriodForecast):
        connection.execute(delete(table).where(table.period == str(period), table.as_of.in_(gone)))


def score_published(connection: Connection) -> int:
    """Hold the kept forecasts of published periods against the newest notice; how many forecasts were scored."""
    forecast, result = PromoterForecast.__table__.c, Result.__table__.c
    unscored = (
        select(PeriodForecast.period, func.max(Notice.notice).label("notice"))
        .join(Notice, Notice.period == PeriodForecast.period)
        .where(PeriodForecast.scored_promoters.is_(None))
        .group_by(PeriodForecast.period)
    )
    scored = 0
    for period, notice in connection.execute(unscored).all():
        settlement_id = connection.execute(
            select(Notice.settlement_id).where(Notice.period == period, Notice.notice == notice)
        ).scalar_one()
        passed = case((result.passed.is_(true()), 1.0), else_=0.0)
        error = cast(forecast.probability_permille, Float) / 1000.0 - passed
        held = and_(forecast.gmv_low_fen <= result.gmv_fen, result.gmv_fen <= forecast.gmv_high_fen)
        sums = (
            select(
                forecast.as_of,
                func.count().label("promoters"),
                func.sum(error * error).label("squares"),
                func.sum(case((held, 1), else_=0)).label("held"),
            )
            .join(Result, result.promoter_id == forecast.promoter_id)
            # Of whom nothing was expected there is nothing to hold; what came of it must not decide who counts.
            .where(
                forecast.period == period,
                result.settlement_id == settlement_id,
                result.gmv_fen.is_not(None),
                forecast.gmv_high_fen > 0,
            )
            .group_by(forecast.as_of)
        )
        for row in connection.execute(sums).all():
            connection.execute(
                update(PeriodForecast)
                .where(PeriodForecast.period == period, PeriodForecast.as_of == row.as_of)
                .values(
                    scored_promoters=row.promoters,
                    brier_millionths=round(row.squares / row.promoters * 1_000_000),
                    ranges_held=int(row.held),
                )
            )
            scored += 1
    return scored


def forecasts_with_targets(period: Period, as_of: int) -> Query:
    """The promoters' forecasts of one instant: columns as of ``PromoterForecast`` but for period and as_of; name,
    target_gmv_fen and target_orders of the roster, 0 for no such target."""
    forecast = PromoterForecast.__table__.c
    entry = and_(RosterEntry.promoter_id == forecast.promoter_id, RosterEntry.period == forecast.period)
    return (
        select(
            *(column for column in forecast if column.name not in ("period", "as_of")),
            RosterEntry.name,
            func.coalesce(RosterEntry.target_gmv_fen, 0).label("target_gmv_fen"),
            func.coalesce(RosterEntry.target_orders, 0).label("target_orders"),
        )
        .join(RosterEntry, entry)
        .where(forecast.period == str(period), forecast.as_of == as_of)
    )


def forecast_subject(period: Period) -> str:
    """The stored figure of the promoters in a period's newest forecast."""
    return f"forecast {period}"


def forecast_content(connection: Connection, period: Period, as_of: int) -> JsonObject:
    """The promoters' forecasts of one instant by each group, as they are stored."""
    rows, summed = forecasts_with_targets(period, as_of), ("subsidy_fen",)
    return list_content(connection, rows, "promoter_id", "-probability_permille", GROUPS_OF_PROMOTERS, summed)


def forecast_with_target(
    connection: Connection, period: Period, as_of: int, promoter_id: int
) -> QueryRow | None:
    """One promoter's, as ``forecasts_with_targets`` has it; null where there is none."""
    return row_where(connection, forecasts_with_targets(period, as_of), promoter_id=promoter_id)


def open_for_forecast(connection: Connection, now: int) -> list[Period]:
    """The open periods whose receipt cutoff is still to come, and that have begun."""
    periods = select(OpenPeriod.period).where(OpenPeriod.receipt_cutoff > now, OpenPeriod.month_from <= now)
    return [Period.parse(text) for text in connection.execute(periods.order_by(OpenPeriod.period)).scalars()]
