"""The status of a period: its state, its settlements and notices, who approved; computed, and stored nowhere."""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from bounty.db import fetch_all, fetch_first
from bounty.errors import BountyError
from bounty.models import OpenPeriod
from bounty.notices.period_summaries import PeriodState, is_draft, state_of
from bounty.notices.service import NoticeRow, notices
from bounty.roster.terms import PeriodRow, frozen_terms
from bounty.rules.periods import Period
from bounty.rules.terms import Terms
from bounty.settlement.approval import AccountApproval, approvals_needed, approvals_of
from bounty.settlement.period_lock import closed_periods
from bounty.settlement.service import SettlementRow, settlements_of


@dataclass(frozen=True, slots=True)
class PeriodStatus:
    """One open period, as of now."""

    period: Period
    state: PeriodState
    bounds: PeriodRow
    terms: Terms
    settlements: list[SettlementRow]
    """The newest first."""
    notices: list[NoticeRow]
    """The newest first."""
    approvals: list[AccountApproval]
    """Of the draft."""

    @property
    def newest(self) -> SettlementRow | None:
        """The newest settlement, published or not; null where there is none."""
        return self.settlements[0] if self.settlements else None

    @property
    def before(self) -> SettlementRow | None:
        """The settlement before the newest."""
        return self.settlements[1] if len(self.settlements) > 1 else None

    @property
    def draft(self) -> SettlementRow | None:
        """The newest settlement, unless it is published or has the content of the newest notice."""
        return self.newest if is_draft(self.newest, self.notices) else None

    @property
    def approvals_missing(self) -> int:
        """How many more accounts the draft needs; 0 without a draft."""
        return (
            0
            if self.draft is None
            else max(0, approvals_needed(self.draft.prepared_by_id) - len(self.approvals))
        )

    @property
    def number_of(self) -> dict[int, int]:
        """Settlement -> its notice's number."""
        return {row.settlement_id: row.notice for row in self.notices}


def period_status(connection: Connection, period: Period, now: int) -> PeriodStatus:
    """The status of a period.

    Raises BountyError if it is not open.
    """
    bounds = fetch_first(
        connection, select(OpenPeriod.__table__).where(OpenPeriod.period == str(period)), PeriodRow
    )
    terms = frozen_terms(connection, period)
    if bounds is None or terms is None:
        raise BountyError(
            f"{period} is not open: freeze its roster with `bounty open {period}`.",
            f"{period} 期还没有开期：先用 `bounty open {period}` 冻结名单。",
        )
    settlements = fetch_all(connection, settlements_of(period), SettlementRow)
    published = notices(connection, period)
    newest = settlements[0] if settlements else None
    approvals = [] if newest is None else approvals_of(connection, newest)
    approved = newest is not None and len(approvals) >= approvals_needed(newest.prepared_by_id)
    return PeriodStatus(
        period=period,
        state=state_of(
            bounds,
            newest,
            published,
            now,
            approved=approved,
            closed=str(period) in closed_periods(connection),
        ),
        bounds=bounds,
        terms=terms,
        settlements=settlements,
        notices=published,
        approvals=approvals,
    )
