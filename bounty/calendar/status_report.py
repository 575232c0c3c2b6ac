"""Where each period stands, as ``bounty status`` prints it: open ones, and those whose roster should be frozen."""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from bounty.calendar.schedule import Calendar, ComingPeriod, coming_period, coming_periods
from bounty.clock import shown
from bounty.models import OpenPeriod
from bounty.notices.late_facts import LateFacts
from bounty.notices.period_status import period_status
from bounty.release.checklist import Checklist, checklist
from bounty.release.next_code import Next, after_notice, next_code
from bounty.roster.programmes import require_programme
from bounty.rules.periods import Period

_PRINTED = {"READY_TO_SETTLE": "READY", "CORRECTED": "PUBLISHED"}
"""States that the pages tell apart, or name otherwise, and the printed ones."""


@dataclass(frozen=True, slots=True)
class StatusReport:
    """Where one period stands."""

    period: Period
    state: str
    """UPCOMING, OVERDUE, OPEN, AWAITING_RECEIPTS, READY, DRAFT, APPROVED, PUBLISHED or CLOSED."""
    notice: int | None
    """The newest one's number."""
    next: Next
    checklist: Checklist | None
    """Null where the period is not open."""
    late: LateFacts | None

    def as_json(self) -> dict[str, object]:
        """The object of docs/promises.md, Where a period stands."""
        late, lines = self.late, () if self.checklist is None else self.checklist.lines
        return {
            "programme": self.period.programme,
            "period": self.period.name,
            "state": self.state,
            "notice": self.notice,
            "next": {
                "code": self.next.code,
                "at": None if self.next.at is None else shown(self.next.at),
            },
            "checklist": [{"code": line.code, "state": line.state} for line in lines if not line.noted],
            "late": None
            if late is None
            else {"orders": late.orders, "results": late.results, "subsidy_fen": late.subsidy_fen},
        }


def status_report(
    connection: Connection, calendar: Calendar, period: Period, now: int, *, approval_required: bool
) -> StatusReport:
    """Where a period stands.

    Raises BountyError where it is not open, and no terms apply to it or its programme is retired.
    """
    held = select(OpenPeriod.period).where(OpenPeriod.period == str(period))
    if connection.execute(held).first() is None:
        return _coming(coming_period(connection, calendar, period), now)
    stage = period_status(connection, period, now)
    found = checklist(connection, stage, now)
    came = after_notice(connection, stage, now)
    return StatusReport(
        period,
        _PRINTED.get(stage.state, stage.state),
        stage.notices[0].notice if stage.notices else None,
        next_code(stage, found, came, approval_required=approval_required),
        found,
        came.late,
    )


def status_reports(
    connection: Connection,
    calendar: Calendar,
    now: int,
    *,
    approval_required: bool,
    programme: str | None = None,
) -> list[StatusReport]:
    """Where every period stands that is not closed, with those that are still to be opened; the newest first.

    programme   of this one alone; null for all

    Raises BountyError where there is no such programme.
    """
    if programme is not None:
        require_programme(connection, programme)
    held = [Period.parse(text) for text in connection.execute(select(OpenPeriod.period)).scalars()]
    coming = [
        _coming(each, now)
        for each in coming_periods(connection, calendar, now)
        if programme in (None, each.period.programme)
    ]
    opened = [
        status_report(connection, calendar, period, now, approval_required=approval_required)
        for period in held
        if programme in (None, period.programme)
    ]
    found = [*coming, *(each for each in opened if each.state != "CLOSED")]
    return sorted(found, key=lambda each: each.period, reverse=True)


def _coming(coming: ComingPeriod, now: int) -> StatusReport:
    overdue = coming.overdue(now)
    if overdue and now >= coming.can_open_at:
        following = Next("OPEN")
    else:
        following = Next("WAIT", max(coming.freeze_at, coming.can_open_at))
    return StatusReport(coming.period, "OVERDUE" if overdue else "UPCOMING", None, following, None, None)
