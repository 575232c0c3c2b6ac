"""payees.csv: where promoters are paid. A file is taken in whole or not at all, and a bad row of it is kept nowhere:
what it holds must not be stored in plain.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from bounty.files import cells
from bounty.files.columns import FileColumn, HeaderMatch, match_headers
from bounty.files.csv_records import Record
from bounty.files.problems import BadRow, Fault, bad_row
from bounty.files.tables import ANY_TABLE, no_data_case, open_table
from bounty.orders.warnings import FORMULA_STARTS
from bounty.payees.encryption import PayeeDetails

NAME_LIMIT: Final = 60
"""Characters of a payee's or a bank's name."""
ACCOUNT_LIMIT: Final = 100
_EMAIL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._%+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_PHONE = re.compile(r"1[3-9][0-9]{9}")
_BANK_ACCOUNT = re.compile(r"[0-9]{8,32}")
_BANK_CODE = re.compile(r"[0-9]{12}")
# With an exponent, or with zeros where a number of Excel's has no more digits.
_MANGLED = re.compile(r"[0-9.]+[eE][+-]?[0-9]+|[0-9]{15}0{2,}|[0-9]+\.0*")


@dataclass(frozen=True, slots=True)
class PayeeRow:
    """A good row: where one promoter is to be paid."""

    place: int
    """Its line, or its row in a workbook."""
    promoter_id: int
    details: PayeeDetails


def read_payees(path: Path) -> list[PayeeRow | BadRow]:
    """The rows of a payees file, CSV or workbook; the BadRows among them say what is wrong.

    Raises RefusedFile where the file is wholly wrong.
    """
    table = open_table(path, ANY_TABLE, partial(match_headers, _COLUMNS))
    layout = match_headers(_COLUMNS, table.header)
    return list(_once_each(_row(layout, table.header, record) for record in table.rows()))


def _once_each(rows: Iterator[PayeeRow | BadRow]) -> Iterator[PayeeRow | BadRow]:
    """A promoter's second row is bad."""
    first: dict[int, int] = {}
    for row in rows:
        if isinstance(row, PayeeRow) and first.setdefault(row.promoter_id, row.place) != row.place:
            line = first[row.promoter_id]
            yield bad_row("payee twice", place=row.place, raw="", column="promoter_id", line=line)
        else:
            yield row


def _row(layout: HeaderMatch, header: list[str], record: Record | BadRow) -> PayeeRow | BadRow:
    if isinstance(record, BadRow):
        return record
    reading = layout.read(record.cells)
    fault, column = reading.fault, reading.column.name if reading.column else ""
    if fault is None:
        facts = reading.facts
        promoter_id = facts.pop("promoter_id")
        details = PayeeDetails(**facts)
        fault, column = _at_odds(details)
        if fault is None:
            return PayeeRow(record.place, promoter_id, details)
    if case := no_data_case(header, record.cells):
        return bad_row(case, place=record.place, raw="")
    return bad_row(fault.case, place=record.place, raw="", column=column, **fault.facts)


def _at_odds(details: PayeeDetails) -> tuple[Fault | None, str]:
    """What is wrong with good cells together, and the column of it."""
    account = details.account
    if details.method == "alipay":
        if not (_PHONE.fullmatch(account) or _EMAIL.fullmatch(account)) or len(account) > ACCOUNT_LIMIT:
            return Fault("alipay account"), "account"
        for column in ("bank_name", "bank_code"):
            if getattr(details, column):
                return Fault("bank of alipay"), column
        return None, ""
    if _MANGLED.fullmatch(account):
        return Fault("mangled id"), "account"
    if not _BANK_ACCOUNT.fullmatch(account):
        return Fault("bank account"), "account"
    return (None, "") if details.bank_name else (Fault("blank"), "bank_name")


def _account(text: str) -> str:
    """Without the apostrophe by which a sheet marks text. What it must look like depends on the method."""
    return text.removeprefix("'").strip()


def _bank_code(text: str) -> str:
    if not _BANK_CODE.fullmatch(code := _account(text)):
        raise Fault("bank code")
    return code


def _name(text: str) -> str:
    """A name as it stood but for blanks around it: the payer compares it with its own."""
    if not (name := text.strip()):
        raise Fault("blank")
    if len(name) > NAME_LIMIT:
        raise Fault("text", limit=NAME_LIMIT)
    if name.startswith((*FORMULA_STARTS, "'")) or any(
        sign in '",' or unicodedata.category(sign).startswith("C") for sign in name
    ):
        raise Fault("payee text")
    try:
        name.encode("gbk")
    except UnicodeEncodeError:
        raise Fault("not in GBK") from None
    return name


def _or_blank(read: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: read(text) if text.strip() else ""


_COLUMNS: Final[tuple[FileColumn, ...]] = (
    FileColumn("promoter_id", "promoter_id", cells.promoter_id),
    FileColumn("method", "method", cells.one_of(("alipay", "bank"), "payee method")),
    FileColumn("account", "account", _account),
    FileColumn("payee_name", "payee_name", _name, verbatim=True),
    FileColumn("bank_name", "bank_name", _or_blank(_name), blank="", may_lack=True, verbatim=True),
    FileColumn("bank_code", "bank_code", _bank_code, blank="", may_lack=True),
)
