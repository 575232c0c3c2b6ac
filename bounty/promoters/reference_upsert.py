"""Rows of a reference file (promoters, violations, links, targets) into their table: the last row of a key holds."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Table,
    and_,
    cast,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
)
from sqlalchemy.types import Text

from bounty.db import Base, Columns, WholeNumber, Words, clear, insert_into, load, workspace
from bounty.files.problems import BadRow, bad_row
from bounty.ingest.batches import Counts
from bounty.ingest.quarantine import NO_HEADERS, UNKNOWN_PROMOTER, BatchQuarantine, close_entries
from bounty.models import Promoter, Quarantined
from bounty.promoters.reference_files import ReferenceRow

CHUNK = 20_000


@dataclass(frozen=True, slots=True)
class ReferenceKind:
    """How the rows of one kind of file become rows of one table."""

    name: str
    table: type[Base]
    key: tuple[str, ...]
    """The columns, of table and row alike, that tell its rows apart; joined by a blank they are a row's subject."""
    values: tuple[str, ...]
    """The columns that a later row replaces."""
    promoter_column: str = "promoter_id"
    """The column of the file that names the promoter."""
    names_promoters: bool = False
    """Whether its rows make promoters known; other kinds wait in quarantine for theirs."""
    versions: type[Base] | None = None
    """The table of the same columns that keeps what every batch changed, under the key and the batch."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Rows that can't be taken in for a reason that only the database knows."""

    applies: Callable[[Columns], ColumnElement[bool]]
    """To a staged row, from its columns."""
    code: str
    column: str


def upsert_reference_rows(
    connection: Connection,
    kind: ReferenceKind,
    batch_id: int,
    rows: Iterable[ReferenceRow | BadRow],
    now: int,
    refusals: Sequence[Refusal] = (),
    *,
    headers: Mapping[str, str] = NO_HEADERS,
) -> Counts:
    """Merge the rows of a batch and hold the bad ones in quarantine.

    rows     of the kind's row type, or BadRow, in the order of the file
    headers  fact -> the file's own header for it
    """
    staged = _stage(kind)
    clear(connection, staged)
    holding = BatchQuarantine(connection, batch_id, kind.name, headers)
    counts = Counts()
    names = [column.name for column in staged.columns]
    reading = iter(rows)
    while chunk := list(islice(reading, CHUNK)):
        counts.read += len(chunk)
        holding.add([row for row in chunk if isinstance(row, BadRow)])
        good = [row for row in chunk if not isinstance(row, BadRow)]
        load(
            connection,
            staged,
            [tuple(_plain(connection, getattr(row, name)) for name in names) for row in good],
        )
    if kind.names_promoters:
        promoters = select(staged.c.promoter_id).distinct().where(literal(1) == 1)
        known = insert_into(connection.dialect.name, Promoter).from_select(["promoter_id"], promoters)
        connection.execute(known.on_conflict_do_nothing())
    else:
        refusals = [Refusal(_promoter_unknown, UNKNOWN_PROMOTER, kind.promoter_column), *refusals]
    for refusal in refusals:
        _refuse(connection, staged, kind, refusal, holding)
    holding.settle_in()
    counts.quarantined = holding.rows
    _merge(connection, kind, staged, batch_id, counts, now)
    return counts


def _promoter_unknown(row: Columns) -> ColumnElement[bool]:
    return ~exists().where(Promoter.promoter_id == row.promoter_id)


def _refuse(
    connection: Connection, staged: Table, kind: ReferenceKind, refusal: Refusal, holding: BatchQuarantine
) -> None:
    applies = refusal.applies(staged.c)
    refused = connection.execute(select(staged).where(applies).order_by(staged.c.place)).all()
    if not refused:
        return
    holding.add(
        [
            bad_row(
                refusal.code,
                place=row.place,
                column=refusal.column,
                value=str(getattr(row, refusal.column)),
                raw=row.raw,
                subject=" ".join(str(getattr(row, name)) for name in kind.key),
                promoter_id=row.promoter_id,
                content=repr([str(getattr(row, name)) for name in (*kind.key, *kind.values)]),
            )
            for row in refused
        ]
    )
    connection.execute(delete(staged).where(applies))


def _stage(kind: ReferenceKind) -> Table:
    table = kind.table.__table__
    columns = [Column(name, table.c[name].type) for name in (*kind.key, *kind.values)]
    return workspace(f"staged_{kind.name}", Column("place", WholeNumber), *columns, Column("raw", Words))


def _plain(connection: Connection, value: object) -> object:
    """A date as the driver of the database takes it."""
    return value.isoformat() if connection.dialect.name == "sqlite" and isinstance(value, date) else value


def _merge(
    connection: Connection, kind: ReferenceKind, staged: Table, batch_id: int, counts: Counts, now: int
) -> None:
    """Count what the staged rows do to the table, then do it."""
    table = kind.table.__table__
    rank = func.row_number().over(
        partition_by=[staged.c[name] for name in kind.key], order_by=staged.c.place.desc()
    )
    row = select(staged, rank.label("rank")).subquery("row")
    last = select(staged, rank.label("rank")).subquery("last")

    def same(left: FromClause, right: FromClause, names: tuple[str, ...]) -> ColumnElement[bool]:
        return and_(*(left.c[name].is_not_distinct_from(right.c[name]) for name in names))

    by_key = row.outerjoin(table, and_(*(table.c[name] == row.c[name] for name in kind.key)))
    with_last = by_key.join(last, and_(last.c.rank == 1, *(last.c[name] == row.c[name] for name in kind.key)))
    held = and_(table.c[kind.key[0]].is_not(None), same(row, table, kind.values))
    is_last = row.c.rank == 1
    absent = table.c[kind.key[0]].is_(None)

    def count(*conditions: ColumnElement[bool]) -> int:
        return connection.execute(select(func.count()).select_from(with_last).where(*conditions)).scalar_one()

    counts.new = count(is_last, absent)
    counts.changed = count(is_last, ~absent, ~held)
    counts.unchanged = count(held) + count(~held, ~is_last, same(row, last, kind.values))
    counts.stale = count() - counts.new - counts.changed - counts.unchanged
    subject: ColumnElement[str] = cast(row.c[kind.key[0]], Text)
    for name in kind.key[1:]:
        subject = subject + literal(" ") + cast(row.c[name], Text)
    fresh = connection.execute(select(subject).select_from(by_key).where(is_last, ~held)).scalars().all()
    names = [*kind.key, *kind.values]
    columns = [*names, "place", "batch_id"]
    content = (*(row.c[name] for name in names), row.c.place, literal(batch_id))
    if kind.versions is not None:
        changed = select(*content).select_from(by_key).where(is_last, ~held)
        connection.execute(insert(kind.versions).from_select(columns, changed))
    upsert = insert_into(connection.dialect.name, kind.table).from_select(
        columns, select(*content).where(is_last)
    )
    new = upsert.excluded
    connection.execute(
        upsert.on_conflict_do_update(
            index_elements=list(kind.key),
            set_={name: new[name] for name in (*kind.values, "place", "batch_id")},
            where=or_(*(table.c[name].is_distinct_from(new[name]) for name in kind.values)),
        )
    )
    for start in range(0, len(fresh), 500):
        close_entries(
            connection,
            "superseded",
            batch_id,
            now,
            Quarantined.kind == kind.name,
            Quarantined.batch_id < batch_id,
            Quarantined.code != UNKNOWN_PROMOTER,
            Quarantined.subject.in_(fresh[start : start + 500]),
        )
