"""Payment results: outcomes as receipts and people reported them, periods closed and reopened in turn; both as
the audit has them.
"""

import json
from collections.abc import Iterator
from itertools import groupby
from typing import TypedDict

from sqlalchemy import Connection, and_, func, or_, select
from sqlalchemy.orm import aliased

from bounty.accounting.period_closing import ACTS, CLOSED, REOPENED, REOPENING
from bounty.accounting.reconciliation import payouts_by_id
from bounty.db import Query, QueryRow
from bounty.models import AuditEvent, Payout, PayoutOutcome, PeriodClosing, Receipt, ReceiptRow, TrancheStep
from bounty.models.payment_results import MATCHED
from bounty.payment_results.service import MARKED, TAKEN, content_sha256, subject
from bounty.tranches.files import payout_id, payout_id_in_sql
from bounty.tranches.state import is_due

_IN_TURN = {None: (CLOSED,), CLOSED: (REOPENING,), REOPENING: (REOPENED,), REOPENED: (CLOSED,)}


def outcomes_as_reported(connection: Connection) -> int:
    """Outcomes that are not numbered 1, 2, ..., are of no payout that was exported to be paid, or say what their row
    does not; matched rows of another amount than their payout's; receipts, and marks by hand, that the audit does not
    tell so."""
    outcome = PayoutOutcome
    gaps = (
        select(outcome.promoter_id)
        .group_by(outcome.promoter_id, outcome.tranche_id)
        .having(or_(func.min(outcome.number) != 1, func.max(outcome.number) != func.count()))
    )
    exported = select(TrancheStep.tranche_id).where(TrancheStep.step == "EXPORTED")
    of_payout = and_(Payout.promoter_id == outcome.promoter_id, Payout.tranche_id == outcome.tranche_id)
    strangers = (
        select(outcome.promoter_id)
        .outerjoin(Payout, of_payout)
        .where(or_(Payout.promoter_id.is_(None), ~is_due(), outcome.tranche_id.not_in(exported)))
    )
    queries: tuple[Query, ...] = (gaps, strangers, _unlike_their_row(), _of_another_amount())
    counted = sum(
        connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
        for query in queries
    )
    marks = set(_by_hand(connection)) ^ set(_marks_audited(connection))
    receipts = set(_receipts(connection)) ^ set(_receipts_audited(connection))
    return counted + _receipts_left_out(connection) + len(marks) + len(receipts)


def _unlike_their_row() -> Query:
    """Outcomes of a receipt whose row is not there, is of another payout, or has another result."""
    outcome, row = aliased(PayoutOutcome), aliased(ReceiptRow)
    same = and_(row.receipt_id == outcome.receipt_id, row.place == outcome.place)
    says_so = and_(
        row.verdict == MATCHED,
        row.payout == payout_id_in_sql(outcome.tranche_id, outcome.promoter_id),
        row.paid == outcome.paid,
        row.words.is_not_distinct_from(outcome.reason),
    )
    return (
        select(outcome.promoter_id)
        .outerjoin(row, same)
        .where(outcome.receipt_id.is_not(None), or_(row.place.is_(None), ~says_so))
    )


def _of_another_amount() -> Query:
    """Matched rows of no payout, or of another amount."""
    payout = payouts_by_id().subquery("payout").c
    return (
        select(ReceiptRow.place)
        .outerjoin(payout.id.table, payout.id == ReceiptRow.payout)
        .where(
            ReceiptRow.verdict == MATCHED,
            or_(payout.id.is_(None), payout.payable_fen != ReceiptRow.amount_fen),
        )
    )


def _receipts_left_out(connection: Connection) -> int:
    """Numbers of receipts that there are not, and receipts with more or fewer rows than they say."""
    numbers = connection.execute(
        select(func.coalesce(func.max(Receipt.receipt_id), 0) - func.count(Receipt.receipt_id))
    )
    rows = (
        select(ReceiptRow.receipt_id, func.count().label("rows"))
        .group_by(ReceiptRow.receipt_id)
        .subquery("held")
        .c
    )
    off = (
        select(rows.receipt_id)
        .outerjoin_from(rows.receipt_id.table, Receipt, Receipt.receipt_id == rows.receipt_id)
        .where(or_(Receipt.receipt_id.is_(None), Receipt.rows != rows.rows))
    )
    return int(numbers.scalar_one()) + len(connection.execute(off).all())


def _receipts(connection: Connection) -> Iterator[tuple[object, ...]]:
    for row in connection.execute(select(Receipt.__table__)).all():
        facts = (row.name, row.sha256, row.told_sha256, row.rows, content_sha256(connection, row.receipt_id))
        yield subject(row.receipt_id), row.taken_by_id, row.taken_at, *facts


def _receipts_audited(connection: Connection) -> Iterator[tuple[object, ...]]:
    for event, after in _events(connection, TAKEN):
        names = ("name", "sha256", "told_sha256", "rows", "content_sha256")
        facts = (after.get(name) for name in names)
        yield event.subject, event.user_id, event.happened_at, *facts


def _by_hand(connection: Connection) -> Iterator[tuple[object, ...]]:
    outcome = PayoutOutcome
    for row in connection.execute(select(outcome.__table__).where(outcome.receipt_id.is_(None))):
        payout = payout_id(row.tranche_id, row.promoter_id)
        yield payout, row.number, row.paid, row.reason, row.user_id, row.told_at


def _marks_audited(connection: Connection) -> Iterator[tuple[object, ...]]:
    for event, after in _events(connection, MARKED):
        for payout, number in after.get("outcomes", ()):
            yield payout, number, after.get("paid"), event.reason, event.user_id, event.happened_at


def closings_in_turn(connection: Connection) -> int:
    """Closings and reopenings that are not numbered 1, 2, ..., come out of turn, were agreed to by the person who
    requested them, or differ from the audit."""
    row = PeriodClosing
    rows = connection.execute(select(row.__table__).order_by(row.period, row.number)).all()
    off = 0
    for _, acts in groupby(rows, key=lambda each: each.period):
        last = None
        for at, each in enumerate(acts, start=1):
            requested_again = last is not None and last.act == each.act == REOPENING and last.user_id is None
            in_turn = each.act in _IN_TURN[last.act if last else None] or requested_again
            own = (
                each.act == REOPENED
                and last is not None
                and each.user_id is not None
                and each.user_id == last.user_id
            )
            off += each.number != at or not in_turn or own
            last = each
    stored = {(ACTS.get(each.act), each.period, each.user_id, each.acted_at, each.reason) for each in rows}
    recorded = {
        (event.act, event.subject, event.user_id, event.happened_at, event.reason)
        for event, _ in _events(connection, *ACTS.values())
    }
    return off + len(stored ^ recorded)


class _EventFacts(TypedDict, total=False):
    name: str
    sha256: str
    told_sha256: str
    rows: int
    content_sha256: str
    paid: bool
    outcomes: list[tuple[str, int]]


def _events(connection: Connection, *acts: str) -> Iterator[tuple[QueryRow, _EventFacts]]:
    """Events of some acts, each with what it came to."""
    rows = connection.execute(select(AuditEvent.__table__).where(AuditEvent.act.in_(acts)))
    for row in rows:
        facts: _EventFacts | None = json.loads(row.after or "null")
        yield row, facts or {}
