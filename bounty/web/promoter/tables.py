"""The tables of a promoter's pages."""

from dataclasses import replace

from sqlalchemy import FromClause, not_
from sqlalchemy.sql import ColumnElement

from bounty.accounting.promoter_statement import SubsidyState
from bounty.db import equal
from bounty.rules.clause_texts import CLAUSE_TEXTS
from bounty.rules.clauses import TASK_CLAUSES
from bounty.rules.measure import COUNTED, PENDING
from bounty.web.shared.table_filters import Filter, Option, Search
from bounty.web.shared.tables import Column, Table


def _by_order_or_goods(row: FromClause, words: str) -> ColumnElement[bool]:
    return row.c.order_sn.startswith(words, autoescape=True) | row.c.goods_name.contains(
        words, autoescape=True
    )


_SEARCH = Search("订单号或商品", "order number or goods", _by_order_or_goods)

PAGE = 20
"""Orders of a page: on a phone each is a card of four lines."""
REASONS = {clause.code: CLAUSE_TEXTS[clause].short for clause in TASK_CLAUSES}
"""Task clause -> the reason it gives, as short as a link."""

ORDERS = Table(
    "orders",
    (
        Column("order_sn", "订单", "order"),
        Column("goods_name", "商品", "goods"),
        Column("paid_at", "付款时间", "paid at", "instant", sortable=True),
        Column("amount_fen", "实付", "amount", "money", sortable=True, summed=True),
        Column("counts_fen", "计入任务", "counts as", "money", summed=True),
        Column("pending_fen", "待计入", "pending", "money", summed=True),
        Column("verdict", "结论", "verdict"),
        Column("received_at", "收货时间", "received at", "instant"),
        Column("subsidy_fen", "补贴", "subsidy", "money", sortable=True, summed=True),
        Column("unearned", "无补贴原因", "why no subsidy"),
    ),
    key=("order_sn",),
    order="-paid_at",
    filters=(
        Filter(
            "verdict",
            "结论",
            "verdict",
            (
                Option("counted", "已计入", "counted", equal("verdict", COUNTED)),
                Option("pending", "待收货", "pending", equal("verdict", PENDING)),
                Option("not", "不计入", "not counted", lambda row: row.c.verdict.not_in((COUNTED, PENDING))),
            ),
        ),
        Filter(
            "reason",
            "不计入原因",
            "reason",
            tuple(
                Option(clause.code, *REASONS[clause.code], equal("verdict", clause.code))
                for clause in TASK_CLAUSES
            ),
        ),
        Filter(
            "subsidy",
            "补贴",
            "subsidy",
            (
                Option("yes", "有补贴", "earns", lambda row: row.c.subsidy_fen > 0),
                Option(
                    "only",
                    "仅补贴（不计入任务）",
                    "subsidy only",
                    lambda row: (row.c.subsidy_fen > 0) & row.c.verdict.not_in((COUNTED, PENDING)),
                ),
                Option("no", "无补贴", "earns nothing", lambda row: not_(row.c.subsidy_fen > 0)),
            ),
        ),
    ),
    search=_SEARCH,
    page=PAGE,
)
"""Of ``order_list.listed_orders``."""

ORDERS_OF_LARGE_MONTH = replace(
    ORDERS,
    columns=tuple(replace(each, sortable=each.name == "paid_at") for each in ORDERS.columns),
    key=("paid_at", "order_sn"),
)
"""Of a month of which a page may not judge all orders: no index has them by amount."""

BRING_HOME = Table(
    "bring_home",
    (
        Column("order_sn", "订单", "order"),
        Column("goods_name", "商品", "goods"),
        Column("paid_at", "付款时间", "paid at", "instant", sortable=True),
        Column("amount_fen", "实付", "amount", "money", summed=True),
        Column("counts_fen", "收货后计入", "would count", "money", sortable=True, summed=True),
    ),
    key=("order_sn",),
    order="-counts_fen",
    page=PAGE,
)
"""Of ``bring_home.waiting_orders``."""

WAITING_OF_LARGE_MONTH = replace(
    BRING_HOME,
    columns=tuple(replace(each, sortable=each.name == "paid_at") for each in BRING_HOME.columns),
    key=("paid_at", "order_sn"),
    order="paid_at",
)
"""Who has waited longest first: no index has them by what they count."""

