"""Messages to promoters whose payment is held, as no payee is on file; and the event that a tranche was exported."""

from sqlalchemy import Connection, select

from bounty.clock import shown
from bounty.models import Payout
from bounty.money import grouped_yuan
from bounty.notifications.outbox import MessageText, announce, notify_promoters
from bounty.tranches.state import TrancheRow, is_held


def notify_held(connection: Connection, tranche_id: int, now: int) -> None:
    """Tell each promoter with an account what a tranche that leaves holds for want of a payee; once a tranche."""
    held = select(Payout.promoter_id, Payout.payable_fen).where(Payout.tranche_id == tranche_id, is_held())
    fen_of = {row.promoter_id: row.payable_fen for row in connection.execute(held)}

    def letter_for(promoter_id: int) -> MessageText | None:
        fen = fen_of.get(promoter_id)
        return None if fen is None else _letter(grouped_yuan(fen), tranche_id)

    notify_promoters(connection, "payment", f"tranche {tranche_id} held", letter_for, now)


def announce_export(connection: Connection, tranche: TrancheRow, now: int) -> None:
    """Send the event that a tranche was exported to the payer.

    tranche   its row as it stood before
    """
    event = {
        "tranche": tranche.tranche_id,
        "settled_before": shown(tranche.settled_before),
        "payouts": tranche.promoters_due,
        "due_fen": tranche.due_fen,
        "content_sha256": tranche.content_sha256,
    }
    announce(connection, "tranche", f"tranche {tranche.tranche_id}", event, now)


def _letter(amount: str, tranche_id: int) -> MessageText:
    return MessageText(
        (f"没有您的收款信息，{amount} 暂扣", f"{amount} is held: your payment details are missing"),
        zh=f"第 {tranche_id} 批应付您 {amount}，但没有您的收款信息，暂扣到下一批。\n"
        "请尽快提供收款信息，发到哪里见「发放记录」页。",
        en=f"{amount} of tranche {tranche_id} is due to you, and your payment details are not on file: it is held "
        "until the next tranche.\nThe page of your payments says where to send them.",
        path="/payments",
    )
