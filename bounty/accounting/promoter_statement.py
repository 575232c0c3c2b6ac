"""A promoter's own money: what each order of a month has come to, and every payment with the lines it is made of.

orders_due (what is deserved, what tranches hold)  ─┐
payments (what came of each payout)  ── fates ──────┴─> the state of each order
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, case, exists, false, func, literal, null, select, true
from sqlalchemy.types import TypeEngine

from bounty.db import Query, WholeNumber, Words, given_rows
from bounty.models import Line, Notice, Order, Payee, Payout, PayoutOutcome, Tranche, TrancheLine, TrancheStep
from bounty.progress.expected_subsidy import expected_lines
from bounty.progress.history import PromoterMonth
from bounty.progress.order_list import listed_now
from bounty.rules.periods import in_programme
from bounty.rules.sql_math import sum_or_zero
from bounty.tranches.entitlement import not_replaced, orders_due, published_periods

STATES = {
    "EXPECTED": ("预计", "expected"),
    "PAYABLE": ("可发放", "payable"),
    "PREPARED": ("准备发放", "in preparation"),
    "PAYING": ("付款中", "being paid"),
    "HELD": ("暂扣", "held"),
    "FAILED": ("付款失败", "payment failed"),
    "PAID": ("已发放", "paid"),
    "SET_OFF": ("已抵扣欠款", "set off against a debt"),
    "TAKEN_BACK": ("扣回", "taken back"),
    "VOID": ("作废", "void"),
}
"""What an order's subsidy has come to -> its words in Chinese and English."""
UNPAID = ("HELD", "FAILED")
"""Of a payment: its money is in the promoter's next one."""

_FATE: dict[str, TypeEngine[Any]] = {
    "tranche_id": WholeNumber,
    "fate": Words(),
    "paid_by": WholeNumber,
    "fate_at": WholeNumber,
}


# Payments


def payments(promoter_id: int) -> Query:
    """A promoter's payouts in standing tranches: tranche_id, settled_before, prepared_at, carry_in_fen, lines_rows,
    given_fen (of orders' first lines), adjusted_fen (of later ones), payable_fen, carry_out_fen (a debt, below 0),
    paid_fen, account (masked; null where there is no payee), fate, words (why it failed), told_at.

    fate   HELD, PREPARED (not sent yet), PAYING, PAID, FAILED, or SET_OFF where nothing was payable
    """
    payout, outcome = Payout, PayoutOutcome
    newest = (
        select(func.max(outcome.number))
        .where(outcome.promoter_id == payout.promoter_id, outcome.tranche_id == payout.tranche_id)
        .correlate(payout.__table__)
        .scalar_subquery()
    )
    exported = exists().where(TrancheStep.tranche_id == payout.tranche_id, TrancheStep.step == "EXPORTED")
    replaced = select(TrancheStep.tranche_id).where(TrancheStep.step == "REPLACED")
    lines = (
        select(
            TrancheLine.tranche_id,
            sum_or_zero(case((TrancheLine.cause == "EARNED", TrancheLine.amount_fen), else_=0)).label(
                "given_fen"
            ),
            sum_or_zero(case((TrancheLine.cause == "EARNED", 0), else_=TrancheLine.amount_fen)).label(
                "adjusted_fen"
            ),
        )
        .where(TrancheLine.promoter_id == promoter_id)
        .group_by(TrancheLine.tranche_id)
        .subquery("of_lines")
    )
    fate = case(
        (and_(payout.payable_fen == 0, exported), "SET_OFF"),
        (payout.payable_fen == 0, "PREPARED"),
        (payout.proposal_id.is_(None), "HELD"),
        (outcome.paid.is_(true()), "PAID"),
        (outcome.paid.is_(false()), "FAILED"),
        (exported, "PAYING"),
        else_="PREPARED",
    )
    return (
        select(
            payout.tranche_id,
            Tranche.settled_before,
            Tranche.prepared_at,
            payout.carry_in_fen,
            payout.lines_rows,
            func.coalesce(lines.c.given_fen, 0).label("given_fen"),
            func.coalesce(lines.c.adjusted_fen, 0).label("adjusted_fen"),
            payout.payable_fen,
            (payout.carry_in_fen + payout.lines_fen - payout.payable_fen).label("carry_out_fen"),
            case((fate == "PAID", payout.payable_fen), else_=0).label("paid_fen"),
            Payee.shown_account.label("account"),
            fate.label("fate"),
            case((outcome.paid.is_(false()), outcome.reason)).label("words"),
            outcome.told_at,
        )
        .select_from(payout)
        .join(Tranche, Tranche.tranche_id == payout.tranche_id)
        .outerjoin(lines, lines.c.tranche_id == payout.tranche_id)
        .outerjoin(
            outcome,
            and_(
                outcome.promoter_id == payout.promoter_id,
                outcome.tranche_id == payout.tranche_id,
                outcome.number == newest,
            ),
        )
        .outerjoin(
            Payee, and_(Payee.promoter_id == payout.promoter_id, Payee.proposal_id == payout.proposal_id)
        )
        .where(payout.promoter_id == promoter_id, payout.tranche_id.not_in(replaced))
    )


