"""What is covered: every slice of a period with what was told and what is held, and the gaps."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, func, or_, select, true

from bounty.models import Batch, Slice
from bounty.rules.periods import Bounds
from bounty.sync.intervals import LAG, Span, made_good_until, uncovered

HOUR: Final = 3600
_BEGAN: Final = (
    select(Slice.whose, func.min(Slice.from_at).label("from_at"))
    .where(or_(Slice.done.is_(true()), Slice.pages > 0))
    .group_by(Slice.whose)
)
"""From when on whose orders were fetched; an attempt that brought nothing is no beginning."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of what a period is judged by has been read from the platform."""

    span: Span
    """The updates that can matter: from the month's first instant until the receipt cutoff has been told of."""
    slices: list[Any]
    """Rows of ``slices`` in the span, by kind and time, with ``undone_at`` of their batch."""
    gaps: list[Span]
    """What is not covered, the earliest first."""
    asked_for: bool
    """Whether the period is to be covered at all: once anything was fetched of it or of a time before it. A month in
    which fetching stopped unseen has to be covered too; where all orders come from files there is nothing to prove."""

    def gaps_at(self, now: int) -> tuple[list[Span], list[Span]]:
        """The gaps of the past, by which something may be missing, and what is still to come.

        While the period runs, the last hour is to come: it is read every some minutes, not every second.
        """
        ready = max(self.span.from_at, now - (LAG if now >= self.span.until_at else HOUR))
        past = [Span(gap.from_at, min(gap.until_at, ready)) for gap in self.gaps if gap.from_at < ready]
        ahead = [Span(max(gap.from_at, ready), gap.until_at) for gap in self.gaps if gap.until_at > ready]
        return past, ahead


def coverage_of(connection: Connection, bounds: Bounds | Any) -> Coverage:
    """The coverage of a period; two queries.

    bounds   month_from, month_until and receipt_cutoff of the period
    """
    month = Span(bounds.month_from, bounds.month_until)
    # The platform tells of an update some seconds after it; a receipt at the last instant must still be read.
    span = Span(month.from_at, bounds.receipt_cutoff + LAG)
    slices = list(
        connection.execute(
            select(Slice.__table__, Batch.undone_at)
            .outerjoin(Batch, Batch.batch_id == Slice.batch_id)
            .where(or_(_within("UPDATED", span), _within("PAID", month)))
            .order_by(Slice.kind.desc(), Slice.from_at, Slice.slice_id)
        )
    )
    began = {row.whose: row.from_at for row in connection.execute(_BEGAN)}
    whose = "all" if "all" in began else "own"
    held = [row for row in slices if row.done and row.undone_at is None]
    covered = [
        Span(row.from_at, row.until_at) for row in held if row.kind == "UPDATED" and row.whose == whose
    ]
    if whose == "own":  # the list by pay time is the account's own
        paid = [(Span(row.from_at, row.until_at), row.known_at) for row in held if row.kind == "PAID"]
        covered.append(Span(span.from_at, made_good_until(paid, month, span.until_at)))
    asked_for = any(from_at < span.until_at for from_at in began.values())
    return Coverage(span, slices, uncovered(span, covered), asked_for)


def covered_by(connection: Connection, kind: str, whose: str, span: Span) -> list[Span]:
    """The spans of slices that are done, whose rows are held, and that reach into a span."""
    rows = connection.execute(
        select(Slice.from_at, Slice.until_at)
        .outerjoin(Batch, Batch.batch_id == Slice.batch_id)
        .where(_within(kind, span), Slice.whose == whose, Slice.done.is_(true()), Batch.undone_at.is_(None))
    )
    return [Span(row.from_at, row.until_at) for row in rows]


def _within(kind: str, span: Span) -> ColumnElement[bool]:
    return (Slice.kind == kind) & (Slice.until_at > span.from_at) & (Slice.from_at < span.until_at)
