"""A settlement as a handful of set-based statements, whatever the size of the month."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import (
    CTE,
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Insert,
    and_,
    case,
    func,
    insert,
    literal,
    select,
    true,
)

from bounty.db import Query, WholeNumber, workspace
from bounty.ingest.quarantine import NO_DATA
from bounty.models import KnownNotice, Line, OpenPeriod, Order, Quarantined, Result, RosterEntry
from bounty.rules.clauses import SUBSIDY_CLAUSES, Settlements, all_hold, newest_notices_elsewhere
from bounty.rules.measure import counts, frozen_bounds, measured, of_eligible
from bounty.rules.periods import Bounds, Period
from bounty.rules.revocations import void_stands
from bounty.rules.sql_math import Whole, sum_or_zero
from bounty.rules.subsidy import basis, before_promoter_cap, rate, under_promoter_cap
from bounty.rules.terms import Terms

attained = workspace(
    "attained",
    Column("promoter_id", WholeNumber, primary_key=True),
    Column("gmv_fen", WholeNumber, nullable=False),
    Column("orders", WholeNumber, nullable=False),
    # Null for who did not pass.
    Column("rate_permille", WholeNumber),
)
"""What the eligible promoters of one period measured, between two statements of a settlement."""


class MeasuredRow(NamedTuple):
    """A promoter's measure and rate, as ``attained`` has them."""

    promoter_id: int
    gmv_fen: int
    orders: int
    rate_permille: int | None


def measured_roster(period: Period, terms: Terms) -> Query:
    """Every eligible promoter's measure and rate, as MeasuredRow; who has no orders measures 0, and whose pass is void
    has no rate."""
    facts = Order.__table__.c
    counted = measured(facts, terms)
    by_promoter = (
        of_eligible(
            select(
                RosterEntry.promoter_id,
                RosterEntry.target_gmv_fen,
                RosterEntry.target_orders,
                counted.gmv_fen.label("gmv_fen"),
                counted.orders.label("orders"),
            ),
            period,
            counts(facts, frozen_bounds(terms), terms),
            outer=True,
        )
        .group_by(RosterEntry.promoter_id, RosterEntry.target_gmv_fen, RosterEntry.target_orders)
        .subquery("by_promoter")
        .c
    )
    return select(
        by_promoter.promoter_id,
        by_promoter.gmv_fen,
        by_promoter.orders,
        _rate_unless_void(period, terms, by_promoter.promoter_id, *(by_promoter[name] for name in _MEASURED)),
    )


_MEASURED = ("gmv_fen", "orders", "target_gmv_fen", "target_orders")


def _rate_unless_void(
    period: Period, terms: Terms, promoter_id: Whole, *measured: Whole
) -> ColumnElement[int | None]:
    """The rate of a promoter, under the name ``rate_permille``; null for who did not pass, and for a pass that is void.

    measured   as _MEASURED names them
    """
    reached = rate(terms, *measured)
    return case((~void_stands(promoter_id, str(period)), reached)).label("rate_permille")


measures = workspace(
    "measures",
    Column("promoter_id", WholeNumber, primary_key=True),
    *(Column(name, WholeNumber) for name in _MEASURED),
)
"""What the eligible promoters of a simulated month measured, and their targets."""


def rates_of_measures(period: Period, terms: Terms) -> Query:
    """The rate of everybody in ``measures``, as MeasuredRow."""
    measure = measures.c
    columns = (measure[name] for name in _MEASURED)
    of_measure = (measure.promoter_id, measure.gmv_fen, measure.orders)
    return select(*of_measure, _rate_unless_void(period, terms, measure.promoter_id, *columns))


def measure_roster(period: Period, terms: Terms) -> Insert:
    """Fill ``attained``."""
    return insert(attained).from_select(
        ["promoter_id", "gmv_fen", "orders", "rate_permille"], measured_roster(period, terms)
    )


def earned_lines(
    period: Period, terms: Terms, reached: FromClause, elsewhere: Settlements | None = None
) -> Query:
    """Each order that earns above 0, with its share under the order cap and the promoter cap: promoter_id, order_sn,
    paid_at, basis_fen, subsidy_fen.

    reached     ``attained``, or another relation with its columns
    elsewhere   the settlements of the notices of other programmes that exclusive terms go by; null: of the newest
    """
    facts = Order.__table__.c
    bounds = frozen_bounds(terms, elsewhere)
    earned = before_promoter_cap(facts, reached.c.rate_permille, terms).label("earned_fen")
    shares = (
        select(
            facts.promoter_id,
            facts.order_sn,
            facts.paid_at,
            basis(facts, terms).label("basis_fen"),
            earned,
        )
        .select_from(OpenPeriod)
        .join(reached, true())
        # Outer, with every condition in it, so that SQLite goes from who passed to their orders and not through all
        # orders of the month; the row without an order that it leaves of some falls out with `given > 0`.
        .outerjoin(
            Order,
            and_(
                facts.promoter_id == reached.c.promoter_id,
                all_hold(SUBSIDY_CLAUSES, facts, bounds, terms),
            ),
        )
        .where(OpenPeriod.period == str(period), reached.c.rate_permille > 0)
        .subquery("shares")
    )
    capped, given = under_promoter_cap(shares, terms.subsidy.promoter_cap_fen)
    row = capped.c
    return select(
        row.promoter_id, row.order_sn, row.paid_at, row.basis_fen, given.label("subsidy_fen")
    ).where(given > 0)


