"""What pages say of all promoters of a period at once, stored so that a page of many need not go through them."""

from dataclasses import asdict, dataclass
from functools import partial
from typing import Final

from sqlalchemy import Connection, and_

from bounty import figures
from bounty.db import Condition, equal
from bounty.figures import ListFigure, list_content
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

RESULTS: Final[dict[str, Condition]] = {
    "result=passed": equal("passed", 1),
    "result=risk": lambda rows: at_risk(rows.c),
    "result=short": lambda rows: further_short(rows.c),
    "result=ineligible": lambda rows: rows.c.reason.is_not(None),
    "result=eligible": lambda rows: rows.c.reason.is_(None),
    "active=yes": equal("active", 1),
    "active=no": equal("active", 0),
    "change=any": equal("changed", 1),
    "change=gained": lambda rows: and_(rows.c.changed == 1, rows.c.passed == 1, rows.c.was_passed == 0),
    "change=lost": lambda rows: and_(rows.c.passed == 0, rows.c.was_passed == 1),
}
"""What promoters can be filtered by: ``filter=option`` -> condition on the rows of ``results_query``."""


@dataclass(frozen=True, slots=True)
class PromoterCounts:
    """All promoters on the roster of a period, by its newest settlement or, before one, by the orders."""

    funnel: Funnel
    every: dict[str, ListFigure]
    """The nearest to their target first, with the sum of ``subsidy_fen``; also by each of RESULTS and by level."""
    active: dict[str, ListFigure]
    """The same of the active and eligible."""


def kept_counts(connection: Connection, stage: PeriodStatus, now: int) -> PromoterCounts | None:
    """What was stored of a period, if nothing has changed since; null where a page goes through the promoters itself:
    in small books, after a change, and while receipts count, when who is on pace depends on the moment."""
    if awaits_receipts(stage, now):
        return None
    content = figures.current(connection, counts_subject(stage), now)
    if content is None:
        return None
    lists = (figures.lists_in(content[name]) for name in ("every", "active"))
    return PromoterCounts(Funnel(**content["funnel"]), *lists)


def awaits_receipts(stage: PeriodStatus, now: int) -> bool:
    """Whether a period is judged by the orders as they are, and receipts still count."""
    return stage.newest is None and now < stage.bounds.receipt_cutoff


def counts_subject(stage: PeriodStatus) -> str:
    """The stored figure of a period's promoters."""
    return f"results {stage.period}"


def counts_content(connection: Connection, stage: PeriodStatus, now: int) -> JsonObject:
    """``PromoterCounts`` of a period as they are stored."""
    newest, before = (None if each is None else each.settlement_id for each in (stage.newest, stage.before))
    every = results_query(stage.bounds, stage.terms, newest, before)
    filters = RESULTS | {f"level={level}": equal("level", level) for level in stage.terms.levels}
    nearest = partial(
        list_content,
        connection,
        key="promoter_id",
        order="-nearness",
        filters=filters,
        summed=("subsidy_fen",),
    )
    return {
        "funnel": asdict(funnel(connection, stage.bounds, stage.terms, newest, now)),
        "every": nearest(every),
        "active": nearest(active_and_eligible(every)),
    }
