"""The tier above the one that is reached: what is missing for it, and what it would be worth."""

from collections.abc import Mapping
from dataclasses import dataclass

from bounty.progress.order_list import TierSubsidy
from bounty.progress.pace import TargetProgress
from bounty.rules.terms import Terms


@dataclass(frozen=True, slots=True)
class NextTier:
    """A tier that may still be reached."""

    at: int
    """Ten-thousandths of the target."""
    rate_permille: int
    gmv_fen: int
    """Missing of GMV with every pending order; 0 where nothing is."""
    orders: int
    """The same of orders."""
    more_fen: int
    """What the orders so far would earn more than they are expected to now."""


def next_tier_of(
    terms: Terms,
    rate_permille: int,
    gmv: TargetProgress | None,
    orders: TargetProgress | None,
    tiers: Mapping[int, TierSubsidy],
    expected_fen: int,
) -> NextTier | None:
    """The tier above a rate; null above the last.

    tiers          by place
    expected_fen   what the orders so far are expected to earn now
    """
    for place, tier in enumerate(terms.subsidy.tiers):
        if tier.rate_permille > rate_permille:
            return NextTier(
                tier.at,
                tier.rate_permille,
                0 if gmv is None else max(tier.needs(gmv.target) - gmv.sure_or_pending, 0),
                0 if orders is None else max(tier.needs(orders.target) - orders.sure_or_pending, 0),
                max(tiers[place].subsidy_fen - expected_fen, 0),
            )
    return None
