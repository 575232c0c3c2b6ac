"""Adjustments: the lines that correct earlier ones, each with its order and cause; and who owes after them."""

from flask import Blueprint, Response, render_template, request

from bounty.accounting import finance_queries
from bounty.db import equal
from bounty.models import LineCause
from bounty.web.finance.notices import READERS
from bounty.web.period_names import by_programme
from bounty.web.shared.access import allows
from bounty.web.shared.downloads import csv_response
from bounty.web.shared.request_context import now, reading
from bounty.web.shared.table_filters import ORDER_SEARCH, PROMOTER_SEARCH, Filter, Option
from bounty.web.shared.tables import Column, Table, Totals, page_of

blueprint = Blueprint("adjustments", __name__, url_prefix="/finance")
ADJUSTMENTS = Table(
    "adjustments",
    (
        Column("tranche_id", "批次", "Tranche", "id", sortable=True),
        Column("promoter_id", "推手", "Promoter", "id", sortable=True),
        Column("order_sn", "订单", "Order"),
        Column("period", "期次", "Period", sortable=True),
        Column("notice", "公示", "notice", "id", shown=False),
        Column("cause", "原因", "Cause"),
        Column("corrects_id", "原批次", "Corrects tranche", "id", filed="corrects_tranche"),
        Column("given_fen", "原金额", "Given there", "money"),
        Column("amount_fen", "调整", "Adjustment", "money", sortable=True, summed=True),
    ),
    key=("tranche_id", "promoter_id", "order_sn", "period"),
    order="-tranche_id",
    filters=(
        Filter(
            "cause",
            "原因",
            "cause",
            tuple(
                Option(code, *words, equal("cause", code))
                for code, words in LineCause.labels().items()
                if code != "EARNED"
            ),
        ),
        Filter(
            "way",
            "方向",
            "way",
            (
                Option("back", "扣回", "taken back", lambda row: row.c.amount_fen < 0),
                Option("more", "补发", "given more", lambda row: row.c.amount_fen > 0),
            ),
        ),
    ),
    search=ORDER_SEARCH,
    labelled=True,
)
"""Of ``finance_queries.adjustments``."""
DEBTS = Table(
    "debts",
    (
        Column("promoter_id", "推手", "Promoter", "id", sortable=True),
        Column("name", "姓名", "Name"),
        Column("tranche_id", "最近批次", "Newest tranche", "id"),
        Column("debt_fen", "欠款", "Debt", "money", sortable=True, summed=True),
    ),
    key=("promoter_id",),
    order="debt_fen",
    search=PROMOTER_SEARCH,
    labelled=True,
)
"""Of ``finance_queries.debts``."""


@blueprint.get("/adjustments")
@allows(*READERS)
def index() -> str:
    """Every line that corrects an earlier one, and what is owed in all."""
    with reading() as connection:
        rows, fen = finance_queries.corrections_sum(connection)
        page = page_of(
            connection,
            by_programme(ADJUSTMENTS),
            finance_queries.adjustments(),
            request.args,
            known=lambda chosen: None if chosen else Totals(rows, {"amount_fen": fen}),
        )
        owed = page_of(connection, DEBTS, finance_queries.debts(), {})
    return render_template(
        "finance/adjustments.html", page=page, owed=owed, causes=LineCause.labels(), now=now()
    )


@blueprint.get("/adjustments.csv")
@allows(*READERS)
def file() -> Response:
    """Exactly the adjustments that the filters leave."""
    return csv_response(by_programme(ADJUSTMENTS), finance_queries.adjustments(), request.args, "adjustments")


@blueprint.get("/debts")
@allows(*READERS)
def debts() -> str:
    """Who owes, after all that was taken back."""
    with reading() as connection:
        page = page_of(connection, DEBTS, finance_queries.debts(), request.args)
    return render_template("finance/debts.html", page=page, now=now())


@blueprint.get("/debts.csv")
@allows(*READERS)
def debts_csv() -> Response:
    """Exactly the debts that the filters leave."""
    return csv_response(DEBTS, finance_queries.debts(), request.args, "debts")
