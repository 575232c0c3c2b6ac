"""The books check themselves: named queries that must return no rows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, false, func, inspect, or_, select, true
from sqlalchemy.orm import aliased
from sqlalchemy.schema import Table

from bounty.db import Query
from bounty.models import (
    Base,
    Line,
    Notice,
    OpenPeriod,
    Order,
    OrderVersion,
    Result,
    RosterEntry,
    Settlement,
    TermsVersion,
)
from bounty.orders.fold import folded
from bounty.rules.periods import Period
from bounty.rules.terms import Terms, read_terms
from bounty.rules.whole import lesser, total
from bounty.settlement.files import content_sha256, lines_file, results_file


@dataclass(frozen=True, slots=True)
class Finding:
    """One invariant and how many rows break it."""

    name: str
    promise: str
    """What must hold, for a person."""
    violations: int


def run_checks(connection: Connection) -> Iterator[Finding]:
    """Every invariant of the books, with its count of violations."""
    for name, (promise, count) in CHECKS.items():
        yield Finding(name, promise, count(connection))


def _rows(connection: Connection, query: Query) -> int:
    return connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()


def lines_make_results(connection: Connection) -> int:
    """Results whose count and sum of lines are not those of their lines, and lines of no result."""
    sums = (
        select(
            Line.promoter_id,
            Line.settlement_id,
            func.count().label("lines"),
            total(Line.__table__.c.subsidy_fen).label("fen"),
        )
        .group_by(Line.promoter_id, Line.settlement_id)
        .subquery("sums")
    )
    same = and_(sums.c.promoter_id == Result.promoter_id, sums.c.settlement_id == Result.settlement_id)
    off = (
        select(Result.promoter_id)
        .outerjoin(sums, same)
        .where(
            or_(
                Result.subsidy_orders != func.coalesce(sums.c.lines, 0),
                Result.subsidy_fen != func.coalesce(sums.c.fen, 0),
            )
        )
    )
    orphans = select(sums.c.promoter_id).outerjoin(Result, same).where(Result.promoter_id.is_(None))
    return _rows(connection, off) + _rows(connection, orphans)


def results_make_settlements(connection: Connection) -> int:
    """Settlements whose rows and sum are not those of their results."""
    sums = (
        select(
            Result.settlement_id,
            func.count().label("rows"),
            total(Result.__table__.c.subsidy_orders).label("lines"),
            total(Result.__table__.c.subsidy_fen).label("fen"),
        )
        .group_by(Result.settlement_id)
        .subquery("sums")
    )
    return _rows(
        connection,
        select(Settlement.settlement_id)
        .outerjoin(sums, sums.c.settlement_id == Settlement.settlement_id)
        .where(
            or_(
                func.coalesce(sums.c.rows, 0) != Settlement.results_rows,
                func.coalesce(sums.c.lines, 0) != Settlement.lines_rows,
                func.coalesce(sums.c.fen, 0) != Settlement.subsidy_fen,
            )
        ),
    )


def counted_within_cap(connection: Connection) -> int:
    """Orders that would count more than their amount or the cap, by the terms of each open period."""
    violations = 0
    for _, terms, where in _open_periods(connection):
        facts = Order.__table__.c
        counted = lesser(facts.order_amount_fen, terms.task.order_cap_fen)
        violations += _rows(
            connection,
            select(Order.promoter_id)
            .join(
                OpenPeriod,
                and_(Order.paid_at >= OpenPeriod.month_from, Order.paid_at < OpenPeriod.month_until),
            )
            .where(
                where, or_(counted > facts.order_amount_fen, counted > terms.task.order_cap_fen, counted < 0)
            ),
        )
    return violations


def lines_within_caps(connection: Connection) -> int:
    """Lines above the order cap or the basis, and promoters above their cap or with more than their rate gives."""
    violations = 0
    for period, terms, _ in _open_periods(connection):
        of_period = (
            select(Line.promoter_id)
            .join(Settlement, Settlement.settlement_id == Line.settlement_id)
            .where(Settlement.period == str(period))
        )
        cap = terms.subsidy.order_cap_fen
        above = Line.subsidy_fen > cap if cap is not None else false()
        violations += _rows(
            connection, of_period.where(or_(Line.subsidy_fen <= 0, Line.subsidy_fen > Line.basis_fen, above))
        )
        promoter_cap = terms.subsidy.promoter_cap_fen
        if promoter_cap is not None:
            violations += _rows(
                connection,
                select(Result.promoter_id)
                .join(Settlement, Settlement.settlement_id == Result.settlement_id)
                .where(Settlement.period == str(period), Result.subsidy_fen > promoter_cap),
            )
    return violations


def one_result_per_promoter(connection: Connection) -> int:
    """Promoters on a roster without a result in a settlement of it, and results of promoters who are not on it."""
    on_roster = (
        select(RosterEntry.promoter_id)
        .join(Settlement, Settlement.period == RosterEntry.period)
        .outerjoin(
            Result,
            and_(
                Result.promoter_id == RosterEntry.promoter_id,
                Result.settlement_id == Settlement.settlement_id,
            ),
        )
        .where(
            or_(Result.promoter_id.is_(None), and_(RosterEntry.reason.is_(None), Result.gmv_fen.is_(None)))
        )
    )
    strangers = (
        select(Result.promoter_id)
        .join(Settlement, Settlement.settlement_id == Result.settlement_id)
        .outerjoin(
            RosterEntry,
            and_(RosterEntry.promoter_id == Result.promoter_id, RosterEntry.period == Settlement.period),
        )
        .where(RosterEntry.promoter_id.is_(None))
    )
    return _rows(connection, on_roster) + _rows(connection, strangers)


def passes_are_earned(connection: Connection) -> int:
    """Results that pass without meeting each target, or meet them without passing."""
    meets = and_(
        RosterEntry.reason.is_(None),
        Result.gmv_fen >= func.coalesce(RosterEntry.target_gmv_fen, 0),
        Result.orders >= func.coalesce(RosterEntry.target_orders, 0),
    )
    return _rows(
        connection,
        select(Result.promoter_id)
        .join(Settlement, Settlement.settlement_id == Result.settlement_id)
        .join(
            RosterEntry,
            and_(RosterEntry.promoter_id == Result.promoter_id, RosterEntry.period == Settlement.period),
        )
        .where(or_(and_(Result.passed.is_(true()), ~meets), and_(Result.passed.is_(false()), meets))),
    )


def no_order_twice(connection: Connection) -> int:
    """Orders under two promoters, or with lines of two promoters in one settlement."""
    orders = select(Order.order_sn).group_by(Order.order_sn).having(func.count() > 1)
    lines = select(Line.order_sn).group_by(Line.settlement_id, Line.order_sn).having(func.count() > 1)
    return _rows(connection, orders) + _rows(connection, lines)


def fold_equals_rebuild(connection: Connection) -> int:
    """Orders that are not what their rows fold into, orders without rows, and rows without an order."""
    rebuilt = folded().subquery("rebuilt")
    differs = or_(
        *(
            rebuilt.c[column.name].is_distinct_from(Order.__table__.c[column.name])
            for column in rebuilt.c
            if column.name != "order_sn"
        )
    )
    off = (
        select(rebuilt.c.order_sn)
        .outerjoin(Order, Order.order_sn == rebuilt.c.order_sn)
        .where(or_(Order.order_sn.is_(None), differs))
    )
    version = aliased(OrderVersion)
    orphans = select(Order.order_sn).where(
        ~select(version.order_sn).where(version.order_sn == Order.order_sn).exists()
    )
    return _rows(connection, off) + _rows(connection, orphans)


def notices_unchanged(connection: Connection) -> int:
    """Settlements whose files or terms, made again from the rows, are not what was hashed when they were made."""
    violations = 0
    for row in connection.execute(
        select(Settlement.__table__, TermsVersion.toml, TermsVersion.sha256.label("terms_sha256"))
        .join(OpenPeriod, OpenPeriod.period == Settlement.period)
        .join(TermsVersion, TermsVersion.terms_id == OpenPeriod.terms_id)
        .order_by(Settlement.settlement_id)
    ).all():
        period = Period.parse(row.period)
        files = [
            results_file(connection, row.settlement_id, period),
            lines_file(connection, row.settlement_id, period),
        ]
        for file in files:
            for _ in file:
                pass
        results, lines = (file.facts().sha256 for file in files)
        terms = read_terms(row.toml).sha256
        violations += (results, lines, terms) != (row.results_sha256, row.lines_sha256, row.terms_sha256)
        violations += content_sha256(terms, results, lines) != row.content_sha256
    return violations


def notices_in_sequence(connection: Connection) -> int:
    """Notices that are not numbered 1, 2, ... within their period, or name a settlement of another period."""
    gaps = (
        select(Notice.period)
        .group_by(Notice.period)
        .having(or_(func.min(Notice.notice) != 1, func.max(Notice.notice) != func.count()))
    )
    strangers = (
        select(Notice.period)
        .join(Settlement, Settlement.settlement_id == Notice.settlement_id)
        .where(Settlement.period != Notice.period)
    )
    return _rows(connection, gaps) + _rows(connection, strangers)


def whole_fen(connection: Connection) -> int:
    """Values of money columns that are not whole numbers; columns whose type would let another in."""
    violations = 0
    for table in Base.metadata.sorted_tables:
        money = [column for column in table.columns if column.name.endswith("_fen")]
        if connection.dialect.name == "sqlite":
            violations += sum(_not_integers(connection, table, column) for column in money)
        else:
            types = {
                column["name"]: str(column["type"]) for column in inspect(connection).get_columns(table.name)
            }
            violations += sum(types[column.name] != "BIGINT" for column in money)
    return violations


def _not_integers(connection: Connection, table: Table, column: ColumnElement[int]) -> int:
    kind = func.typeof(column)
    return connection.execute(
        select(func.count()).select_from(table).where(kind.not_in(("integer", "null")))
    ).scalar_one()


def _open_periods(connection: Connection) -> Iterator[tuple[Period, Terms, ColumnElement[bool]]]:
    rows = connection.execute(
        select(OpenPeriod.period, TermsVersion.toml)
        .join(TermsVersion, TermsVersion.terms_id == OpenPeriod.terms_id)
        .order_by(OpenPeriod.period)
    ).all()
    for row in rows:
        yield Period.parse(row.period), read_terms(row.toml), OpenPeriod.period == row.period


CHECKS: dict[str, tuple[str, Callable[[Connection], int]]] = {
    "lines-make-results": ("the lines of a promoter sum to the result", lines_make_results),
    "results-make-settlements": (
        "the results sum to the settlement and its manifest",
        results_make_settlements,
    ),
    "counted-within-cap": ("an order counts at most its amount and at most the cap", counted_within_cap),
    "lines-within-caps": ("a line is above 0 and within every cap", lines_within_caps),
    "one-result-per-promoter": ("each promoter on the roster has one result", one_result_per_promoter),
    "passes-are-earned": ("who passed met every target, and who met them passed", passes_are_earned),
    "no-order-twice": ("no order is under two promoters", no_order_twice),
    "fold-equals-rebuild": ("every order is what its rows fold into", fold_equals_rebuild),
    "notices-unchanged": ("settlements and notices still read as when they were made", notices_unchanged),
    "notices-in-sequence": ("notices are numbered without gaps", notices_in_sequence),
    "whole-fen": ("money columns hold nothing but whole fen", whole_fen),
}
