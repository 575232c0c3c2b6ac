"""Payment results: the payer's receipt reports outcomes of payouts, or a person marks them; the latest outcome wins."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select

from bounty.audit.service import actor_of, record
from bounty.db import analyze, wait_for_turn
from bounty.errors import BountyError
from bounty.json_types import JsonObject
from bounty.models import PayoutOutcome, Receipt, ReceiptRow
from bounty.models.payment_results import AMBIGUOUS, MATCHED, UNMATCHED
from bounty.payees.encryption import PayeeCipher, masked_account, masked_name
from bounty.payment_results.files import PaymentResultFile, PaymentResultRow
from bounty.payment_results.matching import MatchedRow, RequestedPayout, carried, masked, match_rows
from bounty.payment_results.notifications import PayoutResult, notify_payments
from bounty.payment_results.payout_lookup import ids_of, known_to, named

TAKEN, MARKED = "payout.receipt", "payout.mark"
"""The acts in the audit."""


@dataclass(frozen=True, slots=True)
class ImportedResults:
    """What a receipt came to."""

    receipt_id: int
    created: bool
    """False where a receipt that was taken in before says the same, and nothing changed."""
    rows: list[MatchedRow]
    """In the file's order."""

    def count(self, verdict: str) -> int:
        """How many rows have a verdict."""
        return sum(each.verdict == verdict for each in self.rows)


# The payer's receipt


def preview(connection: Connection, file: PaymentResultFile, seal: PayeeCipher) -> list[MatchedRow]:
    """What taking in a receipt would come to, row by row; writes nothing."""
    return match_rows(file.rows, known_to(connection, file.rows, seal, _matched_before(connection, file)))


def import_results(
    connection: Connection, file: PaymentResultFile, seal: PayeeCipher, now: int
) -> ImportedResults:
    """Take in a receipt: each matched row that says something new becomes its payout's outcome.

    The same rows again change nothing, unless rows that could not be matched then can be now.
    """
    wait_for_turn(connection)
    before = _taken_before(connection, file)
    held = _matched_before(connection, file)
    judged = match_rows(file.rows, known_to(connection, file.rows, seal, held))
    matched = sum(each.verdict == MATCHED for each in judged)
    if before is not None and matched <= len(held):
        return ImportedResults(before, False, judged)
    number: int = connection.execute(select(func.coalesce(func.max(Receipt.receipt_id), 0) + 1)).scalar_one()
    user_id = actor_of(connection).user_id
    rows = [_row(each, number) for each in judged]
    connection.execute(insert(ReceiptRow), rows)
    connection.execute(
        insert(Receipt).values(
            receipt_id=number,
            name=file.name,
            sha256=file.sha256,
            told_sha256=file.told_sha256,
            rows=len(rows),
            taken_at=now,
            taken_by_id=user_id,
        )
    )
    outcomes = [_outcome(each, number, user_id, now) for each in judged if each.news]
    if outcomes:
        connection.execute(insert(PayoutOutcome), outcomes)
        notify_payments(connection, map(_result, [each for each in judged if each.news]), now)
    analyze(connection, ReceiptRow, PayoutOutcome)
    taken = ImportedResults(number, True, judged)
    after: JsonObject = {"name": file.name, "sha256": file.sha256, "told_sha256": file.told_sha256}
    after["rows"] = len(rows)
    after |= {verdict.lower(): taken.count(verdict) for verdict in (MATCHED, UNMATCHED, AMBIGUOUS)}
    for word, paid in (("paid", True), ("failed", False)):
        amounts = [each.row.amount_fen for each in judged if each.news and each.row.paid is paid]
        after |= {word: len(amounts), f"{word}_fen": sum(amounts)}
    after["content_sha256"] = content_sha256(connection, number)
    record(connection, TAKEN, subject(number), now, after=after)
    return taken


def subject(receipt_id: int) -> str:
    """What the audit calls a receipt."""
    return f"receipt {receipt_id}"


