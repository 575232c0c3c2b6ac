"""What finance looks at: every tranche with sums that add up, its payouts with what came of them, its lines, what
corrects earlier ones, and what the next tranche would hold.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, case, distinct, false, func, select, true

from bounty.db import Query
from bounty.models import Level, Notice, Payout, PayoutOutcome, Tranche, TrancheLine, TrancheStep, User
from bounty.payees.service import payees_in_force, promoters_without_payee
from bounty.rules.periods import programme_in_sql
from bounty.rules.sql_math import count_where, sum_or_zero
from bounty.tranches.entitlement import not_replaced, published_periods, tranche_lines_due
from bounty.tranches.files import lines_of, payouts_of
from bounty.tranches.preparation import carried_balances
from bounty.tranches.state import every_tranche, newest_outcomes

NO_MORE = 2**62
"""The number of a tranche that never comes: what lies before it is everything."""

FATES = {
    "HELD": ("无收款信息，暂扣", "held: no payee"),
    "FAILED": ("付款失败", "failed"),
    "DEBT": ("欠款结转", "debt carried over"),
    "DUE": ("应付，待结果", "due, no answer yet"),
    "PAID": ("已付", "paid"),
    "NOTHING": ("已全额抵扣", "set off"),
}
"""What has become of a payout -> its words in Chinese and English; the exceptions first."""


# Tranches


def tranche_overview() -> Query:
    """Each tranche as ``every_tranche`` has it, and: gross_fen (of its orders' first lines), adjustments_fen (of the
    later ones), carry_out_fen (debts that it leaves), failed_fen, prepared_by and approved_by (names; null for nobody).

    A sum of what is paid, held or adjusted is null where the tranche was replaced: it pays nothing.
    """
    every = every_tranche().subquery("every").c
    first = TrancheLine.cause == "EARNED"
    parts = (
        select(
            TrancheLine.tranche_id,
            sum_or_zero(case((first, TrancheLine.amount_fen), else_=0)).label("gross_fen"),
            sum_or_zero(case((first, 0), else_=TrancheLine.amount_fen)).label("adjustments_fen"),
        )
        .group_by(TrancheLine.tranche_id)
        .subquery("parts")
    )
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
        "gross_fen": func.coalesce(parts.c.gross_fen, 0),
        "adjustments_fen": func.coalesce(parts.c.adjustments_fen, 0),
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


def payouts_with_outcomes(tranche_id: int) -> Query:
    """The payouts of a tranche as ``payouts_of`` has them, with the promoter's name and what came of each: fate (a key
    of FATES), words (the payer's, of one that failed), told_at, place (the exceptions first), paid_fen and failed_fen.
    """
    each = payouts_of(tranche_id).order_by(None).subquery("each").c
    newest = newest_outcomes().where(PayoutOutcome.tranche_id == tranche_id).subquery("newest").c
    fate = case(
        (each.state == "HELD", "HELD"),
        (newest.paid.is_(true()), "PAID"),
        (newest.paid.is_(false()), "FAILED"),
        (each.state == "DUE", "DUE"),
        (each.carry_out_fen < 0, "DEBT"),
        else_="NOTHING",
    )
    columns = [column for column in each if column.name != "state"]
    named = select(
        *columns,
        _name_of(each.promoter_id).label("name"),
        fate.label("fate"),
        newest.reason.label("words"),
        newest.told_at,
    )
    with_fate = (
        named.select_from(each.promoter_id.table)
        .outerjoin(newest.paid.table, newest.promoter_id == each.promoter_id)
        .subquery("with_fate")
    )
    rows = with_fate.c
    places = {code: at for at, code in enumerate(FATES)}
    return select(
        with_fate,
        case(places, value=rows.fate).label("place"),
        *(
            case((rows.fate == code, rows.payable_fen), else_=0).label(f"{code.lower()}_fen")
            for code in ("PAID", "FAILED", "HELD")
        ),
    )


def _name_of(promoter_id: Any) -> Any:
    """A promoter's newest name."""
    return (
        select(Level.name)
        .where(Level.promoter_id == promoter_id)
        .order_by(Level.level_from.desc())
        .limit(1)
        .scalar_subquery()
    )


@dataclass(frozen=True, slots=True)
class PayoutStatusSum:
    """The payouts of a tranche that came to the same."""

    fate: str
    promoters: int
    payable_fen: int
    carry_out_fen: int


def payout_status_sums(connection: Connection, tranche_id: int) -> dict[str, PayoutStatusSum]:
    """What the payouts of a tranche come to by fate, the exceptions first; only what there is."""
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


# What corrects earlier lines, who owes, and where money can't go


def adjustments() -> Query:
    """Every line of a standing tranche that corrects an earlier one: tranche_id, promoter_id, order_sn, period, notice,
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
        .where(line.cause != "EARNED", not_replaced())
    )


def debts() -> Query:
    """Who owes: promoter_id, name, debt_fen (below 0), tranche_id (their newest)."""
    carried = carried_balances(None, NO_MORE).subquery("carried").c
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


def without_payee() -> Query:
    """Whom the newest notices give a subsidy and who has no payee: promoter_id, name, subsidy_fen of the notices, and
    held_fen, what tranches could not pay for that."""
    none = promoters_without_payee().order_by(None).subquery("none_of").c
    carried = carried_balances(None, NO_MORE).subquery("carried").c
    held = func.coalesce(carried.carry_fen, 0)
    return select(
        none.promoter_id,
        _name_of(none.promoter_id).label("name"),
        none.subsidy_fen,
        case((held > 0, held), else_=0).label("held_fen"),
    ).outerjoin_from(
        none.promoter_id.table, carried.promoter_id.table, carried.promoter_id == none.promoter_id
    )


def payee_list() -> Query:
    """The payees in force, masked: promoter_id, name, method, shown_account, shown_name, proposal_id."""
    held = payees_in_force().subquery("held").c
    return select(
        held.promoter_id,
        _name_of(held.promoter_id).label("name"),
        held.method,
        held.shown_account,
        held.shown_name,
        held.proposal_id,
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


def next_tranche(connection: Connection, settled_before: int, opened: Any | None) -> NextTranche:
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
