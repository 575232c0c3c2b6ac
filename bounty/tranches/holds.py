"""Payouts that a person holds for a review: the lines of a promoter's period stay out of tranches until released."""

from functools import cache
from typing import NamedTuple

from sqlalchemy import BindParameter, ColumnElement, Connection, and_, bindparam, func, insert, select
from sqlalchemy.orm import aliased

from bounty.audit.service import actor_of, record
from bounty.clock import shown
from bounty.db import Query, WholeNumber, Words, fetch_first, wait_for_turn, written_out
from bounty.errors import BountyError
from bounty.models import PayoutHold, PayoutHoldStep, RosterEntry, User
from bounty.rules.periods import Period

LONGEST = 500
"""Characters of a reason."""
_STEP = PayoutHoldStep.__table__


def is_held(promoter_id: ColumnElement[int], period: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether the lines of a promoter's period are held for a review."""
    released = select(PayoutHoldStep.promoter_id).where(
        _same_hold(PayoutHoldStep), PayoutHoldStep.step == "RELEASED"
    )
    return (
        select(PayoutHold.promoter_id)
        .where(
            PayoutHold.promoter_id == promoter_id,
            PayoutHold.period == period,
            ~released.correlate(PayoutHold.__table__).exists(),
        )
        .exists()
    )


def _same_hold(step: type[PayoutHoldStep]) -> ColumnElement[bool]:
    return and_(
        step.promoter_id == PayoutHold.promoter_id,
        step.period == PayoutHold.period,
        step.number == PayoutHold.number,
    )


class HoldRow(NamedTuple):
    """A hold of a payout."""

    promoter_id: int
    number: int
    reason: str
    due_at: int
    held_by: str | None
    """A name; null for the command line."""
    held_at: int
    requested_by: str | None
    """Name of who requested the release; null, as all that follows, while nobody has."""
    requested_by_id: int | None
    request_reason: str | None
    requested_at: int | None
    released_by: str | None
    released_at: int | None


def holds_of(
    period: Period | BindParameter[str], promoter_id: int | BindParameter[int] | None = None
) -> Query:
    """The holds of a period, as ``HoldRow``, the newest first."""
    request, released = aliased(PayoutHoldStep, name="request"), aliased(PayoutHoldStep, name="released")
    holder, asker, releaser = (aliased(User, name=name) for name in ("holder", "asker", "releaser"))
    query = (
        select(
            PayoutHold.promoter_id,
            PayoutHold.number,
            PayoutHold.reason,
            PayoutHold.due_at,
            holder.name.label("held_by"),
            PayoutHold.held_at,
            asker.name.label("requested_by"),
            request.user_id.label("requested_by_id"),
            request.reason.label("request_reason"),
            request.taken_at.label("requested_at"),
            releaser.name.label("released_by"),
            released.taken_at.label("released_at"),
        )
        .select_from(PayoutHold)
        .outerjoin(request, and_(_same_hold(request), request.step == "ASKED"))
        .outerjoin(released, and_(_same_hold(released), released.step == "RELEASED"))
        .outerjoin(holder, holder.id == PayoutHold.user_id)
        .outerjoin(asker, asker.id == request.user_id)
        .outerjoin(releaser, releaser.id == released.user_id)
        .where(PayoutHold.period == (str(period) if isinstance(period, Period) else period))
        .order_by(PayoutHold.held_at.desc(), PayoutHold.promoter_id, PayoutHold.number.desc())
    )
    return query if promoter_id is None else query.where(PayoutHold.promoter_id == promoter_id)


@cache  # to build it takes ten times as long as to run it
def holds_of_promoter() -> Query:
    """A promoter's holds of a period, as ``HoldRow``; parameters period and promoter_id."""
    return written_out(
        holds_of(bindparam("period", type_=Words()), bindparam("promoter_id", type_=WholeNumber))
    )


def _reason(text: str) -> str:
    reason = text.strip()
    if not 0 < len(reason) <= LONGEST:
        raise BountyError(
            f"Write a reason of at most {LONGEST} characters.", f"请填写原因，最多 {LONGEST} 字。"
        )
    return reason


def hold_payout(
    connection: Connection, period: Period, promoter_id: int, reason: str, due_at: int, now: int
) -> None:
    """Hold what a promoter's period earns; what was paid stays paid.

    Raises BountyError without a reason, for a deadline that is not ahead, for who is not on the roster, and where it is
    held already.
    """
    wait_for_turn(connection)
    reason = _reason(reason)
    if due_at <= now:
        raise BountyError(
            f"The review's deadline, {shown(due_at)}, must lie ahead.",
            f"复核期限 {shown(due_at)} 须在现在之后。",
        )
    on_roster = select(RosterEntry.promoter_id).where(
        RosterEntry.promoter_id == promoter_id, RosterEntry.period == str(period)
    )
    if connection.execute(on_roster).first() is None:
        raise BountyError(
            f"Promoter {promoter_id} is not on the roster of {period}.",
            f"推手 {promoter_id} 不在 {period} 期名单上。",
        )
    if _open_hold(connection, period, promoter_id) is not None:
        raise BountyError(
            f"Promoter {promoter_id}'s payout of {period} is held already.",
            f"推手 {promoter_id} 的 {period} 期补贴已在复核中。",
        )
    number = select(func.coalesce(func.max(PayoutHold.number), 0) + 1).where(
        PayoutHold.promoter_id == promoter_id, PayoutHold.period == str(period)
    )
    connection.execute(
        insert(PayoutHold).values(
            promoter_id=promoter_id,
            period=str(period),
            number=connection.execute(number).scalar_one(),
            reason=reason,
            due_at=due_at,
            user_id=actor_of(connection).user_id,
            held_at=now,
        )
    )
    after = {"reason": reason, "due_at": due_at}
    record(connection, "payout.hold", f"promoter {promoter_id} {period}", now, after=after)


def release_payout(
    connection: Connection,
    period: Period,
    promoter_id: int,
    reason: str,
    now: int,
    *,
    approval_required: bool,
) -> bool:
    """Release a held payout; whether it is released now. Where approval is required, the first person asks and a second
    one releases.

    Raises BountyError without a reason, where nothing is held, and where one person would do both.
    """
    wait_for_turn(connection)
    reason = _reason(reason)
    hold = _open_hold(connection, period, promoter_id)
    if hold is None:
        raise BountyError(
            f"No payout of promoter {promoter_id} is held in {period}.",
            f"推手 {promoter_id} 在 {period} 期没有复核中的补贴。",
        )
    user_id = actor_of(connection).user_id
    key = {"promoter_id": promoter_id, "period": str(period), "number": hold.number}
    requested = connection.execute(
        select(_STEP.c.user_id).where(*(_STEP.c[name] == value for name, value in key.items()))
    ).first()
    if approval_required and requested is not None and (user_id is None or user_id == requested.user_id):
        raise BountyError(
            "You asked for this release: a second person with an account must agree to it.",
            "解除由您申请，须由另一个账号同意。",
        )
    step = "ASKED" if approval_required and requested is None else "RELEASED"
    connection.execute(
        insert(PayoutHoldStep).values(**key, step=step, reason=reason, user_id=user_id, taken_at=now)
    )
    act = "payout.release.ask" if step == "ASKED" else "payout.release"
    record(connection, act, f"promoter {promoter_id} {period}", now, after={"reason": reason})
    return step == "RELEASED"


def _open_hold(connection: Connection, period: Period, promoter_id: int) -> HoldRow | None:
    hold = holds_of(period, promoter_id).subquery("hold")
    return fetch_first(connection, select(hold).where(hold.c.released_at.is_(None)), HoldRow)
