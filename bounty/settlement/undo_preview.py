"""What undoing a batch of orders would do: rows, orders, and in each open period whose pass would change."""

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, func, select

from bounty.db import snapshot, transaction
from bounty.models import Batch, Notice, Order, RosterEntry
from bounty.orders.undo import orders_touched, undo_batch
from bounty.roster.terms import terms_in_force
from bounty.rules.periods import Period
from bounty.settlement.queries import measured_roster


@dataclass(frozen=True, slots=True)
class PassChange:
    """A promoter whose pass would change."""

    promoter_id: int
    name: str
    gained: bool
    """Whether they would pass and do not now; otherwise it is the other way round."""


@dataclass(frozen=True, slots=True)
class TouchedPeriod:
    """An open period with orders that the undoing changes."""

    period: str
    notice: int | None
    """The newest notice's number; null where there is none."""
    orders: int
    passes: list[PassChange]
    """By promoter."""


@dataclass(frozen=True, slots=True)
class UndoPreview:
    """What undoing a batch would do."""

    batch_id: int
    file_name: str
    rows: int
    """Rows that would be withdrawn."""
    orders: int
    """Orders that would change."""
    gone: int
    """Of them, orders of which nothing would be left."""
    periods: list[TouchedPeriod]


def undo_preview(engine: Engine, batch_id: int, now: int) -> UndoPreview:
    """The real undoing, in a transaction that is rolled back.

    Raises BountyError as ``undo_batch`` does.
    """
    with transaction(engine) as connection:
        orders_before = _orders(connection)
        rows = undo_batch(connection, batch_id, now)
        touched = orders_touched(connection)
        gone = orders_before - _orders(connection)
        orders = sum(touched.values())
        after = {period: _passing(connection, period) for period in touched if period is not None}
        connection.rollback()
    with snapshot(engine) as connection:
        name = connection.execute(select(Batch.file_name).where(Batch.batch_id == batch_id)).scalar_one()
        periods = [
            TouchedPeriod(
                period, _notice(connection, period), touched[period], _changes(connection, period, passing)
            )
            for period, passing in sorted(after.items())
        ]
    return UndoPreview(batch_id, name, rows, orders, gone, periods)


def _orders(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(Order)).scalar_one()


def _notice(connection: Connection, period: str) -> int | None:
    return connection.execute(select(func.max(Notice.notice)).where(Notice.period == period)).scalar()


def _passing(connection: Connection, period: str) -> set[int]:
    """Who would pass a period by the orders as they are."""
    of = Period.parse(period)
    reached = measured_roster(of, terms_in_force(connection, of).terms).subquery("reached").c
    return set(
        connection.execute(select(reached.promoter_id).where(reached.rate_permille.is_not(None))).scalars()
    )


def _changes(connection: Connection, period: str, after: set[int]) -> list[PassChange]:
    changed = sorted(_passing(connection, period) ^ after)
    entry = RosterEntry
    names = {
        row.promoter_id: row.name
        for start in range(0, len(changed), 500)
        for row in connection.execute(
            select(entry.promoter_id, entry.name).where(
                entry.period == period, entry.promoter_id.in_(changed[start : start + 500])
            )
        )
    }
    return [PassChange(each, names[each], each in after) for each in changed]
