"""Looking ahead in an open period: the forecast, who is at risk, flags, and payouts held for a review."""

from datetime import date

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from bounty.clock import midnight
from bounty.errors import BountyError
from bounty.figures import kept_lists
from bounty.forecast.anomalies import kept_flags
from bounty.forecast.stored import (
    GROUPS_OF_PROMOTERS,
    forecast_subject,
    forecast_with_target,
    forecasts_with_targets,
    newest_forecast,
    scores,
)
from bounty.models.forecast import AnomalyCode
from bounty.progress.history import month_of
from bounty.progress.order_list import largest_pending, listed_now
from bounty.roster.terms import open_period, terms_in_force
from bounty.rules.periods import Period
from bounty.tranches.holds import hold_payout, holds_of, release_payout
from bounty.web.shared.access import allows
from bounty.web.shared.downloads import csv_response
from bounty.web.shared.language import _
from bounty.web.shared.request_context import now, reading, site, writing
from bounty.web.shared.step_up_auth import require_fresh_code
from bounty.web.shared.stored_lists import page_of_list
from bounty.web.shared.table_filters import Filter, Option
from bounty.web.shared.tables import Column, Table

blueprint = Blueprint("forecast", __name__, url_prefix="/operations/periods/<period:period>")
READERS = ("operator", "finance", "admin")
MOST_FLAGS = 200
"""Flags that are listed."""


GROUPS = Filter(
    "group",
    "名单",
    "list",
    (
        Option("receipts", "只差收货", "needs receipts only", GROUPS_OF_PROMOTERS["group=receipts"]),
        Option("reach", "够得着", "within reach", GROUPS_OF_PROMOTERS["group=reach"]),
        Option("refunds", "因退款跌回", "fell back through refunds", GROUPS_OF_PROMOTERS["group=refunds"]),
    ),
)
FORECASTS = Table(
    "forecast",
    (
        Column("promoter_id", "推手", "Promoter", "id", sortable=True),
        Column("name", "姓名", "name", shown=False),
        Column("probability_permille", "达标概率", "Chance to pass", "permille", sortable=True),
        Column("gmv_fen", "预计计入 GMV", "GMV, forecast", "money", sortable=True),
        Column("gmv_low_fen", "GMV 下限", "GMV, low", "money", shown=False),
        Column("gmv_high_fen", "GMV 上限", "GMV, high", "money", shown=False),
        Column("target_gmv_fen", "GMV 目标", "GMV target", "money", shown=False),
        Column("orders", "预计订单", "Orders, forecast", "count", sortable=True),
        Column("orders_low", "订单下限", "orders, low", "count", shown=False),
        Column("orders_high", "订单上限", "orders, high", "count", shown=False),
        Column("target_orders", "订单目标", "orders target", "count", shown=False),
        Column("counted_gmv_fen", "已计入 GMV", "counted GMV", "money", shown=False),
        Column("counted_orders", "已计入订单", "counted orders", "count", shown=False),
        Column("pending_gmv_fen", "待收货 GMV", "pending GMV", "money", shown=False),
        Column("pending_orders", "待收货", "Pending", "count", sortable=True),
        Column("failed_gmv_fen", "退款 GMV", "failed GMV", "money", shown=False),
        Column("failed_orders", "退款订单", "failed orders", "count", shown=False),
        Column("needed_orders", "最少需收货", "Receipts needed", "count", sortable=True),
        Column("nudge_orders", "最大的几单", "largest pending", "count", shown=False),
        Column("nudge_permille", "收货后概率", "Chance once received", "permille", sortable=True),
        Column("subsidy_fen", "预计补贴", "Subsidy, expected", "money", sortable=True, summed=True),
    ),
    key=("promoter_id",),
    order="-probability_permille",
    filters=(GROUPS,),
)


