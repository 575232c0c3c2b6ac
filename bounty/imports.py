"""Files in, of whichever kind: one file, one batch, one transaction; and rows out of quarantine again."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, select

from bounty.audit.service import record
from bounty.db import transaction
from bounty.errors import BountyError
from bounty.intake import merge
from bounty.intake.batches import Counts, Source, begin_batch, finish_batch
from bounty.intake.catalogue import BadRow
from bounty.intake.quarantine import UNKNOWN_PROMOTER, Waiting, close, waiting
from bounty.intake.reference import read_reference, reread_reference
from bounty.models import OpenPeriod, Promoter, Quarantined
from bounty.orders import service as orders
from bounty.orders.reading import open_orders, reread
from bounty.promoters.service import LINKS, PROMOTERS, VIOLATIONS
from bounty.roster.service import PERIOD_OPEN, TARGETS

REFERENCE = {kind.name: kind for kind in (PROMOTERS, VIOLATIONS, LINKS, TARGETS)}
KINDS = (*REFERENCE, "orders")
NAMES_PROMOTERS = {kind.name for kind in REFERENCE.values() if kind.names_promoters}
Told = Callable[[int], None]
RELEASE = "(quarantine)"
"""The file name of a batch that came out of quarantine."""


class Strict(BountyError):
    """A file with rows that would have gone into quarantine, refused because it was asked for."""

    def __init__(self, counts: Counts) -> None:
        super().__init__(
            f"{counts.quarantined} of {counts.read} rows can't be taken in; nothing was imported."
        )
        self.counts = counts


@dataclass(frozen=True, slots=True)
class Imported:
    """What importing a file did."""

    counts: Counts
    released: list[tuple[str, Counts]]
    """Kind and counts of what came out of quarantine because the file named its promoters."""


def import_file(
    engine: Engine, kind: str, path: Path, now: int, *, strict: bool = False, told: Told = lambda _: None
) -> Imported:
    """Take in a file; also whatever waited in quarantine for the promoters it names.

    kind    one of KINDS
    told    called with the number of rows read so far

    Raises RefusedFile for a file that is wholly wrong, Strict, and BountyError if it can't be read.
    """
    try:
        source, rows = _opened(kind, path, _sha256(path))
        with transaction(engine) as connection:
            batch_id, counts = _take_in(connection, source, rows, now, told)
            if strict and counts.quarantined:
                raise Strict(counts)
            released = _release_known(connection, now) if kind in NAMES_PROMOTERS else []
            came = {"kind": kind, "file": source.file_name, "sha256": source.sha256, "counts": str(counts)}
            record(connection, "batch.import", f"batch {batch_id}", now, after=came | _told_of(released))
    except OSError as error:
        raise BountyError(f"can't be read: {error.strerror or error}.") from error
    return Imported(counts, released)


def _opened(kind: str, path: Path, sha256: str) -> tuple[Source, Iterable[Any]]:
    if kind == "orders":
        orders_file = open_orders(path)
        header, shape = orders_file.header, orders_file.shape
        return Source(kind, path.name, sha256, shape, header, orders_file.encoding), orders_file.rows()
    file = read_reference(path, kind)
    return Source(kind, path.name, sha256, "csv", file.header, file.encoding), file.rows


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _take_in(
    connection: Connection, source: Source, rows: Iterable[Any], now: int, told: Told = lambda _: None
) -> tuple[int, Counts]:
    """The number of the new batch, and what became of its rows."""
    batch_id = begin_batch(connection, source, now)
    if source.kind == "orders":
        counts = orders.take_in(connection, batch_id, rows, now, told)
    else:
        refusals = [PERIOD_OPEN] if source.kind == "targets" else []
        counts = merge.take_in(connection, REFERENCE[source.kind], batch_id, rows, now, refusals)
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
        close(connection, "released", batch_id, now, Quarantined.quarantine_id.in_(places))
    return counts


def _read_again(kind: str, entry: Waiting) -> Any:
    """The row of an entry, with the entry's number as its place; a BadRow if it still is one."""
    if kind == "orders":
        return reread(entry.shape, entry.header, entry.raw, entry.quarantine_id)
    return reread_reference(kind, entry.header or "", entry.raw, entry.quarantine_id)
