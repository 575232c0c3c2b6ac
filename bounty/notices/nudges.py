"""Reminding the promoters who can still pass and are behind, of what is missing; at most one reminder a day."""

from sqlalchemy import Connection, func, select

from bounty.audit.service import record
from bounty.clock import shanghai_date, shown
from bounty.db import fetch_all
from bounty.errors import BountyError
from bounty.models import Message
from bounty.money import grouped_yuan
from bounty.notices.period_status import period_status
from bounty.notices.results_query import ResultNow, results_query
from bounty.notifications.outbox import MessageText, notify_promoters
from bounty.roster.terms import PeriodRow
from bounty.rules.clause_texts import deadline_text
from bounty.rules.periods import Period


def nudge(connection: Connection, period: Period, now: int) -> tuple[int, int]:
    """Mail everybody in a period who needs a nudge what is missing, and until when; how many need one, and how many are
    mailed: who has an account, wants reminders, and got none of the period today.

    Raises BountyError once the period is settled or its receipt cutoff has passed, or where it is not open.
    """
    stage = period_status(connection, period, now)
    if stage.newest is not None or now >= stage.bounds.receipt_cutoff:
        raise BountyError(
            f"The receipt cutoff of {period} has passed: nothing can be made up any more.",
            f"{period} 期的收货截止已过，不能再补。",
        )
    row = results_query(stage.bounds, stage.terms, now=now).subquery("row")
    behind = {
        each.promoter_id: each
        for each in fetch_all(
            connection, row.select().where(row.c.outlook == "NUDGE", row.c.passed == 0), ResultNow
        )
    }

    def letter_for(promoter_id: int) -> MessageText | None:
        each = behind.get(promoter_id)
        return None if each is None else _letter(each, period, stage.bounds, now)

    day = shanghai_date(now).isoformat()
    # The same cause as the reminders of the calendar: one of the two a day.
    before = _reminders(connection)
    notify_promoters(connection, "receipts", f"{period} {day}", letter_for, now)
    mailed = _reminders(connection) - before
    record(connection, "receipts.nudge", str(period), now, after={"promoters": len(behind), "mailed": mailed})
    return len(behind), mailed


def _reminders(connection: Connection) -> int:
    return connection.execute(select(func.count()).where(Message.kind == "receipts")).scalar_one()


def _letter(each: ResultNow, period: Period, bounds: PeriodRow, now: int) -> MessageText:
    fen = max(0, (each.target_gmv_fen or 0) - (each.gmv_fen or 0))
    orders = max(0, (each.target_orders or 0) - (each.orders or 0))
    missing_zh = "、".join([*([f"{orders} 单"] if orders else []), *([grouped_yuan(fen)] if fen else [])])
    missing_en = " and ".join(
        [
            *(["1 order" if orders == 1 else f"{orders} orders"] if orders else []),
            *([grouped_yuan(fen)] if fen else []),
        ]
    )
    at, (zh, en) = shown(now)[:16].replace("T", " "), deadline_text(bounds.receipt_cutoff)
    task_zh, task_en = deadline_text(bounds.task_until)
    pending = grouped_yuan(each.pending_fen or 0)
    waits_zh = f"其中 {each.pending_orders} 单（{pending}）只等买家确认收货。\n"
    waits_en = f"Of them {each.pending_orders} ({pending}) only wait for the buyer's receipt.\n"
    return MessageText(
        (f"{period} 期：距离达标还差 {missing_zh}", f"{period}: {missing_en} to go"),
        zh=f"截至 {at}，您距离 {period} 期的目标还差 {missing_zh}。\n"
        f"{waits_zh if each.pending_orders else ''}推广至 {task_zh}，{zh} 前确认收货的才计入任务。",
        en=f"As of {at}, you are {missing_en} short of the target of {period}.\n"
        f"{waits_en if each.pending_orders else ''}Orders paid by {task_en} and received by {en} count.",
        path=f"/months/{period}/orders?verdict=pending" if each.pending_orders else "/task",
    )
