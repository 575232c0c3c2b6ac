"""The payer's receipt: Alipay's, with its head, WeChat's list of a batch's details, and a plain CSV.

It is about money, so a file with one bad row is refused whole; and its rows are believed, not the sums above them.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from bounty.errors import RefusedFile
from bounty.files import cells
from bounty.files.columns import FileColumn, HeaderMatch, match_headers
from bounty.files.csv_records import Record, records_of
from bounty.files.encoding import detect_encoding, text_of
from bounty.files.file_types import ending_of
from bounty.files.problem_texts import ProblemText
from bounty.files.problems import CONTROL, BadRow, Fault, refused, say, storable
from bounty.files.tables import header_names
from bounty.money import shown_yuan

ROWS_LIMIT: Final = 20_000
"""Payments of one file; payers take a few thousand at a time."""
WORDS_LIMIT: Final = 500
"""Characters of what a payer says of one payment."""
HEAD_ROWS: Final = 20
"""Within so many rows the header stands."""
_ID: Final = re.compile(r"P[1-9][0-9]{0,8}-[1-9][0-9]{0,14}")
_ID_IN_TEXT: Final = re.compile(rf"(?<![0-9A-Za-z]){_ID.pattern}(?![0-9])")
_PAID: Final = {
    "成功": True, "付款成功": True, "转账成功": True, "交易成功": True, "paid": True,
    "失败": False, "付款失败": False, "转账失败": False, "交易失败": False, "退票": False, "failed": False,
    "处理中": None,
}  # fmt: skip
"""What a payer says of a payment -> whether it went through; null where it is not known yet."""
_TRAILER: Final = re.compile(r"#-*.*|(?:合计|总计|小计|共计)\s*[:：]?.*", re.DOTALL)
"""The first cell of a row that was never meant as a payment."""


@dataclass(frozen=True, slots=True)
class PaymentResultRow:
    """One payment as the payer tells it."""

    place: int
    """The row's line in the file."""
    payouts: tuple[str, ...]
    """The ids of payouts that it names, as ``P3-1000939``; one, if it is as it should be."""
    account: str | None
    """In plain, or masked by the payer; never stored."""
    name: str | None
    amount_fen: int
    paid: bool
    serial: str | None = None
    """The payer's own number of the payment."""
    words: str | None = None
    """Why it did not go through."""


@dataclass(frozen=True, slots=True)
class PaymentResultFile:
    """A receipt that could be read."""

    name: str
    sha256: str
    """Of its bytes, hex."""
    told_sha256: str
    """Of what its rows say, hex."""
    rows: list[PaymentResultRow]
    warnings: list[tuple[str, str]] = field(default_factory=list)
    """Where the sums of its head are not those of its rows: in Chinese and in English."""


def read_payment_results(path: Path, name: str | None = None) -> PaymentResultFile:
    """Read a receipt.

    name    the file's own, where the path is another

    Raises RefusedFile where it is no receipt, and, with line and column, for the first row that can't be believed.
    """
    ending_of(path, (".csv",))
    with text_of(path, detect_encoding(path)) as text:
        records = records_of(text)
        head, layout, width = _headed(records)
        rows = list(_rows(layout, width, records))
    if not rows:
        raise refused("no payments")
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    return PaymentResultFile(
        storable(name or path.name), content, _told_sha256(rows), rows, list(_unlike_head(head, rows))
    )


def _told_sha256(rows: list[PaymentResultRow]) -> str:
    said = [astuple(replace(row, place=0)) for row in rows]
    return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()


# Where the rows begin


def _payment(text: str) -> bool | None:
    if text not in _PAID:
        raise Fault("payment status")
    return _PAID[text]


def _payout(text: str) -> str:
    if not _ID.fullmatch(bare := cells.unwrapped(text)):
        raise Fault("payout")
    return bare


def _wechat_payout(text: str) -> str:
    """The id of a payout as WeChat's file has it, ``P3X1000939``, which takes no other signs."""
    return _payout(re.sub(r"\A(P[0-9]+)X(?=[0-9]+\Z)", r"\1-", cells.unwrapped(text)))


_words = cells.text_up_to(WORDS_LIMIT)


def _account(text: str) -> str:
    return _words(cells.unwrapped(text))


_ALIPAY: Final = (
    FileColumn("收款账号", "account", _account, blank=None),
    FileColumn("姓名", "name", _words, blank=None),
    FileColumn("金额(元)", "amount_fen", cells.yuan),
    FileColumn("状态", "paid", _payment),
    FileColumn("流水号", "serial", _account, blank=None, may_lack=True),
    FileColumn("备注", "remark", _words, blank=None, may_lack=True),
    FileColumn("失败原因", "words", _words, blank=None, may_lack=True),
)
_WECHAT: Final = (
    FileColumn("商家明细单号", "payout", _wechat_payout, blank=None),
    FileColumn("收款用户姓名", "name", _words, blank=None, may_lack=True),
    FileColumn("转账金额(元)", "amount_fen", cells.yuan),
    FileColumn("转账状态", "paid", _payment),
    FileColumn("微信明细单号", "serial", _account, blank=None, may_lack=True),
    FileColumn("转账备注", "remark", _words, blank=None, may_lack=True),
    FileColumn("失败原因", "words", _words, blank=None, may_lack=True),
)
_PLAIN: Final = (
    FileColumn("payout_id", "payout", _payout, blank=None, may_lack=True),
    FileColumn("account", "account", _account, blank=None, may_lack=True),
    FileColumn("payee_name", "name", _words, blank=None, may_lack=True),
    FileColumn("amount_yuan", "amount_fen", cells.yuan),
    FileColumn("status", "paid", _payment),
    FileColumn("serial", "serial", _account, blank=None, may_lack=True),
    FileColumn("reason", "words", _words, blank=None, may_lack=True),
)


