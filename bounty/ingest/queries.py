"""Queries over batches and what waits in quarantine."""

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Connection, Row, Select, func, select

from bounty.db import Query
from bounty.models import Batch, Quarantined

OUTCOMES = ("new", "changed", "unchanged", "stale", "quarantined")
"""What can come of a row; each is a column ``rows_…`` of ``batches``."""


class OutcomeCount(NamedTuple):
    """The rows of one kind of file with one outcome."""

    kind: str
    outcome: str
    """One of OUTCOMES."""
    rows: int


def rows_by_outcome(connection: Connection) -> Iterator[OutcomeCount]:
    """The rows of all batches, undone ones too, by kind of file and outcome."""
    sums = (func.sum(Batch.__table__.c[f"rows_{name}"]) for name in OUTCOMES)
    for kind, *counts in connection.execute(select(Batch.kind, *sums).group_by(Batch.kind)):
        for outcome, count in zip(OUTCOMES, counts, strict=True):
            yield OutcomeCount(kind, outcome, int(count))


class EntryRow(NamedTuple):
    """An open entry, with its file."""

    quarantine_id: int
    kind: str
    batch_id: int
    place: int
    column_name: str | None
    value: str | None
    code: str
    sentence_zh: str
    sentence_en: str
    others: str | None
    """JSON; see ``quarantine.errors_of``."""
    raw: str
    paid_at: int | None
    file_name: str
    shape: str
    header: str | None


def open_entries() -> Query:
    """Every open entry with the name of its file, as ``EntryRow`` but for shape and header."""
    return (
        select(
            Quarantined.quarantine_id,
            Quarantined.kind,
            Quarantined.batch_id,
            Quarantined.place,
            Quarantined.column_name,
            Quarantined.value,
            Quarantined.code,
            Quarantined.sentence_zh,
            Quarantined.sentence_en,
            Quarantined.others,
            Quarantined.raw,
            Quarantined.paid_at,
            Batch.file_name,
        )
        .join(Batch, Batch.batch_id == Quarantined.batch_id)
        .where(Quarantined.closed_at.is_(None))
    )


def open_entry_count() -> Select[int]:
    """Counts the open entries of all kinds."""
    return select(func.count()).where(Quarantined.closed_at.is_(None))


def count_open(connection: Connection) -> int:
    """How many entries are open, of all kinds."""
    return connection.execute(open_entry_count()).scalar_one()


def count_of_batch(connection: Connection, batch_id: int) -> int:
    """How many entries first came in a batch, open or not."""
    of_batch = select(func.count()).where(Quarantined.batch_id == batch_id)
    counted: int = connection.execute(of_batch).scalar_one()
    return counted


def open_by_kind(connection: Connection) -> dict[str, int]:
    """How many entries of each kind of file are open; only the kinds with any."""
    entries = select(Quarantined.kind, func.count()).where(Quarantined.closed_at.is_(None))
    return dict(connection.execute(entries.group_by(Quarantined.kind)).all())


def count_open_of_batch(connection: Connection, batch_id: int) -> int:
    """How many open entries came with a batch."""
    of_batch = (Quarantined.batch_id == batch_id, Quarantined.closed_at.is_(None))
    counted: int = connection.execute(select(func.count()).where(*of_batch)).scalar_one()
    return counted


def count_open_of_order(connection: Connection, order_sn: str) -> int:
    """How many open entries are rows of an order."""
    about = (Quarantined.kind == "orders", Quarantined.subject == order_sn, Quarantined.closed_at.is_(None))
    counted: int = connection.execute(select(func.count()).where(*about)).scalar_one()
    return counted


def open_codes(connection: Connection) -> list[str]:
    """The codes that open entries have, in their order."""
    entries = select(Quarantined.code).where(Quarantined.closed_at.is_(None))
    return list(connection.execute(entries.distinct().order_by(Quarantined.code)).scalars())


def files_with_open_entries(connection: Connection, most: int) -> list[Row[int, str]]:
    """The newest files with open entries: batch_id and file_name.

    most  files at most
    """
    entries = (
        select(Batch.batch_id, Batch.file_name)
        .join(Quarantined, Quarantined.batch_id == Batch.batch_id)
        .where(Quarantined.closed_at.is_(None))
    )
    return list(connection.execute(entries.distinct().order_by(Batch.batch_id.desc()).limit(most)))


def file_of(connection: Connection, batch_id: int) -> Row[int, str] | None:
    """batch_id and file_name of a batch; null where there is none."""
    batch = select(Batch.batch_id, Batch.file_name).where(Batch.batch_id == batch_id)
    return connection.execute(batch).first()
