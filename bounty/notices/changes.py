"""How a notice differs from the notice before it, order by order, and why."""

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    ScalarSelect,
    and_,
    case,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    union_all,
)

from bounty.db import Columns, Query, WholeNumber
from bounty.models import (
    AppealAnswer,
    Archive,
    ArchiveBatch,
    ChangeCause,
    Line,
    Link,
    NoticeChange,
    OpenPeriod,
    Order,
    OrderVersion,
    PassVoidAnswer,
    RosterEntry,
)
from bounty.orders.archived import rows_archived
from bounty.orders.fold import folded
from bounty.platforms.pdd.order_facts import STORED
from bounty.rules.clauses import NO_COMMISSION_STATUSES, TASK_CLAUSES, all_hold
from bounty.rules.measure import frozen_bounds
from bounty.rules.periods import Period
from bounty.rules.sql_math import Whole, capped_at
from bounty.rules.terms import Terms
from bounty.settlement.service import SettlementRow

_CORRECTED = tuple(fact.name for fact in STORED if fact.lasting)
"""Facts that do not move in an order's life: another value corrects the first."""


def write_changes(
    connection: Connection, period: Period, terms: Terms, before: SettlementRow, after: SettlementRow
) -> None:
    """Record how a settlement differs from the published one before it; see ``changes_between``."""
    require_rows_of_changes(connection, period, before)
    changes = changes_between(period, terms, before, after).subquery("changes").c
    connection.execute(
        insert(NoticeChange).from_select(
            ["settlement_id", *changes.keys()], select(literal(after.settlement_id), *changes)
        )
    )


def month_archived_since(period: Period, before: SettlementRow) -> ScalarSelect[str | None]:
    """The month of which rows are archived that came after a settlement of a period, by which it is compared with a
    later one; null where none are."""
    return (
        select(func.min(Archive.month))
        .join(ArchiveBatch, ArchiveBatch.archive_id == Archive.archive_id)
        .join(
            OpenPeriod,
            and_(
                Archive.paid_from < OpenPeriod.month_until,
                Archive.paid_until > OpenPeriod.month_from,
            ),
        )
        .where(
            OpenPeriod.period == str(period),
            Archive.orders_left > 0,
            ArchiveBatch.batch_id > (before.as_of_batch_id or 0),
        )
        .scalar_subquery()
    )


def require_rows_of_changes(connection: Connection, period: Period, before: SettlementRow) -> None:
    """Raises RowsArchived where there is such a month."""
    month = connection.execute(select(month_archived_since(period, before))).scalar()
    if month is not None:
        raise rows_archived(month)


def changes_between(period: Period, terms: Terms, before: SettlementRow, after: SettlementRow) -> Query:
    """Every order that a settlement judges otherwise than an earlier one of its period, and why.

    before, after   each knew the batches up to its as_of_batch_id

    Returns promoter_id, order_sn, was_counted_fen, now_counted_fen, was_subsidy_fen, now_subsidy_fen and cause. Each
    line that differs is one row with one cause, so that the causes sum to the difference of the totals.
    """
    before_batch, after_batch = before.as_of_batch_id or 0, after.as_of_batch_id or 0
    touched = _touched(before_batch).where(OrderVersion.batch_id <= after_batch)
    was = _as_known_at(before_batch, touched).cte("was")
    now = _as_known_at(after_batch, touched).cte("now")
    earned = _earned(select(Line.__table__).where(Line.settlement_id == after.settlement_id), before=False)
    changed = _differences(period, terms, before.settlement_id, earned, was, now).cte("changed")
    row = changed.c
    relinked = exists().where(
        Link.p_id == func.coalesce(now.c.p_id, Order.p_id), Link.batch_id > before_batch
    )
    upheld = exists().where(
        AppealAnswer.correction_batch_id > before_batch,
        AppealAnswer.correction_batch_id <= after_batch,
        OrderVersion.batch_id == AppealAnswer.correction_batch_id,
        OrderVersion.order_sn == now.c.order_sn,
    )
    void = exists().where(
        PassVoidAnswer.promoter_id == row.promoter_id,
        PassVoidAnswer.period == str(period),
        PassVoidAnswer.approved.is_(true()),
        PassVoidAnswer.as_of_settlement_id >= before.settlement_id,
        PassVoidAnswer.as_of_settlement_id < after.settlement_id,
    )
    cause = case(
        (void, literal(ChangeCause.VIOLATION.value)),
        (and_(now.c.order_sn.is_not(None), was.c.order_sn.is_(None)), literal(ChangeCause.NEW_DATA.value)),
        (
            and_(now.c.failed_at.is_not(None), now.c.failed_at.is_distinct_from(was.c.failed_at)),
            literal(ChangeCause.LATE_FAILURE.value),
        ),
        (
            and_(now.c.order_sn.is_not(None), or_(upheld, _corrected(was, now))),
            literal(ChangeCause.CORRECTION.value),
        ),
        (relinked, literal(ChangeCause.CORRECTION.value)),
        (and_(now.c.order_sn.is_not(None), _went_on(was, now)), literal(ChangeCause.NEW_DATA.value)),
        else_=literal(ChangeCause.RESULT.value),
    )
    # An order that no batch touched counts the same before and after.
    unchanged = _counted(Order.__table__, period, terms, before=True).where(
        Order.order_sn.in_(select(row.order_sn))
    )
    present = unchanged.subquery("present")
    untouched = now.c.order_sn.is_(None)
    return (
        select(
            row.promoter_id,
            row.order_sn,
            case((untouched, present.c.was_counted_fen), else_=row.was_counted_fen).label("was_counted_fen"),
            case((untouched, present.c.was_counted_fen), else_=row.now_counted_fen).label("now_counted_fen"),
            row.was_subsidy_fen,
            row.now_subsidy_fen,
            cause.label("cause"),
        )
        .select_from(changed)
        .outerjoin(was, was.c.order_sn == row.order_sn)
        .outerjoin(now, now.c.order_sn == row.order_sn)
        .outerjoin(Order, Order.order_sn == row.order_sn)
        .outerjoin(
            present, and_(present.c.promoter_id == row.promoter_id, present.c.order_sn == row.order_sn)
        )
    )


