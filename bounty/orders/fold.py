"""The fold: from the rows received for an order to the order's state, whatever order they came in.

One statement, always over all rows of the orders in question: never an increment. Import, the books' check against a
rebuild, and "as it was at that batch" are the same fold over different rows.
"""

from collections.abc import Callable
from operator import itemgetter

from sqlalchemy import (
    ColumnElement,
    Exists,
    and_,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
)
from sqlalchemy.orm import aliased
from sqlalchemy.types import Text

from bounty.db import Flag, Query
from bounty.models import OrderVersion
from bounty.platforms.pdd.order_facts import STORED
from bounty.rules.clauses import FAILED_STATUSES
from bounty.rules.sql_math import by_bytes, earlier
from bounty.rules.unknowns import OrderColumns

Rows = Callable[[type[OrderVersion]], ColumnElement[bool]]
"""A condition on rows of ``order_versions``."""


def every_row(_row: type[OrderVersion]) -> ColumnElement[bool]:
    """The condition that every row meets."""
    return true()


FACT_COLUMNS = tuple(fact.name for fact in STORED if fact.name != "order_sn" and not fact.detail_only)
"""What an order takes over from the row that wins, beside its promoter."""
_CANONICAL = sorted(
    ((fact.field, fact.name) for fact in STORED if fact.canonical and fact.field), key=itemgetter(0)
)


def canonical_facts(row: OrderColumns, *, with_return_status: bool = True) -> ColumnElement[str]:
    """The canonical JSON of a row's facts (docs/promises.md, The fold), made in SQL: sorted keys, no blanks.

    It decides only between rows of one time and one status.
    """

    pieces = [
        _text(f'"{field}":') + _canonical(name, getattr(row, name))
        for field, name in _CANONICAL
        if with_return_status or name != "return_status"
    ]
    text: ColumnElement[str] = _text("{") + pieces[0]
    for piece in pieces[1:]:
        text = text + _text(",") + piece
    return by_bytes(text + _text("}"))


def _canonical(name: str, column: ColumnElement[str]) -> ColumnElement[str]:
    """A fact's value as JSON."""
    if name == "p_id":
        quoted: ColumnElement[str] = _text('"') + column + _text('"')
        return quoted
    if name == "cat_ids":
        return func.coalesce(
            _text("[") + func.replace(column, _text(";"), _text(",")) + _text("]"), _text("null")
        )
    return func.coalesce(cast(column, Text), _text("null"))


def _text(constant: str) -> ColumnElement[str]:
    """A constant written into the statement: as parameters there would be a thousand, handed over with every page."""
    return literal_column(f"'{constant}'", Text)


def newer(row: type[OrderVersion], other: type[OrderVersion]) -> ColumnElement[bool]:
    """Whether a row of an order counts as newer than another: by time, then status, then facts.

    The facts are looked at in ties only; then the live room, which is none of them, so that it too does not depend on
    which row came first. A list row and a detail row may still be alike; then either will do, but always the same one.
    """
    return and_(
        row.row_hash != other.row_hash,
        or_(
            row.modified_at > other.modified_at,
            and_(
                row.modified_at == other.modified_at,
                or_(
                    row.order_status > other.order_status,
                    and_(row.order_status == other.order_status, _greater_facts(row, other)),
                ),
            ),
        ),
    )


def _greater_facts(row: type[OrderVersion], other: type[OrderVersion]) -> ColumnElement[bool]:
    facts, other_facts = canonical_facts(row), canonical_facts(other)
    room, other_room = func.coalesce(row.live_room, _text("")), func.coalesce(other.live_room, _text(""))
    return or_(
        facts > other_facts,
        and_(
            facts == other_facts,
            or_(room > other_room, and_(room == other_room, row.row_hash > other.row_hash)),
        ),
    )


