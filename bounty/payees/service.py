"""Payees: a file of them is a proposal that a second account approves; a promoter's newest approved one is in force."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, insert, select
from sqlalchemy.orm import aliased

from bounty.accounts.service import require_account
from bounty.audit.service import actor_of, record
from bounty.db import Query, fetch_first, is_one_of
from bounty.errors import BountyError
from bounty.files.problems import BadRow, bad_row
from bounty.models import Notice, Payee, PayeeApproval, PayeeProposal, Payout, Promoter, Result, User
from bounty.payees.encryption import PayeeCipher, masked_account, masked_name
from bounty.payees.files import PayeeRow
from bounty.rules.newest_notice import is_newest
from bounty.rules.sql_math import sum_or_zero
from bounty.settlement.approval import approver

PROPOSED, APPROVED = "payees.propose", "payees.approve"
"""The acts in the audit."""
_SHOWN = 3
"""At most this many bad rows of a file are listed one by one."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """What a file of payees came to."""

    proposal_id: int
    payees: int
    payees_sha256: str
    in_force: bool
    """False where it waits for a second account."""
    created: bool
    """False where the newest proposal, which waits, says the same already."""


def payees_in_force(promoters: Sequence[int] | None = None) -> Query:
    """Where each promoter, or each of these, is paid now, by the newest approved proposal that names it: promoter_id,
    proposal_id, method, fingerprint, shown_account, shown_name, secret."""
    newest = (
        select(Payee.promoter_id, func.max(Payee.proposal_id).label("proposal_id"))
        .join(PayeeApproval, PayeeApproval.proposal_id == Payee.proposal_id)
        .where(is_one_of(Payee.promoter_id, promoters))
        .group_by(Payee.promoter_id)
        .subquery("newest")
    )
    same = and_(newest.c.promoter_id == Payee.promoter_id, newest.c.proposal_id == Payee.proposal_id)
    return select(
        Payee.promoter_id,
        Payee.proposal_id,
        Payee.method,
        Payee.fingerprint,
        Payee.shown_account,
        Payee.shown_name,
        Payee.secret,
    ).join(newest, same)


class ProposalRow(NamedTuple):
    """A proposal with who made and who approved it."""

    proposal_id: int
    reason: str | None
    proposed_by_id: int | None
    proposed_at: int
    payees: int
    payees_sha256: str
    proposed_by: str | None
    """A name."""
    approved_at: int | None
    """Epoch seconds."""
    approved_by_id: int | None


class StoredPayee(NamedTuple):
    """A row of ``payees``."""

    promoter_id: int
    proposal_id: int
    method: str
    secret: bytes
    fingerprint: str
    shown_account: str
    shown_name: str


def proposal_of(connection: Connection, proposal_id: int) -> ProposalRow | None:
    """A proposal with who made and who approved it; null where there is none."""
    query = (
        select(
            PayeeProposal.__table__,
            User.name.label("proposed_by"),
            PayeeApproval.approved_at,
            PayeeApproval.user_id.label("approved_by_id"),
        )
        .outerjoin(User, User.id == PayeeProposal.proposed_by_id)
        .outerjoin(PayeeApproval, PayeeApproval.proposal_id == PayeeProposal.proposal_id)
        .where(PayeeProposal.proposal_id == proposal_id)
    )
    return fetch_first(connection, query, ProposalRow)


def waiting_proposals() -> Query:
    """Proposals that nobody has approved: proposal_id, proposed_at, proposed_by (e-mail or null), reason, payees,
    payees_sha256."""
    proposal = PayeeProposal
    return (
        select(
            proposal.proposal_id,
            proposal.proposed_at,
            proposal.proposed_by_id,
            User.email.label("proposed_by"),
            proposal.reason,
            proposal.payees,
            proposal.payees_sha256,
        )
        .outerjoin(User, User.id == proposal.proposed_by_id)
        .outerjoin(PayeeApproval, PayeeApproval.proposal_id == proposal.proposal_id)
        .where(PayeeApproval.proposal_id.is_(None))
        .order_by(proposal.proposal_id)
    )


def payees_of(proposal_id: int) -> Query:
    """What a proposal says, by promoter: promoter_id, method, shown_account, shown_name, and what is in force now
    (was_method, was_account, was_name; null for a promoter's first)."""
    was, other = aliased(Payee, name="was"), aliased(Payee, name="other")
    # One look into the index for each promoter; a subquery of all payees in force is gone through again for each.
    newest = (
        select(func.max(other.proposal_id))
        .join(PayeeApproval, PayeeApproval.proposal_id == other.proposal_id)
        .where(other.promoter_id == Payee.promoter_id)
        .correlate(Payee)
        .scalar_subquery()
    )
    return (
        select(
            Payee.promoter_id,
            Payee.method,
            Payee.shown_account,
            Payee.shown_name,
            was.method.label("was_method"),
            was.shown_account.label("was_account"),
            was.shown_name.label("was_name"),
        )
        .outerjoin(was, and_(was.promoter_id == Payee.promoter_id, was.proposal_id == newest))
        .where(Payee.proposal_id == proposal_id)
        .order_by(Payee.promoter_id)
    )


def promoters_without_payee(promoters: Sequence[int] | None = None) -> Query:
    """Whom the newest notices give a subsidy and who has no payee in force, or just those of these: promoter_id,
    subsidy_fen of the notices."""
    held = payees_in_force(promoters).subquery("held").c
    return (
        select(Result.promoter_id, sum_or_zero(Result.__table__.c.subsidy_fen).label("subsidy_fen"))
        .join(Notice, Notice.settlement_id == Result.settlement_id)
        .outerjoin(held.promoter_id.table, held.promoter_id == Result.promoter_id)
        .where(is_newest(Notice), Result.subsidy_fen > 0, held.promoter_id.is_(None))
        .where(is_one_of(Result.promoter_id, promoters))
        .group_by(Result.promoter_id)
        .order_by(Result.promoter_id)
    )


def rows_sha256(rows: Iterable[StoredPayee]) -> str:
    """The hash by which a proposal's rows, by promoter, are known to be whole; hex."""
    whole = hashlib.sha256()
    for row in rows:
        secret = hashlib.sha256(row.secret).hexdigest()
        row_facts = [row.promoter_id, row.method, row.fingerprint, secret, row.shown_account, row.shown_name]
        whole.update(json.dumps(row_facts, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
    return whole.hexdigest()


def propose_payees(
    connection: Connection,
    rows: Sequence[PayeeRow | BadRow],
    seal: PayeeCipher,
    now: int,
    *,
    reason: str | None,
    approval_required: bool,
) -> Proposed | None:
    """Propose the payees that are not in force as they are; null, and nothing changes, where all of them are.

    rows   of a file, as ``read_payees`` gives them

    Raises BountyError where any row is bad, where a payee in force would change without a reason, and for nobody's
    account where approval is required.
    """
    if approval_required:  # one account approves, so that whoever proposes must be another
        require_account(connection)
    given = _all_good(connection, rows)
    held = {
        row.promoter_id: row.fingerprint
        for row in connection.execute(select(*_columns("promoter_id", "fingerprint")))
    }
    prints = {row.promoter_id: seal.fingerprint(row.details) for row in given}
    changed = [row for row in given if held.get(row.promoter_id) != prints[row.promoter_id]]
    why = (reason or "").strip() or None
    if not changed:
        return None
    if why is None and (known := [row.promoter_id for row in changed if row.promoter_id in held]):
        raise BountyError(
            f"The payee of promoter {known[0]} would change: say why with --reason.",
            f"推手 {known[0]} 的收款信息将被改动：请写明原因。",
        )
    if waiting := _waiting_already(connection, {row.promoter_id: prints[row.promoter_id] for row in changed}):
        return waiting
    number = _add(connection, changed, seal)
    sha256 = rows_sha256(_stored(connection, number))
    connection.execute(
        insert(PayeeProposal).values(
            proposal_id=number,
            reason=why,
            proposed_by_id=actor_of(connection).user_id,
            proposed_at=now,
            payees=len(changed),
            payees_sha256=sha256,
        )
    )
    if not approval_required:
        connection.execute(insert(PayeeApproval).values(proposal_id=number, user_id=None, approved_at=now))
    proposal_facts = {"payees": len(changed), "payees_sha256": sha256, "in_force": not approval_required}
    record(connection, PROPOSED, subject(number), now, after=proposal_facts, reason=why)
    return Proposed(number, len(changed), sha256, in_force=not approval_required, created=True)


def shared_accounts(connection: Connection, *, tranche_id: int | None = None) -> list[tuple[str, list[int]]]:
    """Accounts in force to which several promoters are paid under one name: masked account, promoter ids.

    tranche_id   of the payouts of this tranche alone
    """
    held = payees_in_force().subquery("held").c
    query = select(held.fingerprint, held.shown_account, held.promoter_id).order_by(held.promoter_id)
    if tranche_id is not None:
        paid = select(Payout.promoter_id).where(Payout.tranche_id == tranche_id, Payout.payable_fen > 0)
        query = query.where(held.promoter_id.in_(paid))
    sharing: dict[tuple[str, str], list[int]] = {}
    for fingerprint, account, promoter_id in connection.execute(query):
        sharing.setdefault((fingerprint, account), []).append(promoter_id)
    return [(account, ids) for (_, account), ids in sharing.items() if len(ids) > 1]


def sharing_in_file(
    connection: Connection, rows: Sequence[PayeeRow | BadRow], seal: PayeeCipher
) -> list[tuple[str, list[int]]]:
    """The same for what a file of payees would bring, compared with what is in force."""
    held = payees_in_force().subquery("held").c
    given = {row.promoter_id: row.details for row in rows if isinstance(row, PayeeRow)}
    sharing: dict[str, tuple[str, set[int]]] = {}
    by_account: dict[str, set[int]] = {}
    for promoter_id, details in given.items():
        by_account.setdefault(details.account, set()).add(promoter_id)
        sharing[seal.fingerprint(details)] = (details.account, by_account[details.account])
    for promoter_id, fingerprint in connection.execute(select(held.promoter_id, held.fingerprint)):
        if promoter_id not in given and fingerprint in sharing:
            sharing[fingerprint][1].add(promoter_id)
    return [(masked_account(account), sorted(ids)) for account, ids in by_account.items() if len(ids) > 1]


def _columns(*names: str) -> list[ColumnElement[str]]:
    held = payees_in_force().subquery("held").c
    return [held[name] for name in names]


def _all_good(connection: Connection, rows: Sequence[PayeeRow | BadRow]) -> list[PayeeRow]:
    known = set(connection.execute(select(Promoter.promoter_id)).scalars())
    good: list[PayeeRow] = []
    bad: list[BadRow] = []
    for row in rows:
        if isinstance(row, BadRow):
            bad.append(row)
        elif row.promoter_id in known:
            good.append(row)
        else:
            bad.append(bad_row("payee of nobody", place=row.place, raw="", column=row.promoter_header))
    if bad:
        shown, more = bad[:_SHOWN], " ..." if len(bad) > _SHOWN else ""
        errors = [(row.place, each) for row in shown for each in row.errors]
        en = "; ".join(f"line {at} {each.column or ''}: {each.code} {each.en}" for at, each in errors) + more
        zh = "；".join(f"第 {at} 行 {each.column or ''}：{each.zh}" for at, each in errors) + more
        raise BountyError(
            f"{len(bad)} of {len(rows)} rows are wrong, and none was taken in: {en}",
            f"{len(rows)} 行中有 {len(bad)} 行有误，整个文件都没有导入：{zh}",
        )
    return good


def _waiting_already(connection: Connection, prints: dict[int, str]) -> Proposed | None:
    """The newest proposal, where it still waits and says exactly this."""
    newest = connection.execute(
        waiting_proposals().where(
            PayeeProposal.proposal_id == select(func.max(PayeeProposal.proposal_id)).scalar_subquery()
        )
    ).first()
    if newest is None:
        return None
    of_it = select(Payee.promoter_id, Payee.fingerprint).where(Payee.proposal_id == newest.proposal_id)
    if {row.promoter_id: row.fingerprint for row in connection.execute(of_it)} != prints:
        return None
    return Proposed(newest.proposal_id, newest.payees, newest.payees_sha256, in_force=False, created=False)


def _add(connection: Connection, given: list[PayeeRow], seal: PayeeCipher) -> int:
    """Payees as rows of the next proposal, whose own row comes last."""
    number = (connection.execute(select(func.max(PayeeProposal.proposal_id))).scalar() or 0) + 1
    connection.execute(
        insert(Payee),
        [
            {
                "promoter_id": row.promoter_id,
                "proposal_id": number,
                "method": row.details.method,
                "secret": seal.close(row.promoter_id, number, row.details),
                "fingerprint": seal.fingerprint(row.details),
                "shown_account": masked_account(row.details.account),
                "shown_name": masked_name(row.details.payee_name),
            }
            for row in given
        ],
    )
    return number


def subject(proposal_id: int) -> str:
    """What the audit calls a proposal."""
    return f"payees {proposal_id}"


def _stored(connection: Connection, proposal_id: int) -> Iterable[StoredPayee]:
    columns = (Payee.__table__.c[name] for name in StoredPayee._fields)
    of_it = select(*columns).where(Payee.proposal_id == proposal_id).order_by(Payee.promoter_id)
    return starmap(StoredPayee, connection.execute(of_it, execution_options={"yield_per": 1000}))


def approve_payees(connection: Connection, proposal_id: int, payees_sha256: str, now: int) -> bool:
    """Put a proposal in force, as it was shown; False, and nothing changes, where it is already.

    payees_sha256   of what the person saw

    Raises BountyError for whoever proposed it or has no account, and where it is not, or no longer, what was seen.
    """
    user_id = approver(connection)
    proposal = connection.execute(
        select(PayeeProposal.__table__).where(PayeeProposal.proposal_id == proposal_id)
    ).first()
    if proposal is None:
        raise BountyError(
            f"There is no proposal {proposal_id} of payees: `bounty payees list` shows those that wait.",
            f"没有第 {proposal_id} 份收款信息。",
        )
    if not proposal.payees_sha256 == payees_sha256 == rows_sha256(_stored(connection, proposal_id)):
        raise BountyError(
            f"Proposal {proposal_id} of payees is no longer the one you saw: look at it again before approving.",
            f"第 {proposal_id} 份收款信息已不是您看到的那一份：请重新查看后再批准。",
        )
    if proposal.proposed_by_id == user_id:
        raise BountyError(
            "Whoever proposed payees can't approve them: let a second person look at them.",
            "提交人不能批准自己提交的收款信息：请由另一人复核。",
        )
    approved = select(PayeeApproval.proposal_id).where(PayeeApproval.proposal_id == proposal_id)
    if connection.execute(approved).first() is not None:
        return False
    connection.execute(
        insert(PayeeApproval).values(proposal_id=proposal_id, user_id=user_id, approved_at=now)
    )
    record(connection, APPROVED, subject(proposal_id), now, after={"payees_sha256": payees_sha256})
    return True
