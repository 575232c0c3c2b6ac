"""What a roster is judged by, one set-based query a subject."""

import datetime as dt
from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import BigInteger, Connection, Row, and_, column, func, literal, or_, select, values

from bounty.clock import midnight
from bounty.db import Condition, Query, equal, fetch_all
from bounty.figures import list_content
from bounty.json_types import JsonObject
from bounty.models import Level, OpenPeriod, Order, RosterEntry, Target, Violation
from bounty.promoters.queries import ranked_names
from bounty.roster.eligibility import Ineligibility
from bounty.rules.clauses import BoundColumns
from bounty.rules.measure import counts, measured
from bounty.rules.periods import Period, bounds_of
from bounty.rules.sql_math import Whole, count_where
from bounty.rules.terms import Terms


def open_periods(connection: Connection) -> Sequence[Row[str, int, int, int]]:
    """Every open period of all programmes, the newest first: period, opened_at, month_from and month_until."""
    periods = select(OpenPeriod.period, OpenPeriod.opened_at, OpenPeriod.month_from, OpenPeriod.month_until)
    return connection.execute(periods.order_by(OpenPeriod.month_from.desc(), OpenPeriod.period)).all()


def roster_entries(period: Period) -> Query:
    """Everybody on a roster: columns as of ``RosterEntry``, ``eligible``, and ``overridden`` if by a person."""
    entry = RosterEntry
    return select(
        entry.promoter_id,
        entry.name,
        entry.level,
        entry.registered_on,
        entry.reason,
        entry.target_gmv_fen,
        entry.target_orders,
        entry.reason.is_(None).label("eligible"),
        entry.derivation.startswith('{"source":"override"', autoescape=True).label("overridden"),
    ).where(entry.period == str(period))


ENTRIES: Final[dict[str, Condition]] = {
    "eligible=yes": lambda rows: rows.c.reason.is_(None),
    "eligible=no": lambda rows: rows.c.reason.is_not(None),
    "eligible=overridden": lambda rows: rows.c.overridden.is_(True),
}
"""What entries can be filtered by: ``filter=option`` -> condition on the rows of ``roster_entries``."""


def roster_subject(period: Period) -> str:
    """The stored figure of a roster's entries."""
    return f"roster {period}"


def roster_content(connection: Connection, period: Period) -> JsonObject:
    """A roster by each of ENTRIES, reason and level, as it is stored."""
    filters = ENTRIES | {
        **{f"reason={reason}": equal("reason", str(reason)) for reason in Ineligibility},
        **{f"level={level}": equal("level", level) for level in levels_on_roster(connection, period)},
    }
    return list_content(connection, roster_entries(period), "promoter_id", "promoter_id", filters)


def levels_on_roster(connection: Connection, period: Period) -> list[str]:
    """The names of the levels that a roster has, in their order."""
    levels = select(RosterEntry.level).where(RosterEntry.period == str(period))
    found = connection.execute(levels.distinct().order_by(RosterEntry.level)).scalars()
    return [level for level in found if level is not None]


class RosterRow(NamedTuple):
    """A row of ``roster``."""

    promoter_id: int
    period: str
    name: str
    level: str | None
    registered_on: dt.date
    reason: str | None
    target_gmv_fen: int | None
    target_orders: int | None
    derivation: str
    """JSON; see ``eligibility.Derivation``."""


class PromoterLevel(NamedTuple):
    """A level of a promoter, as a file gave it."""

    level_from: dt.date
    level: str
    name: str
    registered_on: dt.date
    batch_id: int
    place: int
    """The row's line in the batch."""


class PromoterViolation(NamedTuple):
    """A violation of a promoter, as it stands now."""

    occurred_on: dt.date
    reason: str
    cleared_on: dt.date | None
    batch_id: int
    place: int
    """The row's line in the batch."""


