"""Workbooks in XML (.xlsx, .xlsm): their visible sheets, cell by cell, by the XML parser of the standard library.

A cell that shows a value in a spreadsheet and stores none, or stores it with XML that programs read differently, comes
out marked (``marked_cells``), never blank. Nothing but the parts named here is unpacked: no macro, picture or link.
"""

import datetime as dt
import posixpath
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Final
from xml.parsers import expat

from bounty.files.cells import COLUMN_LIMIT, FIELD_LIMIT
from bounty.files.marked_cells import FORMULA, XML, marked
from bounty.files.number_cells import Shows, cell_text, moment_text, shows
from bounty.files.workbook_rows import Merge, Merges, Row, Sheet, row_of

BLOCK: Final = 1 << 18
LAST_ROW: Final = 1_048_576
LAST_COLUMN: Final = 16_384
MERGE_LIMIT: Final = 200_000
_MAIN_PART: Final = "xl/workbook.xml"
_RANGE: Final = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})(?::([A-Z]{1,3})([1-9][0-9]{0,6}))?")
_LETTERS: Final = re.compile(r"[A-Z]{1,3}")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_ESCAPE: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")
_READ_DIFFERENTLY: Final = (b"<!", b"<?", b"&#")
_UTF8: Final = re.compile(rb"<\?xml[^>]*?\bencoding\s*=\s*[\"'](?!utf-?8[\"'])", re.IGNORECASE)
_TRUTHS: Final = {"0": "FALSE", "1": "TRUE", "false": "FALSE", "true": "TRUE"}
Start = Callable[[str, dict[str, str]], None]
End = Callable[[str], None]


class _Columns(dict[str, int]):
    """A column's place from 0 by its letters; fills itself as letters are met."""

    def __missing__(self, letters: str) -> int:
        if not _LETTERS.fullmatch(letters):
            raise ValueError(f"{letters[:10]!r} is no column")
        place = 0
        for letter in letters:
            place = place * 26 + ord(letter) - 64
        if place > LAST_COLUMN:
            raise ValueError(f"{letters} is no column")
        self[letters] = place - 1
        return place - 1


_COLUMNS: Final = _Columns()


@dataclass(slots=True)
class _Book:
    """What the cells of all sheets share."""

    since_1904: bool = False
    computed_on_loading: bool = False
    """Whether the stored values of formulas are placeholders until a spreadsheet opens the file."""
    named: bool = False
    """Whether the workbook names its sheets at all."""
    sheets: list[tuple[str, str]] = field(default_factory=list)
    """Name and relation of each visible sheet."""
    texts: list[str] | None = None
    """The shared strings."""
    formats: list[Shows] | None = None
    """What the cells of each style show."""


def visible_sheets(path: Path) -> list[Sheet]:
    """The visible sheets of a workbook, in its order.

    Raises ValueError, zipfile.BadZipFile or expat.ExpatError where it is broken, then or as rows are read.
    """
    archive = zipfile.ZipFile(path)
    names = {name.lower(): name for name in archive.namelist()}
    book = _read_workbook(archive, names)
    relations = _relations(archive, names)
    parts = [
        (name, names[part])
        for name, relation in book.sheets
        if (part := relations.get(relation, "").lower()) in names
    ]
    return [Sheet(name, partial(_rows_of_part, archive, part, book)) for name, part in parts]


def parts_read(names: list[str]) -> set[str]:
    """Of the names of a workbook's parts, those that are unpacked."""
    return {
        name
        for name in names
        if name.lower().endswith((".xml", ".rels")) and not re.search(r"/(?:media|drawings|charts)/", name)
    }


def _local(name: str) -> str:
    """A tag's name without its namespace's prefix."""
    return name[name.find(":") + 1 :]


def _parsed(stream: IO[bytes], parser: expat.XMLParserType) -> Iterator[bytes]:
    """Parse a part block by block; each block once it has been parsed."""

    def no_doctype(*_: object) -> None:
        raise ValueError("a document type declaration")

    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = no_doctype
    first = True
    while block := stream.read(BLOCK):
        if first and (
            block.startswith((b"\xff\xfe", b"\xfe\xff")) or _UTF8.match(block.lstrip(b"\xef\xbb\xbf"))
        ):
            raise ValueError("a part that is not in UTF-8")
        first = False
        parser.Parse(block, False)
        yield block
    parser.Parse(b"", True)


