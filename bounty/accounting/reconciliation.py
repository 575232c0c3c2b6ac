"""Reconciliation: our lines against the platform's orders, and our payouts against the payers' receipts.

Only differences are listed.
"""

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    case,
    false,
    func,
    literal,
    null,
    or_,
    select,
    true,
    type_coerce,
    union_all,
)
from sqlalchemy.orm import aliased

from bounty.db import Query, WholeNumber, Words, fetch_all
from bounty.labels import LabelledCode
from bounty.models import (
    Order,
    Payout,
    PayoutOutcome,
    Receipt,
    ReceiptRow,
    Tranche,
    TrancheLine,
    TrancheStep,
)
from bounty.models.payment_results import AMBIGUOUS, MATCHED, UNMATCHED
from bounty.money import grouped_yuan
from bounty.payment_results.payout_lookup import ids_of
from bounty.rules.periods import programme_in_sql
from bounty.rules.sql_math import count_where, sum_or_zero
from bounty.tranches.entitlement import COMMISSION_SETTLED, orders_due, published_periods
from bounty.tranches.files import payout_id, payout_id_in_sql
from bounty.tranches.holds import is_held
from bounty.tranches.state import is_due, newest_outcomes, of_payout, tranche_of


class DifferenceKind(LabelledCode):
    """Where sides differ."""

    NOT_SETTLED = "NOT_SETTLED", "平台已不再是已结算", "no longer settled on the platform"
    LINE_AMOUNT = "LINE_AMOUNT", "订单金额不符", "an order's amount differs"
    NOT_IN_TRANCHE = "NOT_IN_TRANCHE", "已结算而不在任何批次", "settled, and in no tranche"
    UNDER_REVIEW = "UNDER_REVIEW", "已结算而因复核暂不支付", "settled, and held for a review"
    NO_RECEIPT = "NO_RECEIPT", "已导出而没有付款结果", "exported, and nothing told of it"
    BY_HAND = "BY_HAND", "逐笔记为已付而没有回单", "marked paid by hand, without a receipt"
    FAILED_BY_HAND = (
        "FAILED_BY_HAND",
        "逐笔记为失败而回单为成功",
        "marked failed by hand, and the receipt says paid",
    )
    ROW_AMOUNT = "ROW_AMOUNT", "回单金额不符", "a receipt's amount differs"
    ROW_AMBIGUOUS = "ROW_AMBIGUOUS", "回单有歧义", "an ambiguous row of a receipt"
    ROW_UNMATCHED = "ROW_UNMATCHED", "回单未匹配", "an unmatched row of a receipt"


NO_RECEIPT = "NO_RECEIPT"
"""A payout without a payment result: a difference only once another of its tranche has one."""


class DifferenceRow(NamedTuple):
    """One thing on which two sides differ, as it is selected."""

    kind: str
    """One of DifferenceKind."""
    promoter_id: int | None
    tranche_id: int | None
    order_sn: str | None
    ours_fen: int | None
    theirs_fen: int | None
    receipt_id: int | None
    """Of a row of a receipt, as the next four."""
    place: int | None
    payout: str | None
    shown_account: str | None
    shown_name: str | None
    period: str | None
    """Of an order: in which it earned."""


@dataclass(frozen=True, slots=True)
class ReconciliationDifference:
    """One thing on which two sides differ."""

    kind: str
    """One of DifferenceKind."""
    promoter_id: int | None
    order_sn: str | None
    period: str | None
    """Of an order: in which it earned what differs, by its text in the database."""
    payout: str | None
    """Its id, as ``P3-1000939``."""
    ours_fen: int | None
    """What we hold of it, or paid; whole fen; null where that is not known."""
    theirs_fen: int | None
    """What the platform or the payer says; alike."""
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class KindSum:
    """The differences of one kind, added up."""

    kind: str
    differences: int
    ours_fen: int
    theirs_fen: int


def reconcile(connection: Connection, tranche_id: int | None = None) -> list[ReconciliationDifference]:
    """Where the sides differ, kind by kind; empty where all agree.

    tranche_id   of this tranche alone, and with it rows of receipts that are of no payout; without one, of all that
                 were exported

    Raises BountyError if there is no such tranche.
    """
    row = differences(connection, tranche_id).subquery("row")
    order = case({kind.value: at for at, kind in enumerate(DifferenceKind)}, value=row.c.kind)
    names = ("tranche_id", "promoter_id", "order_sn", "period", "receipt_id", "place")
    keys = (order, *(row.c[name] for name in names))
    rows = fetch_all(connection, select(row).order_by(*keys), DifferenceRow)
    return [difference_text(each) for each in rows]


