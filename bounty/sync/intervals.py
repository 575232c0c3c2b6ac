"""Spans of time: what of one is not covered, and in which pieces the platform is asked for it."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

DAY: Final = 86_400
OVERLAP: Final = 600
"""Seconds that a reading begins before its span: an order may be listed a little after its update."""
LAG: Final = 60
"""Seconds before the present at which reading ends, for the same reason. The platform's updates are 6 to 11 s late."""
LONGEST: Final = DAY - OVERLAP
"""Seconds of a span; with its overlap it is the longest that the platform lets ask for."""
REACH: Final = 90 * DAY - 3600
"""How far back the platform tells of updates, less an hour, in which the oldest of them are read."""


class Interval(NamedTuple):
    """Epoch seconds, half-open."""

    from_at: int
    until_at: int


def uncovered(span: Interval, covered: Iterable[Interval]) -> list[Interval]:
    """What of a span none of the others covers, the earliest first.

    >>> uncovered(Interval(0, 100), [Interval(30, 50), Interval(-5, 10), Interval(40, 60)])
    [Interval(from_at=10, until_at=30), Interval(from_at=60, until_at=100)]
    """
    gaps = []
    reached = span.from_at
    for from_at, until_at in sorted(covered):
        if from_at >= span.until_at:
            break
        if from_at > reached:
            gaps.append(Interval(reached, from_at))
        reached = max(reached, until_at)
    if reached < span.until_at:
        gaps.append(Interval(reached, span.until_at))
    return gaps


def split_into_windows(spans: Iterable[Interval]) -> list[Interval]:
    """The same in spans that the platform can be asked for.

    >>> [until_at - from_at for from_at, until_at in split_into_windows([Interval(0, 2 * LONGEST + 7)])]
    [85800, 85800, 7]
    """
    return [
        Interval(start, min(start + LONGEST, span.until_at))
        for span in spans
        for start in range(span.from_at, span.until_at, LONGEST)
    ]


def halves(span: Interval) -> list[Interval]:
    """The same in two; in one where it is a second long."""
    middle = (span.from_at + span.until_at) // 2
    return [
        half
        for half in (Interval(span.from_at, middle), Interval(middle, span.until_at))
        if half[0] < half[1]
    ]


def made_good_until(paid: Sequence[tuple[Interval, int]], month: Interval, until_at: int) -> int:
    """Until when readings by pay time stand for those by time of update, for the orders paid in a month.

    paid      spans of pay time, each with the instant as of which its orders were told
    until_at  where to stop

    Whoever was told at t of all orders paid before t knows all updates before t: so it is the latest t such that
    what was told at t or later covers the month up to t.
    """
    for told_at in sorted({min(told_at, until_at) for _, told_at in paid}, reverse=True):
        needed = Interval(month.from_at, min(told_at, month.until_at))
        since = [span for span, at in paid if min(at, until_at) >= told_at]
        if needed.from_at < needed.until_at and not uncovered(needed, since):
            return told_at
    return month.from_at
