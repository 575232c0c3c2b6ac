"""The terms as fields of a form: each with its words, unit and default, in the parts of the file."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "whole", "yuan", "ratio", "flag", "choice", "ids", "day"]
Choice = tuple[str, str, str]
"""Value, Chinese and English."""


@dataclass(frozen=True, slots=True)
class TermField:
    """One term in the form."""

    key: str
    """Within its part, as in the file."""
    zh: str
    en: str
    hint_zh: str
    """Its unit, and what blank means."""
    hint_en: str
    kind: Kind = "text"
    default: str = ""
    """What a form without a version before it begins with."""
    choices: tuple[Choice, ...] = ()
    left_out: str | None = None
    """What a file says by leaving the key out, so that the form does too; null where the key has to be given or blank
    says it."""


@dataclass(frozen=True, slots=True)
class TermPart:
    """A table of the file."""

    key: str
    """Blank for the top."""
    zh: str
    en: str
    fields: tuple[TermField, ...]


_IDS = ("编号，用 ; 分隔；空为不限", "ids joined by ;; blank: any")
_CAP = ("元；空为不封顶", "yuan; blank: no cap")
PARTS = (
    TermPart(
        "",
        "总则",
        "General",
        (
            TermField("name", "名称", "Name", "推手会看到", "promoters read it", default="月度赏金任务"),
            TermField(
                "effective_from",
                "自哪期起",
                "From period",
                "月份，如 2023-01；半月期写 2023-01a",
                "a month such as 2023-01; a half is 2023-01a",
            ),
            TermField(
                "cycle",
                "周期",
                "Cycle",
                "默认每月一期",
                "a period a month by default",
                "choice",
                "month",
                (("month", "每月", "month"), ("half-month", "半月", "half-month")),
                left_out="month",
            ),
        ),
    ),
    TermPart(
        "task",
        "任务",
        "Task",
        (
            TermField("first_day", "推广首日", "First day", "日，1 至 31", "day, 1 to 31", "whole", "1"),
            TermField(
                "last_day",
                "推广末日（含）",
                "Last day, inclusive",
                "日，1 至 31，或 end 表示月末",
                "day, 1 to 31, or end for the month's last",
                "day",
                "20",
            ),
            TermField(
                "receipt_cutoff_day",
                "收货截止（次月）",
                "Receipts end, next month",
                "日，含当天；半月期留空",
                "day, inclusive; blank for half-months",
                "whole",
                "10",
            ),
            TermField(
                "receipt_cutoff_days",
                "收货期限（半月期）",
                "Receipts end, half-months",
                "期末后的天数；按月的条款留空",
                "days after the period's end; blank for months",
                "whole",
            ),
            TermField(
                "order_cap_yuan", "每单最多计入", "Most that an order counts", "元", "yuan", "yuan", "200.00"
            ),
            TermField(
                "min_order_yuan",
                "每单最低金额",
                "Least amount of an order",
                "元；空为不限",
                "yuan; blank: any",
                "yuan",
            ),
            TermField(
                "count_price_compare",
                "比价订单计入任务",
                "Price-compared orders count",
                "默认计入",
                "yes by default",
                "flag",
                "y",
            ),
            TermField(
                "count_live_room",
                "直播间订单计入任务",
                "Live-room orders count",
                "默认不计入",
                "no by default",
                "flag",
                left_out="",
            ),
            TermField("category_ids", "只计这些类目", "Only these categories", *_IDS, "ids"),
        ),
    ),
    TermPart(
        "virtual",
        "虚拟商品",
        "Virtual goods",
        (
            TermField(
                "types",
                "订单类型",
                "Order types",
                "编号，用 ; 分隔；空为无",
                "ids joined by ;; blank: none",
                "ids",
            ),
            TermField(
                "category_ids",
                "类目",
                "Categories",
                "编号，用 ; 分隔；空为无",
                "ids joined by ;; blank: none",
                "ids",
            ),
        ),
    ),
    TermPart(
        "subsidy",
        "补贴",
        "Subsidy",
        (
            TermField(
                "basis",
                "补贴基数",
                "Basis",
                "默认实付金额",
                "the amount paid by default",
                "choice",
                "order_amount",
                (("order_amount", "实付金额", "amount paid"), ("commission", "佣金", "commission")),
            ),
            TermField(
                "links",
                "推广链接",
                "Links",
                "默认须在 APP 内生成",
                "made in the app by default",
                "choice",
                "app_or_unknown",
                (
                    ("app_or_unknown", "APP 内生成（来源不明的也算）", "made in the app, or unknown"),
                    ("app", "只算 APP 内生成", "made in the app only"),
                    ("any", "不限", "any"),
                ),
            ),
            TermField(
                "include_price_compare",
                "比价订单有补贴",
                "Price-compared orders earn",
                "默认没有",
                "no by default",
                "flag",
            ),
            TermField(
                "include_live_room",
                "直播间订单有补贴",
                "Live-room orders earn",
                "默认没有",
                "no by default",
                "flag",
                left_out="",
            ),
            TermField("order_cap_yuan", "每单补贴上限", "Cap an order", *_CAP, "yuan"),
            TermField("promoter_cap_yuan", "每人每期补贴上限", "Cap a promoter and period", *_CAP, "yuan"),
            TermField(
                "lapse_months",
                "佣金多久未结算作废",
                "Void if unsettled for",
                "月，自期末起；空为不作废",
                "months after the period; blank: never",
                "whole",
            ),
            TermField(
                "exclusive",
                "与其他项目的补贴互斥",
                "Not beside another programme's subsidy",
                "默认可以同时得",
                "both by default",
                "flag",
                left_out="",
            ),
            TermField(
                "audited_by_day",
                "当月结算的审核截止",
                "Audited by, to settle in the same month",
                "日；只影响展示的日期",
                "day; for the dates shown only",
                "whole",
                "15",
                left_out="15",
            ),
            TermField(
                "settled_on_day",
                "佣金结算日",
                "Commissions settle on",
                "日；只影响展示的日期",
                "day; for the dates shown only",
                "whole",
                "20",
                left_out="20",
            ),
            TermField(
                "budget_yuan",
                "每期预算",
                "Budget of a period",
                "元；只提醒，不减补贴；空为没有预算",
                "yuan; it only warns and cuts nothing; blank: none",
                "yuan",
            ),
        ),
    ),
    TermPart(
        "notice",
        "公示与申诉",
        "Notice and appeals",
        (
            TermField(
                "published_by_day",
                "公示截止（次月）",
                "Published by, next month",
                "日，含当天",
                "day, inclusive",
                "whole",
                "19",
                left_out="19",
            ),
            TermField(
                "appeals_until_day",
                "申诉截止（次月）",
                "Appeals until, next month",
                "日，含当天；公示后的申诉期可能更晚",
                "day, inclusive; later where the notice comes late",
                "whole",
                "19",
                left_out="19",
            ),
            TermField(
                "appeal_days",
                "申诉与答复期限",
                "Days to appeal and to answer",
                "整天，至少 3",
                "full days, at least 3",
                "whole",
                "3",
                left_out="3",
            ),
        ),
    ),
)
LEVEL_FIELDS: tuple[TermField, ...] = (
    TermField("name", "等级", "Level", "如 V1；空为没有这一行", "such as V1; blank: no such row"),
    TermField("direct_only", "只算直推", "Direct orders only", "默认否", "no by default", "flag"),
    TermField(
        "min_tenure_months", "注册满", "Registered for", "月；空为不要求", "months; blank: any", "whole"
    ),
    TermField("orders", "单数目标", "Target of orders", "单；空为不考核", "orders; blank: none", "whole"),
    TermField(
        "gmv_yuan", "GMV 目标", "GMV target", "元；按历史计算时留空", "yuan; blank if by history", "yuan"
    ),
    TermField(
        "history_periods",
        "按历史：期数",
        "By history: periods",
        "最近几期的平均；空为不按历史",
        "the mean of so many; blank: not by history",
        "whole",
    ),
    TermField("factor", "按历史：倍数", "By history: factor", "如 1.10", "such as 1.10", "ratio"),
    TermField("floor", "按历史：最低", "By history: least", "元", "yuan", "yuan"),
    TermField("ceiling", "按历史：最高", "By history: most", "元；空为不限", "yuan; blank: any", "yuan"),
    TermField("step", "按历史：取整到", "By history: rounded up to", "元", "yuan", "yuan"),
)
"""Of one level; those of ``_FORMULA`` make its GMV target one from the promoter's history."""
TIER_FIELDS: tuple[TermField, ...] = (
    TermField(
        "at", "达到目标的", "From this part of the target", "倍，首档 1.00", "the first is 1.00", "ratio"
    ),
    TermField("rate_permille", "补贴比例", "Rate", "‰", "per mille", "whole"),
)
