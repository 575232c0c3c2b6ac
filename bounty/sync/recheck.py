"""The sweep before a settlement: orders that can still change its result, read again one by one.

Only the detail call tells of after-sales, and an order whose update was never listed would come to light here too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from sqlalchemy import Connection, Engine, and_, exists, or_, select, true

from bounty import importer
from bounty.audit.service import record
from bounty.db import Query, snapshot, transaction
from bounty.ingest.batches import Counts
from bounty.models import Batch, Notice, OpenPeriod, Order, OrderRepeat, OrderVersion
from bounty.platforms.pdd.client import Platform
from bounty.platforms.pdd.errors import PlatformError
from bounty.platforms.pdd.replies import OrderDetail
from bounty.roster.terms import terms_in_force
from bounty.rules.clauses import SUBSIDY_CLAUSES, all_hold
from bounty.rules.measure import frozen_bounds, may_count, of_eligible
from bounty.rules.periods import Period
from bounty.sync.list_reader import ASKS, Told
from bounty.sync.service import Clock

AT_ONCE: Final = 200
"""Orders of a batch."""


@dataclass(frozen=True, slots=True)
class Rechecked:
    """One batch of a sweep."""

    orders: int
    """How many were asked for."""
    unanswered: tuple[str, ...]
    """Those of which the platform tells nothing."""
    counts: Counts


def unsettled(connection: Connection, now: int) -> list[Period]:
    """The open periods whose receipt cutoff has passed and that have no notice yet, the earliest first."""
    noticed = exists().where(Notice.period == OpenPeriod.period)
    rows = connection.execute(
        select(OpenPeriod.period)
        .where(OpenPeriod.receipt_cutoff <= now, ~noticed)
        .order_by(OpenPeriod.receipt_cutoff, OpenPeriod.period)
    )
    return [Period.parse(row.period) for row in rows]


def orders_to_recheck(connection: Connection, period: Period) -> list[str]:
    """The orders of an open period that count, may still count, or would earn, of who is eligible, and that no detail
    was read of since the receipt cutoff; by their numbers.

    Raises BountyError where no terms apply.
    """
    terms = terms_in_force(connection, period).terms
    facts, bounds = Order.__table__.c, frozen_bounds(terms)
    matters = and_(
        facts.paid_at >= bounds.month_from,
        facts.paid_at < bounds.month_until,
        or_(may_count(facts, bounds, terms), all_hold(SUBSIDY_CLAUSES, facts, bounds, terms)),
    )
    query = (
        of_eligible(select(Order.order_sn), period, matters)
        .where(~exists(_details_since_cutoff()))
        .order_by(Order.order_sn)
    )
    return list(connection.execute(query).scalars())


def _details_since_cutoff() -> Query:
    """Detail rows of the order at hand that came after the cutoff, for the first time or again."""
    row, again = OrderVersion, OrderRepeat
    first = and_(Batch.batch_id == row.batch_id, Batch.imported_at >= OpenPeriod.receipt_cutoff)
    repeated = exists().where(
        again.promoter_id == row.promoter_id,
        again.order_sn == row.order_sn,
        again.row_hash == row.row_hash,
        again.batch_id == Batch.batch_id,
        Batch.imported_at >= OpenPeriod.receipt_cutoff,
    )
    since = exists().where(Batch.undone_at.is_(None), or_(first, repeated))
    detail: Query = select(row.order_sn).where(
        row.order_sn == Order.order_sn, row.is_detail.is_(true()), since.correlate(row, OpenPeriod)
    )
    return detail.correlate(Order, OpenPeriod)


def recheck_orders(
    engine: Engine, platform: Platform, clock: Clock, period: Period, told: Told = lambda _: None
) -> Iterator[Rechecked]:
    """Read the orders of a period that can still change its result, a batch after the other; again: the rest of them.

    told   called with the number of orders read so far

    Raises PlatformError; what was read before stays.
    """
    with snapshot(engine) as connection:
        orders = orders_to_recheck(connection, period)
    for start in range(0, len(orders), AT_ONCE):
        yield _sweep(engine, platform, clock, period, orders[start : start + AT_ONCE])
        told(min(start + AT_ONCE, len(orders)))


def _sweep(engine: Engine, platform: Platform, clock: Clock, period: Period, orders: list[str]) -> Rechecked:
    unanswered = []
    with TemporaryDirectory() as folder:
        path = Path(folder, f"details-{period}-{orders[0]}.jsonl")
        with path.open("wb") as file:
            for order_sn in orders:
                detail = _detail(platform, order_sn)
                if detail is None:
                    unanswered.append(order_sn)
                else:
                    file.write(detail.body + b"\n")
        with transaction(engine) as connection:
            now, batch_id, counts = clock(), None, Counts()
            if len(unanswered) < len(orders):
                batch_id, counts = importer.import_rows(connection, importer.open_file("orders", path), now)
            after = {
                "orders": len(orders),
                "unanswered": unanswered,
                "batch": batch_id,
                "counts": str(counts),
            }
            record(connection, "sync.sweep", str(period), now, after=after)
    return Rechecked(len(orders), tuple(unanswered), counts)


def _detail(platform: Platform, order_sn: str) -> OrderDetail | None:
    """What the platform tells of an order; None where it knows no such order, or tells of another."""
    for _ in range(ASKS):
        try:
            detail = platform.order(order_sn)
        except PlatformError as error:
            if error.family != "CALL":
                raise
            return None
        if detail.order_sn == order_sn:
            return detail
    return None
