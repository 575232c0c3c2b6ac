"""Where a measure stands in its window: what is due by today, what is missing, and where this pace leads.

All by whole days of the window, with today as one that is gone and as one that is left: at three in the afternoon of
the 15th, 15 of 20 are gone and 6 are left.
"""

from dataclasses import dataclass

from bounty.rules.periods import Bounds

A_DAY = 86_400


@dataclass(frozen=True, slots=True)
class WindowDays:
    """The days of a task window."""

    all: int
    gone: int
    """With today; 0 before the window."""
    left: int
    """With today; 0 after it."""


def days_of(bounds: Bounds, now: int) -> WindowDays:
    """The days of a window as of an instant.

    >>> days_of(Bounds(0, 20 * A_DAY, 40 * A_DAY, 0, 31 * A_DAY), 14 * A_DAY + 1)
    WindowDays(all=20, gone=15, left=6)
    """
    count = (bounds.task_until - bounds.task_from) // A_DAY
    gone = min(max((now - bounds.task_from) // A_DAY + 1, 0), count)
    left = 0 if now >= bounds.task_until else min(count, count - gone + 1)
    return WindowDays(count, gone, left)


@dataclass(frozen=True, slots=True)
class TargetProgress:
    """One measure against its target; whole fen, or orders.

    >>> gmv = TargetProgress(target=2000_00, counted=1236_50, pending=318_00, days=WindowDays(20, 15, 6))
    >>> gmv.missing, gmv.due_by_today, gmv.ahead, gmv.needed_per_day, gmv.forecast
    (44550, 150000, 5450, 7425, 207266)
    """

    target: int
    counted: int
    pending: int
    days: WindowDays

    @property
    def sure_or_pending(self) -> int:
        """What it comes to if every pending order is received in time."""
        return self.counted + self.pending

    @property
    def missing(self) -> int:
        """What is missing even then."""
        return max(self.target - self.sure_or_pending, 0)

    @property
    def due_by_today(self) -> int:
        """An even share of the target for the days that are gone."""
        return self.target * self.days.gone // self.days.all

    @property
    def ahead(self) -> int:
        """How far it is before what is due; behind it if negative."""
        return self.sure_or_pending - self.due_by_today

    @property
    def needed_per_day(self) -> int:
        """What each day that is left must bring, rounded up; 0 where none is left."""
        return -(-self.missing // self.days.left) if self.days.left else 0

    @property
    def forecast(self) -> int:
        """Where this pace leads by the end of the window, rounded down."""
        return self.sure_or_pending * self.days.all // self.days.gone if self.days.gone else 0

    def share(self, amount: int) -> int:
        """An amount in hundredths of a percent of the target, rounded down: 100.00% only for who has reached it."""
        return amount * 10_000 // self.target
