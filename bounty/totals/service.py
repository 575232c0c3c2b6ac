"""Recomputing the totals of the groups that a transaction has touched, rebuilding them, and comparing them."""

from functools import lru_cache

from sqlalchemy import Connection, Delete, Executable, and_, delete, exists, func, literal, select, tuple_

from bounty.db import Base, Query, analyze, clear, count_of, insert_into
from bounty.models import (
    DailyProgress,
    DailySubsidy,
    Line,
    Link,
    OpenPeriod,
    Order,
    PromoterProgress,
    PromoterSubsidy,
    RosterEntry,
    TermsVersion,
)
from bounty.rules.periods import Period, programme_in_sql
from bounty.rules.terms import InvalidTerms, Terms, read_terms
from bounty.totals import queries
from bounty.totals.queries import A_PERIOD, day_of, once_a_row, touched_groups

TABLES: tuple[type[Base], ...] = (DailyProgress, DailySubsidy, PromoterProgress, PromoterSubsidy)
"""In the order in which they are filled: a promoter's row is summed from the days."""


def recompute_touched(connection: Connection, facts: Query) -> None:
    """Recompute the totals of every promoter and day that these orders belong to, or belonged to.

    facts   promoter_id and paid_at that orders have or had; rows may repeat, and paid_at may be null
    """
    if connection.execute(select(OpenPeriod.period).limit(1)).first() is None:
        return
    _note(connection, facts)
    touched = select(touched_groups.c.period).distinct().subquery("touched")
    with_terms = (
        select(OpenPeriod.period, TermsVersion.toml)
        .join(TermsVersion, TermsVersion.terms_id == OpenPeriod.terms_id)
        .where(OpenPeriod.period.in_(select(touched.c.period)))
        .order_by(OpenPeriod.period)
    )
    for period, toml in connection.execute(with_terms).all():
        _recompute(connection, period, read_terms(toml), touched=True)


def _note(connection: Connection, facts: Query) -> None:
    """Fill ``touched_groups``."""
    clear(connection, touched_groups)
    fact = once_a_row(facts).c
    groups = (
        select(OpenPeriod.period, fact.promoter_id, day_of(fact.paid_at))
        .join(OpenPeriod, and_(fact.paid_at >= OpenPeriod.month_from, fact.paid_at < OpenPeriod.month_until))
        .join(
            RosterEntry,
            and_(RosterEntry.promoter_id == fact.promoter_id, RosterEntry.period == OpenPeriod.period),
        )
        .distinct()
    )
    names = [column.name for column in touched_groups.c]
    connection.execute(insert_into(connection.dialect.name, touched_groups).from_select(names, groups))


def recompute_links(connection: Connection, batch_id: int) -> None:
    """Recompute what the links that a batch brought or changed decide."""
    of_batch = and_(Link.promoter_id == Order.promoter_id, Link.p_id == Order.p_id, Link.batch_id == batch_id)
    recompute_touched(connection, select(Order.promoter_id, Order.paid_at).join(Link, of_batch))


def recompute_elsewhere(connection: Connection, period: Period, *settlement_ids: int) -> None:
    """Recompute what the notices of a period decide in other programmes, whose terms may be exclusive.

    settlement_ids   of the newest notice, and of the one before it
    """
    other = select(TermsVersion.toml).join(OpenPeriod, OpenPeriod.terms_id == TermsVersion.terms_id)
    elsewhere = other.where(
        programme_in_sql(OpenPeriod.period.expression) != programme_in_sql(literal(str(period)))
    )
    if not any(read_terms(toml).subsidy.exclusive for toml in connection.execute(elsewhere).scalars()):
        return
    numbers = select(Line.order_sn).where(Line.settlement_id.in_(settlement_ids))
    recompute_touched(connection, select(Order.promoter_id, Order.paid_at).where(Order.order_sn.in_(numbers)))


def recompute_period(connection: Connection, period: Period) -> None:
    """Recompute all totals of an open period."""
    for name, terms in _open_periods(connection):
        if name == str(period):
            _recompute(connection, name, terms, touched=False)


