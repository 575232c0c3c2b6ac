"""Tables: the header and the rows of a CSV file or of a workbook's sheet, every row as it stood.

The header is the first of the first 20 rows that holds all required columns; the sheet is the only visible one that has
such a row. A row of nothing but blanks and commas holds no content and is passed over; every other one comes out
exactly once, as a ``Record`` or as a ``BadRow``.
"""

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final, Literal

import msgspec

from bounty.errors import RefusedFile
from bounty.files.archives import Unzipped
from bounty.files.cells import COLUMN_LIMIT, FIELD_LIMIT, normalised
from bounty.files.csv_records import Record, records_of
from bounty.files.encoding import FileEncoding, detect_encoding, text_of
from bounty.files.file_types import TABLE_ENDINGS, WORKBOOK_ENDINGS, ending_of
from bounty.files.header_mapping import NO_MAPPING, HeaderMapping, applied, renamed, renamed_raw
from bounty.files.headers import HeaderRefused
from bounty.files.marked_cells import LONG_FIELD, LONG_ROW, case_of, shown_of
from bounty.files.problems import CONTROL, BadRow, bad_row, refused
from bounty.files.workbook import HEAD_ROWS, SheetHead, sheet_records

ANY_TABLE: Final = (*TABLE_ENDINGS, ".zip")
"""Every ending that a table may have."""
_TOTAL: Final = r"(?:本页|本月|以上)?(?:合计|总计|小计|共计|总和|汇总|总数)|(?:grand |sub)?total\b|sum\b"
_COUNTED: Final = r"[共计]\s*[0-9,]+\s*[条笔单行个项页件]"
_MADE: Final = r"(?:导出|下载|打印|查询|统计|制表|报表|生成)\w{0,6}\s*:|数据(?:来源|截至|截止)"
_NO_DATA: Final = re.compile(
    f"(?:{_TOTAL}|{_COUNTED}|{_MADE}|#|//|注:|备注:|说明:).*", re.IGNORECASE | re.DOTALL
)
UNIT_SEPARATOR: Final = "\x1f"
"""The one control character that exports leave at the ends of cells, and that means nothing there."""
_FOREIGN: Final = ((";", ";"), ("\t", "Tab"), ("|", "|"), ("，", "，"))
_LINE_BREAK: Final = re.compile(r"\s*[\r\n]+\s*")
_UNSEEN: Final = re.compile("[\u200b-\u200f\u2060\ufeff]")
TableShape = Literal["csv", "tsv", "xlsx"]
LayOut = Callable[[list[str]], object]
"""Finds the columns in a header; raises RefusedFile where it lacks one."""


@dataclass(frozen=True, slots=True)
class FileTable:
    """A table whose header has been read."""

    shape: TableShape
    """How its rows are written: parted by commas, by tabs, or as a workbook's rows are kept."""
    header: list[str]
    """The columns' names after NFKC and trimming."""
    header_raw: str
    """The header as it stood, as ``Record.raw`` has it: with it a raw row can be read again."""
    encoding: str
    """utf-8, utf-8-sig or gb18030."""
    above: list[list[str]]
    """The rows above the header that are not blank, each cell as a header is read."""
    _rows: Iterator[Record | BadRow] = field(repr=False)
    mapped: HeaderMapping = field(default_factory=dict)
    """Headers of the file that were read as other columns."""

    def rows(self) -> Iterator[Record | BadRow]:
        """The rows after the header, once; a Record has as many cells as the header.

        Raises RefusedFile where a workbook turns out to be broken.
        """
        return self._rows