class EarnedRow(NamedTuple):
    """What a promoter's lines come to."""

    promoter_id: int
    lines: int
    fen: int


def earned_sums(period: Period, terms: Terms, elsewhere: Settlements) -> Query:
    """What the lines of everybody in ``attained`` come to, as EarnedRow; without who has none."""
    line = earned_lines(period, terms, attained, elsewhere).subquery("earned").c
    return select(
        line.promoter_id, func.count().label("lines"), sum_or_zero(line.subsidy_fen).label("fen")
    ).group_by(line.promoter_id)


MOST_VARIANTS = 8
"""Terms whose sums one SELECT makes."""
variants = workspace(
    "variants",
    Column("promoter_id", WholeNumber, primary_key=True),
    *(Column(f"rate_{number}", WholeNumber) for number in range(MOST_VARIANTS)),
)
"""The rates that promoters reach under several terms of a simulation; null for who does not pass under one."""


def sums_before_promoter_cap(period: Period, several: Sequence[Terms], elsewhere: Settlements) -> Query:
    """What the orders of everybody in ``variants`` come to under several terms, before the promoter cap: promoter_id,
    and for each terms by their place lines_0, fen_0 and so on.

    several   at most MOST_VARIANTS, with the same clauses: only rates, order cap and basis differ
    """
    facts, given = Order.__table__.c, variants.c
    sums = []
    for number, terms in enumerate(several):
        share = before_promoter_cap(facts, given[f"rate_{number}"], terms)
        sums += [
            func.count(case((share > 0, 1))).label(f"lines_{number}"),
            sum_or_zero(share).label(f"fen_{number}"),
        ]
    clauses = all_hold(SUBSIDY_CLAUSES, facts, frozen_bounds(several[0], elsewhere), several[0])
    return (
        select(given.promoter_id, *sums)
        .select_from(OpenPeriod)
        .join(variants, true())
        .join(Order, and_(facts.promoter_id == given.promoter_id, clauses), isouter=True)
        .where(OpenPeriod.period == str(period))
        .group_by(given.promoter_id)
    )


def write_lines(settlement_id: int, period: Period, terms: Terms) -> Insert:
    """Write the lines of who is in ``attained``."""
    return insert(Line).from_select(
        ["promoter_id", "order_sn", "paid_at", "basis_fen", "subsidy_fen", "settlement_id"],
        earned_lines(period, terms, attained).add_columns(literal(settlement_id)),
    )


def freeze_known_notices(settlement_id: int, period: Period) -> Insert:
    """Keep which notices of other programmes a settlement of exclusive terms has just gone by."""
    known = newest_notices_elsewhere(literal(str(period)))
    return insert(KnownNotice).from_select(
        ["settlement_id", "other_id"], select(literal(settlement_id), *known.subquery("known").c)
    )


def write_results(settlement_id: int, period: Period) -> Insert:
    """Write one result per promoter on the roster, with the sums of the lines just written."""
    written = summed_results(settlement_id, period, attained, Line.__table__)
    return insert(Result).from_select(written.selected_columns.keys(), written)


def summed_results(settlement_id: int, period: Period, reached: FromClause, lines: FromClause) -> Query:
    """One result per promoter on the roster, with the columns of ``results``.

    reached   ``attained``, or another relation with its columns
    lines     the table of lines, or another relation with its columns; those of the settlement are summed
    """
    line = lines.c
    sums = (
        select(line.promoter_id, func.count().label("lines"), sum_or_zero(line.subsidy_fen).label("fen"))
        .select_from(lines)
        .join(reached, reached.c.promoter_id == line.promoter_id)
        .where(line.settlement_id == settlement_id)
        .group_by(line.promoter_id)
        .subquery("sums")
    )
    return (
        select(
            RosterEntry.promoter_id,
            literal(settlement_id, WholeNumber).label("settlement_id"),
            reached.c.gmv_fen,
            reached.c.orders,
            reached.c.rate_permille.is_not(None).label("passed"),
            reached.c.rate_permille,
            func.coalesce(sums.c.lines, 0).label("subsidy_orders"),
            func.coalesce(sums.c.fen, 0).label("subsidy_fen"),
        )
        .outerjoin(reached, reached.c.promoter_id == RosterEntry.promoter_id)
        .outerjoin(sums, sums.c.promoter_id == RosterEntry.promoter_id)
        .where(RosterEntry.period == str(period))
    )


def count_passed(connection: Connection, settlement_id: int) -> int:
    """How many promoters passed in a settlement."""
    passed = select(func.count()).where(
        Result.settlement_id == settlement_id, Result.rate_permille.is_not(None)
    )
    counted: int = connection.execute(passed).scalar_one()
    return counted


