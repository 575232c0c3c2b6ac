"""A promoter's orders of a month, each with what it counts as and what it earns; and what they come to by day."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, Connection, FromClause, and_, bindparam, case, func, literal, select

from bounty.db import Query, WholeNumber, written_out
from bounty.models import Line, OpenPeriod, Order
from bounty.progress.history import PromoterMonth
from bounty.progress.queries import A_PERIOD, A_PROMOTER, month_of_promoter, once_a_row
from bounty.rules.clauses import RECEIVED_IN_TIME, SUBSIDY_CLAUSES, all_hold, reason
from bounty.rules.measure import (
    COUNTED,
    PENDING,
    VERDICTS,
    frozen_bounds,
    may_count,
    verdict,
    verdict_number,
)
from bounty.rules.periods import Period
from bounty.rules.sql_math import Whole, capped_at, count_where, sum_or_zero, whole_part
from bounty.rules.subsidy import basis, before_promoter_cap, under_promoter_cap
from bounty.rules.terms import Terms

A_DAY = 86_400
"""Shanghai's days are all of this length in seconds."""


@lru_cache(maxsize=64)
def daily_totals(terms: Terms) -> Query:
    """The orders a promoter was paid for in the month by day of the month and verdict; asked with period, promoter_id.

    day_verdict  orders  amount_fen  capped_fen  earning_0  basis_0_fen  earned_0_fen  earning_1 ...
            123       2       27300       27300          2        27300           546          2

    day_verdict is the day times the number of verdicts, plus the place of the verdict in VERDICTS: to sort the orders
    of a busy promoter by one number takes a fraction of what it takes by a number and a word.
    For each tier: how many orders would earn above 0, on what, and what, before the promoter cap.
    """
    facts, bounds = Order.__table__.c, frozen_bounds(terms)
    tiers = terms.subsidy.tiers
    earns = all_hold(SUBSIDY_CLAUSES, facts, bounds, terms)
    day = whole_part(facts.paid_at - OpenPeriod.month_from, A_DAY) + 1
    held = once_a_row(
        month_of_promoter(
            select(
                (day * len(VERDICTS) + verdict_number(facts, bounds, terms)).label("day_verdict"),
                facts.order_amount_fen,
                *([] if terms.subsidy.basis == "order_amount" else [facts.promotion_amount_fen]),
                case((earns, 1), else_=0).label("earns"),
            ),
            A_PERIOD,
            A_PROMOTER,
        )
    ).c
    judged = once_a_row(
        select(
            held.day_verdict,
            held.order_amount_fen,
            basis(held, terms).label("basis_fen"),
            *(
                case(
                    (held.earns == 1, before_promoter_cap(held, literal(tier.rate_permille), terms)), else_=0
                ).label(f"earned_{at}_fen")
                for at, tier in enumerate(tiers)
            ),
        )
    ).c
    earned = [
        part
        for at in range(len(tiers))
        for part in (
            count_where(judged[f"earned_{at}_fen"] > 0).label(f"earning_{at}"),
            sum_or_zero(case((judged[f"earned_{at}_fen"] > 0, judged.basis_fen), else_=0)).label(
                f"basis_{at}_fen"
            ),
            sum_or_zero(judged[f"earned_{at}_fen"]).label(f"earned_{at}_fen"),
        )
    ]
    totals = select(
        judged.day_verdict,
        func.count().label("orders"),
        sum_or_zero(judged.order_amount_fen).label("amount_fen"),
        sum_or_zero(capped_at(judged.order_amount_fen, terms.task.order_cap_fen)).label("capped_fen"),
        *earned,
    ).group_by(judged.day_verdict)
    return written_out(totals)


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

    def __add__(self, other: "Expected") -> "Expected":
        return Expected(
            self.orders + other.orders,
            self.basis_fen + other.basis_fen,
            self.subsidy_fen + other.subsidy_fen,
        )