def _parse(archive: zipfile.ZipFile, part: str, start: Start, end: End | None = None) -> None:
    """Parse a whole part for its tags."""
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, attributes: start(_local(name), attributes)
    if end is not None:
        parser.EndElementHandler = lambda name: end(_local(name))
    with archive.open(part) as stream:
        for _ in _parsed(stream, parser):
            pass


def _read_workbook(archive: zipfile.ZipFile, names: dict[str, str]) -> _Book:
    book = _Book()

    def start(name: str, attributes: dict[str, str]) -> None:
        if name == "sheets":
            book.named = True
        elif name == "workbookPr":
            book.since_1904 = attributes.get("date1904") in ("1", "true")
        elif name == "calcPr":
            book.computed_on_loading = attributes.get("fullCalcOnLoad") in ("1", "true")
        elif name == "sheet" and attributes.get("state", "visible") == "visible":
            relation = next((value for key, value in attributes.items() if key.endswith(":id")), "")
            book.sheets.append((attributes.get("name", "?"), relation))

    if _MAIN_PART not in names:
        raise ValueError(f"{_MAIN_PART} is missing")
    _parse(archive, names[_MAIN_PART], start)
    if not book.named:
        raise ValueError("the workbook names no sheets")
    return book


def _relations(archive: zipfile.ZipFile, names: dict[str, str]) -> dict[str, str]:
    """The parts of the workbook that hold sheets of cells, by the id of their relation."""
    found: dict[str, str] = {}

    def start(name: str, attributes: dict[str, str]) -> None:
        if name == "Relationship" and attributes.get("Type", "").endswith("/worksheet"):
            found[attributes.get("Id", "")] = posixpath.normpath(
                posixpath.join("/xl", attributes.get("Target", ""))
            ).lstrip("/")

    if "xl/_rels/workbook.xml.rels" not in names:
        raise ValueError("the workbook's relations are missing")
    _parse(archive, names["xl/_rels/workbook.xml.rels"], start)
    return found


def _related(archive: zipfile.ZipFile, kind: str) -> str | None:
    """The one part of a kind that the workbook relates to: ``styles`` or ``sharedStrings``."""
    names = {name.lower(): name for name in archive.namelist()}
    return names.get(f"xl/{kind}.xml".lower())


def _read_texts(archive: zipfile.ZipFile) -> list[str]:
    """The shared strings; of one that is too long, as much as shows that."""
    part = _related(archive, "sharedStrings")
    texts: list[str] = []
    if part is None:
        return texts
    pieces: list[str] = []
    taking = phonetic = False

    def start(name: str, _: dict[str, str]) -> None:
        nonlocal taking, phonetic
        name = _local(name)
        if name == "t":
            taking = not phonetic
        elif name == "rPh":
            phonetic = True

    def end(name: str) -> None:
        nonlocal taking, phonetic
        name = _local(name)
        if name == "t":
            taking = False
        elif name == "rPh":
            phonetic = False
        elif name == "si":
            texts.append(_plain("".join(pieces)))
            pieces.clear()

    def characters(text: str) -> None:
        if taking:
            pieces.append(text)

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = characters
    with archive.open(part) as stream:
        for _ in _parsed(stream, parser):
            pass
    return texts


def _plain(text: str) -> str:
    """A text without the escapes for what XML can't hold, cut where it is too long."""
    if "_x" in text:
        text = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
        if "\ud800" <= max(text) <= "\udfff":
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text[: FIELD_LIMIT + 1]


def _read_formats(archive: zipfile.ZipFile) -> list[Shows]:
    """What each cell style shows."""
    part = _related(archive, "styles")
    codes: dict[int, str] = {}
    numbers: list[int] = []
    within = False

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal within
        if name == "numFmt":
            codes.setdefault(int(attributes["numFmtId"]), attributes.get("formatCode", ""))
        elif name == "cellXfs":
            within = True
        elif name == "xf" and within:
            numbers.append(int(attributes.get("numFmtId", "0")))

    def end(name: str) -> None:
        nonlocal within
        within = within and name != "cellXfs"

    if part is not None:
        _parse(archive, part, start, end)
    return [shows(number, codes.get(number)) for number in numbers]


