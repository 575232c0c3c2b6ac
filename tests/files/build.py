"""Workbooks for tests, written part by part, so that each says just what a case asks for."""

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from xml.sax.saxutils import escape, quoteattr

from tests.intake.build import CHINESE_ORDER

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
File = TypeVar("File", Path, io.BytesIO)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
HEADER = list(CHINESE_ORDER)


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell by its XML: attributes beside the address, and what stands in it; ``style`` is a number format."""

    inner: str
    attributes: str = ""
    style: str | int | None = None


Content = str | Cell
"""A text, or a cell by its XML."""


@dataclass(slots=True)
class SheetPart:
    """A sheet to be written."""

    rows: Sequence[Sequence[Content]] | Mapping[int, Sequence[Content]]
    name: str = "订单"
    state: str = "visible"
    merges: Iterable[str] = field(default_factory=list)
    head: str = ""
    """XML before the rows."""


def order(**changes: Content) -> list[Content]:
    """The good order, with other cells."""
    cells: dict[str, Content] = {**CHINESE_ORDER, **changes}
    return list(cells.values())


def write_workbook(
    path: File, sheets: Sequence[SheetPart], parts: Mapping[str, str | bytes] | None = None
) -> File:
    """A workbook of these sheets, and with these other parts."""
    formats: list[str | int] = []
    drawn = [_sheet(sheet, formats) for sheet in sheets]
    names = [
        f'<sheet name={quoteattr(sheet.name)} sheetId="{n}" state="{sheet.state}" r:id="rId{n}"/>'
        for n, sheet in enumerate(sheets, 1)
    ]
    relations = [
        f'<Relationship Id="rId{n}" Type="{RELATIONS}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in range(1, len(sheets) + 1)
    ]
    book = f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets>{"".join(names)}</sheets></workbook>'
    content: dict[str, str | bytes] = {
        "[Content_Types].xml": "<Types/>",
        "xl/workbook.xml": book,
        "xl/_rels/workbook.xml.rels": f"<Relationships>{''.join(relations)}</Relationships>",
        "xl/styles.xml": _styles(formats),
        **{f"xl/worksheets/sheet{n}.xml": sheet for n, sheet in enumerate(drawn, 1)},
        **(parts or {}),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return path


def _sheet(sheet: SheetPart, formats: list[str | int]) -> str:
    rows = sheet.rows if isinstance(sheet.rows, Mapping) else dict(enumerate(sheet.rows, 1))
    drawn = "".join(
        f'<row r="{number}">{"".join(_cell(number, at, cell, formats) for at, cell in enumerate(row))}</row>'
        for number, row in rows.items()
    )
    merges = "".join(f'<mergeCell ref="{merge}"/>' for merge in sheet.merges)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><worksheet xmlns="{MAIN}">{sheet.head}<sheetData>{drawn}</sheetData>'
        + (f"<mergeCells>{merges}</mergeCells>" if merges else "")
        + "</worksheet>"
    )


def _cell(row: int, column: int, cell: Content, formats: list[str | int]) -> str:
    address = f"{LETTERS[column]}{row}"
    if isinstance(cell, str):
        return f'<c r="{address}" t="inlineStr"><is><t>{escape(cell)}</t></is></c>' if cell else ""
    style = ""
    if cell.style is not None:
        formats.append(cell.style)
        style = f' s="{len(formats)}"'
    return f'<c r="{address}"{style}{cell.attributes}>{cell.inner}</c>'


def _styles(formats: Sequence[str | int]) -> str:
    """Style 0 is General, the others as given: a format code, or the number of a built-in format."""
    codes = {number: code for number, code in enumerate(formats, 176) if isinstance(code, str)}
    defined = "".join(
        f'<numFmt numFmtId="{number}" formatCode={quoteattr(code)}/>' for number, code in codes.items()
    )
    used = (code if isinstance(code, int) else number for number, code in enumerate(formats, 176))
    styles = "".join(f'<xf numFmtId="{number}"/>' for number in (0, *used))
    return (
        f'<styleSheet xmlns="{MAIN}"><numFmts>{defined}</numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>'
        f"<cellXfs>{styles}</cellXfs></styleSheet>"
    )