def open_table(
    path: Path,
    accepted: tuple[str, ...] = TABLE_ENDINGS,
    lay_out: LayOut | None = None,
    mapping: HeaderMapping = NO_MAPPING,
) -> FileTable:
    """Find a table's header and read it, its whole text having been checked for its code page.

    accepted  endings, of ANY_TABLE
    lay_out   tells a header from other rows; without it the first row that is not blank is the header
    mapping   headers that are read as other columns; ``header`` and ``header_raw`` then have the columns' names
    Raises    RefusedFile: E-KIND, E-EMPTY, E-ENC, E-FILE, E-LIMIT, E-QUOTE, E-CTRL, and what ``lay_out`` raises
    """
    if mapping and lay_out is not None:
        table = open_table(path, accepted, partial(_lay_out_renamed, lay_out, mapping))
        return _with_names(table, mapping)
    ending = ending_of(path, accepted)
    if ending == ".zip":
        archive = Unzipped(path, tuple(kind for kind in accepted if kind != ".zip"))
        table = open_table(archive.path, accepted, lay_out)
        return replace(table, _rows=archive.rows(table.rows()))
    if ending in WORKBOOK_ENDINGS:
        above: list[Record] = []
        rows = sheet_records(path, ending, partial(_chosen_sheet, lay_out, above))
        header = next(rows)
        width = len(header.cells)
        # What a workbook holds is text in UTF-8; whether control characters are among it is not known beforehand.
        return _table(
            "xlsx",
            _within(header, width),
            (_within(row, width) for row in rows),
            FileEncoding("utf-8", True),
            above,
        )
    codepage = detect_encoding(path)
    try:
        return _text_table(path, codepage, lay_out, ",")
    except RefusedFile as refusal:
        if lay_out is None or not _has_tabs(path, codepage):
            raise
        try:
            return _text_table(path, codepage, lay_out, "\t")
        except RefusedFile as by_tabs:
            raise max(refusal, by_tabs, key=_recognised) from None


def _lay_out_renamed(lay_out: LayOut, mapping: HeaderMapping, header: list[str]) -> object:
    return lay_out(renamed(header, mapping))


def _with_names(table: FileTable, mapping: HeaderMapping) -> FileTable:
    used = applied(table.header, mapping)
    if not used:
        return table
    header = renamed(table.header, mapping)
    return replace(table, header=header, header_raw=renamed_raw(table.shape, header), mapped=used)


def _text_table(path: Path, codepage: FileEncoding, lay_out: LayOut | None, delimiter: str) -> FileTable:
    records = _text_records(path, codepage, delimiter)
    header, above = _header_among(records, lay_out)
    return _table("csv" if delimiter == "," else "tsv", header, records, codepage, above)


def _text_records(path: Path, codepage: FileEncoding, delimiter: str) -> Iterator[Record | BadRow]:
    with text_of(path, codepage) as text:
        yield from records_of(text, delimiter)


def _has_tabs(path: Path, codepage: FileEncoding) -> bool:
    """Whether any of the first rows may be parted by tabs."""
    with text_of(path, codepage) as text:
        return any("\t" in line for line in islice(iter(partial(text.readline, FIELD_LIMIT), ""), HEAD_ROWS))


def _within(record: Record, width: int) -> Record:
    """A workbook's row with as many cells as its header has, which is what is kept of it."""
    cells = [*record.cells[:width], *[""] * (width - len(record.cells))]
    return Record(record.place, cells, msgspec.json.encode(cells).decode())


def _chosen_sheet(lay_out: LayOut | None, above: list[Record], heads: list[SheetHead]) -> tuple[int, Record]:
    """The only visible sheet that has a header, by its place, and its header.

    above   gains the rows above the header
    """
    if not heads:
        raise refused("no visible sheet")
    found: list[tuple[int, tuple[Record, list[Record]]]] = []
    refusals: list[tuple[RefusedFile, str]] = []
    for place, head in enumerate(heads):
        try:
            found.append((place, _header_among(iter(head.rows), lay_out)))
        except RefusedFile as refusal:
            refusals.append((refusal, head.name))
        if found and lay_out is None:
            break
    if len(found) > 1:
        raise refused("several sheets", sheets=", ".join(heads[place].name for place, _ in found))
    if found:
        place, (header, rows_above) = found[0]
        above.extend(rows_above)
        return place, header
    nearest, sheet = max(refusals, key=lambda pair: (_recognised(pair[0]), pair[0].code != "E-EMPTY"))
    if len(heads) == 1 or not isinstance(nearest, HeaderRefused):
        raise nearest
    raise HeaderRefused(
        "no sheet",
        nearest.recognised,
        nearest.missing,
        sheets=", ".join(head.name for head in heads),
        sheet=sheet,
        reason_zh=nearest.zh.removeprefix(f"{nearest.code} "),
        reason_en=nearest.en,
    )


def _recognised(refusal: RefusedFile) -> int:
    """How much of a header a row is that was refused as one."""
    return refusal.recognised if isinstance(refusal, HeaderRefused) else 0


