"""Telling promoters what was frozen for them."""

import json

from sqlalchemy import Connection, select

from bounty.clock import shown
from bounty.db import fetch_all
from bounty.models import RosterEntry, User
from bounty.money import grouped_yuan
from bounty.notifications.outbox import MessageText, announce, notify_promoters
from bounty.roster.eligibility import in_words
from bounty.roster.ineligibility_text import ineligibility_text
from bounty.roster.programmes import period_in_words
from bounty.roster.queries import RosterRow
from bounty.rules.clause_texts import BothLanguages, deadline_text
from bounty.rules.periods import Bounds, Period


def notify_targets(connection: Connection, period: Period, bounds: Bounds, now: int) -> None:
    """Tell every promoter on a roster that was just frozen their target, or why they don't take part."""
    entries = {
        row.promoter_id: row
        for row in fetch_all(
            connection,
            select(RosterEntry.__table__)
            .join(User, User.promoter_id == RosterEntry.promoter_id)
            .where(RosterEntry.period == str(period)),
            RosterRow,
        )
    }

    named = period_in_words(connection, period)

    def letter_for(promoter_id: int) -> MessageText | None:
        entry = entries.get(promoter_id)
        return None if entry is None else _letter(entry, named, bounds, now)

    notify_promoters(connection, "target", str(period), letter_for, now)
    announce(connection, "target", str(period), {"period": str(period), "frozen_at": shown(now)}, now)


def _letter(entry: RosterRow, period: BothLanguages, bounds: Bounds, now: int) -> MessageText:
    derivation = json.loads(entry.derivation)
    at = shown(now)[:16].replace("T", " ")
    if entry.reason is not None:
        zh, en = ineligibility_text(entry.reason, entry.level, derivation, None)
        return MessageText(
            (f"{period[0]} 期：本期不参与", f"{period[1]}: you don't take part"),
            zh=f"{entry.name}：\n{period[0]} 期名单已于 {at} 冻结，您本期不参与：{zh}。",
            en=f"{entry.name},\nthe roster of {period[1]} was frozen on {at}, and you don't take part: {en}.",
            path="/",
        )
    parts_zh, parts_en = [], []
    if entry.target_gmv_fen:
        parts_zh.append(f"计入金额 {grouped_yuan(entry.target_gmv_fen)}")
        parts_en.append(f"{grouped_yuan(entry.target_gmv_fen)} counted")
    if entry.target_orders:
        parts_zh.append(f"计入订单 {entry.target_orders} 单")
        parts_en.append(f"{entry.target_orders} orders counted")
    ends_zh, ends_en = deadline_text(bounds.task_until)
    cutoff_zh, cutoff_en = deadline_text(bounds.receipt_cutoff)
    begins = shown(bounds.task_from)[5:10]
    return MessageText(
        (f"{period[0]} 期目标：{'、'.join(parts_zh)}", f"Your target for {period[1]}: {', '.join(parts_en)}"),
        zh=f"{entry.name}：\n{period[0]} 期名单已于 {at} 冻结，您的等级 {entry.level}，目标：{'、'.join(parts_zh)}。\n"
        f"目标由来：{in_words(derivation, chinese=True)}。\n"
        f"推广期 {begins} 至 {ends_zh}，收货截止 {cutoff_zh}。",
        en=f"{entry.name},\nthe roster of {period[1]} was frozen on {at}. Your level is {entry.level}, your target "
        f"{' and '.join(parts_en)}.\nHow it came about: {in_words(derivation, chinese=False)}.\n"
        f"The task runs from {begins} to {ends_en}; receipts count until {cutoff_en}.",
        path="/",
    )
