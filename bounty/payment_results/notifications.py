"""Messages to promoters about the results of their payments, and that a payment is held as no payee is on file."""

from collections import defaultdict
from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import Connection

from bounty.money import grouped_yuan
from bounty.notifications.outbox import MessageText, announce, notify_promoters


class PayoutResult(NamedTuple):
    """The result of one payout."""

    promoter_id: int
    tranche_id: int
    number: int
    """Of the outcome: a payout may be reported as failed, and later as paid."""
    paid: bool
    amount_fen: int
    reason: str | None
    """The payer's words."""


def notify_payments(connection: Connection, results: Iterable[PayoutResult], now: int) -> None:
    """Send each promoter with an account the results of their payouts; once for each outcome."""
    together: dict[tuple[int, int], dict[int, PayoutResult]] = defaultdict(dict)
    for result in results:
        together[result.tranche_id, result.number][result.promoter_id] = result
    for (tranche_id, number), found in together.items():

        def letter_for(promoter_id: int, found: dict[int, PayoutResult] = found) -> MessageText | None:
            result = found.get(promoter_id)
            return None if result is None else _letter(result)

        notify_promoters(connection, "payment", f"tranche {tranche_id} outcome {number}", letter_for, now)
        for paid in (True, False):
            _announce(
                connection, tranche_id, number, [each for each in found.values() if each.paid is paid], now
            )


def _announce(
    connection: Connection, tranche_id: int, number: int, results: list[PayoutResult], now: int
) -> None:
    """Tell programs of payouts of one tranche that were paid, or that failed; the API lists which."""
    if not results:
        return
    # Two receipts may each tell the first outcome of payouts of one tranche.
    whom = sha256(" ".join(str(promoter) for promoter in sorted(r.promoter_id for r in results)).encode())
    cause = f"tranche {tranche_id} outcome {number} {whom.hexdigest()[:12]}"
    amount_fen = sum(result.amount_fen for result in results)
    event = {"tranche": tranche_id, "payouts": len(results), "amount_fen": amount_fen}
    announce(connection, "paid" if results[0].paid else "unpaid", cause, event, now)


def _letter(result: PayoutResult) -> MessageText:
    amount, path = grouped_yuan(result.amount_fen), f"/payments/{result.tranche_id}"
    if result.paid:
        return MessageText(
            (f"补贴 {amount} 已发放", f"Your subsidy of {amount} was paid"),
            zh=f"第 {result.tranche_id} 批的补贴 {amount} 已付到您的收款账户。包含哪些订单见明细。",
            en=f"{amount} of tranche {result.tranche_id} was paid to your account. The page lists its orders.",
            path=path,
        )
    zh, en = result.reason or "付款方没有说明原因", result.reason or "the payer did not say why"
    return MessageText(
        (f"补贴 {amount} 没有付成", f"Your subsidy of {amount} could not be paid"),
        zh=f"第 {result.tranche_id} 批的补贴 {amount} 没有付成：{zh}。\n"
        "金额转入下一批；请核对收款信息，有误请联系运营。",
        en=f"{amount} of tranche {result.tranche_id} could not be paid: {en}.\nThe amount goes into the next tranche. "
        "Check your payment details, and tell operations if they are wrong.",
        path=path,
    )
