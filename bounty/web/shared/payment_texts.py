"""Texts about the state of an order's subsidy and the result of a payment, in the reader's language."""

from dataclasses import dataclass
from datetime import date

from bounty.accounting.promoter_statement import MonthLine, PayeeState, PaymentLine, PaymentRow, SubsidyState
from bounty.models import LineCause
from bounty.models.payees import PayeeMethod
from bounty.rules.clause_texts import BothLanguages
from bounty.tranches.entitlement import VoidReason
from bounty.web.shared.formats import full_moment, money
from bounty.web.shared.language import _, in_language, language, listed

METHODS: dict[str, BothLanguages] = PayeeMethod.labels() | {"bank": ("银行卡", "bank account")}
"""Method of a payee -> its name within a sentence."""
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
    **LineCause.labels(),
    **VoidReason.labels(),
    "FAILED": ("订单已退款、审核失败或处罚", "the order was refunded, failed its audit or was punished"),
    "MOVED": ("订单已不属于您或不在本期", "the order is no longer yours, or of another month"),
}
"""Code of a reason why a line is void, taken back or corrected -> text for the promoter."""


def state_name(state: str) -> str:
    """The name of a SubsidyState."""
    return in_language(*SubsidyState.labels()[state])


def english_date(day: date) -> str:
    """``20 Jan 2023``."""
    return f"{day.day} {day:%b %Y}"


def _date(day: date) -> str:
    return f"{day:%Y-%m-%d}" if language() == "zh" else english_date(day)


def reason(code: str) -> str:
    """The text of a reason code."""
    return in_language(*REASONS[code])


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
            _("没有您的收款信息，%(held)s 暂扣；请把收款信息发到 %(contact)s。", held=held, contact=contact)
            if state.held_fen
            else _("没有您的收款信息：请在发放前发到 %(contact)s。", contact=contact)
        )
        return PayeeSentence("refused", text)
    method = in_language(*METHODS[state.method])
    if not state.in_force:
        text = _(
            "您的收款信息（%(method)s %(account)s）正在审核。", method=method, account=state.shown_account
        )
    else:
        text = _(
            "收款账户：%(method)s %(account)s。有误请联系 %(contact)s。",
            method=method,
            account=state.shown_account,
            contact=contact,
        )
    return PayeeSentence("quiet", text)


def whereabouts(line: MonthLine, pays_on: date | None) -> str:
    """The state of a line of a published month as a sentence: what it waits for, or how it ended.

    line      a row of ``promoter_statement.month_lines``
    pays_on   the day on which it is expected to be paid; None where nobody knows
    """
    text = _whereabouts(line, pays_on)
    if line.open_fen and line.state not in ("EXPECTED", "PAYABLE", "TAKEN_BACK"):
        more = _("另有更正 %(amount)s 待入批次", amount=money(line.open_fen))
        return listed((text, more), ";")
    return text


def _whereabouts(line: MonthLine, pays_on: date | None) -> str:
    if line.state in ("VOID", "TAKEN_BACK"):
        assert line.why is not None
        if line.state == "VOID" or line.open_fen >= 0:
            return reason(line.why)
        return listed((reason(line.why), _("下一批扣回")), ";")
    if line.state == "EXPECTED":
        return (
            _("收货并审核后，随佣金结算发放")
            if pays_on is None
            else _("佣金结算后发放，约 %(day)s", day=_date(pays_on))
        )
    if line.state == "PAYABLE":
        assert pays_on is not None
        assert line.settled_at is not None
        return _(
            "佣金结算于 %(at)s，进入下一批，约 %(day)s", at=full_moment(line.settled_at), day=_date(pays_on)
        )
    return _in_tranche(line)


def _in_tranche(line: MonthLine) -> str:
    number = line.tranche_id
    at = "" if line.told_at is None else full_moment(line.told_at)
    sentences = {
        "PREPARED": _("在第 %(number)s 批，还没有交付款方", number=number),
        "PAYING": _("第 %(number)s 批已交付款方，等结果", number=number),
        "HELD": _("第 %(number)s 批：没有您的收款信息，请联系运营登记", number=number),
        "FAILED": _("第 %(number)s 批没有付成，金额转入下一批", number=number),
        "SET_OFF": _("第 %(number)s 批抵扣了此前的欠款", number=number),
        "PAID": _("第 %(number)s 批，%(at)s", number=number, at=at),
    }
    return sentences[line.state]


def if_published(pays_on: date | None) -> str:
    """When a line of a month without a notice would be paid, as a sentence."""
    if pays_on is None:
        return _("达标、公示并收货后发放")
    return _("达标并公示后发放，约 %(day)s", day=_date(pays_on))


def came_of(payment: PaymentRow) -> str:
    """The result of a payment and its consequence, as a sentence.

    payment   a row of ``promoter_statement.payments``
    """
    if payment.fate == "HELD":
        return _("没有您的收款信息：请联系运营登记，金额转入下一批")
    if payment.fate == "FAILED":
        words = payment.words or _("付款方没有说明")
        return _("付款方：%(words)s；金额转入下一批", words=words)
    if payment.fate == "PAID":
        assert payment.told_at is not None
        return _(
            "%(full_moment)s 付至 %(account)s",
            full_moment=full_moment(payment.told_at),
            account=payment.account,
        )
    if payment.fate == "PAYING":
        return _("已交付款方，等结果")
    if payment.fate == "PREPARED":
        return _("还没有交付款方，内容可能再变")
    return _("没有应付款")


def of_line(row: PaymentLine) -> str:
    """Why a line is in its tranche, and which earlier tranche it corrects.

    row   a row of ``promoter_statement.payment_lines``
    """
    if row.corrects_id is None:
        return reason(row.cause)
    return _("%(reason)s（原在第 %(tranche)s 批）", reason=reason(row.cause), tranche=row.corrects_id)
