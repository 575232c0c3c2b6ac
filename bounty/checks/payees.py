"""Payees prove themselves: rows that hash as when they were proposed, and acts that stand in the audit as they were."""

import json
from collections.abc import Iterator
from itertools import groupby, starmap
from operator import attrgetter

from sqlalchemy import Connection, func, select

from bounty.db import QueryRow
from bounty.models import AuditEvent, Payee, PayeeApproval, PayeeProposal
from bounty.payees.service import APPROVED, PROPOSED, StoredPayee, rows_sha256, subject


def payees_changed(connection: Connection) -> int:
    """Proposals whose payees are not those that were proposed, payees of none, numbers left out, approvals by who
    proposed, and acts that the audit records differently or not at all."""
    proposals = {
        row.proposal_id: row
        for row in connection.execute(
            select(
                PayeeProposal.__table__,
                PayeeApproval.proposal_id.label("approved"),
                PayeeApproval.user_id,
                PayeeApproval.approved_at,
            ).outerjoin(PayeeApproval, PayeeApproval.proposal_id == PayeeProposal.proposal_id)
        )
    }
    stored = dict(_stored_payees(connection))
    off: int = sum(
        stored.get(number, (0, "")) != (row.payees, row.payees_sha256) for number, row in proposals.items()
    )
    orphans = stored.keys() - proposals.keys()
    approvals = connection.execute(select(func.count()).select_from(PayeeApproval)).scalar_one()
    strays: int = approvals - sum(row.approved is not None for row in proposals.values())
    gaps = max(proposals, default=0) - len(proposals)
    own: int = sum(
        row.user_id is not None and row.user_id == row.proposed_by_id for row in proposals.values()
    )
    acts = {act for row in proposals.values() for act in _acts(row)}
    return off + len(orphans) + strays + gaps + own + len(acts ^ set(_audited(connection)))


def _stored_payees(connection: Connection) -> Iterator[tuple[int, tuple[int, str]]]:
    """Per proposal its payees: how many, and their hash."""
    columns = (Payee.__table__.c[name] for name in StoredPayee._fields)
    in_order = select(*columns).order_by(Payee.proposal_id, Payee.promoter_id)
    rows = connection.execute(in_order, execution_options={"yield_per": 1000})
    for number, of_it in groupby(starmap(StoredPayee, rows), key=attrgetter("proposal_id")):
        payees = list(of_it)
        yield number, (len(payees), rows_sha256(payees))


def _acts(row: QueryRow) -> Iterator[tuple[object, ...]]:
    """The audit record that a proposal must have: act, subject, who, when, why, and what it came to."""
    number, in_force = subject(row.proposal_id), row.approved is not None and row.user_id is None
    facts = {"payees": row.payees, "payees_sha256": row.payees_sha256, "in_force": in_force}
    yield PROPOSED, number, row.proposed_by_id, row.proposed_at, row.reason, _text(facts)
    if in_force and row.approved_at != row.proposed_at:
        yield "a proposal stands for itself at once, or not at all", number
    if row.approved is not None and not in_force:
        approved = {"payees_sha256": row.payees_sha256}
        yield APPROVED, number, row.user_id, row.approved_at, None, _text(approved)


def _audited(connection: Connection) -> Iterator[tuple[object, ...]]:
    event = AuditEvent
    rows = connection.execute(
        select(event.act, event.subject, event.user_id, event.happened_at, event.reason, event.after).where(
            event.act.in_((PROPOSED, APPROVED))
        )
    )
    for row in rows:
        yield (*row[:-1], _text(json.loads(row.after or "null")))


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True)
