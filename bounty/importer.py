"""Files in, of whichever kind: one file, one batch, one transaction (a large file of orders: several); and rows out of
quarantine again."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, select

from bounty.audit.service import record
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.files.columns import FileColumn, HeaderMatch
from bounty.files.file_types import require_file
from bounty.files.header_mapping import NO_MAPPING, HeaderMapping, checked_mapping
from bounty.files.problems import BadRow
from bounty.files.tables import reread_record
from bounty.ingest.batches import Counts, Source, begin_batch, finish_batch
from bounty.ingest.header_names import keep_mapping, kept_mapping
from bounty.ingest.quarantine import UNKNOWN_PROMOTER, WaitingRow, close_entries, close_returned, waiting
from bounty.ingest.queries import count_open, count_open_of_batch
from bounty.ingest.unfinished import UnfinishedImport, unfinished_file
from bounty.models import OpenPeriod, Promoter, Quarantined
from bounty.notifications.outbox import announce, has_endpoints
from bounty.orders import service as orders
from bounty.orders.parts import FileImport, import_in_parts
from bounty.orders.unknowns import unknown_in_batch
from bounty.platforms.pdd.order_files import OrderRow, open_orders, reread
from bounty.platforms.pdd.reading_process import LARGE_BYTES, rows_from_child
from bounty.platforms.pdd.sheet_orders import COLUMNS as ORDER_COLUMNS
from bounty.platforms.pdd.sheet_orders import layout_of
from bounty.promoters import reference_upsert
from bounty.promoters.older_files import OlderFileRefused, changes, levels, was_imported_before
from bounty.promoters.reference_files import (
    ReferenceRow,
    TargetRow,
    read_reference,
    reference_columns,
    reference_layout,
    reread_reference,
)
from bounty.promoters.service import LINKS, PROMOTERS, VIOLATIONS
from bounty.roster.service import PERIOD_OPEN, TARGETS
from bounty.totals.service import recompute_links

REFERENCE = {kind.name: kind for kind in (PROMOTERS, VIOLATIONS, LINKS, TARGETS)}
KINDS = (*REFERENCE, "orders")
NAMES_PROMOTERS = {kind.name for kind in REFERENCE.values() if kind.names_promoters}
OnProgress = Callable[[int], None]
_Row = TypeVar("_Row")
RELEASE = "(quarantine)"
"""The file name of a batch that came out of quarantine."""


class Strict(BountyError):
    """A file with rows that would have gone into quarantine, refused as the caller requested."""

    def __init__(self, counts: Counts) -> None:
        super().__init__(
            f"{counts.quarantined} of {counts.read} rows can't be taken in; nothing was imported."
        )
        self.counts = counts


class _Footers:
    """Counts the totals and remarks at the end of a file, as its rows go by."""

    def __init__(self) -> None:
        self.rows = 0

    def counted(self, rows: Iterable[_Row]) -> Iterator[_Row]:
        """The rows, as they come."""
        for row in rows:
            self.rows = self.rows + 1 if isinstance(row, BadRow) and row.code == "E-TOTAL" else 0
            yield row


@dataclass(frozen=True, slots=True)
class Imported:
    """What importing a file did."""

    counts: Counts
    released: list[tuple[str, Counts]]
    """Kind and counts of what came out of quarantine because the file named its promoters."""
    batch_id: int
    notes: list[tuple[str, str]]
    """What a person should know of the file as a whole, in Chinese and in English."""
    put_back: bool
    """Whether it was an older file of promoters that put back what a later one had changed."""
    footers: int = 0
    """Of the quarantined rows, those at the end of the file that are totals or remarks: they are no orders gone bad."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A file whose kind, code page and header have been judged, with its rows still to come."""

    source: Source
    rows: Iterable[Any]
    entries: set[int] = field(default_factory=set)
    """Entries of the quarantine from which its rows were exported; known once they are read."""
    notes: list[tuple[str, str]] = field(default_factory=list)
    """What a person should know of it as a whole, in Chinese and in English; known once its rows are read."""
    mapped: HeaderMapping = field(default_factory=dict)
    """Headers that were read as other columns."""