def folded(orders: Rows = every_row, known: Rows = every_row, *, with_withdrawn: bool = False) -> Query:
    """The state of orders from their rows; the columns are those of ``orders``.

    orders  which orders, as a condition on a row of theirs
    known   which rows, so that an order can be folded as it was known at some moment
    with_withdrawn  also rows that an undoing has withdrawn since: ``known`` then says which of them stood

    An order is its newest row, with the after-sale of its newest detail row. It failed, if that row says so, when
    the unbroken run of failing rows that ends in the newest began, that is, with the first that no sound row follows:

        modified_at  status
        09:00        4
        10:00        2
        11:00        10      <- failing since
        12:00        4       <- the newest row
    """
    held = known if with_withdrawn else _live(known)
    row, detail = _rows("row"), _rows("detail")
    by_status = case(
        (and_(row.order_status == 4, row.verified_at.is_not(None)), row.verified_at),
        (_audit_failed(row), _run_began(held, row, _audit_failed)),
    )
    by_return = case(
        (detail.return_status == 2, _run_began(held, row, lambda one: one.return_status == 2, details=True))
    )
    newest_detail = and_(
        detail.order_sn == row.order_sn,
        detail.is_detail.is_(true()),
        held(detail),
        ~_exists(held, detail, lambda one: and_(one.is_detail.is_(true()), newer(one, detail))),
    )
    return (
        select(
            row.promoter_id,
            row.order_sn,
            *(getattr(row, name) for name in FACT_COLUMNS),
            detail.return_status,
            detail.link_made_at,
            earlier(by_status, by_return).label("failed_at"),
            _exists(held, row, lambda one: _conflicts(one, row, detail))
            .correlate(detail)
            .label("conflicting"),
            row.row_hash,
        )
        .outerjoin_from(row, detail, newest_detail)
        .where(orders(row), held(row), ~_exists(held, row, lambda one: newer(one, row)))
    )


def folded_alone(orders: Rows) -> Query:
    """The same for rows that are alone: the newest and the newest detail are then the row itself, and none conflicts.

    orders  which orders, as a condition on a row of theirs; those of several rows are left out
    """
    row = _rows("row")
    by_status = case(
        (and_(row.order_status == 4, row.verified_at.is_not(None)), row.verified_at),
        (_audit_failed(row), row.modified_at),
    )
    is_detail = row.is_detail.is_(true())
    by_return = case((and_(is_detail, row.return_status == 2), row.modified_at))
    return select(
        row.promoter_id,
        row.order_sn,
        *(getattr(row, name) for name in FACT_COLUMNS),
        case((is_detail, row.return_status)).label("return_status"),
        case((is_detail, row.link_made_at)).label("link_made_at"),
        earlier(by_status, by_return).label("failed_at"),
        literal(False, Flag).label("conflicting"),
        row.row_hash,
    ).where(orders(row), row.withdrawn.is_(false()), is_alone(row))


def is_alone(row: type[OrderVersion]) -> ColumnElement[bool]:
    """Whether a row is the only one that was ever received for its order."""
    other = _rows("other")
    return ~exists().where(other.order_sn == row.order_sn, other.row_hash != row.row_hash).correlate(row)


def _live(known: Rows) -> Rows:
    """Of the rows known, those that no undoing has withdrawn."""
    return lambda row: and_(row.withdrawn.is_(false()), known(row))


def _rows(name: str) -> type[OrderVersion]:
    """The rows received, under a name of their own within one statement."""
    return aliased(OrderVersion, name=name)


def _audit_failed(row: type[OrderVersion]) -> ColumnElement[bool]:
    """Whether a row says that the audit failed, or that the order was punished."""
    return or_(*(row.order_status == literal_column(str(status)) for status in FAILED_STATUSES))


def _exists(known: Rows, row: type[OrderVersion], condition: Rows) -> Exists:
    """Whether another of the rows to fold, of the same order, meets a condition."""
    one = _rows("one")
    return exists().where(one.order_sn == row.order_sn, known(one), condition(one)).correlate(row)


def _run_began(
    known: Rows,
    row: type[OrderVersion],
    fails: Rows,
    *,
    details: bool = False,
) -> ColumnElement[int | None]:
    """The least time among an order's failing rows that no sound row follows; over its detail rows if requested."""
    failed, sound = _rows("failed"), _rows("sound")

    def considered(one: type[OrderVersion]) -> ColumnElement[bool]:
        return and_(known(one), one.is_detail.is_(true())) if details else known(one)

    interrupted = exists().where(
        sound.order_sn == failed.order_sn,
        considered(sound),
        func.coalesce(fails(sound), false()).is_(false()),
        newer(sound, failed),
    )
    began = and_(fails(failed), ~interrupted.correlate(failed))
    # Not in the WHERE: a status there would let PostgreSQL look for it in an index, past the order's number.
    earliest = select(func.min(case((began, failed.modified_at)))).where(
        failed.order_sn == row.order_sn, considered(failed)
    )
    return earliest.correlate(row).scalar_subquery()


def _conflicts(
    one: type[OrderVersion], row: type[OrderVersion], detail: type[OrderVersion]
) -> ColumnElement[bool]:
    """Whether a row has the newest row's time and other facts, or another after-sale than the newest detail row.

    A list row and a detail row that agree but for return_status, which only the one carries, do not conflict.
    """
    return and_(
        one.row_hash != row.row_hash,
        one.modified_at == row.modified_at,
        or_(
            canonical_facts(one, with_return_status=False) != canonical_facts(row, with_return_status=False),
            one.return_status != detail.return_status,
        ),
    )