def _merges(archive: zipfile.ZipFile, part: str) -> Merges:
    """The merges of a sheet, which stand behind its cells; a sheet that does not name the tag is not parsed for it."""
    rest, named = b"", False
    with archive.open(part) as stream:
        while not named and (block := stream.read(BLOCK)):
            named = b"mergeCell" in rest + block
            rest = block[-8:]
    merges: list[Merge] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if name == "mergeCell":
            found = _RANGE.fullmatch(attributes.get("ref", "").replace("$", ""))
            if found is None or len(merges) >= MERGE_LIMIT:
                raise ValueError("a merge that is no range")
            merges.append(
                Merge(
                    int(found[2]),
                    int(found[4] or found[2]),
                    _COLUMNS[found[1]],
                    _COLUMNS[found[3] or found[1]],
                )
            )

    if named:
        _parse(archive, part, start)
    return Merges(merges)


def _rows_of_part(archive: zipfile.ZipFile, part: str, book: _Book, last_row: int | None) -> Iterator[Row]:
    if book.texts is None:
        book.texts = _read_texts(archive)
    if book.formats is None:
        book.formats = _read_formats(archive)
    reader = _SheetReader(book, _merges(archive, part))
    with archive.open(part) as stream:
        for number, row in reader.rows(stream):
            if last_row is not None and number > last_row:
                return
            yield number, row


