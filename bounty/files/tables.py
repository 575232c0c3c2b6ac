"""Tables: the header and the rows of a CSV file, or of a workbook's first sheet, every row as it stood.

A row of nothing but blanks and commas holds no content and is passed over; every other one comes out exactly once, as
a ``Record`` or as a ``BadRow``.
"""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from bounty.errors import RefusedFile
from bounty.files.cells import COLUMN_LIMIT, FIELD_LIMIT, normalised
from bounty.files.csv_records import Record, records_of
from bounty.files.encoding import FileEncoding, detect_encoding, text_of
from bounty.files.file_types import ending_of
from bounty.files.problems import CONTROL, BadRow, bad_row, refused
from bounty.files.workbook import sheet_records

_NO_DATA: Final = re.compile(
    r"(?:合计|总计|小计|共计|总和|汇总|(?:grand |sub)?total|sum)\s*:?\s*[0-9.,]*|(?:#|//|注:|备注:|说明:).*",
    re.IGNORECASE | re.DOTALL,
)
UNIT_SEPARATOR: Final = "\x1f"
"""The one control character that exports leave at the ends of cells, and that means nothing there."""
_FOREIGN: Final = ((";", ";"), ("\t", "Tab"), ("|", "|"), ("，", "，"))


@dataclass(frozen=True, slots=True)
class FileTable:
    """A table whose header has been read."""

    header: list[str]
    """The columns' names after NFKC and trimming."""
    header_raw: str
    """The header as it stood, as ``Record.raw`` has it: with it a raw row can be read again."""
    encoding: str
    """utf-8, utf-8-sig or gb18030."""
    _rows: Iterator[Record | BadRow] = field(repr=False)

    def rows(self) -> Iterator[Record | BadRow]:
        """The rows after the header, once; a Record has as many cells as the header.

        Raises RefusedFile where a workbook turns out to be broken.
        """
        return self._rows


def open_table(path: Path, accepted: tuple[str, ...] = (".csv", ".xlsx")) -> FileTable:
    """Read a table's header, its whole text having been checked for its code page.

    accepted  endings, of ``.csv`` and ``.xlsx``
    Raises    RefusedFile: E-KIND, E-EMPTY, E-ENC, E-FILE, E-LIMIT, E-QUOTE, E-CTRL
    """
    if ending_of(path, accepted) == ".xlsx":
        # What a workbook holds is text in UTF-8; whether control characters are among it is not known beforehand.
        return _table(sheet_records(path), FileEncoding("utf-8", has_controls=True))
    codepage = detect_encoding(path)
    return _table(_csv_records(path, codepage), codepage)


def _csv_records(path: Path, codepage: FileEncoding) -> Iterator[Record | BadRow]:
    with text_of(path, codepage) as text:
        yield from records_of(text)


def _table(records: Iterator[Record | BadRow], codepage: FileEncoding) -> FileTable:
    first = next(
        (record for record in records if isinstance(record, BadRow) or not _is_blank(record.cells)), None
    )
    if first is None:
        raise refused("empty")
    if isinstance(first, BadRow):
        is_quote = first.code == "E-QUOTE"
        raise (
            refused("header quote", line=first.place)
            if is_quote
            else RefusedFile(first.code, first.zh, first.en)
        )
    if CONTROL.search(first.raw):
        raise refused("header control")
    if len(first.cells) > COLUMN_LIMIT:
        raise refused("too many columns", count=len(first.cells), limit=COLUMN_LIMIT)
    header = header_names(first.cells)
    return FileTable(header, first.raw, codepage.name, _judged(records, header, codepage.has_controls))


def header_names(cells: list[str]) -> list[str]:
    """Headers after NFKC and trimming, and without a byte-order mark that was taken for text."""
    return [normalised(cell.strip("\ufeff")) for cell in cells]


def _judged(
    records: Iterator[Record | BadRow], header: list[str], has_controls: bool
) -> Iterator[Record | BadRow]:
    width = len(header)
    for record in records:
        if isinstance(record, BadRow):
            yield record
            continue
        _, cells, raw = record
        if (not cells[0] or cells[0].isspace()) and _is_blank(cells):
            continue
        # Only these can be wrong with a row as a whole, and each is cheap to rule out.
        if len(cells) == width and len(raw) <= FIELD_LIMIT and not has_controls:
            yield record
        else:
            yield _judge(record, header)


def _is_blank(cells: list[str]) -> bool:
    return not any(cell.strip() for cell in cells)


def _judge(record: Record, header: list[str]) -> Record | BadRow:
    """The record, or what is wrong with it as a whole."""
    place, cells, raw = record
    if len(cells) != len(header):
        return _miscounted(record, header)
    if CONTROL.search("\n".join(cells)):
        for name, cell in zip(header, cells, strict=True):
            if CONTROL.search(cell.strip(UNIT_SEPARATOR)):
                return bad_row("control", place=place, raw=raw, column=name, value=cell)
    if len(raw) > FIELD_LIMIT:
        for name, cell in zip(header, cells, strict=True):
            if len(cell) > FIELD_LIMIT:
                return bad_row("long field", place=place, raw=raw, column=name, value=cell, limit=FIELD_LIMIT)
    return record


def _miscounted(record: Record, header: list[str]) -> BadRow:
    place, cells, raw = record
    if case := no_data_case(header, cells):
        return bad_row(case, place=place, raw=raw)
    for sign, name in _FOREIGN:
        if len(cells) < len(header) <= raw.count(sign) + 1:
            return bad_row("row delimiter", place=place, raw=raw, found=name)
    return bad_row("columns", place=place, raw=raw, count=len(cells), expected=len(header))


def no_data_case(header: list[str], cells: list[str]) -> str | None:
    """Why a row that can't be read was not meant as data: the header again, a total, a comment; else None."""
    if header_names(cells) == header:
        return "repeated header"
    first = next((cell for cell in map(normalised, cells) if cell), "")
    return "total" if _NO_DATA.fullmatch(first) else None


def reread_record(shape: str, header_raw: str, raw: str, place: int) -> tuple[list[str], Record | BadRow]:
    """The header's names, and one stored row judged anew.

    shape            csv or xlsx
    header_raw, raw  as ``FileTable`` and ``Record`` gave them
    """
    head = _reparsed(shape, header_raw, place=1)
    header = header_names(head.cells) if isinstance(head, Record) else []
    record = _reparsed(shape, raw, place)
    return header, _judge(record, header) if isinstance(record, Record) else record


def _reparsed(shape: str, raw: str, place: int) -> Record | BadRow:
    """A stored row parted into its cells again."""
    if shape == "xlsx":
        return Record(place, json.loads(raw), raw)
    record = next(records_of(io.StringIO(raw, newline="")), Record(place, [""], raw))
    return replace(record, place=place) if isinstance(record, BadRow) else record._replace(place=place)
