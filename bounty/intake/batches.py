"""Batches: what one file, or one release from quarantine, brought."""

from dataclasses import dataclass

from sqlalchemy import Connection, insert, update

from bounty.models import Batch


@dataclass(slots=True)
class Counts:
    """What became of a batch's rows; the last five add up to ``read``."""

    read: int = 0
    new: int = 0
    """Seen for the first time."""
    changed: int = 0
    """Known before, and otherwise after the batch."""
    unchanged: int = 0
    """Rows held already."""
    stale: int = 0
    """The other rows kept."""
    quarantined: int = 0

    def __str__(self) -> str:
        return (
            f"read={self.read} new={self.new} changed={self.changed} unchanged={self.unchanged} "
            f"stale={self.stale} quarantined={self.quarantined}"
        )


@dataclass(frozen=True, slots=True)
class Source:
    """Where a batch's rows come from."""

    kind: str
    """promoters, violations, links, targets or orders."""
    file_name: str
    sha256: str
    """Of the file's bytes, hex; blank for a release from quarantine."""
    shape: str
    """csv, xlsx or json."""
    header: str | None
    """What the raw rows need to be read again."""
    encoding: str


def begin_batch(connection: Connection, source: Source, now: int) -> int:
    """A new batch without counts; its number."""
    row = connection.execute(
        insert(Batch)
        .values(
            kind=source.kind,
            file_name=source.file_name,
            sha256=source.sha256,
            shape=source.shape,
            header=source.header,
            encoding=source.encoding,
            imported_at=now,
        )
        .returning(Batch.batch_id)
    )
    return row.scalar_one()


def finish_batch(connection: Connection, batch_id: int, counts: Counts) -> None:
    """The counts of a batch, once all its rows are in.

    Raises RuntimeError if they do not add up: a row would have been lost.
    """
    kept = counts.new + counts.changed + counts.unchanged + counts.stale + counts.quarantined
    if kept != counts.read or counts.stale < 0:
        raise RuntimeError(f"batch {batch_id}: {counts} does not add up")
    connection.execute(
        update(Batch)
        .where(Batch.batch_id == batch_id)
        .values(
            rows_read=counts.read,
            rows_new=counts.new,
            rows_changed=counts.changed,
            rows_unchanged=counts.unchanged,
            rows_stale=counts.stale,
            rows_quarantined=counts.quarantined,
        )
    )
