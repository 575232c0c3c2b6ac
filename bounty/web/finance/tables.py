"""The tables of payouts, and how promoters and orders are searched for in them."""

from bounty.accounting import finance_queries
from bounty.models import LineCause
from bounty.models.payees import PayeeMethod
from bounty.tranches import state
from bounty.web.shared.table_filters import ORDER_SEARCH, PROMOTER_SEARCH, one_of
from bounty.web.shared.tables import Column, Table

METHOD = one_of("method", "方式", "method", PayeeMethod.labels())
TRANCHES = Table(
    "tranches",
    (
        Column("tranche_id", "批次", "Tranche", "id", sortable=True),
        Column("state", "状态", "State"),
        Column("settled_before", "佣金结算截止", "Settled by", "instant"),
        Column("lines_rows", "订单", "Orders", "count", summed=True),
        Column("payouts_rows", "推手", "Promoters", "count"),
        Column("gross_fen", "应发", "Gross", "money", sortable=True, summed=True),
        Column("adjustments_fen", "调整", "Adjustments", "money", summed=True),
        Column("carry_in_fen", "上批结转", "Carried in", "money", shown=False),
        Column("payable_fen", "净应付", "Net payable", "money", sortable=True),
        Column("carry_out_fen", "欠款结转", "Debts carried on", "money", shown=False),
        Column("due_fen", "待付", "Due", "money"),
        Column("held_fen", "暂扣", "Held", "money", shown=False),
        Column("paid_fen", "已付", "Paid", "money", summed=True),
        Column("prepared_by", "准备人", "Prepared by", shown=False),
        Column("prepared_at", "准备时间", "Prepared at", "instant", shown=False),
        Column("approved_by", "批准人", "Approved by"),
        Column("content_sha256", "指纹", "Hash", shown=False),
    ),
    key=("tranche_id",),
    order="-tranche_id",
    filters=(one_of("state", "状态", "state", state.TrancheState.labels()),),
    labelled=True,
)
"""Of ``finance_queries.tranche_overview``.

What a replaced one held is not summed, and what is payable neither: what failed is so again."""
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
        one_of("fate", "结果", "what it came to", finance_queries.TranchePayoutStatus.labels()),
        METHOD,
    ),
    search=PROMOTER_SEARCH,
    labelled=True,
)
"""Of ``finance_queries.payouts_with_outcomes``."""
CAUSE = one_of("cause", "原因", "cause", LineCause.labels())
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
    search=ORDER_SEARCH,
)
"""Of ``finance_queries.tranche_lines_with_orders``; unfiltered, its CSV is the file of the tranche, to the byte."""
