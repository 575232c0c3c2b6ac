"""Reminding promoters of orders that still need their receipt."""

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, and_, select

from bounty.audit.service import record
from bounty.clock import shanghai_date, shown
from bounty.db import Query, fetch_all
from bounty.models import PromoterProgress, RosterEntry
from bounty.money import grouped_yuan
from bounty.notifications.outbox import MessageText, announce, notify_promoters
from bounty.roster.programmes import period_in_words
from bounty.roster.terms import open_period
from bounty.rules.clause_texts import BothLanguages, deadline_text
from bounty.rules.periods import Period


@dataclass(frozen=True, slots=True)
class Reminded:
    """What a reminder came to."""

    promoters: int
    """Who has orders that still need their receipt."""
    mailed: int
    """Of them, who has an account and wants to know."""
    orders: int
    capped_fen: int
    """What they would count, whole fen."""


class PendingOrders(NamedTuple):
    """A promoter's orders that count once they are received."""

    promoter_id: int
    orders: int
    capped_fen: int


def remind(connection: Connection, period: Period, now: int) -> Reminded:
    """Tell every eligible promoter with orders pending what still needs its receipt, and until when; once a day.

    Raises BountyError if the period is not open.
    """
    bounds = open_period(connection, period)
    pending = {row.promoter_id: row for row in fetch_all(connection, pending_of(period), PendingOrders)}
    deadline, named = deadline_text(bounds.receipt_cutoff), period_in_words(connection, period)

    def letter_for(promoter_id: int) -> MessageText | None:
        row = pending.get(promoter_id)
        return (
            None
            if row is None
            else _letter(row, named, f"/months/{period}/orders?verdict=pending", deadline, now)
        )

    day = shanghai_date(now).isoformat()
    mailed = notify_promoters(connection, "receipts", f"{period} {day}", letter_for, now)
    reminded = Reminded(
        len(pending),
        mailed,
        sum(row.orders for row in pending.values()),
        sum(row.capped_fen for row in pending.values()),
    )
    facts = {
        "promoters": reminded.promoters,
        "orders": reminded.orders,
        "amount_fen": reminded.capped_fen,
    }
    until_at = {"period": str(period), "receipts_until": shown(bounds.receipt_cutoff)}
    announce(connection, "receipts", f"{period} {day}", {**until_at, **facts}, now)
    record(connection, "receipts.remind", str(period), now, after=facts | {"mailed": mailed})
    return reminded


def pending_of(period: Period) -> Query:
    """Every eligible promoter's orders that count once they are received, as ``PendingOrders``."""
    total, entry = PromoterProgress, RosterEntry
    return (
        select(total.promoter_id, total.pending_orders.label("orders"), total.pending_fen.label("capped_fen"))
        .join(entry, and_(entry.promoter_id == total.promoter_id, entry.period == total.period))
        .where(total.period == str(period), entry.reason.is_(None), total.pending_orders > 0)
    )


def _letter(
    row: PendingOrders, period: BothLanguages, path: str, deadline: BothLanguages, now: int
) -> MessageText:
    fen, at = grouped_yuan(row.capped_fen), shown(now)[:16].replace("T", " ")
    orders = "1 order" if row.orders == 1 else f"{row.orders} orders"
    need = "needs" if row.orders == 1 else "need"
    return MessageText(
        (
            f"{period[0]} 期：还有 {row.orders} 单、{fen} 须在 {deadline[0]}前确认收货",
            f"{period[1]}: {orders}, {fen} still {need} receipt by {deadline[1]}",
        ),
        zh=f"截至 {at}，您 {period[0]} 期还有 {row.orders} 单（计入金额 {fen}）等待买家确认收货。\n"
        f"{deadline[0]}前收货才计入任务；之后收货不计入任务。",
        en=f"As of {at}, {orders} of yours in {period[1]} ({fen} to the task) {need} the buyer's receipt.\n"
        f"What is received by {deadline[1]} counts to the task; what is received later does not.",
        path=path,
    )
