"""The geometry of the charts. Horizontal values are hundredths of a percent, so that the chart fits any width
without stretching its texts; vertical values are pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

HEIGHT = 170
"""Height from the lowest to the highest line, pixels."""
TOP = 12
"""Space above the highest line for its label, pixels."""


@dataclass(frozen=True, slots=True)
class Bar:
    """The bar of a day: the counted amount at the bottom, the pending amount on top of it."""

    x: int
    width: int
    counted_y: int
    counted_height: int
    pending_y: int
    pending_height: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A day label below the chart."""

    x: int
    day: int
    """Day of the month."""
    today: bool
    end: bool
    """Whether it is the first or the last day of the window."""


@dataclass(frozen=True, slots=True)
class DailyChart:
    """A chart with one bar for each day, horizontal lines for amounts, and the amount needed on each remaining day."""

    left: int
    """Horizontal start of the bars; the labels of the lines are left of it."""
    lines: tuple[tuple[int, int], ...]
    """Vertical position and amount in fen of each line, lowest first."""
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    ahead_x: int | None
    """Horizontal start of the remaining days; None if there are none."""
    needed_y: int | None
    """Vertical position of the amount needed on each remaining day; None if nothing is needed."""


def step_of(highest_fen: int) -> int:
    """The distance of the lines in fen: 1, 2 or 5 yuan times a power of ten, so that at most three lines above 0 are
    needed for the highest amount.

    >>> step_of(27_300), step_of(30_001), step_of(0)
    (10000, 20000, 100)
    """
    power = 100
    while True:
        for factor in (1, 2, 5):
            if factor * power * 3 >= highest_fen:
                return factor * power
        power *= 10


def daily_chart(
    days: Sequence[tuple[int, int, int]], today: int | None, needed_fen: int, *, left: int
) -> DailyChart:
    """The chart of a task window.

    days        (day of the month, counted fen, pending fen) for every day of the window
    today       the present day of the month; None outside of the window
    needed_fen  the amount needed on each remaining day; 0 if nothing is needed or no day remains
    left        width of the lines' labels, hundredths of a percent
    """
    highest = max([needed_fen, *(counted + pending for _, counted, pending in days)])
    step = step_of(highest)
    count = max(1, -(-highest // step))
    slot = (10_000 - left) // len(days)
    width = slot * 6 // 10

    def height(fen: int) -> int:
        # At least 2 pixels, so that a small amount is visible.
        return max(fen * HEIGHT // (count * step), 2) if fen else 0

    bottom = TOP + HEIGHT
    bars, marks = [], []
    for at, (day, counted, pending) in enumerate(days):
        x = left + at * slot
        low, high = height(counted), height(pending)
        bars.append(Bar(x + (slot - width) // 2, width, bottom - low, low, bottom - low - high, high))
        ends = at in (0, len(days) - 1)
        near = today is not None and abs(day - today) < 3
        if day == today or (not near and (ends or day % 5 == 0)):
            marks.append(Mark(x + slot // 2, day, day == today, ends))
    passed = next((at for at, (day, *_) in enumerate(days) if day == today), None)
    return DailyChart(
        left=left,
        lines=tuple((bottom - n * HEIGHT // count, n * step) for n in range(count + 1)),
        bars=tuple(bars),
        marks=tuple(marks),
        ahead_x=None if passed is None else left + passed * slot,
        needed_y=bottom - needed_fen * HEIGHT // (count * step)
        if needed_fen and passed is not None
        else None,
    )


@dataclass(frozen=True, slots=True)
class MonthBar:
    """The bar of a month among those of a few months."""

    x: int
    width: int
    middle: int
    y: int
    height: int


MONTHS_HEIGHT = 96
"""Height of the highest of these bars, pixels."""


def month_bars(values: Sequence[int]) -> tuple[MonthBar, ...]:
    """Bars beside each other, the highest value at full height; at least six places, so that few bars stay slim.

    >>> [(bar.x, bar.height) for bar in month_bars([50, 0, 100])]
    [(333, 48), (1999, 0), (3665, 96)]
    """
    slot, highest = 10_000 // max(len(values), 6), max([1, *values])
    width = slot * 6 // 10
    bars = []
    for at, value in enumerate(values):
        height = max(value * MONTHS_HEIGHT // highest, 2) if value > 0 else 0
        x = at * slot + (slot - width) // 2
        bars.append(MonthBar(x, width, at * slot + slot // 2, TOP + 8 + MONTHS_HEIGHT - height, height))
    return tuple(bars)