def import_file(
    engine: Engine,
    kind: str,
    path: Path,
    now: int,
    *,
    strict: bool = False,
    force: bool = False,
    mapping: HeaderMapping = NO_MAPPING,
    on_progress: OnProgress = lambda _: None,
) -> Imported:
    """Take in a file; also whatever waited in quarantine for the promoters it names.

    kind      one of KINDS
    strict    refuse the file if rows of it would go into quarantine; it then always is one transaction
    force     also where an older file of promoters would put back what a later one has changed
    mapping   headers of this file that are read as other columns, besides those that are kept
    on_progress  called with the number of rows read so far

    Raises RefusedFile for a file that is wholly wrong, Strict, OlderFileRefused, BountyError if it can't be read, and
    as ``import_orders`` does.
    """
    with snapshot(engine) as connection:
        kept = kept_mapping(connection, kind)
    opened = open_file(kind, path, mapping=mapping, kept=kept)
    if kind == "orders" and not strict:
        return import_orders(engine, opened, now, on_progress)
    with transaction(engine) as connection:
        file = unfinished_file(connection) if strict else None
        if file is not None and file.sha256 == opened.source.sha256:
            raise UnfinishedImport(file)
        imported = import_opened(connection, opened, now, on_progress, force=force)
        if strict and imported.counts.quarantined > imported.footers:
            raise Strict(imported.counts)
    return imported


def open_file(
    kind: str,
    path: Path,
    name: str | None = None,
    *,
    mapping: HeaderMapping = NO_MAPPING,
    kept: HeaderMapping = NO_MAPPING,
) -> Opened:
    """A file to bring in.

    name      what its batch calls it, where the path does not
    mapping   headers of this file that are read as other columns
    kept      headers that are so in all files of the kind; this file need not have them

    Raises RefusedFile for a file that is wholly wrong, and BountyError if it can't be read or a mapping is none.
    """
    require_file(path)
    chosen = checked_mapping(mapping, columns_of_kind(kind))
    both = {**kept, **chosen}
    try:
        sha256, name = _sha256(path), name or path.name
        if kind == "orders":
            file = open_orders(path, both)
            _require_used(chosen, file.mapped)
            return Opened(
                Source(kind, name, sha256, file.shape, file.header, file.encoding),
                rows_from_child(path, both, file) if path.stat().st_size >= LARGE_BYTES else file.rows(),
                file.entries,
                file.notes,
                file.mapped,
            )
        table = read_reference(path, kind, both)
        _require_used(chosen, table.mapped)
        return Opened(
            Source(kind, name, sha256, table.shape, table.header, table.encoding),
            table.rows,
            table.entries,
            mapped=table.mapped,
        )
    except OSError as error:
        raise BountyError(f"can't be read: {error.strerror or error}.") from error


def columns_of_kind(kind: str) -> tuple[FileColumn, ...]:
    """The columns of a kind of file, under all of their names."""
    return ORDER_COLUMNS if kind == "orders" else reference_columns(kind)


def keep_headers(connection: Connection, kind: str, mapping: HeaderMapping, now: int) -> None:
    """Have headers of all later files of a kind read as other columns. Raises BountyError for what is no mapping."""
    keep_mapping(connection, kind, checked_mapping(mapping, columns_of_kind(kind)), now)


def _require_used(chosen: HeaderMapping, mapped: HeaderMapping) -> None:
    """Refuse a mapping of a header that the file lacks, or to a column that it has."""
    for header, name in chosen.items():
        if mapped.get(header) != name:
            raise BountyError(
                f"{header} can't be read as {name}: the file has no such header, or it has {name} itself.",
                f"「{header}」不能当作「{name}」：文件里没有这个列名，或者已经有「{name}」这一列。",
            )


def import_opened(
    connection: Connection,
    opened: Opened,
    now: int,
    on_progress: OnProgress = lambda _: None,
    *,
    force: bool = False,
) -> Imported:
    """Take in an opened file, and what waited for the promoters it names; with its record, or not at all.

    force   also where an older file of promoters would put back what a later one has changed: OlderFileRefused else

    Raises RefusedFile where only reading on shows that the whole file is wrong, and BountyError if it can't be read.
    """
    source = opened.source
    again = source.kind in NAMES_PROMOTERS and was_imported_before(connection, source)
    older = levels(connection) if again else None
    try:
        footers = _Footers()
        batch_id, counts = import_rows(
            connection, replace(opened, rows=footers.counted(opened.rows)), now, on_progress
        )
    except OSError as error:
        raise BountyError(f"can't be read: {error.strerror or error}.") from error
    put_back = [] if older is None else changes(older, levels(connection))
    if put_back and not force:
        raise OlderFileRefused(put_back)
    released = _release_known(connection, now) if source.kind in NAMES_PROMOTERS else []
    _record(connection, opened, batch_id, counts, now, _released_facts(released))
    notes = [*_notes(opened), *put_back]
    if source.kind == "orders":
        notes += [(each.zh, each.en) for each in unknown_in_batch(connection, batch_id)]
    return Imported(counts, released, batch_id, notes, bool(put_back), footers.rows)


