"""Workbooks for people: typed cells under headers, a summary before them, and the same bytes for the same content."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import cast

import xlsxwriter
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.worksheet import Worksheet

SHEET_ROWS = 1_000_000
"""Rows of a sheet beside its header, of the 1,048,576 that a spreadsheet holds. More go on in the next sheet."""
SUMMARY = "汇总 summary"
_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
Cell = str | int | Decimal | None
"""Text stays text, so that ids keep every digit and nothing becomes a formula; a Decimal is yuan."""


class Workbook:
    """A workbook being written; its summary stands first and is filled in once the other sheets have their sums."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        self._book = book
        self._yuan, self._bold = book.add_format({"num_format": "0.00"}), book.add_format({"bold": True})
        self._summary: Worksheet = book.add_worksheet(SUMMARY)

    def write(
        self, name: str, header: tuple[str, ...], rows: Iterable[tuple[Cell, ...]]
    ) -> tuple[int, Decimal]:
        """Write rows into a sheet, or several; how many they were, and the sum of their last column."""
        count, total = 0, Decimal("0.00")
        sheet: Worksheet | None = None
        for row in rows:
            if sheet is None or count % SHEET_ROWS == 0:
                sheet = self._sheet(name, count // SHEET_ROWS, header)
            count += 1
            for column, cell in enumerate(row):
                self._put(sheet, (count - 1) % SHEET_ROWS + 1, column, cell)
            total += row[-1] if isinstance(row[-1], Decimal) else 0
        if sheet is None:
            self._sheet(name, 0, header)
        return count, total

    def summarise(self, facts: Iterable[tuple[str, Cell]]) -> None:
        """Fill in the summary, a name and a value a row."""
        self._summary.set_column(0, 0, 36)
        self._summary.set_column(1, 1, 70)
        for place, (name, cell) in enumerate(facts):
            self._summary.write_string(place, 0, name, self._bold)
            self._put(self._summary, place, 1, cell)

    def _sheet(self, name: str, number: int, header: tuple[str, ...]) -> Worksheet:
        sheet: Worksheet = self._book.add_worksheet(name if number == 0 else f"{name} {number + 1}")
        sheet.set_column(0, len(header) - 1, 18)
        sheet.freeze_panes(1, 0)
        for column, title in enumerate(header):
            sheet.write_string(0, column, title, self._bold)
        return sheet

    def _put(self, sheet: Worksheet, row: int, column: int, cell: Cell) -> None:
        if isinstance(cell, Decimal):
            sheet.write_number(
                row, column, cast("float", cell), self._yuan
            )  # it writes a Decimal's own digits
        elif isinstance(cell, int):
            sheet.write_number(row, column, cell)
        elif cell:
            sheet.write_string(row, column, cell)


@contextmanager
def new_workbook(path: Path, made_at: int) -> Iterator[Workbook]:
    """A workbook, written when the block ends.

    made_at   what it says of when it was made, epoch seconds: of its content, so that it is the same every time

    Raises OSError where it can't be written.
    """
    try:
        with xlsxwriter.Workbook(path, _OPTIONS) as book:
            book.set_properties({"created": datetime.fromtimestamp(made_at, UTC)})
            yield Workbook(book)
    except FileCreateError as error:  # the library's wrapping of the system's error
        raise error.args[0] from error


def yuan_cell(fen: int | None) -> Decimal | None:
    """Whole fen as a cell of yuan."""
    return None if fen is None else Decimal(fen).scaleb(-2)
