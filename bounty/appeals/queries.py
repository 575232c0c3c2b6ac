"""Appeals with where they stand: a select each, for pages and tables alike."""

from functools import cache
from typing import NamedTuple

from sqlalchemy import BindParameter, ColumnElement, Select, and_, bindparam, case, func, literal, select
from sqlalchemy.orm import aliased
from sqlalchemy.sql import SQLColumnExpression

from bounty.db import Query, WholeNumber, Words, written_out
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


def appeals(now: int | BindParameter[int]) -> Query:
    """Every appeal, as ``AppealRow``."""
    of_appeal = aliased(AppealAnswer)
    last_number = (
        select(func.max(of_appeal.number))
        .where(of_appeal.promoter_id == Appeal.promoter_id, of_appeal.appeal_id == Appeal.appeal_id)
        .correlate(Appeal)
        .scalar_subquery()
    )
    last = and_(
        AppealAnswer.promoter_id == Appeal.promoter_id,
        AppealAnswer.appeal_id == Appeal.appeal_id,
        AppealAnswer.number == last_number,
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
            _state(AppealAnswer.verdict, now).label("state"),
            func.coalesce(AppealAnswer.number, 0).label("answers"),
            AppealAnswer.answered_at,
        )
        .select_from(Appeal)
        .outerjoin(AppealAnswer, last)
        .outerjoin(RosterEntry, entry)
    )


def appeals_of_promoter(promoter_id: int, now: int) -> Query:
    """A promoter's appeals, as ``appeals`` has them."""
    return appeals(now).where(Appeal.promoter_id == promoter_id)


@cache  # to build it takes ten times as long as to run it
def appeals_about_one() -> Query:
    """A promoter's appeals about an order or about the result of a period, the newest first; parameters now,
    promoter_id, period and order_sn, which is null for the result."""
    about = (
        Appeal.promoter_id == bindparam("promoter_id", type_=WholeNumber),
        Appeal.period == bindparam("period", type_=Words()),
        Appeal.order_sn.is_not_distinct_from(bindparam("order_sn", type_=Words())),
    )
    every = appeals(bindparam("now", type_=WholeNumber))
    return written_out(every.where(*about).order_by(Appeal.appeal_id.desc()))


def with_operations(now: int) -> Select[int]:
    """How many appeals wait for an answer of operations."""
    of_appeal = appeals(now).subquery("appeal").c
    return select(func.count()).where(of_appeal.state.in_(WITH_OPERATIONS))


def _state(verdict: SQLColumnExpression[str], now: int | BindParameter[int]) -> ColumnElement[str]:
    overdue = case((Appeal.due_at <= now, literal("OVERDUE")), else_=literal("OPEN"))
    return case((verdict.in_(("ASKED", "ACCEPTED", "DECLINED")), verdict), else_=overdue)
