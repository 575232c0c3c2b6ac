"""How the last published months went: who passed, the subsidies, and the subsidies' share of the counted GMV."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, func, select, true

from bounty.models import Notice, OpenPeriod, Result, Settlement
from bounty.rules.periods import Period
from bounty.rules.sql_math import count_where, sum_or_zero

MONTHS: Final = 6


@dataclass(frozen=True, slots=True)
class TrendMonth:
    """A period by its newest notice."""

    period: Period
    passed: int
    subsidy_fen: int
    gmv_fen: int
    """The counted GMV of all who were eligible."""

    @property
    def permille(self) -> int:
        """Subsidy in thousandths of the GMV, rounded down; 0 without GMV."""
        return self.subsidy_fen * 1000 // self.gmv_fen if self.gmv_fen else 0


def trend(connection: Connection, programme: str) -> list[TrendMonth]:
    """The last six published periods of a programme, oldest first."""
    newest = (
        select(Notice.period, func.max(Notice.notice).label("notice"))
        .group_by(Notice.period)
        .subquery("newest")
    )
    rows = connection.execute(
        select(Notice.period, Notice.settlement_id, Settlement.subsidy_fen)
        .join(newest, (newest.c.period == Notice.period) & (newest.c.notice == Notice.notice))
        .join(Settlement, Settlement.settlement_id == Notice.settlement_id)
        .join(OpenPeriod, OpenPeriod.period == Notice.period)
        .order_by(OpenPeriod.month_from.desc())
    )
    found = [row for row in rows if Period.parse(row.period).programme == programme][:MONTHS]
    sums = {
        row.settlement_id: row
        for row in connection.execute(
            select(
                Result.settlement_id,
                count_where(Result.passed.is_(true())).label("passed"),
                sum_or_zero(Result.__table__.c.gmv_fen).label("gmv_fen"),
            )
            .where(Result.settlement_id.in_([row.settlement_id for row in found]))
            .group_by(Result.settlement_id)
        )
    }
    return [
        TrendMonth(Period.parse(row.period), totals.passed, row.subsidy_fen, totals.gmv_fen)
        for row in reversed(found)
        if (totals := sums.get(row.settlement_id)) is not None
    ]
