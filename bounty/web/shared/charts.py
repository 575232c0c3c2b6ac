"""The geometry of a chart: across in hundredths of a percent, so that nothing in it is stretched; down in pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

HEIGHT = 170
"""From the highest line to the lowest, in pixels."""
TOP = 12
"""Above the highest line, for its label."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A day: what counts at the bottom, what is pending on top of it."""

    x: int
    width: int
    counted_y: int
    counted_height: int
    pending_y: int
    pending_height: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A label below the chart."""

    x: int
    day: int
    today: bool
    end: bool
    """Whether it is the first or the last day."""


@dataclass(frozen=True, slots=True)
class DailyChart:
    """Bars a day over lines of fen, and what each day left needs."""

    left: int
    """Where the bars begin; the labels of the lines stand before it."""
    lines: tuple[tuple[int, int], ...]
    """Place and fen of each line, from the lowest."""
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    ahead_x: int | None
    """Where the days that are left begin; null where there are none."""
    needed_y: int | None
    """Null where nothing is needed."""


def step_of(highest_fen: int) -> int:
    """The distance of lines, so that at most three above 0 hold an amount: 1, 2 or 5 yuan times a power of ten.

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

    days        day of the month, counted and pending in whole fen; every day of the window
    today       a day of the window; null outside it
    needed_fen  what each day left must bring; 0 where nothing is needed or no day is left
    left        room for the labels of the lines, in hundredths of a percent
    """
    highest = max([needed_fen, *(counted + pending for _, counted, pending in days)])
    step = step_of(highest)
    count = max(1, -(-highest // step))
    slot = (10_000 - left) // len(days)
    width = slot * 6 // 10

    def height(fen: int) -> int:
        # What there is at all is to be seen.
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