def with_moved(changes: Query) -> Query:
    """Changes, as ``changes_between`` gives them, each with what its subsidy moved by, ``moved_fen``."""
    row = changes.subquery("row")
    return select(row, (row.c.now_subsidy_fen - row.c.was_subsidy_fen).label("moved_fen"))


def changes_since(period: Period, terms: Terms, before: SettlementRow, earned: Query) -> Query:
    """Every order that settling now would judge otherwise than an earlier settlement of its period: promoter_id,
    order_sn, was_counted_fen, now_counted_fen, was_subsidy_fen, now_subsidy_fen.

    earned   what each order earns now: promoter_id, order_sn, subsidy_fen
    """
    before_batch = before.as_of_batch_id or 0
    touched = _touched(before_batch)
    was = _as_known_at(before_batch, touched).cte("was")
    # The present state of the orders is the fold of every row received.
    now = select(Order.__table__).where(Order.order_sn.in_(touched)).cte("now")
    return _differences(period, terms, before.settlement_id, _earned(earned, before=False), was, now)


def _touched(after_batch: int) -> Query:
    """The numbers of the orders of which a row came after a batch."""
    return select(OrderVersion.order_sn).where(OrderVersion.batch_id > after_batch).distinct()


def _as_known_at(batch_id: int, orders: Query) -> Query:
    return folded(lambda row: row.order_sn.in_(orders), known=lambda row: row.batch_id <= batch_id)


def _corrected(was: FromClause, now: FromClause) -> ColumnElement[bool]:
    moved = (was.c[name].is_distinct_from(now.c[name]) for name in _CORRECTED)
    receipt_moved = and_(
        was.c.received_at.is_not(None), was.c.received_at.is_distinct_from(now.c.received_at)
    )
    return or_(*moved, receipt_moved)


def _went_on(was: FromClause, now: FromClause) -> ColumnElement[bool]:
    """Whether an order went on in a way that a clause asks about. An audit that passed changes no verdict."""
    return or_(
        was.c.received_at.is_distinct_from(now.c.received_at),
        was.c.failed_at.is_distinct_from(now.c.failed_at),
        was.c.order_status.in_(NO_COMMISSION_STATUSES) != now.c.order_status.in_(NO_COMMISSION_STATUSES),
    )


def _differences(
    period: Period, terms: Terms, before_id: int, earned: Query, was: FromClause, now: FromClause
) -> Query:
    """Promoter and order with what it counted and earned, before and after, where one of the two differs."""
    sides = union_all(
        _counted(was, period, terms, before=True),
        _counted(now, period, terms, before=False),
        _earned(select(Line.__table__).where(Line.settlement_id == before_id), before=True),
        earned,
    ).subquery("sides")
    row = sides.c
    was_counted, now_counted = func.max(row.was_counted_fen), func.max(row.now_counted_fen)
    was_subsidy = func.coalesce(func.max(row.was_subsidy_fen), 0)
    now_subsidy = func.coalesce(func.max(row.now_subsidy_fen), 0)
    return (
        select(
            row.promoter_id,
            row.order_sn,
            was_counted.label("was_counted_fen"),
            now_counted.label("now_counted_fen"),
            was_subsidy.label("was_subsidy_fen"),
            now_subsidy.label("now_subsidy_fen"),
        )
        .group_by(row.promoter_id, row.order_sn)
        .having(or_(was_counted.is_distinct_from(now_counted), was_subsidy != now_subsidy))
    )


def _side(row: Columns, value: Whole, place: int) -> list[ColumnElement[int] | ColumnElement[str]]:
    """Promoter, order, and an amount in one of the four columns.

    row   with promoter_id and order_sn
    """
    names = ("was_counted_fen", "now_counted_fen", "was_subsidy_fen", "now_subsidy_fen")
    absent = literal(None, WholeNumber)
    return [
        row.promoter_id.label("promoter_id"),
        row.order_sn.label("order_sn"),
        *((value if index == place else absent).label(name) for index, name in enumerate(names)),
    ]


def _counted(facts: FromClause, period: Period, terms: Terms, *, before: bool) -> Query:
    capped = capped_at(facts.c.order_amount_fen, terms.task.order_cap_fen)
    return (
        select(*_side(facts.c, capped, 0 if before else 1))
        .select_from(OpenPeriod)
        .join(RosterEntry, RosterEntry.period == OpenPeriod.period)
        .join(facts, facts.c.promoter_id == RosterEntry.promoter_id)
        .where(
            OpenPeriod.period == str(period),
            RosterEntry.reason.is_(None),
            all_hold(TASK_CLAUSES, facts.c, frozen_bounds(terms), terms),
        )
    )


def _earned(lines: Query, *, before: bool) -> Query:
    line = lines.subquery().c
    return select(*_side(line, line.subsidy_fen, 2 if before else 3))