@dataclass(frozen=True, slots=True)
class PayoutStatus:
    """What has become of a promoter's lines of one tranche."""

    fate: str
    """As a payment's; of the payment that took over what was held or failed."""
    tranche_id: int
    """Of that payment."""
    at: int | None
    """When the payer said so; null while nobody has."""


def payout_statuses(connection: Connection, promoter_id: int) -> dict[int, PayoutStatus]:
    """What has become of a promoter's lines, by the tranche they are in.

    What was held or failed is in the next payment that was prepared afterwards.
    """
    every = connection.execute(payments(promoter_id).order_by(Payout.tranche_id)).all()

    def of(at: int) -> PayoutStatus:
        row = every[at]
        if row.fate in UNPAID:
            for later in range(at + 1, len(every)):
                if every[later].prepared_at >= (row.told_at or 0):
                    return of(later)
        return PayoutStatus(row.fate, row.tranche_id, row.told_at)

    return {row.tranche_id: of(at) for at, row in enumerate(every)}


def payment_lines(promoter_id: int, tranche_id: int | None = None) -> Query:
    """A promoter's lines in standing tranches, or in one of them: tranche_id, order_sn, goods_name, theirs (whether the
    order still is), period, notice, cause, corrects_id, amount_fen."""
    line = TrancheLine
    lines = (
        select(
            line.tranche_id,
            line.order_sn,
            Order.goods_name,
            Order.order_sn.is_not(None).label("theirs"),
            line.period,
            Notice.notice,
            line.cause,
            line.corrects_id,
            line.amount_fen,
        )
        .join(Notice, Notice.settlement_id == line.settlement_id)
        .outerjoin(Order, and_(Order.promoter_id == line.promoter_id, Order.order_sn == line.order_sn))
        .where(line.promoter_id == promoter_id, not_replaced())
    )
    return lines if tranche_id is None else lines.where(line.tranche_id == tranche_id)


# The orders of a month


def month_lines(connection: Connection, promoter_id: int, month: PromoterMonth, now: int) -> Query:
    """What each order of a month earns, and where that money is: order_sn, goods_name, theirs, paid_at, basis_fen,
    rate_permille, subsidy_fen (of the newest notice, or expected), held_fen (in tranches), open_fen (what is still to
    come, or below 0 to be taken back), state (a key of STATES), why (a key of VOID or CAUSES of ``deserved``; null),
    tranche_id (in which it is paid; null), told_at (when the payer said so), settled_at.
    """
    if month.published is None:
        every = expected_lines(*listed_now(connection, promoter_id, month, now)).subquery("every").c
        return select(
            *(every[name] for name in ("order_sn", "goods_name", "paid_at", "basis_fen", "rate_permille")),
            (literal(1) == 1).label("theirs"),
            every.subsidy_fen,
            literal(0, WholeNumber).label("held_fen"),
            every.subsidy_fen.label("open_fen"),
            literal("EXPECTED").label("state"),
            case((literal(1) == 0, ""), else_=null()).label("why"),
            literal(None, WholeNumber).label("tranche_id"),
            literal(None, WholeNumber).label("told_at"),
            every.settled_at,
        )
    return _published(connection, promoter_id, month, now)


