"""The result of each promoter of a period: of a settlement, or, before there is one, by what is known now."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
)
from sqlalchemy.orm import aliased

from bounty import figures
from bounty.db import Columns, Query, WholeNumber, Words, fetch_all
from bounty.figures import Figure
from bounty.labels import LabelledCode
from bounty.models import Line, PromoterProgress, PromoterSubsidy, Result, RosterEntry
from bounty.roster.terms import PeriodRow
from bounty.rules.periods import Period
from bounty.rules.revocations import void_stands
from bounty.rules.sql_math import Whole, count_where, myriads_of, sum_or_zero
from bounty.rules.subsidy import attains, tier_reached
from bounty.rules.terms import Terms

AT_RISK = -1000
"""Who has not passed and is no further from the target than this is at risk; ten-thousandths."""
FASTEST = 3
"""How many times the pace so far a promoter may still reach; who would need more is out of reach."""


class Outlook(LabelledCode):
    """Where who is eligible is heading until the receipt cutoff.

    ON_PACE: counted and pending together are as large a part of each target as of the task window has gone by.
    OUT_OF_REACH: half of the window has gone by, and going on FASTEST times as fast would not suffice; once the window
    is over, counted and pending together fall short. NUDGE: everybody else.
    """

    ON_PACE = "ON_PACE", "进度达标", "on pace"
    NUDGE = "NUDGE", "需要提醒", "needs a nudge"
    OUT_OF_REACH = "OUT_OF_REACH", "难以达到", "out of reach"


class ResultNow(NamedTuple):
    """A promoter on the roster with the result, and where it is heading."""

    promoter_id: int
    name: str
    level: str | None
    reason: str | None
    target_gmv_fen: int | None
    target_orders: int | None
    gmv_fen: int | None
    """Null, as the orders and what is compared with a target, for who is not eligible."""
    orders: int | None
    passed: int
    """1 or 0, as ``active``, ``was_passed`` and ``changed``."""
    rate_permille: int | None
    subsidy_orders: int
    subsidy_fen: int
    active: int
    """1 with an order paid in the task window."""
    margin: int | None
    """How far the smallest of measured/target is from 1, in ten-thousandths: -30 is 0.3 % short."""
    nearness: int | None
    """0 at the target, and below 0 to either side."""
    was_passed: int
    moved_fen: int | None
    """Of the subsidy."""
    changed: int
    """1 where the earlier result differs."""
    pending_fen: int | None
    """Null, as the next two, without ``now``."""
    pending_orders: int | None
    outlook: str | None
    """One of Outlook."""


class RateTotals(NamedTuple):
    """The promoters who reached one rate, and their lines."""

    rate_permille: int
    promoters: int
    basis_fen: int
    subsidy_fen: int


def results_query(
    bounds: PeriodRow,
    terms: Terms,
    settlement_id: int | None = None,
    before_id: int | None = None,
    *,
    now: int | None = None,
) -> Query:
    """One row per promoter on the roster, as ``ResultNow``.

    settlement_id   the settlement to read; null takes the totals of the orders as they are now
    before_id       an earlier settlement to compare with
    now             adds where each is heading, for a period whose receipts are awaited
    """
    period = bounds.period
    found = (
        _now(Period.parse(period), terms).subquery("found")
        if settlement_id is None
        else select(Result.__table__).where(Result.settlement_id == settlement_id).subquery("found")
    )
    was = aliased(Result, name="was")
    margin = _margin(found)
    total = PromoterProgress
    compared = ("gmv_fen", "orders", "passed", "rate_permille", "subsidy_orders", "subsidy_fen")
    differs = or_(*(found.c[name].is_distinct_from(getattr(was, name)) for name in compared))
    heading = _heading(bounds, found, now)
    return (
        select(
            RosterEntry.promoter_id,
            RosterEntry.name,
            RosterEntry.level,
            RosterEntry.reason,
            RosterEntry.target_gmv_fen,
            RosterEntry.target_orders,
            found.c.gmv_fen,
            found.c.orders,
            _one(found.c.rate_permille.is_not(None)).label("passed"),
            found.c.rate_permille,
            func.coalesce(found.c.subsidy_orders, 0).label("subsidy_orders"),
            func.coalesce(found.c.subsidy_fen, 0).label("subsidy_fen"),
            _one(total.window_orders > 0).label("active"),
            margin.label("margin"),
            (-func.abs(margin, type_=WholeNumber)).label("nearness"),
            _one(was.rate_permille.is_not(None)).label("was_passed"),
            case((was.promoter_id.is_not(None), found.c.subsidy_fen - was.subsidy_fen)).label("moved_fen"),
            _one(and_(was.promoter_id.is_not(None), differs)).label("changed"),
            *heading,
        )
        .join(total, and_(total.period == RosterEntry.period, total.promoter_id == RosterEntry.promoter_id))
        .outerjoin(found, found.c.promoter_id == RosterEntry.promoter_id)
        .outerjoin(
            was,
            and_(
                was.promoter_id == RosterEntry.promoter_id,
                was.settlement_id == (0 if before_id is None else before_id),
            ),
        )
        .where(RosterEntry.period == period)
    )


def _heading(
    bounds: PeriodRow, found: FromClause, now: int | None
) -> list[ColumnElement[int] | ColumnElement[str]]:
    """pending_fen, pending_orders and outlook."""
    if now is None:
        number, outlook = cast(null(), WholeNumber), cast(null(), Words)
        return [number.label("pending_fen"), number.label("pending_orders"), outlook.label("outlook")]
    total, eligible = PromoterProgress.__table__.c, RosterEntry.reason.is_(None)
    gmv_fen, orders = total.gmv_fen + total.pending_fen, total.orders + total.pending_orders
    return [
        case((eligible, total.pending_fen)).label("pending_fen"),
        case((eligible, total.pending_orders)).label("pending_orders"),
        case((eligible, _outlook(bounds, now, gmv_fen, orders))).label("outlook"),
    ]


def _one(condition: ColumnElement[bool]) -> Whole:
    return case((condition, literal(1, WholeNumber)), else_=literal(0, WholeNumber))


def _margin(found: FromClause) -> Whole:
    gmv = myriads_of(found.c.gmv_fen, RosterEntry.__table__.c.target_gmv_fen) - 10_000
    orders = myriads_of(found.c.orders, RosterEntry.__table__.c.target_orders) - 10_000
    return case((orders.is_(None), gmv), (gmv < orders, gmv), else_=orders)


def _now(period: Period, terms: Terms) -> Query:
    """The results that a settlement would have now, with the columns of ``results`` and basis_fen; of who is eligible.

    From the totals by promoter, which hold what the orders come to at each tier.
    """
    entry, total = RosterEntry.__table__.c, PromoterProgress.__table__.c
    reached = tier_reached(terms, total.gmv_fen, total.orders, entry.target_gmv_fen, entry.target_orders)
    by_promoter = (
        select(
            total.promoter_id,
            total.gmv_fen,
            total.orders,
            case((~void_stands(total.promoter_id, str(period)), reached)).label("tier"),
        )
        .join(
            RosterEntry,
            and_(entry.promoter_id == total.promoter_id, entry.period == total.period),
        )
        .where(total.period == str(period), entry.reason.is_(None))
        .subquery("by_promoter")
        .c
    )
    given = PromoterSubsidy
    rates = {place: tier.rate_permille for place, tier in enumerate(terms.subsidy.tiers)}
    return select(
        by_promoter.promoter_id,
        by_promoter.gmv_fen,
        by_promoter.orders,
        by_promoter.tier.is_not(None).label("passed"),
        case(rates, value=by_promoter.tier, else_=null()).label("rate_permille"),
        func.coalesce(given.orders, 0).label("subsidy_orders"),
        func.coalesce(given.basis_fen, 0).label("basis_fen"),
        func.coalesce(given.subsidy_fen, 0).label("subsidy_fen"),
    ).outerjoin(
        given,
        and_(
            given.period == str(period),
            given.promoter_id == by_promoter.promoter_id,
            given.tier == by_promoter.tier,
        ),
    )


@dataclass(frozen=True, slots=True)
class Funnel:
    """How many promoters are left at each step."""

    on_roster: int
    eligible: int
    active: int
    """With at least one order paid in the task window, eligible or not."""
    on_pace: int | None
    """Who would pass if they went on so, pending orders included; null once the receipt cutoff has passed."""
    nudge: int | None
    """Who needs a nudge and has not passed; null once the receipt cutoff has passed."""
    passed: int
    at_risk: int
    """Active, not passed, and at most 10 % short."""


def active_and_eligible(results: Query) -> Query:
    """Of results, as ``results_query`` gives them, those of promoters with a target and an order in the task window."""
    row = results.subquery("row")
    return select(row).where(row.c.active == 1, row.c.reason.is_(None))


def funnel(
    connection: Connection, bounds: PeriodRow, terms: Terms, settlement_id: int | None, now: int
) -> Funnel:
    """The promoters of a period, step by step: the rows of ``results_query``, counted."""
    live = now < bounds.receipt_cutoff and settlement_id is None
    row = results_query(bounds, terms, settlement_id, now=now if live else None).subquery("row").c
    counts = connection.execute(
        select(
            func.count().label("on_roster"),
            count_where(row.reason.is_(None)).label("eligible"),
            count_where(row.active == 1).label("active"),
            count_where(row.outlook == Outlook.ON_PACE.value).label("on_pace"),
            count_where(and_(row.outlook == Outlook.NUDGE.value, row.passed == 0)).label("nudge"),
            count_where(row.passed == 1).label("passed"),
            count_where(at_risk(row)).label("at_risk"),
        )
    ).one()
    return Funnel(
        counts.on_roster,
        counts.eligible,
        counts.active,
        counts.on_pace if live else None,
        counts.nudge if live else None,
        counts.passed,
        counts.at_risk,
    )


def at_risk(row: Columns) -> ColumnElement[bool]:
    """Whether a promoter is active, has not passed, and is at most 10 % short.

    row   the columns of ``results_query``
    """
    return and_(row.active == 1, row.passed == 0, row.margin.is_not(None), row.margin >= AT_RISK)


def further_short(row: Columns) -> ColumnElement[bool]:
    """Whether a promoter has not passed, and is more than 10 % short.

    row   the columns of ``results_query``
    """
    return and_(row.passed == 0, row.margin.is_not(None), ~at_risk(row))


def _outlook(bounds: PeriodRow, now: int, gmv_fen: Whole, orders: Whole) -> ColumnElement[str]:
    """One of Outlook, from what is counted and pending against the part of the task window that has gone by."""
    window = bounds.task_until - bounds.task_from
    gone = min(max(now - bounds.task_from, 0), window)
    target = RosterEntry.__table__.c
    targets = target.target_gmv_fen, target.target_orders
    # Who has this part of the target reaches all of it at FASTEST times the pace so far.
    least = gone * 10_000 // (gone + FASTEST * (window - gone))
    pace = and_(orders > 0, attains(gone * 10_000 // window, gmv_fen, orders, *targets))
    slow = and_(literal(2 * gone >= window), ~attains(least, gmv_fen, orders, *targets))
    return case((pace, Outlook.ON_PACE.value), (slow, Outlook.OUT_OF_REACH.value), else_=Outlook.NUDGE.value)


def by_tier(
    connection: Connection, bounds: PeriodRow, terms: Terms, settlement_id: int | None
) -> list[RateTotals]:
    """The totals per rate, the lowest first."""
    if settlement_id is None:
        return _by_rate(connection, _now(Period.parse(bounds.period), terms))
    return _settled_by_tier(connection, settlement_id)


def _settled_by_tier(connection: Connection, settlement_id: int) -> list[RateTotals]:
    result, line = Result.__table__.c, Line.__table__.c
    basis = (
        select(line.promoter_id, sum_or_zero(line.basis_fen).label("basis_fen"))
        .where(line.settlement_id == settlement_id)
        .group_by(line.promoter_id)
        .subquery("basis")
    )
    results = (
        select(
            result.rate_permille,
            result.subsidy_fen,
            func.coalesce(basis.c.basis_fen, 0).label("basis_fen"),
        )
        .select_from(Result)
        .outerjoin(basis, basis.c.promoter_id == result.promoter_id)
        .where(result.settlement_id == settlement_id)
    )
    return _by_rate(connection, results)


def tiers_shown(
    connection: Connection, bounds: PeriodRow, terms: Terms, settlement_id: int | None, now: int
) -> Figure:
    """``by_tier`` for a page, which does not add up the lines of a large settlement: its content is RateTotals."""
    if settlement_id is None:
        return Figure(by_tier(connection, bounds, terms, None), now, current=True)
    subject = tiers_subject(settlement_id)
    found = figures.figure(
        connection, subject, subject, now, lambda: tiers_content(connection, settlement_id)
    )
    return replace(found, content=[RateTotals(*each) for each in found.content or []])


def tiers_subject(settlement_id: int) -> str:
    """The stored figure of a settlement's tiers, and what it is computed from: a settlement never changes."""
    return f"tiers {settlement_id}"


def tiers_content(connection: Connection, settlement_id: int) -> list[list[object]]:
    """The tiers of a settlement as they are stored."""
    return [list(each) for each in _settled_by_tier(connection, settlement_id)]


def _by_rate(connection: Connection, results: Query) -> list[RateTotals]:
    row = results.subquery("row").c
    query = (
        select(
            row.rate_permille,
            func.count().label("promoters"),
            sum_or_zero(row.basis_fen).label("basis_fen"),
            sum_or_zero(row.subsidy_fen).label("subsidy_fen"),
        )
        .where(row.rate_permille.is_not(None))
        .group_by(row.rate_permille)
        .order_by(row.rate_permille)
    )
    return fetch_all(connection, query, RateTotals)
