"""Templates to download for every kind of file, and what belongs into each of their columns."""

from collections.abc import Iterator
from dataclasses import dataclass

from flask import Blueprint, Response, abort

from bounty.files.columns import REQUIRED, FileColumn
from bounty.payees.files import CHINESE as PAYEES
from bounty.platforms.pdd.sheet_orders import CHINESE as ORDERS
from bounty.promoters.reference_files import chinese_columns
from bounty.web.shared.access import allows
from bounty.web.shared.downloads import attachment
from bounty.web.shared.language import in_language

blueprint = Blueprint("templates", __name__, url_prefix="/operations/templates")
KINDS = ("orders", "promoters", "violations", "links", "targets", "payees")
_TIME = ("北京时间", "Beijing time", "2022-12-05 10:01:00")
_DAY = ("日期", "a date", "2022-10-01")
_YUAN = ("元，最多两位小数", "yuan, at most two decimals", "1234.50")
_FACTS: dict[str, tuple[str, str, str]] = {
    "order_sn": ("数字和 -", "digits and -", "221219-123456789012345"),
    "p_id": ("推手 ID_数字", "promoter's id _ digits", "1000939_107021838"),
    "goods_name": ("商品的名称", "name of the goods", "示例 商品"),
    "order_status": (
        "已支付、已成团、确认收货、审核成功、审核失败、已结算",
        "a status in words or its code",
        "确认收货",
    ),
    "order_amount_fen": _YUAN,
    "promotion_amount_fen": _YUAN,
    "type": ("编号", "a number", "0"),
    "cat_ids": ("编号，用 ; 分隔", "ids joined by ;", "8724;20"),
    "is_direct": ("是、否", "是 (yes) or 否 (no)", "是"),
    "price_compare_status": ("正常、比价", "正常 (ordinary) or 比价 (compared)", "正常"),
    **dict.fromkeys(
        ("created_at", "paid_at", "received_at", "verified_at", "settled_at", "modified_at"), _TIME
    ),
    "promoter_id": ("数字", "digits", "1000939"),
    "name": ("推手的名称", "the promoter's name", "示例·林晓"),
    "level": ("如 V0、V1", "such as V0, V1", "V1"),
    **dict.fromkeys(("level_from", "registered_on", "occurred_on", "cleared_on"), _DAY),
    "reason": ("推手会看到", "the promoter reads it", "站内导流"),
    "channel": ("APP、其他", "APP or 其他 (other)", "APP"),
    "period": ("月份，半月期加 a 或 b", "a month; a half with a or b", "2022-12"),
    "gmv_fen": _YUAN,
    "orders": ("整数", "a whole number", "20"),
    "method": ("支付宝、银行卡", "支付宝 (Alipay) or 银行卡 (bank card)", "支付宝"),
    "account": ("手机号、邮箱或卡号", "phone number, e-mail or card number", "13800000000"),
    "payee_name": ("与账户一致", "as the account has it", "示例收款人"),
    "bank_name": ("银行卡必填", "needed for a bank card", ""),
    "bank_code": ("12 位数字", "12 digits", ""),
}
"""Fact -> how it is written, in Chinese and English, and an example."""


@dataclass(frozen=True, slots=True)
class ColumnHelp:
    """A column of a template."""

    header: str
    required: bool
    """Whether its values may not be blank."""
    how: str
    """How it is written, in the reader's language."""
    example: str


def columns_of(kind: str) -> tuple[FileColumn, ...]:
    """The columns of a kind of file under Chinese headers."""
    return {"orders": ORDERS, "payees": PAYEES}.get(kind) or chinese_columns(kind)


def column_help(kind: str) -> list[ColumnHelp]:
    """What belongs into each column of a kind of file."""
    return [
        ColumnHelp(column.name, column.blank is REQUIRED, in_language(zh, en), example)
        for column in columns_of(kind)
        for zh, en, example in [_FACTS[column.fact]]
    ]


@blueprint.get("/<kind>.csv")
@allows("operator", "admin", "finance")
def template(kind: str) -> Response:
    """An empty file of a kind, with its headers."""
    if kind not in KINDS:
        abort(404)
    header = ",".join(column.name for column in columns_of(kind))

    def pieces() -> Iterator[bytes]:
        yield b"\xef\xbb\xbf" + header.encode() + b"\r\n"

    return attachment(pieces(), f"{kind}-template.csv", "text/csv; charset=utf-8")
