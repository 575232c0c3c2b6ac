"""Late facts: what settling a published period again now would change against its newest notice."""

from dataclasses import asdict, dataclass, replace
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, FromClause, Pool, and_, func, or_, select

from bounty import figures
from bounty.db import Query
from bounty.figures import Figure
from bounty.models import Batch, ImportProgress, PassVoidAnswer, Result, RosterEntry
from bounty.money import grouped_yuan
from bounty.notices.changes import changes_since
from bounty.notices.service import NoticeRow
from bounty.rules.periods import Period
from bounty.rules.sql_math import sum_or_zero
from bounty.rules.terms import Terms
from bounty.settlement.queries import earned_lines, known_notices, measured_roster, notices_elsewhere


@dataclass(frozen=True, slots=True)
class LateFacts:
    """What a further settlement would change."""

    orders: int
    """Whose line or count differs."""
    results: int
    """Promoters whose result flips or changes."""
    subsidy_fen: int
    """By how much the subsidy of the period would move, whole fen."""


def in_words(late: LateFacts) -> tuple[str, str]:
    """What a further settlement would change, in Chinese and English, without a full stop."""
    orders = "1 order" if late.orders == 1 else f"{late.orders} orders"
    results = "1 result" if late.results == 1 else f"{late.results} results"
    fen = f"{'+' if late.subsidy_fen >= 0 else ''}{grouped_yuan(late.subsidy_fen)}"
    return (
        f"{late.orders} 单的判定或补贴会变，{late.results} 人的结果会变，补贴 {fen}",
        f"{orders} would be judged otherwise, {results} would change, subsidy {fen}",
    )


_State = tuple[str | int | None, ...]
_KNOWN: WeakKeyDictionary[Pool, dict[_State, LateFacts | None]] = WeakKeyDictionary()
"""Connection pool -> what was found for the same facts before. To compare takes about as long as to settle; a list of
periods would otherwise do so for each published one, at every look."""
_KEPT = 200
"""Comparisons that are kept for one database."""


def late_facts(
    connection: Connection, period: Period, terms: Terms, notice: NoticeRow | None
) -> LateFacts | None:
    """What settling again now would change against the newest notice of a period; null where there is no notice or
    nothing would change.

    Nothing is compared where no orders or links came, no batch was undone, no pass was taken back and, for exclusive
    terms, no other programme published since the notice's settlement. A frozen roster can't be overridden once its
    period was settled.

    notice   the newest one; null where there is none
    """
    if notice is None:
        return None
    state = _state(connection, period, terms, notice)
    if state is None:
        return None
    known = _KNOWN.setdefault(connection.engine.pool, {})
    if state not in known:
        if len(known) >= _KEPT:
            known.clear()
        known[state] = _compare(connection, period, terms, notice)
    return known[state]


def late_facts_shown(
    connection: Connection, period: Period, terms: Terms, notice: NoticeRow | None, now: int
) -> Figure:
    """The same for a page, which does not compare the books where they are large: its content is LateFacts, or null."""
    state = None if notice is None else late_state(connection, period, terms, notice)
    if state is None:
        return Figure(None, now, current=True)
    found = figures.figure(
        connection,
        f"late {period}",
        state,
        now,
        lambda: late_content(connection, period, terms, notice),
    )
    return replace(found, content=found.content and LateFacts(**found.content))


def late_content(
    connection: Connection, period: Period, terms: Terms, notice: NoticeRow | None
) -> dict[str, object] | None:
    """``late_facts`` as they are stored."""
    late = late_facts(connection, period, terms, notice)
    return None if late is None else asdict(late)


def late_state(connection: Connection, period: Period, terms: Terms, notice: NoticeRow) -> str | None:
    """The state of what late facts are computed from; null where nothing came since the notice's settlement."""
    state = _state(connection, period, terms, notice)
    return None if state is None else " ".join(str(each) for each in state)


def _state(connection: Connection, period: Period, terms: Terms, notice: NoticeRow) -> _State | None:
    """What a comparison depends on; null where nothing came since the notice's settlement."""
    of_orders = Batch.kind.in_(("orders", "links"))
    newest = connection.execute(
        select(
            func.max(Batch.batch_id).label("batch_id"),
            func.count(Batch.undone_at).label("undone"),
            func.max(Batch.undone_at).label("undone_at"),
        ).where(of_orders)
    ).one()
    voids = connection.execute(
        select(func.count()).where(
            PassVoidAnswer.period == str(period),
            PassVoidAnswer.approved,
            PassVoidAnswer.as_of_settlement_id >= notice.settlement_id,
        )
    ).scalar_one()
    came = (newest.batch_id or 0) > (notice.as_of_batch_id or 0)
    undone = newest.undone_at is not None and newest.undone_at >= notice.settled_at
    # A large file that goes in in parts brings rows without another number.
    so_far = connection.execute(select(ImportProgress.rows_read)).scalar()
    elsewhere = notices_elsewhere(connection, period) if terms.subsidy.exclusive else []
    published = elsewhere != known_notices(connection, notice.settlement_id)
    if not (came or undone or voids or published):
        return None
    return (str(period), notice.settlement_id, *newest, so_far, voids, *elsewhere)


def _compare(connection: Connection, period: Period, terms: Terms, notice: NoticeRow) -> LateFacts | None:
    # Only periods that are not closed are compared, and their months have no archives.
    reached = measured_roster(period, terms).cte("reached")
    earned = earned_lines(period, terms, reached).cte("earned_now")
    change = changes_since(period, terms, notice, select(earned)).subquery("change").c
    orders, moved = connection.execute(
        select(
            func.count(), sum_or_zero(change.now_subsidy_fen) - sum_or_zero(change.was_subsidy_fen)
        ).select_from(change.order_sn.table)
    ).one()
    results = connection.execute(_results_that_differ(period, notice, reached, earned)).scalar_one()
    if not (orders or results or moved):
        return None
    return LateFacts(orders, results, int(moved))


def _results_that_differ(period: Period, notice: NoticeRow, reached: FromClause, earned: FromClause) -> Query:
    """How many promoters' results settling now would state otherwise than a notice."""
    sums = (
        select(
            earned.c.promoter_id, func.count().label("lines"), sum_or_zero(earned.c.subsidy_fen).label("fen")
        )
        .group_by(earned.c.promoter_id)
        .subquery("sums")
        .c
    )
    now = reached.c
    differs = or_(
        Result.gmv_fen.is_distinct_from(now.gmv_fen),
        Result.orders.is_distinct_from(now.orders),
        Result.rate_permille.is_distinct_from(now.rate_permille),
        Result.subsidy_orders != func.coalesce(sums.lines, 0),
        Result.subsidy_fen != func.coalesce(sums.fen, 0),
    )
    return (
        select(func.count())
        .select_from(RosterEntry)
        .join(
            Result,
            and_(
                Result.promoter_id == RosterEntry.promoter_id,
                Result.settlement_id == notice.settlement_id,
            ),
        )
        .outerjoin(reached, now.promoter_id == RosterEntry.promoter_id)
        .outerjoin(sums.promoter_id.table, sums.promoter_id == RosterEntry.promoter_id)
        .where(RosterEntry.period == str(period), differs)
    )
