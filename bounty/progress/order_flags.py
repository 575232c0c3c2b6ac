"""What is unknown of an order, odd, or in conflict: hints, which change no verdict by themselves."""

from sqlalchemy import RowMapping

from bounty.labels import LabelledCode
from bounty.rules.unknowns import RECEIVED_STATUSES


class OrderFlag(LabelledCode):
    """A hint about an order."""

    DIRECT_UNKNOWN = (
        "DIRECT_UNKNOWN",
        "直推状态未知，按非直推算",
        "whether it is direct is unknown; taken as indirect",
    )
    CATEGORY_UNKNOWN = (
        "CATEGORY_UNKNOWN",
        "类目未知，按普通商品算",
        "its category is unknown; taken as ordinary goods",
    )
    PRICE_COMPARE_UNKNOWN = (
        "PRICE_COMPARE_UNKNOWN",
        "比价状态未知，按正常算",
        "price comparison is unknown; taken as ordinary",
    )
    LINK_UNKNOWN = "LINK_UNKNOWN", "推广链接渠道未知", "the channel of its link is unknown"
    RECEIPT_UNKNOWN = (
        "RECEIPT_UNKNOWN",
        "状态为已收货，却没有确认收货时间：按未收货算",
        "its status says received, but not when; taken as not received",
    )
    AFTERSALE_OPEN = (
        "AFTERSALE_OPEN",
        "售后处理中：若退款成功将不计入",
        "an after-sale is under way: a refund would undo it",
    )
    TIMES_OUT_OF_ORDER = (
        "TIMES_OUT_OF_ORDER",
        "平台给出的时间先后不合常理，请核对",
        "its times as the platform gave them are out of order; worth a look",
    )
    ODD_TEXT = "ODD_TEXT", "商品名称含易误导的字符", "the name of its goods holds characters that mislead"
    CONFLICT = (
        "CONFLICT",
        "同一时间收到内容不同的数据，已按规则取其一",
        "rows of the same time differ; the rule chose one",
    )


def flags_of_order(row: RowMapping) -> tuple[OrderFlag, ...]:
    """The hints that apply, in their order.

    row   of ``queries.judged_order``
    """
    conditions = {
        OrderFlag.DIRECT_UNKNOWN: row["is_direct"] is None,
        OrderFlag.CATEGORY_UNKNOWN: row["cat_ids"] is None,
        OrderFlag.PRICE_COMPARE_UNKNOWN: row["price_compare_status"] is None,
        OrderFlag.LINK_UNKNOWN: row["link_channel"] == "unknown",
        OrderFlag.RECEIPT_UNKNOWN: row["order_status"] in RECEIVED_STATUSES and row["received_at"] is None,
        OrderFlag.AFTERSALE_OPEN: row["return_status"] == 1,
        OrderFlag.TIMES_OUT_OF_ORDER: bool(row["times_out_of_order"]),
        OrderFlag.ODD_TEXT: bool(row["odd_text"]),
        OrderFlag.CONFLICT: bool(row["conflicting"]),
    }
    return tuple(flag for flag, applies in conditions.items() if applies)
