"""What each order deserves by the newest notice and its present state, and what is still due to it.

One rule: due = entitled - everything that tranches in force hold for it. The first time that is the order's line; later
it is what corrects it, so that no order is paid twice, and none gives back more than it got.
"""

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    and_,
    case,
    func,
    literal,
    null,
    or_,
    select,
    true,
    union_all,
)

from bounty.db import Query, WholeNumber, Words, given_rows
from bounty.labels import LabelledCode
from bounty.models import (
    Line,
    LineCause,
    Notice,
    OpenPeriod,
    Order,
    PassVoidAnswer,
    TermsVersion,
    TrancheLine,
    TrancheStep,
)
from bounty.orders.queries import OrderNumbers
from bounty.rules.clauses import NO_COMMISSION_STATUSES
from bounty.rules.newest_notice import is_newest
from bounty.rules.periods import Period, lapses_at
from bounty.rules.sql_math import sum_or_zero
from bounty.rules.terms import read_terms
from bounty.tranches.holds import is_held

COMMISSION_SETTLED = 5
"""The platform's status of an order whose commission has settled."""


class VoidReason(LabelledCode):
    """Why a line of a notice earns nothing any more, as a sentence."""

    FAILED = "FAILED", *LineCause.FAILED.names
    NO_COMMISSION = "NO_COMMISSION", *LineCause.NO_COMMISSION.names
    MOVED = "MOVED", *LineCause.MOVED.names
    LAPSED = "LAPSED", "佣金逾期未结算", "its commission did not settle in time"


_JUDGED: dict[str, Words | BigInteger] = {
    "period": Words(),
    "programme": Words(),
    "settlement_id": WholeNumber,
    "month_from": WholeNumber,
    "month_until": WholeNumber,
    "settled_until": WholeNumber,
    "lapsed": WholeNumber,
}


def published_periods(connection: Connection, settled_before: int) -> Query:
    """The periods that have a notice, with what their lines are compared with: period, programme, settlement_id (of the
    newest notice), month_from, month_until, settled_until (when commissions must have settled, exclusive), and whether
    what has not settled by then has ``lapsed`` (1 or 0).
    """
    rows = connection.execute(
        select(
            OpenPeriod.period,
            Notice.settlement_id,
            OpenPeriod.month_from,
            OpenPeriod.month_until,
            TermsVersion.toml,
        )
        .select_from(OpenPeriod)
        .join(Notice, and_(Notice.period == OpenPeriod.period, is_newest(Notice)))
        .join(TermsVersion, TermsVersion.terms_id == OpenPeriod.terms_id)
        .order_by(OpenPeriod.period)
    ).mappings()

    def judged(row: dict[str, int | str]) -> dict[str, int | str]:
        period = Period.parse(str(row["period"]))
        lapse = lapses_at(period, read_terms(str(row["toml"])))
        lapsed = lapse is not None and lapse <= settled_before
        until = lapse if lapse is not None and lapsed else settled_before
        return {name: row[name] for name in _JUDGED if name in row} | {
            "programme": period.programme,
            "settled_until": until,
            "lapsed": int(lapsed),
        }

    return given_rows(_JUDGED, [judged(dict(row)) for row in rows])


def not_replaced(but: int | None = None) -> ColumnElement[bool]:
    """Whether a line's tranche stands: nothing has replaced it.

    but    a tranche that is about to be replaced
    """
    replaced = select(TrancheStep.tranche_id).where(TrancheStep.step == "REPLACED")
    stands = TrancheLine.tranche_id.not_in(replaced)
    return stands if but is None else and_(stands, TrancheLine.tranche_id != but)


def orders_due(
    judged: Query,
    *,
    but: int | None = None,
    promoter_id: int | None = None,
    order_numbers: OrderNumbers | None = None,
) -> Query:
    """Every order with a line in a newest notice or in a tranche in force, by programme, and what is due to it.

    judged        as ``published_periods`` gives it
    but           a tranche that is about to be replaced, and holds nothing any more
    promoter_id   of this promoter alone
    order_numbers   of these of the promoter's orders alone

    Returns promoter_id, order_sn, period, settlement_id, line_fen (the notice's; 0 without a line), entitled_fen,
    held_fen (by tranches), due_fen (0 while it waits for its commission), cause (one of LineCause, of what is due),
    first_id (the tranche that first held it; null) and void (one of VoidReason; null where its line stands).
    """
    at = judged.cte("judged")
    given = select(
        Line.promoter_id,
        Line.order_sn,
        Line.settlement_id,
        Line.subsidy_fen.label("line_fen"),
        literal(None, WholeNumber).label("held_fen"),
        literal(None, WholeNumber).label("tranche_id"),
    ).join(at, at.c.settlement_id == Line.settlement_id)
    held = (
        select(
            TrancheLine.promoter_id,
            TrancheLine.order_sn,
            at.c.settlement_id,
            literal(None, WholeNumber),
            TrancheLine.amount_fen,
            TrancheLine.tranche_id,
        )
        .join(at, at.c.period == TrancheLine.period)
        .where(not_replaced(but))
    )
    if promoter_id is not None:
        given, held = (
            given.where(Line.promoter_id == promoter_id),
            held.where(TrancheLine.promoter_id == promoter_id),
        )
    if order_numbers is not None:
        given, held = (
            given.where(Line.promoter_id == promoter_id, Line.order_sn.in_(order_numbers)),
            held.where(TrancheLine.promoter_id == promoter_id, TrancheLine.order_sn.in_(order_numbers)),
        )
    return _judged_orders(union_all(given, held).subquery("sides"), at)


