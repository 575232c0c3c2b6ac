"""What undoing a batch of orders would do: rows, orders, and in each open period whose pass would change."""

from dataclasses import asdict, dataclass
from typing import NamedTuple

from sqlalchemy import Connection, and_, func, select

from bounty import figures
from bounty.db import Query, fetch_all
from bounty.db.stand_in_rows import rows_instead_of
from bounty.errors import BountyError
from bounty.json_types import JsonObject
from bounty.models import Batch, Notice, Order, PromoterProgress, RosterEntry
from bounty.orders.archived import archived_months
from bounty.orders.undo import Undoing, would_undo
from bounty.roster.terms import open_period, terms_in_force
from bounty.rules.measure import counts, frozen_bounds, measured, of_eligible
from bounty.rules.periods import Period
from bounty.rules.terms import Terms
from bounty.settlement.queries import measures, rates_of_measures

UNDOABLE, LARGEST = 3, 100_000
"""Of so many of the newest batches the page before their undoing is stored, of at most so many rows each: looking at a
row takes a tenth of a millisecond, and it is the newest file that somebody takes back."""


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
    is_archived: bool
    """Whether received rows of the period are archived: then it is closed, and ``passes`` is empty."""


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


def shown_undo_preview(connection: Connection, batch_id: int, now: int) -> UndoPreview:
    """``undo_preview`` for a page: as it is stored, if nothing has changed since.

    Raises BountyError as ``undo_batch`` does.
    """
    content = figures.current(connection, undo_subject(batch_id), now)
    if content is None:
        return undo_preview(connection, batch_id)
    periods = [
        TouchedPeriod(**each | {"passes": [PassChange(**change) for change in each["passes"]]})
        for each in content["periods"]
    ]
    return UndoPreview(**content | {"periods": periods})


def undo_subject(batch_id: int) -> str:
    """The stored figure of what undoing a batch would do."""
    return f"undo {batch_id}"


def undo_content(connection: Connection, batch_id: int) -> JsonObject | None:
    """``UndoPreview`` as it is stored; null for a batch that can't be undone."""
    try:
        return asdict(undo_preview(connection, batch_id))
    except BountyError:
        return None


def newest_to_undo(connection: Connection) -> list[int]:
    """The batches of which ``undo_content`` is stored: the newest UNDOABLE of orders, but for very large ones."""
    newest = (
        select(Batch.batch_id)
        .where(Batch.kind == "orders", Batch.undone_at.is_(None), Batch.rows_read <= LARGEST)
        .order_by(Batch.batch_id.desc())
        .limit(UNDOABLE)
    )
    return list(connection.execute(newest).scalars())


def undo_preview(connection: Connection, batch_id: int) -> UndoPreview:
    """What the undoing would do, read without holding anybody up: no row is written, not even to be rolled back.

    Raises BountyError as ``undo_batch`` does.
    """
    undoing = would_undo(connection, batch_id)
    name = connection.execute(select(Batch.file_name).where(Batch.batch_id == batch_id)).scalar_one()
    periods = [
        TouchedPeriod(
            period,
            _notice(connection, period),
            orders,
            *_changes(connection, Period.parse(period), undoing),
        )
        for period, orders in sorted(
            (period, orders) for period, orders in undoing.periods.items() if period is not None
        )
    ]
    return UndoPreview(batch_id, name, undoing.rows, sum(undoing.periods.values()), undoing.gone, periods)


def _notice(connection: Connection, period: str) -> int | None:
    return connection.execute(select(func.max(Notice.notice)).where(Notice.period == period)).scalar()


def _changes(connection: Connection, period: Period, undoing: Undoing) -> tuple[list[PassChange], bool]:
    """Whose pass would change, and whether the period is archived.

    Only the batch's orders are folded anew. What else a promoter has is in the totals, and stays.
    """
    bounds = open_period(connection, period)
    if archived_months(connection, bounds.month_from, bounds.month_until):
        return [], True
    terms = terms_in_force(connection, period).terms
    now, then = (_counted(connection, period, terms, orders) for orders in (undoing.stand, undoing.left))
    touched = sorted(each for each in now.keys() | then.keys() if now.get(each) != then.get(each))
    before = _measured(connection, period, touched)
    after = []
    for entry in before:
        taken, given = now.get(entry.promoter_id, _NOTHING), then.get(entry.promoter_id, _NOTHING)
        after.append(
            entry._replace(
                gmv_fen=entry.gmv_fen - taken.gmv_fen + given.gmv_fen,
                orders=entry.orders - taken.orders + given.orders,
            )
        )
    passing, would_pass = (_passing(connection, period, terms, entries) for entries in (before, after))
    return [
        PassChange(entry.promoter_id, entry.name, entry.promoter_id in would_pass)
        for entry in before
        if (entry.promoter_id in passing) != (entry.promoter_id in would_pass)
    ], False


class _Counted(NamedTuple):
    """What some orders of a promoter count."""

    gmv_fen: int
    orders: int


_NOTHING = _Counted(0, 0)


def _counted(connection: Connection, period: Period, terms: Terms, orders: Query) -> dict[int, _Counted]:
    """What some orders count for each promoter who is eligible and has one that counts.

    orders   with the columns of ``orders``
    """
    facts = Order.__table__.c
    sums = measured(facts, terms)
    columns = select(
        RosterEntry.promoter_id, sums.gmv_fen.label("gmv_fen"), sums.orders.label("orders")
    ).group_by(RosterEntry.promoter_id)
    counted = of_eligible(columns, period, counts(facts, frozen_bounds(terms), terms)).subquery("counted")
    rows = connection.execute(select(counted).add_cte(orders.cte("orders")))
    return {row.promoter_id: _Counted(row.gmv_fen, row.orders) for row in rows}


class _Entry(NamedTuple):
    """Somebody on a roster with what the month measures, by its totals."""

    promoter_id: int
    name: str
    gmv_fen: int
    orders: int
    target_gmv_fen: int | None
    target_orders: int | None


def _measured(connection: Connection, period: Period, promoters: list[int]) -> list[_Entry]:
    """The entries of some promoters, in their order."""
    entry, total = RosterEntry, PromoterProgress
    entries = (
        select(
            entry.promoter_id,
            entry.name,
            total.gmv_fen,
            total.orders,
            entry.target_gmv_fen,
            entry.target_orders,
        )
        .join(total, and_(total.promoter_id == entry.promoter_id, total.period == entry.period))
        .where(entry.period == str(period))
        .order_by(entry.promoter_id)
    )
    return [
        found
        for start in range(0, len(promoters), 500)
        for found in fetch_all(
            connection, entries.where(entry.promoter_id.in_(promoters[start : start + 500])), _Entry
        )
    ]


def _passing(connection: Connection, period: Period, terms: Terms, entries: list[_Entry]) -> set[int]:
    rows = [entry._asdict() for entry in entries]
    given = rows_instead_of(connection.dialect.name, measures, rows)
    found = connection.execute(rates_of_measures(period, terms).add_cte(given))
    return {row.promoter_id for row in found if row.rate_permille is not None}
