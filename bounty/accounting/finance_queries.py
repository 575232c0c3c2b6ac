"""What finance looks at: every tranche with sums that add up, its payouts with their results, its lines, what
corrects earlier ones, and what the next tranche would hold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import (
    Connection,
    ScalarSelect,
    SQLColumnExpression,
    and_,
    case,
    distinct,
    false,
    func,
    literal_column,
    or_,
    select,
    true,
    union_all,
)

from bounty import figures
from bounty.clock import midnight, shanghai_date
from bounty.db import Query, QueryRow, equal, is_one_of, row_where
from bounty.figures import Figure, ListFigure, list_content
from bounty.json_types import JsonObject
from bounty.labels import LabelledCode
from bounty.models import Level, Notice, Payout, PayoutOutcome, Tranche, TrancheLine, TrancheStep, User
from bounty.models.payees import PayeeMethod
from bounty.payees.service import payees_in_force, promoters_without_payee
from bounty.rules.periods import programme_in_sql
from bounty.rules.sql_math import count_where, sum_or_zero
from bounty.tranches.entitlement import not_replaced, orders_due, published_periods, tranche_lines_due
from bounty.tranches.files import lines_of, payouts_of
from bounty.tranches.holds import is_held
from bounty.tranches.preparation import carried_balances
from bounty.tranches.state import TrancheRow, every_tranche, newest_outcomes, newest_tranche, of_payout

NO_MORE = 2**62
"""The number of a tranche that never comes: what lies before it is everything."""


class TranchePayoutStatus(LabelledCode):
    """What has become of a payout; the exceptions first."""

    HELD = "HELD", "无收款信息，暂扣", "held: no payee"
    FAILED = "FAILED", "付款失败", "failed"
    DEBT = "DEBT", "欠款结转", "debt carried over"
    DUE = "DUE", "应付，待结果", "due, no answer yet"
    PAID = "PAID", "已付", "paid"
    NOTHING = "NOTHING", "已全额抵扣", "set off"


PAYOUT_SUMS = ("carry_in_fen", "lines_rows", "lines_fen", "payable_fen", "paid_fen", "carry_out_fen")
"""What is summed of the payouts of a tranche."""

# Tranches


def tranche_overview() -> Query:
    """Each tranche as ``every_tranche`` has it, and: gross_fen (of its orders' first lines), adjustments_fen (of the
    later ones), carry_out_fen (debts that it leaves), failed_fen, prepared_by and approved_by (names; null for nobody).

    A sum of what is paid, held or adjusted is null where the tranche was replaced: it pays nothing.
    """
    every = every_tranche().subquery("every").c
    # Written out, not bound, so that SQLite finds the index of just these lines.
    corrects = TrancheLine.cause != literal_column("'EARNED'")
    parts = (
        select(
            TrancheLine.tranche_id, sum_or_zero(TrancheLine.__table__.c.amount_fen).label("adjustments_fen")
        )
        .where(corrects)
        .group_by(TrancheLine.tranche_id)
        .subquery("parts")
    )
    adjustments_fen = func.coalesce(parts.c.adjustments_fen, 0)
    approved = (
        select(TrancheStep.tranche_id, func.aggregate_strings(User.name, ", ").label("names"))
        .join(User, User.id == TrancheStep.user_id)
        .join(Tranche, Tranche.tranche_id == TrancheStep.tranche_id)
        .where(
            TrancheStep.step == "APPROVED",
            TrancheStep.content_sha256 == Tranche.content_sha256,
            TrancheStep.user_id != func.coalesce(Tranche.prepared_by_id, 0),
        )
        .group_by(TrancheStep.tranche_id)
        .subquery("approved")
    )
    preparer = select(User.id, User.name).subquery("preparer")
    stands = every.replaced == 0
    sums = {
        "lines_rows": every.lines_rows,
        "payouts_rows": every.payouts_rows,
        "gross_fen": every.lines_fen - adjustments_fen,
        "adjustments_fen": adjustments_fen,
        "carry_in_fen": every.carry_in_fen,
        "carry_out_fen": every.carry_in_fen + every.lines_fen - every.payable_fen,
        "payable_fen": every.payable_fen,
        "due_fen": every.due_fen,
        "held_fen": every.held_fen,
        "paid_fen": every.paid_fen,
    }
    return (
        select(
            *(column for column in every if column.name not in sums),
            *(case((stands, value)).label(name) for name, value in sums.items()),
            preparer.c.name.label("prepared_by"),
            approved.c.names.label("approved_by"),
        )
        .select_from(every.tranche_id.table)
        .outerjoin(parts, parts.c.tranche_id == every.tranche_id)
        .outerjoin(approved, approved.c.tranche_id == every.tranche_id)
        .outerjoin(preparer, preparer.c.id == every.prepared_by_id)
    )


# One tranche


def tranche_in_overview(connection: Connection, tranche_id: int) -> QueryRow | None:
    """A tranche as ``tranche_overview`` has it; null where there is none."""
    return row_where(connection, tranche_overview(), tranche_id=tranche_id)


def payouts_with_outcomes(tranche_id: int) -> Query:
    """The payouts of a tranche as ``payouts_of`` has them, with the promoter's name and the outcome of each: fate (a
    TranchePayoutStatus), words (the payer's, of one that failed), told_at, place (the exceptions first), paid_fen and
    failed_fen.
    """
    each = payouts_of(tranche_id).order_by(None).subquery("each").c
    newest = newest_outcomes().where(PayoutOutcome.tranche_id == tranche_id).subquery("newest").c
    payout_status = case(
        (each.state == "HELD", TranchePayoutStatus.HELD.value),
        (newest.paid.is_(true()), TranchePayoutStatus.PAID.value),
        (newest.paid.is_(false()), TranchePayoutStatus.FAILED.value),
        (each.state == "DUE", TranchePayoutStatus.DUE.value),
        (each.carry_out_fen < 0, TranchePayoutStatus.DEBT.value),
        else_=TranchePayoutStatus.NOTHING.value,
    )
    columns = [column for column in each if column.name != "state"]
    named = select(
        *columns,
        _name_of(each.promoter_id).label("name"),
        payout_status.label("fate"),
        newest.reason.label("words"),
        newest.told_at,
    )
    with_status = (
        named.select_from(each.promoter_id.table)
        .outerjoin(newest.paid.table, newest.promoter_id == each.promoter_id)
        .subquery("with_status")
    )
    rows = with_status.c
    places = {code.value: at for at, code in enumerate(TranchePayoutStatus)}
    return select(
        with_status,
        case(places, value=rows.fate).label("place"),
        *(
            case((rows.fate == code, rows.payable_fen), else_=0).label(f"{code.lower()}_fen")
            for code in ("PAID", "FAILED", "HELD")
        ),
    )


def _name_of(promoter_id: SQLColumnExpression[int]) -> ScalarSelect[str]:
    """A promoter's newest name."""
    return (
        select(Level.name)
        .where(Level.promoter_id == promoter_id)
        .order_by(Level.level_from.desc())
        .limit(1)
        .scalar_subquery()
    )


def payouts_subject(tranche_id: int) -> str:
    """The stored figure of a tranche's payouts."""
    return f"payouts {tranche_id}"


def payouts_content(connection: Connection, tranche_id: int) -> JsonObject:
    """The payouts of a tranche by status and method, as they are stored."""
    filters = {f"fate={code}": equal("fate", str(code)) for code in TranchePayoutStatus}
    filters |= {f"method={method}": equal("method", str(method)) for method in PayeeMethod}
    rows = payouts_with_outcomes(tranche_id)
    return list_content(connection, rows, "promoter_id", "place", filters, PAYOUT_SUMS)


@dataclass(frozen=True, slots=True)
class PayoutStatusSum:
    """The payouts of a tranche that came to the same."""

    status: str
    promoters: int
    payable_fen: int
    carry_out_fen: int


def payout_status_sums(
    connection: Connection, tranche_id: int, kept: Mapping[str, ListFigure] | None
) -> dict[str, PayoutStatusSum]:
    """What the payouts of a tranche come to by status, the exceptions first; only what there is.

    kept   ``payouts_content``, if nothing has changed since
    """
    if kept is not None:
        stored = {str(code): kept[f"fate={code}"] for code in TranchePayoutStatus}
        return {
            code: PayoutStatusSum(code, each.rows, each.sums["payable_fen"], each.sums["carry_out_fen"])
            for code, each in stored.items()
            if each.rows
        }
    rows = payouts_with_outcomes(tranche_id).subquery("rows").c
    found = connection.execute(
        select(rows.fate, func.count(), sum_or_zero(rows.payable_fen), sum_or_zero(rows.carry_out_fen))
        .group_by(rows.fate, rows.place)
        .order_by(rows.place)
    )
    return {row[0]: PayoutStatusSum(*row) for row in found}


def tranche_lines_with_orders(tranche_id: int) -> Query:
    """The lines of a tranche, as its file has them."""
    return lines_of(tranche_id).order_by(None)


def lines_sums(connection: Connection, tranche_id: int) -> tuple[int, int]:
    """How many lines a tranche has, and what they sum to, as its row says; `bounty check` compares them."""
    tranche = Tranche.__table__.c
    sums = select(tranche.lines_rows, tranche.lines_fen).where(tranche.tranche_id == tranche_id)
    rows, fen = connection.execute(sums).one()
    return rows, fen


# What corrects earlier lines, who owes, and where money can't go


def adjustments() -> Query:
    """Every line of a tranche in force that corrects an earlier one: tranche_id, promoter_id, order_sn, period, notice,
    cause, corrects_id, given_fen (of the order's first line), amount_fen."""
    line, first = TrancheLine, TrancheLine.__table__.alias("first")
    return (
        select(
            line.tranche_id,
            line.promoter_id,
            line.order_sn,
            line.period,
            Notice.notice,
            line.cause,
            line.corrects_id,
            first.c.amount_fen.label("given_fen"),
            line.amount_fen,
        )
        .join(Notice, Notice.settlement_id == line.settlement_id)
        .outerjoin(
            first,
            and_(
                first.c.promoter_id == line.promoter_id,
                first.c.order_sn == line.order_sn,
                programme_in_sql(first.c.period) == programme_in_sql(line.period.expression),
                first.c.tranche_id == line.corrects_id,
            ),
        )
        .where(line.cause != literal_column("'EARNED'"), not_replaced())
    )


def corrections_sum(connection: Connection) -> tuple[int, int]:
    """How many lines of standing tranches correct earlier ones, and what they come to, whole fen; from their index."""
    line = TrancheLine.__table__.c
    sums = select(func.count(), sum_or_zero(line.amount_fen)).where(
        line.cause != literal_column("'EARNED'"), not_replaced()
    )
    rows, fen = connection.execute(sums).one()
    return rows, fen


def _carried(promoters: Sequence[int] | None = None) -> Query:
    """What tranches leave of each promoter, or of each of these, as ``carried_balances`` has it, by the sums that
    payouts have of their lines (`bounty check` compares them): a page need not add up the lines."""
    replaced = select(TrancheStep.tranche_id).where(TrancheStep.step == "REPLACED")
    given = select(Payout.promoter_id, Payout.lines_fen.label("fen")).where(
        Payout.tranche_id.not_in(replaced), is_one_of(Payout.promoter_id, promoters)
    )
    outcome = newest_outcomes().subquery("outcome")
    paid = (
        select(Payout.promoter_id, -Payout.payable_fen)
        .join(outcome, of_payout(outcome))
        .where(outcome.c.paid.is_(true()), is_one_of(Payout.promoter_id, promoters))
    )
    side = union_all(given, paid).subquery("sides").c
    return select(side.promoter_id, sum_or_zero(side.fen).label("carry_fen")).group_by(side.promoter_id)


def debts() -> Query:
    """Who owes: promoter_id, name, debt_fen (below 0), tranche_id (their newest)."""
    carried = _carried().subquery("carried").c
    newest = (
        select(Payout.promoter_id, func.max(Payout.tranche_id).label("tranche_id"))
        .group_by(Payout.promoter_id)
        .subquery("newest")
    )
    return (
        select(
            carried.promoter_id,
            _name_of(carried.promoter_id).label("name"),
            carried.carry_fen.label("debt_fen"),
            newest.c.tranche_id,
        )
        .join(newest, newest.c.promoter_id == carried.promoter_id)
        .where(carried.carry_fen < 0)
    )


def without_payee(promoters: Sequence[int] | None = None) -> Query:
    """Whom the newest notices give a subsidy and who has no payee, or just those of these: promoter_id, name,
    subsidy_fen of the notices, and held_fen, what tranches could not pay for that."""
    none = promoters_without_payee(promoters).order_by(None).subquery("none_of").c
    carried = _carried(promoters).subquery("carried").c
    held = func.coalesce(carried.carry_fen, 0)
    return select(
        none.promoter_id,
        _name_of(none.promoter_id).label("name"),
        none.subsidy_fen,
        case((held > 0, held), else_=0).label("held_fen"),
    ).outerjoin_from(
        none.promoter_id.table, carried.promoter_id.table, carried.promoter_id == none.promoter_id
    )


def payee_list(promoters: Sequence[int] | None = None) -> Query:
    """The payees in force, or those of these promoters, masked: promoter_id, name, method, shown_account, shown_name,
    proposal_id."""
    held = payees_in_force(promoters).subquery("held").c
    return select(
        held.promoter_id,
        _name_of(held.promoter_id).label("name"),
        held.method,
        held.shown_account,
        held.shown_name,
        held.proposal_id,
    )


PAYEES, WITHOUT_PAYEE = "payees", "without payee"
"""The stored figures of the payees in force, and of who has none."""


def payees_content(connection: Connection) -> JsonObject:
    """The payees in force by method, as they are stored."""
    methods = {f"method={method}": equal("method", str(method)) for method in PayeeMethod}
    return list_content(connection, payee_list(), "promoter_id", "promoter_id", methods)


def without_payee_content(connection: Connection) -> JsonObject:
    """Who has no payee, as it is stored."""
    return list_content(
        connection, without_payee(), "promoter_id", "-held_fen", {}, ("subsidy_fen", "held_fen")
    )


# What comes next


@dataclass(frozen=True, slots=True)
class NextTranche:
    """What a tranche would hold if it were prepared now."""

    settled_before: int
    orders: int
    promoters: int
    given_fen: int
    """Of orders' first lines."""
    adjusted: int
    """How many lines correct earlier ones."""
    adjustments_fen: int
    carried: int
    """Promoters whose money earlier tranches could not pay."""
    carried_fen: int

    @property
    def anything(self) -> bool:
        """Whether there is anything to prepare."""
        return self.orders + self.adjusted + self.carried > 0


NEXT_TRANCHE = "next-tranche"
"""The stored figure of what comes next."""


@dataclass(frozen=True, slots=True)
class Coming:
    """The next tranche as finance sees it."""

    tranche: NextTranche
    """Of what settled before the day on which it was computed."""
    opened: int | None
    """The open tranche at that time; null where there was none."""
    outdated: bool
    """Whether the lines that were due were no longer those of the open tranche."""
    periods: list[str]
    """The periods of which preparing would have brought lines that no tranche in force has."""


def coming_shown(connection: Connection, now: int) -> tuple[Coming | None, Figure]:
    """What comes next, for a page, which does not add up large books; null before it was first computed."""
    facts = figures.state_of_books(connection, now)
    found = figures.figure(connection, NEXT_TRANCHE, facts, now, lambda: coming_content(connection, now))
    if found.content is None:
        return None, found
    tranche = NextTranche(**found.content["tranche"])
    return Coming(**found.content | {"tranche": tranche}), found


def coming_content(connection: Connection, now: int) -> dict[str, object]:
    """The next tranche as it is stored."""
    newest = newest_tranche(connection)
    opened = newest if newest is not None and newest.is_open else None
    today = midnight(shanghai_date(now))
    coming = Coming(
        next_tranche(connection, today, opened),
        None if opened is None else opened.tranche_id,
        opened is not None and is_outdated(connection, opened),
        payable_periods(connection, now),
    )
    return asdict(coming)


def is_outdated(connection: Connection, opened: TrancheRow) -> bool:
    """Whether the lines that are due are no longer those of the open tranche: then it can be neither approved nor
    exported, and has to be prepared again."""
    due = next_tranche(connection, opened.settled_before, opened)
    lines, fen = due.orders + due.adjusted, due.given_fen + due.adjustments_fen
    return (lines, fen) != (opened.lines_rows, opened.lines_fen)


def payable_periods(connection: Connection, now: int, period: str | None = None) -> list[str]:
    """The periods, or one of them, of which preparing a tranche now would bring lines that no tranche in force has."""
    judged: Query = published_periods(connection, now)
    if period is not None:
        of_period = judged.subquery("judged")
        judged = select(of_period).where(of_period.c.period == period)
    order = orders_due(judged).subquery("order_due").c
    payable = or_(order.due_fen < 0, and_(order.due_fen > 0, ~is_held(order.promoter_id, order.period)))
    found = select(order.period).where(payable).distinct().order_by(order.period)
    return list(connection.execute(found).scalars())


def next_tranche(connection: Connection, settled_before: int, opened: TrancheRow | None) -> NextTranche:
    """What preparing would gather of orders settled before an instant.

    opened   the tranche that it would replace, or null
    """
    but = None if opened is None else opened.tranche_id
    line = tranche_lines_due(published_periods(connection, settled_before), but).subquery("line").c
    first = line.cause == "EARNED"
    lines = connection.execute(
        select(
            count_where(first),
            func.count(distinct(line.promoter_id)),
            sum_or_zero(case((first, line.amount_fen), else_=0)),
            count_where(line.cause != "EARNED"),
            sum_or_zero(case((first, 0), else_=line.amount_fen)),
        )
    ).one()
    left = carried_balances(but, NO_MORE).subquery("left").c
    carried = connection.execute(
        select(func.count(), sum_or_zero(left.carry_fen)).where(left.carry_fen > 0)
    ).one()
    return NextTranche(settled_before, *lines, *carried)
