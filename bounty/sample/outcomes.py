"""The fates that an order may meet, and how often each is met."""

from enum import Enum, auto
from typing import Final

from bounty.rules.periods import Period
from bounty.sample.context import SampleContext
from bounty.sample.people import SamplePromoter


class OrderOutcome(Enum):
    """What becomes of an order, or what it is from the start."""

    ORDINARY = auto()
    COMPARED = auto()
    AFTER_SALE_OPEN = auto()
    REFUNDED_LATE = auto()
    """After the receipt cutoff: it counts, and earns nothing."""
    INDIRECT = auto()
    DIRECT_UNKNOWN = auto()
    VIRTUAL = auto()
    RECEIVED_LATE = auto()
    UNRECEIVED = auto()
    REFUNDED_UNRECEIVED = auto()
    REFUNDED = auto()
    RISKY = auto()
    RETURNED = auto()
    """An after-sale that only the detail reply tells of, for a while."""
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
"""These count where a level asks for no direct orders."""
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
    world: SampleContext, one: SamplePromoter, month: Period
) -> tuple[dict[OrderOutcome, int], dict[OrderOutcome, int]]:
    """Which fates count for the task of the promoter's level, and which do not, with their weights."""
    failing = _FAILING | ({OrderOutcome.PUNISHED: 120} if month in one.punished else {})
    if world.terms.direct_only(one.level_in(month)):
        return _COUNTING_DIRECT, failing | _NOT_DIRECT
    return _COUNTING, failing


def counts_in_history(fate: OrderOutcome) -> bool:
    """Whether an order adds to the GMV of which a target may be made."""
    return fate in _COUNTING
