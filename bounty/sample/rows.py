"""Formats one update of an order as a row of the list, the feed, the detail response or the sheet."""

from collections.abc import Sequence
from typing import Final

from bounty.clock import shanghai_date, shown
from bounty.json_types import JsonObject
from bounty.money import shown_yuan
from bounty.rules.periods import Period
from bounty.sample.context import DAY
from bounty.sample.order_lifecycle import Status
from bounty.sample.updates import Update

_PAGE: Final = 100
"""Number of orders in a response body."""
_DESCRIPTIONS: Final = {
    Status.UNPAID: "未支付",
    Status.PAID: "已支付",
    Status.GROUPED: "已成团",
    Status.RECEIVED: "确认收货",
    Status.AUDITED: "审核通过",
    Status.REFUSED: "审核失败",
    Status.SETTLED: "已经结算",
    Status.NO_COMMISSION: "非多多进宝商品",
    Status.PUNISHED: "已处罚",
}
_UNUSED: Final = dict.fromkeys(
    (
        "auth_duo_id auth_duo_id_service_fee cash_gift_id cpa_new cps_level duo_id_service_fee red_packet_type "
        "scene_at_market_fee sep_duo_id sep_market_fee sep_rate share_amount share_rate subsidy_amount "
        "subsidy_duo_amount_level subsidy_duo_amount_ten_million subsidy_type zs_duo_id"
    ).split(),
    0,
) | dict.fromkeys("custom_parameters no_subsidy_reason sep_parameters sep_pid".split(), "")
"""Fields of the list that the program does not use."""
_SHEET_WORDS: Final = _DESCRIPTIONS | {Status.AUDITED: "审核成功", Status.NO_COMMISSION: "8"}
_YES_NO: Final = {1: "是", 0: "否", None: ""}
_COMPARED_WORDS: Final = {1: "比价", 0: "正常", None: ""}


def increment_bodies(updates: Sequence[Update], month: Period) -> list[JsonObject]:
    """Response bodies of the increment list, from the last page to the first. Adjacent pages share one row, as real
    pages can."""
    starts = range(0, max(1, len(updates) - 1), _PAGE - 1)
    return [
        {
            "order_list_get_response": {
                "order_list": [list_row(update) for update in updates[start : start + _PAGE]],
                "total_count": len(updates),
                "request_id": f"sample-{month}-{start:06d}",
            }
        }
        for start in reversed(starts)
    ]


def list_row(update: Update) -> JsonObject:
    """A row with the fields of the platform's list. Unknown facts are absent."""
    order, step, goods = update.order, update.step, update.order.goods
    facts = {
        "cat_ids": order.cat_ids,
        "is_direct": order.is_direct,
        "price_compare_status": order.price_compare,
    }
    return {
        "order_sn": order.order_sn,
        "p_id": order.place,
        "order_status": step.status,
        "order_status_desc": _DESCRIPTIONS[step.status],
        "fail_reason": step.fail_reason,
        "goods_id": 600_000_000_000 + goods.number,
        "goods_sign": f"sample_goods_{goods.number:03d}",
        "goods_name": goods.name,
        "goods_thumbnail_url": f"https://img.example/sample/{goods.number:03d}.jpeg",
        "goods_category_name": goods.category,
        "goods_price": goods.price_fen,
        "goods_quantity": order.quantity,
        "mall_id": 700_000_000 + goods.cat_ids[0],
        "mall_name": f"示例·{goods.category}店",
        # Above 2^53, as real group ids are: a float cannot represent it exactly.
        "group_id": 860_461_037_000_000_000 + order.serial,
        "order_amount": order.amount_fen,
        "platform_discount": goods.price_fen * order.quantity - order.amount_fen,
        "promotion_rate": order.rate_permille,
        "promotion_amount": order.commission_fen,
        "type": order.type,
        **{name: value for name, value in facts.items() if value is not None},
        "activity_tags": [7] if order.type == 103 else [],
        "bandan_risk_consult": -1 if step.received_at is None else 0,
        "order_create_time": order.created_at,
        "order_pay_time": order.paid_at,
        "order_group_success_time": step.grouped_at,
        "order_receive_time": step.received_at,
        "order_verify_time": step.verified_at,
        "order_settle_time": step.settled_at,
        "order_modify_at": step.modified_at,
        "batch_no": "" if step.settled_at is None else f"{shanghai_date(step.settled_at):%Y%m%d}01",
        "subsidy_list": [],
        **_UNUSED,
    }


def feed_row(update: Update) -> JsonObject:
    """A row of the feed: a list row with 0 for times of events that have not happened."""
    return {
        name: 0 if value is None and name.endswith("_time") else value
        for name, value in list_row(update).items()
    }


def detail_body(update: Update) -> JsonObject:
    """A response body of the detail call: ``p_id`` is named ``pid``, null fields are absent, two fields are added."""
    order = update.order
    fields: JsonObject = {name: value for name, value in list_row(update).items() if value is not None}
    fields["pid"] = fields.pop("p_id")
    fields["return_status"] = update.step.return_status
    fields["url_last_generate_time"] = order.created_at - order.serial % (20 * DAY)
    fields["request_id"] = f"sample-{order.order_sn}"
    return {"order_detail_response": fields}


def sheet_row(update: Update) -> dict[str, str]:
    """A row of the sheet: header -> cell."""
    order, step = update.order, update.step
    return {
        "订单编号": order.order_sn,
        "推广位ID": order.place,
        "商品名称": order.goods.name,
        "实付金额(元)": shown_yuan(order.amount_fen),
        "佣金(元)": shown_yuan(order.commission_fen),
        "订单状态": _SHEET_WORDS[step.status],
        "是否直推": _YES_NO[order.is_direct],
        "比价状态": _COMPARED_WORDS[order.price_compare],
        "订单类型": str(order.type),
        "类目ID": ";".join(map(str, order.cat_ids or ())),
        "生成时间": _sheet_time(order.created_at),
        "支付时间": _sheet_time(order.paid_at),
        "确认收货时间": _sheet_time(step.received_at),
        "审核时间": _sheet_time(step.verified_at),
        "结算时间": _sheet_time(step.settled_at),
        "更新时间": _sheet_time(step.modified_at),
    }


def _sheet_time(instant: int | None) -> str:
    return "" if instant is None else shown(instant)[:19].replace("T", " ")