def rebuild(connection: Connection) -> dict[str, int]:
    """Delete all totals and recompute them; table -> rows."""
    for table in reversed(TABLES):
        connection.execute(delete(table))
    for period, terms in _open_periods(connection):
        _recompute(connection, period, terms, touched=False)
    analyze(connection, *TABLES)
    return {table.__tablename__: count_of(connection, select(table.__table__)) for table in TABLES}


def fill_missing(connection: Connection) -> None:
    """Compute the totals of the open periods that have none: of books from before there were totals."""
    held = exists().where(PromoterProgress.period == OpenPeriod.period)
    missing = set(connection.execute(select(OpenPeriod.period).where(~held)).scalars())
    for period, terms in _open_periods(connection):
        if period in missing:
            _recompute(connection, period, terms, touched=False)


def _open_periods(connection: Connection) -> list[tuple[str, Terms]]:
    """The open periods whose terms can be read; ``bounty check`` tells of the others."""
    rows = connection.execute(
        select(OpenPeriod.period, TermsVersion.toml)
        .join(TermsVersion, TermsVersion.terms_id == OpenPeriod.terms_id)
        .order_by(OpenPeriod.period)
    )
    return [(row.period, read_terms(row.toml)) for row in rows if _readable(row.toml)]


def _readable(toml: str) -> bool:
    try:
        read_terms(toml)
    except InvalidTerms:
        return False
    return True


def _rows(table: type[Base], terms: Terms, *, touched: bool) -> Query:
    if table is DailyProgress:
        return queries.daily_progress(terms, touched=touched)
    if table is DailySubsidy:
        return queries.daily_subsidy(terms, touched=touched)
    if table is PromoterProgress:
        return queries.promoter_progress(touched=touched)
    return queries.promoter_subsidy(terms, touched=touched)


def _recompute(connection: Connection, period: str, terms: Terms, *, touched: bool) -> None:
    for statement in _statements(connection.dialect.name, terms, touched=touched):
        connection.execute(statement, {"period": period})


@lru_cache(maxsize=64)
def _statements(dialect: str, terms: Terms, *, touched: bool) -> tuple[Executable, ...]:
    """What replaces the totals of a period, or of its touched groups; parameter period."""
    made: list[Executable] = []
    for table in TABLES:
        rows = _rows(table, terms, touched=touched)
        fill = insert_into(dialect, table).from_select(list(rows.selected_columns.keys()), rows)
        if touched and table in (PromoterProgress, PromoterSubsidy):
            keys = [column.name for column in table.__table__.primary_key]
            sums = [column.name for column in table.__table__.c if column.name not in keys]
            # No row of a promoter ever goes, so that they need not be deleted before.
            fill = fill.on_conflict_do_update(
                index_elements=keys, set_={name: fill.excluded[name] for name in sums}
            )
            made.append(fill)
        else:
            made += [_emptying(table, touched=touched), fill]
    return tuple(made)


def _emptying(table: type[Base], *, touched: bool) -> Delete:
    held, group = table.__table__.c, touched_groups.c
    every = delete(table).where(held.period == A_PERIOD)
    if not touched:
        return every
    groups = select(group.promoter_id, group.day).where(group.period == A_PERIOD)
    return every.where(tuple_(held.promoter_id, held.day).in_(groups))


def unlike_recomputed(connection: Connection) -> int:
    """Rows of totals that a full recomputation does not make, and rows that it makes and that are not there."""
    off = 0
    for period, terms in _open_periods(connection):
        for table in TABLES:
            made = _rows(table, terms, touched=False)
            names = [column.name for column in table.__table__.c]
            held = select(table.__table__).where(table.__table__.c.period == A_PERIOD)
            for one, other in ((made, held), (held, made)):
                differ = _named(one, names).except_(_named(other, names)).subquery("differ")
                count = select(func.count()).select_from(differ)
                off += connection.execute(count, {"period": period}).scalar_one()
    return off


def _named(rows: Query, names: list[str]) -> Query:
    """The columns of rows in one order, so that sets of them can be subtracted."""
    row = rows.subquery("row").c
    return select(*(row[name] for name in names))