@blueprint.get("/forecast")
@allows(*READERS)
def show(period: Period) -> str:
    """The newest forecast of a period, and who is worth a nudge."""
    with reading() as connection:
        bounds = open_period(connection, period)
        newest = newest_forecast(connection, period)
        page = None
        if newest is not None:
            page = page_of_list(
                connection,
                FORECASTS,
                forecasts_with_targets(period, newest.as_of),
                request.args,
                kept_lists(connection, forecast_subject(period), now(), newest.as_of),
                counted=True,
            )
        return render_template(
            "operations/forecast.html",
            period=period,
            bounds=bounds,
            forecast=newest,
            budget_fen=terms_in_force(connection, period).terms.subsidy.budget_fen,
            page=page,
            scores=scores(connection, period),
            now=now(),
        )


@blueprint.get("/forecast.csv")
@allows(*READERS)
def file(period: Period) -> Response:
    """Exactly the promoters that the filters leave."""
    with reading() as connection:
        open_period(connection, period)
        newest = newest_forecast(connection, period)
    rows = forecasts_with_targets(period, newest.as_of if newest else 0)
    return csv_response(FORECASTS, rows, request.args, f"forecast-{period.slug}")


@blueprint.get("/forecast/<int:promoter_id>")
@allows(*READERS)
def needed(period: Period, promoter_id: int) -> str:
    """The smallest set of a promoter's pending orders that reaches the target."""
    with reading() as connection:
        month = month_of(connection, promoter_id, period)
        if month is None:
            raise BountyError(
                f"Promoter {promoter_id} is not on the roster of {period}.",
                f"推手 {promoter_id} 不在 {period} 期名单上。",
            )
        newest = newest_forecast(connection, period)
        row = None
        if newest is not None:
            row = forecast_with_target(connection, period, newest.as_of, promoter_id)
        orders = []
        if row is not None:
            listed, _permille = listed_now(connection, promoter_id, month, now())
            orders = largest_pending(connection, listed, row.nudge_orders)
    return render_template(
        "operations/forecast_promoter.html", period=period, month=month, row=row, orders=orders, newest=newest
    )


@blueprint.get("/flags")
@allows(*READERS)
def flags(period: Period) -> str:
    """What is unusual of a period's promoters, and whose payout is held for a review."""
    with reading() as connection:
        open_period(connection, period)
        found = kept_flags(connection, period, MOST_FLAGS)
        holds = connection.execute(holds_of(period)).all()
    return render_template(
        "operations/forecast_flags.html", period=period, found=found, flags=AnomalyCode.labels(), holds=holds
    )


@blueprint.post("/holds")
@allows("operator")
def hold(period: Period) -> ResponseReturnValue:
    """Hold a promoter's payout for a review."""
    text = request.form.get("promoter_id", "").strip()
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise BountyError("Write the promoter's id, digits only.", "请填写推手 ID（纯数字）。")
    try:
        due_at = midnight(date.fromisoformat(request.form.get("due_on", ""))) + 86_400
    except ValueError:
        raise BountyError(
            "Write the review's last day, such as 2023-01-25.", "请填写复核的最后一天，例如 2023-01-25。"
        ) from None
    with writing() as connection:
        open_period(connection, period)
        hold_payout(connection, period, int(text), request.form.get("reason", ""), due_at, now())
    flash(
        _("补贴已暂停支付，等待复核；推手会看到原因和期限。"),
        "success",
    )
    return redirect(url_for(".flags", period=period) + "#holds", 303)


@blueprint.post("/holds/<int:promoter_id>")
@allows("operator", "admin")
def release(period: Period, promoter_id: int) -> ResponseReturnValue:
    """Release a held payout, or ask a second person to."""
    require_fresh_code()
    with writing() as connection:
        released = release_payout(
            connection,
            period,
            promoter_id,
            request.form.get("reason", ""),
            now(),
            approval_required=site().settings.approval_required,
        )
    message = _("已解除：下一批次会支付。") if released else _("已申请解除，等另一人同意。")
    flash(message, "success")
    return redirect(url_for(".flags", period=period) + "#holds", 303)