_KINDS: Final = (
    (_ALIPAY, ("收款账号", "状态")),
    (_WECHAT, ("商家明细单号", "转账状态")),
    (_PLAIN, ("amount_yuan", "status")),
)
"""Columns, and those by which the kind of a receipt is known."""


def _headed(records: Iterator[Record | BadRow]) -> tuple[list[list[str]], HeaderMatch, int]:
    """The rows above the header, where its columns stand, and how many there are; the rows below it are left."""
    head: list[list[str]] = []
    for record in records:
        if isinstance(record, BadRow):
            raise _refused(record.place, None, ProblemText(record.code, record.zh, record.en))
        names = header_names(record.cells)
        for columns, asked in _KINDS:
            if all(name in names for name in asked):
                layout = match_headers(columns, names)
                if (
                    columns is _PLAIN
                    and "payout_id" not in names
                    and not {"account", "payee_name"} <= {*names}
                ):
                    raise refused("receipt")
                return head, layout, len(names)
        head.append(names)
        if len(head) >= HEAD_ROWS:
            break
    raise refused("receipt" if head else "empty")


def _rows(layout: HeaderMatch, width: int, records: Iterator[Record | BadRow]) -> Iterator[PaymentResultRow]:
    for count, record in enumerate(records):
        if isinstance(record, BadRow):
            raise _refused(record.place, None, ProblemText(record.code, record.zh, record.en))
        if count > ROWS_LIMIT:
            raise refused("receipt rows", limit=ROWS_LIMIT)
        if not any(cell.strip() for cell in record.cells):
            continue
        if any(
            layout.cell(column, [*record.cells, *[""] * width])
            for column in layout.columns
            if column.fact == "paid"
        ):
            told = _told(layout, width, record)
            if told is not None:
                yield told
        elif not _TRAILER.fullmatch(next(cell for cell in map(cells.normalised, record.cells) if cell)):
            _told(layout, width, record)  # says what is wrong with it


def _told(layout: HeaderMatch, width: int, record: Record) -> PaymentResultRow | None:
    """The payment of a row; None where it is still under way, which is no news."""
    if CONTROL.search(record.raw):
        raise _bad(record.place, None, "control")
    count = len(record.cells)
    if count <= max(layout.places) or any(cell.strip() for cell in record.cells[width:]):
        raise _bad(record.place, None, "columns", count=count, expected=width)
    reading = layout.read(record.cells)
    if reading.fault is not None:
        column = None if reading.column is None else reading.column.name
        raise _bad(record.place, column, reading.fault.case, **reading.fault.facts)
    facts = reading.facts
    if facts["paid"] is None:
        return None
    named, remark = facts.pop("payout", None), facts.pop("remark", None)
    payouts = (named,) if named else tuple(dict.fromkeys(_ID_IN_TEXT.findall(remark or "")))
    if not payouts and not (facts.get("account") and facts.get("name")):
        raise _bad(record.place, None, "whose payment")
    return PaymentResultRow(record.place, payouts, **{"account": None, "name": None, **facts})


def _bad(place: int, column: str | None, case: str, **facts: Any) -> RefusedFile:
    """The refusal of a file for one row of it, by a case of the catalogue."""
    return _refused(place, column, say(case, **facts))


def _refused(place: int, column: str | None, saying: ProblemText) -> RefusedFile:
    code, zh, en = saying
    where_zh, where_en = (f"“{column}”", f", {column}") if column else ("", "")
    return RefusedFile(
        code,
        f"第 {place} 行{where_zh}：{zh}。整份回单都没有采用",
        f"line {place}{where_en}: {en}. Nothing of the receipt was taken",
    )


# What its head says


def _unlike_head(head: list[list[str]], rows: list[PaymentResultRow]) -> Iterator[tuple[str, str]]:
    """Sums of the head that are not those of the rows; label and value stand in turn."""
    by_rows = {
        "总金额(元)": sum(row.amount_fen for row in rows),
        "成功金额(元)": sum(row.amount_fen for row in rows if row.paid),
        "失败金额(元)": sum(row.amount_fen for row in rows if not row.paid),
    }
    for names in head:
        for label, said in pairwise(names):
            if (
                label in by_rows
                and said
                and said != shown_yuan(by_rows[label])
                and not _same(said, by_rows[label])
            ):
                fen = shown_yuan(by_rows[label])
                yield (
                    f"表头的{label}是 {said}，各行合计为 {fen}：以各行为准",
                    f"its head says {label} {said}, and its rows add up to {fen}: the rows hold",
                )


def _same(said: str, fen: int) -> bool:
    try:
        return cells.yuan(said) == fen
    except Fault:
        return False
