"""A promoter's orders of a month, each with what it counts as and what it earns; and what they come to by day."""

from dataclasses import dataclass

from sqlalchemy import Connection, FromClause, and_, case, func, literal, select

from bounty.db import Query, WholeNumber
from bounty.models import Line, OpenPeriod, Order
from bounty.progress.history import PromoterMonth
from bounty.progress.queries import month_of_promoter
from bounty.rules.clauses import SUBSIDY_CLAUSES, reason
from bounty.rules.measure import COUNTED, PENDING, frozen_bounds, measured, verdict
from bounty.rules.periods import Period
from bounty.rules.subsidy import basis, before_promoter_cap, rate, under_promoter_cap
from bounty.rules.terms import Terms
from bounty.rules.whole import Whole, lesser, total, whole_part

A_DAY = 86_400
"""Shanghai's days are all of this length in seconds."""


def daily_totals(period: Period, promoter_id: int, terms: Terms) -> Query:
    """The orders a promoter was paid for in the month: day of the month, verdict, orders, amount_fen, capped_fen."""
    facts = Order.__table__.c
    judged = (
        month_of_promoter(
            select(
                (whole_part(facts.paid_at - OpenPeriod.month_from, A_DAY) + 1).label("day"),
                verdict(facts, frozen_bounds(terms), terms).label("verdict"),
                facts.order_amount_fen,
            ),
            period,
            promoter_id,
        )
        .subquery("judged")
        .c
    )
    return select(
        judged.day,
        judged.verdict,
        func.count().label("orders"),
        total(judged.order_amount_fen).label("amount_fen"),
        total(lesser(judged.order_amount_fen, terms.task.order_cap_fen)).label("capped_fen"),
    ).group_by(judged.day, judged.verdict)


def rate_reached(
    connection: Connection,
    terms: Terms,
    gmv_fen: int,
    orders: int,
    target_gmv_fen: int | None,
    target_orders: int | None,
) -> int | None:
    """The rate of the tier that these figures reach, per mille; null where they do not pass."""
    both = (
        select(
            *(
                literal(value, WholeNumber).label(name)
                for name, value in (
                    ("gmv_fen", gmv_fen),
                    ("orders", orders),
                    ("target_gmv_fen", target_gmv_fen),
                    ("target_orders", target_orders),
                )
            )
        )
        .subquery("both")
        .c
    )
    reached = rate(terms, both.gmv_fen, both.orders, both.target_gmv_fen, both.target_orders)
    return connection.execute(select(reached)).scalar_one()


def listed_orders(
    period: Period, promoter_id: int, terms: Terms, rate_permille: int, settlement_id: int | None
) -> Query:
    """Every order paid for in the month, with what it counts as and its subsidy.

    rate_permille   of the subsidy that is expected
    settlement_id   the published one, whose lines are the subsidy then; null while it is expected

    counts_fen and pending_fen are what it counts to GMV now, and what it would once received; earned_fen is its share
    before the promoter cap, subsidy_fen what it is given.
    """
    facts = Order.__table__.c
    bounds = frozen_bounds(terms)
    permille: Whole = literal(rate_permille, WholeNumber)
    unearned = reason(SUBSIDY_CLAUSES, facts, bounds, terms)
    shares = month_of_promoter(
        select(
            facts.promoter_id,
            facts.order_sn,
            facts.goods_name,
            facts.paid_at,
            facts.order_amount_fen.label("amount_fen"),
            facts.order_status,
            facts.type,
            facts.cat_ids,
            facts.is_direct,
            facts.price_compare_status,
            facts.return_status,
            facts.received_at,
            facts.failed_at,
            facts.settled_at,
            verdict(facts, bounds, terms).label("verdict"),
            lesser(facts.order_amount_fen, terms.task.order_cap_fen).label("capped_fen"),
            basis(facts, terms).label("basis_fen"),
            unearned.label("unearned"),
            case((unearned.is_(None), before_promoter_cap(facts, permille, terms)), else_=0).label(
                "earned_fen"
            ),
        ),
        period,
        promoter_id,
    ).subquery("shares")
    capped, given = under_promoter_cap(shares, terms.subsidy.promoter_cap_fen)
    columns = capped.c
    relation: FromClause = capped
    if settlement_id is not None:
        relation = capped.outerjoin(
            Line,
            and_(
                Line.promoter_id == columns.promoter_id,
                Line.settlement_id == settlement_id,
                Line.order_sn == columns.order_sn,
            ),
        )
        given = func.coalesce(Line.subsidy_fen, 0)
    return select(
        columns.order_sn,
        columns.goods_name,
        columns.paid_at,
        columns.amount_fen,
        case((columns.verdict == COUNTED, columns.capped_fen), else_=0).label("counts_fen"),
        case((columns.verdict == PENDING, columns.capped_fen), else_=0).label("pending_fen"),
        (columns.capped_fen < columns.amount_fen).label("capped"),
        columns.verdict,
        columns.order_status,
        columns.type,
        columns.cat_ids,
        columns.is_direct,
        columns.price_compare_status,
        columns.return_status,
        columns.received_at,
        columns.failed_at,
        columns.settled_at,
        columns.basis_fen,
        columns.unearned,
        columns.earned_fen,
        given.label("subsidy_fen"),
    ).select_from(relation)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a month's orders earn."""

    orders: int
    """That earn above 0."""
    basis_fen: int
    subsidy_fen: int


def earnings(connection: Connection, rows: Query) -> Expected:
    """What listed orders earn together."""
    every = rows.subquery("every").c
    earns = every.subsidy_fen > 0
    found = connection.execute(
        select(
            func.count().label("orders"),
            total(every.basis_fen).label("basis_fen"),
            total(every.subsidy_fen).label("subsidy_fen"),
        ).where(earns)
    ).one()
    return Expected(*found)


def expected_rate(terms: Terms, reached: int | None, month: PromoterMonth) -> int:
    """The rate a subsidy is expected at: of the tier reached, or, for who has not passed, of the first; 0 for who is
    not eligible."""
    if month.reason is not None:
        return 0
    return terms.subsidy.tiers[0].rate_permille if reached is None else reached


def listed_now(
    connection: Connection, promoter_id: int, month: PromoterMonth, terms: Terms
) -> tuple[Query, int]:
    """The month's orders with the subsidy they are expected to earn, or what the newest notice gives them; the rate."""
    if month.published is not None:
        permille = month.published.rate_permille or 0
        return listed_orders(
            month.period, promoter_id, terms, permille, month.published.settlement_id
        ), permille
    counted = measured(Order.__table__.c, frozen_bounds(terms), terms)
    gmv_fen, orders = connection.execute(
        month_of_promoter(select(counted.gmv_fen, counted.orders), month.period, promoter_id)
    ).one()
    reached = rate_reached(connection, terms, gmv_fen, orders, month.target_gmv_fen, month.target_orders)
    permille = expected_rate(terms, reached, month)
    return listed_orders(month.period, promoter_id, terms, permille, None), permille
