"""What the payers take: 支付宝批量付款 and 微信批量转账 as their templates have them, and a bank's file.

Each is parted at a payer's limit. WeChat's is in UTF-8 with a mark, the others in GBK.
"""

import hashlib
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from typing import Final

from bounty.errors import BountyError
from bounty.files.cells import FORMULA_STARTS
from bounty.money import shown_yuan
from bounty.payees.encryption import PayeeDetails
from bounty.settlement.files import FileFacts

REMARK_LIMIT: Final = 20
"""Characters of a remark before the payout's id."""
REFUSED_WORDS: Final = (
    "补贴", "奖金", "奖励", "返现", "返利", "返佣", "红包", "佣金", "提成", "工资", "分红", "中奖", "刷单", "套现",
)  # fmt: skip
"""What payers' risk control is known to stop payments for, where a remark says it. A warning: it differs by payer."""
ALIPAY_HEAD: Final = (
    "支付宝批量付款文件模板（前面两行请勿删除）\r\n"
    "序号（必填）,收款方支付宝账号（必填）,收款方姓名（必填）,金额（必填，单位：元）,备注（选填）\r\n"
)
WECHAT_HEAD: Final = (
    "微信支付批量转账到零钱模版（勿删）\r\n"
    "商家批次单号（必填）,{batch}\r\n"
    "批次名称（必填）,{remark}\r\n"
    "转账appid（必填）,{appid}\r\n"
    "转账总金额（必填，单位：元）,{amount}\r\n"
    "转账总笔数（必填）,{count}\r\n"
    "批次备注（必填）,{remark}\r\n"
    ",\r\n"
    "转账明细（勿删）\r\n"
    "商家明细单号（必填）,收款用户openid（必填）,收款用户姓名（选填）,收款用户身份证（选填）,转账金额（必填，单位：元）,转账备注（必填）\r\n"
)
WECHAT_NAMELESS_FEN: Final = 30
"""Below it WeChat takes no name."""
BANK_HEAD: Final = "收款方名称,收款方账号,收款方开户行名称,收款行联行号,金额,附言/用途\r\n"


@dataclass(frozen=True, slots=True)
class Payer:
    """What differs between payers."""

    remark: str
    """The remark of each payment, before its payout's id."""
    rows: int
    """Payments in one part, at most."""
    alipay_least_fen: int = 10
    """The least that Alipay transfers."""
    wechat_appid: str = ""
    """The application that pays by WeChat; blank where nobody is paid so."""


@dataclass(frozen=True, slots=True)
class Payment:
    """One payout on its way to the payer, its account in plain."""

    payout: str
    """Its id, as ``P3-1000939``."""
    amount_fen: int
    details: PayeeDetails


def unfit_remark(remark: str) -> str | None:
    """Why a remark can't be, for a person; null for one that can."""
    if len(remark.strip()) > REMARK_LIMIT:
        return f"write at most {REMARK_LIMIT} characters: the payout's id comes after them"
    if any(sign in '",' or unicodedata.category(sign).startswith("C") for sign in remark):
        return "write no commas, double quotes or control characters"
    if remark.strip().startswith((*FORMULA_STARTS, "'")):
        return "begin it with none of = + - @ '"
    try:
        remark.encode("gbk")
    except UnicodeEncodeError as error:
        return f"{remark[error.start]!r} can't be written in GBK, which the payer's files are in"
    return None


def refused_words(remark: str) -> tuple[str, ...]:
    """The words of a remark that payers are known to refuse."""
    return tuple(word for word in REFUSED_WORDS if word in remark)


def alipay_parts(
    tranche_id: int, payments: Iterator[Payment], payer: Payer
) -> Iterator[tuple[FileFacts, bytes]]:
    """alipay-N-1.csv, ... of a tranche N; each part is a file by itself, numbered from 1."""

    def row(number: int, payment: Payment) -> str:
        to = payment.details
        return f"{number},{to.account},{to.payee_name},{shown_yuan(payment.amount_fen)},{_remark(payer, payment)}"

    return _parts(f"alipay-{tranche_id}", lambda *_: ALIPAY_HEAD, payments, payer, row)


def bank_parts(
    tranche_id: int, payments: Iterator[Payment], payer: Payer
) -> Iterator[tuple[FileFacts, bytes]]:
    """bank-N-1.csv, ... of a tranche N."""

    def row(_number: int, payment: Payment) -> str:
        to, amount = payment.details, shown_yuan(payment.amount_fen)
        return (
            f"{to.payee_name},{to.account},{to.bank_name},{to.bank_code},{amount},{_remark(payer, payment)}"
        )

    return _parts(f"bank-{tranche_id}", lambda *_: BANK_HEAD, payments, payer, row)


def wechat_parts(
    tranche_id: int, payments: Iterator[Payment], payer: Payer
) -> Iterator[tuple[FileFacts, bytes]]:
    """wechat-N-1.csv, ... of a tranche N. A number of a payment has letters and digits only: ``P3X1000939``.

    Raises BountyError where there are payments and the application is not set.
    """

    def row(_number: int, payment: Payment) -> str:
        to, amount = payment.details, shown_yuan(payment.amount_fen)
        name = "" if payment.amount_fen < WECHAT_NAMELESS_FEN else to.payee_name
        number = wechat_number(payment.payout)
        return f"{number},{to.account},{name},,{amount},{_remark(payer, payment)}"

    def head(number: int, some: list[Payment]) -> str:
        if not payer.wechat_appid:
            raise BountyError(
                "Somebody is paid by WeChat, and no application is set for it: set BOUNTY_WECHAT_APPID.",
                "有推手以微信收款，但没有设置付款的应用：请设置 BOUNTY_WECHAT_APPID。",
            )
        return WECHAT_HEAD.format(
            batch=f"T{tranche_id}N{number}",
            remark=payer.remark.strip() or f"T{tranche_id}N{number}",
            appid=payer.wechat_appid,
            amount=shown_yuan(sum(payment.amount_fen for payment in some)),
            count=len(some),
        )

    return _parts(f"wechat-{tranche_id}", head, payments, payer, row, "utf-8-sig")


def wechat_number(payout: str) -> str:
    """A payout's id as WeChat takes it.

    >>> wechat_number("P3-1000939")
    'P3X1000939'
    """
    return payout.replace("-", "X")


def _remark(payer: Payer, payment: Payment) -> str:
    return f"{payer.remark} {payment.payout}".strip()


def _parts(
    name: str,
    head: Callable[[int, list[Payment]], str],
    payments: Iterator[Payment],
    payer: Payer,
    row: Callable[[int, Payment], str],
    encoding: str = "gbk",
) -> Iterator[tuple[FileFacts, bytes]]:
    for number in count(1):
        some = list(islice(payments, payer.rows))
        if not some:
            return
        # Names and accounts were judged as they came in: none needs quoting, and GBK has every character of them.
        lines = "".join(f"{row(at, payment)}\r\n" for at, payment in enumerate(some, start=1))
        content = (head(number, some) + lines).encode(encoding)
        amount_fen = sum(payment.amount_fen for payment in some)
        yield (
            FileFacts(f"{name}-{number}.csv", len(some), amount_fen, hashlib.sha256(content).hexdigest()),
            content,
        )
