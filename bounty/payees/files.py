"""payees.csv: where promoters are paid. A file is taken in whole or not at all, and a bad row of it is kept nowhere:
what it holds must not be stored in plain.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from bounty.files import cells
from bounty.files.cells import FORMULA_STARTS
from bounty.files.columns import FileColumn, HeaderMatch, lay_out_either
from bounty.files.csv_records import Record
from bounty.files.problems import BadRow, Fault, bad_row, row_of_errors
from bounty.files.tables import ANY_TABLE, no_data_case, open_table
from bounty.models.payees import PayeeMethod
from bounty.payees.encryption import PayeeDetails

NAME_LIMIT: Final = 60
"""Characters of a payee's or a bank's name."""
ACCOUNT_LIMIT: Final = 100
_EMAIL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._%+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_PHONE = re.compile(r"1[3-9][0-9]{9}")
_BANK_ACCOUNT = re.compile(r"[0-9]{8,32}")
_BANK_CODE = re.compile(r"[0-9]{12}")
_OPENID = re.compile(r"[A-Za-z0-9_-]{20,64}")
_CODES: Final = tuple(map(str, PayeeMethod))
_METHODS: Final = {each.zh: str(each) for each in PayeeMethod} | {code: code for code in _CODES}
# With an exponent, or with zeros where a number of Excel's has no more digits.
_MANGLED = re.compile(r"[0-9.]+[eE][+-]?[0-9]+|[0-9]{15}0{2,}|[0-9]+\.0*")


@dataclass(frozen=True, slots=True)
class PayeeRow:
    """A good row: where one promoter is to be paid."""

    place: int
    """Its line, or its row in a workbook."""
    promoter_id: int
    details: PayeeDetails
    promoter_header: str = "promoter_id"
    """The file's own header for the promoter."""


def read_payees(path: Path) -> list[PayeeRow | BadRow]:
    """The rows of a payees file, CSV or workbook; the BadRows among them say what is wrong.

    Raises RefusedFile where the file is wholly wrong.
    """
    lay_out = partial(lay_out_either, _COLUMNS, CHINESE)
    table = open_table(path, ANY_TABLE, lay_out)
    layout = lay_out(table.header)
    return list(_once_each(_row(layout, table.header, record) for record in table.rows()))


def read_payee(fields: Mapping[str, str]) -> PayeeRow | BadRow:
    """One payee from a form, judged like a row of a file.

    fields   by the columns' names; missing ones are blank
    """
    header = [column.name for column in _COLUMNS]
    values = [fields.get(name, "") for name in header]
    return _row(lay_out_either(_COLUMNS, CHINESE, header), header, Record(1, values, ""))


def _once_each(rows: Iterator[PayeeRow | BadRow]) -> Iterator[PayeeRow | BadRow]:
    """A promoter's second row is bad."""
    first: dict[int, int] = {}
    for row in rows:
        if isinstance(row, PayeeRow) and first.setdefault(row.promoter_id, row.place) != row.place:
            line = first[row.promoter_id]
            yield bad_row("payee twice", place=row.place, raw="", column=row.promoter_header, line=line)
        else:
            yield row


def _row(layout: HeaderMatch, header: list[str], record: Record | BadRow) -> PayeeRow | BadRow:
    if isinstance(record, BadRow):
        return record
    reading = layout.read(record.cells)
    if not reading.faults:
        facts = reading.facts
        promoter_id = facts.pop("promoter_id")
        facts["account"] = _plain_account(facts["method"], facts["account"])
        details = PayeeDetails(**facts)
        fault, at_odds = _at_odds(details)
        if fault is None:
            return PayeeRow(record.place, promoter_id, details, layout.columns[0].name)
        reading.blame(fault, next(column for column in layout.columns if column.fact == at_odds))
    if case := no_data_case(header, record.cells):
        return bad_row(case, place=record.place, raw="")
    errors = reading.errors(lambda _: None, layout.place)  # what stood in a cell is kept nowhere
    return row_of_errors(errors, place=record.place, raw="")


def _plain_account(method: str, account: str) -> str:
    """An account without the signs by which people group its digits, and a phone number without China's code."""
    plain = re.sub(r"[ \-\u2010\u2011\u2013\u2212]", "", account)
    if method == "alipay":
        plain = re.sub(r"(?:\+|00)86(?=1[0-9]{10}\Z)", "", plain)
        return plain if _PHONE.fullmatch(plain) else account
    if method == "wechat":
        return account
    return plain if plain.isdigit() else account


def _at_odds(details: PayeeDetails) -> tuple[Fault | None, str]:
    """What is wrong with good cells together, and the fact of it."""
    account = details.account
    if details.method == "alipay":
        if not (_PHONE.fullmatch(account) or _EMAIL.fullmatch(account)) or len(account) > ACCOUNT_LIMIT:
            return Fault("alipay account"), "account"
        return _no_bank(details)
    if details.method == "wechat":
        return _no_bank(details) if _OPENID.fullmatch(account) else (Fault("wechat account"), "account")
    if _MANGLED.fullmatch(account):
        return Fault("mangled id"), "account"
    if not _BANK_ACCOUNT.fullmatch(account):
        return Fault("bank account"), "account"
    return (None, "") if details.bank_name else (Fault("blank"), "bank_name")


def _no_bank(details: PayeeDetails) -> tuple[Fault | None, str]:
    given = next((column for column in ("bank_name", "bank_code") if getattr(details, column)), None)
    return (None, "") if given is None else (Fault("bank of alipay"), given)


def _account(text: str) -> str:
    """Without what a sheet puts around text. What it must look like depends on the method."""
    return cells.unwrapped(text)


def _bank_code(text: str) -> str:
    if not _BANK_CODE.fullmatch(code := _account(text)):
        raise Fault("bank code")
    return code


def _name(text: str) -> str:
    """A name as it stood but for blanks and unseen marks around it: the payer compares it with its own."""
    if not (name := cells.trimmed(text)):
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


def _method_word(text: str) -> str:
    if text not in _METHODS:
        raise Fault("payee method")
    return _METHODS[text]


def _or_blank(read: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: read(text) if text.strip() else ""


_COLUMNS: Final[tuple[FileColumn, ...]] = (
    FileColumn("promoter_id", "promoter_id", cells.promoter_id),
    FileColumn("method", "method", cells.one_of(_CODES, "payee method")),
    FileColumn("account", "account", _account),
    FileColumn("payee_name", "payee_name", _name, verbatim=True),
    FileColumn("bank_name", "bank_name", _or_blank(_name), blank="", may_lack=True, verbatim=True),
    FileColumn("bank_code", "bank_code", _bank_code, blank="", may_lack=True),
)
CHINESE: Final[tuple[FileColumn, ...]] = (
    FileColumn("推手ID", "promoter_id", cells.promoter_id),
    FileColumn("收款方式", "method", _method_word),
    FileColumn("收款账号", "account", _account),
    FileColumn("收款人", "payee_name", _name, verbatim=True),
    FileColumn("开户行", "bank_name", _or_blank(_name), blank="", may_lack=True, verbatim=True),
    FileColumn("联行号", "bank_code", _bank_code, blank="", may_lack=True),
)
