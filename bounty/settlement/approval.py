"""The second person: a draft is approved by an account that did not make it."""

from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, insert, select

from bounty.audit.service import actor_of, record
from bounty.db import fetch_all
from bounty.errors import BountyError
from bounty.models import Approval, Settlement, User
from bounty.rules.periods import Period
from bounty.settlement.service import SettlementRow, newest_settlement


class AccountApproval(NamedTuple):
    """An account that approved a draft as it is."""

    user_id: int
    name: str
    email: str
    approved_at: int


def approvals_needed(prepared_by_id: int | None) -> int:
    """How many accounts must approve: one beside its maker's. Who makes it at the command line has not logged in, so
    that draft takes two accounts."""
    return 1 if prepared_by_id is not None else 2


def approval_counts(settlement: SettlementRow | type[Settlement]) -> ColumnElement[bool]:
    """Whether a row of ``approvals`` counts for a settlement: it is of the same content, and of somebody else than who
    made it. A settlement of the command line has no maker among the accounts.

    settlement   its row, or the table
    """
    return and_(
        Approval.settlement_id == settlement.settlement_id,
        Approval.content_sha256 == settlement.content_sha256,
        Approval.user_id != func.coalesce(settlement.prepared_by_id, 0),
    )


def approvals_of(connection: Connection, draft: SettlementRow) -> list[AccountApproval]:
    """Who approved a draft as it is; the earliest first."""
    query = (
        select(User.id.label("user_id"), User.name, User.email, Approval.approved_at)
        .join(Approval, Approval.user_id == User.id)
        .where(approval_counts(draft))
        .order_by(Approval.approved_at, User.id)
    )
    return fetch_all(connection, query, AccountApproval)


def require_approval(connection: Connection, draft: SettlementRow) -> None:
    """Raises BountyError unless enough accounts beside its maker's have approved a draft as it is."""
    missing = approvals_needed(draft.prepared_by_id) - len(approvals_of(connection, draft))
    if missing > 0:
        accounts = "a second account" if missing == 1 else f"{missing} accounts"
        raise BountyError(
            f"Settlement {draft.settlement_id} of {draft.period} needs the approval of {accounts} that did not make it "
            "(setting require_approval).",
            f"核算 {draft.settlement_id}（{draft.period}）还差 {missing} 个账号批准，经办人本人不算。",
        )


def approver(connection: Connection) -> int:
    """The account that acts, to approve something.

    Raises BountyError where nobody has logged in.
    """
    user_id = actor_of(connection).user_id
    if user_id is None:
        raise BountyError("An approval needs an account: log in to approve.", "批准需要账号：请先登录。")
    return user_id


def approve(
    connection: Connection, period: Period, settlement_id: int, content_sha256: str, now: int
) -> None:
    """Stand for the newest draft of a period, as it was shown; again: nothing changes.

    settlement_id, content_sha256   what the person saw

    Raises BountyError for whoever made it or has no account, and where the newest draft is no longer what was seen.
    """
    user_id = approver(connection)
    draft = newest_settlement(connection, period)
    if draft is None or (draft.settlement_id, draft.content_sha256) != (settlement_id, content_sha256):
        raise BountyError(
            f"The newest draft of {period} is no longer the one you saw: look at it again before approving.",
            f"{period} 的最新草稿已不是您看到的那一份：请重新查看后再批准。",
        )
    if draft.prepared_by_id == user_id:
        raise BountyError(
            "Whoever made a draft can't approve it: let a second person look at it.",
            "经办人不能批准自己的草稿：请由另一人复核。",
        )
    earlier = select(Approval.user_id).where(
        Approval.settlement_id == settlement_id, Approval.user_id == user_id
    )
    if connection.execute(earlier).first() is not None:
        return
    connection.execute(
        insert(Approval).values(
            settlement_id=settlement_id, user_id=user_id, content_sha256=content_sha256, approved_at=now
        )
    )
    approved = {"settlement": settlement_id, "content_sha256": content_sha256}
    record(connection, "settlement.approve", str(period), now, after=approved)
