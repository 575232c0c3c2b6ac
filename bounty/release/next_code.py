"""What comes next in an open period, as one code for the shell and the pages. Decided from what is given.

It names nothing that would be refused: a draft whose checklist fails is not to be approved, an exported tranche that
waits for its results is not followed by another.
"""

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, and_, case, func, or_, select

from bounty.errors import BountyError
from bounty.notices.late_facts import LateFacts, late_facts
from bounty.notices.period_status import PeriodStatus
from bounty.release.checklist import Checklist
from bounty.settlement.revocations import voided_since
from bounty.tranches.entitlement import orders_due, published_periods
from bounty.tranches.holds import is_held
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
    draft_is_outdated: bool = False
    """Whether a pass was taken back since the draft: it can't be published."""
    payout_due: bool = False
    """Whether a tranche can be prepared that has lines of the period."""


def after_notice(connection: Connection, stage: PeriodStatus, now: int) -> AfterNotice:
    """What came after the newest notice, or after the draft, of a period."""
    if stage.state == "CLOSED":
        return AfterNotice()
    notice = stage.notices[0] if stage.notices else None
    late = late_facts(connection, stage.period, stage.terms, notice)
    draft = stage.draft
    return AfterNotice(
        late,
        draft is not None and voided_since(connection, draft),
        notice is not None and draft is None and late is None and _payout_due(connection, stage, now),
    )


def next_code(stage: PeriodStatus, found: Checklist, came: AfterNotice, *, approval_required: bool) -> Next:
    """The one thing to do next in an open period."""
    failed, draft, published = found.failed, stage.draft is not None, bool(stage.notices)
    unready = bool(failed.keys() & {"FRESH", "COVERAGE"})
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


def _payout_due(connection: Connection, stage: PeriodStatus, now: int) -> bool:
    """Whether preparing a tranche now would be accepted and bring lines of the period."""
    try:
        open_tranche(connection)
    except BountyError:
        return False
    judged = published_periods(connection, now).subquery("judged")
    of_period: Any = select(judged).where(judged.c.period == str(stage.period))
    order = orders_due(of_period).subquery("order_due").c
    payable = and_(order.due_fen > 0, ~is_held(order.promoter_id, order.period))
    due = func.coalesce(func.max(case((or_(order.due_fen < 0, payable), 1), else_=0)), 0)
    return bool(connection.execute(select(due)).scalar_one())
