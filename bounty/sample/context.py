"""What everything in the sample is made in: chance, the present and the terms, and what has been decided so far."""

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
PAST_PERIODS: Final = 3


@dataclass(frozen=True)
class SampleTarget:
    """What a promoter must reach in a period; 0 for no such target."""

    gmv_fen: int
    orders: int


@dataclass
class SampleContext:
    """Chance, the present and the terms, and what has been decided so far."""

    rng: random.Random
    now: int
    terms: Terms
    months: list[Period]
    """The history, the past periods, the open one."""
    own_targets: dict[tuple[Period, int], SampleTarget] = field(default_factory=dict)
    """Of the targets file, by period and promoter."""
    history_fen: dict[tuple[Period, int], int] = field(default_factory=dict)
    """GMV that counts where a level asks for no direct orders, by month and promoter."""
    bounds: dict[Period, Bounds] = field(init=False)
    _serial: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.bounds = {month: bounds_of(month, self.terms) for month in self.months}

    @property
    def periods(self) -> list[Period]:
        """The months for which there are terms."""
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
        """Nothing is paid from this instant on: its row, some seconds later, must not lie in the future."""
        return self.now - MINUTE

    def capped_fen(self, amount_fen: int) -> int:
        """What an amount paid adds to GMV."""
        return min(amount_fen, self.terms.task.order_cap_fen)

    def chance(self, permille: int) -> bool:
        """Whether something happens that does so this often."""
        return self.rng.randrange(1000) < permille

    def drawn(self, weights: dict[T, int]) -> T:
        """One of the keys, by its weight."""
        return self.rng.choices(list(weights), list(weights.values()))[0]

    def next_serial(self) -> int:
        """The number of the order to be made next, from 1 on."""
        self._serial += 1
        return self._serial


def months_until(now: int) -> list[Period]:
    """The months of the sample, oldest first; the last is that of the present."""
    open_period = Period.of(shanghai_date(now))
    return [open_period.plus(step) for step in range(-HISTORY_MONTHS - PAST_PERIODS, 1)]
