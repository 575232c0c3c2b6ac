"""What everybody may see: which notices there are, and of each its counts, its sums and, by masked ids, who passed."""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    select,
    true,
    type_coerce,
)

from bounty import figures
from bounty.db import Query, WholeNumber, fetch_all, written
from bounty.models import Result, RosterEntry
from bounty.notices.period_summaries import PeriodState, open_periods, state_of
from bounty.notices.service import NoticeRow, notices
from bounty.roster.terms import PeriodRow
from bounty.rules.periods import Period
from bounty.rules.sql_math import by_bytes, count_where, sum_or_zero
from bounty.settlement.period_lock import closed_periods


@dataclass(frozen=True, slots=True)
class PublicPeriod:
    """An open period as the public sees it."""

    period: str
    state: PeriodState
    """A draft is not shown."""
    bounds: PeriodRow
    notices: list[NoticeRow]
    """The newest first."""
    passed: int | None
    """In the newest; null where there is none."""


def public_periods(connection: Connection, now: int) -> list[PublicPeriod]:
    """Every open period with its notices, the newest first."""
    by_period: dict[str, list[NoticeRow]] = {}
    for row in notices(connection):
        by_period.setdefault(row.period, []).append(row)
    newest = [rows[0].settlement_id for rows in by_period.values()]
    passed: dict[int, int] = dict(
        connection.execute(
            select(Result.settlement_id, count_where(Result.passed.is_(true())))
            .where(Result.settlement_id.in_(newest))
            .group_by(Result.settlement_id)
        ).all()
    )
    closed = closed_periods(connection)
    return [
        PublicPeriod(
            bounds.period,
            state_of(bounds, None, by_period.get(bounds.period, []), now, closed=bounds.period in closed),
            bounds,
            by_period.get(bounds.period, []),
            passed[by_period[bounds.period][0].settlement_id] if bounds.period in by_period else None,
        )
        for bounds in open_periods(connection)
    ]


class LevelTotals(NamedTuple):
    """What the promoters of one level come to in a settlement."""

    level: str
    """Blank where the level is not known."""
    on_roster: int
    eligible: int
    passed: int
    orders: int
    """That counted, as the GMV."""
    gmv_fen: int
    subsidy_orders: int
    subsidy_fen: int


def counts_by_level(
    connection: Connection, settlement_id: int, period: Period, now: int
) -> list[LevelTotals]:
    """The totals of a settlement per level."""
    totals = partial(levels_content, connection, settlement_id, period)
    found = figures.as_of_now(connection, levels_subject(settlement_id), now, totals)
    return [LevelTotals(*each) for each in found]


def levels_subject(settlement_id: int) -> str:
    """The stored figure of a settlement's totals per level."""
    return f"levels {settlement_id}"


def levels_content(connection: Connection, settlement_id: int, period: Period) -> list[list[str | int]]:
    """The totals of a settlement per level, as they are stored."""
    level, column = func.coalesce(RosterEntry.level, ""), Result.__table__.c
    query = (
        select(
            level.label("level"),
            func.count().label("on_roster"),
            count_where(RosterEntry.reason.is_(None)).label("eligible"),
            count_where(Result.passed.is_(true())).label("passed"),
            sum_or_zero(column.orders).label("orders"),
            sum_or_zero(column.gmv_fen).label("gmv_fen"),
            sum_or_zero(column.subsidy_orders).label("subsidy_orders"),
            sum_or_zero(column.subsidy_fen).label("subsidy_fen"),
        )
        .select_from(Result)
        .join(RosterEntry, _of_roster(period))
        .where(Result.settlement_id == settlement_id)
        .group_by(level)
        .order_by(level)
    )
    return [list(each) for each in fetch_all(connection, query, LevelTotals)]


def passed_of(settlement_id: int, period: Period, first: int | None = None) -> Query:
    """Who passed: place (1, 2, ... by id), masked_id, level, rate_permille. No column has more of an id than that.

    first   only the first so many: a page need not give everybody a place to show those
    """
    passed = (
        select(Result.promoter_id, Result.rate_permille)
        .where(Result.settlement_id == settlement_id, Result.passed.is_(true()))
        .order_by(Result.promoter_id)
        .limit(None if first is None else written(first))
        .subquery("passed")
        .c
    )
    entry = and_(RosterEntry.promoter_id == passed.promoter_id, RosterEntry.period == str(period))
    return select(
        type_coerce(func.row_number().over(order_by=passed.promoter_id), WholeNumber).label("place"),
        _masked_in_sql(cast(passed.promoter_id, Text)).label("masked_id"),
        RosterEntry.level,
        passed.rate_permille,
    ).join_from(passed.promoter_id.table, RosterEntry, entry)


def masked(promoter_id: str) -> str:
    """An id by which its owner knows it, and nobody else.

    >>> masked("1000939"), masked("1234")
    ('10***39', '***4')
    """
    return f"{promoter_id[:2]}***{promoter_id[-2:]}" if len(promoter_id) >= 6 else f"***{promoter_id[-1:]}"


def _masked_in_sql(digits: ColumnElement[str]) -> ColumnElement[str]:
    long = func.length(digits) >= 6
    head = case((long, func.substr(digits, 1, 2)), else_=literal(""))
    tail = case(
        (long, func.substr(digits, func.length(digits) - 1, 2)),
        else_=func.substr(digits, func.length(digits), 1),
    )
    return by_bytes(head.concat(literal("***")).concat(tail))


def _of_roster(period: Period) -> ColumnElement[bool]:
    return and_(RosterEntry.promoter_id == Result.promoter_id, RosterEntry.period == str(period))
