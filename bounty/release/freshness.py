"""Whether what is known about a period's own orders reaches its receipt cutoff, and who confirms that it does.

Orders of other periods prove nothing: a file of December's orders does not bring November's last receipts.
"""

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, Select, and_, exists, func, insert, or_, select

from bounty.audit.service import actor_of, record
from bounty.clock import shown
from bounty.db import fetch_first
from bounty.errors import BountyError
from bounty.models import (
    Archive,
    Batch,
    DataConfirmation,
    FetchWindow,
    Order,
    OrderRepeat,
    OrderVersion,
    User,
)
from bounty.orders.archived import is_archived
from bounty.roster.terms import open_period
from bounty.rules.periods import Bounds, Period
from bounty.sync.coverage import Coverage

LONGEST = 500
"""Characters of a reason."""


class ConfirmationRow(NamedTuple):
    """That somebody answers for how far the data reaches."""

    through_at: int
    reason: str
    name: str | None
    """Null without an account."""
    confirmed_at: int


@dataclass(frozen=True, slots=True)
class Freshness:
    """What shows that a period's own orders are known up to its cutoff; at most one of the first three is needed."""

    covered: bool
    """Everything up to the cutoff was fetched from the platform."""
    updated: bool
    """A file holds an update, at or after the cutoff, of an order paid in the period."""
    confirmation: ConfirmationRow | None
    """The confirmation that reaches furthest."""
    reaches: bool
    """Whether the data reaches the cutoff."""
    imported_at: int | None
    """When the newest batch of any kind was imported; epoch seconds."""
    batch_id: int | None
    file_name: str | None
    """Of that batch."""


def freshness_of(
    connection: Connection, period: Period, bounds: Bounds, coverage: Coverage, now: int
) -> Freshness:
    """How far the data of a period reaches; three queries.

    bounds     month_from, month_until and receipt_cutoff of the period
    coverage   of the period, as ``coverage_of`` gives it
    """
    batch = connection.execute(
        select(Batch.imported_at, Batch.batch_id, Batch.file_name).order_by(Batch.batch_id.desc()).limit(1)
    ).first()
    furthest = (
        select(
            DataConfirmation.through_at,
            DataConfirmation.reason,
            User.name,
            DataConfirmation.confirmed_at,
        )
        .outerjoin(User, User.id == DataConfirmation.user_id)
        .where(DataConfirmation.period == str(period))
        .order_by(DataConfirmation.through_at.desc(), DataConfirmation.number.desc())
        .limit(1)
    )
    confirmation = fetch_first(connection, furthest, ConfirmationRow)
    covered = coverage.is_required and not coverage.gaps
    confirmed = confirmation is not None and confirmation.through_at >= bounds.receipt_cutoff
    # Before the cutoff nobody can hold an update from after it, so the month's orders need not be searched.
    updated = not covered and now >= bounds.receipt_cutoff and _updated_since_cutoff(connection, bounds)
    return Freshness(
        covered,
        updated,
        confirmation,
        reaches=covered or updated or confirmed,
        imported_at=None if batch is None else batch.imported_at,
        batch_id=None if batch is None else batch.batch_id,
        file_name=None if batch is None else batch.file_name,
    )


def _updated_since_cutoff(connection: Connection, bounds: Bounds) -> bool:
    """Whether a file, and not only a reading of the platform, holds an update at or after the cutoff of an order paid
    in the period. What the platform gave is judged by its coverage: one late row proves nothing about the others.
    """
    fetched = select(FetchWindow.batch_id).where(FetchWindow.batch_id.is_not(None))
    row = and_(
        OrderVersion.promoter_id == Order.promoter_id,
        OrderVersion.order_sn == Order.order_sn,
        OrderVersion.modified_at >= bounds.receipt_cutoff,
        ~OrderVersion.withdrawn,
    )
    again = exists().where(
        OrderRepeat.promoter_id == OrderVersion.promoter_id,
        OrderRepeat.order_sn == OrderVersion.order_sn,
        OrderRepeat.row_hash == OrderVersion.row_hash,
        OrderRepeat.batch_id.not_in(fetched),
    )
    from_file = exists().where(row, or_(OrderVersion.batch_id.not_in(fetched), again))
    late = select(Order.order_sn).where(
        Order.paid_at >= bounds.month_from,
        Order.paid_at < bounds.month_until,
        Order.modified_at >= bounds.receipt_cutoff,
        from_file,
    )
    found = select(or_(late.exists(), _archived_since_cutoff(bounds).exists()))
    return bool(connection.execute(found).scalar_one())


def _archived_since_cutoff(bounds: Bounds) -> Select[int]:
    """The archives that have such a row, of whose newest they keep the time, and such an order of the period."""
    late = exists().where(
        Order.paid_at >= Archive.paid_from,
        Order.paid_at < Archive.paid_until,
        Order.paid_at >= bounds.month_from,
        Order.paid_at < bounds.month_until,
        Order.modified_at >= bounds.receipt_cutoff,
        is_archived(),
    )
    # Orders are looked at only where there is such an archive.
    return select(Archive.archive_id).where(
        Archive.orders_left > 0,
        Archive.paid_from < bounds.month_until,
        Archive.paid_until > bounds.month_from,
        Archive.newest_file_row_at >= bounds.receipt_cutoff,
        late.correlate(Archive),
    )


def confirm_data(
    connection: Connection,
    period: Period,
    through_at: int,
    reason: str,
    now: int,
    *,
    approval_required: bool,
) -> bool:
    """Confirm that everything that happened to a period's orders before an instant is imported; whether that instant
    reaches the receipt cutoff. The same confirmation again changes nothing.

    approval_required   whether the confirmation takes an account

    Raises BountyError for a period that is not open, an instant that is yet to come, a missing reason, and, where
    approval is required, a missing account.
    """
    actor = actor_of(connection)
    bounds = open_period(connection, period)
    if approval_required and actor.user_id is None:
        raise BountyError(
            "A confirmation needs an account: log in with --as EMAIL.", "确认数据需要账号：请先登录。"
        )
    reason = reason.strip()
    if not 0 < len(reason) <= LONGEST:
        raise BountyError(
            f"Say how you know that the data is complete, in at most {LONGEST} characters.",
            f"请写明依据，不超过 {LONGEST} 字。",
        )
    if through_at > now:
        raise BountyError(
            f"{shown(through_at)} is yet to come: what happens until then is not known.",
            f"{shown(through_at)} 还没有到：届时的数据尚不可知。",
        )
    of_period = DataConfirmation.period == str(period)
    newest = connection.execute(
        select(DataConfirmation.__table__).where(of_period).order_by(DataConfirmation.number.desc()).limit(1)
    ).first()
    reaches = through_at >= bounds.receipt_cutoff
    if newest is not None and (newest.through_at, newest.reason, newest.user_id) == (
        through_at,
        reason,
        actor.user_id,
    ):
        return reaches
    number = connection.execute(
        select(func.coalesce(func.max(DataConfirmation.number), 0) + 1).where(of_period)
    ).scalar_one()
    connection.execute(
        insert(DataConfirmation).values(
            period=str(period),
            number=number,
            through_at=through_at,
            reason=reason,
            user_id=actor.user_id,
            confirmed_at=now,
        )
    )
    record(
        connection,
        "period.confirm_data",
        str(period),
        now,
        after={"through": shown(through_at)},
        reason=reason,
    )
    return reaches
