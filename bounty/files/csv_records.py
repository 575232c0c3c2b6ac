"""Records of a CSV file: strictly parted by commas or tabs, of one or more physical lines, whatever their line ends.

Python's reader swallows the rest of a file after an unclosed quote. Here the records before it are kept and the rest
is one bad block; neither it nor a field of any length is ever in memory as a whole.
"""

import csv
import re
from collections.abc import Iterator
from typing import IO, Final, NamedTuple

from bounty.files.cells import FIELD_LIMIT
from bounty.files.problems import RAW_KEPT, BadRow, bad_row

RECORD_LIMIT: Final = RAW_KEPT
"""Characters of one record."""
_QUOTED: Final = re.compile(r'(?:[^"]|"")*+')


class Record(NamedTuple):
    """One record as it stood."""

    place: int
    """The physical line on which it begins (CSV), or its 1-based row number (XLSX)."""
    cells: list[str]
    raw: str
    """CSV: its physical lines without the last line end. XLSX: the cells as a JSON list."""


def records_of(text: IO[str], delimiter: str = ",") -> Iterator[Record | BadRow]:
    """The records of a CSV text opened with ``newline=""``; BadRow E-QUOTE and E-LIMIT for what can't be parted.

    delimiter  a comma or a tab
    """
    lines = _Lines(text)
    while line := lines.read():
        if '"' in line:
            yield _quoted_record(lines, line, delimiter)
        elif lines.whole:
            raw = line.rstrip("\r\n")
            yield Record(lines.number, raw.split(delimiter), raw)
        else:
            place = lines.number
            lines.skip_rest()
            yield bad_row("long row", place=place, raw=line, limit=RECORD_LIMIT)


class _Lines:
    """Physical lines, counted; of one longer than a record may be, as many characters at a time."""

    def __init__(self, text: IO[str]) -> None:
        self._text = text
        self.number = 0
        """Of the line that was read last, from 1."""
        self.whole = True
        """Whether its end was read."""

    def read(self) -> str:
        """The next line, or the next piece of a long one; empty at the end."""
        line = self._text.readline(RECORD_LIMIT)
        self.number += self.whole and line != ""
        self.whole = len(line) < RECORD_LIMIT or line.endswith(("\n", "\r"))
        return line

    def skip_rest(self) -> None:
        """Read on to the end of a long line."""
        while not self.whole:
            self.read()


class _Feed:
    """The lines of one record, handed to the csv reader as it asks for them."""

    def __init__(self, lines: _Lines, first: str) -> None:
        self._lines, self._next, self.taken, self._room = lines, first, [first], RECORD_LIMIT - len(first)

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        line = self._next
        if not line and self._room > 0 and (line := self._lines.read()):
            self.taken.append(line)
            self._room -= len(line)
        if not line:
            raise StopIteration
        self._next = ""
        return line


def _quoted_record(lines: _Lines, first: str, delimiter: str) -> Record | BadRow:
    """The record that begins with this line, which has a quote in it."""
    place = lines.number
    feed = _Feed(lines, first)
    try:
        cells = next(csv.reader(feed, delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration):
        return _unparted(lines, place, feed.taken, delimiter)
    if not lines.whole:
        lines.skip_rest()
        return bad_row("long row", place=place, raw="".join(feed.taken), limit=RECORD_LIMIT)
    return Record(place, cells, "".join(feed.taken).rstrip("\r\n"))


def _unparted(lines: _Lines, place: int, taken: list[str], delimiter: str) -> BadRow:
    """Why the csv reader gave up on a record after these lines; reads on to where the next one can begin."""
    raw = "".join(taken)
    inside: bool | None = False
    for line in taken:
        inside = _inside_after(line, inside, delimiter)
        if inside is None:
            break
    while inside and (line := lines.read()):
        inside = _inside_after(line, inside, delimiter)
        if len(raw) < RAW_KEPT:
            raw += line
    if inside is None and len(taken) == 1 and lines.whole and raw.count('"') % 2 == 0:
        return bad_row("stray quote", place=place, raw=raw.rstrip("\r\n"))
    if inside is False:
        lines.skip_rest()
        return bad_row("long field", place=place, raw=raw[:RAW_KEPT], limit=FIELD_LIMIT)
    # Where its quotes end can't be known, so neither can where any later record begins.
    while line := lines.read():
        if len(raw) < RAW_KEPT:
            raw += line
    return bad_row("unclosed quote", place=place, raw=raw[:RAW_KEPT], lines=lines.number - place + 1)


def _inside_after(line: str, inside: bool | None, delimiter: str) -> bool | None:
    """Whether a quote is open at the end of a line, given whether one was at its start; None for a stray quote."""
    at = 0
    while True:
        if not inside and line[at : at + 1] == '"':
            inside, at = True, at + 1
        if inside:
            found = _QUOTED.match(line, at)
            at = found.end() if found else at
            if at == len(line):
                return True
            inside, at = False, at + 1
            if line[at : at + 1] not in ("", delimiter, "\r", "\n"):
                return None
        at = line.find(delimiter, at) + 1
        if not at:
            return False