def without_waiting(
    connection: Connection, found: list[ReconciliationDifference]
) -> tuple[list[ReconciliationDifference], list[ReconciliationDifference]]:
    """Differences, and apart from them the payouts of tranches of which nothing is answered yet: they only wait."""
    answered = set(connection.execute(select(PayoutOutcome.tranche_id).distinct()).scalars())

    def waits(each: ReconciliationDifference) -> bool:
        return each.kind == NO_RECEIPT and each.payout is not None and ids_of(each.payout)[0] not in answered

    return [each for each in found if not waits(each)], [each for each in found if waits(each)]


def sums_of(connection: Connection, tranche_id: int | None = None) -> list[KindSum]:
    """How many differences there are of each kind, and what they add up to; kinds without any are left out."""
    row = differences(connection, tranche_id).subquery("row").c
    rows = connection.execute(
        select(row.kind, func.count(), sum_or_zero(row.ours_fen), sum_or_zero(row.theirs_fen)).group_by(
            row.kind
        )
    )
    found = {each.kind: KindSum(*each) for each in rows}
    return [found[kind] for kind in DifferenceKind if kind in found]


def exported_tranches(connection: Connection) -> list[int]:
    """The tranches that were exported, the newest first."""
    return list(connection.execute(every_exported_tranche().order_by(Tranche.tranche_id.desc())).scalars())


def every_exported_tranche() -> Query:
    """The tranches that were exported, as a query of their numbers."""
    steps = select(TrancheStep.tranche_id).where(TrancheStep.step == "EXPORTED")
    return select(Tranche.tranche_id).where(Tranche.tranche_id.in_(steps))


def answered_tranches() -> Query:
    """The tranches of which something is answered."""
    return select(PayoutOutcome.tranche_id).distinct()


def listed_differences(connection: Connection, tranche_id: int | None) -> Query:
    """The differences for a table, without payouts that only wait: the columns of ``differences``, at (the place of the
    kind) and number (the place among all)."""
    row = differences(connection, tranche_id).subquery("row").c
    at = case({kind.value: at for at, kind in enumerate(DifferenceKind)}, value=row.kind)
    # Nulls first, on both databases.
    names = {"tranche_id": 0, "promoter_id": 0, "order_sn": "", "period": "", "receipt_id": 0, "place": 0}
    keys = (at, *(func.coalesce(row[name], nothing) for name, nothing in names.items()))
    number = type_coerce(func.row_number().over(order_by=keys), WholeNumber)
    return select(*row, at.label("at"), number.label("number")).where(
        or_(row.kind != NO_RECEIPT, row.tranche_id.in_(answered_tranches()))
    )


def differences(connection: Connection, tranche_id: int | None = None) -> Query:
    """The same, as ``DifferenceRow``."""
    left = (
        select(Tranche.tranche_id, Tranche.settled_before)
        .join(TrancheStep, TrancheStep.tranche_id == Tranche.tranche_id)
        .where(TrancheStep.step == "EXPORTED")
        .order_by(Tranche.tranche_id)
    )
    if tranche_id is not None:
        tranche_of(connection, tranche_id)
        left = left.where(Tranche.tranche_id == tranche_id)
    exported = connection.execute(left).all()
    settled_before = exported[-1].settled_before if exported else 0
    return select(
        union_all(
            _orders(orders_due(published_periods(connection, settled_before)), tranche_id),
            _payouts(Payout.tranche_id.in_([each.tranche_id for each in exported])),
            _rows(tranche_id),
        ).subquery("difference")
    )


_NOTHING = (
    literal(None, WholeNumber).label("receipt_id"),
    literal(None, WholeNumber).label("place"),
    literal(None, Words()).label("payout"),
    literal(None, Words()).label("shown_account"),
    literal(None, Words()).label("shown_name"),
)
_NO_PERIOD = literal(None, Words()).label("period")
_NO_FEN = literal(None, WholeNumber)


