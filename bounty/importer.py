"""Files in, of whichever kind: one file, one batch, one transaction; and rows out of quarantine again."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

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
from bounty.models import Batch, Level, OpenPeriod, Promoter, Quarantined
from bounty.orders import service as orders
from bounty.orders.unknowns import unknown_in_batch
from bounty.platforms.pdd.order_files import open_orders, reread
from bounty.platforms.pdd.sheet_orders import COLUMNS as ORDER_COLUMNS
from bounty.platforms.pdd.sheet_orders import layout_of
from bounty.promoters import reference_upsert
from bounty.promoters.reference_files import (
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
Told = Callable[[int], None]
_CHANGES_SHOWN = 10
_LEVEL_FACTS = (("等级", "level"), ("名称", "name"), ("注册日", "registration"))
RELEASE = "(quarantine)"
"""The file name of a batch that came out of quarantine."""


class BroughtAgain(BountyError):
    """An older file of promoters, whose rows would put back what a later file has changed."""

    def __init__(self, changes: list[tuple[str, str]]) -> None:
        shown = changes[:_CHANGES_SHOWN]
        more_zh, more_en = ("…", " ...") if len(changes) > len(shown) else ("", "")
        super().__init__(
            f"This file was imported before, and a later one has changed what it says. It would change back: "
            f"{'; '.join(en for _, en in shown)}{more_en}. Nothing was imported; add --force if that is meant.",
            f"这份文件以前导入过，之后的文件改动了其中的内容。再次导入会改回："
            f"{'；'.join(zh for zh, _ in shown)}{more_zh}。没有导入任何内容；确认无误后再强制导入。",
        )
        self.changes = changes


class Strict(BountyError):
    """A file with rows that would have gone into quarantine, refused because it was asked for."""

    def __init__(self, counts: Counts) -> None:
        super().__init__(
            f"{counts.quarantined} of {counts.read} rows can't be taken in; nothing was imported."
        )
        self.counts = counts


class _Footers:
    """Counts the totals and remarks at the end of a file, as its rows go by."""

    def __init__(self) -> None:
        self.rows = 0

    def counted(self, rows: Iterable[Any]) -> Iterator[Any]:
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
    told: Told = lambda _: None,
) -> Imported:
    """Take in a file; also whatever waited in quarantine for the promoters it names.

    kind      one of KINDS
    force     also where an older file of promoters would put back what a later one has changed
    mapping   headers of this file that are read as other columns, besides those that are kept
    told      called with the number of rows read so far

    Raises RefusedFile for a file that is wholly wrong, Strict, BroughtAgain, and BountyError if it can't be read.
    """
    with snapshot(engine) as connection:
        kept = kept_mapping(connection, kind)
    opened = open_file(kind, path, mapping=mapping, kept=kept)
    with transaction(engine) as connection:
        imported = import_opened(connection, opened, now, told, force=force)
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
                file.rows(),
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
    connection: Connection, opened: Opened, now: int, told: Told = lambda _: None, *, force: bool = False
) -> Imported:
    """Take in an opened file, and what waited for the promoters it names; with its record, or not at all.

    force   also where an older file of promoters would put back what a later one has changed: BroughtAgain else

    Raises RefusedFile where only reading on shows that the whole file is wrong, and BountyError if it can't be read.
    """
    source = opened.source
    older = _levels(connection) if _was_brought_before(connection, source) else None
    try:
        footers = _Footers()
        batch_id, counts = import_rows(
            connection, replace(opened, rows=footers.counted(opened.rows)), now, told
        )
    except OSError as error:
        raise BountyError(f"can't be read: {error.strerror or error}.") from error
    put_back = [] if older is None else _changes(older, _levels(connection))
    if put_back and not force:
        raise BroughtAgain(put_back)
    released = _release_known(connection, now) if source.kind in NAMES_PROMOTERS else []
    came: dict[str, Any] = {
        "kind": source.kind,
        "file": source.file_name,
        "sha256": source.sha256,
        "counts": str(counts),
    }
    if opened.mapped:
        came["headers"] = dict(opened.mapped)
    record(connection, "batch.import", f"batch {batch_id}", now, after=came | _told_of(released))
    notes = [*_read_as(opened.mapped), *_overlooked(source), *opened.notes, *put_back]
    if source.kind == "orders":
        notes += [(each.zh, each.en) for each in unknown_in_batch(connection, batch_id)]
    return Imported(counts, released, batch_id, notes, bool(put_back), footers.rows)


def _read_as(mapped: HeaderMapping) -> list[tuple[str, str]]:
    """What is told of headers that were read as other columns."""
    return [(f"列“{own}”按“{name}”读取", f"column {own} is read as {name}") for own, name in mapped.items()]


def _was_brought_before(connection: Connection, source: Source) -> bool:
    """Whether a file of promoters is the same as one that is not the newest."""
    if source.kind not in NAMES_PROMOTERS:
        return False
    same = select(Batch.batch_id).where(Batch.kind == source.kind, Batch.sha256 == source.sha256).limit(1)
    return connection.execute(same).first() is not None


def _levels(connection: Connection) -> dict[tuple[int, date], tuple[str, str, date]]:
    """Promoter and first day -> level, name and registration."""
    row = Level
    every = select(row.promoter_id, row.level_from, row.level, row.name, row.registered_on)
    return {(each[0], each[1]): (each[2], each[3], each[4]) for each in connection.execute(every)}


def _changes(
    before: dict[tuple[int, date], tuple[str, str, date]],
    after: dict[tuple[int, date], tuple[str, str, date]],
) -> list[tuple[str, str]]:
    """What is told of each level that differs: before and after, in Chinese and in English."""
    said = []
    for (promoter_id, level_from), was in sorted(before.items()):
        now = after.get((promoter_id, level_from), was)
        for (zh, en), old, new in zip(_LEVEL_FACTS, was, now, strict=True):
            if old != new:
                said.append(
                    (
                        f"推手 {promoter_id}（{level_from} 起）的{zh}：{old} → {new}",
                        f"promoter {promoter_id} from {level_from}, {en}: {old} -> {new}",
                    )
                )
    return said


def import_rows(
    connection: Connection, opened: Opened, now: int, told: Told = lambda _: None
) -> tuple[int, Counts]:
    """Take in an opened file as a batch: its number, and what became of its rows. The act it belongs to records it.

    Raises RefusedFile where only reading on shows that the whole file is wrong.
    """
    batch_id, counts = _take_in(connection, opened.source, opened.rows, now, told)
    if opened.entries:
        bad = counts.quarantined > 0
        close_returned(connection, opened.source.kind, batch_id, opened.entries, now, has_bad_rows=bad)
    return batch_id, counts


def _overlooked(source: Source) -> list[tuple[str, str]]:
    """What is told of unread headers that differ only in unit or case from a column that the file lacks."""
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
    connection: Connection, source: Source, rows: Iterable[Any], now: int, told: Told = lambda _: None
) -> tuple[int, Counts]:
    """The number of the new batch, and what became of its rows."""
    batch_id = begin_batch(connection, source, now)
    headers = {fact: header for header, fact in columns_of(source) if fact}
    if source.kind == "orders":
        counts = orders.import_order_rows(connection, batch_id, rows, now, told, headers)
    else:
        refusals = [PERIOD_OPEN] if source.kind == "targets" else []
        counts = reference_upsert.upsert_reference_rows(
            connection, REFERENCE[source.kind], batch_id, rows, now, refusals, headers=headers
        )
    if source.kind == "links" and counts.new + counts.changed:
        recompute_links(connection, batch_id)
    finish_batch(connection, batch_id, counts)
    return batch_id, counts


def retry(engine: Engine, now: int) -> list[tuple[str, Counts]]:
    """Read every open entry of the quarantine again; what can be taken in now goes in."""
    with transaction(engine) as connection:
        released = _release(connection, now)
        if released:
            record(connection, "quarantine.retry", "quarantine", now, after=_told_of(released))
        return released


def _told_of(released: list[tuple[str, Counts]]) -> dict[str, dict[str, str]]:
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
    good: list[Any] = []
    for entry in waiting(connection, Quarantined.kind == kind, *which):
        row = _read_again(kind, entry)
        if isinstance(row, BadRow):
            continue
        may_wait = kind not in NAMES_PROMOTERS and row.promoter_id not in promoters
        if not may_wait and not (kind == "targets" and row.period in open_periods):
            good.append(row)
    if not good:
        return None
    source = Source(kind, RELEASE, "", "quarantine", None, "utf-8")
    batch_id, counts = _take_in(connection, source, good, now)
    for start in range(0, len(good), 500):
        places = [row.place for row in good[start : start + 500]]
        close_entries(connection, "released", batch_id, now, Quarantined.quarantine_id.in_(places))
    return counts


def _read_again(kind: str, entry: WaitingRow) -> Any:
    """The row of an entry, with the entry's number as its place; a BadRow if it still is one."""
    if kind == "orders":
        return reread(entry.shape, entry.header, entry.raw, entry.quarantine_id)
    return reread_reference(kind, entry.header or "", entry.raw, entry.quarantine_id, entry.shape)
