"""What is covered: every slice of a period with what was told and what is held, and the gaps."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, func, or_, select, true

from bounty.models import Batch, FetchWindow
from bounty.rules.periods import Bounds
from bounty.sync.intervals import LAG, Interval, made_good_until, uncovered

HOUR: Final = 3600
_BEGAN: Final = (
    select(FetchWindow.whose, func.min(FetchWindow.from_at).label("from_at"))
    .where(or_(FetchWindow.done.is_(true()), FetchWindow.pages > 0))
    .group_by(FetchWindow.whose)
)
"""From when on whose orders were fetched; an attempt that brought nothing is no beginning."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of what a period is judged by has been read from the platform."""

    span: Interval
    """The updates that can matter: from the month's first instant until the receipt cutoff has been told of."""
    slices: list[Any]
    """Rows of ``slices`` in the span, by kind and time, with ``undone_at`` of their batch."""
    gaps: list[Interval]
    """What is not covered, the earliest first."""
    asked_for: bool
    """Whether the period is to be covered at all: once anything was fetched of it or of a time before it. A month in
    which fetching stopped unseen has to be covered too; where all orders come from files there is nothing to prove."""

    def gaps_at(self, now: int) -> tuple[list[Interval], list[Interval]]:
        """The gaps of the past, by which something may be missing, and what is still to come.

        While the period runs, the last hour is to come: it is read every some minutes, not every second.
        """
        ready = max(self.span.from_at, now - (LAG if now >= self.span.until_at else HOUR))
        past = [Interval(gap.from_at, min(gap.until_at, ready)) for gap in self.gaps if gap.from_at < ready]
        ahead = [Interval(max(gap.from_at, ready), gap.until_at) for gap in self.gaps if gap.until_at > ready]
        return past, ahead


def coverage_of(connection: Connection, bounds: Bounds | Any) -> Coverage:
    """The coverage of a period; two queries.

    bounds   month_from, month_until and receipt_cutoff of the period
    """
    month = Interval(bounds.month_from, bounds.month_until)
    # The platform tells of an update some seconds after it; a receipt at the last instant must still be read.
    span = Interval(month.from_at, bounds.receipt_cutoff + LAG)
    slices = list(
        connection.execute(
            select(FetchWindow.__table__, Batch.undone_at)
            .outerjoin(Batch, Batch.batch_id == FetchWindow.batch_id)
            .where(or_(_within("UPDATED", span), _within("PAID", month)))
            .order_by(FetchWindow.kind.desc(), FetchWindow.from_at, FetchWindow.slice_id)
        )
    )
    began = {row.whose: row.from_at for row in connection.execute(_BEGAN)}
    whose = "all" if "all" in began else "own"
    held = [row for row in slices if row.done and row.undone_at is None]
    covered = [
        Interval(row.from_at, row.until_at) for row in held if row.kind == "UPDATED" and row.whose == whose
    ]
    if whose == "own":  # the list by pay time is the account's own
        paid = [(Interval(row.from_at, row.until_at), row.known_at) for row in held if row.kind == "PAID"]
        covered.append(Interval(span.from_at, made_good_until(paid, month, span.until_at)))
    asked_for = any(from_at < span.until_at for from_at in began.values())
    return Coverage(span, slices, uncovered(span, covered), asked_for)


def covered_by(connection: Connection, kind: str, whose: str, span: Interval) -> list[Interval]:
    """The spans of slices that are done, whose rows are held, and that reach into a span."""
    rows = connection.execute(
        select(FetchWindow.from_at, FetchWindow.until_at)
        .outerjoin(Batch, Batch.batch_id == FetchWindow.batch_id)
        .where(
            _within(kind, span),
            FetchWindow.whose == whose,
            FetchWindow.done.is_(true()),
            Batch.undone_at.is_(None),
        )
    )
    return [Interval(row.from_at, row.until_at) for row in rows]


def _within(kind: str, span: Interval) -> ColumnElement[bool]:
    return (
        (FetchWindow.kind == kind)
        & (FetchWindow.until_at > span.from_at)
        & (FetchWindow.from_at < span.until_at)
    )
