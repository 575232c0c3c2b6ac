"""The books check themselves: named queries that must return no rows."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    exists,
    false,
    func,
    inspect,
    literal,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import aliased
from sqlalchemy.schema import Table

from bounty.accounting.stored_figures import unlike_computed
from bounty.audit.service import verify
from bounty.checks.archives import ARCHIVES, archives_as_recorded, covered_by_an_archive
from bounty.checks.content import rows_as_received, unreadable_texts
from bounty.checks.payees import payees_changed
from bounty.checks.payment_results import closings_in_turn, outcomes_as_reported
from bounty.checks.tranches import INVARIANTS
from bounty.db import Query, count_of
from bounty.errors import BountyError
from bounty.models import (
    AuditEvent,
    Base,
    Batch,
    FetchWindow,
    Line,
    Notice,
    OpenPeriod,
    Order,
    OrderVersion,
    Result,
    RosterEntry,
    Settlement,
    Slot,
    TermsVersion,
)
from bounty.notices.signed_statements import broken_statements
from bounty.orders.fold import folded
from bounty.orders.received_texts import rows_without_text
from bounty.roster.service import bounds_columns
from bounty.rules.periods import Period
from bounty.rules.revocations import void_stands
from bounty.rules.sql_math import capped_at, share_half_even, sum_or_zero
from bounty.rules.terms import InvalidTerms, Terms, read_terms
from bounty.settlement.files import content_sha256, lines_file, results_file
from bounty.storage import unsound_parts
from bounty.totals.service import unlike_recomputed

CALENDAR_DONE = "calendar.do"
"""The act under which a slot of the calendar stands in the audit."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One invariant and how many rows break it."""

    name: str
    promise: str
    """What must hold, for a person."""
    violations: int


def run_checks(connection: Connection, *, but: str = "") -> Iterator[Finding]:
    """Every invariant of the books, with its count of violations.

    but   one that is left out, by its name
    """
    for name, (promise, count) in CHECKS.items():
        if name == but:
            continue
        try:
            violations = count(connection)
        except UnicodeDecodeError:  # SQLite hands out what stands in a damaged cell
            violations = 1
        yield Finding(name, promise, violations)


def require_balanced(connection: Connection) -> None:
    """Raises BountyError, naming what is off, unless every invariant holds: what no backup is made of and no notice is
    published of is not paid either."""
    off = [finding for finding in run_checks(connection) if finding.violations]
    if off:
        names = ", ".join(f"{finding.name} {finding.violations}" for finding in off)
        raise BountyError(
            f"The books do not balance ({names}): `bounty check` shows it. Pay nothing until it is known why.",
            f"账目不平（{names}），见 bounty check。查明之前不能导出付款。",
        )


