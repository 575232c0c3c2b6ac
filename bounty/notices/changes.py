"""How a notice differs from the notice before it, order by order, and why."""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
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

from bounty.db import Query, WholeNumber
from bounty.models import (
    AppealAnswer,
    Line,
    Link,
    NoticeChange,
    OpenPeriod,
    Order,
    OrderVersion,
    PassVoidAnswer,
    RosterEntry,
)
from bounty.orders.fold import folded
from bounty.platforms.pdd.order_facts import STORED
from bounty.rules.clauses import NO_COMMISSION_STATUSES, TASK_CLAUSES, all_hold
from bounty.rules.measure import frozen_bounds
from bounty.rules.periods import Period
from bounty.rules.sql_math import capped_at
from bounty.rules.terms import Terms

CAUSES = {
    "VIOLATION": (
        "事后查实违规，达标被取消",
        "a violation found later: the pass was taken back",
    ),
    "NEW_DATA": (
        "新数据：当时还没有的订单、收货或结算",
        "new data: an order, receipt or settlement not known then",
    ),
    "LATE_FAILURE": ("之后退款、审核失败或处罚", "refunded, failed or punished since"),
    "CORRECTION": (
        "更正：金额、类目、直推、归属或链接登记改了",
        "a correction: amount, category, direct push, owner or link",
    ),
    "RESULT": ("本人的结果因其他订单而变", "the promoter's own result changed through other orders"),
}
"""Cause -> its sentence in Chinese and English."""

_CORRECTED = tuple(fact.name for fact in STORED if fact.lasting)
"""Facts that do not move in an order's life: another value corrects the first."""


def write_changes(connection: Connection, period: Period, terms: Terms, before: Any, after: Any) -> None:
    """Record how a settlement differs from the published one before it; see ``changes_between``."""
    changes = changes_between(period, terms, before, after).subquery("changes").c
    connection.execute(
        insert(NoticeChange).from_select(
            ["settlement_id", *changes.keys()], select(literal(after.settlement_id), *changes)
        )
    )


def changes_between(period: Period, terms: Terms, before: Any, after: Any) -> Query:
    """Every order that a settlement judges otherwise than an earlier one of its period, and why.

    before, after   rows of ``settlements``; each knew the batches up to its as_of_batch_id

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
        (void, literal("VIOLATION")),
        (and_(now.c.order_sn.is_not(None), was.c.order_sn.is_(None)), literal("NEW_DATA")),
        (
            and_(now.c.failed_at.is_not(None), now.c.failed_at.is_distinct_from(was.c.failed_at)),
            literal("LATE_FAILURE"),
        ),
        (and_(now.c.order_sn.is_not(None), or_(upheld, _corrected(was, now))), literal("CORRECTION")),
        (relinked, literal("CORRECTION")),
        (and_(now.c.order_sn.is_not(None), _went_on(was, now)), literal("NEW_DATA")),
        else_=literal("RESULT"),
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


def changes_since(period: Period, terms: Terms, before: Any, earned: Query) -> Query:
    """Every order that settling now would judge otherwise than an earlier settlement of its period: promoter_id,
    order_sn, was_counted_fen, now_counted_fen, was_subsidy_fen, now_subsidy_fen.

    before   a row of ``settlements``
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


def _side(promoter_id: Any, order_sn: Any, value: Any, place: int) -> list[Any]:
    names = ("was_counted_fen", "now_counted_fen", "was_subsidy_fen", "now_subsidy_fen")
    absent = literal(None, WholeNumber)
    return [
        promoter_id.label("promoter_id"),
        order_sn.label("order_sn"),
        *((value if index == place else absent).label(name) for index, name in enumerate(names)),
    ]


def _counted(facts: FromClause, period: Period, terms: Terms, *, before: bool) -> Query:
    capped = capped_at(facts.c.order_amount_fen, terms.task.order_cap_fen)
    return (
        select(*_side(facts.c.promoter_id, facts.c.order_sn, capped, 0 if before else 1))
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
    return select(*_side(line.promoter_id, line.order_sn, line.subsidy_fen, 2 if before else 3))
