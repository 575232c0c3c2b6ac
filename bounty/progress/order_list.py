"""A promoter's orders of a month, each with what it counts as and what it earns."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

from sqlalchemy import BindParameter, Connection, FromClause, and_, bindparam, case, func, literal, select

from bounty.db import Query, QueryRow, WholeNumber, written_out
from bounty.models import DailySubsidy, Line, OpenPeriod, Order, PromoterProgress, RosterEntry
from bounty.orders.queries import OrderNumbers
from bounty.progress.history import PromoterMonth
from bounty.progress.queries import A_PERIOD, A_PROMOTER, month_of_promoter
from bounty.rules.clauses import RECEIVED_IN_TIME, SUBSIDY_CLAUSES, reason
from bounty.rules.measure import COUNTED, PENDING, frozen_bounds, verdict
from bounty.rules.periods import Period
from bounty.rules.sql_math import Whole, capped_at
from bounty.rules.subsidy import basis, before_promoter_cap, under_promoter_cap
from bounty.rules.terms import Terms
from bounty.totals.queries import A_DAY, day_of, once_a_row


@dataclass(frozen=True, slots=True)
class CapMet:
    """The day on which a promoter's orders of a month meet the promoter cap: those before it keep their whole share,
    those after it get nothing."""

    day: int
    """Of the period, from 1."""
    room_fen: int
    """What was left of the cap before that day."""


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
    numbers: OrderNumbers | None = None,
    met: CapMet | None = None,
) -> Query:
    """Every order paid for in the month, with what it counts as and its subsidy.

    rate_permille   of the subsidy that is expected
    settlement_id   the published one, whose lines are the subsidy then; null while it is expected
    newest          only so many of the newest; fetched with what the whole month earns before the promoter cap besides,
                    as ``earned_fen``, so that no order need look at those before it
    numbers         only the orders of these numbers
    met             asked with numbers: where the promoter cap is met; null where it is not

    counts_fen and pending_fen are what it counts to GMV now, and what it would once received; earned_fen is its share
    before the promoter cap, subsidy_fen what it is given.
    """
    facts = Order.__table__.c
    bounds = frozen_bounds(terms)
    permille: Whole = literal(rate_permille, WholeNumber) if isinstance(rate_permille, int) else rate_permille
    unearned = reason(SUBSIDY_CLAUSES, facts, bounds, terms)
    earned = case((unearned.is_(None), before_promoter_cap(facts, permille, terms)), else_=0)
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
            day_of(facts.paid_at).label("day"),
            stands.label("verdict"),
            capped_at(facts.order_amount_fen, terms.task.order_cap_fen).label("capped_fen"),
            basis(facts, terms).label("basis_fen"),
            unearned.label("unearned"),
            earned.label("earned_fen"),
        ),
        period,
        promoter_id,
        numbers,
    )
    all_fen: Whole | None = None
    if newest is not None:
        # The instant first, from the index alone: sorted by order number too, SQLite reads and judges the whole month.
        since = month_of_promoter(select(facts.paid_at), period, promoter_id).correlate(None)
        since = since.order_by(facts.paid_at.desc()).limit(1).offset(newest - 1)
        month = month.where(facts.paid_at >= func.coalesce(since.scalar_subquery(), 0))
        month = month.order_by(facts.paid_at.desc(), facts.order_sn.desc()).limit(newest)
        all_fen = bindparam("earned_fen", type_=WholeNumber)
    cap = None if settlement_id is not None else terms.subsidy.promoter_cap_fen
    # Once a row: the filters of a page ask for the verdict and the reason twenty times.
    shares = month.subquery("shares") if newest is not None else once_a_row(month)
    relation: FromClause
    if numbers is None:
        relation, given = under_promoter_cap(shares, cap, all_fen)
        columns = relation.c
    else:
        columns = shares.c
        of_day = month_of_promoter(
            select(facts.promoter_id, facts.order_sn, facts.paid_at, earned.label("earned_fen")),
            period,
            promoter_id,
        )
        relation, given = _given_beside(shares, of_day, promoter_id, numbers, None if cap is None else met)
    if settlement_id is not None:
        relation = relation.outerjoin(
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


def _given_beside(
    shares: FromClause,
    month: Query,
    promoter_id: int | BindParameter[int],
    numbers: OrderNumbers,
    met: CapMet | None,
) -> tuple[FromClause, Whole]:
    """Single orders with what each is given under the promoter cap: the relation to select from, and the amount.

    shares   the orders of these numbers
    month    every order of the month: promoter_id, order_sn, paid_at, earned_fen
    """
    row = shares.c
    if met is None:
        return shares, row.earned_fen
    begins, facts = OpenPeriod.month_from + (met.day - 1) * A_DAY, Order.__table__.alias("asked_for").c
    # The day is read only where one of the orders was paid on it.
    concerned = select(facts.order_sn).where(
        facts.promoter_id == RosterEntry.promoter_id,
        facts.order_sn.in_(numbers),
        facts.paid_at + 0 >= begins,
        facts.paid_at + 0 < begins + A_DAY,
    )
    on_day = month.where(Order.paid_at >= begins, Order.paid_at < begins + A_DAY, concerned.exists())
    capped, amount = under_promoter_cap(once_a_row(on_day), met.room_fen)
    of_day = once_a_row(
        select(capped.c.promoter_id, capped.c.order_sn, amount.label("given_fen")).where(
            capped.c.promoter_id == promoter_id, capped.c.order_sn.in_(numbers)
        )
    )
    given = case(
        (row.day < met.day, row.earned_fen),
        (row.day > met.day, 0),
        else_=func.coalesce(of_day.c.given_fen, 0),
    )
    same = and_(of_day.c.promoter_id == row.promoter_id, of_day.c.order_sn == row.order_sn)
    return shares.outerjoin(of_day, same), given


class ListedOrder(Protocol):
    """What pages read of a row of ``listed_orders``."""

    order_sn: str
    order_status: int | None
    received_at: int | None
    verified_at: int | None
    settled_at: int | None
    verdict: str
    unearned: str | None
    """The code of the clause of the subsidy that fails."""
    earned_fen: int
    subsidy_fen: int


@dataclass(frozen=True, slots=True)
class Expected:
    """What a month's orders earn."""

    orders: int
    """That earn above 0."""
    basis_fen: int
    subsidy_fen: int


