"""Whether a tranche is far beyond what was ever paid: shown before anybody approves it, and decided by people."""

from sqlalchemy import Connection, case, func, select

from bounty.models import Payout, TrancheStep
from bounty.money import grouped_yuan
from bounty.rules.sql_math import sum_or_zero
from bounty.tranches.state import TrancheRow, is_due


def unusual(connection: Connection, tranche: TrancheRow, times: int) -> list[tuple[str, str]]:
    """In what a tranche is beyond ``times`` the greatest that earlier ones paid, in Chinese and English; empty where it
    is usual, or the first."""
    due = case((is_due(), Payout.payable_fen), else_=0)
    each = (
        select(Payout.tranche_id, sum_or_zero(due).label("due_fen"), func.max(due).label("most_fen"))
        .group_by(Payout.tranche_id)
        .subquery("each")
        .c
    )
    exported = select(TrancheStep.tranche_id).where(TrancheStep.step == "EXPORTED")
    past = connection.execute(
        select(func.max(each.due_fen), func.max(each.most_fen)).where(
            each.tranche_id < tranche.tranche_id, each.tranche_id.in_(exported)
        )
    ).one()
    now = connection.execute(
        select(each.due_fen, each.most_fen).where(each.tranche_id == tranche.tranche_id)
    ).first()
    if now is None or not past[0]:
        return []
    warnings = []
    if now.due_fen > past[0] * times:
        warnings.append(
            (
                (
                    f"本批次共付 {grouped_yuan(now.due_fen)}，超过以往最大批次 {grouped_yuan(past[0])} 的 {times} 倍："
                    "批准前请逐项核对。"
                ),
                (
                    f"This tranche pays {grouped_yuan(now.due_fen)}, more than {times} times the largest so far "
                    f"({grouped_yuan(past[0])}): check it before you approve."
                ),
            )
        )
    if past[1] and now.most_fen > past[1] * times:
        warnings.append(
            (
                (
                    f"有一笔付款 {grouped_yuan(now.most_fen)}，超过以往最大一笔 {grouped_yuan(past[1])} 的 {times} 倍："
                    "批准前请逐项核对。"
                ),
                (
                    f"One payout is {grouped_yuan(now.most_fen)}, more than {times} times the largest so far "
                    f"({grouped_yuan(past[1])}): check it before you approve."
                ),
            )
        )
    return warnings
