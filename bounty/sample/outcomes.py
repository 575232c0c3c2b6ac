"""The fates that an order may meet, and how often each is met."""

from enum import Enum, auto
from typing import Final

from bounty.rules.periods import Period
from bounty.sample.context import World
from bounty.sample.people import Promoter


class Fate(Enum):
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
    Fate.ORDINARY: 92,
    Fate.COMPARED: 5,
    Fate.AFTER_SALE_OPEN: 1,
    Fate.REFUNDED_LATE: 2,
}
_NOT_DIRECT: Final = {Fate.INDIRECT: 30, Fate.DIRECT_UNKNOWN: 3}
"""These count where a level asks for no direct orders."""
_COUNTING: Final = _COUNTING_DIRECT | _NOT_DIRECT
_FAILING: Final = {
    Fate.VIRTUAL: 20,
    Fate.RECEIVED_LATE: 10,
    Fate.UNRECEIVED: 4,
    Fate.REFUNDED_UNRECEIVED: 20,
    Fate.REFUNDED: 14,
    Fate.RISKY: 3,
    Fate.RETURNED: 4,
    Fate.NO_COMMISSION: 3,
    Fate.UNPAID: 5,
}


def fates_of(world: World, one: Promoter, month: Period) -> tuple[dict[Fate, int], dict[Fate, int]]:
    """Which fates count for the task of the promoter's level, and which do not, with their weights."""
    failing = _FAILING | ({Fate.PUNISHED: 120} if month in one.punished else {})
    if world.terms.direct_only(one.level_in(month)):
        return _COUNTING_DIRECT, failing | _NOT_DIRECT
    return _COUNTING, failing


def counts_in_history(fate: Fate) -> bool:
    """Whether an order adds to the GMV of which a target may be made."""
    return fate in _COUNTING