class ResultRow(NamedTuple):
    """A row of results.csv."""

    promoter_id: int
    name: str
    level: str | None
    reason: str | None
    gmv_fen: int | None
    orders: int | None
    target_gmv_fen: int | None
    target_orders: int | None
    passed: bool
    rate_permille: int | None
    subsidy_orders: int
    subsidy_fen: int


class SubsidyLineRow(NamedTuple):
    """A row of subsidy_lines.csv."""

    promoter_id: int
    order_sn: str
    paid_at: int
    basis_fen: int
    rate_permille: int
    subsidy_fen: int


def results_of(settlement_id: int, period: Period, results: FromClause = Result.__table__) -> Query:
    """The rows of results.csv, as ``ResultRow``, in its order.

    results   the table of results, or another relation with its columns
    """
    result = results.c
    return (
        select(
            result.promoter_id,
            RosterEntry.name,
            RosterEntry.level,
            RosterEntry.reason,
            result.gmv_fen,
            result.orders,
            RosterEntry.target_gmv_fen,
            RosterEntry.target_orders,
            result.passed,
            result.rate_permille,
            result.subsidy_orders,
            result.subsidy_fen,
        )
        .select_from(results)
        .join(
            RosterEntry,
            and_(RosterEntry.promoter_id == result.promoter_id, RosterEntry.period == str(period)),
        )
        .where(result.settlement_id == settlement_id)
        .order_by(result.promoter_id)
    )


def lines_of(
    settlement_id: int, results: FromClause = Result.__table__, lines: FromClause = Line.__table__
) -> Query:
    """The rows of subsidy_lines.csv, as ``SubsidyLineRow``, in its order.

    results, lines   the tables, or other relations with their columns
    """
    result, line = results.c, lines.c
    return (
        select(
            line.promoter_id,
            line.order_sn,
            line.paid_at,
            line.basis_fen,
            result.rate_permille,
            line.subsidy_fen,
        )
        .select_from(results)
        .join(
            lines,
            and_(line.promoter_id == result.promoter_id, line.settlement_id == result.settlement_id),
        )
        .where(result.settlement_id == settlement_id, result.subsidy_orders > 0)
        .order_by(result.promoter_id, line.paid_at, line.order_sn)
    )


@dataclass(frozen=True, slots=True)
class Recomputation:
    """A settlement as SELECTs alone, with the columns and the order of the rows that would be written."""

    results: CTE
    """As ``results`` has them, as settlement 0."""
    lines: CTE
    """As ``lines`` has them, as settlement 0."""
    period: Period

    def results_rows(self) -> Query:
        """The rows of results.csv."""
        return results_of(0, self.period, self.results)

    def lines_rows(self) -> Query:
        """The rows of subsidy_lines.csv."""
        return lines_of(0, self.results, self.lines)


RowsOf = Callable[[Connection, Period, Bounds, Query, Sequence[CTE]], Iterable[Sequence[int | None]]]
"""Where the SELECTs of a simulated month run, which select promoters and figures; the last are the common table
expressions that hide ``periods``, ``roster`` and others."""


def rows_in_the_books(
    connection: Connection, _period: Period, _bounds: Bounds, query: Query, instead: Sequence[CTE]
) -> Iterable[Sequence[int | None]]:
    """Run by the database of the books."""
    return connection.execute(query.add_cte(*instead)).all()


def known_notices(connection: Connection, settlement_id: int) -> list[int]:
    """The settlements of the notices of other programmes that a settlement of exclusive terms went by."""
    known = select(KnownNotice.other_id).where(KnownNotice.settlement_id == settlement_id)
    return list(connection.execute(known.order_by(KnownNotice.other_id)).scalars())


def notices_elsewhere(connection: Connection, period: Period) -> list[int]:
    """The settlements of the notices of other programmes that a settlement of exclusive terms would go by now."""
    return sorted(connection.execute(newest_notices_elsewhere(literal(str(period)))).scalars())


def recomputation(period: Period, terms: Terms, elsewhere: Settlements | None = None) -> Recomputation:
    """What a settlement would write now, made by the expressions that a settlement uses; writes nothing.

    elsewhere   the settlements of the notices of other programmes that exclusive terms go by; null: of the newest
    """
    reached = measured_roster(period, terms).cte("reached")
    earned = earned_lines(period, terms, reached, elsewhere)
    lines = earned.add_columns(literal(0, WholeNumber).label("settlement_id")).cte("earned")
    # Else SQLite joins roster and measures anew for the lines, and goes through all measures for each promoter.
    results = (
        summed_results(0, period, reached, lines).cte("summed").prefix_with("MATERIALIZED", dialect="sqlite")
    )
    return Recomputation(results, lines, period)


def quarantined_of(bounds: Bounds) -> Query:
    """How many order rows wait in quarantine that are, or may be, of a month; a known footer is of none."""
    of_month = and_(Quarantined.paid_at >= bounds.month_from, Quarantined.paid_at < bounds.month_until)
    return select(func.count()).where(
        Quarantined.kind == "orders",
        Quarantined.closed_at.is_(None),
        Quarantined.code != NO_DATA,
        Quarantined.paid_at.is_(None) | of_month,
    )