def _judged_orders(sides: FromClause, at: FromClause) -> Query:
    """Both sides of each order added up, and compared with its present state."""
    side = sides.c
    # An order that was corrected to another month earns there, once that month's notice says so.
    in_month = and_(
        side.line_fen.is_not(None), Order.paid_at >= at.c.month_from, Order.paid_at < at.c.month_until
    )
    settled_in_time = and_(
        in_month, Order.order_status == COMMISSION_SETTLED, Order.settled_at < at.c.settled_until
    )
    summed = (
        select(
            side.promoter_id,
            side.order_sn,
            func.coalesce(func.max(case((in_month, at.c.period))), func.max(at.c.period)).label("period"),
            func.coalesce(func.max(case((in_month, at.c.settlement_id))), func.max(at.c.settlement_id)).label(
                "settlement_id"
            ),
            sum_or_zero(side.line_fen).label("line_fen"),
            sum_or_zero(case((in_month, side.line_fen))).label("current_fen"),
            sum_or_zero(side.held_fen).label("held_fen"),
            func.min(side.tranche_id).label("first_id"),
            func.max(case((settled_in_time, 1), else_=0)).label("settled"),
            func.max(case((in_month, at.c.lapsed), else_=0)).label("lapsed"),
            func.max(Order.promoter_id).label("owner"),
            func.max(Order.failed_at).label("failed_at"),
            func.max(Order.order_status).label("order_status"),
        )
        .select_from(sides)
        .join(at, at.c.settlement_id == side.settlement_id)
        .outerjoin(Order, and_(Order.promoter_id == side.promoter_id, Order.order_sn == side.order_sn))
        # An order moves within a programme; another programme's line is another matter.
        .group_by(side.promoter_id, side.order_sn, at.c.programme)
        .subquery("summed")
    )
    return _with_due(summed)


def _with_due(summed: FromClause) -> Query:
    row = summed.c
    void_reason = case(
        (row.owner.is_(None), VoidReason.MOVED.value),
        (row.failed_at.is_not(None), VoidReason.FAILED.value),
        (row.order_status.in_(NO_COMMISSION_STATUSES), VoidReason.NO_COMMISSION.value),
        (and_(row.line_fen > 0, row.current_fen == 0), VoidReason.MOVED.value),
        else_=null(),
    )
    judged = select(
        *row,
        void_reason.label("void_reason"),
        case((void_reason.is_not(None), 0), else_=row.current_fen).label("entitled_fen"),
    ).subquery("with_entitled")
    each = judged.c
    due = case(
        (or_(each.entitled_fen < each.held_fen, each.settled == 1), each.entitled_fen - each.held_fen),
        else_=0,
    )
    # What was given once has settled in its time; it lapses no more.
    lapses = and_(each.entitled_fen > 0, each.settled == 0, each.lapsed == 1, each.first_id.is_(None))
    violated = (
        select(literal(1))
        .where(
            PassVoidAnswer.promoter_id == each.promoter_id,
            PassVoidAnswer.period == each.period,
            PassVoidAnswer.approved.is_(true()),
        )
        .exists()
    )
    cause = case(
        (each.first_id.is_(None), LineCause.EARNED.value),
        (and_(each.entitled_fen > each.held_fen, each.held_fen == 0), LineCause.RECOVERED.value),
        (each.void_reason.is_not(None), each.void_reason),
        (and_(each.line_fen == 0, violated), LineCause.VIOLATION.value),
        else_=LineCause.CORRECTED.value,
    )
    return select(
        each.promoter_id,
        each.order_sn,
        each.period,
        each.settlement_id,
        each.line_fen,
        case((lapses, 0), else_=each.entitled_fen).label("entitled_fen"),
        each.held_fen,
        due.label("due_fen"),
        cause.label("cause"),
        each.first_id,
        case((lapses, VoidReason.LAPSED.value), else_=each.void_reason).label("void"),
    )


def void_order_numbers(
    connection: Connection, promoter_id: int, period: Period, order_numbers: Sequence[str], now: int
) -> set[str]:
    """Of some orders of a promoter, those whose line in the period's newest notice earns nothing any more."""
    judged = published_periods(connection, now)
    due = orders_due(judged, promoter_id=promoter_id, order_numbers=order_numbers).subquery("due").c
    void = select(due.order_sn).where(
        due.promoter_id == promoter_id, due.period == str(period), due.void.is_not(None)
    )
    return set(connection.execute(void).scalars())


def tranche_lines_due(judged: Query, but: int | None) -> Query:
    """The lines of the next tranche: promoter_id, order_sn, period, settlement_id, cause, corrects_id, amount_fen.

    What a person holds for a review stays out while it gives money; what takes money back does not wait.
    """
    every = orders_due(judged, but=but).subquery("every_order").c
    return select(
        every.promoter_id,
        every.order_sn,
        every.period,
        every.settlement_id,
        every.cause,
        every.first_id.label("corrects_id"),
        every.due_fen.label("amount_fen"),
    ).where(every.due_fen != 0, or_(every.due_fen < 0, ~is_held(every.promoter_id, every.period)))
