"""Coverage: the windows read from the platform for a period, and the gaps between them."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, func, or_, select, true

from bounty.models import Batch, FetchWindow
from bounty.rules.periods import Bounds
from bounty.sync.intervals import LAG, Interval, covered_by_pay_time_until, uncovered

HOUR: Final = 3600
_FIRST_FETCHED: Final = (
    select(FetchWindow.whose, func.min(FetchWindow.from_at).label("from_at"))
    .where(or_(FetchWindow.done.is_(true()), FetchWindow.pages > 0))
    .group_by(FetchWindow.whose)
)
"""whose -> the earliest instant that was fetched. A failed read without any page does not count."""


class CoverageRow(NamedTuple):
    """A window of a period, as in ``models.FetchWindow``, with the state of its batch."""

    kind: str
    whose: str
    from_at: int
    until_at: int
    known_at: int
    done: bool
    why: str | None
    rows_told: int | None
    rows_held: int
    undone_at: int | None
    """When the batch of the window was undone; epoch seconds; null otherwise."""

    @property
    def span(self) -> Interval:
        """The window."""
        return Interval(self.from_at, self.until_at)


@dataclass(frozen=True, slots=True)
class Coverage:
    """The coverage of a period's updates by reads from the platform."""

    span: Interval
    """The updates that can affect the period: from the month's first instant until shortly after the receipt cutoff."""
    slices: list[CoverageRow]
    """The windows that overlap the span, by kind and time."""
    gaps: list[Interval]
    """The uncovered parts of the span, earliest first."""
    is_required: bool
    """Whether gaps matter: true once any instant before the end of the span was fetched. So a month in which fetching
    stopped unnoticed is checked, and a month whose orders all come from files is not."""

    def gaps_at(self, now: int) -> tuple[list[Interval], list[Interval]]:
        """The gaps in the past, where orders may be missing, and the windows that will be read later.

        While the period runs, the last hour belongs to the second list, because the worker reads every few minutes.
        """
        ready = max(self.span.from_at, now - (LAG if now >= self.span.until_at else HOUR))
        past = [Interval(gap.from_at, min(gap.until_at, ready)) for gap in self.gaps if gap.from_at < ready]
        ahead = [Interval(max(gap.from_at, ready), gap.until_at) for gap in self.gaps if gap.until_at > ready]
        return past, ahead


def coverage_of(connection: Connection, bounds: Bounds) -> Coverage:
    """The coverage of a period; two queries."""
    month = Interval(bounds.month_from, bounds.month_until)
    # The platform lists an update some seconds late; a receipt at the last instant must still be read.
    span = Interval(month.from_at, bounds.receipt_cutoff + LAG)
    columns = [FetchWindow.__table__.c[name] for name in CoverageRow._fields[:-1]]
    rows = connection.execute(
        select(*columns, Batch.undone_at)
        .outerjoin(Batch, Batch.batch_id == FetchWindow.batch_id)
        .where(or_(_overlaps("UPDATED", span), _overlaps("PAID", month)))
        .order_by(FetchWindow.kind.desc(), FetchWindow.from_at, FetchWindow.slice_id)
    )
    slices = [CoverageRow._make(row) for row in rows]
    first_fetched = {row.whose: row.from_at for row in connection.execute(_FIRST_FETCHED)}
    whose = "all" if "all" in first_fetched else "own"
    valid = [row for row in slices if row.done and row.undone_at is None]
    covered = [row.span for row in valid if row.kind == "UPDATED" and row.whose == whose]
    if whose == "own":  # the list by pay time contains only the account's own orders
        paid = [(row.span, row.known_at) for row in valid if row.kind == "PAID"]
        covered.append(Interval(span.from_at, covered_by_pay_time_until(paid, month, span.until_at)))
    is_required = any(from_at < span.until_at for from_at in first_fetched.values())
    return Coverage(span, slices, uncovered(span, covered), is_required)


def covered_by(connection: Connection, kind: str, whose: str, span: Interval) -> list[Interval]:
    """The complete windows that overlap a span and whose batch was not undone."""
    rows = connection.execute(
        select(FetchWindow.from_at, FetchWindow.until_at)
        .outerjoin(Batch, Batch.batch_id == FetchWindow.batch_id)
        .where(
            _overlaps(kind, span),
            FetchWindow.whose == whose,
            FetchWindow.done.is_(true()),
            Batch.undone_at.is_(None),
        )
    )
    return [Interval(row.from_at, row.until_at) for row in rows]


def _overlaps(kind: str, span: Interval) -> ColumnElement[bool]:
    return (
        (FetchWindow.kind == kind)
        & (FetchWindow.until_at > span.from_at)
        & (FetchWindow.from_at < span.until_at)
    )
