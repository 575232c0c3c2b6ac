"""The columns of payers' result files, by the words that payers use for them."""

import re
from typing import Final

from bounty.files import cells
from bounty.files.columns import REQUIRED, FileColumn, HeaderMatch, Read, match_headers
from bounty.files.headers import HeaderRefused
from bounty.files.problems import Fault

WORDS_LIMIT: Final = 500
"""Characters of what a payer says of one payment."""
PAYOUT_ID: Final = re.compile(r"P[1-9][0-9]{0,8}-[1-9][0-9]{0,14}")
_PAID: Final = {
    **dict.fromkeys(("成功", "付款成功", "转账成功", "交易成功", "支付成功", "已付款", "paid"), True),
    **dict.fromkeys(
        ("失败", "付款失败", "转账失败", "交易失败", "支付失败", "退票", "已退票", "failed"), False
    ),
    "处理中": None,
}
"""What a payer says of a payment -> whether it went through; null where it is not known yet."""
_WECHAT_ID: Final = re.compile(r"\A(P[0-9]+)X(?=[0-9]+\Z)")
_EXPONENT: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?[eE][+-]?[0-9]+")
_FOUND_SHOWN: Final = 30
"""Headers that a refusal lists."""


def _payment(text: str) -> bool | None:
    if text not in _PAID:
        raise Fault("payment status")
    return _PAID[text]


def _payout(text: str) -> str:
    # WeChat takes letters and digits only, so that its file has P3X1000939 for P3-1000939.
    bare = _WECHAT_ID.sub(r"\1-", cells.unwrapped(text))
    if not PAYOUT_ID.fullmatch(bare):
        raise Fault("payout")
    return bare


_words = cells.text_up_to(WORDS_LIMIT)


def _account(text: str) -> str:
    bare = _words(cells.unwrapped(text))
    if _EXPONENT.fullmatch(bare):
        raise Fault("mangled id")
    return bare


_PLAIN: Final = (
    FileColumn("payout_id", "payout", _payout, blank=None, may_lack=True),
    FileColumn("account", "account", _account, blank=None, may_lack=True),
    FileColumn("payee_name", "name", _words, blank=None, may_lack=True),
    FileColumn("amount_yuan", "amount_fen", cells.yuan),
    FileColumn("status", "paid", _payment),
    FileColumn("serial", "serial", _account, blank=None, may_lack=True),
    FileColumn("reason", "words", _words, blank=None, may_lack=True),
)
_REMARKS: Final = ("备注", "附言", "附言/用途", "用途", "摘要", "转账备注", "付款备注", "付款理由")
"""Headers of the remark of the payment order: any of them may hold the payout's id."""
_WORDS: Final[dict[str, tuple[tuple[str, ...], Read]]] = {
    "payout": (("付款编号", "商家明细单号"), _payout),
    "account": (
        (
            "收款账号", "收款账户", "收款方账号", "收款方账户", "收款人账号", "收款人账户", "收款方支付宝账号",
            "收款支付宝账号", "收款卡号", "收款银行账号", "对方账号",
        ),
        _account,
    ),
    "name": (
        (
            "姓名", "户名", "收款人", "收款人姓名", "收款人名称", "收款方姓名", "收款方名称", "收款方户名", "收款户名",
            "收款账户名称", "对方户名", "收款用户姓名",
        ),
        _words,
    ),
    "amount_fen": (("金额", "付款金额", "转账金额", "交易金额", "支付金额"), cells.yuan),
    "paid": (
        ("状态", "付款状态", "转账状态", "交易状态", "支付状态", "处理状态", "处理结果", "付款结果", "交易结果"),
        _payment,
    ),
    "serial": (
        ("流水号", "支付宝流水号", "交易流水号", "银行流水号", "支付宝交易号", "交易号", "微信明细单号"),
        _account,
    ),
    "words": (("失败原因", "退票原因", "错误原因", "失败信息", "错误信息", "处理信息"), _words),
}  # fmt: skip
"""Fact -> the headers that payers give it, of which a file has one at most, and its grammar."""
_REQUIRED: Final = ("amount_fen", "paid")
_AMOUNT_UNITS: Final = ("", "(元)", "(必填,单位:元)", "(单位:元)")
"""Behind the word for the amount. Without any it is yuan, as in the files that payers take."""
_TEMPLATE: Final = re.compile(r"\((?:必填|选填)\)\Z")


def result_columns(header: list[str]) -> HeaderMatch:
    """Where the columns of a result file stand: of Alipay's, of WeChat's, of a bank's, or of the plain CSV's.

    Facts are payout, account, name, amount_fen, paid, serial, words, and remark_1 and on.

    header   names after NFKC and trimming
    Raises   RefusedFile E-HEAD where it is no result file's, or has two columns for one fact
    """
    if {"amount_yuan", "status"} <= {*header}:
        if "payout_id" in header or {"account", "payee_name"} <= {*header}:
            return match_headers(_PLAIN, header)
        raise _no_receipt(header, len(_REQUIRED))
    columns, doubled = [], []
    for fact, (words, read) in _WORDS.items():
        found = [name for name in dict.fromkeys(header) if _word_of(fact, name) in words]
        if len(found) > 1:
            doubled += found
        blank = REQUIRED if fact in _REQUIRED else None
        columns += [FileColumn(name, fact, read, blank=blank) for name in found]
    facts = {column.fact for column in columns}
    remarks = [name for name in dict.fromkeys(header) if _TEMPLATE.sub("", name) in _REMARKS]
    whose = "payout" in facts or {"account", "name"} <= facts or bool(remarks)
    if not whose or not facts.issuperset(_REQUIRED):
        raise _no_receipt(header, len(facts))
    if doubled:
        raise HeaderRefused("columns of one meaning", len(facts), columns=", ".join(doubled))
    columns += [
        FileColumn(name, f"remark_{number}", _words, blank=None) for number, name in enumerate(remarks, 1)
    ]
    return match_headers(tuple(columns), header)


def _word_of(fact: str, name: str) -> str:
    """A header without what stands behind its word: the unit of an amount, or the mark of a template."""
    if fact != "amount_fen":
        return _TEMPLATE.sub("", name)
    word, bracket, _ = name.partition("(")
    return word if name[len(word) :] in _AMOUNT_UNITS or not bracket else name


def _no_receipt(header: list[str], recognised: int) -> HeaderRefused:
    found = ", ".join([name for name in header if name][:_FOUND_SHOWN])
    return HeaderRefused("receipt", recognised, found=found or "—")
