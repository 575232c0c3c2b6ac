"""The shared state of the sample's generation: random generator, present, terms, and decisions of earlier steps."""

import random
from dataclasses import dataclass, field
from datetime import date
from typing import Final, TypeVar

from bounty.clock import shanghai_date
from bounty.rules.periods import Bounds, Period, bounds_of
from bounty.rules.terms import Terms

T = TypeVar("T")

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
HISTORY_MONTHS: Final = 3
"""Number of months before the programme begins."""
PAST_PERIODS: Final = 3
"""Number of periods before the open one."""


@dataclass(frozen=True)
class SampleTarget:
    """A promoter's targets in a period; 0 for no such target. GMV is whole fen."""

    gmv_fen: int
    orders: int


@dataclass
class SampleContext:
    """The shared state of the sample's generation."""

    rng: random.Random
    now: int
    """The present instant; epoch seconds."""
    terms: Terms
    months: list[Period]
    """The months before the programme, the past periods, and the open period."""
    imported_targets: dict[tuple[Period, int], SampleTarget] = field(default_factory=dict)
    """(period, promoter) -> targets of the targets file."""
    history_fen: dict[tuple[Period, int], int] = field(default_factory=dict)
    """(month, promoter) -> GMV that counts for levels without the direct-push rule, whole fen."""
    bounds: dict[Period, Bounds] = field(init=False)
    """Month -> its bounds."""
    _serial: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.bounds = {month: bounds_of(month, self.terms) for month in self.months}

    @property
    def periods(self) -> list[Period]:
        """The months that have terms."""
        return self.months[HISTORY_MONTHS:]

    @property
    def past_periods(self) -> list[Period]:
        """All periods but the open one."""
        return self.periods[:-1]

    @property
    def today(self) -> date:
        """The present date in Shanghai."""
        return shanghai_date(self.now)

    @property
    def latest(self) -> int:
        """First instant at which no order is paid, because the update of a payment appears some seconds later."""
        return self.now - MINUTE

    def capped_fen(self, amount_fen: int) -> int:
        """The GMV of an amount paid, after the cap on each order; whole fen."""
        return min(amount_fen, self.terms.task.order_cap_fen)

    def chance(self, permille: int) -> bool:
        """A random truth value that is true in so many of a thousand cases."""
        return self.rng.randrange(1000) < permille

    def drawn(self, weights: dict[T, int]) -> T:
        """A random key, by the weights."""
        return self.rng.choices(list(weights), list(weights.values()))[0]

    def next_serial(self) -> int:
        """The serial number of the next order: 1, 2, ..."""
        self._serial += 1
        return self._serial


def months_until(now: int) -> list[Period]:
    """The months of the sample, oldest first; the last is the present one."""
    open_period = Period.of(shanghai_date(now))
    return [open_period.plus(step) for step in range(-HISTORY_MONTHS - PAST_PERIODS, 1)]
