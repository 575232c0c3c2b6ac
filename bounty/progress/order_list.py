"""A promoter's orders of a month, each with what it counts as and what it earns."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, Connection, FromClause, and_, bindparam, case, func, literal, select

from bounty.db import Query, WholeNumber, written_out
from bounty.models import Line, Order, PromoterProgress
from bounty.progress.history import PromoterMonth
from bounty.progress.queries import A_PERIOD, A_PROMOTER, month_of_promoter
from bounty.rules.clauses import RECEIVED_IN_TIME, SUBSIDY_CLAUSES, reason
from bounty.rules.measure import COUNTED, PENDING, frozen_bounds, verdict
from bounty.rules.periods import Period
from bounty.rules.sql_math import Whole, capped_at
from bounty.rules.subsidy import basis, before_promoter_cap, under_promoter_cap
from bounty.rules.terms import Terms


def rate_reached(
    terms: Terms, gmv_fen: int, orders: int, target_gmv_fen: int | None, target_orders: int | None
) -> int | None:
    """The rate of the tier that these figures reach, per mille, as ``rules.subsidy.rate``; null where they do not
    pass."""
    measured = ((gmv_fen, target_gmv_fen), (orders, target_orders))
    reached = (
        tier.rate_permille
        for tier in reversed(terms.subsidy.tiers)
        if all(target is None or figure >= tier.needs(target) for figure, target in measured)
    )
    return next(reached, None)


def listed_orders(
    period: Period | BindParameter[str],
    promoter_id: int | BindParameter[int],
    terms: Terms,
    rate_permille: int | BindParameter[int],
    settlement_id: int | BindParameter[int] | None,
    *,
    newest: int | None = None,
) -> Query:
    """Every order paid for in the month, with what it counts as and its subsidy.

    rate_permille   of the subsidy that is expected
    settlement_id   the published one, whose lines are the subsidy then; null while it is expected
    newest          only so many of the newest; asked with what the whole month earns before the promoter cap besides,
                    as ``earned_fen``, so that no order need look at those before it

    counts_fen and pending_fen are what it counts to GMV now, and what it would once received; earned_fen is its share
    before the promoter cap, subsidy_fen what it is given.
    """
    facts = Order.__table__.c
    bounds = frozen_bounds(terms)
    permille: Whole = literal(rate_permille, WholeNumber) if isinstance(rate_permille, int) else rate_permille
    unearned = reason(SUBSIDY_CLAUSES, facts, bounds, terms)
    stands = verdict(facts, bounds, terms)
    if settlement_id is not None:  # a notice comes after the cutoff: who waits for a receipt waits in vain
        stands = case((stands == PENDING, literal(RECEIVED_IN_TIME.code)), else_=stands)
    month = month_of_promoter(
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
            facts.verified_at,
            facts.settled_at,
            stands.label("verdict"),
            capped_at(facts.order_amount_fen, terms.task.order_cap_fen).label("capped_fen"),
            basis(facts, terms).label("basis_fen"),
            unearned.label("unearned"),
            case((unearned.is_(None), before_promoter_cap(facts, permille, terms)), else_=0).label(
                "earned_fen"
            ),
        ),
        period,
        promoter_id,
    )
    all_fen: Whole | None = None
    if newest is not None:
        month = month.order_by(facts.paid_at.desc(), facts.order_sn.desc()).limit(newest)
        all_fen = bindparam("earned_fen", type_=WholeNumber)
    cap = None if settlement_id is not None else terms.subsidy.promoter_cap_fen
    capped, given = under_promoter_cap(month.subquery("shares"), cap, all_fen)
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
        columns.verified_at,
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


def expected_of(terms: Terms, tiers: Mapping[int, Any], rate_permille: int) -> tuple[Expected, int]:
    """What a month's orders earn together at a rate, and what that were without the promoter cap, whole fen.

    tiers   place of a tier -> the columns of ``promoter_subsidy``
    """
    at = next(
        (at for at, tier in enumerate(terms.subsidy.tiers) if tier.rate_permille == rate_permille), None
    )
    if at is None:  # of who does not take part
        return Expected(0, 0, 0), 0
    held = tiers[at]
    return Expected(held.orders, held.basis_fen, held.subsidy_fen), held.earned_fen


@lru_cache(maxsize=256)
def newest_orders(terms: Terms, many: int, *, published: bool) -> Query:
    """So many of a month's orders, the newest first; asked with period, promoter_id, rate_permille, earned_fen,
    settlement_id."""
    listed = listed_orders(
        A_PERIOD,
        A_PROMOTER,
        terms,
        bindparam("rate_permille", type_=WholeNumber),
        bindparam("settlement_id", type_=WholeNumber) if published else None,
        newest=many,
    ).subquery("listed")
    return written_out(select(listed).order_by(listed.c.paid_at.desc(), listed.c.order_sn.desc()))


def within_reach(month: PromoterMonth, gmv_fen: int, orders: int, now: int) -> bool:
    """Whether a promoter may still pass a month: orders can still be added, or those that count and those that wait
    for their receipt suffice; never for who is not eligible, or whose pass was taken back.

    gmv_fen, orders   counted and pending together
    """
    if month.reason is not None or month.void is not None:
        return False
    suffices = gmv_fen >= (month.target_gmv_fen or 0) and orders >= (month.target_orders or 0)
    return now < month.bounds.task_until or suffices


def expected_rate(terms: Terms, reached: int | None, month: PromoterMonth, *, reachable: bool) -> int:
    """The rate a subsidy is expected at: of the tier reached, or, for who has not passed and still may, of the first;
    0 for who can't pass.

    reachable   as ``within_reach`` says
    """
    if not reachable:
        return 0
    return terms.subsidy.tiers[0].rate_permille if reached is None else reached


def listed_now(connection: Connection, promoter_id: int, month: PromoterMonth, now: int) -> tuple[Query, int]:
    """The month's orders with the subsidy they are expected to earn, or what the newest notice gives them; the rate."""
    terms = month.terms
    if month.published is not None:
        permille = month.published.rate_permille or 0
        return listed_orders(
            month.period, promoter_id, terms, permille, month.published.settlement_id
        ), permille
    held = connection.execute(
        select(PromoterProgress.__table__).where(
            PromoterProgress.period == str(month.period), PromoterProgress.promoter_id == promoter_id
        )
    ).one()
    gmv_fen, orders = held.gmv_fen, held.orders
    may_gmv_fen, may_orders = gmv_fen + held.pending_fen, orders + held.pending_orders
    reachable = within_reach(month, may_gmv_fen, may_orders, now)
    reached = rate_reached(terms, gmv_fen, orders, month.target_gmv_fen, month.target_orders)
    permille = expected_rate(terms, reached, month, reachable=reachable)
    return listed_orders(month.period, promoter_id, terms, permille, None), permille
