"""The kinds of messages."""

from typing import Final

KINDS: Final[dict[str, tuple[str, str]]] = {
    "target": ("下期目标", "next month's target"),
    "receipts": ("待收货提醒", "receipts still needed"),
    "result": ("公示结果", "published result"),
    "appeal": ("申诉答复", "answer to an appeal"),
    "payment": ("发放", "payment"),
    "draft": ("草稿已就绪", "draft ready"),
    "coverage": ("平台数据有缺口", "coverage has gaps"),
    "late": ("公示之后有新数据", "data came after a notice"),
    "budget": ("补贴可能超出预算", "subsidy may pass the budget"),
    "books": ("账目不平", "books do not balance"),
    "account": ("账号安全", "account security"),
    "test": ("测试消息", "test message"),
}
"""Kind -> name in Chinese and English."""
PROMOTER_KINDS: Final = ("target", "receipts", "result", "appeal", "payment")
"""Kinds for promoters, whose pages list them; of each they can opt out of the mail. Recipients of the other kinds
cannot opt out."""
SECRET: Final = ("account",)
"""Kinds whose link gives access to an account. The link is deleted once the mail is sent."""
