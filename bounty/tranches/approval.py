"""The second person of a tranche, and its leaving: approved as it is, exported while it is still what is due."""

from sqlalchemy import Connection, func, select

from bounty.audit.service import record
from bounty.db import fetch_all, wait_for_turn
from bounty.errors import BountyError
from bounty.models import TrancheStep, User
from bounty.money import grouped_yuan
from bounty.settlement.approval import AccountApproval, approvals_needed, approver
from bounty.tranches.departures import require_answered
from bounty.tranches.notifications import announce_export, notify_held
from bounty.tranches.preparation import prepare_draft
from bounty.tranches.state import TrancheRow, TrancheState, open_tranche, record_step, summary_of, tranche_of


def approvals_of(connection: Connection, tranche: TrancheRow) -> list[AccountApproval]:
    """Who approved a tranche as it is; the earliest first."""
    query = (
        select(User.id.label("user_id"), User.name, User.email, TrancheStep.taken_at.label("approved_at"))
        .join(TrancheStep, TrancheStep.user_id == User.id)
        .where(
            TrancheStep.tranche_id == tranche.tranche_id,
            TrancheStep.step == "APPROVED",
            TrancheStep.content_sha256 == tranche.content_sha256,
            TrancheStep.user_id != func.coalesce(tranche.prepared_by_id, 0),
        )
        .order_by(TrancheStep.number)
    )
    return fetch_all(connection, query, AccountApproval)


def approve(
    connection: Connection, tranche_id: int, content_sha256: str, now: int, alipay_least_fen: int = 0
) -> None:
    """Stand for the open tranche, as it was shown; again: nothing changes.

    tranche_id, content_sha256   what the person saw
    alipay_least_fen             as ``preparation.prepare`` has it

    Raises BountyError for its preparer, for who has no account, where it is no longer what was seen, or what is due,
    and while something may have left that these books don't know.
    """
    wait_for_turn(connection)
    require_answered(connection)
    user_id = approver(connection)
    tranche = open_tranche(connection)
    if tranche is None or (tranche.tranche_id, tranche.content_sha256) != (tranche_id, content_sha256):
        raise BountyError(
            f"Tranche {tranche_id} is no longer the open one as you saw it: look at it again before approving.",
            f"批次 {tranche_id} 已不是您看到的样子：请重新查看后再批准。",
        )
    if tranche.prepared_by_id == user_id:
        raise BountyError(
            "Whoever prepared a tranche can't approve it: let a second person look at it.",
            "准备批次的人不能批准它：请由另一人复核。",
        )
    require_unchanged(connection, tranche, alipay_least_fen)
    if any(one.user_id == user_id for one in approvals_of(connection, tranche)):
        return
    record_step(connection, tranche, "APPROVED", now)
    record(connection, "payout.approve", f"tranche {tranche_id}", now, after=summary_of(tranche))


def require_unchanged(connection: Connection, tranche: TrancheRow, alipay_least_fen: int) -> None:
    """Raises BountyError where preparing the open tranche again would not give the same: an order has failed since, a
    payee or a notice has changed."""
    attempt = connection.begin_nested()
    drafted = prepare_draft(connection, tranche.settled_before, tranche, alipay_least_fen)
    attempt.rollback()
    if drafted.content_sha256 != tranche.content_sha256:
        then, now = grouped_yuan(tranche.payable_fen), grouped_yuan(drafted.payable_fen)
        raise BountyError(
            f"What is due is no longer what tranche {tranche.tranche_id} holds ({then} then, {now} now): "
            "prepare it again.",
            f"应付款已与批次 {tranche.tranche_id} 不同（当时 {then}，现在 {now}）：请重新准备。",
        )


def export_begins(
    connection: Connection,
    tranche_id: int,
    now: int,
    *,
    approval_required: bool,
    alipay_least_fen: int = 0,
) -> TrancheRow:
    """Let a tranche leave for the payer, and remember that it did; its row. Again: nothing changes.

    alipay_least_fen   as ``preparation.prepare`` has it

    Raises BountyError if it was replaced, lacks an approval it needs, or is no longer what is due, and while something
    may have left that these books don't know.
    """
    wait_for_turn(connection)
    tranche = tranche_of(connection, tranche_id)
    if tranche.state == TrancheState.REPLACED:
        raise BountyError(
            f"Tranche {tranche_id} was replaced by a later one: export that.",
            f"批次 {tranche_id} 已被后来的批次替换。",
        )
    if tranche.exported:
        return tranche
    require_answered(connection)
    missing = approvals_needed(tranche.prepared_by_id) - len(approvals_of(connection, tranche))
    if approval_required and missing > 0:
        accounts = "a second account" if missing == 1 else f"{missing} accounts"
        raise BountyError(
            f"Tranche {tranche_id} needs the approval of {accounts} that did not prepare it "
            "(setting require_approval).",
            f"批次 {tranche_id} 还差 {missing} 个账号批准，准备的人本人不算。",
        )
    require_unchanged(connection, tranche, alipay_least_fen)
    record_step(connection, tranche, "EXPORTED", now)
    record(connection, "payout.export", f"tranche {tranche_id}", now, after=summary_of(tranche))
    notify_held(connection, tranche_id, now)
    announce_export(connection, tranche, now)
    return tranche_of(connection, tranche_id)