def expected_of(
    connection: Connection,
    period: Period,
    promoter_id: int,
    terms: Terms,
    days: list[Any],
    rate_permille: int,
) -> tuple[Expected, int]:
    """What a month's orders earn together at a rate, and what that were without the promoter cap, whole fen.

    days   the rows of ``daily_totals``
    """
    at = next(
        (at for at, tier in enumerate(terms.subsidy.tiers) if tier.rate_permille == rate_permille), None
    )
    if at is None:  # of who does not take part
        return Expected(0, 0, 0), 0
    by_day: dict[int, Expected] = {}
    for row in days:
        each = row._mapping
        day = row.day_verdict // len(VERDICTS)
        by_day[day] = by_day.get(day, Expected(0, 0, 0)) + Expected(
            each[f"earning_{at}"], each[f"basis_{at}_fen"], each[f"earned_{at}_fen"]
        )
    whole = sum(by_day.values(), Expected(0, 0, 0))
    cap = terms.subsidy.promoter_cap_fen
    if cap is None or whole.subsidy_fen <= cap:
        return whole, whole.subsidy_fen
    # Only on the day on which the cap is met need it be asked which order met it.
    before = Expected(0, 0, 0)
    for day in sorted(by_day):
        if before.subsidy_fen + by_day[day].subsidy_fen > cap:
            break
        before += by_day[day]
    asked = {"period": str(period), "promoter_id": promoter_id, "rate_permille": rate_permille}
    room = {"day": day, "room_fen": cap - before.subsidy_fen}
    met = Expected(*connection.execute(_given_on_a_day(terms), asked | room).one())
    return before + met, whole.subsidy_fen


@lru_cache(maxsize=64)
def _given_on_a_day(terms: Terms) -> Query:
    """What one day's orders are given under what is left of the promoter cap: orders, basis_fen, subsidy_fen; asked
    with period, promoter_id, rate_permille, day, room_fen."""
    facts, bounds = Order.__table__.c, frozen_bounds(terms)
    earns = all_hold(SUBSIDY_CLAUSES, facts, bounds, terms)
    earned = before_promoter_cap(facts, bindparam("rate_permille", type_=WholeNumber), terms)
    begins = OpenPeriod.month_from + (bindparam("day", type_=WholeNumber) - 1) * A_DAY
    shares = (
        month_of_promoter(
            select(
                facts.promoter_id,
                facts.order_sn,
                facts.paid_at,
                basis(facts, terms).label("basis_fen"),
                case((earns, earned), else_=0).label("earned_fen"),
            ),
            A_PERIOD,
            A_PROMOTER,
        )
        .where(facts.paid_at >= begins, facts.paid_at < begins + A_DAY)
        .subquery("shares")
    )
    capped, given = under_promoter_cap(shares, bindparam("room_fen", type_=WholeNumber))
    found = select(func.count(), sum_or_zero(capped.c.basis_fen), sum_or_zero(given)).where(given > 0)
    return written_out(found)


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
    facts = Order.__table__.c
    bounds = frozen_bounds(terms)
    capped = capped_at(facts.order_amount_fen, terms.task.order_cap_fen)
    received = facts.received_at.is_not(None)
    sums = select(
        sum_or_zero(capped), func.count(facts.promoter_id), sum_or_zero(case((received, capped), else_=0)),
        count_where(received),
    )  # fmt: skip
    # What may count and was received counts.
    may = month_of_promoter(sums, month.period, promoter_id).where(may_count(facts, bounds, terms))
    may_gmv_fen, may_orders, gmv_fen, orders = connection.execute(may).one()
    reachable = within_reach(month, may_gmv_fen, may_orders, now)
    reached = rate_reached(terms, gmv_fen, orders, month.target_gmv_fen, month.target_orders)
    permille = expected_rate(terms, reached, month, reachable=reachable)
    return listed_orders(month.period, promoter_id, terms, permille, None), permille
