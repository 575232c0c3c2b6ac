"""Order files in JSON: response bodies of the platform (one, or a list of them), or one order on each line."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, Final, Literal

from bounty.errors import RefusedFile
from bounty.files.encoding import FileEncoding, utf8_of
from bounty.files.json_stream import Document
from bounty.files.problems import BadRow, bad_row, refused
from bounty.ingest.correction_files import without_entry
from bounty.platforms.pdd.json_orders import ENVELOPES, NotJson, fields_of, read_order
from bounty.platforms.pdd.order_row import OrderRow

LINE_LIMIT: Final = 1 << 20
"""Longest line, bytes."""
Contents = Literal["bodies", "lines"]
_BLANK: Final = b" \t\r\n"


def contents_of(path: Path, codepage: FileEncoding, ending: str) -> Contents:
    """Whether a file contains response bodies or one order on each line, by its content instead of its ending.

    Raises RefusedFile E-KIND for other JSON and E-JSON for JSON that is broken at its start. A ``.jsonl`` file is not
    refused here, because each of its lines is judged separately.
    """
    try:
        with utf8_of(path, codepage) as file:
            document = Document(file)
            if document.peek() == b"[":
                for _ in document.items():
                    if ENVELOPES.isdisjoint(keys := _keys_up_to_envelope(document)):
                        raise _other(keys)
                    break
                return "bodies"
            if not ENVELOPES.isdisjoint(keys := _keys_up_to_envelope(document)):
                return "bodies"
        with utf8_of(path, codepage) as file:
            if "order_sn" in (_fields_or_none(file.readline(LINE_LIMIT).strip(_BLANK)) or ()):
                return "lines"
        raise _other(keys)
    except RefusedFile:
        if ending == ".json":
            raise
        return "lines"


def _keys_up_to_envelope(document: Document) -> list[str]:
    """The keys of the next object, up to the first key of ENVELOPES."""
    keys = []
    for key in _members(document):
        keys.append(key)
        if key in ENVELOPES:
            break
        document.value()
    return keys


def _members(document: Document) -> Iterator[str]:
    """The keys of the next object. Raises RefusedFile E-KIND for any other value."""
    if document.peek() not in (b"{", b""):
        raise refused("not bodies")
    return document.members()


def _other(keys: Collection[str]) -> RefusedFile:
    return refused("merchant" if "orderSn" in keys else "not bodies")


def _fields_or_none(raw: bytes) -> dict[str, object] | None:
    try:
        return fields_of(raw.decode())
    except (NotJson, UnicodeDecodeError):
        return None


def _is_full(fields: Collection[str]) -> bool:
    """Whether an order has the fields that the oauth list lacks and that the rules need."""
    return "is_direct" in fields or "order_receive_time" in fields


def body_rows(
    path: Path, codepage: FileEncoding, notes: list[tuple[str, str]], *, several: bool
) -> Iterator[OrderRow | BadRow]:
    """The orders of one response body or of a list of bodies. Places are numbered from 1 through all bodies.

    notes    receives, at the end, remarks about the whole file (Chinese, English)
    several  whether several bodies may follow each other without a list, as in ``.jsonl``
    Raises   RefusedFile at the wrong body: E-JSON, E-DUPKEY, E-LIMIT, and E-KIND for an error response and for a body
             without any order that has is_direct or order_receive_time
    """
    with utf8_of(path, codepage) as file:
        document = Document(file)
        bodies = _Bodies(document, codepage.has_controls)
        if document.peek() == b"[":
            for _ in document.items():
                yield from bodies.next_one()
        else:
            yield from bodies.next_one()
            while several and document.peek():
                yield from bodies.next_one()
        document.finish()
    if bodies.total_count > bodies.orders:
        notes.append(
            (
                f"平台说共有 {bodies.total_count:,} 单，文件里只有 {bodies.orders:,} 单：其余各页还没有导入",
                f"total_count is {bodies.total_count:,}, the file holds {bodies.orders:,} orders: other pages lack",
            )
        )


class _Bodies:
    """The response bodies of one document."""

    def __init__(self, document: Document, has_controls: bool) -> None:
        self._document, self._has_controls, self._place = document, has_controls, 0
        self.orders = 0
        """Number of orders on all pages of the list."""
        self.total_count = 0
        """The largest total count of all pages."""

    def next_one(self) -> Iterator[OrderRow | BadRow]:
        """The orders of the next body."""
        document, keys = self._document, []
        for key in _members(document):
            keys.append(key)
            if key == "order_list_get_response":
                yield from self._rows(self._page())
            elif key == "order_detail_response":
                yield from self._rows(iter([document.value()]))
            elif key == "error_response":
                raise _error_reply(document.value())
            else:
                document.value()
        if ENVELOPES.isdisjoint(keys):
            raise _other(keys)

    def _page(self) -> Iterator[bytes]:
        document, listed, empty = self._document, False, False
        for key in _members(document):
            if key == "order_list" and document.peek() == b"[":
                listed = True
                for raw in document.elements():
                    self.orders += 1
                    yield raw
            elif key == "total_count":
                count = document.value().strip(b'"')
                empty = count == b"0"
                self.total_count = max(
                    self.total_count, int(count) if count.isdigit() and len(count) < 10 else 0
                )
            else:
                document.value()
        if not listed and not empty:
            raise refused("not bodies")

    def _rows(self, orders: Iterator[bytes]) -> Iterator[OrderRow | BadRow]:
        full, seen = False, False
        for raw in orders:
            self._place += 1
            try:
                row = read_order(raw, self._place, self._has_controls)
            except NotJson:
                raise self._document.broken(f"第 {self._place} 个订单 / order {self._place}") from None
            if not full and (fields := _fields_or_none(raw)) is not None:
                full, seen = _is_full(fields), True
            yield row
        if seen and not full:
            raise refused("oauth")


def _error_reply(raw: bytes) -> RefusedFile:
    fields = _fields_or_none(raw) or {}
    message = fields.get("sub_msg") or fields.get("error_msg") or ""
    return refused("error reply", error_code=fields.get("error_code", ""), message=message)


def line_rows(path: Path, codepage: FileEncoding, entries: set[int]) -> Iterator[OrderRow | BadRow]:
    """The orders of a file with one order on each line. A line that is not JSON is a bad row.

    entries  receives the numbers of the quarantine entries from which rows were exported

    Raises RefusedFile E-KIND at the end if no order has is_direct or order_receive_time, or if no line is an order.
    """
    full, keys, braces, place = False, None, False, 0
    with utf8_of(path, codepage) as file:
        readline, has_controls = file.readline, codepage.has_controls
        while line := readline(LINE_LIMIT):
            place += 1
            if len(line) == LINE_LIMIT and not line.endswith(b"\n"):
                yield bad_row("long row", place=place, raw=line.decode("utf-8", "ignore"), limit=LINE_LIMIT)
                _skip_line(file)
                continue
            raw = line.strip(_BLANK)
            if not raw:
                continue
            raw, entry = without_entry(raw)
            if entry is not None:
                entries.add(entry)
            if not full:
                fields = _fields_or_none(raw)
                full = fields is not None and _is_full(fields)
                keys, braces = keys or fields, braces or raw.startswith(b"{")
            try:
                yield read_order(raw, place, has_controls)
            except NotJson:
                yield bad_row("line", place=place, raw=raw.decode())
    if not full and keys is not None:
        raise refused("oauth") if "order_sn" in keys else _other(keys)
    if not full and not (braces and not _is_one_value(path, codepage)):
        raise refused("not bodies")


def _skip_line(file: IO[bytes]) -> None:
    """Skip the rest of a line that is too long."""
    while (rest := file.readline(LINE_LIMIT)) and not rest.endswith(b"\n"):
        pass


def _is_one_value(path: Path, codepage: FileEncoding) -> bool:
    """Whether the file is one JSON value over several lines."""
    with utf8_of(path, codepage) as file:
        document = Document(file)
        try:
            document.value()
            document.finish()
        except RefusedFile:
            return False
    return True
