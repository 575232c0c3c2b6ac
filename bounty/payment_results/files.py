"""The payer's receipt: Alipay's, WeChat's or a bank's, in Chinese, and a plain CSV; text or workbook.

It is about money, so a file with one bad row is refused whole; and its rows are believed, not the sums above them.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Final

from bounty.errors import RefusedFile
from bounty.files import cells
from bounty.files.columns import HeaderMatch
from bounty.files.csv_records import Record
from bounty.files.problem_texts import ProblemText
from bounty.files.problems import BadRow, Fault, problem_text, refused, storable
from bounty.files.tables import ANY_TABLE, no_data_case, open_table
from bounty.ingest.quarantine import NO_DATA
from bounty.money import grouped_yuan, shown_yuan
from bounty.payment_results.columns import PAYOUT_ID, result_columns

ROWS_LIMIT: Final = 20_000
"""Payments of one file; payers take a few thousand at a time."""
_ID_IN_TEXT: Final = re.compile(rf"(?<![0-9A-Za-z]){PAYOUT_ID.pattern}(?![0-9])")
_HEAD_SUMS: Final = {
    "总金额": None,
    "付款总金额": None,
    "成功金额": True,
    "成功总金额": True,
    "失败金额": False,
    "失败总金额": False,
}
"""Labels of the head, without their unit -> which payments they are the sum of; null for all of them."""


@dataclass(frozen=True, slots=True)
class PaymentResultRow:
    """One payment as the payer tells it."""

    place: int
    """The row's line in the file, or its row in a workbook."""
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
    """Sums of its head that its rows do not make, and what is still under way: in Chinese and in English."""


@dataclass(slots=True)
class _UnderWay:
    """Payments whose result the payer does not know yet."""

    rows: int = 0
    amount_fen: int = 0


def read_payment_results(path: Path, name: str | None = None) -> PaymentResultFile:
    """Read a receipt.

    name    the file's own, where the path is another

    Raises RefusedFile where it is no receipt, and, with line and column, for the first row that can't be believed.
    """
    table = open_table(path, ANY_TABLE, result_columns)
    under_way = _UnderWay()
    rows = list(_rows(result_columns(table.header), table.header, table.rows(), under_way))
    if not rows:
        raise refused("payments under way" if under_way.rows else "no payments")
    warnings = [*_unlike_head(table.above, rows, under_way), *_still_under_way(under_way)]
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    return PaymentResultFile(storable(name or path.name), content, _rows_sha256(rows), rows, warnings)


def _rows_sha256(rows: list[PaymentResultRow]) -> str:
    reported = [astuple(replace(row, place=0)) for row in rows]
    return hashlib.sha256(json.dumps(reported, ensure_ascii=False).encode()).hexdigest()


# Its rows


def _rows(
    layout: HeaderMatch, header: list[str], records: Iterable[Record | BadRow], under_way: _UnderWay
) -> Iterator[PaymentResultRow]:
    (status,) = (column for column in layout.columns if column.fact == "paid")
    for count, record in enumerate(records):
        if count > ROWS_LIMIT:
            raise refused("receipt rows", limit=ROWS_LIMIT)
        if isinstance(record, BadRow):
            if record.code == NO_DATA:
                continue
            raise _refused(record.place, record.column, ProblemText(record.code, record.zh, record.en))
        # A payment has a status, whatever stands before it; a total or a remark has none.
        case = no_data_case(header, record.cells)
        if case == "repeated header" or (case and not layout.cell(status, record.cells)):
            continue
        if (row := _payment_of(layout, record, under_way)) is not None:
            yield row


def _payment_of(layout: HeaderMatch, record: Record, under_way: _UnderWay) -> PaymentResultRow | None:
    """The payment of a row; None where it is still under way, which is no news."""
    reading = layout.read(record.cells)
    if reading.fault is not None:
        column = None if reading.column is None else reading.column.name
        raise _refused(record.place, column, problem_text(reading.fault.case, **reading.fault.facts))
    facts = {"account": None, "name": None, **reading.facts}
    if facts["paid"] is None:
        under_way.rows += 1
        under_way.amount_fen += facts["amount_fen"]
        return None
    remarks = [facts.pop(fact) or "" for fact in list(facts) if fact.startswith("remark_")]
    named = facts.pop("payout", None)
    payouts = (named,) if named else tuple(dict.fromkeys(_ids_in(" ".join(remarks))))
    if not payouts and not (facts["account"] and facts["name"]):
        raise _refused(record.place, None, problem_text("whose payment"))
    return PaymentResultRow(record.place, payouts, **facts)


def _ids_in(remark: str) -> list[str]:
    return _ID_IN_TEXT.findall(cells.with_plain_hyphens(remark))


def _refused(place: int, column: str | None, text: ProblemText) -> RefusedFile:
    code, zh, en = text
    where_zh, where_en = (f"“{column}”", f", {column}") if column else ("", "")
    return RefusedFile(
        code,
        f"第 {place} 行{where_zh}：{zh}。整份回单都没有采用",
        f"line {place}{where_en}: {en}. Nothing of the receipt was taken",
    )


# What its head says


def _unlike_head(
    head: list[list[str]], rows: list[PaymentResultRow], under_way: _UnderWay
) -> Iterator[tuple[str, str]]:
    """Sums of the head that are not those of the rows; label and value stand in turn."""
    by_rows = {paid: sum(row.amount_fen for row in rows if row.paid is paid) for paid in (True, False)}
    every = by_rows[True] + by_rows[False] + under_way.amount_fen
    for names in head:
        for label, shown in pairwise(names):
            word = label.rstrip(":").partition("(")[0]
            if word not in _HEAD_SUMS or not shown:
                continue
            paid = _HEAD_SUMS[word]
            fen = every if paid is None else by_rows[paid]
            if not _same(shown, fen):
                made = shown_yuan(fen)
                yield (
                    f"表头的{label}是 {shown}，各行合计为 {made}：以各行为准",
                    f"its head says {label} {shown}, and its rows add up to {made}: the rows hold",
                )


def _same(shown: str, fen: int) -> bool:
    try:
        return shown == shown_yuan(fen) or cells.yuan(shown) == fen
    except Fault:
        return False


def _still_under_way(under_way: _UnderWay) -> Iterator[tuple[str, str]]:
    if under_way.rows:
        amount = grouped_yuan(under_way.amount_fen)
        yield (
            f"{under_way.rows} 笔共 {amount} 仍在处理中，没有新结果",
            f"still under way, with no news yet: {under_way.rows} of its payments, {amount} in all",
        )