def _header_among(
    records: Iterator[Record] | Iterator[Record | BadRow], lay_out: LayOut | None
) -> tuple[Record, list[Record]]:
    """The header, the first of the first 20 rows that is one, and the rows above it; the records go on after it.

    Raises RefusedFile: of the rows that are none, for the one that has most of a header.
    """
    nearest: RefusedFile | None = None
    above: list[Record] = []
    for record in records:
        if isinstance(record, Record) and _is_blank(record.cells):
            continue
        refusal = _refusal_as_header(record, lay_out)
        if isinstance(record, Record) and refusal is None:
            if lay_out is None or record.place <= HEAD_ROWS:
                return record, above
            refusal = HeaderRefused("header too low", len(record.cells), line=record.place, limit=HEAD_ROWS)
        if refusal is not None and (nearest is None or _recognised(refusal) > _recognised(nearest)):
            nearest = refusal
        if lay_out is None or record.place >= HEAD_ROWS:
            break
        if isinstance(record, Record):
            above.append(record)
    raise nearest or refused("empty")


def _refusal_as_header(record: Record | BadRow, lay_out: LayOut | None) -> RefusedFile | None:
    """Why a row is no header; None if it is one."""
    if isinstance(record, BadRow):
        if record.code == "E-QUOTE":
            return refused("header quote", line=record.place)
        return RefusedFile(record.code, record.zh, record.en)
    if any(CONTROL.search(cell.strip(UNIT_SEPARATOR)) for cell in record.cells):
        return refused("header control")
    if len(record.cells) > COLUMN_LIMIT:
        return refused("too many columns", count=len(record.cells), limit=COLUMN_LIMIT)
    try:
        if lay_out is not None:
            lay_out(header_names(record.cells))
    except RefusedFile as refusal:
        return refusal
    return None


def _table(
    shape: TableShape,
    header: Record,
    records: Iterable[Record | BadRow],
    codepage: FileEncoding,
    above: Iterable[Record],
) -> FileTable:
    names = header_names(header.cells)
    rows = _judged(records, names, codepage.has_controls)
    return FileTable(
        shape, names, header.raw, codepage.name, [header_names(row.cells) for row in above], rows
    )


def header_names(cells: list[str]) -> list[str]:
    """Headers after NFKC and trimming, without line breaks and without characters that nobody sees.

    >>> header_names(["实付金额\\n（元）", "\\ufeff订单编号"])
    ['实付金额(元)', '订单编号']
    """
    return [
        "" if case_of(cell) else normalised(_LINE_BREAK.sub("", _UNSEEN.sub("", cell).strip()))
        for cell in cells
    ]


def _judged(
    records: Iterable[Record | BadRow], header: list[str], has_controls: bool
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
    if len(cells) > len(header) and _is_blank(cells[len(header) :]):
        cells = cells[: len(header)]  # commas too many at the end of a line say nothing
    if len(cells) != len(header):
        return _miscounted(record, header)
    for name, cell in zip(header, cells, strict=True):
        if case_of(cell) == LONG_ROW:
            return bad_row("long row", place=place, raw=raw, limit=FIELD_LIMIT)
        if case_of(cell) == LONG_FIELD:
            return bad_row(
                "long field", place=place, raw=raw, column=name, value=shown_of(cell), limit=FIELD_LIMIT
            )
    if CONTROL.search("\n".join(cells)):
        for name, cell in zip(header, cells, strict=True):
            if CONTROL.search(cell.strip(UNIT_SEPARATOR)):
                return bad_row("control", place=place, raw=raw, column=name, value=cell)
    if len(raw) > FIELD_LIMIT:
        for name, cell in zip(header, cells, strict=True):
            if len(cell) > FIELD_LIMIT:
                return bad_row("long field", place=place, raw=raw, column=name, value=cell, limit=FIELD_LIMIT)
    return Record(place, cells, raw)


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
    """The header's names, and one stored row judged again.

    shape            csv, tsv or xlsx
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
    record = next(
        records_of(io.StringIO(raw, newline=""), "\t" if shape == "tsv" else ","), Record(place, [""], raw)
    )
    return replace(record, place=place) if isinstance(record, BadRow) else record._replace(place=place)
