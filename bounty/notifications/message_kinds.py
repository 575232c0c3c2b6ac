"""The kinds of messages."""

from typing import Final

from bounty.labels import LabelledCode


class MessageKind(LabelledCode):
    """The kind of a message."""

    TARGET = "target", "下期目标", "next month's target"
    RECEIPTS = "receipts", "待收货提醒", "receipts still needed"
    RESULT = "result", "公示结果", "published result"
    APPEAL = "appeal", "申诉答复", "answer to an appeal"
    PAYMENT = "payment", "发放", "payment"
    DRAFT = "draft", "草稿已就绪", "draft ready"
    COVERAGE = "coverage", "平台数据有缺口", "coverage has gaps"
    LATE = "late", "公示之后有新数据", "data came after a notice"
    BUDGET = "budget", "补贴可能超出预算", "subsidy may pass the budget"
    BATCH = "batch", "批次已导入", "batch imported"
    QUARANTINE = "quarantine", "隔离区增加", "quarantine grew"
    CORRECTED = "corrected", "结果已更正", "result corrected"
    TRANCHE = "tranche", "付款批次已导出", "tranche exported"
    PAID = "paid", "付款成功", "payouts paid"
    UNPAID = "unpaid", "付款失败", "payouts failed"
    APPEALED = "appealed", "收到申诉", "appeal opened"
    ANSWERED = "answered", "申诉已答复", "appeal answered"
    WEBHOOK = "webhook", "接收方已停用", "endpoint disabled"
    BOOKS = "books", "账目不平", "books do not balance"
    ACCOUNT = "account", "账号安全", "account security"
    TEST = "test", "测试消息", "test message"


PROMOTER_KINDS: Final = tuple(
    kind.value
    for kind in (
        MessageKind.TARGET,
        MessageKind.RECEIPTS,
        MessageKind.RESULT,
        MessageKind.APPEAL,
        MessageKind.PAYMENT,
    )
)
"""Kinds for promoters, whose pages list them; of each they can opt out of the mail. Recipients of the other kinds
cannot opt out."""
SECRET: Final = (MessageKind.ACCOUNT.value,)
"""Kinds whose link gives access to an account. The link is deleted once the mail is sent."""
EVENTS: Final = (
    "batch",
    "quarantine",
    "target",
    "receipts",
    "coverage",
    "budget",
    "draft",
    "result",
    "corrected",
    "late",
    "tranche",
    "paid",
    "unpaid",
    "appealed",
    "answered",
    "books",
)
"""Kinds that are sent to endpoints, in the order of a month."""
SETTING_KINDS: Final = ("target", "receipts", "draft", "result", "coverage", "late", "books", "test")
"""Kinds that are sent to the webhook of the settings."""
