"""Arithmetic on half-open time windows: uncovered parts, and windows of the length that the platform accepts."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

DAY: Final = 86_400
OVERLAP: Final = 600
"""Seconds before a window that a read also requests, because an order can appear in the list after its update."""
LAG: Final = 60
"""Seconds between the end of a window and the present, for the same reason. Updates appear 6 to 11 s late."""
LONGEST: Final = DAY - OVERLAP
"""Longest window in seconds: with the overlap it is the platform's limit of 24 hours."""
REACH: Final = 90 * DAY - 3600
"""Age in seconds of the oldest update that is requested: the platform's limit of 90 days, less an hour for the read."""


class Interval(NamedTuple):
    """A half-open time window; epoch seconds."""

    from_at: int
    until_at: int


def uncovered(span: Interval, covered: Iterable[Interval]) -> list[Interval]:
    """The parts of a window that no other window covers, earliest first.

    >>> uncovered(Interval(0, 100), [Interval(30, 50), Interval(-5, 10), Interval(40, 60)])
    [Interval(from_at=10, until_at=30), Interval(from_at=60, until_at=100)]
    """
    gaps = []
    covered_until = span.from_at
    for from_at, until_at in sorted(covered):
        if from_at >= span.until_at:
            break
        if from_at > covered_until:
            gaps.append(Interval(covered_until, from_at))
        covered_until = max(covered_until, until_at)
    if covered_until < span.until_at:
        gaps.append(Interval(covered_until, span.until_at))
    return gaps


def split_into_windows(spans: Iterable[Interval]) -> list[Interval]:
    """Split windows into windows of at most LONGEST seconds, which the platform accepts.

    >>> [until_at - from_at for from_at, until_at in split_into_windows([Interval(0, 2 * LONGEST + 7)])]
    [85800, 85800, 7]
    """
    return [
        Interval(start, min(start + LONGEST, span.until_at))
        for span in spans
        for start in range(span.from_at, span.until_at, LONGEST)
    ]


def halves(span: Interval) -> list[Interval]:
    """A window split into two halves; a window of one second stays one window."""
    middle = (span.from_at + span.until_at) // 2
    return [
        half
        for half in (Interval(span.from_at, middle), Interval(middle, span.until_at))
        if half[0] < half[1]
    ]


def covered_by_pay_time_until(paid: Sequence[tuple[Interval, int]], month: Interval, until_at: int) -> int:
    """The instant up to which reads by pay time replace reads by update time, for the orders paid in a month.

    paid      windows of pay time, each with the instant as of which its orders were read
    until_at  the latest instant to return

    A read at t of all orders paid before t contains every update before t. So the result is the latest t for which the
    reads at t or later cover the month up to t; ``month.from_at`` if there is none.
    """
    for known_at in sorted({min(known_at, until_at) for _, known_at in paid}, reverse=True):
        needed = Interval(month.from_at, min(known_at, month.until_at))
        since = [span for span, at in paid if min(at, until_at) >= known_at]
        if needed.from_at < needed.until_at and not uncovered(needed, since):
            return known_at
    return month.from_at
