"""What undoing a batch of orders would do: rows, orders, and in each open period whose pass would change."""

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, and_, func, select

from bounty.db import Query, snapshot
from bounty.models import Batch, Notice, RosterEntry
from bounty.orders.fold import folded
from bounty.orders.undo import Undoing, would_undo
from bounty.progress.as_of import of_month
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


def undo_preview(engine: Engine, batch_id: int) -> UndoPreview:
    """What the undoing would do, read without holding anybody up: no row is written, not even to be rolled back.

    Raises BountyError as ``undo_batch`` does.
    """
    with snapshot(engine) as connection:
        undoing = would_undo(connection, batch_id)
        name = connection.execute(select(Batch.file_name).where(Batch.batch_id == batch_id)).scalar_one()
        periods = [
            TouchedPeriod(
                period,
                _notice(connection, period),
                orders,
                _changes(connection, Period.parse(period), undoing),
            )
            for period, orders in sorted(
                (period, orders) for period, orders in undoing.periods.items() if period is not None
            )
        ]
    return UndoPreview(batch_id, name, undoing.rows, sum(undoing.periods.values()), undoing.gone, periods)


def _notice(connection: Connection, period: str) -> int | None:
    return connection.execute(select(func.max(Notice.notice)).where(Notice.period == period)).scalar()


def _changes(connection: Connection, period: Period, undoing: Undoing) -> list[PassChange]:
    """Whose pass would change: only who has one of the orders can be among them."""
    reached = measured_roster(period, terms_in_force(connection, period).terms)

    def passing(query: Query) -> set[int]:
        return {row.promoter_id for row in connection.execute(query) if row.rate_permille is not None}

    paid_in_it = of_month(connection, period)
    after = folded(
        lambda row: and_(paid_in_it(row), row.promoter_id.in_(undoing.promoters)), undoing.stays
    ).cte("orders")
    now, then = passing(reached), passing(select(reached.subquery("reached")).add_cte(after))
    changed = sorted((now ^ then) & set(connection.execute(undoing.promoters).scalars()))
    entry = RosterEntry
    names = {
        row.promoter_id: row.name
        for start in range(0, len(changed), 500)
        for row in connection.execute(
            select(entry.promoter_id, entry.name).where(
                entry.period == str(period), entry.promoter_id.in_(changed[start : start + 500])
            )
        )
    }
    return [PassChange(each, names[each], each in then) for each in changed]
