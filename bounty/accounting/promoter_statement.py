"""A promoter's own money: what each order of a month has come to, and every payment with the lines it is made of.

orders_due (what is entitled, what tranches hold) ──┐
payments (the result of each payout) ── statuses ───┴─> the state of each order
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from sqlalchemy import (
    BigInteger,
    Connection,
    and_,
    case,
    exists,
    false,
    func,
    literal,
    literal_column,
    null,
    select,
    true,
)

from bounty.db import Query, QueryRow, WholeNumber, Words, fetch_all, fetch_first, given_rows
from bounty.labels import LabelledCode
from bounty.models import (
    Line,
    Notice,
    Order,
    Payee,
    PayeeApproval,
    Payout,
    PayoutOutcome,
    Tranche,
    TrancheLine,
    TrancheStep,
)
from bounty.orders.queries import OrderNumbers
from bounty.progress.expected_subsidy import expected_lines
from bounty.progress.history import PromoterMonth
from bounty.progress.order_list import listed_now
from bounty.rules.periods import in_programme
from bounty.rules.sql_math import sum_or_zero
from bounty.tranches.entitlement import not_replaced, orders_due, published_periods


class SubsidyState(LabelledCode):
    """What an order's subsidy has come to."""

    EXPECTED = "EXPECTED", "预计", "expected"
    PAYABLE = "PAYABLE", "可发放", "payable"
    PREPARED = "PREPARED", "准备发放", "in preparation"
    PAYING = "PAYING", "付款中", "being paid"
    HELD = "HELD", "暂扣", "held"
    FAILED = "FAILED", "付款失败", "payment failed"
    PAID = "PAID", "已发放", "paid"
    SET_OFF = "SET_OFF", "已抵扣欠款", "set off against a debt"
    TAKEN_BACK = "TAKEN_BACK", "扣回", "taken back"
    VOID = "VOID", "作废", "void"


UNPAID = ("HELD", "FAILED")
"""Of a payment: its money is in the promoter's next one."""

_STATUS: dict[str, Words | BigInteger] = {
    "tranche_id": WholeNumber,
    "status": Words(),
    "paid_by": WholeNumber,
    "status_at": WholeNumber,
}


# Payments


class PayeeState(NamedTuple):
    """Where a promoter is paid."""

    method: str | None
    """``alipay`` or ``bank``; null without a payee."""
    shown_account: str | None
    """Masked."""
    in_force: bool
    """False while it waits for its approval, and none was approved before."""
    held_fen: int
    """What the newest payment could not pay, as there was no payee; whole fen."""


def payee_of(connection: Connection, promoter_id: int) -> PayeeState:
    """Where a promoter is paid now; failing that, the newest payee that waits for its approval. One query."""
    in_force = PayeeApproval.proposal_id.is_not(None)
    payee = (
        select(Payee.method, Payee.shown_account, case((in_force, 1), else_=0).label("in_force"))
        .outerjoin(PayeeApproval, PayeeApproval.proposal_id == Payee.proposal_id)
        .where(Payee.promoter_id == promoter_id)
        .order_by(in_force.desc(), Payee.proposal_id.desc())
        .limit(1)
        .subquery("payee")
    )
    replaced = select(TrancheStep.tranche_id).where(TrancheStep.step == "REPLACED")
    newest = (
        select(case((Payout.proposal_id.is_(None), Payout.payable_fen), else_=0))
        .where(Payout.promoter_id == promoter_id, Payout.tranche_id.not_in(replaced))
        .order_by(Payout.tranche_id.desc())
        .limit(1)
        .scalar_subquery()
    )
    one = select(literal(1)).subquery("one")
    columns = (payee.c.method, payee.c.shown_account, payee.c.in_force, newest)
    row = connection.execute(select(*columns).select_from(one.outerjoin(payee, true()))).one()
    return PayeeState(row[0], row[1], bool(row[2]), row[3] or 0)


class PaymentRow(NamedTuple):
    """A payout of a promoter in a tranche in force."""

    tranche_id: int
    settled_before: int
    prepared_at: int
    carry_in_fen: int
    lines_rows: int
    given_fen: int
    """Of orders' first lines."""
    adjusted_fen: int
    """Of later ones."""
    payable_fen: int
    carry_out_fen: int
    """A debt, below 0."""
    paid_fen: int
    account: str | None
    """Masked; null where there is no payee."""
    fate: str
    """HELD, PREPARED (not sent yet), PAYING, PAID, FAILED, or SET_OFF where nothing was payable."""
    words: str | None
    """Why it failed."""
    told_at: int | None


