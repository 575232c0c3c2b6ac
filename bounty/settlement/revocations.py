"""Taking a published pass back for a violation found later: one person asks, another answers, the next draft knows."""

from typing import NamedTuple

from sqlalchemy import Connection, and_, func, insert, select
from sqlalchemy.orm import aliased

from bounty.audit.service import actor_of, record
from bounty.db import Query, fetch_first, wait_for_turn
from bounty.errors import BountyError
from bounty.models import Notice, PassVoid, PassVoidAnswer, Result, Settlement, User
from bounty.rules.periods import Period
from bounty.settlement.period_lock import require_not_closed
from bounty.settlement.service import SettlementRow

LONGEST = 500
"""Characters of a reason."""


class RevocationRow(NamedTuple):
    """A revocation that was requested."""

    promoter_id: int
    number: int
    reason: str
    asked_by_id: int | None
    requested_by: str | None
    """A name; null for the command line."""
    asked_at: int
    approved: bool | None
    """Null while it waits, as the next two are."""
    answered_by: str | None
    answered_at: int | None


def voids_of(period: Period) -> Query:
    """The revocations requested in a period as ``RevocationRow``, the newest first."""
    asker, answerer = aliased(User, name="asker"), aliased(User, name="answerer")
    return (
        select(
            PassVoid.promoter_id,
            PassVoid.number,
            PassVoid.reason,
            PassVoid.asked_by_id,
            asker.name.label("requested_by"),
            PassVoid.asked_at,
            PassVoidAnswer.approved,
            answerer.name.label("answered_by"),
            PassVoidAnswer.answered_at,
        )
        .outerjoin(asker, asker.id == PassVoid.asked_by_id)
        .outerjoin(
            PassVoidAnswer,
            and_(
                PassVoidAnswer.promoter_id == PassVoid.promoter_id,
                PassVoidAnswer.period == PassVoid.period,
                PassVoidAnswer.number == PassVoid.number,
            ),
        )
        .outerjoin(answerer, answerer.id == PassVoidAnswer.user_id)
        .where(PassVoid.period == str(period))
        .order_by(PassVoid.asked_at.desc(), PassVoid.promoter_id, PassVoid.number.desc())
    )


def ask_void(connection: Connection, period: Period, promoter_id: int, reason: str, now: int) -> bool:
    """Ask for the pass of a promoter, as the newest notice of a period has it, to be void; the same again changes
    nothing, and is False.

    Raises BountyError without a reason, for a period that is closed, where that notice has no such pass, and where
    another such question waits or was approved.
    """
    wait_for_turn(connection)
    reason = reason.strip()
    if not 0 < len(reason) <= LONGEST:
        raise BountyError(
            f"Say which violation it was, in at most {LONGEST} characters.",
            f"请写明查实的违规，不超过 {LONGEST} 字。",
        )
    require_not_closed(connection, period)
    last, actor = _last(connection, period, promoter_id), actor_of(connection)
    if last is not None and last.approved:
        raise _void_already(period, promoter_id)
    if last is not None and last.approved is None:
        if (last.reason, last.asked_by_id) == (reason, actor.user_id):
            return False
        raise BountyError(
            f"A question about the pass of promoter {promoter_id} in {period} waits already: somebody else answers "
            "it first.",
            f"推手 {promoter_id} 在 {period} 的达标已有人申请取消：请先由另一人答复。",
        )
    _require_pass(connection, period, promoter_id)
    number = 1 if last is None else last.number + 1
    connection.execute(
        insert(PassVoid).values(
            promoter_id=promoter_id,
            period=str(period),
            number=number,
            reason=reason,
            asked_by_id=actor.user_id,
            asked_at=now,
        )
    )
    facts = {"number": number}
    record(connection, "void.ask", _subject(period, promoter_id), now, after=facts, reason=reason)
    return True


