"""A pass that was taken back: which promoters of a period no longer pass, whatever they measure."""

from sqlalchemy import ColumnElement, SQLColumnExpression, exists, true

from bounty.models import PassVoidAnswer


def void_stands(
    promoter_id: SQLColumnExpression[int],
    period: SQLColumnExpression[str] | str,
    *,
    before: SQLColumnExpression[int] | int | None = None,
) -> ColumnElement[bool]:
    """Whether the pass of a promoter in a period is void: requested by one person, and approved by another.

    before   a settlement: whether it was void when that was made; null: now
    """
    answer = PassVoidAnswer
    known = () if before is None else (answer.as_of_settlement_id < before,)
    return exists().where(
        answer.promoter_id == promoter_id, answer.period == period, answer.approved.is_(true()), *known
    )
