"""The messages there are."""

from typing import Final

KINDS: Final[dict[str, tuple[str, str]]] = {
    "target": ("下期目标", "next month's target"),
    "receipts": ("待收货提醒", "receipts still needed"),
    "result": ("公示结果", "published result"),
    "draft": ("草稿已就绪", "draft ready"),
    "coverage": ("平台数据有缺口", "coverage has gaps"),
    "late": ("公示之后有新数据", "data came after a notice"),
    "books": ("账目不平", "books do not balance"),
    "account": ("账号安全", "account security"),
}
"""Kind -> its name in Chinese and English."""
CHOSEN: Final = ("target", "receipts", "result")
"""For promoters, who choose whether to be mailed; the others go to whom they concern, who don't."""
SECRET: Final = ("account",)
"""Whose link lets one in: it is not kept once the mail is sent."""
