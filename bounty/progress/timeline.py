"""What was received of an order, row by row: what each changed, and which file brought it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from bounty.models import Batch, OrderVersion
from bounty.platforms.pdd.order_facts import STORED

FACTS = tuple(fact.name for fact in STORED if fact.in_timeline)
"""The facts whose changes are shown."""


@dataclass(frozen=True, slots=True)
class Change:
    """A fact that a row says otherwise than the one before it."""

    fact: str
    """One of FACTS."""
    was: Any
    now: Any


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


def rows_received(connection: Connection, promoter_id: int, order_sn: str) -> list[RowReceived]:
    """Every row that came for an order while it was this promoter's, the oldest state first."""
    found = connection.execute(
        select(
            OrderVersion.modified_at,
            OrderVersion.is_detail,
            OrderVersion.place,
            OrderVersion.withdrawn,
            *(OrderVersion.__table__.c[name] for name in FACTS),
            Batch.file_name,
            Batch.imported_at,
        )
        .join(Batch, Batch.batch_id == OrderVersion.batch_id)
        .where(OrderVersion.promoter_id == promoter_id, OrderVersion.order_sn == order_sn)
        .order_by(OrderVersion.modified_at, OrderVersion.batch_id, OrderVersion.place)
    ).all()
    rows = []
    before: Any = None
    for row in found:
        changes = tuple(
            Change(name, before._mapping[name], row._mapping[name])
            for name in FACTS
            # Only detail rows tell of after-sales: that a list row does not is no change.
            if before is not None
            and row._mapping[name] != before._mapping[name]
            and not (name == "return_status" and row._mapping[name] is None)
        )
        rows.append(
            RowReceived(
                row.modified_at, row.file_name, row.place, row.imported_at, bool(row.withdrawn), changes
            )
        )
        before = row
    return rows