def _orders(due: Query, tranche_id: int | None) -> Query:
    """The lines of orders in tranches, against the state on the platform and the subsidy of the newest notice."""
    each = due.subquery("due").c
    settled = and_(Order.order_status == COMMISSION_SETTLED, Order.settled_at.is_not(None))
    kind = case(
        (and_(each.held_fen > 0, settled.is_not(true())), "NOT_SETTLED"),
        (each.due_fen == 0, null()),
        (and_(each.due_fen > 0, is_held(each.promoter_id, each.period)), "UNDER_REVIEW"),
        (each.first_id.is_(None), "NOT_IN_TRANCHE"),
        else_="LINE_AMOUNT",
    )
    rows = (
        select(
            kind.label("kind"),
            each.promoter_id,
            each.first_id.label("tranche_id"),
            each.order_sn,
            each.held_fen.label("ours_fen"),
            case((kind == "NOT_SETTLED", 0), else_=each.entitled_fen).label("theirs_fen"),
            *_NOTHING,
            each.period,
        )
        .outerjoin_from(
            each.order_sn.table,
            Order,
            and_(Order.promoter_id == each.promoter_id, Order.order_sn == each.order_sn),
        )
        .where(kind.is_not(None))
    )
    if tranche_id is None:
        return rows
    of_it = select(TrancheLine.order_sn).where(
        TrancheLine.tranche_id == tranche_id,
        TrancheLine.promoter_id == each.promoter_id,
        TrancheLine.order_sn == each.order_sn,
        programme_in_sql(TrancheLine.period.expression) == programme_in_sql(each.period),
    )
    return rows.where(or_(each.first_id.is_(None), of_it.exists()))


def _payouts(exported: ColumnElement[bool]) -> Query:
    """The newest outcome of each payout, against the matched rows of receipts."""
    outcome = newest_outcomes().subquery("outcome")
    newest = outcome.c
    reported = (
        select(
            ReceiptRow.payout,
            count_where(ReceiptRow.paid.is_(true())).label("paid"),
            count_where(ReceiptRow.paid.is_(false())).label("failed"),
        )
        .where(ReceiptRow.verdict == MATCHED)
        .group_by(ReceiptRow.payout)
        .subquery("reported")
        .c
    )
    by_hand = newest.receipt_id.is_(None)
    paid, failed = func.coalesce(reported.paid, 0), func.coalesce(reported.failed, 0)
    kind = case(
        (newest.paid.is_(None), "NO_RECEIPT"),
        (and_(by_hand, newest.paid.is_(true()), paid == 0), "BY_HAND"),
        (and_(by_hand, newest.paid.is_(false()), paid > 0, failed == 0), "FAILED_BY_HAND"),
        else_=null(),
    )
    return (
        select(
            kind.label("kind"),
            Payout.promoter_id,
            Payout.tranche_id,
            literal(None, Words()),
            case((kind == "FAILED_BY_HAND", 0), else_=Payout.payable_fen),
            case((kind == "FAILED_BY_HAND", Payout.payable_fen), else_=_NO_FEN),
            *_NOTHING,
            _NO_PERIOD,
        )
        .outerjoin(outcome, of_payout(outcome))
        .outerjoin(
            reported.payout.table,
            reported.payout == payout_id_in_sql(Payout.tranche_id, Payout.promoter_id),
        )
        .where(exported, is_due(), kind.is_not(None))
    )


def payouts_by_id() -> Query:
    """Payouts by their id as receipts have it: id, promoter_id, tranche_id, payable_fen."""
    # Distinct, so that SQLite makes the ids once and searches them, not once for each row that asks.
    return select(
        payout_id_in_sql(Payout.tranche_id, Payout.promoter_id).label("id"),
        Payout.promoter_id,
        Payout.tranche_id,
        Payout.payable_fen,
    ).distinct()


