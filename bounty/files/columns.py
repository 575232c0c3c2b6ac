"""Columns laid over a row: which header becomes which fact, by which grammar, and what a blank means."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bounty.files.cells import normalised
from bounty.files.headers import HeaderRefused, missing_headers
from bounty.files.marked_cells import require_unmarked, shown_of
from bounty.files.problems import Fault, RowError, refused, row_error

Read = Callable[[Any], Any]
"""A grammar: a cell's text, or a value of JSON, to what it means; raises Fault."""
REQUIRED: Final = object()
"""In place of what a blank means: it means nothing, and is a fault."""


@dataclass(frozen=True, slots=True)
class FileColumn:
    """One column of a kind of file.

    name      its header, or its field in JSON
    fact      what it becomes
    read      its grammar: a value that is not blank, to what it means; raises Fault
    blank     what a blank or missing value means, or REQUIRED
    may_lack  the header may be missing altogether
    verbatim  a name or a remark: taken as it stands, neither normalised nor trimmed
    """

    name: str
    fact: str
    read: Read
    blank: object = REQUIRED
    may_lack: bool = False
    verbatim: bool = False


@dataclass(slots=True)
class CellReading:
    """What could be read of a row, and all that is wrong with it."""

    facts: dict[str, Any] = field(default_factory=dict)
    faults: list[tuple[Fault, FileColumn | None]] = field(default_factory=list)
    """Each with its column; None where it is the row's as a whole."""

    @property
    def fault(self) -> Fault | None:
        """The first that was noted; null where nothing is wrong."""
        return self.faults[0][0] if self.faults else None

    @property
    def column(self) -> FileColumn | None:
        """Of that fault."""
        return self.faults[0][1] if self.faults else None

    def blame(self, fault: Fault, column: FileColumn | None) -> None:
        """Note a fault, unless one of the same column was noted."""
        if all(known is None or column is None or known.name != column.name for _, known in self.faults):
            self.faults.append((fault, column))

    def errors(
        self, shown: Callable[[FileColumn], str | None], place_of: Callable[[FileColumn], int]
    ) -> list[RowError]:
        """The faults as texts for a person, in the order of the columns.

        shown     what stood in a column
        place_of  where a column stands
        """
        found = sorted(self.faults, key=lambda each: -1 if each[1] is None else place_of(each[1]))
        return [
            row_error(fault.case, None, None, **fault.facts)
            if column is None
            else row_error(fault.case, column.name, shown(column), **fault.facts)
            for fault, column in found
        ]


class Remembered(dict[str, object]):
    """What the cells of a column mean, by the cell as it stood: each is read once, and all are forgotten at times.

    Asking for a cell raises Fault as its grammar does.
    """

    ROOM: Final = 200_000
    LENGTH: Final = 64

    def __init__(self, column: FileColumn) -> None:
        super().__init__()
        self._column = column

    def __missing__(self, cell: str) -> object:
        column = self._column
        require_unmarked(cell)
        text = cell if column.verbatim else normalised(cell)
        if not text and column.blank is REQUIRED:
            raise Fault("blank")
        value: object = column.read(text) if text else column.blank
        if len(cell) <= self.LENGTH:
            if len(self) >= self.ROOM:
                self.clear()
            self[cell] = value
        return value


def read_values(columns: Iterable[FileColumn], values: Iterable[object]) -> CellReading:
    """Facts from the values of these columns, in the same order; None stands for a blank or missing one."""
    reading = CellReading()
    for column, value in zip(columns, values, strict=True):
        try:
            if value is not None:
                if isinstance(value, str):
                    require_unmarked(value)
                reading.facts[column.fact] = column.read(value)
            elif column.blank is not REQUIRED:
                reading.facts[column.fact] = column.blank
            else:
                raise Fault("blank")
        except Fault as fault:
            reading.blame(fault, column)
    return reading


@dataclass(frozen=True, slots=True)
class HeaderMatch:
    """Where the columns stand in one file's header."""

    columns: tuple[FileColumn, ...]
    places: tuple[int, ...]
    """Index of each column in a row; -1 for one that the header lacks."""

    def values(self, cells: Sequence[str]) -> list[str | None]:
        """The cells of the columns, None for blanks."""
        found: list[str | None] = []
        for column, at in zip(self.columns, self.places, strict=True):
            cell = cells[at] if at >= 0 else ""
            found.append((cell if column.verbatim else normalised(cell)) or None)
        return found

    def read(self, cells: Sequence[str]) -> CellReading:
        """Facts from the cells of one row."""
        return read_values(self.columns, self.values(cells))

    def content(self, cells: Sequence[str]) -> str:
        """What a row says, but for names and remarks: the same text whatever other columns stand beside these."""
        named = zip(self.columns, self.values(cells), strict=True)
        facts = {column.name: value for column, value in named if value is not None and not column.verbatim}
        return json.dumps(facts, sort_keys=True)

    def cell(self, column: FileColumn, cells: Sequence[str]) -> str | None:
        """What stood in a column; None for nothing."""
        at = self.place(column)
        return shown_of(cells[at]) or None if at >= 0 else None

    def place(self, column: FileColumn) -> int:
        """Where a column stands in the header; -1 for one that it lacks."""
        return self.places[self.columns.index(column)]


def match_headers(columns: tuple[FileColumn, ...], header: list[str]) -> HeaderMatch:
    """Find the columns in a header.

    header  names after NFKC and trimming; blank ones and others that are not wanted are ignored
    Raises  RefusedFile E-HEAD where one is missing or any is doubled, E-DELIM where commas are not the delimiter
    """
    named = [name for name in header if name]
    required = [column.name for column in columns if not column.may_lack]
    if doubled := sorted({name for name in named if named.count(name) > 1}):
        recognised = len(set(required).intersection(named))
        raise HeaderRefused("doubled headers", recognised, columns=", ".join(doubled))
    missing = not set(required).issubset(named)
    if missing and (found := foreign_delimiter(header)):
        raise refused("delimiter", found=found)
    if missing:
        raise missing_headers(required, named)
    places = tuple(header.index(column.name) if column.name in named else -1 for column in columns)
    return HeaderMatch(columns, places)


def lay_out_either(
    plain: tuple[FileColumn, ...], chinese: tuple[FileColumn, ...], header: list[str]
) -> HeaderMatch:
    """Find the columns in a header that uses one of two sets of names. Raises RefusedFile as ``match_headers`` does."""
    of_plain = [name for name in header if name in {column.name for column in plain}]
    of_chinese = [name for name in header if name in {column.name for column in chinese}]
    if of_plain and of_chinese:
        raise refused("mixed headers", columns=", ".join(of_plain + of_chinese))
    in_chinese = of_chinese or not (of_plain or "".join(header).isascii())
    return match_headers(chinese if in_chinese else plain, header)


def foreign_delimiter(cells: Sequence[str]) -> str | None:
    """The sign, other than a comma, that seems to part the columns of a header; None if there is none."""
    for sign, name in ((";", ";"), ("\t", "Tab"), ("|", "|"), (",", "，"), ("、", "、")):
        if sum(cell.count(sign) for cell in cells) >= max(1, len(cells) - 1):
            return name
    return None
