"""Workbooks of Excel 97 to 2003 (.xls): their visible sheets, by xlrd."""

import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import xlrd
from xlrd.biffh import error_text_from_code
from xlrd.book import Book

from bounty.files.marked_cells import FORMULA, XML, marked
from bounty.files.number_cells import Shows, cell_text, shows
from bounty.files.workbook_rows import Merge, Merges, Row, Sheet, row_of


def visible_sheets(path: Path) -> list[Sheet]:
    """The visible sheets of a workbook, in its order. Raises xlrd.XLRDError and others where it is broken."""
    book = xlrd.open_workbook(
        str(path), formatting_info=True, on_demand=True, ragged_rows=True, logfile=io.StringIO()
    )
    formats = [_shows(book, number) for number in range(len(book.xf_list))]
    return [
        Sheet(name, partial(_rows_of_sheet, book, place, formats))
        for place, name in enumerate(book.sheet_names())
        if not book._sheet_visibility[place]  # what Sheet.visibility says, without reading the sheet's cells
    ]


def _shows(book: Book, style: int) -> Shows:
    number = book.xf_list[style].format_key
    found = book.format_map.get(number)
    code = found.format_str if found is not None and found.format_str else None
    return shows(number, code)


def _rows_of_sheet(book: Book, place: int, formats: list[Shows], last_row: int | None) -> Iterator[Row]:
    sheet = book.sheet_by_index(place)
    merges = Merges(
        [Merge(top + 1, bottom, left, right - 1) for top, bottom, left, right in sheet.merged_cells]
    )
    for number in range(sheet.nrows if last_row is None else min(last_row, sheet.nrows)):
        cells = {
            column: text
            for column in range(sheet.row_len(number))
            if (text := _text(book, sheet.cell(number, column), formats))
        }
        if row := row_of(number + 1, cells, merges):
            yield row


def _text(book: Book, cell: "xlrd.sheet.Cell", formats: list[Shows]) -> str:
    """What a cell says."""
    if cell.ctype == xlrd.XL_CELL_TEXT:
        # Only a formula can hold an empty text. Libraries that don't compute formulas write it in place of the result.
        return cell.value or marked(FORMULA, "=?")
    if cell.ctype in (xlrd.XL_CELL_NUMBER, xlrd.XL_CELL_DATE):
        return cell_text(cell.value, formats[cell.xf_index], since_1904=book.datemode == 1)
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return "TRUE" if cell.value else "FALSE"
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return error_text_from_code.get(cell.value) or marked(XML, "#ERROR")
    return ""
