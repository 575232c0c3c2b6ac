"""What each of the platform's public examples gives."""

import json
from pathlib import Path
from typing import Any

import pytest

from bounty.files.problems import BadRow
from tests.intake.build import read_orders, refusal, write

SAMPLES = Path(__file__).parents[1] / "samples"


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("error_24h_window.json", "E-KIND", "50001 时间跨度不能超过24小时"),
        ("error_public_parameter.json", "E-KIND", "10001 公共参数错误:type"),
        ("sign_vector.json", "E-KIND", "pdd.ddk.order.list.increment.get"),
        ("oauth_official_shape.json", "E-KIND", "is_direct"),
        ("live_key_names.json", "E-KIND", "pdd.ddk.order.list.increment.get"),
        ("merchant_order_detail.json", "E-KIND", "商家"),
    ],
)
@pytest.mark.parametrize("ending", [".json", ".jsonl", "one line.jsonl"])
def test_a_sample_that_is_not_our_orders_is_refused(
    tmp_path: Path, ending: str, name: str, code: str, says: str
) -> None:
    content = (SAMPLES / name).read_text("utf-8")
    if ending == "one line.jsonl":
        content = json.dumps(json.loads(content))
    refused = refusal(write(tmp_path, f"sample{ending}", content))
    assert refused is not None
    assert refused.code == code
    if ending == ".json":
        assert says in refused.zh


def test_the_official_shape_has_one_row_whose_placeholders_are_bad() -> None:
    (row,) = read_orders(SAMPLES / "increment_official_shape.json")
    assert isinstance(row, BadRow)
    assert (row.code, row.column, row.value, row.place) == ("E-ID", "order_sn", "str", 1)
    body = json.loads((SAMPLES / "increment_official_shape.json").read_text("utf-8"))
    assert json.loads(row.raw) == body["order_list_get_response"]["order_list"][0]


def test_the_official_shape_with_an_order_in_it_is_read(tmp_path: Path) -> None:
    body: Any = json.loads((SAMPLES / "increment_official_shape.json").read_text("utf-8"))
    (order,) = body["order_list_get_response"]["order_list"]
    order |= {
        "order_sn": "221219-1",
        "p_id": "1817118_1",
        "order_pay_time": 1671455040,
        "order_modify_at": 1671455100,
    }
    (row,) = read_orders(write(tmp_path, "o.json", json.dumps(body)))
    assert not isinstance(row, BadRow), row
    assert (row.order_amount_fen, row.cat_ids, row.received_at, row.goods_name) == (0, None, None, "str")


def test_a_detail_is_read_by_the_key_names_of_live_replies(tmp_path: Path) -> None:
    names = json.loads((SAMPLES / "live_key_names.json").read_text("utf-8"))["detail_keys_in_live_order"]
    known = {
        "order_sn": "221219-1",
        "pid": "1817118_1",
        "order_pay_time": 1671455040,
        "order_modify_at": 1671455100,
    }
    known |= {
        "order_create_time": 1671455000,
        "url_last_generate_time": 1671450000,
        "cat_ids": [239],
        "goods_name": "纸",
    }
    order = {name: known.get(name, 0) for name in names}
    (row,) = read_orders(write(tmp_path, "o.json", json.dumps({"order_detail_response": order})))
    assert not isinstance(row, BadRow), row
    assert (row.is_detail, row.received_at, row.return_status, row.link_made_at) == (
        True,
        None,
        0,
        1671450000,
    )