def levels_of(connection: Connection, promoter_id: int) -> list[PromoterLevel]:
    """A promoter's levels, the newest first."""
    levels = select(*(Level.__table__.c[name] for name in PromoterLevel._fields))
    of_promoter = levels.where(Level.promoter_id == promoter_id)
    return fetch_all(connection, of_promoter.order_by(Level.level_from.desc()), PromoterLevel)


def violations_of(connection: Connection, promoter_id: int) -> list[PromoterViolation]:
    """A promoter's violations, the newest first."""
    violations = select(*(Violation.__table__.c[name] for name in PromoterViolation._fields))
    of_promoter = violations.where(Violation.promoter_id == promoter_id)
    return fetch_all(connection, of_promoter.order_by(Violation.occurred_on.desc()), PromoterViolation)


def candidates(first_day: dt.date) -> Query:
    """Every promoter registered before a day, with the level on it: promoter_id, name, registered_on, level, violated.

    Name and registration are those of the newest level row, which may begin later than the day.
    """
    ranked = ranked_names().subquery("ranked")
    begun = select(
        Level.promoter_id,
        Level.level,
        func.row_number()
        .over(partition_by=Level.promoter_id, order_by=Level.level_from.desc())
        .label("rank"),
    ).where(Level.level_from <= first_day)
    current = begun.subquery("current")
    violators = (
        select(Violation.promoter_id)
        .where(
            Violation.occurred_on < first_day,
            or_(Violation.cleared_on.is_(None), Violation.cleared_on >= first_day),
        )
        .distinct()
        .subquery("violators")
    )
    return (
        select(
            ranked.c.promoter_id,
            ranked.c.name,
            ranked.c.registered_on,
            current.c.level,
            violators.c.promoter_id.is_not(None).label("violated"),
        )
        .outerjoin(current, and_(current.c.promoter_id == ranked.c.promoter_id, current.c.rank == 1))
        .outerjoin(violators, violators.c.promoter_id == ranked.c.promoter_id)
        .where(ranked.c.rank == 1, ranked.c.registered_on < first_day)
        .order_by(ranked.c.promoter_id)
    )


def imported_targets(period: Period) -> Query:
    """The targets imported from files for a period: promoter_id, gmv_fen, orders."""
    return select(Target.promoter_id, Target.gmv_fen, Target.orders).where(Target.period == str(period))


def history_of(months: Sequence[Period], terms: Terms, *, direct_only: bool) -> Query:
    """What each promoter's past periods counted under these terms: promoter_id, place (in ``months``), gmv_fen.

    A month in which a promoter counts nothing may be absent.
    """
    names = [
        "place", "task_from", "task_until", "receipt_cutoff", "month_from", "month_until",
    ]  # fmt: skip
    rows = []
    for place, month in enumerate(months):
        of_month = bounds_of(month, terms)
        rows.append(
            (
                place,
                of_month.task_from,
                of_month.task_until,
                of_month.receipt_cutoff,
                of_month.month_from,
                of_month.month_until,
            )
        )
    past = values(*(column(name, BigInteger) for name in names), name="past").data(rows).cte("past")
    bounds = BoundColumns(
        task_from=past.c.task_from,
        task_until=past.c.task_until,
        receipt_cutoff=past.c.receipt_cutoff,
        month_from=past.c.month_from,
        month_until=past.c.month_until,
        direct_only=literal(int(direct_only)) == 1,
    )
    facts = Order.__table__.c
    counted = measured(facts, terms)
    return (
        select(facts.promoter_id, past.c.place, counted.gmv_fen.label("gmv_fen"))
        .select_from(past)
        .join(Order.__table__, counts(facts, bounds, terms))
        .group_by(facts.promoter_id, past.c.place)
    )


def orders_by_month(months: Sequence[Period]) -> Query:
    """How many orders were paid in each month: one column a month, in their order."""
    paid_at = Order.paid_at

    def in_month(month: Period) -> Whole:
        start, end = midnight(month.first_day), midnight(month.plus(1).first_day)
        return count_where(and_(paid_at >= start, paid_at < end))

    return select(*(in_month(month).label(str(month)) for month in months))
