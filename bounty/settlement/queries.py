"""A settlement as a handful of set-based statements, whatever the size of the month."""

from sqlalchemy import Column, FromClause, Insert, and_, case, func, insert, literal, select, true

from bounty.db import Query, WholeNumber, workspace
from bounty.models import KnownNotice, Line, OpenPeriod, Order, Quarantined, Result, RosterEntry
from bounty.rules.clauses import SUBSIDY_CLAUSES, all_hold, newest_notices_elsewhere
from bounty.rules.measure import counts, frozen_bounds, measured, of_eligible
from bounty.rules.periods import Bounds, Period
from bounty.rules.revocations import void_stands
from bounty.rules.sql_math import sum_or_zero
from bounty.rules.subsidy import basis, before_promoter_cap, rate, under_promoter_cap
from bounty.rules.terms import Terms

attained = workspace(
    "attained",
    Column("promoter_id", WholeNumber, primary_key=True),
    Column("gmv_fen", WholeNumber, nullable=False),
    Column("orders", WholeNumber, nullable=False),
    # Null for who did not pass.
    Column("rate_permille", WholeNumber),
)
"""What the eligible promoters of one period measured, between two statements of a settlement."""


def measured_roster(period: Period, terms: Terms) -> Query:
    """Every eligible promoter's measure and rate: promoter_id, gmv_fen, orders, rate_permille, as ``attained`` has
    them; who has no orders measures 0, and whose pass is void has no rate."""
    facts = Order.__table__.c
    counted = measured(facts, terms)
    by_promoter = (
        of_eligible(
            select(
                RosterEntry.promoter_id,
                RosterEntry.target_gmv_fen,
                RosterEntry.target_orders,
                counted.gmv_fen.label("gmv_fen"),
                counted.orders.label("orders"),
            ),
            period,
            counts(facts, frozen_bounds(terms), terms),
            outer=True,
        )
        .group_by(RosterEntry.promoter_id, RosterEntry.target_gmv_fen, RosterEntry.target_orders)
        .subquery("by_promoter")
        .c
    )
    reached = rate(
        terms, by_promoter.gmv_fen, by_promoter.orders, by_promoter.target_gmv_fen, by_promoter.target_orders
    )
    stands = case((~void_stands(by_promoter.promoter_id, str(period)), reached))
    return select(
        by_promoter.promoter_id, by_promoter.gmv_fen, by_promoter.orders, stands.label("rate_permille")
    )


def measure_roster(period: Period, terms: Terms) -> Insert:
    """Fill ``attained``."""
    return insert(attained).from_select(
        ["promoter_id", "gmv_fen", "orders", "rate_permille"], measured_roster(period, terms)
    )


def earned_lines(period: Period, terms: Terms, reached: FromClause) -> Query:
    """Each order that earns above 0, with its share under the order cap and the promoter cap: promoter_id, order_sn,
    paid_at, basis_fen, subsidy_fen.

    reached   ``attained``, or another relation with its columns
    """
    facts = Order.__table__.c
    bounds = frozen_bounds(terms)
    earned = before_promoter_cap(facts, reached.c.rate_permille, terms).label("earned_fen")
    shares = (
        select(
            facts.promoter_id,
            facts.order_sn,
            facts.paid_at,
            basis(facts, terms).label("basis_fen"),
            earned,
        )
        .select_from(OpenPeriod)
        .join(reached, true())
        # Outer, with every condition in it, so that SQLite goes from who passed to their orders and not through all
        # orders of the month; the row without an order that it leaves of some falls out with `given > 0`.
        .outerjoin(
            Order,
            and_(
                facts.promoter_id == reached.c.promoter_id,
                all_hold(SUBSIDY_CLAUSES, facts, bounds, terms),
            ),
        )
        .where(OpenPeriod.period == str(period), reached.c.rate_permille > 0)
        .subquery("shares")
    )
    capped, given = under_promoter_cap(shares, terms.subsidy.promoter_cap_fen)
    row = capped.c
    return select(
        row.promoter_id, row.order_sn, row.paid_at, row.basis_fen, given.label("subsidy_fen")
    ).where(given > 0)


