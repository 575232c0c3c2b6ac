"""Quarantine: rows that could not be taken in wait here, as they stood, until they go in or are dismissed."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from itertools import starmap
from typing import Protocol

from sqlalchemy import Column, ColumnElement, Connection, exists, func, literal, select, update

from bounty.audit.service import record
from bounty.db import Bytes, Query, WholeNumber, Words, clear, insert_into, load, workspace
from bounty.errors import BountyError
from bounty.files.problems import BadRow, RowError
from bounty.ingest.queries import EntryRow, open_entries
from bounty.models import Batch, ImportBadRow, Quarantined

UNKNOWN_PROMOTER = "E-PROMOTER"
"""The one code that time alone can mend: such a row goes in by itself once its promoter is imported."""
NO_DATA = "E-TOTAL"
"""The code of totals, repeated headers and comments: rows never meant as data, for which no month waits."""

NO_HEADERS: Mapping[str, str] = {}

_held = workspace(
    "held_rows",
    # Rows of a file rise, so SQLite keeps them by their place and need not sort them again.
    Column("place", WholeNumber, primary_key=True, autoincrement=False),
    Column("raw_hash", Bytes),
    Column("column_name", Words),
    Column("value", Words),
    Column("code", Words),
    Column("sentence_zh", Words),
    Column("sentence_en", Words),
    Column("raw", Words),
    Column("others", Words),
    Column("subject", Words),
    Column("promoter_id", WholeNumber),
    Column("paid_at", WholeNumber),
)
# PostgreSQL rebuilds the index of such a table at every commit.
_held.primary_key.ddl_if(dialect="sqlite")


def _identity(row: BadRow) -> bytes:
    """16 bytes that stand for what a row says, so that it is one entry however often and in what file it comes."""
    content = row.raw if row.content is None else row.content
    return blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class BatchQuarantine:
    """The bad rows of one batch on their way into quarantine."""

    def __init__(
        self, connection: Connection, batch_id: int, kind: str, headers: Mapping[str, str] = NO_HEADERS
    ) -> None:
        """
        headers   fact -> the file's own header for it, by which an error names its column
        """
        self._connection, self._batch_id, self._kind, self._headers = connection, batch_id, kind, headers
        self.rows = 0
        """How many rows it holds."""

    def add(self, bad: list[BadRow]) -> None:
        """Bad rows as they were read."""
        if not bad:
            return
        if not self.rows:
            clear(self._connection, _held)
        load(
            self._connection,
            _held,
            [
                (
                    row.place,
                    _identity(row),
                    self._headers.get(row.column or "", row.column),
                    row.value,
                    row.code,
                    row.zh,
                    row.en,
                    row.raw,
                    json.dumps(row.others, ensure_ascii=False) if row.others else None,
                    row.subject,
                    row.promoter_id,
                    row.paid_at,
                )
                for row in bad
            ],
        )
        self.rows += len(bad)

    def settle_in(self, *, in_parts: bool = False) -> None:
        """Write the entries. The k-th row of some content is the same entry as its k-th in any other file.

        in_parts   whether these are the bad rows of a part of the unfinished large file: those of its earlier parts are
                   counted too, and these are for the next
        """
        if not self.rows:
            return
        held = _held.c
        number: ColumnElement[int] = func.row_number().over(partition_by=held.raw_hash, order_by=held.place)
        if in_parts:
            before = select(ImportBadRow.rows).where(ImportBadRow.raw_hash == held.raw_hash)
            number = number + func.coalesce(before.scalar_subquery(), 0)
        # Two columns alone are sorted: with whole rows, each sort took 64 MiB more for a file of many bad rows.
        numbered = select(
            held.place,
            number.label("occurrence"),
        ).subquery("numbered")
        rows = (
            select(literal(self._batch_id), literal(self._kind), numbered.c.occurrence, *held)
            .outerjoin(numbered, numbered.c.place == held.place)  # outer, so that SQLite goes by places
            .order_by(held.place)
        )
        names = ["batch_id", "kind", "occurrence", *(column.name for column in held)]
        entries = insert_into(self._connection.dialect.name, Quarantined).from_select(names, rows)
        new = entries.excluded
        self._connection.execute(
            entries.on_conflict_do_update(
                index_elements=["kind", "raw_hash", "occurrence"],
                set_={"batch_id": new.batch_id, "place": new.place, "closed_at": None, "closed_how": None},
                where=Quarantined.closed_how == "withdrawn",  # its batch was undone; now it is this batch's
            )
        )
        if in_parts:
            self._count_content()

    def _count_content(self) -> None:
        counts = select(_held.c.raw_hash, func.count()).group_by(_held.c.raw_hash)
        upsert = insert_into(self._connection.dialect.name, ImportBadRow).from_select(
            ["raw_hash", "rows"], counts
        )
        more = {"rows": ImportBadRow.rows + upsert.excluded.rows}
        self._connection.execute(upsert.on_conflict_do_update(index_elements=["raw_hash"], set_=more))


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """An open entry, with what is needed to read its row again."""

    quarantine_id: int
    shape: str
    header: str | None
    raw: str


def waiting(connection: Connection, *which: ColumnElement[bool]) -> Iterator[WaitingRow]:
    """Open entries in the order in which they came."""
    rows = connection.execute(
        select(Quarantined.quarantine_id, Batch.shape, Batch.header, Quarantined.raw)
        .join(Batch, Batch.batch_id == Quarantined.batch_id)
        .where(Quarantined.closed_at.is_(None), *which)
        .order_by(Quarantined.quarantine_id),
        execution_options={"yield_per": 1000},
    )
    for row in rows:
        yield WaitingRow(*row)


def close_entries(
    connection: Connection, how: str, batch_id: int | None, now: int, *which: ColumnElement[bool]
) -> int:
    """Close open entries; how many.

    how   released, superseded or dismissed
    """
    return connection.execute(
        update(Quarantined)
        .where(Quarantined.closed_at.is_(None), *which)
        .values(closed_at=now, closed_how=how, closed_batch_id=batch_id)
    ).rowcount


def close_returned(
    connection: Connection,
    kind: str,
    batch_id: int,
    entries: set[int],
    now: int,
    *,
    has_bad_rows: bool,
    in_parts: bool = False,
) -> None:
    """Close the entries whose rows a batch brought back from a file to mend.

    A row that came back just as it was is still the same entry, and stays open.

    has_bad_rows   whether the batch held any
    in_parts       whether it is the unfinished large file's
    """
    came = ImportBadRow.raw_hash if in_parts else _held.c.raw_hash
    unchanged = exists().where(came == Quarantined.raw_hash)
    which = [Quarantined.kind == kind, Quarantined.batch_id < batch_id]
    if has_bad_rows:
        which.append(~unchanged)
    numbers = sorted(entries)
    for start in range(0, len(numbers), 500):
        chosen = Quarantined.quarantine_id.in_(numbers[start : start + 500])
        close_entries(connection, "superseded", batch_id, now, *which, chosen)


def dismiss_entries(connection: Connection, quarantine_id: int, reason: str, now: int) -> None:
    """Let an entry go for good.

    Raises BountyError if there is no such open entry, or the reason is blank.
    """
    if not reason.strip():
        raise BountyError(
            "A dismissal needs a reason: say why the row may be left out.", "请写明为什么可以放弃这一行。"
        )
    dismissed = connection.execute(
        update(Quarantined)
        .where(Quarantined.quarantine_id == quarantine_id, Quarantined.closed_at.is_(None))
        .values(closed_at=now, closed_how="dismissed", reason=reason.strip())
    )
    if dismissed.rowcount != 1:
        raise BountyError(
            f"Quarantine holds no open entry {quarantine_id}: `bounty quarantine list` shows them.",
            f"隔离区没有待处理的第 {quarantine_id} 条。",
        )
    record(connection, "quarantine.dismiss", f"entry {quarantine_id}", now, reason=reason.strip())


class EntryErrors(Protocol):
    """What is wrong with the row of an entry: columns of ``quarantine``."""

    @property
    def column_name(self) -> str | None: ...
    @property
    def value(self) -> str | None: ...
    @property
    def code(self) -> str: ...
    @property
    def sentence_zh(self) -> str: ...
    @property
    def sentence_en(self) -> str: ...
    @property
    def others(self) -> str | None: ...


def errors_of(row: EntryErrors) -> list[RowError]:
    """All that is wrong with the row of an entry, in the order of its columns."""
    first = RowError(row.column_name, row.value, row.code, row.sentence_zh, row.sentence_en)
    return [first, *(RowError(*each) for each in json.loads(row.others or "[]"))]


def dismiss_all(connection: Connection, entries: Query, reason: str, now: int) -> int:
    """Let several open entries go for good with one reason; how many.

    entries   a SELECT of their quarantine_id

    Raises BountyError if there are none, or the reason is blank.
    """
    if not reason.strip():
        raise BountyError(
            "A dismissal needs a reason: say why the rows may be left out.", "请写明为什么可以放弃这些行。"
        )
    held = (Quarantined.closed_at.is_(None), Quarantined.quarantine_id.in_(entries))
    ids = func.min(Quarantined.quarantine_id), func.max(Quarantined.quarantine_id)
    first, last = connection.execute(select(*ids).where(*held)).one()
    if first is None:
        raise BountyError("No open entry is chosen.", "没有选中待处理的行。")
    dismissed: int = connection.execute(
        update(Quarantined).where(*held).values(closed_at=now, closed_how="dismissed", reason=reason.strip())
    ).rowcount
    after = {"entries": dismissed, "first": first, "last": last}
    record(connection, "quarantine.dismiss", "entries", now, after=after, reason=reason.strip())
    return dismissed


def quarantine_list(connection: Connection, kind: str | None) -> Iterator[EntryRow]:
    """Open entries with the file they came from, its shape and its header, for a person."""
    chosen = [Quarantined.kind == kind] if kind else []
    entries = open_entries().add_columns(Batch.shape, Batch.header).where(*chosen)
    in_order = entries.order_by(Quarantined.quarantine_id)
    return starmap(EntryRow, connection.execute(in_order, execution_options={"yield_per": 1000}))
