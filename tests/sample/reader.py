"""A reader of the sample's files of its own: every kind of file of orders, row by row."""

import csv
import io
import json
import re
from datetime import date
from pathlib import Path
from typing import Any

from tests import oracle

Row = dict[str, Any]
HOUR, DAY = 3600, 86400
LIST_FIELDS = set(
    (
        "activity_tags auth_duo_id auth_duo_id_service_fee bandan_risk_consult batch_no cash_gift_id cat_ids cpa_new "
        "cps_level custom_parameters duo_id_service_fee fail_reason goods_category_name goods_id goods_name "
        "goods_price goods_quantity goods_sign goods_thumbnail_url group_id is_direct mall_id mall_name "
        "no_subsidy_reason order_amount order_create_time order_group_success_time order_modify_at order_pay_time "
        "order_receive_time order_settle_time order_sn order_status order_status_desc order_verify_time p_id "
        "platform_discount price_compare_status promotion_amount promotion_rate red_packet_type scene_at_market_fee "
        "sep_duo_id sep_market_fee sep_parameters sep_pid sep_rate share_amount share_rate subsidy_amount "
        "subsidy_duo_amount_level subsidy_duo_amount_ten_million subsidy_list subsidy_type type zs_duo_id"
    ).split()
)
"""Of the platform's list reply as documented in 2026."""
MAY_BE_UNKNOWN = {"cat_ids", "is_direct", "price_compare_status"}
TIMES = (
    "order_create_time",
    "order_pay_time",
    "order_group_success_time",
    "order_receive_time",
    "order_verify_time",
    "order_settle_time",
    "order_modify_at",
)
STATUS_WORDS = {
    "未支付": -1,
    "已支付": 0,
    "已成团": 1,
    "确认收货": 2,
    "审核成功": 3,
    "审核失败": 4,
    "已经结算": 5,
    "8": 8,
    "已处罚": 10,
}


def table(path: Path) -> list[dict[str, str]]:
    text, _ = decoded(path)
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def decoded(path: Path) -> tuple[str, str]:
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        return raw.decode("gb18030"), "gb18030"


def read_orders(path: Path, known: set[str]) -> tuple[list[Row], list[str]]:
    """The good rows of a file under the API's names, and a word on each bad one."""
    if path.suffix == ".csv":
        read = [read_cells(cells) for cells in table(path)]
    elif path.suffix == ".jsonl":
        read = [read_fields(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    else:
        read = [read_fields(fields) for fields in in_bodies(json.loads(path.read_text(encoding="utf-8")))]
    good, bad = [], []
    for row in read:
        if isinstance(row, str):
            bad.append(row)
        elif place_of(row).partition("_")[0] not in known:
            bad.append("promoter")
        else:
            good.append(row)
    return good, bad


def in_bodies(bodies: list[dict[str, Any]]) -> list[Row]:
    rows = []
    for body in bodies:
        ((name, reply),) = body.items()
        if name == "order_detail_response":
            assert {"return_status", "url_last_generate_time", "request_id"} <= reply.keys()
            rows.append(reply)
        else:
            assert name == "order_list_get_response"
            assert set(reply) == {"order_list", "total_count", "request_id"}
            assert 1 <= len(reply["order_list"]) <= 100
            rows += reply["order_list"]
    return rows


def place_of(row: Row) -> str:
    """The p_id, which the detail reply calls pid."""
    return str(row["pid"] if "pid" in row else row["p_id"])


def read_fields(row: Row) -> Row:
    """A JSON row, once it is seen to be of the platform's form."""
    if "pid" in row:
        assert set(row) - {"pid", "return_status", "url_last_generate_time", "request_id"} <= LIST_FIELDS
        assert row["return_status"] in (0, 1, 2)
        assert not any(value is None for value in row.values())
    else:
        assert LIST_FIELDS - MAY_BE_UNKNOWN <= set(row) <= LIST_FIELDS
    assert re.fullmatch(r"[0-9]{6}-[0-9]{15}", row["order_sn"])
    assert re.fullmatch(r"[0-9]+_[0-9]+", place_of(row))
    assert row["order_status"] in STATUS_WORDS.values()
    assert all(type(row[money]) is int and row[money] >= 0 for money in ("order_amount", "promotion_amount"))
    assert row.get("is_direct", 1) in (0, 1)
    assert row.get("price_compare_status", 0) in (0, 1)
    assert 3 <= len(row.get("cat_ids", [1, 2, 3])) <= 4
    assert all(type(row.get(time) or 0) is int for time in TIMES)
    assert row["promotion_amount"] == oracle.half_even(row["order_amount"] * row["promotion_rate"], 1000)
    return row


def read_cells(cells: dict[str, str]) -> Row | str:
    """A row of a sheet with Chinese headers under the API's names, or the header of the cell that is wrong."""
    if not re.fullmatch(r"[0-9]{6}-[0-9]{15}", cells["订单编号"]):
        return "订单编号"
    for money in ("实付金额(元)", "佣金(元)"):
        if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,2})?", cells[money]):
            return money
    if cells["订单状态"] not in STATUS_WORDS:
        return "订单状态"
    times = ["生成时间", "支付时间", "确认收货时间", "审核时间", "结算时间", "更新时间"]
    for time in times:
        if not re.fullmatch(r"([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2})?", cells[time]):
            return time
    assert cells["更新时间"]
    assert cells["支付时间"] or cells["订单状态"] == "未支付"
    created, paid, received, verified, settled, modified = (instant(cells[time]) for time in times)
    return {
        "order_sn": cells["订单编号"],
        "p_id": cells["推广位ID"],
        "goods_name": cells["商品名称"],
        "order_amount": oracle.fen(cells["实付金额(元)"]),
        "promotion_amount": oracle.fen(cells["佣金(元)"]),
        "order_status": STATUS_WORDS[cells["订单状态"]],
        "is_direct": {"是": 1, "否": 0, "": None}[cells["是否直推"]],
        "price_compare_status": {"比价": 1, "正常": 0, "": None}[cells["比价状态"]],
        "type": int(cells["订单类型"]),
        "cat_ids": [int(cat_id) for cat_id in cells["类目ID"].split(";") if cat_id],
        "order_create_time": created,
        "order_pay_time": paid,
        "order_receive_time": received,
        "order_verify_time": verified,
        "order_settle_time": settled,
        "order_modify_at": modified,
    }


def instant(cell: str) -> int | None:
    if not cell:
        return None
    hours, minutes, seconds = map(int, cell[11:].split(":"))
    return oracle.midnight(date.fromisoformat(cell[:10])) + hours * HOUR + minutes * 60 + seconds
