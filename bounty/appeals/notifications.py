"""Telling a promoter that operations answered an appeal, or ask something more."""

from sqlalchemy import Connection

from bounty.appeals.queries import AppealRow
from bounty.clock import shown
from bounty.notifications.outbox import MessageText, announce, notify_promoters
from bounty.rules.periods import Period

_VERDICTS = {
    "ACCEPTED": (
        "成立",
        "was accepted",
        "更正会进入下一号公示。",
        "The correction goes into the next notice.",
    ),
    "DECLINED": ("被驳回", "was declined", "", ""),
    "ASKED": ("需要您补充", "needs more of you", "请在申诉页补充。", "Please reply on the appeal's page."),
}
"""Verdict -> what it is called, and what comes of it, in Chinese and English."""


def notify_answer(
    connection: Connection, appeal: AppealRow, number: int, verdict: str, words: str, now: int
) -> None:
    """Tell the promoter of an appeal, if they have an account, what operations answered.

    number   of the answer
    """
    about_zh = f"订单 {appeal.order_sn}" if appeal.order_sn else f"{appeal.period} 期结果"
    about_en = f"order {appeal.order_sn}" if appeal.order_sn else f"the result of {appeal.period}"
    zh, en, then_zh, then_en = _VERDICTS[verdict]
    letter = MessageText(
        (f"申诉 {appeal.appeal_id} {zh}：{about_zh}", f"Appeal {appeal.appeal_id} {en}: {about_en}"),
        zh=f"运营答复：{words}\n{then_zh}".rstrip(),
        en=f"Operations answered: {words}\n{then_en}".rstrip(),
        path=f"/appeals/{appeal.appeal_id}",
    )

    def letter_for(promoter_id: int) -> MessageText | None:
        return letter if promoter_id == appeal.promoter_id else None

    notify_promoters(connection, "appeal", f"appeal {appeal.appeal_id} answer {number}", letter_for, now)


def announce_appeal(
    connection: Connection, appeal_id: int, period: Period, order_sn: str | None, due_at: int, now: int
) -> None:
    """Tell programs that an appeal was opened; who asks, and what about, is on its page alone."""
    about = "result" if order_sn is None else "order"
    event = {"appeal": appeal_id, "period": str(period), "about": about, "due_at": shown(due_at)}
    announce(connection, "appealed", f"appeal {appeal_id}", event, now)


def announce_answer(connection: Connection, appeal: AppealRow, number: int, verdict: str, now: int) -> None:
    """Send the event that operations answered an appeal, or returned a question."""
    event = {"appeal": appeal.appeal_id, "period": appeal.period, "answer": number, "verdict": verdict}
    announce(connection, "answered", f"appeal {appeal.appeal_id} answer {number}", event, now)
