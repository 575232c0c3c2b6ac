"""Appeals with where they stand: a select each, for pages and tables alike."""

from sqlalchemy import ColumnElement, and_, case, func, literal, select

from bounty.db import Query
from bounty.models import Appeal, AppealAnswer, RosterEntry

STATES = {
    "OPEN": ("待答复", "waiting for an answer"),
    "OVERDUE": ("已超时", "overdue"),
    "ASKED": ("待推手补充", "waiting for the promoter"),
    "ACCEPTED": ("已支持", "accepted"),
    "DECLINED": ("已驳回", "declined"),
}
"""State -> its name in Chinese and English. It follows from the last answer and the clock."""
WITH_OPERATIONS = ("OPEN", "OVERDUE")
"""In these it is operations' turn."""


def appeals(now: int) -> Query:
    """Every appeal: its columns, name (the roster's), state (a key of STATES), answers (how many) and answered_at."""
    last = (
        select(
            AppealAnswer.promoter_id,
            AppealAnswer.appeal_id,
            AppealAnswer.number,
            AppealAnswer.verdict,
            AppealAnswer.answered_at,
            func.row_number()
            .over(
                partition_by=(AppealAnswer.promoter_id, AppealAnswer.appeal_id),
                order_by=AppealAnswer.number.desc(),
            )
            .label("rank"),
        )
    ).subquery("last")
    of_appeal = and_(
        last.c.promoter_id == Appeal.promoter_id, last.c.appeal_id == Appeal.appeal_id, last.c.rank == 1
    )
    entry = and_(RosterEntry.promoter_id == Appeal.promoter_id, RosterEntry.period == Appeal.period)
    return (
        select(
            Appeal.promoter_id,
            Appeal.appeal_id,
            Appeal.period,
            Appeal.order_sn,
            Appeal.words,
            Appeal.asked_at,
            Appeal.due_at,
            RosterEntry.name,
            _state(last.c.verdict, now).label("state"),
            func.coalesce(last.c.number, 0).label("answers"),
            last.c.answered_at,
        )
        .outerjoin(last, of_appeal)
        .outerjoin(RosterEntry, entry)
    )


def _state(verdict: ColumnElement[str], now: int) -> ColumnElement[str]:
    overdue = case((literal(now) >= Appeal.due_at, literal("OVERDUE")), else_=literal("OPEN"))
    return case((verdict.in_(("ASKED", "ACCEPTED", "DECLINED")), verdict), else_=overdue)
