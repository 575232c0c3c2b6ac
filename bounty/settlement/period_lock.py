"""Which periods are closed: nothing of them is settled, published or voided until two people have reopened them."""

from sqlalchemy import Connection, and_, func, select

from bounty.errors import BountyError
from bounty.models import PeriodClosing
from bounty.rules.periods import Period

REOPENED = "REOPENED"
"""The one act after which a period is open; a request alone leaves it closed."""


def closed_periods(connection: Connection) -> set[str]:
    """The periods that are closed now."""
    newest = (
        select(PeriodClosing.period, func.max(PeriodClosing.number).label("number"))
        .group_by(PeriodClosing.period)
        .subquery("newest")
        .c
    )
    last_acts = select(PeriodClosing.period).join(
        newest.number.table,
        and_(newest.period == PeriodClosing.period, newest.number == PeriodClosing.number),
    )
    return set(connection.execute(last_acts.where(PeriodClosing.act != REOPENED)).scalars())


def require_not_closed(connection: Connection, period: Period) -> None:
    """Raises BountyError where a period is closed."""
    if str(period) in closed_periods(connection):
        raise BountyError(
            f"{period} is closed: reopen it first (`bounty payout reopen {period}`; it takes two people).",
            f"{period} 期已关账：请先由两人重新打开。",
        )
