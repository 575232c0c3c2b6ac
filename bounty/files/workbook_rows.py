"""What both readers of workbooks share: a sheet, its merges, and the bounds of a row."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bounty.files.cells import COLUMN_LIMIT, FIELD_LIMIT
from bounty.files.marked_cells import LONG_FIELD, LONG_ROW, MERGED, marked

Row = tuple[int, list[str]]
"""A row's number, from 1, and its cells from column A up to the last that is not blank."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A visible sheet of cells."""

    name: str
    rows: Callable[[int | None], Iterator[Row]]
    """Its rows that are not blank, up to a row's number or to the end."""


@dataclass(frozen=True, slots=True)
class Merge:
    """A range of cells that show the value of its first cell; rows from 1, columns from 0, all inclusive."""

    first_row: int
    last_row: int
    first_column: int
    last_column: int


class Merges:
    """The merges of a sheet, met row by row from the top."""

    def __init__(self, merges: list[Merge]) -> None:
        self._coming = sorted(merges, key=lambda merge: merge.first_row, reverse=True)
        self._here: list[Merge] = []

    def mark(self, row: int, cells: dict[int, str]) -> None:
        """Mark the cells of a row that lie under a merge, but for a merge's first cell."""
        coming, here = self._coming, self._here
        while coming and coming[-1].first_row <= row:
            here.append(coming.pop())
        if not here:
            return
        self._here = here = [merge for merge in here if merge.last_row >= row]
        for merge in here:
            first = merge.first_column + (row == merge.first_row)
            for column in range(first, min(merge.last_column + 1, COLUMN_LIMIT)):
                cells[column] = marked(MERGED, cells.get(column) or "#MERGED")


def row_of(number: int, cells: dict[int, str], merges: Merges) -> Row | None:
    """A row from its cells by column; None where all are blank.

    Cells beyond column 200 are let be; where more than so many are filled, the row has 201 cells, which shows that it
    is too wide for a header. A cell or a row that is too long is marked, and of its text only the beginning is kept.
    """
    filled = {column: text for column, text in cells.items() if text and not text.isspace()}
    if not filled:
        merges.mark(number, {})
        return None
    merges.mark(number, cells)
    cells = {column: text for column, text in cells.items() if text and column < COLUMN_LIMIT}
    row = [""] * (max(cells, default=-1) + 1)
    for column, text in cells.items():
        row[column] = text if len(text) <= FIELD_LIMIT else marked(LONG_FIELD, text)
    if len(filled) > COLUMN_LIMIT:
        row += ["…"] * (COLUMN_LIMIT + 1 - len(row))
    if sum(map(len, row)) > FIELD_LIMIT:
        return number, [marked(LONG_ROW, row[0])]
    return number, row