def content_sha256(connection: Connection, receipt_id: int) -> str:
    """The hash of a receipt's rows and of the outcomes that came from them, as they are stored; hex."""
    of_rows = (
        select(ReceiptRow.__table__).where(ReceiptRow.receipt_id == receipt_id).order_by(ReceiptRow.place)
    )
    of_outcomes = (
        select(PayoutOutcome.__table__)
        .where(PayoutOutcome.receipt_id == receipt_id)
        .order_by(
            PayoutOutcome.place, PayoutOutcome.tranche_id, PayoutOutcome.promoter_id, PayoutOutcome.number
        )
    )
    whole = hashlib.sha256()
    for query in (of_rows, of_outcomes):
        for row in connection.execute(query, execution_options={"yield_per": 1000}):
            whole.update(json.dumps(list(row), ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
    return whole.hexdigest()


def _taken_before(connection: Connection, file: PaymentResultFile) -> int | None:
    """The newest receipt that says the same."""
    same = select(func.max(Receipt.receipt_id)).where(Receipt.told_sha256 == file.told_sha256)
    return connection.execute(same).scalar()


def _matched_before(connection: Connection, file: PaymentResultFile) -> dict[int, str]:
    """Place in the file -> payout, of the rows that were matched when it was last taken in."""
    before = _taken_before(connection, file)
    rows = connection.execute(
        select(ReceiptRow.verdict, ReceiptRow.payout)
        .where(ReceiptRow.receipt_id == before)
        .order_by(ReceiptRow.place)
    ).all()
    return {
        row.place: held.payout
        for row, held in zip(file.rows, rows, strict=before is not None)
        if held.verdict == MATCHED
    }


def _row(judged: MatchedRow, receipt_id: int) -> dict[str, str | int | None]:
    row = judged.row
    return {
        "receipt_id": receipt_id,
        "place": row.place,
        "shown_account": shown_account(row),
        "shown_name": shown_name(row),
        "amount_fen": row.amount_fen,
        "paid": row.paid,
        "serial": row.serial,
        "words": row.words,
        "verdict": judged.verdict,
        "payout": _payout_of(judged),
    }


def _payout_of(judged: MatchedRow) -> str | None:
    """The payout that a row is of, or the one that it names, whether or not these books know it."""
    if judged.payout is not None:
        return judged.payout.payout
    return judged.row.payouts[0] if judged.verdict == UNMATCHED and judged.row.payouts else None


def shown_account(row: PaymentResultRow) -> str:
    """The account that a row names, for people: masked, if the payer has not done so; blank where it names none."""
    return _shown(row.account, masked_account)


def shown_name(row: PaymentResultRow) -> str:
    """The name that a row names, alike."""
    return _shown(row.name, masked_name)


def _shown(text: str | None, mask: Callable[[str], str]) -> str:
    return text if text and masked(text) else mask(text) if text else ""


def _outcome(
    judged: MatchedRow, receipt_id: int, user_id: int | None, now: int
) -> dict[str, str | int | None]:
    assert judged.payout is not None
    of_row = {"receipt_id": receipt_id, "place": judged.row.place}
    return _outcome_row(judged.payout, judged.row.paid, judged.row.words, user_id, now) | of_row


def _result(judged: MatchedRow) -> PayoutResult:
    assert judged.payout is not None
    return _payout_result(judged.payout, judged.row.paid, judged.row.words)


def _payout_result(requested: RequestedPayout, paid: bool, words: str | None) -> PayoutResult:
    """The text of an outcome for the promoter; what a person at finance wrote of it is not for them."""
    tranche_id, promoter_id = ids_of(requested.payout)
    return PayoutResult(promoter_id, tranche_id, requested.outcomes + 1, paid, requested.amount_fen, words)


def _outcome_row(
    requested: RequestedPayout, paid: bool, reason: str | None, user_id: int | None, now: int
) -> dict[str, str | int | None]:
    tranche_id, promoter_id = ids_of(requested.payout)
    return {
        "promoter_id": promoter_id,
        "tranche_id": tranche_id,
        "number": requested.outcomes + 1,
        "paid": paid,
        "reason": reason,
        "user_id": user_id,
        "told_at": now,
    }


# By hand


def mark_by_hand(
    connection: Connection, payouts: Sequence[str], *, paid: bool, reason: str, now: int
) -> list[str]:
    """Mark payouts as paid or failed by hand; returns the ids that changed.

    payouts   their ids, as ``P3-1000939``
    reason    where it is known from

    Raises BountyError, and changes nothing, for an id of no payout that was exported to be paid, without a reason, and
    where one that failed was carried into a later tranche.
    """
    wait_for_turn(connection)
    if not reason.strip():
        raise BountyError(
            "Marking by hand needs a reason: say where it is known from.",
            "逐笔标记须写明依据：从何得知付款结果。",
        )
    ids = list(dict.fromkeys(payouts))
    known = named(connection, [ids_of(each) for each in ids])
    for each in ids:
        if each not in known.requested:
            raise BountyError(known.not_requested[each][1], known.not_requested[each][0])
    news = [known.requested[each] for each in ids if known.requested[each].paid is not paid]
    for requested in news:
        if paid and requested.carried_into is not None:
            zh, en = carried(requested.payout, requested.carried_into)
            raise BountyError(en, zh)
    if not news:
        return []
    user_id = actor_of(connection).user_id
    outcomes = [_outcome_row(requested, paid, reason.strip(), user_id, now) for requested in news]
    connection.execute(insert(PayoutOutcome), outcomes)
    results = (_payout_result(requested, paid, None) for requested in news)
    notify_payments(connection, results, now)
    changed = [requested.payout for requested in news]
    about = changed[0] if len(changed) == 1 else f"{changed[0]} and {len(changed) - 1} more"
    after = {"paid": paid, "outcomes": [[requested.payout, requested.outcomes + 1] for requested in news]}
    record(connection, MARKED, about, now, after=after, reason=reason.strip())
    return changed
