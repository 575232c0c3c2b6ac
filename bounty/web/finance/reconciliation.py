"""The books held against the platform and the payers: differences only; and closing a period once nothing is open."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from sqlalchemy import Connection, and_, case, func, or_, select

from bounty.accounting import period_closing
from bounty.accounting.reconciliation import KINDS, KindSum, difference_text, differences
from bounty.db import Query
from bounty.errors import BountyError
from bounty.models import (
    OpenPeriod,
    Payout,
    PayoutOutcome,
    PeriodClosing,
    ReceiptRow,
    Tranche,
    TrancheLine,
    TrancheStep,
    User,
)
from bounty.notices.service import newest_notice
from bounty.roster.terms import open_period
from bounty.rules.periods import Period
from bounty.rules.sql_math import sum_or_zero
from bounty.web.finance.notices import READERS
from bounty.web.period_names import by_programme, period_label, several_programmes
from bounty.web.shared.access import allows
from bounty.web.shared.downloads import csv_response
from bounty.web.shared.errors import said
from bounty.web.shared.language import _
from bounty.web.shared.request_context import now, reading, site, writing
from bounty.web.shared.step_up_auth import require_fresh_code
from bounty.web.shared.tables import Column, Filter, Option, Search, Table, equal, page_of

blueprint = Blueprint("reconciling", __name__, url_prefix="/finance")
DIFFERENCES = Table(
    "differences",
    (
        Column("kind", "种类", "Kind"),
        Column("at", "按种类", "by kind", "count", sortable=True, shown=False),
        Column("promoter_id", "推手", "Promoter", "id"),
        Column("tranche_id", "批次", "Tranche", "id", shown=False),
        Column("order_sn", "订单", "order", shown=False),
        Column("payout", "付款编号", "payout", shown=False),
        Column("receipt_id", "回单", "receipt", "id", shown=False),
        Column("place", "行", "line", "id", shown=False),
        Column("ours_fen", "我方", "Ours", "money", sortable=True, summed=True),
        Column("theirs_fen", "对方", "Theirs", "money", sortable=True, summed=True),
    ),
    key=("at_tranche", "at_promoter", "at_order", "at_period", "at_receipt", "at_place"),
    order="at",
    filters=(
        Filter(
            "kind",
            "种类",
            "kind",
            tuple(Option(code, *words, equal("kind", code)) for code, words in KINDS.items()),
        ),
    ),
    search=Search(
        "订单编号",
        "order number",
        lambda row, words: row.c.order_sn.startswith(words, autoescape=True),
    ),
    labelled=True,
)
"""Of ``reconcile.differences``."""
NO_RECEIPT = "NO_RECEIPT"
"""A payout of which no receipt tells: a difference only once one tells of others of its tranche."""
CLOSING_ACTS = {
    period_closing.CLOSED: ("关账", "closed"),
    period_closing.REOPENING: ("申请重新打开", "asked to reopen"),
    period_closing.REOPENED: ("重新打开", "reopened"),
}


# Reconciling


@blueprint.get("/reconcile")
@allows(*READERS)
def index() -> str:
    """What differs, kind by kind; or that all agrees, and what was held against what."""
    tranche_id = _tranche()
    with reading() as connection:
        page = page_of(connection, _table(), _differences(connection, tranche_id), request.args)
        sums, waiting = _sums(connection, tranche_id)
        compared = _compared(connection, tranche_id)
        tranches = connection.execute(_exported().order_by(Tranche.tranche_id.desc())).scalars().all()
    return render_template(
        "finance/reconcile.html",
        page=page,
        sums=sums,
        waiting=waiting,
        compared=compared,
        tranches=tranches,
        tranche_id=tranche_id,
        kinds=KINDS,
        told=difference_text,
        now=now(),
    )


@blueprint.get("/reconcile.csv")
@allows(*READERS)
def file() -> Response:
    """Exactly the differences that the filters leave."""
    tranche_id = _tranche()
    with reading() as connection:
        rows = _differences(connection, tranche_id)
    return csv_response(_table(), rows, request.args, f"differences-{tranche_id or 'all'}")


def _table() -> Table:
    """The differences; where there are several programmes, each of an order with the period that tells which."""
    if not several_programmes():
        return DIFFERENCES
    before = [column.name for column in DIFFERENCES.columns].index("payout")
    columns = DIFFERENCES.columns
    period = Column("period", "期次", "period", shown=False)
    return by_programme(replace(DIFFERENCES, columns=(*columns[:before], period, *columns[before:])))


def _tranche() -> int | None:
    return request.args.get("tranche", type=int)


def _differences(connection: Connection, tranche_id: int | None) -> Query:
    row = differences(connection, tranche_id).subquery("row").c
    told_of = select(PayoutOutcome.tranche_id).distinct()
    blank: dict[str, Any] = {
        "tranche_id": 0,
        "promoter_id": 0,
        "order_sn": "",
        "period": "",
        "receipt_id": 0,
        "place": 0,
    }
    return select(
        *row,
        case({kind: at for at, kind in enumerate(KINDS)}, value=row.kind).label("at"),
        *(
            func.coalesce(row[name], nothing).label(f"at_{name.removesuffix('_id').removesuffix('_sn')}")
            for name, nothing in blank.items()
        ),
    ).where(or_(row.kind != NO_RECEIPT, row.tranche_id.in_(told_of)))


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Payouts of exported tranches of which nothing is told yet: they only wait."""

    payouts: int
    fen: int


