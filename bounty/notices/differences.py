"""How a settlement differs from the one before it: by cause, so that the causes sum to the difference."""

from dataclasses import asdict, dataclass, replace

from sqlalchemy import ColumnElement, Connection, and_, case, func, literal, or_, select
from sqlalchemy.orm import aliased

from bounty import figures
from bounty.figures import Figure
from bounty.models import ChangeCause, Result
from bounty.notices.changes import changes_between, month_archived_since
from bounty.orders.archived import RowsArchived, rows_archived
from bounty.rules.periods import Period
from bounty.rules.revocations import void_stands
from bounty.rules.sql_math import count_where, sum_or_zero
from bounty.rules.terms import Terms
from bounty.settlement.service import SettlementRow


@dataclass(frozen=True, slots=True)
class DifferenceCause:
    """What one cause moved."""

    code: str
    """One of ChangeCause."""
    orders: int
    passed: int
    """By how many more promoters pass; each who passes now and did not, or the other way round, is under one cause."""
    subsidy_fen: int
    """By how much the subsidy moved."""


@dataclass(frozen=True, slots=True)
class SettlementDifference:
    """Two settlements of one period."""

    before: SettlementRow
    after: SettlementRow
    was_passed: int
    now_passed: int
    promoters: int
    """Whose result changed."""
    causes: list[DifferenceCause]

    @property
    def subsidy_fen(self) -> int:
        """The difference of the totals; the causes sum to it."""
        return self.after.subsidy_fen - self.before.subsidy_fen


def difference(
    connection: Connection, period: Period, terms: Terms, before: SettlementRow, after: SettlementRow
) -> SettlementDifference:
    """How a settlement differs from an earlier one of its period; two queries."""
    was, now = aliased(Result, name="was"), aliased(Result, name="now")
    compared = ("gmv_fen", "orders", "passed", "rate_permille", "subsidy_orders", "subsidy_fen")
    differs = or_(*(getattr(was, name).is_distinct_from(getattr(now, name)) for name in compared))
    results = connection.execute(
        select(
            count_where(was.rate_permille.is_not(None)).label("was_passed"),
            count_where(now.rate_permille.is_not(None)).label("now_passed"),
            count_where(differs).label("promoters"),
            count_where(and_(was.rate_permille.is_not(None), _void_since(now, before, after))).label("void"),
            month_archived_since(period, before).label("archived"),
        )
        .select_from(now)
        .join(was, and_(was.promoter_id == now.promoter_id, was.settlement_id == before.settlement_id))
        .where(now.settlement_id == after.settlement_id)
    ).one()
    if results.archived is not None:
        raise rows_archived(results.archived)
    causes = _with_passed(
        _causes(connection, period, terms, before, after), ChangeCause.VIOLATION, -results.void
    )
    # What no order explains any more (its batch was undone since) stays with the result itself.
    rest = results.now_passed - results.was_passed - sum(cause.passed for cause in causes)
    causes = _with_passed(causes, ChangeCause.RESULT, rest)
    return SettlementDifference(
        before, after, results.was_passed, results.now_passed, results.promoters, causes
    )


def difference_shown(
    connection: Connection,
    period: Period,
    terms: Terms,
    before: SettlementRow | None,
    after: SettlementRow | None,
    now: int,
) -> Figure:
    """The same for a page, which does not compare large settlements: its content is SettlementDifference, or null, as
    where rows that are compared are archived."""
    if before is None or after is None:
        return Figure(None, now, current=True)
    try:
        found = figures.figure(
            connection,
            difference_subject(before, after),
            difference_subject(before, after),
            now,
            lambda: difference_content(connection, period, terms, before, after),
        )
    except RowsArchived:
        return Figure(None, now, current=True)
    if found.content is None or not found.current:  # of other settlements
        return replace(found, content=None)
    causes = [DifferenceCause(**each) for each in found.content.pop("causes")]
    return replace(found, content=SettlementDifference(before, after, **found.content, causes=causes))