def payments(promoter_id: int) -> Query:
    """A promoter's payouts in tranches in force, as ``PaymentRow``."""
    payout, outcome = Payout, PayoutOutcome
    newest = (
        select(func.max(outcome.number))
        .where(outcome.promoter_id == payout.promoter_id, outcome.tranche_id == payout.tranche_id)
        .correlate(payout.__table__)
        .scalar_subquery()
    )
    exported = exists().where(TrancheStep.tranche_id == payout.tranche_id, TrancheStep.step == "EXPORTED")
    replaced = select(TrancheStep.tranche_id).where(TrancheStep.step == "REPLACED")
    # What corrects earlier lines has an index of its own, so that nobody adds up the others; written out, not bound,
    # so that SQLite finds it.
    corrections = (
        select(sum_or_zero(TrancheLine.__table__.c.amount_fen))
        .where(
            TrancheLine.promoter_id == payout.promoter_id,
            TrancheLine.tranche_id == payout.tranche_id,
            TrancheLine.cause != literal_column("'EARNED'"),
        )
        .correlate(payout.__table__)
        .scalar_subquery()
    )
    payout_status = case(
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
            (payout.lines_fen - corrections).label("given_fen"),
            corrections.label("adjusted_fen"),
            payout.payable_fen,
            (payout.carry_in_fen + payout.lines_fen - payout.payable_fen).label("carry_out_fen"),
            case((payout_status == "PAID", payout.payable_fen), else_=0).label("paid_fen"),
            Payee.shown_account.label("account"),
            payout_status.label("fate"),
            case((outcome.paid.is_(false()), outcome.reason)).label("words"),
            outcome.told_at,
        )
        .select_from(payout)
        .join(Tranche, Tranche.tranche_id == payout.tranche_id)
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

    status: str
    """As a payment's; of the payment that took over what was held or failed."""
    tranche_id: int
    """Of that payment."""
    at: int | None
    """When the payer said so; null while nobody has."""


def every_payment(connection: Connection, promoter_id: int) -> list[PaymentRow]:
    """All payments of a promoter, the oldest first."""
    return fetch_all(connection, payments(promoter_id).order_by(Payout.tranche_id), PaymentRow)


def payment_of(connection: Connection, promoter_id: int, tranche_id: int) -> PaymentRow | None:
    """A promoter's payment of one tranche; null where there is none."""
    return fetch_first(connection, payments(promoter_id).where(Payout.tranche_id == tranche_id), PaymentRow)


def payout_statuses(every: Sequence[PaymentRow]) -> dict[int, PayoutStatus]:
    """What has become of a promoter's lines, by the tranche they are in.

    every   as ``every_payment`` gives them

    What was held or failed is in the next payment that was prepared afterwards.
    """

    def of(at: int) -> PayoutStatus:
        row = every[at]
        if row.fate in UNPAID:
            for later in range(at + 1, len(every)):
                if every[later].prepared_at >= (row.told_at or 0):
                    return of(later)
        return PayoutStatus(row.fate, row.tranche_id, row.told_at)

    return {row.tranche_id: of(at) for at, row in enumerate(every)}


class PaymentLine(Protocol):
    """What pages read of why a line is in its tranche: of a row of ``payment_lines``."""

    cause: str
    corrects_id: int | None


def payment_lines(promoter_id: int, tranche_id: int | None = None) -> Query:
    """A promoter's lines in tranches in force, or in one of them: tranche_id, order_sn, goods_name, theirs (whether the
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


def payment_lines_of_order(connection: Connection, promoter_id: int, order_sn: str) -> list[QueryRow]:
    """A promoter's payment lines of one order, as ``payment_lines`` has them, the oldest first."""
    lines = payment_lines(promoter_id).where(TrancheLine.order_sn == order_sn)
    return list(connection.execute(lines.order_by(TrancheLine.tranche_id)))


# The orders of a month


@dataclass(frozen=True, slots=True)
class PromoterBooks:
    """What every view of a promoter's money is made of."""

    promoter_id: int
    payments: list[PaymentRow]
    """All, the oldest first."""
    judged: Query
    """As ``entitlement.published_periods`` gives it."""


def books_of_promoter(connection: Connection, promoter_id: int, now: int) -> PromoterBooks:
    """Two queries, whatever there is."""
    return PromoterBooks(
        promoter_id, every_payment(connection, promoter_id), published_periods(connection, now)
    )


@dataclass(frozen=True, slots=True)
class PromoterTotals:
    """What the published months come to for a promoter, whole fen: the three are all that their notices promise."""

    paid_fen: int
    on_the_way_fen: int
    """Due, and not paid: payable, in a tranche, held or failed; below 0 where more is owed back than is due."""
    waiting_fen: int
    """Of orders whose commission has not settled."""


