"""The four small files about promoters: promoters, violations, links and targets (docs/promises.md, Input files)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Final

from bounty.files import cells
from bounty.files.columns import CellReading, FileColumn, HeaderMatch, lay_out_either
from bounty.files.csv_records import Record
from bounty.files.header_mapping import NO_MAPPING, HeaderMapping
from bounty.files.problems import BadRow, Fault, bad_row, row_of_errors
from bounty.files.tables import ANY_TABLE, TableShape, no_data_case, open_table, reread_record
from bounty.ingest.correction_files import noting_entries

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
    chinese: tuple[FileColumn, ...]
    """The same under Chinese headers."""


_CHANNEL_WORDS = {"APP": "app", "app": "app", "其他": "other", "other": "other"}


def _channel_word(text: str) -> str:
    if text not in _CHANNEL_WORDS:
        raise Fault("channel")
    return _CHANNEL_WORDS[text]


_PROMOTER_ZH = FileColumn("推手ID", "promoter_id", cells.promoter_id)
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
        (
            _PROMOTER_ZH,
            FileColumn("名称", "name", _TEXT, verbatim=True),
            FileColumn("等级", "level", _TEXT),
            FileColumn("等级生效日", "level_from", cells.some_day),
            FileColumn("注册日", "registered_on", cells.some_day),
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
        (
            _PROMOTER_ZH,
            FileColumn("发生日", "occurred_on", cells.some_day),
            FileColumn("原因", "reason", _TEXT, blank="", verbatim=True),
            FileColumn("解除日", "cleared_on", cells.sheet_day, blank=None),
        ),
    ),
    "links": _Shape(
        LinkRow,
        ("promoter_id", "p_id"),
        (
            FileColumn("p_id", "p_id", cells.promotion_id),
            FileColumn("channel", "channel", cells.one_of(("app", "other"), "channel")),
        ),
        (
            FileColumn("推广位ID", "p_id", cells.promotion_id),
            FileColumn("渠道", "channel", _channel_word),
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
        (
            FileColumn("期次", "period", cells.period),
            _PROMOTER_ZH,
            FileColumn("目标GMV(元)", "gmv_fen", cells.yuan, blank=None),
            FileColumn("目标订单", "orders", cells.whole_number(10**9), blank=None),
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
    rows: Iterator[ReferenceRow | BadRow] = field(repr=False)
    """The kind's rows (PromoterRow, ...) or BadRow, in the file's order, once."""
    entries: set[int] = field(default_factory=set)
    """Entries of the quarantine from which rows were exported that come back in it; known once its rows are read."""
    mapped: HeaderMapping = field(default_factory=dict)
    """Headers of the file that were read as other columns."""


def reference_columns(kind: str) -> tuple[FileColumn, ...]:
    """The columns of a kind, under both of their names."""
    return *_SHAPES[kind].columns, *_SHAPES[kind].chinese


def chinese_columns(kind: str) -> tuple[FileColumn, ...]:
    """The columns of one of the four files under Chinese headers."""
    return _SHAPES[kind].chinese


def read_reference(path: Path, kind: str, mapping: HeaderMapping = NO_MAPPING) -> Reference:
    """Open one of the four files and read its header.

    kind     promoters, violations, links or targets
    mapping  headers that are read as other columns
    Raises RefusedFile: E-KIND for what is no table, E-HEAD, E-DELIM, E-ENC, E-EMPTY and others of the catalogue
    """
    shape = _SHAPES[kind]
    lay_out = partial(lay_out_either, shape.columns, shape.chinese)
    table = open_table(path, ANY_TABLE, lay_out, mapping)
    layout = lay_out(table.header)
    entries: set[int] = set()
    records = noting_entries(table.header, table.rows(), entries)
    rows = (_row(shape, layout, table.header, record) for record in records)
    return Reference(table.shape, table.header_raw, table.encoding, rows, entries, table.mapped)


def reread_reference(
    kind: str, header: str, raw: str, place: int = 1, written: str = "csv"
) -> ReferenceRow | BadRow:
    """One stored row read again, with its file's kind and header; ``written`` is its file's shape."""
    shape = _SHAPES[kind]
    names, record = reread_record(written, header, raw, place)
    return _row(shape, lay_out_either(shape.columns, shape.chinese, names), names, record)


def reference_layout(kind: str, header: list[str]) -> HeaderMatch:
    """Where a kind's columns stand in a header. Raises RefusedFile."""
    return lay_out_either(_SHAPES[kind].columns, _SHAPES[kind].chinese, header)


def _row(
    shape: _Shape, layout: HeaderMatch, header: list[str], record: Record | BadRow
) -> ReferenceRow | BadRow:
    if isinstance(record, BadRow):
        return record
    reading = layout.read(record.cells)
    facts = reading.facts
    if "p_id" in facts:
        facts["promoter_id"] = cells.promoter_of_p_id(facts["p_id"])
    if not reading.faults:
        return shape.row(place=record.place, raw=record.raw, **facts)
    return _bad(shape, layout, reading, header, record)


def _bad(
    shape: _Shape, layout: HeaderMatch, reading: CellReading, header: list[str], record: Record
) -> BadRow:
    facts = reading.facts
    if case := no_data_case(header, record.cells):
        return bad_row(case, place=record.place, raw=record.raw)
    return row_of_errors(
        reading.errors(lambda column: layout.cell(column, record.cells), layout.place),
        place=record.place,
        raw=record.raw,
        subject=" ".join(str(facts[name]) for name in shape.key) if facts.keys() >= set(shape.key) else None,
        promoter_id=facts.get("promoter_id"),
        content=layout.content(record.cells),
    )