class _SheetReader:
    """The cells of one sheet as its XML comes by."""

    def __init__(self, book: _Book, merges: Merges) -> None:
        self._book, self._merges = book, merges
        self._ready: list[Row] = []
        self._window, self._window_at = b"", 0
        self._row, self._digits, self._column = 0, "0", -1
        self._cells: dict[int, str] | None = None
        """Of the row that is being read; None outside rows."""
        self._in_cell = self._odd = self._phonetic = False
        self._kind, self._style = "n", "0"
        self._value: str | None = None
        self._inline: str | None = None
        self._formula: str | None = None
        self._pieces: list[str] | None = None
        """Of the text that is being read; None outside ``v``, ``f`` and ``t``."""
        self._value_at = 0
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters

    def rows(self, stream: IO[bytes]) -> Iterator[Row]:
        """The rows that are not blank."""
        blocks = _parsed(_Watched(stream, self._keep), self._parser)  # type: ignore[arg-type]
        for _ in blocks:
            yield from self._ready
            self._ready.clear()
        yield from self._ready

    def _keep(self, block: bytes) -> None:
        """Keep the last two blocks, in which the value that is being read stands."""
        kept = self._window[-BLOCK:]
        self._window_at += len(self._window) - len(kept)
        self._window = kept + block

    def _characters(self, text: str) -> None:
        if self._pieces is not None:
            self._pieces.append(text)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        full, name = name, name[name.find(":") + 1 :]
        if name == "c":
            self._start_cell(attributes)
        elif name == "v" and self._in_cell:
            self._odd = self._odd or self._value is not None or self._pieces is not None
            self._pieces, self._value_at = [], self._parser.CurrentByteIndex + len(full) + 2
            # With an attribute, such as xml:space, the value begins further on; see _as_written.
        elif name == "row":
            self._start_row(attributes)
        elif self._in_cell:
            if self._pieces is not None:
                self._odd = True  # an element within a value or a text
            elif name == "f" or (name == "t" and not self._phonetic):
                self._pieces = []
            elif name == "rPh":
                self._phonetic = True

    def _end(self, name: str) -> None:
        name = name[name.find(":") + 1 :]
        if name == "c":
            self._end_cell()
        elif name == "row":
            if self._cells is not None and (row := row_of(self._row, self._cells, self._merges)):
                self._ready.append(row)
            self._cells = None
        elif self._in_cell:
            self._end_of_part(name)

    def _end_of_part(self, name: str) -> None:
        if name == "rPh":
            self._phonetic = False
        if self._pieces is None or name not in ("v", "f", "t"):
            return
        text = "".join(self._pieces)
        self._pieces = None
        if name == "f":
            self._formula = text
        elif name == "t":
            self._inline = (self._inline or "") + text
        else:
            self._value = text
            end = self._parser.CurrentByteIndex
            if (
                end - self._value_at != len(text if text.isascii() else text.encode())
                and end > self._value_at
            ):
                self._value = self._as_written(end, text)

    def _as_written(self, end: int, text: str) -> str:
        """The value, unless it is written with XML that other programs drop or cut; then as it is written."""
        start = self._value_at - self._window_at - 1
        written = self._window[max(0, start) : end - self._window_at].partition(b">")[2]
        if start < 0 or any(sign in written for sign in _READ_DIFFERENTLY):
            self._odd = True
            return written.decode("utf-8", "replace") or text
        return text

    def _start_row(self, attributes: dict[str, str]) -> None:
        if self._cells is not None:
            raise ValueError("a row within a row")
        number = attributes.get("r")
        row = self._row + 1 if number is None else _whole(number, LAST_ROW)
        if row <= self._row:
            raise ValueError(f"row {row} comes after row {self._row}")
        self._row, self._digits, self._column, self._cells = row, str(row), -1, {}

    def _start_cell(self, attributes: dict[str, str]) -> None:
        if self._cells is None or self._in_cell:
            raise ValueError("a cell out of its row")
        address = attributes.get("r")
        if address is None:
            self._column += 1
        elif address.endswith(self._digits):
            self._column = _COLUMNS[address[: -len(self._digits)]]
        else:
            raise ValueError(f"cell {address[:10]} in row {self._row}")
        if self._column in self._cells:
            raise ValueError(f"two cells in row {self._row}, column {self._column + 1}")
        self._in_cell, self._odd = True, False
        self._kind, self._style = attributes.get("t", "n"), attributes.get("s", "0")
        self._value = self._inline = self._formula = self._pieces = None

    def _end_cell(self) -> None:
        assert self._cells is not None
        text = self._text()
        # A cell far to the right is kept only as being filled: no column of a table stands there.
        self._cells[self._column] = text if self._column < COLUMN_LIMIT else text[:1]
        self._in_cell = False

    def _text(self) -> str:
        """What the cell says."""
        value, kind, formula = self._value, self._kind, self._formula
        if self._odd:
            return marked(XML, value or "")
        if formula is not None and self._lacks_value():
            return marked(FORMULA, f"={formula}")
        if kind == "inlineStr" or self._inline is not None:
            inline = self._inline or ""
            return _plain(inline) if kind == "inlineStr" else marked(XML, inline)
        try:
            return self._read(kind, value) if value else ""
        except (ValueError, IndexError, KeyError, OverflowError):
            return marked(XML, value or "")

    def _lacks_value(self) -> bool:
        """Whether a formula has no stored result. A stored empty text is one; a stored 0 may be a stand-in.

        Of the libraries that write formulas and don't compute them, some write no value, some an empty one, xlsxwriter
        0 with the order to compute on loading, and POI's streaming writer 0.0, as no spreadsheet does.
        """
        value = self._value
        if not value:
            return self._inline is None and (value is None or self._kind != "str")
        return self._kind == "n" and (value == "0.0" or (value == "0" and self._book.computed_on_loading))

    def _read(self, kind: str, value: str) -> str:
        """A value that is there, by its kind. Raises ValueError and others for what is none."""
        book = self._book
        if kind == "s":
            return (book.texts or [])[_whole(value, 2**31)]
        if kind == "n":
            if not _NUMBER.fullmatch(value.strip()):
                raise ValueError("no number")
            formats = book.formats or [Shows.NUMBER]
            shown = formats[_whole(self._style, 2**31)]
            return cell_text(float(value), shown, since_1904=book.since_1904)
        if kind == "str":
            return _plain(value)
        if kind == "b":
            return _TRUTHS[value.strip()]
        if kind == "e":
            return value
        if kind == "d":
            moment = dt.datetime.fromisoformat(value)
            return moment_text(moment) if moment.tzinfo is None else value
        raise ValueError("no kind of cell")


class _Watched:
    """A stream whose blocks are shown to somebody as they are read."""

    def __init__(self, stream: IO[bytes], seen: Callable[[bytes], None]) -> None:
        self._stream, self._seen = stream, seen

    def read(self, size: int) -> bytes:
        """The next block."""
        block = self._stream.read(size)
        self._seen(block)
        return block


def _whole(text: str, most: int) -> int:
    """A whole number from 0 to a limit; the negative, which would count from the end of a list, is refused."""
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= most):
        raise ValueError(f"{text[:20]!r} is no place")
    return int(text)
