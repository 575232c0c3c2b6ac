"""What comes next in an open period, as one code for the shell and the pages. Decided from what is given.

It names nothing that would be refused: a draft whose checklist fails is not to be approved, an exported tranche that
waits for its results is not followed by another.
"""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection

from bounty.accounting.finance_queries import coming_shown, payable_periods
from bounty.errors import BountyError
from bounty.figures import Figure
from bounty.notices.late_facts import LateFacts, late_facts, late_facts_shown
from bounty.notices.period_status import PeriodStatus
from bounty.release.checklist import Checklist
from bounty.settlement.revocations import voided_since
from bounty.tranches.state import open_tranche

Code = Literal[
    "OPEN",
    "IMPORT",
    "SETTLE",
    "APPROVE",
    "PUBLISH",
    "SETTLE_AGAIN",
    "PREPARE_PAYOUT",
    "WAIT",
    "NONE",
]


@dataclass(frozen=True, slots=True)
class Next:
    """What comes next."""

    code: Code
    at: int | None = None
    """Until when WAIT waits; epoch seconds. Null for every other code."""


@dataclass(frozen=True, slots=True)
class AfterNotice:
    """What matters once a period has a notice or a draft."""

    late: LateFacts | None = None
    late_figure: Figure | None = None
    """For a page: as of when ``late`` holds."""
    draft_is_outdated: bool = False
    """Whether a pass was taken back since the draft: it can't be published."""
    payout_due: bool = False
    """Whether a tranche can be prepared that has lines of the period."""


def after_notice(
    connection: Connection, stage: PeriodStatus, now: int, *, shown: bool = False
) -> AfterNotice:
    """What came after the newest notice, or after the draft, of a period.

    shown   for a page, which of large books has what was computed last
    """
    if stage.state == "CLOSED":
        return AfterNotice()
    notice = stage.notices[0] if stage.notices else None
    figure = None
    if shown:
        figure = late_facts_shown(connection, stage.period, stage.terms, notice, now)
        late: LateFacts | None = figure.content
    else:
        late = late_facts(connection, stage.period, stage.terms, notice)
    draft = stage.draft
    return AfterNotice(
        late,
        figure,
        draft is not None and voided_since(connection, draft),
        notice is not None
        and draft is None
        and late is None
        and _payout_due(connection, stage, now, shown=shown),
    )


def next_code(stage: PeriodStatus, found: Checklist, came: AfterNotice, *, approval_required: bool) -> Next:
    """The one thing to do next in an open period."""
    failed, draft, published = found.failed, stage.draft is not None, bool(stage.notices)
    unready = bool(failed.keys() & {"UNFINISHED", "FRESH", "COVERAGE"})
    broken = "CHECKS" in failed and failed["CHECKS"].found
    steps = (
        (stage.state == "CLOSED", Next("NONE")),
        (draft and came.draft_is_outdated, Next("SETTLE_AGAIN")),
        (draft and (unready or "QUARANTINE" in failed), Next("IMPORT")),
        (draft and broken, Next("NONE")),  # nothing that the program does next would be right
        (draft and approval_required and stage.approvals_missing > 0, Next("APPROVE")),
        (draft, Next("PUBLISH")),
        (published and came.late is not None, Next("SETTLE_AGAIN")),
        (published and came.payout_due, Next("PREPARE_PAYOUT")),
        (published, Next("NONE")),
        (stage.state == "UPCOMING", Next("WAIT", stage.bounds.task_from)),
        (unready, Next("IMPORT")),
        (True, Next("SETTLE")),
    )
    return next(step for holds, step in steps if holds)


def _payout_due(connection: Connection, stage: PeriodStatus, now: int, *, shown: bool) -> bool:
    """Whether preparing a tranche now would be accepted and bring lines of the period."""
    try:
        open_tranche(connection)
    except BountyError:
        return False
    period = str(stage.period)
    if shown:
        coming, _ = coming_shown(connection, now)
        return coming is not None and period in coming.periods
    return payable_periods(connection, now, period) != []
