"""Order files of every format as one stream of typed rows, with the problem of each bad row; memory use is constant."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from bounty.files.archives import Unzipped
from bounty.files.encoding import detect_encoding
from bounty.files.file_types import ORDER_ENDINGS, TABLE_ENDINGS, ending_of
from bounty.files.header_mapping import NO_MAPPING, HeaderMapping
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
    """An open order file whose format, encoding and header are valid."""

    shape: Shape
    """The format of the rows."""
    header: str | None
    """The header needed to read a stored raw row again; None for JSON."""
    encoding: str
    """``utf-8``, ``utf-8-sig`` or ``gb18030``; ``utf-8`` for a workbook."""
    _rows: Iterator[OrderRow | BadRow] = field(repr=False)
    entries: set[int] = field(default_factory=set)
    """The quarantine entries whose exported rows are in the file; complete after its rows were read."""
    notes: list[tuple[str, str]] = field(default_factory=list)
    """Remarks about the whole file (Chinese, English); complete after its rows were read."""
    mapped: HeaderMapping = field(default_factory=dict)
    """Headers of the file that were read as other columns."""

    def rows(self) -> Iterator[OrderRow | BadRow]:
        """The rows in file order, which can be iterated once. Every row is an OrderRow or a BadRow.

        Raises RefusedFile when a later part shows that the whole file is wrong: broken JSON, an oauth list, an error
        response, a broken workbook. The caller must then undo the rows before it.
        """
        return self._rows


def open_orders(path: Path, mapping: HeaderMapping = NO_MAPPING) -> OrderFile:
    """Open a file of orders: JSON, a table, or a ZIP archive with one of these.

    mapping   headers of a table that are read as other columns

    Raises RefusedFile: E-KIND, E-EMPTY, E-ENC, E-HEAD, E-DELIM, E-JSON, E-LIMIT, E-FILE and others of the catalogue
    """
    ending = ending_of(path, (*ORDER_ENDINGS, ".zip"))
    if ending == ".zip":
        archive = Unzipped(path, ORDER_ENDINGS)
        file = open_orders(archive.path, mapping)
        return replace(file, _rows=archive.rows(file.rows()))
    if ending in TABLE_ENDINGS:
        table = open_table(path, TABLE_ENDINGS, layout_of, mapping)
        read = reader_of(layout_of(table.header), table.header)
        entries: set[int] = set()
        rows = noting_entries(table.header, table.rows(), entries)
        return OrderFile(
            table.shape, table.header_raw, table.encoding, map(read, rows), entries, mapped=table.mapped
        )
    codepage = detect_encoding(path)
    returned: set[int] = set()
    notes: list[tuple[str, str]] = []
    if contents_of(path, codepage, ending) == "bodies":
        orders = body_rows(path, codepage, notes, several=ending == ".jsonl")
    else:
        orders = line_rows(path, codepage, returned)
    return OrderFile("json", None, codepage.name, orders, returned, notes)


def reread(shape: str, header: str | None, raw: str, place: int) -> OrderRow | BadRow:
    """Read a stored row again.

    shape, header  as in the row's OrderFile
    raw            as in the OrderRow or BadRow
    place          the row's place in its file
    """
    if shape == "json":
        try:
            return read_order(raw.encode(), place, has_controls=True)
        except NotJson:
            return bad_row("line", place=place, raw=raw)
    names, record = reread_record(shape, header or "", raw, place)
    return reader_of(layout_of(names), names)(record)
