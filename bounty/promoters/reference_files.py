"""The four small files about promoters: promoters, violations, links and targets (docs/promises.md, Input files)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Final

from bounty.files import cells
from bounty.files.columns import CellReading, FileColumn, HeaderMatch, match_headers
from bounty.files.csv_records import Record
from bounty.files.problems import BadRow, bad_row
from bounty.files.tables import ANY_TABLE, TableShape, no_data_case, open_table, reread_record

NAME_LIMIT: Final = 500
"""Characters of a name, a level or a remark."""


@dataclass(frozen=True, slots=True)
class PromoterRow:
    """A promoter's level from a day on."""

    place: int
    raw: str
    promoter_id: int
    name: str
    """As it stood."""
    level: str
    level_from: date
    registered_on: date


@dataclass(frozen=True, slots=True)
class ViolationRow:
    """A violation of a promoter on a day."""

    place: int
    raw: str
    promoter_id: int
    occurred_on: date
    reason: str
    """As it stood; may be blank."""
    cleared_on: date | None


@dataclass(frozen=True, slots=True)
class LinkRow:
    """Where the links of a promotion place are made."""

    place: int
    raw: str
    p_id: str
    promoter_id: int
    """The part of p_id before the underscore."""
    channel: str
    """app or other."""


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A promoter's own targets in a period; None where there is no such target."""

    place: int
    raw: str
    period: str
    promoter_id: int
    gmv_fen: int | None
    orders: int | None


ReferenceRow = PromoterRow | ViolationRow | LinkRow | TargetRow


@dataclass(frozen=True, slots=True)
class _Shape:
    """How the rows of one kind of file are read."""

    row: Callable[..., ReferenceRow]
    key: tuple[str, str]
    """The facts that tell its rows apart; joined by a blank they are a row's subject."""
    columns: tuple[FileColumn, ...]


_PROMOTER = FileColumn("promoter_id", "promoter_id", cells.promoter_id)
_TEXT = cells.text_up_to(NAME_LIMIT)
_SHAPES: Final[dict[str, _Shape]] = {
    "promoters": _Shape(
        PromoterRow,
        ("promoter_id", "level_from"),
        (
            _PROMOTER,
            FileColumn("name", "name", _TEXT, verbatim=True),
            FileColumn("level", "level", _TEXT),
            FileColumn("level_from", "level_from", cells.day),
            FileColumn("registered_on", "registered_on", cells.day),
        ),
    ),
    "violations": _Shape(
        ViolationRow,
        ("promoter_id", "occurred_on"),
        (
            _PROMOTER,
            FileColumn("occurred_on", "occurred_on", cells.day),
            FileColumn("reason", "reason", _TEXT, blank="", verbatim=True),
            FileColumn("cleared_on", "cleared_on", cells.day, blank=None),
        ),
    ),
    "links": _Shape(
        LinkRow,
        ("promoter_id", "p_id"),
        (
            FileColumn("p_id", "p_id", cells.promotion_id),
            FileColumn("channel", "channel", cells.one_of(("app", "other"), "channel")),
        ),
    ),
    "targets": _Shape(
        TargetRow,
        ("promoter_id", "period"),
        (
            FileColumn("period", "period", cells.period),
            _PROMOTER,
            FileColumn("gmv_yuan", "gmv_fen", cells.yuan, blank=None),
            FileColumn("orders", "orders", cells.whole_number(10**9), blank=None),
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference file whose header has been read."""

    shape: TableShape
    """How its rows are written."""
    header: str
    """The header as it stood: with it a raw row can be read again."""
    encoding: str
    """utf-8, utf-8-sig or gb18030."""
    rows: Iterator[Any] = field(repr=False)
    """The kind's rows (PromoterRow, ...) or BadRow, in the file's order, once."""


def read_reference(path: Path, kind: str) -> Reference:
    """Open one of the four files and read its header.

    kind    promoters, violations, links or targets
    Raises RefusedFile: E-KIND for what is no table, E-HEAD, E-DELIM, E-ENC, E-EMPTY and others of the catalogue
    """
    shape = _SHAPES[kind]
    table = open_table(path, ANY_TABLE, partial(match_headers, shape.columns))
    layout = match_headers(shape.columns, table.header)
    rows = (_row(shape, layout, table.header, record) for record in table.rows())
    return Reference(table.shape, table.header_raw, table.encoding, rows)


def reread_reference(
    kind: str, header: str, raw: str, place: int = 1, written: str = "csv"
) -> ReferenceRow | BadRow:
    """One stored row read again, with its file's kind and header; ``written`` is its file's shape."""
    shape = _SHAPES[kind]
    names, record = reread_record(written, header, raw, place)
    return _row(shape, match_headers(shape.columns, names), names, record)


def reference_layout(kind: str, header: list[str]) -> HeaderMatch:
    """Where a kind's columns stand in a header. Raises RefusedFile."""
    return match_headers(_SHAPES[kind].columns, header)


def _row(
    shape: _Shape, layout: HeaderMatch, header: list[str], record: Record | BadRow
) -> ReferenceRow | BadRow:
    if isinstance(record, BadRow):
        return record
    reading = layout.read(record.cells)
    facts = reading.facts
    if "p_id" in facts:
        facts["promoter_id"] = cells.promoter_of_p_id(facts["p_id"])
    if reading.fault is None:
        return shape.row(place=record.place, raw=record.raw, **facts)
    return _bad(shape, layout, reading, header, record)


def _bad(
    shape: _Shape, layout: HeaderMatch, reading: CellReading, header: list[str], record: Record
) -> BadRow:
    fault, column, facts = reading.fault, reading.column, reading.facts
    assert fault is not None
    assert column is not None
    if case := no_data_case(header, record.cells):
        return bad_row(case, place=record.place, raw=record.raw)
    return bad_row(
        fault.case,
        place=record.place,
        raw=record.raw,
        column=column.name,
        value=layout.cell(column, record.cells),
        subject=" ".join(str(facts[name]) for name in shape.key) if facts.keys() >= set(shape.key) else None,
        promoter_id=facts.get("promoter_id"),
        content=layout.content(record.cells),
        **fault.facts,
    )
