"""Appeals with where they stand: a select each, for pages and tables alike."""

from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, select

from bounty.db import Query
from bounty.labels import LabelledCode
from bounty.models import Appeal, AppealAnswer, RosterEntry


class AppealState(LabelledCode):
    """Where an appeal stands; it follows from the last answer and the clock."""

    OPEN = "OPEN", "待答复", "waiting for an answer"
    OVERDUE = "OVERDUE", "已超时", "overdue"
    ASKED = "ASKED", "待推手补充", "waiting for the promoter"
    ACCEPTED = "ACCEPTED", "申诉成立", "accepted"
    DECLINED = "DECLINED", "已驳回", "declined"


WITH_OPERATIONS = (AppealState.OPEN.value, AppealState.OVERDUE.value)
"""In these it is operations' turn."""


class AppealRow(NamedTuple):
    """An appeal, and where it stands."""

    promoter_id: int
    appeal_id: int
    period: str
    order_sn: str | None
    """Null: it is about the result of the period."""
    words: str
    asked_at: int
    due_at: int
    name: str | None
    """The roster's."""
    state: str
    """One of AppealState."""
    answers: int
    answered_at: int | None


def appeals(now: int) -> Query:
    """Every appeal, as ``AppealRow``."""
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


def appeals_of_promoter(promoter_id: int, now: int) -> Query:
    """A promoter's appeals, as ``appeals`` has them."""
    return appeals(now).where(Appeal.promoter_id == promoter_id)


def with_operations(now: int) -> Select[int]:
    """How many appeals wait for an answer of operations."""
    of_appeal = appeals(now).subquery("appeal").c
    return select(func.count()).where(of_appeal.state.in_(WITH_OPERATIONS))


def _state(verdict: ColumnElement[str], now: int) -> ColumnElement[str]:
    overdue = case((literal(now) >= Appeal.due_at, literal("OVERDUE")), else_=literal("OPEN"))
    return case((verdict.in_(("ASKED", "ACCEPTED", "DECLINED")), verdict), else_=overdue)
