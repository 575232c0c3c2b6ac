"""The subsidy: who passed, at which rate, and what an order earns before and after the caps."""

from collections.abc import Sequence

from sqlalchemy import BindParameter, ColumnElement, FromClause, and_, case, null, or_, select

from bounty.rules.clauses import Facts
from bounty.rules.sql_math import Whole, capped_at, reaches, running_total, share_half_even
from bounty.rules.terms import Terms


def attains(
    at: int, gmv_fen: Whole, orders: Whole, target_gmv_fen: Whole, target_orders: Whole
) -> ColumnElement[bool]:
    """Whether the smallest of measured/target is at least ``at`` (ten-thousandths). A null target is no target."""
    return and_(
        or_(target_gmv_fen.is_(None), reaches(gmv_fen, target_gmv_fen, at)),
        or_(target_orders.is_(None), reaches(orders, target_orders, at)),
    )


def tier_reached(
    terms: Terms, gmv_fen: Whole, orders: Whole, target_gmv_fen: Whole, target_orders: Whole
) -> ColumnElement[int | None]:
    """The place of the last tier that is attained; null for who did not pass. For eligible promoters."""
    return _of_tier_reached(
        terms, range(len(terms.subsidy.tiers)), gmv_fen, orders, target_gmv_fen, target_orders
    )


def rate(
    terms: Terms, gmv_fen: Whole, orders: Whole, target_gmv_fen: Whole, target_orders: Whole
) -> ColumnElement[int | None]:
    """The rate of the last tier that is attained, per mille; null for who did not pass. For eligible promoters."""
    rates = [tier.rate_permille for tier in terms.subsidy.tiers]
    return _of_tier_reached(terms, rates, gmv_fen, orders, target_gmv_fen, target_orders)


def _of_tier_reached(terms: Terms, values: Sequence[int], *measured: Whole) -> ColumnElement[int | None]:
    """Of each tier's value, that of the last tier that is attained.

    measured   gmv_fen, orders, target_gmv_fen, target_orders
    """
    falling = zip(reversed(terms.subsidy.tiers), reversed(values), strict=True)
    return case(*((attains(tier.at, *measured), value) for tier, value in falling), else_=null())


def basis(facts: Facts, terms: Terms) -> Whole:
    """What the rate is taken of: the amount paid, or the commission."""
    amount: Whole = (
        facts.order_amount_fen if terms.subsidy.basis == "order_amount" else facts.promotion_amount_fen
    )
    return amount


def before_promoter_cap(facts: Facts, rate_permille: Whole, terms: Terms) -> Whole:
    """What an order that holds all subsidy clauses earns: its share, at most the order cap."""
    return capped_at(share_half_even(basis(facts, terms), rate_permille), terms.subsidy.order_cap_fen)


def after_promoter_cap(earned: Whole, running: Whole, cap: int | Whole) -> Whole:
    """What is left of an order's share under the promoter cap.

    running   the sum of the promoter's shares up to and with this order, in (paid_at, order_sn) order
    """
    before = running - earned
    return case((running <= cap, earned), (before >= cap, 0), else_=cap - before)


def under_promoter_cap(
    shares: FromClause, cap: int | BindParameter[int] | None, all_fen: Whole | None = None
) -> tuple[FromClause, Whole]:
    """Shares with what each is given under the promoter cap: the relation to select from, and the amount.

    shares    promoter_id, paid_at, order_sn and earned_fen, every share of a promoter's month
    all_fen   what they come to, where ``shares`` are only the last of them
    """
    if cap is None:
        return shares, shares.c.earned_fen
    row = shares.c
    if all_fen is None:
        running = running_total(row.earned_fen, row.promoter_id, row.paid_at, row.order_sn)
    else:
        from_here = running_total(row.earned_fen, row.promoter_id, row.paid_at.desc(), row.order_sn.desc())
        running = all_fen - from_here + row.earned_fen
    capped = select(*shares.c, running.label("running_fen")).subquery("capped")
    return capped, after_promoter_cap(capped.c.earned_fen, capped.c.running_fen, cap)
