"""Batches: what one file, or one release from quarantine, brought."""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, insert, update

from bounty.models import Batch


@dataclass(slots=True)
class Counts:
    """The counts of a batch's rows; the last five add up to ``read``."""

    read: int = 0
    new: int = 0
    """Seen for the first time."""
    changed: int = 0
    """Known before, and otherwise after the batch."""
    unchanged: int = 0
    """Rows that were in the books already."""
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


_OF_SOURCE = ("kind", "file_name", "sha256", "shape", "header", "encoding")
_OF_COUNTS = ("read", "new", "changed", "unchanged", "stale", "quarantined")
# Made once: a page of a hundred orders is a batch, and making a statement takes longer than carrying it out.
_BEGIN = insert(Batch).returning(Batch.batch_id)
_FINISH = (
    update(Batch)
    .where(Batch.batch_id == bindparam("number"))
    .values({f"rows_{name}": bindparam(f"count_{name}") for name in _OF_COUNTS})
)


def begin_batch(connection: Connection, source: Source, now: int) -> int:
    """A new batch without counts; its number."""
    values = {name: getattr(source, name) for name in _OF_SOURCE} | {"imported_at": now}
    number: int = connection.execute(_BEGIN, values).scalar_one()
    return number


def finish_batch(connection: Connection, batch_id: int, counts: Counts) -> None:
    """The counts of a batch, once all its rows are in.

    Raises RuntimeError if they do not add up: a row would have been lost.
    """
    kept = counts.new + counts.changed + counts.unchanged + counts.stale + counts.quarantined
    if kept != counts.read or counts.stale < 0:
        raise RuntimeError(f"batch {batch_id}: {counts} does not add up")
    values = {f"count_{name}": getattr(counts, name) for name in _OF_COUNTS}
    connection.execute(_FINISH, values | {"number": batch_id})
