"""What pages say of all promoters of a period at once, stored so that a page of many need not go through them."""

from dataclasses import asdict, dataclass

from sqlalchemy import Connection, func, select

from bounty import figures
from bounty.db import Query
from bounty.json_types import JsonObject
from bounty.notices.period_status import PeriodStatus
from bounty.notices.results_query import (
    Funnel,
    active_and_eligible,
    at_risk,
    funnel,
    further_short,
    results_query,
)
from bounty.rules.sql_math import count_where, sum_or_zero

FIRST = 101
"""Of a list by nearness, so many of the nearest are stored: more than a page shows."""


@dataclass(frozen=True, slots=True)
class PromoterCounts:
    """Of all promoters on the roster of a period, by its newest settlement or, before one, by the orders."""

    funnel: Funnel
    active: dict[str, int]
    """Of the active and eligible: how many (``every``), and how many are ``passed``, ``risk`` and ``short``."""
    subsidy_fen: int
    active_subsidy_fen: int
    """Of the active and eligible."""
    nearest: list[int]
    """The FIRST nearest to their target: their ids, the nearest first."""
    nearest_active: list[int]
    """The same of the active and eligible."""


def kept_counts(connection: Connection, stage: PeriodStatus, now: int) -> PromoterCounts | None:
    """What was stored of a period, if nothing has changed since; null where a page goes through the promoters itself:
    in small books, after a change, and while receipts count, when who is on pace depends on the moment."""
    if figures.books_are_small(connection) or awaits_receipts(stage, now):
        return None
    kept = figures.stored(connection, counts_subject(stage), figures.state_of_books(connection, now))
    if not kept.current:
        return None
    return PromoterCounts(**kept.content | {"funnel": Funnel(**kept.content["funnel"])})


def awaits_receipts(stage: PeriodStatus, now: int) -> bool:
    """Whether a period is judged by the orders as they are, and receipts still count."""
    return stage.newest is None and now < stage.bounds.receipt_cutoff


def counts_subject(stage: PeriodStatus) -> str:
    """The stored figure of a period's promoters."""
    return f"promoters {stage.period}"


def counts_content(connection: Connection, stage: PeriodStatus, now: int) -> JsonObject:
    """``PromoterCounts`` of a period as they are stored."""
    settlement_id = None if stage.newest is None else stage.newest.settlement_id
    every = results_query(stage.bounds, stage.terms, settlement_id)
    active = active_and_eligible(every)
    row = active.subquery("row").c
    counts = select(
        func.count().label("every"),
        count_where(row.passed == 1).label("passed"),
        count_where(at_risk(row)).label("risk"),
        count_where(further_short(row)).label("short"),
    )
    sums = [select(sum_or_zero(rows.subquery("row").c.subsidy_fen)) for rows in (every, active)]
    subsidy_fen, active_subsidy_fen = (connection.execute(each).scalar_one() for each in sums)
    return {
        "funnel": asdict(funnel(connection, stage.bounds, stage.terms, settlement_id, now)),
        "active": dict(connection.execute(counts).mappings().one()),
        "subsidy_fen": subsidy_fen,
        "active_subsidy_fen": active_subsidy_fen,
        "nearest": _nearest(connection, every),
        "nearest_active": _nearest(connection, active),
    }


def _nearest(connection: Connection, results: Query) -> list[int]:
    row = results.subquery("row").c
    order = (func.coalesce(row.nearness, -(2**62)).desc(), row.promoter_id.desc())
    return list(connection.execute(select(row.promoter_id).order_by(*order).limit(FIRST)).scalars())


def among(results: Query, promoter_ids: list[int]) -> Query:
    """Of results, as ``results_query`` gives them, those of these promoters."""
    row = results.subquery("row")
    return select(row).where(row.c.promoter_id.in_(promoter_ids))