def totals_of(connection: Connection, books: PromoterBooks) -> PromoterTotals:
    """The sums over all published months; one query."""
    due = orders_due(books.judged, promoter_id=books.promoter_id).subquery("due").c
    sums = select(sum_or_zero(due.entitled_fen), sum_or_zero(due.held_fen), sum_or_zero(due.due_fen))
    entitled_fen, in_tranches, payable = connection.execute(sums).one()
    paid = sum(row.paid_fen for row in books.payments)
    return PromoterTotals(
        paid_fen=paid,
        on_the_way_fen=in_tranches - paid + payable,
        waiting_fen=entitled_fen - in_tranches - payable,
    )


class MonthLine(Protocol):
    """What pages read of where an order's money is: of a row of ``month_lines``."""

    state: str
    why: str | None
    subsidy_fen: int
    open_fen: int
    tranche_id: int | None
    told_at: int | None
    received_at: int | None
    verified_at: int | None
    settled_at: int | None


def month_lines(
    connection: Connection,
    books: PromoterBooks,
    month: PromoterMonth,
    now: int,
    numbers: OrderNumbers | None = None,
) -> Query:
    """What each order of a month earns, and where that money is: order_sn, goods_name, theirs, paid_at, basis_fen,
    rate_permille, subsidy_fen (of the newest notice, or expected), held_fen (in tranches), open_fen (what is still to
    come, or below 0 to be taken back), state (one of SubsidyState), why (a VoidReason or LineCause; null), tranche_id
    (in which it is paid; null), told_at (when the payer said so), received_at, verified_at, settled_at.

    numbers   only of the orders of these numbers
    """
    if month.published is None:
        listed = listed_now(connection, books.promoter_id, month, now, numbers)
        every = expected_lines(*listed).subquery("every").c
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
            every.received_at,
            every.verified_at,
            every.settled_at,
        )
    return _published(books, month, numbers)


def _published(books: PromoterBooks, month: PromoterMonth, numbers: OrderNumbers | None) -> Query:
    assert month.published is not None
    promoter_id = books.promoter_id
    due = orders_due(books.judged, promoter_id=promoter_id, order_numbers=numbers).subquery("due").c
    become = given_rows(
        _STATUS,
        [
            {
                "tranche_id": tranche_id,
                "status": each.status,
                "paid_by": each.tranche_id,
                "status_at": each.at,
            }
            for tranche_id, each in payout_statuses(books.payments).items()
        ],
    ).subquery("become")
    of_programme = in_programme(TrancheLine.period.expression, month.period.programme)
    if numbers is not None:
        of_programme = and_(
            of_programme, TrancheLine.promoter_id == promoter_id, TrancheLine.order_sn.in_(numbers)
        )
    newest = (
        select(
            TrancheLine.promoter_id,
            TrancheLine.order_sn,
            func.max(TrancheLine.tranche_id).label("tranche_id"),
        )
        .where(TrancheLine.promoter_id == promoter_id, of_programme, not_replaced())
        .group_by(TrancheLine.promoter_id, TrancheLine.order_sn)
        .subquery("newest")
    )
    last = (
        select(TrancheLine.promoter_id, TrancheLine.order_sn, TrancheLine.tranche_id, TrancheLine.cause)
        .where(TrancheLine.promoter_id == promoter_id, of_programme)
        .subquery("last")
    )
    given = due.first_id.is_not(None)
    back = and_(given, due.entitled_fen == 0)
    state = case(
        (back, "TAKEN_BACK"),
        (given, become.c.status),
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
            (due.entitled_fen - due.held_fen).label("open_fen"),
            state.label("state"),
            why.label("why"),
            become.c.paid_by.label("tranche_id"),
            become.c.status_at.label("told_at"),
            Order.received_at,
            Order.verified_at,
            Order.settled_at,
        )
        .select_from(due.order_sn.table)
        .outerjoin(newest, and_(newest.c.promoter_id == due.promoter_id, newest.c.order_sn == due.order_sn))
        .outerjoin(
            last,
            and_(
                last.c.promoter_id == newest.c.promoter_id,
                last.c.order_sn == newest.c.order_sn,
                last.c.tranche_id == newest.c.tranche_id,
            ),
        )
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
    return every_state(sums)


def every_state(sums: Mapping[str, StateSum]) -> dict[str, StateSum]:
    """Sums by state, with those of which there is no order."""
    return {state: sums.get(state, StateSum()) for state in SubsidyState}