SUBSIDY = Table(
    "subsidy",
    (
        Column("order_sn", "订单", "order"),
        Column("goods_name", "商品", "goods"),
        Column("paid_at", "付款时间", "paid at", "instant", sortable=True),
        Column("basis_fen", "基数", "basis", "money", summed=True),
        Column("rate_permille", "比例", "rate", "permille"),
        Column("subsidy_fen", "补贴", "subsidy", "money", sortable=True, summed=True),
        Column("held_fen", "已入批次", "in tranches", "money", summed=True),
        Column("open_fen", "待入批次", "to come", "money", summed=True),
        Column("state", "状态", "state"),
        Column("why", "原因", "why"),
        Column("tranche_id", "批次", "tranche", "id"),
        Column("told_at", "付款时间", "paid out at", "instant"),
        Column("settled_at", "佣金结算时间", "commission settled at", "instant"),
    ),
    key=("order_sn",),
    order="-paid_at",
    filters=(
        Filter(
            "state",
            "状态",
            "state",
            tuple(
                Option(state.lower(), *names, equal("state", state))
                for state, names in SubsidyState.labels().items()
            ),
        ),
    ),
    search=_SEARCH,
    page=PAGE,
)
"""Of ``promoter_statement.month_lines``."""

EXPECTED_OF_LARGE_MONTH = replace(
    SUBSIDY,
    columns=tuple(replace(each, sortable=each.name == "paid_at") for each in SUBSIDY.columns),
    key=("paid_at", "order_sn"),
)
"""Of a month without a notice, of which a page may not judge all orders."""
LINES_OF_LARGE_MONTH = replace(
    SUBSIDY,
    columns=tuple(replace(each, sortable=False) for each in SUBSIDY.columns),
    order="-order_sn",
)
"""Of the newest notice, by the order number, which begins with its date: as its lines are kept."""

PAYS_ON = Column("pays_on", "预计发放日", "paid about")
"""The last column of their file: the day on which a line is expected to be paid, while it is not in a tranche."""

PAYMENTS = Table(
    "payments",
    (
        Column("tranche_id", "批次", "tranche", "id", sortable=True),
        Column("settled_before", "佣金结算早于", "settled before", "instant"),
        Column("given_fen", "本批补贴", "subsidy", "money", summed=True),
        Column("adjusted_fen", "扣回与更正", "taken back or corrected", "money", summed=True),
        Column("carry_in_fen", "上批结转", "carried in", "money"),
        Column("payable_fen", "应付", "payable", "money", sortable=True),
        Column("carry_out_fen", "欠款结转", "debt carried on", "money"),
        Column("paid_fen", "已付", "paid", "money", summed=True),
        Column("fate", "状态", "state"),
        Column("words", "付款方说明", "the payer's words"),
        Column("account", "收款账户", "account"),
        Column("told_at", "付款结果时间", "told at", "instant"),
    ),
    key=("tranche_id",),
    order="-tranche_id",
    page=PAGE,
)
"""Of ``promoter_statement.payments``. What is payable is not summed: what failed is in the next payment again."""

PAYMENT_LINES = Table(
    "payment_lines",
    (
        Column("order_sn", "订单", "order"),
        Column("goods_name", "商品", "goods"),
        Column("period", "期次", "period", sortable=True),
        Column("notice", "公示号", "notice", "id"),
        Column("cause", "原因", "cause"),
        Column("corrects_id", "原批次", "corrects tranche", "id"),
        Column("amount_fen", "金额", "amount", "money", sortable=True, summed=True),
    ),
    key=("order_sn", "period"),
    order="amount_fen",
    filters=(
        Filter(
            "kind",
            "种类",
            "kind",
            (
                Option("given", "本批补贴", "subsidy", equal("cause", "EARNED")),
                Option(
                    "adjusted", "扣回与更正", "taken back or corrected", lambda row: row.c.cause != "EARNED"
                ),
            ),
        ),
    ),
    search=_SEARCH,
    page=PAGE,
)
"""Of ``promoter_statement.payment_lines`` of one payment; what is taken back on top."""

LINES_OF_LARGE_PAYMENT = replace(
    PAYMENT_LINES,
    columns=tuple(replace(each, sortable=False) for each in PAYMENT_LINES.columns),
    order="order_sn",
)
"""In the order of their key."""

HISTORY = Table(
    "history",
    (
        Column("period", "期次", "period", sortable=True),
        Column("level", "等级", "level"),
        Column("reason", "无资格原因", "why not eligible"),
        Column("target_gmv_fen", "GMV 目标", "GMV target", "money"),
        Column("gmv_fen", "计入 GMV", "counted GMV", "money"),
        Column("target_orders", "订单目标", "orders target", "count"),
        Column("orders", "计入订单", "counted orders", "count"),
        Column("passed", "达标", "passed", "flag"),
        Column("rate_permille", "比例", "rate", "permille"),
        Column("subsidy_orders", "补贴单数", "subsidy orders", "count", summed=True),
        Column("subsidy_fen", "补贴", "subsidy", "money", sortable=True, summed=True),
        Column("notice", "公示号", "notice", "count"),
        Column("published_at", "公示时间", "published at", "instant"),
    ),
    key=("period",),
    order="-period",
)
"""Of ``history.months``."""

CLAUSES = {clause.code: (clause, CLAUSE_TEXTS[clause]) for clause in TASK_CLAUSES}
"""Task clause -> itself, and its texts."""
