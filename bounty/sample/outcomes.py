"""The outcomes of orders and their frequencies."""

from enum import Enum, auto
from typing import Final

from bounty.rules.periods import Period
from bounty.sample.context import SampleContext
from bounty.sample.people import SamplePromoter


class OrderOutcome(Enum):
    """The outcome of an order: how it ends, or a property that decides whether it counts."""

    ORDINARY = auto()
    COMPARED = auto()
    AFTER_SALE_OPEN = auto()
    REFUNDED_LATE = auto()
    """Refunded after the receipt cutoff: the order counts but earns no subsidy."""
    INDIRECT = auto()
    DIRECT_UNKNOWN = auto()
    VIRTUAL = auto()
    RECEIVED_LATE = auto()
    UNRECEIVED = auto()
    REFUNDED_UNRECEIVED = auto()
    REFUNDED = auto()
    RISKY = auto()
    RETURNED = auto()
    """A completed after-sale that for a while only a detail response shows."""
    PUNISHED = auto()
    NO_COMMISSION = auto()
    UNPAID = auto()


_COUNTING_DIRECT: Final = {
    OrderOutcome.ORDINARY: 92,
    OrderOutcome.COMPARED: 5,
    OrderOutcome.AFTER_SALE_OPEN: 1,
    OrderOutcome.REFUNDED_LATE: 2,
}
_NOT_DIRECT: Final = {OrderOutcome.INDIRECT: 30, OrderOutcome.DIRECT_UNKNOWN: 3}
"""Outcomes that count for levels without the direct-push rule."""
_COUNTING: Final = _COUNTING_DIRECT | _NOT_DIRECT
_FAILING: Final = {
    OrderOutcome.VIRTUAL: 20,
    OrderOutcome.RECEIVED_LATE: 10,
    OrderOutcome.UNRECEIVED: 4,
    OrderOutcome.REFUNDED_UNRECEIVED: 20,
    OrderOutcome.REFUNDED: 14,
    OrderOutcome.RISKY: 3,
    OrderOutcome.RETURNED: 4,
    OrderOutcome.NO_COMMISSION: 3,
    OrderOutcome.UNPAID: 5,
}


def outcomes_of(
    context: SampleContext, promoter: SamplePromoter, month: Period
) -> tuple[dict[OrderOutcome, int], dict[OrderOutcome, int]]:
    """The outcomes that count for the promoter's level, and those that do not: outcome -> weight."""
    failing = _FAILING | ({OrderOutcome.PUNISHED: 120} if month in promoter.punished else {})
    if context.terms.direct_only(promoter.level_in(month)):
        return _COUNTING_DIRECT, failing | _NOT_DIRECT
    return _COUNTING, failing


def counts_in_history(outcome: OrderOutcome) -> bool:
    """Whether an order with this outcome adds to the historical GMV from which targets are computed."""
    return outcome in _COUNTING