def _rows(tranche_id: int | None) -> Query:
    """Rows of receipts that are of no payout, or of none for certain, unless a later receipt has them in a form that
    could be matched."""
    row, later, same = ReceiptRow, aliased(ReceiptRow), aliased(Receipt)
    read_again = select(same.receipt_id).where(
        same.told_sha256 == Receipt.told_sha256, same.receipt_id > Receipt.receipt_id
    )
    matched_since = select(later.place).where(
        later.receipt_id > row.receipt_id,
        later.verdict == MATCHED,
        later.paid == row.paid,
        later.serial.is_not_distinct_from(row.serial),
    )
    same_payee = matched_since.where(
        row.shown_account != "",
        later.shown_account == row.shown_account,
        later.shown_name == row.shown_name,
        later.amount_fen == row.amount_fen,
    )
    same_payout = matched_since.where(later.payout == row.payout)
    payout = payouts_by_id().subquery("payout").c
    differs = and_(payout.payable_fen.is_not(None), payout.payable_fen != row.amount_fen)
    rows = (
        select(
            case((differs, "ROW_AMOUNT"), (row.verdict == AMBIGUOUS, "ROW_AMBIGUOUS"), else_="ROW_UNMATCHED"),
            payout.promoter_id,
            payout.tranche_id,
            literal(None, Words()),
            payout.payable_fen,
            row.amount_fen,
            row.receipt_id,
            row.place,
            row.payout,
            row.shown_account,
            row.shown_name,
            _NO_PERIOD,
        )
        .join(Receipt, Receipt.receipt_id == row.receipt_id)
        .outerjoin(payout.id.table, payout.id == row.payout)
        .where(
            row.verdict.in_((UNMATCHED, AMBIGUOUS)),
            # Each by itself, so that PostgreSQL can search for it.
            *(~later_row.exists() for later_row in (read_again, same_payee, same_payout)),
        )
    )
    return (
        rows
        if tranche_id is None
        else rows.where(or_(payout.tranche_id.is_(None), payout.tranche_id == tranche_id))
    )


# In words


def difference_text(row: DifferenceRow) -> ReconciliationDifference:
    """A row of ``differences``, in words."""
    payout = row.payout
    if payout is None and row.kind in ("NO_RECEIPT", "BY_HAND", "FAILED_BY_HAND"):
        assert row.tranche_id is not None
        assert row.promoter_id is not None
        payout = payout_id(row.tranche_id, row.promoter_id)
    zh, en = _SENTENCES[row.kind]
    facts = {
        "order": row.order_sn,
        "payout": payout,
        "tranche": row.tranche_id,
        "ours": None if row.ours_fen is None else grouped_yuan(row.ours_fen),
        "theirs": None if row.theirs_fen is None else grouped_yuan(row.theirs_fen),
        "receipt": row.receipt_id,
        "place": row.place,
        "payee": " ".join(each for each in (row.shown_account, row.shown_name, payout) if each),
    }
    return ReconciliationDifference(
        row.kind,
        row.promoter_id,
        row.order_sn,
        row.period,
        payout,
        row.ours_fen,
        row.theirs_fen,
        zh.format(**facts),
        en.format(**facts),
    )


_SENTENCES = {
    "NOT_SETTLED": (
        "批次共持有订单 {order} {ours}（首见批次 {tranche}），平台已不再显示已结算",
        "tranches hold {ours} of order {order} (first {tranche}), which the platform no longer says is settled",
    ),
    "LINE_AMOUNT": (
        "批次共持有订单 {order} {ours}，按最新公示和现状应为 {theirs}：差额进入下一批次",
        "tranches hold {ours} of order {order}, and it deserves {theirs} now: the next tranche has the difference",
    ),
    "NOT_IN_TRANCHE": (
        "订单 {order} 已结算，公示补贴 {theirs}，不在任何批次：进入下一批次",
        "order {order} has settled, its notice gives {theirs}, and no tranche holds it: the next one will",
    ),
    "NO_RECEIPT": (
        "{payout}（{ours}）已导出，还没有付款结果：导入回单，或逐笔标记",
        "{payout} ({ours}) was exported, and nothing is told of it: take in the receipt, or mark it",
    ),
    "BY_HAND": (
        "{payout}（{ours}）逐笔记为已付，没有回单",
        "{payout} ({ours}) was marked paid by hand, and no receipt says so",
    ),
    "FAILED_BY_HAND": (
        "{payout} 逐笔记为失败，回单为成功 {theirs}",
        "{payout} was marked failed by hand, and the receipt says that {theirs} were paid",
    ),
    "ROW_AMOUNT": (
        "回单 {receipt} 第 {place} 行：{payee} 为 {theirs}，应付 {ours}",
        "receipt {receipt}, line {place}: {payee} is {theirs}, and {ours} was to be paid",
    ),
    "ROW_AMBIGUOUS": (
        "回单 {receipt} 第 {place} 行：{payee} {theirs}，不能确定是哪一笔付款",
        "receipt {receipt}, line {place}: {payee} {theirs}, and of which payout is not certain",
    ),
    "ROW_UNMATCHED": (
        "回单 {receipt} 第 {place} 行：{payee} {theirs}，没有对应的付款",
        "receipt {receipt}, line {place}: {payee} {theirs}, and it is of no payout",
    ),
}