class TierSubsidy(NamedTuple):
    """What a promoter's orders of a month earn at one tier."""

    tier: int
    """Its place in the terms."""
    orders: int
    basis_fen: int
    subsidy_fen: int
    earned_fen: int
    """Without the promoter cap."""


def tier_of_rate(terms: Terms, rate_permille: int) -> int | None:
    """The place of the tier with a rate; null where there is none."""
    return next(
        (at for at, tier in enumerate(terms.subsidy.tiers) if tier.rate_permille == rate_permille), None
    )


def expected_of(terms: Terms, tiers: Mapping[int, TierSubsidy], rate_permille: int) -> tuple[Expected, int]:
    """What a month's orders earn together at a rate, and what that were without the promoter cap, whole fen.

    tiers   by place
    """
    at = tier_of_rate(terms, rate_permille)
    if at is None:  # of who does not take part
        return Expected(0, 0, 0), 0
    tier = tiers[at]
    return Expected(tier.orders, tier.basis_fen, tier.subsidy_fen), tier.earned_fen


@lru_cache(maxsize=256)
def newest_orders(terms: Terms, many: int, *, published: bool) -> Query:
    """So many of a month's orders, the newest first; parameters period, promoter_id, rate_permille, earned_fen,
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


def largest_pending(connection: Connection, listed: Query, many: int) -> list[QueryRow]:
    """So many of the orders that ``listed_now`` gives and that wait for their receipt: those that would count most."""
    order = listed.subquery("listed")
    return list(
        connection.execute(
            select(order)
            .where(order.c.verdict == literal(PENDING))
            .order_by(order.c.pending_fen.desc(), order.c.paid_at, order.c.order_sn)
            .limit(many)
        )
    )


def listed_now(
    connection: Connection,
    promoter_id: int,
    month: PromoterMonth,
    now: int,
    numbers: OrderNumbers | None = None,
) -> tuple[Query, int]:
    """The month's orders with the subsidy they are expected to earn, or what the newest notice gives them; the rate.

    numbers   only the orders of these numbers: no other order is read, but those of the day on which the promoter cap
              is met
    """
    terms, published = month.terms, month.published
    settlement_id = None if published is None else published.settlement_id
    permille = rate_now(connection, promoter_id, month, now)
    met = None
    if numbers is not None and published is None:
        met = cap_met(connection, promoter_id, month, permille)
    listed = listed_orders(
        month.period, promoter_id, terms, permille, settlement_id, numbers=numbers, met=met
    )
    return listed, permille


def rate_now(connection: Connection, promoter_id: int, month: PromoterMonth, now: int) -> int:
    """The rate of the subsidy that the newest notice gives, or that is expected, per mille; 0 for none."""
    if month.published is not None:
        return month.published.rate_permille or 0
    held = connection.execute(
        select(PromoterProgress.__table__).where(
            PromoterProgress.period == str(month.period), PromoterProgress.promoter_id == promoter_id
        )
    ).one()
    gmv_fen, orders = held.gmv_fen, held.orders
    may_gmv_fen, may_orders = gmv_fen + held.pending_fen, orders + held.pending_orders
    reachable = within_reach(month, may_gmv_fen, may_orders, now)
    reached = rate_reached(month.terms, gmv_fen, orders, month.target_gmv_fen, month.target_orders)
    return expected_rate(month.terms, reached, month, reachable=reachable)


def cap_met(
    connection: Connection, promoter_id: int, month: PromoterMonth, rate_permille: int
) -> CapMet | None:
    """Where what the days of an open month earn at a rate meets the promoter cap; null where it does not."""
    cap, day = month.terms.subsidy.promoter_cap_fen, DailySubsidy.__table__.c
    tier = tier_of_rate(month.terms, rate_permille)
    if cap is None or tier is None:
        return None
    of_promoter = (day.period == str(month.period), day.promoter_id == promoter_id, day.tier == tier)
    room = cap
    for number, earned_fen in connection.execute(
        select(day.day, day.earned_fen).where(*of_promoter).order_by(day.day)
    ):
        if earned_fen > room:
            return CapMet(number, room)
        room -= earned_fen
    return None