def _sums(connection: Connection, tranche_id: int | None) -> tuple[list[KindSum], _Waiting]:
    """The differences by kind, payouts without an answer last; and those that only wait. One query: to hold the sides
    against each other takes long."""
    row = differences(connection, tranche_id).subquery("row").c
    told_of = select(PayoutOutcome.tranche_id).distinct()
    waits = case((and_(row.kind == NO_RECEIPT, row.tranche_id.not_in(told_of)), 1), else_=0)
    each = select(waits.label("waits"), row.kind, row.ours_fen, row.theirs_fen).subquery("each").c
    found = connection.execute(
        select(
            each.waits, each.kind, func.count(), sum_or_zero(each.ours_fen), sum_or_zero(each.theirs_fen)
        ).group_by(each.waits, each.kind)
    ).all()
    by_kind = {kind: KindSum(kind, *sums) for waiting, kind, *sums in found if not waiting}
    order = [*(kind for kind in KINDS if kind != NO_RECEIPT), NO_RECEIPT]
    waiting_sums = next((_Waiting(sums[2], sums[3]) for sums in found if sums[0]), _Waiting(0, 0))
    return [by_kind[kind] for kind in order if kind in by_kind], waiting_sums


def _exported() -> Query:
    return select(Tranche.tranche_id).where(
        Tranche.tranche_id.in_(select(TrancheStep.tranche_id).where(TrancheStep.step == "EXPORTED"))
    )


def _compared(connection: Connection, tranche_id: int | None) -> Any:
    """How many lines, payouts and rows of receipts were held against each other: lines, payouts, rows."""
    exported = _exported() if tranche_id is None else _exported().where(Tranche.tranche_id == tranche_id)
    counts = [
        select(func.count()).select_from(table).where(table.tranche_id.in_(exported)).scalar_subquery()
        for table in (TrancheLine, Payout)
    ]
    rows = select(func.count()).select_from(ReceiptRow).scalar_subquery()
    return connection.execute(
        select(counts[0].label("lines"), counts[1].label("payouts"), rows.label("rows"))
    ).one()


# Closing a period


@blueprint.get("/periods/<period:period>")
@allows(*READERS)
def period(period: Period) -> str:
    """What is still open of a period, and what was done with it."""
    return _period(period)


@blueprint.post("/periods/<period:period>/close")
@allows("finance")
def close(period: Period) -> Any:
    """Close it, once nothing of it is open."""

    def act(connection: Connection) -> str:
        period_closing.close(connection, period, now())
        return _("%(period)s 已关账。", period=period_label(period))

    return _done(period, act)


@blueprint.post("/periods/<period:period>/ask")
@allows("finance", "admin")
def ask(period: Period) -> Any:
    """Ask that it be opened again."""

    def act(connection: Connection) -> str:
        period_closing.ask_reopening(connection, period, request.form.get("reason", ""), now())
        return _("已申请：请另一人同意。")

    return _done(period, act)


@blueprint.post("/periods/<period:period>/reopen")
@allows("finance", "admin")
def reopen(period: Period) -> Any:
    """Agree, as a second person, that it is opened again."""

    def act(connection: Connection) -> str:
        period_closing.reopen(connection, period, now(), approval_required=site().settings.approval_required)
        return _("%(period)s 已重新打开。", period=period_label(period))

    return _done(period, act, fresh=True)


def _done(period: Period, act: Callable[[Connection], str], *, fresh: bool = False) -> Any:
    try:
        if fresh:
            require_fresh_code()
        with writing() as connection:
            told_so = act(connection)
    except BountyError as refusal:
        return _period(period, said(refusal)), 409
    flash(told_so, "success")
    return redirect(url_for(".period", period=period), 303)


def _period(period: Period, refused: str | None = None) -> str:
    with reading() as connection:
        open_period(connection, period)
        notice = newest_notice(connection, period)
        still = [] if notice is None else period_closing.closing_refusal(connection, period, now())
        acts = connection.execute(
            select(PeriodClosing.__table__, User.name)
            .outerjoin(User, User.id == PeriodClosing.user_id)
            .where(PeriodClosing.period == str(period))
            .order_by(PeriodClosing.number.desc())
        ).all()
        others = connection.execute(
            select(OpenPeriod.period).order_by(OpenPeriod.month_from.desc(), OpenPeriod.period).limit(6)
        )
        periods = others.scalars().all()
    return render_template(
        "finance/closing.html",
        period=period,
        periods=periods,
        notice=notice,
        still=still,
        open_words=period_closing.OPEN,
        acts=acts,
        act_words=CLOSING_ACTS,
        state=acts[0].act if acts else None,
        refused=refused,
        now=now(),
    )
