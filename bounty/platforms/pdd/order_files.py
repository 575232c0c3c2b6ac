"""Orders from a file: whatever its shape, rows of one type, each explained if it is bad; streamed in flat memory."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from bounty.files.archives import Unzipped
from bounty.files.encoding import detect_encoding
from bounty.files.file_types import ORDER_ENDINGS, TABLE_ENDINGS, ending_of
from bounty.files.problems import BadRow, bad_row
from bounty.files.tables import open_table, reread_record
from bounty.ingest.correction_files import noting_entries
from bounty.platforms.pdd.json_bodies import body_rows, contents_of, line_rows
from bounty.platforms.pdd.json_orders import NotJson, read_order
from bounty.platforms.pdd.order_row import OrderRow
from bounty.platforms.pdd.sheet_orders import layout_of, reader_of

__all__ = ["OrderFile", "OrderRow", "Shape", "open_orders", "reread"]

Shape = Literal["json", "csv", "tsv", "xlsx"]


@dataclass(frozen=True, slots=True)
class OrderFile:
    """A file of orders whose kind, code page and header have been judged."""

    shape: Shape
    """How its rows are written."""
    header: str | None
    """What a stored raw row needs to be read again; None for JSON."""
    encoding: str
    """utf-8, utf-8-sig or gb18030; utf-8 for a workbook."""
    _rows: Iterator[OrderRow | BadRow] = field(repr=False)
    entries: set[int] = field(default_factory=set)
    """Entries of the quarantine from which rows were exported that come back in it; known once its rows are read."""
    notes: list[tuple[str, str]] = field(default_factory=list)
    """What a person should know of it as a whole, in Chinese and in English; known once its rows are read."""

    def rows(self) -> Iterator[OrderRow | BadRow]:
        """Its rows in their order, once; each row of the file comes out as one of the two.

        Raises RefusedFile where only reading on shows that the whole file is wrong: broken JSON, an oauth list, a
        reply that is an error, a broken workbook. What was taken in before must then be undone.
        """
        return self._rows


def open_orders(path: Path) -> OrderFile:
    """Open a file of orders: JSON, a table, or a ZIP archive with one of these.

    Raises RefusedFile: E-KIND, E-EMPTY, E-ENC, E-HEAD, E-DELIM, E-JSON, E-LIMIT, E-FILE and others of the catalogue
    """
    ending = ending_of(path, (*ORDER_ENDINGS, ".zip"))
    if ending == ".zip":
        archive = Unzipped(path, ORDER_ENDINGS)
        file = open_orders(archive.path)
        return replace(file, _rows=archive.rows(file.rows()))
    if ending in TABLE_ENDINGS:
        table = open_table(path, TABLE_ENDINGS, layout_of)
        read = reader_of(layout_of(table.header), table.header)
        entries: set[int] = set()
        rows = noting_entries(table.header, table.rows(), entries)
        return OrderFile(table.shape, table.header_raw, table.encoding, map(read, rows), entries)
    codepage = detect_encoding(path)
    returned: set[int] = set()
    notes: list[tuple[str, str]] = []
    if contents_of(path, codepage, ending) == "bodies":
        orders = body_rows(path, codepage, notes, several=ending == ".jsonl")
    else:
        orders = line_rows(path, codepage, returned)
    return OrderFile("json", None, codepage.name, orders, returned, notes)


def reread(shape: str, header: str | None, raw: str, place: int) -> OrderRow | BadRow:
    """One stored row read again, as the row at that place.

    shape, header  of its file
    raw            of the OrderRow or BadRow
    """
    if shape == "json":
        try:
            return read_order(raw.encode(), place, has_controls=True)
        except NotJson:
            return bad_row("line", place=place, raw=raw)
    names, record = reread_record(shape, header or "", raw, place)
    return reader_of(layout_of(names), names)(record)