def lines_make_results(connection: Connection) -> int:
    """Results whose count and sum of lines are not those of their lines, and lines of no result."""
    sums = (
        select(
            Line.promoter_id,
            Line.settlement_id,
            func.count().label("lines"),
            sum_or_zero(Line.__table__.c.subsidy_fen).label("fen"),
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
    return count_of(connection, off) + count_of(connection, orphans)


def results_make_settlements(connection: Connection) -> int:
    """Settlements whose rows and sum are not those of their results, and results of no settlement."""
    sums = (
        select(
            Result.settlement_id,
            func.count().label("rows"),
            sum_or_zero(Result.__table__.c.subsidy_orders).label("lines"),
            sum_or_zero(Result.__table__.c.subsidy_fen).label("fen"),
        )
        .group_by(Result.settlement_id)
        .subquery("sums")
    )
    orphans = select(sums.c.settlement_id).where(
        sums.c.settlement_id.not_in(select(Settlement.settlement_id))
    )
    off = (
        select(Settlement.settlement_id)
        .outerjoin(sums, sums.c.settlement_id == Settlement.settlement_id)
        .where(
            or_(
                func.coalesce(sums.c.rows, 0) != Settlement.results_rows,
                func.coalesce(sums.c.lines, 0) != Settlement.lines_rows,
                func.coalesce(sums.c.fen, 0) != Settlement.subsidy_fen,
            )
        )
    )
    return count_of(connection, off) + count_of(connection, orphans)


def counted_within_cap(connection: Connection) -> int:
    """Results that count more than the cap or the amount of their orders allows, and orders of a negative amount."""
    violations = count_of(connection, select(Order.order_sn).where(Order.order_amount_fen < 0))
    for period, terms in _open_periods(connection):
        most = Result.orders * terms.task.order_cap_fen
        over = _results_of(period).where(or_(Result.gmv_fen > most, Result.gmv_fen < 0))
        violations += count_of(connection, over) + count_of(connection, _above_the_orders(period, terms))
    return violations


def _above_the_orders(period: Period, terms: Terms) -> Query:
    """Results that count more than all orders of the task window would, while no batch has come since."""
    facts = Order.__table__.c
    amounts = (
        select(
            facts.promoter_id,
            sum_or_zero(capped_at(facts.order_amount_fen, terms.task.order_cap_fen)).label("fen"),
        )
        .join(OpenPeriod, and_(facts.paid_at >= OpenPeriod.task_from, facts.paid_at < OpenPeriod.task_until))
        .where(OpenPeriod.period == str(period))
        .group_by(facts.promoter_id)
        .subquery("amounts")
    )
    newest_batch = select(func.max(Batch.batch_id)).scalar_subquery()
    undone = select(Batch.batch_id).where(Batch.undone_at.is_not(None)).exists()
    return (
        _results_of(period)
        .outerjoin(amounts, amounts.c.promoter_id == Result.promoter_id)
        .where(
            Settlement.as_of_batch_id == newest_batch,
            ~undone,
            Result.gmv_fen > func.coalesce(amounts.c.fen, 0),
        )
    )


def lines_within_caps(connection: Connection) -> int:
    """Lines of nothing, above the order cap or above what the rate gives, and promoters above their cap."""
    violations = 0
    for period, terms in _open_periods(connection):
        line = Line.__table__.c
        share = share_half_even(line.basis_fen, Result.__table__.c.rate_permille)
        most = capped_at(share, terms.subsidy.order_cap_fen)
        lines = _results_of(period).join(
            Line, and_(Line.promoter_id == Result.promoter_id, Line.settlement_id == Result.settlement_id)
        )
        violations += count_of(
            connection, lines.where(or_(line.subsidy_fen <= 0, line.subsidy_fen > func.coalesce(most, 0)))
        )
        promoter_cap = terms.subsidy.promoter_cap_fen
        if promoter_cap is not None:
            violations += count_of(connection, _results_of(period).where(Result.subsidy_fen > promoter_cap))
    return violations


def _results_of(period: Period) -> Query:
    return (
        select(Result.promoter_id)
        .join(Settlement, Settlement.settlement_id == Result.settlement_id)
        .where(Settlement.period == str(period))
    )


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
    return count_of(connection, on_roster) + count_of(connection, strangers)


def passes_are_earned(connection: Connection) -> int:
    """Results that pass without meeting each target, or meet them without passing; a pass that was void when its
    settlement was made is none."""
    meets = and_(
        ~void_stands(Result.promoter_id, RosterEntry.period, before=Result.settlement_id),
        RosterEntry.reason.is_(None),
        Result.gmv_fen >= func.coalesce(RosterEntry.target_gmv_fen, 0),
        Result.orders >= func.coalesce(RosterEntry.target_orders, 0),
    )
    return count_of(
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
    return count_of(connection, orders) + count_of(connection, lines)


def fold_equals_rebuild(connection: Connection) -> int:
    """Orders that are not what their rows fold into, orders without rows, and rows without an order.

    Where an archive of the month may have an order's rows, ``archives-as-recorded`` folds them.
    """
    version = aliased(OrderVersion)
    orphans = select(Order.order_sn).where(
        ~exists().where(version.promoter_id == Order.promoter_id, version.order_sn == Order.order_sn),
        ~covered_by_an_archive(),
    )
    return count_of(connection, _unlike_their_rows()) + count_of(connection, orphans)


@cache  # to make this statement takes longer than to run it on the books of a small month
def _unlike_their_rows() -> Query:
    rebuilt = folded().subquery("rebuilt")
    differs = or_(
        *(
            rebuilt.c[column.name].is_distinct_from(Order.__table__.c[column.name])
            for column in rebuilt.c
            if column.name != "order_sn"
        )
    )
    return (
        select(rebuilt.c.order_sn)
        .outerjoin(
            Order,
            and_(Order.promoter_id == rebuilt.c.promoter_id, Order.order_sn == rebuilt.c.order_sn),
        )
        .where(or_(Order.order_sn.is_(None), differs))
    )


def periods_as_terms_say(connection: Connection) -> int:
    """Open periods whose bounds are not those of their terms."""
    rows = connection.execute(
        select(OpenPeriod.__table__, TermsVersion.toml).join(
            TermsVersion, TermsVersion.terms_id == OpenPeriod.terms_id
        )
    ).all()
    return sum(
        any(getattr(row, name) != value for name, value in bounds_columns(period, terms).items())
        for row in rows
        if _terms_hash(row.toml) is not None
        for period, terms in [(Period.parse(row.period), read_terms(row.toml))]
    )


def terms_unchanged(connection: Connection) -> int:
    """Versions of the terms that no longer hash as when they were added."""
    rows = connection.execute(select(TermsVersion.toml, TermsVersion.sha256)).all()
    return sum(_terms_hash(row.toml) != row.sha256 for row in rows)


def _terms_hash(toml: str) -> str | None:
    try:
        return read_terms(toml).sha256
    except InvalidTerms:
        return None


def notices_unchanged(connection: Connection) -> int:
    """Settlements whose files, made again from the rows, are not what was hashed when they were made."""
    violations = 0
    for row in connection.execute(
        select(Settlement.__table__, TermsVersion.sha256.label("terms_sha256"))
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
        content = content_sha256(row.terms_sha256, results, lines)
        made = (row.results_sha256, row.lines_sha256, row.content_sha256)
        violations += (results, lines, content) != made
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
    return count_of(connection, gaps) + count_of(connection, strangers)


def statements_chained(connection: Connection) -> int:
    """Statements that are not their notice's, don't follow from the one before, or were not published so."""
    published = (
        select(AuditEvent.after).where(AuditEvent.act == "notice.publish").order_by(AuditEvent.event_id)
    )
    acts = [json.loads(after or "{}") for after in connection.execute(published).scalars()]
    # A notice from before statements were kept has none.
    return broken_statements(
        connection, [act["statement_sha256"] for act in acts if "statement_sha256" in act]
    )


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


def _open_periods(connection: Connection) -> Iterator[tuple[Period, Terms]]:
    """The open periods whose terms can still be read; ``terms-unchanged`` tells of the others."""
    rows = connection.execute(
        select(OpenPeriod.period, TermsVersion.toml)
        .join(TermsVersion, TermsVersion.terms_id == OpenPeriod.terms_id)
        .order_by(OpenPeriod.period)
    ).all()
    for row in rows:
        if _terms_hash(row.toml) is not None:
            yield Period.parse(row.period), read_terms(row.toml)


def slices_hold(connection: Connection) -> int:
    """Finished slices that hold fewer orders than the platform reported, or whose batch read fewer than they hold."""
    short = or_(
        FetchWindow.rows_held < FetchWindow.rows_told,
        FetchWindow.why.is_not(None),
        FetchWindow.rows_held > func.coalesce(Batch.rows_read, 0),
    )
    off = select(FetchWindow.slice_id).outerjoin(Batch, Batch.batch_id == FetchWindow.batch_id)
    return count_of(connection, off.where(FetchWindow.done.is_(true()), short))


def calendar_once(connection: Connection) -> int:
    """Slots of the calendar that were done twice, or by nobody, or whose row is gone."""
    slot = Slot.job.concat(" ").concat(Slot.slot)
    held = select(slot.label("subject"), literal(1).label("slots"), literal(0).label("done"))
    acts = select(AuditEvent.subject, literal(0), literal(1)).where(AuditEvent.act == CALENDAR_DONE)
    both = union_all(held, acts).subquery("both").c
    unlike = or_(sum_or_zero(both.slots) != 1, sum_or_zero(both.done) != 1)
    return count_of(connection, select(both.subject).group_by(both.subject).having(unlike))


def audit_unbroken(connection: Connection) -> int:
    """Events at which the chain does not hold."""
    return len(verify(connection).broken)


CHECKS: dict[str, tuple[str, Callable[[Connection], int]]] = {
    "storage-sound": ("the database finds its own files sound", unsound_parts),
    "texts-readable": ("texts are such as are stored", unreadable_texts),
    "rows-as-received": ("rows of orders still hash as when they were received", rows_as_received),
    "texts-of-rows": ("every received row has its text", rows_without_text),
    "lines-make-results": ("the lines of a promoter sum to the result", lines_make_results),
    "results-make-settlements": (
        "the results sum to the settlement and its manifest",
        results_make_settlements,
    ),
    "counted-within-cap": ("an order counts at most its amount and at most the cap", counted_within_cap),
    "lines-within-caps": ("a line is above 0, and within its rate and every cap", lines_within_caps),
    "one-result-per-promoter": ("each promoter on the roster has one result", one_result_per_promoter),
    "passes-are-earned": (
        "who passed met every target, and who met them passed unless it was taken back",
        passes_are_earned,
    ),
    "no-order-twice": ("no order is under two promoters", no_order_twice),
    "fold-equals-rebuild": ("every order is what its rows fold into", fold_equals_rebuild),
    ARCHIVES: ("archives are as they were made, and their rows fold into the orders", archives_as_recorded),
    "periods-as-terms-say": ("the bounds of a period are those of its terms", periods_as_terms_say),
    "totals-equal-rebuild": (
        "the totals of open periods are what a full recomputation makes",
        unlike_recomputed,
    ),
    "figures-equal-books": (
        "figures that were computed aside, and say they are of now, are what the books come to",
        unlike_computed,
    ),
    "terms-unchanged": ("terms still read as when they were added", terms_unchanged),
    "notices-unchanged": ("settlements and notices still read as when they were made", notices_unchanged),
    "notices-in-sequence": ("notices are numbered without gaps", notices_in_sequence),
    "statements-chained": (
        "each notice states what was published, and names the statement before it",
        statements_chained,
    ),
    "slices-hold": ("a slice of the platform's orders that is done holds what was told", slices_hold),
    "calendar-once": ("what the calendar asked for was done once", calendar_once),
    **INVARIANTS,
    "outcomes-told": ("what came of payouts is as receipts and people told it", outcomes_as_reported),
    "closings-in-turn": ("periods are closed and reopened in turn, by two people", closings_in_turn),
    "payees-unchanged": (
        "payees are those that were proposed and approved, as the audit has it",
        payees_changed,
    ),
    "audit-unbroken": ("no event of the audit was changed, taken out or put in", audit_unbroken),
    "whole-fen": ("money columns hold nothing but whole fen", whole_fen),
}