def import_orders(
    engine: Engine,
    opened: Opened,
    now: int,
    on_progress: OnProgress = lambda _: None,
    keep: Callable[[Connection, int], None] = lambda _connection, _batch: None,
) -> Imported:
    """Take in an opened file of orders; a large one in parts, each a transaction of its own.

    keep   called with the batch in the transaction in which it is whole

    Raises as ``orders.parts.import_in_parts`` does, and BountyError if the file can't be read.
    """
    footers = _Footers()

    def begin(connection: Connection) -> int:
        return begin_batch(connection, opened.source, now)

    def conclude(connection: Connection, batch_id: int, counts: Counts, *, in_parts: bool) -> None:
        finish_batch(connection, batch_id, counts)
        _announce(connection, batch_id, opened.source, counts, now)
        _close_returned(connection, opened, batch_id, counts, now, in_parts=in_parts)
        _record(connection, opened, batch_id, counts, now, {})
        keep(connection, batch_id)

    file = FileImport(opened.source, _headers(opened.source), begin, conclude)
    try:
        batch_id, counts = import_in_parts(engine, file, footers.counted(opened.rows), now, on_progress)
    except OSError as error:
        raise BountyError(f"can't be read: {error.strerror or error}.") from error
    with snapshot(engine) as connection:
        unknown = [(each.zh, each.en) for each in unknown_in_batch(connection, batch_id)]
    return Imported(counts, [], batch_id, [*_notes(opened), *unknown], False, footers.rows)


def _record(
    connection: Connection,
    opened: Opened,
    batch_id: int,
    counts: Counts,
    now: int,
    released: dict[str, dict[str, str]],
) -> None:
    source = opened.source
    came: dict[str, object] = {
        "kind": source.kind,
        "file": source.file_name,
        "sha256": source.sha256,
        "counts": str(counts),
    }
    if opened.mapped:
        came["headers"] = dict(opened.mapped)
    record(connection, "batch.import", f"batch {batch_id}", now, after=came | released)


def _notes(opened: Opened) -> list[tuple[str, str]]:
    """What a person should know of a file whose rows are read."""
    return [*_read_as(opened.mapped), *_overlooked(opened.source), *opened.notes]


def _read_as(mapped: HeaderMapping) -> list[tuple[str, str]]:
    """The warnings about headers that were read as other columns."""
    return [(f"列“{own}”按“{name}”读取", f"column {own} is read as {name}") for own, name in mapped.items()]


def import_rows(
    connection: Connection, opened: Opened, now: int, on_progress: OnProgress = lambda _: None
) -> tuple[int, Counts]:
    """Take in an opened file as a batch: its number, and what became of its rows. The act it belongs to records it.

    Raises RefusedFile where only reading on shows that the whole file is wrong.
    """
    batch_id, counts = _take_in(connection, opened.source, opened.rows, now, on_progress)
    _close_returned(connection, opened, batch_id, counts, now)
    return batch_id, counts


def _close_returned(
    connection: Connection, opened: Opened, batch_id: int, counts: Counts, now: int, *, in_parts: bool = False
) -> None:
    kind, entries, bad = opened.source.kind, opened.entries, counts.quarantined > 0
    if entries:
        close_returned(connection, kind, batch_id, entries, now, has_bad_rows=bad, in_parts=in_parts)


def _overlooked(source: Source) -> list[tuple[str, str]]:
    """The warnings about unread headers that differ only in unit or case from a column that the file lacks."""
    if source.header is None:
        return []
    names, layout = _layout_of(source, source.header)
    lacked = {_word(column.name): column.name for column in layout.columns if layout.place(column) < 0}
    near = [(name, lacked[_word(name)]) for name in names if name and _word(name) in lacked]
    return [
        (
            f"列“{own}”没有读取；是否就是“{name}”？请改列名或指定对应",
            f"column {own} is not read; did you mean {name}? Rename or map it",
        )
        for own, name in near
    ]


def _word(header: str) -> str:
    return header.partition("(")[0].strip().casefold()


def _layout_of(source: Source, header: str) -> tuple[list[str], HeaderMatch]:
    """The headers of a table, and where its columns stand."""
    names, _ = reread_record(source.shape, header, header, 1)
    return names, layout_of(names) if source.kind == "orders" else reference_layout(source.kind, names)


def columns_of(source: Source) -> list[tuple[str, str | None]]:
    """Each header of a file with the fact that its cells become; null for one that is overlooked. Empty for JSON."""
    if source.header is None:
        return []
    names, layout = _layout_of(source, source.header)
    facts = {column.name: column.fact for column in layout.columns}
    return [(name, facts.get(name)) for name in names if name]


def _headers(source: Source) -> dict[str, str]:
    """Fact -> the file's own header for it."""
    return {fact: header for header, fact in columns_of(source) if fact}


