"""What the books knew at a past moment: tables hidden by their earlier content, for statements that read them by name.

Orders are folded from the rows of the batches that were imported by then, by the fold's own expressions, and links have
the channel that those batches gave them. Roster entries that were changed by hand later are as they were, and later
notices and voids are not there.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import CTE, ColumnElement, Connection, and_, exists, func, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, aliased

from bounty.clock import read_instant, shown
from bounty.db import Query
from bounty.db.stand_in_rows import rows_instead_of
from bounty.errors import BountyError
from bounty.ingest.unfinished import require_finished
from bounty.models import (
    Batch,
    Link,
    LinkVersion,
    Notice,
    OpenPeriod,
    OrderRepeat,
    OrderVersion,
    PassVoidAnswer,
    RosterEntry,
    RosterOverride,
    Settlement,
)
from bounty.orders.archived import require_in_tables
from bounty.orders.fold import Rows, folded
from bounty.rules.periods import Period, programme_in_sql


@dataclass(frozen=True, slots=True)
class AsOf:
    """A past moment, and the newest batch that the books had then."""

    moment: int
    """Epoch seconds."""
    batch_id: int
    """0 before the first."""

    @property
    def words(self) -> str:
        """For people."""
        return f"{shown(self.moment)}, batch {self.batch_id}"


def read_as_of(connection: Connection, text: str, now: int) -> AsOf:
    """From an instant, ``2023-01-11T12:00:00``, or the number of a batch: the moment at which that was imported.

    Raises BountyError for anything else, a batch that there is not, a moment to come, and while a large file of then is
    not in whole.
    """
    text = text.strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        batch = connection.execute(select(Batch.imported_at).where(Batch.batch_id == int(text))).scalar()
        if batch is None:
            raise BountyError(
                f"There is no batch {text}: `bounty import list` shows them.", f"没有批次 {text}。"
            )
        require_finished(connection, int(text))
        return AsOf(batch, int(text))
    try:
        moment = read_instant(text.replace(" ", "+") if "T" in text else text)
    except (ValueError, OverflowError):
        raise BountyError(
            f"{text!r} is no moment: write one such as 2023-01-11T12:00:00, or the number of a batch.",
            f"{text!r} 不是时刻：请写 2023-01-11T12:00:00 这样的时刻，或批次号。",
        ) from None
    if moment > now:
        raise BountyError(
            f"{shown(moment)} is yet to come: what is known then is not known now.",
            f"{shown(moment)} 还没有到。",
        )
    newest = select(func.coalesce(func.max(Batch.batch_id), 0)).where(Batch.imported_at <= moment)
    batch_id = connection.execute(newest).scalar_one()
    require_finished(connection, batch_id)
    return AsOf(moment, batch_id)


def known_at(connection: Connection, as_of: AsOf) -> Rows:
    """Which rows of ``order_versions`` the books had then, and had not taken back: for the fold."""
    undone = select(Batch.batch_id).where(Batch.undone_at <= as_of.moment)
    gone = connection.execute(undone).scalars().all()
    any_undone = connection.execute(
        select(Batch.batch_id).where(Batch.undone_at.is_not(None)).limit(1)
    ).first()

    def held(batch_id: InstrumentedAttribute[int]) -> ColumnElement[bool]:
        return and_(batch_id <= as_of.batch_id, batch_id.not_in(gone) if gone else true())

    def known(row: type[OrderVersion]) -> ColumnElement[bool]:
        if any_undone is None:  # then the first batch that brought a row decides
            return held(row.batch_id)
        again = exists().where(
            OrderRepeat.promoter_id == row.promoter_id,
            OrderRepeat.order_sn == row.order_sn,
            OrderRepeat.row_hash == row.row_hash,
            held(OrderRepeat.batch_id),
        )
        return or_(held(row.batch_id), again)

    return known


See = Callable[[Query], Query]
"""Turns a SELECT over the books as they are into one over the books as they were; its order is lost."""


def as_it_is(query: Query) -> Query:
    """The present."""
    return query


def see_as_of(connection: Connection, as_of: AsOf, period: Period | None, orders: Rows) -> See:
    """The books at a past moment.

    period   whose roster is read; null where none is
    orders   which orders are read, as a condition on their newest row

    Raises RowsArchived where rows of the period's orders are archived.
    """
    if period is not None:
        _require_rows(connection, period)
    hidden = [
        folded(orders, known_at(connection, as_of), with_withdrawn=True).cte("orders"),
        *_links(connection, as_of),
        *_decisions(connection, as_of),
        *([] if period is None else _roster(connection, as_of, period)),
    ]
    # Around the query and not into it: a statement that `written_out` made keeps what is added to it for ever.
    return lambda query: select(query.subquery("as_it_was")).add_cte(*hidden)


def _require_rows(connection: Connection, period: Period) -> None:
    opened = connection.execute(
        select(OpenPeriod.month_from, OpenPeriod.month_until).where(OpenPeriod.period == str(period))
    ).first()
    if opened is not None:
        require_in_tables(connection, opened.month_from, opened.month_until)


def _links(connection: Connection, as_of: AsOf) -> list[CTE]:
    """The links with the channels of by then; nothing where no later batch brought or changed one."""
    later = select(Link.batch_id).where(Link.batch_id > as_of.batch_id).limit(1)
    if connection.execute(later).first() is None:
        return []
    was, newer = LinkVersion.__table__, aliased(LinkVersion, name="newer")
    superseded = exists().where(
        newer.promoter_id == was.c.promoter_id,
        newer.p_id == was.c.p_id,
        newer.batch_id > was.c.batch_id,
        newer.batch_id <= as_of.batch_id,
    )
    columns = (was.c[column.name] for column in Link.__table__.c)
    known = select(*columns).where(was.c.batch_id <= as_of.batch_id, ~superseded)
    # Each order looks its link up by the key of `link_versions`; a materialized expression has none.
    return [known.cte("links").prefix_with("NOT MATERIALIZED")]


def _decisions(connection: Connection, as_of: AsOf) -> list[CTE]:
    """Notices, settlements and answers about voids of by then."""
    at = {
        Notice: Notice.published_at,
        Settlement: Settlement.settled_at,
        PassVoidAnswer: PassVoidAnswer.answered_at,
    }
    dialect = connection.dialect.name
    ctes = []
    for table, instant in at.items():
        rows = connection.execute(select(table.__table__).where(instant <= as_of.moment)).mappings()
        ctes.append(rows_instead_of(dialect, table, [dict(row) for row in rows]))
    return ctes


def _roster(connection: Connection, as_of: AsOf, period: Period) -> list[CTE]:
    """The roster without what was changed by hand later; nothing where nothing was."""
    override = RosterOverride.__table__
    later = connection.execute(
        select(override)
        .where(override.c.period == str(period), override.c.overridden_at > as_of.moment)
        .order_by(override.c.number.desc())
    ).all()
    if not later:
        return []
    was = {row.promoter_id: row for row in later}  # the first of the later ones wins
    entries = connection.execute(select(RosterEntry.__table__).where(RosterEntry.period == str(period)))
    rows = []
    for entry in entries.mappings():
        before = was.get(entry["promoter_id"])
        changed = (
            {}
            if before is None
            else {
                "reason": before.was_ineligible,
                "target_gmv_fen": before.was_target_gmv_fen,
                "target_orders": before.was_target_orders,
            }
        )
        rows.append({**entry, **changed})
    return [rows_instead_of(connection.dialect.name, RosterEntry, rows)]


def notices_known(connection: Connection, as_of: AsOf, period: Period) -> list[int]:
    """The settlements of the notices of other programmes that stood then."""
    newest = (
        select(Notice.period, func.max(Notice.notice).label("notice"))
        .where(
            Notice.published_at <= as_of.moment,
            programme_in_sql(Notice.period.expression) != programme_in_sql(_text(period)),
        )
        .group_by(Notice.period)
        .subquery("newest")
    )
    found = select(Notice.settlement_id).join(
        newest, and_(newest.c.period == Notice.period, newest.c.notice == Notice.notice)
    )
    return sorted(connection.execute(found).scalars())


def _text(period: Period) -> ColumnElement[str]:
    return select(OpenPeriod.period).where(OpenPeriod.period == str(period)).scalar_subquery()


def of_month(connection: Connection, period: Period) -> Rows:
    """The orders paid in an open period, as a condition on their newest row."""
    bounds = connection.execute(
        select(OpenPeriod.month_from, OpenPeriod.month_until).where(OpenPeriod.period == str(period))
    ).one()
    return lambda row: and_(row.paid_at >= bounds.month_from, row.paid_at < bounds.month_until)