def answer_void(connection: Connection, period: Period, promoter_id: int, now: int, *, approve: bool) -> bool:
    """Approve, or decline, that a pass is void; the same again changes nothing, and is False.

    Once approved, the promoter has not passed, whatever the orders say, in every settlement that is made afterwards.

    Raises BountyError for whoever requested it or has no account, for a period that is closed, and where nothing waits.
    """
    wait_for_turn(connection)
    actor = actor_of(connection)
    if actor.user_id is None:
        raise BountyError(
            "This takes an account: log in with --as EMAIL to answer.", "答复需要账号：请先登录。"
        )
    require_not_closed(connection, period)
    last = _last(connection, period, promoter_id)
    if last is None:
        raise BountyError(
            f"Nobody asked for the pass of promoter {promoter_id} in {period} to be void.",
            f"没有人申请取消推手 {promoter_id} 在 {period} 的达标。",
        )
    if last.approved is not None:
        if last.approved == approve:
            return False
        raise BountyError(
            f"This was {'approved' if last.approved else 'declined'} already: what was answered stands.",
            f"这项申请已{'批准' if last.approved else '驳回'}，答复不再改动。",
        )
    if last.asked_by_id == actor.user_id:
        raise BountyError(
            "Whoever asks for a pass to be void can't answer: let a second person look at it.",
            "申请人不能答复自己的申请：请由另一人复核。",
        )
    newest = connection.execute(select(func.max(Settlement.settlement_id))).scalar_one()
    connection.execute(
        insert(PassVoidAnswer).values(
            promoter_id=promoter_id,
            period=str(period),
            number=last.number,
            approved=approve,
            as_of_settlement_id=newest,
            user_id=actor.user_id,
            answered_at=now,
        )
    )
    act, facts = "void.approve" if approve else "void.decline", {"number": last.number}
    record(connection, act, _subject(period, promoter_id), now, after=facts, reason=last.reason)
    return True


def voided_since(connection: Connection, settlement: SettlementRow) -> bool:
    """Whether a pass of the period was taken back since a settlement was made."""
    later = select(PassVoidAnswer.promoter_id).where(
        PassVoidAnswer.period == settlement.period,
        PassVoidAnswer.approved,
        PassVoidAnswer.as_of_settlement_id >= settlement.settlement_id,
    )
    return connection.execute(later.limit(1)).first() is not None


def require_voids_known(connection: Connection, draft: SettlementRow) -> None:
    """Raises BountyError where a pass was taken back since a draft was made."""
    if voided_since(connection, draft):
        raise BountyError(
            f"A pass in {draft.period} was taken back since settlement {draft.settlement_id} was made: settle again.",
            f"核算 {draft.settlement_id} 之后有达标被取消：请重新核算 {draft.period}。",
        )


def _last(connection: Connection, period: Period, promoter_id: int) -> RevocationRow | None:
    of_promoter = voids_of(period).where(PassVoid.promoter_id == promoter_id)
    newest = of_promoter.order_by(None).order_by(PassVoid.number.desc()).limit(1)
    return fetch_first(connection, newest, RevocationRow)


def _require_pass(connection: Connection, period: Period, promoter_id: int) -> None:
    newest = (
        select(Notice.settlement_id)
        .where(Notice.period == str(period))
        .order_by(Notice.notice.desc())
        .limit(1)
        .scalar_subquery()
    )
    passed = select(Result.passed).where(Result.settlement_id == newest, Result.promoter_id == promoter_id)
    if not connection.execute(passed).scalar():
        raise BountyError(
            f"The newest notice of {period} has no pass of promoter {promoter_id}: there is nothing to take back.",
            f"{period} 的最新公示里推手 {promoter_id} 没有达标：没有可取消的结果。",
        )


def _void_already(period: Period, promoter_id: int) -> BountyError:
    return BountyError(
        f"The pass of promoter {promoter_id} in {period} is void already: settle and publish to say so.",
        f"推手 {promoter_id} 在 {period} 的达标已被取消：重新核算并公示后生效。",
    )


def _subject(period: Period, promoter_id: int) -> str:
    return f"{period} promoter {promoter_id}"