def write_lines(settlement_id: int, period: Period, terms: Terms) -> Insert:
    """Write the lines of who is in ``attained``."""
    return insert(Line).from_select(
        ["promoter_id", "order_sn", "paid_at", "basis_fen", "subsidy_fen", "settlement_id"],
        earned_lines(period, terms, attained).add_columns(literal(settlement_id)),
    )


def freeze_known_notices(settlement_id: int, period: Period) -> Insert:
    """Keep which notices of other programmes a settlement of exclusive terms has just gone by."""
    known = newest_notices_elsewhere(literal(str(period)))
    return insert(KnownNotice).from_select(
        ["settlement_id", "other_id"], select(literal(settlement_id), *known.subquery("known").c)
    )


def write_results(settlement_id: int, period: Period) -> Insert:
    """Write one result per promoter on the roster, with the sums of the lines just written."""
    sums = (
        select(
            Line.promoter_id,
            func.count().label("lines"),
            sum_or_zero(Line.__table__.c.subsidy_fen).label("fen"),
        )
        .join(attained, attained.c.promoter_id == Line.promoter_id)
        .where(Line.settlement_id == settlement_id)
        .group_by(Line.promoter_id)
        .subquery("sums")
    )
    return insert(Result).from_select(
        [
            "promoter_id",
            "settlement_id",
            "gmv_fen",
            "orders",
            "passed",
            "rate_permille",
            "subsidy_orders",
            "subsidy_fen",
        ],
        select(
            RosterEntry.promoter_id,
            literal(settlement_id),
            attained.c.gmv_fen,
            attained.c.orders,
            attained.c.rate_permille.is_not(None),
            attained.c.rate_permille,
            func.coalesce(sums.c.lines, 0),
            func.coalesce(sums.c.fen, 0),
        )
        .outerjoin(attained, attained.c.promoter_id == RosterEntry.promoter_id)
        .outerjoin(sums, sums.c.promoter_id == RosterEntry.promoter_id)
        .where(RosterEntry.period == str(period)),
    )


def results_of(settlement_id: int, period: Period) -> Query:
    """The rows of results.csv, in its order."""
    return (
        select(
            Result.promoter_id,
            RosterEntry.name,
            RosterEntry.level,
            RosterEntry.reason,
            Result.gmv_fen,
            Result.orders,
            RosterEntry.target_gmv_fen,
            RosterEntry.target_orders,
            Result.passed,
            Result.rate_permille,
            Result.subsidy_orders,
            Result.subsidy_fen,
        )
        .select_from(Result)
        .join(
            RosterEntry,
            and_(RosterEntry.promoter_id == Result.promoter_id, RosterEntry.period == str(period)),
        )
        .where(Result.settlement_id == settlement_id)
        .order_by(Result.promoter_id)
    )


def lines_of(settlement_id: int) -> Query:
    """The rows of subsidy_lines.csv, in its order."""
    return (
        select(
            Line.promoter_id,
            Line.order_sn,
            Line.paid_at,
            Line.basis_fen,
            Result.rate_permille,
            Line.subsidy_fen,
        )
        .select_from(Result)
        .join(Line, and_(Line.promoter_id == Result.promoter_id, Line.settlement_id == Result.settlement_id))
        .where(Result.settlement_id == settlement_id, Result.subsidy_orders > 0)
        .order_by(Result.promoter_id, Line.paid_at, Line.order_sn)
    )


def quarantined_of(bounds: Bounds) -> Query:
    """How many order rows wait in quarantine that are, or may be, of a month."""
    of_month = and_(Quarantined.paid_at >= bounds.month_from, Quarantined.paid_at < bounds.month_until)
    return select(func.count()).where(
        Quarantined.kind == "orders",
        Quarantined.closed_at.is_(None),
        Quarantined.paid_at.is_(None) | of_month,
    )
