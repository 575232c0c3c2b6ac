"""What was received of an order, row by row: what each changed, and which file brought it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from bounty.models import Batch, OrderVersion
from bounty.orders.archive_files import VERSION_COLUMNS, ArchiveFault
from bounty.orders.archived import archived_rows
from bounty.orders.received_texts import received_text
from bounty.platforms.pdd.order_facts import STORED
from bounty.rules.clauses import FactValue

FACTS = tuple(fact.name for fact in STORED if fact.in_timeline)
"""The facts whose changes are shown."""


@dataclass(frozen=True, slots=True)
class Change:
    """A fact that a row says otherwise than the one before it."""

    fact: str
    """One of FACTS."""
    was: FactValue
    now: FactValue


@dataclass(frozen=True, slots=True)
class RowReceived:
    """One distinct row of an order."""

    modified_at: int
    """The row's own age, as the platform gave it."""
    file_name: str
    place: int
    imported_at: int
    withdrawn: bool
    """Whether what brought it was undone."""
    changes: tuple[Change, ...]
    """None for the first."""
    text: str | None
    """The row as received; None if it is not wanted, or can't be read any more."""


@dataclass(frozen=True, slots=True)
class Received:
    """Every row that came for an order while it was one promoter's."""

    rows: list[RowReceived]
    """The oldest state first."""
    unreadable: str | None = None
    """The name of the archive that has the rows and can't be read, blank where none has them; null if nothing is
    missing."""


def rows_received(connection: Connection, promoter_id: int, order_sn: str, *, with_texts: bool) -> Received:
    """Every row that came for an order while it was this promoter's, from the tables or from its archive.

    with_texts   whether to read the rows as received: a file may have columns that are not for promoters
    """
    found = _rows_held(connection, promoter_id, order_sn)
    texts: dict[tuple[int, int], str] | None = None
    if not found:
        try:
            found, texts = _rows_archived(connection, promoter_id, order_sn)
        except ArchiveFault as fault:
            return Received([], fault.name)
    rows = []
    before: Mapping[str, Any] | None = None
    for row in found:
        changes = tuple(
            Change(name, before[name], row[name])
            for name in FACTS
            # Only detail rows tell of after-sales: that a list row does not is no change.
            if before is not None
            and row[name] != before[name]
            and not (name == "return_status" and row[name] is None)
        )
        place = row["batch_id"], row["place"]
        text = None
        if with_texts:
            text = received_text(connection, *place) if texts is None else texts.get(place)
        rows.append(
            RowReceived(
                row["modified_at"],
                row["file_name"],
                row["place"],
                row["imported_at"],
                bool(row["withdrawn"]),
                changes,
                text,
            )
        )
        before = row
    return Received(rows)


def _rows_held(connection: Connection, promoter_id: int, order_sn: str) -> list[Mapping[str, Any]]:
    """The rows in the tables, with the file of each."""
    query = (
        select(
            OrderVersion.modified_at,
            OrderVersion.is_detail,
            OrderVersion.batch_id,
            OrderVersion.place,
            OrderVersion.withdrawn,
            *(OrderVersion.__table__.c[name] for name in FACTS),
            Batch.file_name,
            Batch.imported_at,
        )
        .join(Batch, Batch.batch_id == OrderVersion.batch_id)
        .where(OrderVersion.promoter_id == promoter_id, OrderVersion.order_sn == order_sn)
        .order_by(OrderVersion.modified_at, OrderVersion.batch_id, OrderVersion.place)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def _rows_archived(
    connection: Connection, promoter_id: int, order_sn: str
) -> tuple[list[Mapping[str, Any]], dict[tuple[int, int], str]]:
    """The rows in an archive, with the file of each, and their texts by batch and place.

    Raises ArchiveFault where they can't be read.
    """
    kept = [row for row in archived_rows(connection, order_sn) if row.promoter_id == promoter_id]
    kept.sort(key=lambda row: (row.modified_at, row.batch_id, row.place))
    batches = select(Batch.batch_id, Batch.file_name, Batch.imported_at)
    by_id = {
        row.batch_id: row
        for row in connection.execute(batches.where(Batch.batch_id.in_({row.batch_id for row in kept})))
    }
    rows: list[Mapping[str, Any]] = [
        {
            **dict(zip(VERSION_COLUMNS, row.version, strict=True)),
            "file_name": by_id[row.batch_id].file_name,
            "imported_at": by_id[row.batch_id].imported_at,
        }
        for row in kept
    ]
    return rows, {(row.batch_id, row.place): row.text for row in kept}