def difference_subject(before: SettlementRow, after: SettlementRow) -> str:
    """The stored figure of a difference, and what it is computed from: two settlements, which never change."""
    return f"difference {before.settlement_id} {after.settlement_id}"


def difference_content(
    connection: Connection, period: Period, terms: Terms, before: SettlementRow, after: SettlementRow
) -> dict[str, object]:
    """``difference`` as it is stored."""
    found = difference(connection, period, terms, before, after)
    return {
        "was_passed": found.was_passed,
        "now_passed": found.now_passed,
        "promoters": found.promoters,
        "causes": [asdict(each) for each in found.causes],
    }


def _void_since(now: type[Result], before: SettlementRow, after: SettlementRow) -> ColumnElement[bool]:
    """Whether a promoter's pass was taken back between two settlements."""
    void, was_void = (
        void_stands(now.promoter_id, after.period, before=each.settlement_id) for each in (after, before)
    )
    return and_(void, ~was_void)


def _with_passed(causes: list[DifferenceCause], code: str, passed: int) -> list[DifferenceCause]:
    """The same, where so many more promoters pass by one cause; in the order of ChangeCause."""
    if not passed:
        return causes
    by_code = {cause.code: cause for cause in causes}
    of_code = by_code.get(code, DifferenceCause(code, 0, 0, 0))
    by_code[code] = replace(of_code, passed=of_code.passed + passed)
    return [by_code[each] for each in ChangeCause if each in by_code]


def _causes(
    connection: Connection, period: Period, terms: Terms, before: SettlementRow, after: SettlementRow
) -> list[DifferenceCause]:
    changes = changes_between(period, terms, before, after).cte("changes")
    change = changes.c
    was, now = aliased(Result, name="was"), aliased(Result, name="now")
    # Whoever passes now does so through orders that count more, whoever no longer does through some that count less: of
    # their causes the first of ChangeCause has the promoter.
    up = func.coalesce(change.now_counted_fen, -1) > func.coalesce(change.was_counted_fen, -1)
    down = func.coalesce(change.now_counted_fen, -1) < func.coalesce(change.was_counted_fen, -1)
    passes = case((now.rate_permille.is_not(None), 1), else_=-1)
    place = case(*((change.cause == code.value, at) for at, code in enumerate(ChangeCause)))
    moved = (
        select(change.promoter_id, passes.label("passes"), func.min(place).label("place"))
        .select_from(changes)
        .join(was, and_(was.promoter_id == change.promoter_id, was.settlement_id == before.settlement_id))
        .join(now, and_(now.promoter_id == change.promoter_id, now.settlement_id == after.settlement_id))
        .where(
            change.cause
            != ChangeCause.VIOLATION.value,  # whose promoters no longer pass whatever their orders count
            or_(
                and_(was.rate_permille.is_(None), now.rate_permille.is_not(None), up),
                and_(was.rate_permille.is_not(None), now.rate_permille.is_(None), down),
            ),
        )
        .group_by(change.promoter_id, now.rate_permille)
        .subquery("moved")
    )
    by_place = (
        select(moved.c.place, sum_or_zero(moved.c.passes).label("passed"))
        .group_by(moved.c.place)
        .subquery("by_place")
    )
    by_cause = (
        select(
            place.label("place"),
            func.count().label("orders"),
            (sum_or_zero(change.now_subsidy_fen) - sum_or_zero(change.was_subsidy_fen)).label("subsidy_fen"),
        )
        .select_from(changes)
        .group_by(place)
        .subquery("by_cause")
    )
    codes = list(ChangeCause)
    return [
        DifferenceCause(codes[row.place], row.orders, row.passed, row.subsidy_fen)
        for row in connection.execute(
            select(
                by_cause.c.place,
                by_cause.c.orders,
                by_cause.c.subsidy_fen,
                func.coalesce(by_place.c.passed, literal(0)).label("passed"),
            )
            .outerjoin(by_place, by_place.c.place == by_cause.c.place)
            .order_by(by_cause.c.place)
        )
    ]