def _published(connection: Connection, promoter_id: int, month: PromoterMonth, now: int) -> Query:
    assert month.published is not None
    due = orders_due(published_periods(connection, now), promoter_id=promoter_id).subquery("due").c
    become = given_rows(
        _FATE,
        [
            {"tranche_id": tranche_id, "fate": each.fate, "paid_by": each.tranche_id, "fate_at": each.at}
            for tranche_id, each in payout_statuses(connection, promoter_id).items()
        ],
    ).subquery("become")
    of_programme = in_programme(TrancheLine.period.expression, month.period.programme)
    newest = (
        select(TrancheLine.order_sn, func.max(TrancheLine.tranche_id).label("tranche_id"))
        .where(TrancheLine.promoter_id == promoter_id, of_programme, not_replaced())
        .group_by(TrancheLine.order_sn)
        .subquery("newest")
    )
    last = (
        select(TrancheLine.order_sn, TrancheLine.tranche_id, TrancheLine.cause)
        .where(TrancheLine.promoter_id == promoter_id, of_programme)
        .subquery("last")
    )
    given = due.first_id.is_not(None)
    back = and_(given, due.deserved_fen == 0)
    state = case(
        (back, "TAKEN_BACK"),
        (given, become.c.fate),
        (due.void.is_not(None), "VOID"),
        (due.due_fen > 0, "PAYABLE"),
        else_="EXPECTED",
    )
    why = case(
        (back, func.coalesce(due.void, case((due.held_fen == 0, last.c.cause), else_=due.cause))),
        else_=due.void,
    )
    return (
        select(
            due.order_sn,
            Order.goods_name,
            Order.order_sn.is_not(None).label("theirs"),
            func.coalesce(Line.paid_at, Order.paid_at).label("paid_at"),
            Line.basis_fen,
            case((Line.basis_fen.is_not(None), literal(month.published.rate_permille, WholeNumber))).label(
                "rate_permille"
            ),
            func.coalesce(Line.subsidy_fen, 0).label("subsidy_fen"),
            due.held_fen,
            (due.deserved_fen - due.held_fen).label("open_fen"),
            state.label("state"),
            why.label("why"),
            become.c.paid_by.label("tranche_id"),
            become.c.fate_at.label("told_at"),
            Order.settled_at,
        )
        .select_from(due.order_sn.table)
        .outerjoin(newest, newest.c.order_sn == due.order_sn)
        .outerjoin(last, and_(last.c.order_sn == newest.c.order_sn, last.c.tranche_id == newest.c.tranche_id))
        .outerjoin(become, become.c.tranche_id == newest.c.tranche_id)
        .outerjoin(
            Line,
            and_(
                Line.promoter_id == promoter_id,
                Line.settlement_id == month.published.settlement_id,
                Line.order_sn == due.order_sn,
            ),
        )
        .outerjoin(Order, and_(Order.promoter_id == promoter_id, Order.order_sn == due.order_sn))
        .where(due.period == str(month.period))
    )


@dataclass(frozen=True, slots=True)
class StateSum:
    """The orders of one state."""

    orders: int = 0
    subsidy_fen: int = 0
    held_fen: int = 0
    open_fen: int = 0


def by_state(connection: Connection, lines: Query) -> dict[str, StateSum]:
    """What the orders of each state come to; every state is there."""
    every = lines.subquery("lines").c
    found = connection.execute(
        select(
            every.state,
            func.count().label("orders"),
            *(sum_or_zero(every[name]).label(name) for name in ("subsidy_fen", "held_fen", "open_fen")),
        ).group_by(every.state)
    )
    sums = {row.state: StateSum(row.orders, row.subsidy_fen, row.held_fen, row.open_fen) for row in found}
    return {state: sums.get(state, StateSum()) for state in STATES}
