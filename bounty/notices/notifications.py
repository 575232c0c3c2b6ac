"""Telling promoters that a result was published, and what theirs is."""

from typing import NamedTuple

from sqlalchemy import Connection, and_, select

from bounty.clock import shown
from bounty.db import fetch_all
from bounty.models import Result, RosterEntry, User
from bounty.money import grouped_yuan
from bounty.notifications.outbox import MessageText, announce, notify_promoters
from bounty.roster.programmes import period_in_words
from bounty.rules.clause_texts import BothLanguages
from bounty.rules.periods import Period
from bounty.settlement.service import SettlementRow


class _MailedResult(NamedTuple):
    promoter_id: int
    name: str
    target_gmv_fen: int | None
    target_orders: int | None
    gmv_fen: int
    orders: int
    passed: bool
    subsidy_orders: int
    subsidy_fen: int


def notify_results(
    connection: Connection,
    period: Period,
    number: int,
    draft: SettlementRow,
    changed: set[int] | None,
    now: int,
) -> None:
    """Tell the eligible promoters of a notice their result.

    draft     the settlement that was published
    changed   the promoters whose result this notice states otherwise than the one before; None: all
    """
    rows = {
        row.promoter_id: row
        for row in fetch_all(
            connection,
            select(
                Result.promoter_id,
                RosterEntry.name,
                RosterEntry.target_gmv_fen,
                RosterEntry.target_orders,
                Result.gmv_fen,
                Result.orders,
                Result.passed,
                Result.subsidy_orders,
                Result.subsidy_fen,
            )
            .join(
                RosterEntry,
                and_(RosterEntry.promoter_id == Result.promoter_id, RosterEntry.period == str(period)),
            )
            .join(User, User.promoter_id == Result.promoter_id)
            .where(Result.settlement_id == draft.settlement_id, RosterEntry.reason.is_(None)),
            _MailedResult,
        )
        if changed is None or row.promoter_id in changed
    }

    named = period_in_words(connection, period)

    def letter_for(promoter_id: int) -> MessageText | None:
        row = rows.get(promoter_id)
        return None if row is None else _letter(row, named, number, now)

    cause = f"{period} notice {number}"
    notify_promoters(connection, "result", cause, letter_for, now)
    facts = {
        "period": str(period),
        "notice": number,
        "results": draft.results_rows,
        "lines": draft.lines_rows,
        "subsidy_fen": draft.subsidy_fen,
        "content_sha256": draft.content_sha256,
    }
    announce(connection, "result", cause, facts, now)


def announce_correction(
    connection: Connection,
    period: Period,
    number: int,
    draft: SettlementRow,
    now: int,
    *,
    since: int,
    moved_fen: int,
    results: int,
) -> None:
    """Tell programs that a notice corrects the one before it.

    draft       the settlement that was published
    since       the number of the notice before
    moved_fen   the subsidy, less that of the notice before
    results     promoters whose result changed
    """
    facts = {
        "period": str(period),
        "notice": number,
        "since": since,
        "results": results,
        "subsidy_fen": moved_fen,
        "content_sha256": draft.content_sha256,
    }
    announce(connection, "corrected", f"{period} notice {number}", facts, now)


def _letter(row: _MailedResult, period: BothLanguages, number: int, now: int) -> MessageText:
    verdict = ("已达标", "passed") if row.passed else ("未达标", "not passed")
    gmv, wanted = grouped_yuan(row.gmv_fen), row.target_gmv_fen and grouped_yuan(row.target_gmv_fen)
    zh = f"计入金额 {gmv}{_of('目标', wanted)}；计入订单 {row.orders} 单{_of('目标', row.target_orders)}"
    en = (
        f"{gmv} counted{_of('target', wanted)}; {row.orders} orders counted{_of('target', row.target_orders)}"
    )
    fen, at = grouped_yuan(row.subsidy_fen), shown(now)[:16].replace("T", " ")
    return MessageText(
        (
            f"{period[0]} 期第 {number} 号公示：您{verdict[0]}，预计补贴 {fen}",
            f"{period[1]}, notice {number}: you have {verdict[1]}, expected subsidy {fen}",
        ),
        zh=f"{row.name}：\n{period[0]} 期第 {number} 号公示已于 {at} 发布：您{verdict[0]}。\n{zh}。\n"
        f"预计补贴 {fen}（{row.subsidy_orders} 单），随佣金结算发放。有疑问请在订单页申诉。",
        en=f"{row.name},\nnotice {number} of {period[1]} was published on {at}: you have {verdict[1]}.\n{en}.\n"
        f"Expected subsidy {fen} ({row.subsidy_orders} orders), paid as commissions settle. "
        "Where you disagree, appeal from the order's page.",
        path="/history",
    )


def _of(word: str, target: object) -> str:
    return f" ({word} {target})" if target else ""
