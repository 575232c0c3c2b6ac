"""Reconciliation with the platform and the payers, differences only; and closing a period once nothing is open."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection

from bounty.accounting import period_closing
from bounty.accounting.reconciliation import (
    DifferenceKind,
    difference_text,
    exported_tranches,
    listed_differences,
)
from bounty.accounting.stored_differences import LISTED, Reconciled, reconciled_shown, stored_differences
from bounty.errors import BountyError
from bounty.figures import books_are_small
from bounty.models.accounting import ClosingStep
from bounty.notices.service import newest_notice
from bounty.roster.queries import open_periods
from bounty.roster.terms import open_period
from bounty.rules.periods import Period
from bounty.tranches.state import tranche_of
from bounty.web.finance.notices import READERS
from bounty.web.period_names import by_programme, period_label, several_programmes
from bounty.web.shared.access import allows
from bounty.web.shared.downloads import csv_response
from bounty.web.shared.errors import refusal_text
from bounty.web.shared.language import _
from bounty.web.shared.request_context import now, reading, site, writing
from bounty.web.shared.step_up_auth import require_fresh_code
from bounty.web.shared.table_filters import Search, one_of
from bounty.web.shared.tables import Column, Table, Totals, page_of

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
    key=("number",),
    order="at",
    filters=(one_of("kind", "种类", "kind", DifferenceKind.labels()),),
    search=Search(
        "订单编号",
        "order number",
        lambda row, words: row.c.order_sn.startswith(words, autoescape=True),
    ),
    labelled=True,
)
"""Of ``reconciliation.listed_differences``."""
OTHERS = 6
"""Periods that are offered beside the one that is shown."""


# Reconciling


@blueprint.get("/reconcile")
@allows(*READERS)
def index() -> str:
    """What differs, kind by kind; or that all agrees, and how many rows were compared."""
    tranche_id = _tranche()
    with reading() as connection:
        if tranche_id is not None:
            tranche_of(connection, tranche_id)
        found, figure = reconciled_shown(connection, tranche_id, now())
        small = books_are_small(connection)
        rows = listed_differences(connection, tranche_id) if small else stored_differences(tranche_id)
        page = page_of(connection, _table(), rows, request.args, known=_totals(found))
        tranches = exported_tranches(connection)
    return render_template(
        "finance/reconcile.html",
        page=page,
        found=found,
        figure=figure,
        listed=LISTED,
        tranches=tranches,
        tranche_id=tranche_id,
        kinds=DifferenceKind.labels(),
        difference_text=difference_text,
        now=now(),
    )


@blueprint.get("/reconcile.csv")
@allows(*READERS)
def file() -> Response:
    """Exactly the differences that the filters leave."""
    tranche_id = _tranche()
    with reading() as connection:
        rows = listed_differences(connection, tranche_id)
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


def _totals(found: Reconciled | None) -> Callable[[Mapping[str, str]], Totals | None]:
    """Of all differences, or those of a kind, as the sums have them."""

    def totals(filters: Mapping[str, str]) -> Totals | None:
        if found is None or filters.keys() - {"kind"}:
            return None
        sums = [each for each in found.sums if filters.get("kind") in (None, each.kind)]
        return Totals(
            sum(each.differences for each in sums),
            {
                "ours_fen": sum(each.ours_fen for each in sums),
                "theirs_fen": sum(each.theirs_fen for each in sums),
            },
        )

    return totals


# Closing a period


@blueprint.get("/periods/<period:period>")
@allows(*READERS)
def period(period: Period) -> str:
    """What is still open of a period, and what was done with it."""
    return _period(period)


@blueprint.post("/periods/<period:period>/close")
@allows("finance")
def close(period: Period) -> ResponseReturnValue:
    """Close it, once nothing of it is open."""

    def act(connection: Connection) -> str:
        period_closing.close(connection, period, now())
        return _("%(period)s 已关账。", period=period_label(period))

    return _done(period, act)


@blueprint.post("/periods/<period:period>/ask")
@allows("finance", "admin")
def ask(period: Period) -> ResponseReturnValue:
    """Ask that it be opened again."""

    def act(connection: Connection) -> str:
        period_closing.ask_reopening(connection, period, request.form.get("reason", ""), now())
        return _("已申请：请另一人同意。")

    return _done(period, act)


@blueprint.post("/periods/<period:period>/reopen")
@allows("finance", "admin")
def reopen(period: Period) -> ResponseReturnValue:
    """Agree, as a second person, that it is opened again."""

    def act(connection: Connection) -> str:
        period_closing.reopen(connection, period, now(), approval_required=site().settings.approval_required)
        return _("%(period)s 已重新打开。", period=period_label(period))

    return _done(period, act, fresh=True)


def _done(period: Period, act: Callable[[Connection], str], *, fresh: bool = False) -> ResponseReturnValue:
    try:
        if fresh:
            require_fresh_code()
        with writing() as connection:
            message = act(connection)
    except BountyError as refusal:
        return _period(period, refusal_text(refusal)), 409
    flash(message, "success")
    return redirect(url_for(".period", period=period), 303)


def _period(period: Period, refused: str | None = None) -> str:
    with reading() as connection:
        open_period(connection, period)
        notice = newest_notice(connection, period)
        still, figure = (
            ([], None) if notice is None else period_closing.closing_shown(connection, period, now())
        )
        acts = period_closing.acts_of(connection, period)
        periods = [each.period for each in open_periods(connection)[:OTHERS]]
    return render_template(
        "finance/closing.html",
        period=period,
        periods=periods,
        notice=notice,
        still=still,
        figure=figure,
        open_words=period_closing.OpenKind.labels(),
        acts=acts,
        act_words=ClosingStep.labels(),
        state=acts[0].act if acts else None,
        refused=refused,
        now=now(),
    )