def correct_order(connection: Connection, name: str, raw: str, now: int) -> int:
    """Bring a corrected row of one order in as a batch of its own; its number. The act it belongs to records it.

    name  of the batch
    raw   the row as the platform's list gives it, JSON

    Raises BountyError if it is no good row.
    """
    row = reread("json", None, raw, 1)
    if isinstance(row, BadRow):
        raise BountyError(
            f"{row.code} {row.column or ''}: {row.en}", f"{row.code} {row.column or ''}：{row.zh}"
        )
    source = Source("orders", name, hashlib.sha256(raw.encode()).hexdigest(), "json", None, "utf-8")
    batch_id, counts = _take_in(connection, source, [row], now)
    if counts.quarantined:
        raise BountyError("The order's promoter is not known.", "订单所属推手尚未导入。")
    return batch_id


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _take_in(
    connection: Connection,
    source: Source,
    rows: Iterable[Any],
    now: int,
    on_progress: OnProgress = lambda _: None,
) -> tuple[int, Counts]:
    """The number of the new batch, and what became of its rows."""
    batch_id = begin_batch(connection, source, now)
    headers = _headers(source)
    if source.kind == "orders":
        counts = orders.import_order_rows(connection, batch_id, rows, now, on_progress, headers)
    else:
        refusals = [PERIOD_OPEN] if source.kind == "targets" else []
        counts = reference_upsert.upsert_reference_rows(
            connection, REFERENCE[source.kind], batch_id, rows, now, refusals, headers=headers
        )
    if source.kind == "links" and counts.new + counts.changed:
        recompute_links(connection, batch_id)
    finish_batch(connection, batch_id, counts)
    _announce(connection, batch_id, source, counts, now)
    return batch_id, counts


def _announce(connection: Connection, batch_id: int, source: Source, counts: Counts, now: int) -> None:
    """Tell the endpoints of a batch, and of what it brought into quarantine; of nothing where nothing was read."""
    if not counts.read or not has_endpoints(connection):
        return
    about = {"batch": batch_id, "kind": source.kind}
    announce(connection, "batch", f"batch {batch_id}", about | asdict(counts), now)
    brought = count_open_of_batch(connection, batch_id) if counts.quarantined else 0
    if brought:
        waits = about | {"quarantined": brought, "waiting": count_open(connection)}
        announce(connection, "quarantine", f"batch {batch_id}", waits, now)


def retry(engine: Engine, now: int) -> list[tuple[str, Counts]]:
    """Read every open entry of the quarantine again; what can be taken in now goes in."""
    with transaction(engine) as connection:
        released = _release(connection, now)
        if released:
            record(connection, "quarantine.retry", "quarantine", now, after=_released_facts(released))
        return released


def _released_facts(released: list[tuple[str, Counts]]) -> dict[str, dict[str, str]]:
    return {"released": {kind: str(counts) for kind, counts in released}} if released else {}


def _release_known(connection: Connection, now: int) -> list[tuple[str, Counts]]:
    known = Quarantined.promoter_id.in_(select(Promoter.promoter_id))
    return _release(connection, now, Quarantined.code == UNKNOWN_PROMOTER, known)


def _release(connection: Connection, now: int, *which: ColumnElement[bool]) -> list[tuple[str, Counts]]:
    """Take in the open entries that can be taken in, a batch a kind; the others go on waiting."""
    return [
        (kind, counts)
        for kind in KINDS
        if (counts := _release_kind(connection, kind, now, *which)) is not None
    ]


def _release_kind(connection: Connection, kind: str, now: int, *which: ColumnElement[bool]) -> Counts | None:
    promoters = set(connection.execute(select(Promoter.promoter_id)).scalars())
    open_periods = set(connection.execute(select(OpenPeriod.period)).scalars())
    good: list[OrderRow | ReferenceRow] = []
    for entry in waiting(connection, Quarantined.kind == kind, *which):
        row = _read_again(kind, entry)
        if isinstance(row, BadRow):
            continue
        may_wait = kind not in NAMES_PROMOTERS and row.promoter_id not in promoters
        if not may_wait and not (isinstance(row, TargetRow) and row.period in open_periods):
            good.append(row)
    if not good:
        return None
    source = Source(kind, RELEASE, "", "quarantine", None, "utf-8")
    batch_id, counts = _take_in(connection, source, good, now)
    for start in range(0, len(good), 500):
        places = [row.place for row in good[start : start + 500]]
        close_entries(connection, "released", batch_id, now, Quarantined.quarantine_id.in_(places))
    return counts


def _read_again(kind: str, entry: WaitingRow) -> OrderRow | ReferenceRow | BadRow:
    """The row of an entry, with the entry's number as its place; a BadRow if it still is one."""
    if kind == "orders":
        return reread(entry.shape, entry.header, entry.raw, entry.quarantine_id)
    return reread_reference(kind, entry.header or "", entry.raw, entry.quarantine_id, entry.shape)
