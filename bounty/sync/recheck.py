"""The recheck before a settlement: orders that can still change its result are read again one by one.

Only the detail call returns after-sales facts. It also detects an order whose update never appeared in a list.
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
from bounty.orders.archived import is_archived
from bounty.platforms.pdd.client import Platform
from bounty.platforms.pdd.errors import PlatformError
from bounty.platforms.pdd.replies import OrderDetail
from bounty.roster.terms import terms_in_force
from bounty.rules.clauses import SUBSIDY_CLAUSES, all_hold
from bounty.rules.measure import frozen_bounds, may_count, of_eligible
from bounty.rules.periods import Period
from bounty.sync.list_reader import ATTEMPT_LIMIT, OnProgress
from bounty.sync.service import Clock

ORDERS_PER_BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class Rechecked:
    """One batch of rechecked orders."""

    orders: int
    """Number of orders that were requested."""
    unanswered: tuple[str, ...]
    """The numbers of the orders that the platform does not know."""
    counts: Counts
    """The import's counts of the order rows."""


def periods_to_recheck(connection: Connection, now: int) -> list[Period]:
    """The open periods after their receipt cutoff that have no notice yet, earliest first."""
    noticed = exists().where(Notice.period == OpenPeriod.period)
    rows = connection.execute(
        select(OpenPeriod.period)
        .where(OpenPeriod.receipt_cutoff <= now, ~noticed)
        .order_by(OpenPeriod.receipt_cutoff, OpenPeriod.period)
    )
    return [Period.parse(row.period) for row in rows]


def orders_to_recheck(connection: Connection, period: Period) -> list[str]:
    """The numbers of the orders to recheck, ascending.

    These are orders of eligible promoters that count, can still count, or would earn a subsidy, and whose details were
    not read since the receipt cutoff.

    Raises BountyError if no terms apply to the period.
    """
    terms = terms_in_force(connection, period).terms
    facts, bounds = Order.__table__.c, frozen_bounds(terms)
    affects_result = and_(
        facts.paid_at >= bounds.month_from,
        facts.paid_at < bounds.month_until,
        or_(may_count(facts, bounds, terms), all_hold(SUBSIDY_CLAUSES, facts, bounds, terms)),
    )
    query = (
        of_eligible(select(Order.order_sn), period, affects_result)
        .where(~exists(_details_since_cutoff()), ~is_archived())  # archived months are closed
        .order_by(Order.order_sn)
    )
    return list(connection.execute(query).scalars())


def _details_since_cutoff() -> Query:
    """The detail rows of the enclosing query's order that a valid batch after the cutoff contained."""
    row, repeat = OrderVersion, OrderRepeat
    first = and_(Batch.batch_id == row.batch_id, Batch.imported_at >= OpenPeriod.receipt_cutoff)
    repeated = exists().where(
        repeat.promoter_id == row.promoter_id,
        repeat.order_sn == row.order_sn,
        repeat.row_hash == row.row_hash,
        repeat.batch_id == Batch.batch_id,
        Batch.imported_at >= OpenPeriod.receipt_cutoff,
    )
    since = exists().where(Batch.undone_at.is_(None), or_(first, repeated))
    detail: Query = select(row.order_sn).where(
        row.order_sn == Order.order_sn, row.is_detail.is_(true()), since.correlate(row, OpenPeriod)
    )
    return detail.correlate(Order, OpenPeriod)


def recheck_orders(
    engine: Engine, platform: Platform, clock: Clock, period: Period, on_progress: OnProgress = lambda _: None
) -> Iterator[Rechecked]:
    """Read the details of the orders to recheck, batch by batch; yields each batch once it is committed.

    Calling it again after an error continues with the orders that are left.

    Raises PlatformError; the batches before it stay committed.
    """
    with snapshot(engine) as connection:
        orders = orders_to_recheck(connection, period)
    for start in range(0, len(orders), ORDERS_PER_BATCH):
        yield _recheck_batch(engine, platform, clock, period, orders[start : start + ORDERS_PER_BATCH])
        on_progress(min(start + ORDERS_PER_BATCH, len(orders)))


def _recheck_batch(
    engine: Engine, platform: Platform, clock: Clock, period: Period, orders: list[str]
) -> Rechecked:
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
    """An order's detail; None if the platform does not know the order or keeps returning another one."""
    for _ in range(ATTEMPT_LIMIT):
        try:
            detail = platform.order(order_sn)
        except PlatformError as error:
            if error.family != "CALL":
                raise
            return None
        if detail.order_sn == order_sn:
            return detail
    return None
