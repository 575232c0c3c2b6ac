"""Texts about the state of an order's subsidy and the result of a payment, in the reader's language."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from bounty.accounting.promoter_statement import STATES, PayeeState
from bounty.rules.clause_texts import BothLanguages
from bounty.tranches.entitlement import LINE_CAUSES, VOID_REASONS
from bounty.web.shared.formats import full_moment, money
from bounty.web.shared.language import t

METHODS: dict[str, BothLanguages] = {"alipay": ("支付宝", "Alipay"), "bank": ("银行卡", "bank account")}
"""Method of a payee -> its name."""
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


def english_date(day: date) -> str:
    """``20 Jan 2023``."""
    return f"{day.day} {day:%b %Y}"


def reason(code: str) -> str:
    """The text of a reason code."""
    return t(*REASONS[code])


@dataclass(frozen=True, slots=True)
class PayeeSentence:
    """What a promoter reads of where they are paid."""

    style: str
    """``refused`` where something is to be done about it, or ``quiet``."""
    text: str


def payee(state: PayeeState, contact: str) -> PayeeSentence:
    """Where a promoter is paid; without a payee, what is held for it and where to send it.

    contact   an address, as text
    """
    if state.method is None:
        held = money(state.held_fen)
        text = (
            t(
                f"没有您的收款信息，{held} 暂扣；请把收款信息发到 {contact}。",
                f"Your payment details are not on file, and {held} is held; send them to {contact}.",
            )
            if state.held_fen
            else t(
                f"没有您的收款信息：请在发放前发到 {contact}。",
                f"Your payment details are not on file: send them to {contact} before you are paid.",
            )
        )
        return PayeeSentence("refused", text)
    zh, en = METHODS[state.method]
    if not state.in_force:
        text = t(
            f"您的收款信息（{zh} {state.shown_account}）正在审核。",
            f"Your payment details ({en} {state.shown_account}) wait for approval.",
        )
    else:
        text = t(
            f"收款账户：{zh} {state.shown_account}。有误请联系 {contact}。",
            f"You are paid to {en} {state.shown_account}. If that is wrong, write to {contact}.",
        )
    return PayeeSentence("quiet", text)


def whereabouts(line: Any, pays_on: date | None) -> str:
    """The state of a line of a published month as a sentence: what it waits for, or how it ended.

    line      a row of ``promoter_statement.month_lines``
    pays_on   the day on which it is expected to be paid; None where nobody knows
    """
    number = line.tranche_id
    sentences: dict[str, BothLanguages] = {
        "EXPECTED": (
            "收货并审核后，随佣金结算发放" if pays_on is None else f"佣金结算后发放，约 {pays_on:%Y-%m-%d}",
            "paid once it is received, audited and its commission settles"
            if pays_on is None
            else f"paid once its commission settles, about {english_date(pays_on)}",
        ),
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
        assert pays_on is not None
        text = t(
            f"佣金结算于 {at}，进入下一批，约 {pays_on:%Y-%m-%d}",
            f"its commission settled {at}; it goes into the next tranche, about {english_date(pays_on)}",
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


def if_published(pays_on: date | None) -> str:
    """When a line of a month without a notice would be paid, as a sentence."""
    if pays_on is None:
        return t("达标、公示并收货后发放", "paid once passed, published and received")
    return t(
        f"达标并公示后发放，约 {pays_on:%Y-%m-%d}",
        f"once passed and published, about {english_date(pays_on)}",
    )


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
