"""Texts about the state of an order's subsidy and the result of a payment, in the reader's language."""

from typing import Any

from bounty.accounting.promoter_statement import STATES
from bounty.rules.clause_texts import BothLanguages
from bounty.tranches.entitlement import LINE_CAUSES, VOID_REASONS
from bounty.web.shared.formats import full_moment, money
from bounty.web.shared.language import t

CHIPS = {
    "EXPECTED": "wait",
    "PAYABLE": "ok",
    "PREPARED": "ok",
    "PAYING": "ok",
    "HELD": "wait",
    "FAILED": "bad",
    "PAID": "ok",
    "SET_OFF": "ok",
    "TAKEN_BACK": "bad",
    "VOID": "bad",
}
"""State -> style of its label on pages."""
REASONS: dict[str, BothLanguages] = {
    **LINE_CAUSES,
    **VOID_REASONS,
    "FAILED": ("订单已退款、审核失败或处罚", "the order was refunded, failed its audit or was punished"),
    "MOVED": ("订单已不属于您或不在本期", "the order is no longer yours, or of another month"),
}
"""Code of a reason why a line is void, taken back or corrected -> text for the promoter."""


def state_name(state: str) -> str:
    """The name of a state of ``promoter_statement.STATES``."""
    return t(*STATES[state])


def reason(code: str) -> str:
    """The text of a reason code."""
    return t(*REASONS[code])


def whereabouts(line: Any, lapses_at: int | None) -> str:
    """The state of a line of a published month as a sentence: what it waits for, or how it ended.

    line        a row of ``promoter_statement.month_lines``
    lapses_at   first instant at which a settled commission is too late; None if the terms have no such limit
    """
    number = line.tranche_id
    sentences: dict[str, BothLanguages] = {
        "EXPECTED": ("佣金结算后发放", "paid once its commission settles"),
        "PREPARED": (f"在第 {number} 批，还没有交付款方", f"in tranche {number}, not sent to the payer yet"),
        "PAYING": (f"第 {number} 批已交付款方，等结果", f"tranche {number} is with the payer"),
        "HELD": (
            f"第 {number} 批：没有您的收款信息，请联系运营登记",
            f"tranche {number}: no payee of yours is on file; ask operations",
        ),
        "FAILED": (
            f"第 {number} 批没有付成，金额转入下一批",
            f"tranche {number} failed; the amount goes into the next",
        ),
        "SET_OFF": (f"第 {number} 批抵扣了此前的欠款", f"set off against a debt in tranche {number}"),
    }
    if line.state == "PAYABLE":
        at = full_moment(line.settled_at)
        text = t(
            f"佣金结算于 {at}，进入下一批", f"its commission settled {at}; it goes into the next tranche"
        )
    elif line.state == "PAID":
        at = full_moment(line.told_at)
        text = t(f"第 {number} 批，{at}", f"tranche {number}, {at}")
    elif line.state == "VOID":
        text = reason(line.why)
    elif line.state == "TAKEN_BACK":
        when = t("，下一批扣回", "; to be taken back in the next tranche") if line.open_fen < 0 else ""
        text = reason(line.why) + when
    else:
        text = t(*sentences[line.state])
    if line.open_fen and line.state not in ("EXPECTED", "PAYABLE", "TAKEN_BACK"):
        more = money(line.open_fen)
        text += t(f"；另有更正 {more} 待入批次", f"; a correction of {more} is to come")
    return text


def came_of(payment: Any) -> str:
    """The result of a payment and its consequence, as a sentence.

    payment   a row of ``promoter_statement.payments``
    """
    if payment.fate == "HELD":
        return t(
            "没有您的收款信息：请联系运营登记，金额转入下一批",
            "no payee of yours is on file: ask operations; the amount goes into the next tranche",
        )
    if payment.fate == "FAILED":
        words = payment.words or t("付款方没有说明", "the payer did not say why")
        return t(
            f"付款方：{words}；金额转入下一批",
            f"the payer says: {words}; the amount goes into the next tranche",
        )
    if payment.fate == "PAID":
        return t(
            f"{full_moment(payment.told_at)} 付至 {payment.account}",
            f"{full_moment(payment.told_at)} to {payment.account}",
        )
    if payment.fate == "PAYING":
        return t("已交付款方，等结果", "with the payer")
    if payment.fate == "PREPARED":
        return t("还没有交付款方，内容可能再变", "not sent to the payer yet; it may still change")
    return t("没有应付款", "nothing is payable")


def of_line(row: Any) -> str:
    """Why a line is in its tranche, and which earlier tranche it corrects.

    row   a row of ``promoter_statement.payment_lines``
    """
    text = reason(row.cause)
    if row.corrects_id is None:
        return text
    return text + t(f"（原在第 {row.corrects_id} 批）", f" (first paid in tranche {row.corrects_id})")
