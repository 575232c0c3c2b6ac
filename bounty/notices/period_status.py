"""The status of a period: its state, its settlements and notices, who approved; computed, and stored nowhere."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from bounty.errors import BountyError
from bounty.models import OpenPeriod, Settlement, TermsVersion
from bounty.notices.period_summaries import is_draft, state_of
from bounty.notices.service import notices
from bounty.rules.periods import Period
from bounty.rules.terms import Terms, read_terms
from bounty.settlement.approval import approvals_needed, approvals_of
from bounty.settlement.period_lock import closed_periods


@dataclass(frozen=True, slots=True)
class PeriodStatus:
    """One open period, as of now."""

    period: Period
    state: str
    """A key of ``overview.STATES``."""
    bounds: Any
    """The columns of ``periods``."""
    terms: Terms
    settlements: list[Any]
    """Rows of ``settlements``, the newest first."""
    notices: list[Any]
    """With their settlements' facts, the newest first."""
    approvals: list[Any]
    """Of the draft; see ``approval.approvals_of``."""

    @property
    def newest(self) -> Any | None:
        """The newest settlement, published or not; null where there is none."""
        return self.settlements[0] if self.settlements else None

    @property
    def before(self) -> Any | None:
        """The settlement before the newest."""
        return self.settlements[1] if len(self.settlements) > 1 else None

    @property
    def draft(self) -> Any | None:
        """The newest settlement, unless it is published or has the content of the newest notice."""
        return self.newest if is_draft(self.newest, self.notices) else None

    @property
    def approvals_missing(self) -> int:
        """How many more accounts the draft needs; 0 without a draft."""
        return 0 if self.draft is None else max(0, approvals_needed(self.draft) - len(self.approvals))

    @property
    def number_of(self) -> dict[int, int]:
        """Settlement -> its notice's number."""
        return {row.settlement_id: row.notice for row in self.notices}


def period_status(connection: Connection, period: Period, now: int) -> PeriodStatus:
    """The status of a period.

    Raises BountyError if it is not open.
    """
    bounds = connection.execute(
        select(OpenPeriod.__table__, TermsVersion.toml)
        .join(TermsVersion, TermsVersion.terms_id == OpenPeriod.terms_id)
        .where(OpenPeriod.period == str(period))
    ).first()
    if bounds is None:
        raise BountyError(
            f"{period} is not open: freeze its roster with `bounty open {period}`.",
            f"{period} 期还没有开期：先用 `bounty open {period}` 冻结名单。",
        )
    settlements = list(
        connection.execute(
            select(Settlement.__table__)
            .where(Settlement.period == str(period))
            .order_by(Settlement.settlement_id.desc())
        )
    )
    published = notices(connection, period)
    newest = settlements[0] if settlements else None
    approvals = [] if newest is None else approvals_of(connection, newest)
    approved = newest is not None and len(approvals) >= approvals_needed(newest)
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
        terms=read_terms(bounds.toml),
        settlements=settlements,
        notices=published,
        approvals=approvals,
    )
