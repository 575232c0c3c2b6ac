"""The tables of payouts, and how promoters and orders are searched for in them."""

from typing import Any

from sqlalchemy import cast

from bounty.accounting import finance_queries
from bounty.db import Words
from bounty.tranches import state
from bounty.tranches.entitlement import LINE_CAUSES
from bounty.web.finance.methods import METHODS
from bounty.web.shared.tables import Column, Filter, Option, Search, Table, equal


def by_promoter(row: Any, words: str) -> Any:
    """Rows of a promoter, by name or id."""
    return row.c.name.contains(words, autoescape=True) | cast(row.c.promoter_id, Words).startswith(
        words, autoescape=True
    )


def by_order(row: Any, words: str) -> Any:
    """Lines of an order, or of a promoter."""
    return row.c.order_sn.startswith(words, autoescape=True) | (cast(row.c.promoter_id, Words) == words)


METHOD = Filter(
    "method",
    "方式",
    "method",
    tuple(Option(code, *words, equal("method", code)) for code, words in METHODS.items()),
)
TRANCHES = Table(
    "tranches",
    (
        Column("tranche_id", "批次", "Tranche", "id", sortable=True),
        Column("state", "状态", "State"),
        Column("settled_before", "结算早于", "Settled before", "instant"),
        Column("lines_rows", "订单", "Orders", "count", summed=True),
        Column("payouts_rows", "推手", "Promoters", "count"),
        Column("gross_fen", "应发", "Gross", "money", sortable=True, summed=True),
        Column("adjustments_fen", "调整", "Adjustments", "money", summed=True),
        Column("carry_in_fen", "上批结转", "Carried in", "money"),
        Column("payable_fen", "净应付", "Net payable", "money", sortable=True),
        Column("carry_out_fen", "欠款结转", "Debts carried on", "money"),
        Column("due_fen", "待付", "Due", "money"),
        Column("held_fen", "暂扣", "Held", "money"),
        Column("paid_fen", "已付", "Paid", "money", summed=True),
        Column("prepared_by", "准备人", "Prepared by", shown=False),
        Column("prepared_at", "准备时间", "Prepared at", "instant", shown=False),
        Column("approved_by", "批准人", "Approved by"),
        Column("content_sha256", "指纹", "Hash"),
    ),
    key=("tranche_id",),
    order="-tranche_id",
    filters=(
        Filter(
            "state",
            "状态",
            "state",
            tuple(Option(state, *words, equal("state", state)) for state, words in state.STATES.items()),
        ),
    ),
    labelled=True,
)
"""Of ``desk.desk``. What a replaced one held is not summed, and what is payable neither: what failed is so again."""
PAYOUTS = Table(
    "payouts",
    (
        Column("promoter_id", "推手", "Promoter", "id", sortable=True),
        Column("name", "姓名", "Name"),
        Column("fate", "结果", "Came to"),
        Column("place", "例外在前", "exceptions first", "count", sortable=True, shown=False),
        Column("words", "说明", "the payer's words", shown=False),
        Column("method", "方式", "method", shown=False),
        Column("shown_account", "账户", "Account"),
        Column("shown_name", "户名", "payee", shown=False),
        Column("carry_in_fen", "上批结转", "Carried in", "money", summed=True),
        Column("lines_rows", "订单", "Orders", "count", summed=True),
        Column("lines_fen", "本批明细", "Lines", "money", summed=True),
        Column("payable_fen", "应付", "Payable", "money", sortable=True, summed=True),
        Column("paid_fen", "已付", "Paid", "money", summed=True),
        Column("carry_out_fen", "欠款结转", "Debt carried on", "money", summed=True),
        Column("told_at", "结果时间", "told at", "instant", shown=False),
    ),
    key=("promoter_id",),
    order="place",
    filters=(
        Filter(
            "fate",
            "结果",
            "what it came to",
            tuple(Option(code, *words, equal("fate", code)) for code, words in finance_queries.FATES.items()),
        ),
        METHOD,
    ),
    search=Search("推手 ID 或姓名", "promoter id or name", by_promoter),
    labelled=True,
)
"""Of ``desk.payouts_told``."""
CAUSE = Filter(
    "cause",
    "原因",
    "cause",
    tuple(Option(code, *words, equal("cause", code)) for code, words in LINE_CAUSES.items()),
)
LINES = Table(
    "tranche_lines",
    (
        Column("promoter_id", "推手", "Promoter", "id", sortable=True),
        Column("order_sn", "订单", "Order"),
        Column("period", "期次", "Period", sortable=True),
        Column("notice", "公示", "Notice", "id"),
        Column("cause", "原因", "Cause"),
        Column("corrects_id", "原批次", "Corrects tranche", "id", filed="corrects_tranche"),
        Column("amount_fen", "金额", "Amount", "money", sortable=True, summed=True),
    ),
    key=("promoter_id", "order_sn", "period"),
    order="promoter_id",
    filters=(CAUSE,),
    search=Search("推手 ID 或订单编号", "promoter id or order number", by_order),
)
"""Of ``desk.lines_told``; unfiltered, its CSV is the file of the tranche, to the byte."""
