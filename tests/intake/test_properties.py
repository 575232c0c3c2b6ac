"""What holds for any file: one hash for one content, one fate for one row, and never anything but a refusal."""

import contextlib
import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bounty.clock import shown
from bounty.errors import RefusedFile
from bounty.files.encoding import detect_encoding
from bounty.files.problems import CONTROL, BadRow
from bounty.money import shown_yuan
from bounty.platforms.pdd import json_fast, json_orders
from bounty.platforms.pdd.order_files import OrderRow
from tests.intake.build import (
    API_ORDER,
    CHINESE_ORDER,
    JSON_ORDER,
    PAID,
    REFERENCES,
    csv_text,
    lines,
    page,
    read_kind,
    read_orders,
    workbook,
    write,
)

anything = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
KINDS: tuple[str, ...] = ("promoters", "violations", "links", "targets")
CODES = (-1, 0, 1, 2, 3, 4, 5, 8, 10)
WORDS = dict(
    zip(CODES, "未支付 已支付 已成团 确认收货 审核通过 审核失败 已结算 8 已处罚".split(), strict=True)
)

# --- One hash for one content ---

moment = st.integers(PAID - 10**7, PAID + 10**7)
# What GB18030 has as well, and a sheet can hold.
names = st.text(st.characters(codec="gb18030", exclude_categories=("Cc", "Cs", "Co", "Cn")), max_size=20).map(
    lambda text: text.replace("_x", "x")
)
orders = st.fixed_dictionaries(
    {
        "order_sn": st.from_regex(r"22121[0-9]-[0-9]{15}", fullmatch=True),
        "p_id": st.from_regex(r"[1-9][0-9]{0,14}_[0-9]{1,9}", fullmatch=True),
        "goods_name": st.none() | names,
        "order_status": st.sampled_from(CODES),
        "order_amount": st.integers(0, 10**10),
        "promotion_amount": st.none() | st.integers(0, 10**10),
        "type": st.none() | st.integers(0, 200),
        "cat_ids": st.none() | st.lists(st.integers(0, 99999), max_size=4),
        "is_direct": st.sampled_from([None, 0, 1]),
        "price_compare_status": st.sampled_from([None, 0, 1]),
        "order_create_time": st.none() | moment,
        "order_pay_time": moment,
        "order_receive_time": st.none() | moment,
        "order_verify_time": st.none() | moment,
        "order_settle_time": st.none() | moment,
        "order_modify_at": moment,
    }
)


def as_api(order: dict[str, Any]) -> dict[str, str]:
    cells = {name: "" if value is None else str(value) for name, value in order.items()}
    return cells | {"cat_ids": ";".join(map(str, order["cat_ids"] or ()))}


def as_chinese(order: dict[str, Any]) -> dict[str, str]:
    def time(moment: int | None) -> str:
        return "" if moment is None else shown(moment)[:19].replace("T", " ")

    values = [
        order["order_sn"],
        order["p_id"],
        order["goods_name"] or "",
        shown_yuan(order["order_amount"]),
        "" if order["promotion_amount"] is None else shown_yuan(order["promotion_amount"]),
        WORDS[order["order_status"]],
        {None: "", 0: "否", 1: "是"}[order["is_direct"]],
        {None: "", 0: "正常", 1: "比价"}[order["price_compare_status"]],
        "" if order["type"] is None else str(order["type"]),
        ";".join(map(str, order["cat_ids"] or ())),
        *(time(order[f"order_{name}_time"]) for name in ("create", "pay", "receive", "verify", "settle")),
        time(order["order_modify_at"]),
    ]
    return dict(zip(CHINESE_ORDER, values, strict=True))


@anything
@given(order=orders, backwards=st.booleans())
def test_files_that_say_the_same_hash_the_same(
    tmp_path: Path, order: dict[str, Any], backwards: bool
) -> None:
    chinese, api = as_chinese(order), as_api(order)
    if backwards:
        chinese, api = dict(reversed(chinese.items())), dict(reversed(api.items()))
    paths = [
        write(tmp_path, "lines.jsonl", lines(order)),
        write(tmp_path, "escaped.json", json.dumps(json.loads(page(order)), indent=1)),
        write(tmp_path, "bodies.json", f"[{page(order)}]".encode("gb18030")),
        write(tmp_path, "marked.csv", b"\xef\xbb\xbf" + csv_text(chinese).encode()),
        write(tmp_path, "other.csv", csv_text(chinese, end="\r").encode("gb18030")),
        write(tmp_path, "api.csv", csv_text(api, end="\n")),
    ]
    rows = [row for path in paths for row in read_orders(path)]
    assert len(rows) == len(paths)
    said = {row._replace(place=0, raw="") if isinstance(row, OrderRow) else row for row in rows}
    assert len(said) == 1, said
    assert isinstance(said.pop(), OrderRow)


@settings(anything, max_examples=10)
@given(some=st.lists(orders, min_size=1, max_size=5))
def test_a_workbook_hashes_like_the_rest(tmp_path: Path, some: list[dict[str, Any]]) -> None:
    cells = [list(as_chinese(order | {"goods_name": "纸"}).values()) for order in some]
    paths = (
        workbook(tmp_path / "o.xlsx", [list(CHINESE_ORDER), *cells]),
        write(tmp_path, "o.csv", csv_text(CHINESE_ORDER.keys(), *cells)),
    )
    in_sheet, in_csv = ([getattr(row, "row_hash", row) for row in read_orders(path)] for path in paths)
    assert in_sheet == in_csv


@anything
@given(one=orders, other=orders)
def test_rows_that_say_otherwise_hash_otherwise(
    tmp_path: Path, one: dict[str, Any], other: dict[str, Any]
) -> None:
    first, second = read_orders(write(tmp_path, "o.jsonl", lines(one, other)))
    assert isinstance(first, OrderRow)
    assert isinstance(second, OrderRow)
    for_show: dict[str, Any] = {
        "place": 0,
        "raw": "",
        "row_hash": b"",
        "goods_name": None,
        "created_at": None,
    }
    assert (first.row_hash == second.row_hash) == (first._replace(**for_show) == second._replace(**for_show))


# --- The two readers of JSON agree ---

odd_values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-2, 12)
    | moment
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["1", "19.9", "", " 7 ", "1817118_1", "0_1"])
    | st.lists(st.integers(-1, 3) | st.booleans() | st.none() | st.floats(0, 2), max_size=3)
    | st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), max_size=2)
)
unread = ("custom_parameters", "goods_thumbnail_url", "x:y")
fields = st.sampled_from((*JSON_ORDER, "pid", "return_status", "url_last_generate_time", *unread))
endings = st.sampled_from(
    [
        "",
        ',"mall_id":1',
        ',"mall_id":1,"mall_id":2',
        ',"type":94',
        ' , "order_sn" :"1"',
        ',"x":"a:b"',
        ',"x":"\\u003a","p_id":"1_1"',
        ',"x":[{"a":1,"a":2}]',
    ]
)


@settings(anything, max_examples=500)
@given(
    order=orders,
    changes=st.dictionaries(fields, odd_values, max_size=3),
    escape=st.booleans(),
    ending=endings,
)
def test_what_the_quick_reader_takes_the_careful_one_takes_alike(
    order: dict[str, Any], changes: dict[str, Any], escape: bool, ending: str
) -> None:
    text = json.dumps(order | changes, ensure_ascii=escape)[:-1] + ending + "}"
    if CONTROL.search(text) or any("\ud800" <= sign <= "\udfff" for sign in text):
        return  # nothing that comes to these readers
    quick = json_fast.read_fast(text.encode(), text, 1)
    assert quick is None or quick == json_orders.read_strict(text, 1)


def test_the_quick_reader_takes_what_the_platform_sends() -> None:
    text = lines(
        JSON_ORDER | {"custom_parameters": '{"uid":"a:b"}', "goods_thumbnail_url": "https://x/y.jpeg"}
    )
    assert json_fast.read_fast(text.encode(), text, 1) == json_orders.read_strict(text, 1)


# --- Never anything but a refusal ---

csv_files = [
    csv_text(CHINESE_ORDER).encode(),
    csv_text(CHINESE_ORDER).encode("gbk"),
    csv_text(API_ORDER).encode(),
    *(csv_text(cells).encode() for cells in REFERENCES.values()),
]
json_pieces = [
    page(JSON_ORDER).encode(),
    page().encode()[:-1],
    lines(JSON_ORDER).encode(),
    lines(JSON_ORDER).encode()[:-30],
    b'{"order_list_get_response":{"order_list":[',
    b'{"error_response":{',
]
signs = b'" \n \r\n \r , \\ { } [ ] : \0 \xef\xbb\xbf \xff\xfe PK\x03\x04'.split(b" ")
pieces = st.binary(max_size=40) | st.sampled_from(signs + csv_files + json_pieces)


@settings(anything, max_examples=400)
@given(
    content=st.lists(pieces, max_size=8).map(b"".join),
    name=st.sampled_from(["x.csv", "x.json", "x.jsonl", "x.xlsx", "x"]),
)
def test_any_bytes_are_rows_or_a_refusal(tmp_path: Path, content: bytes, name: str) -> None:
    path = write(tmp_path, name, content)
    with contextlib.suppress(RefusedFile):
        for row in read_orders(path):
            kept = (
                row.raw if isinstance(row, OrderRow) else f"{row.raw}{row.value}{row.column}{row.zh}{row.en}"
            )
            assert "\0" not in kept
            assert kept.encode()
    for kind in KINDS:
        with contextlib.suppress(RefusedFile):
            read_kind(path, kind)


@anything
@given(
    text=st.text(st.characters(codec="utf-8"), min_size=1), codepage=st.sampled_from(["utf-8", "utf-8-sig"])
)
def test_utf_8_is_always_told(tmp_path: Path, text: str, codepage: str) -> None:
    if text.startswith("\ufeff") or text.count("\0") * 4 > len(text.encode(codepage)):
        return
    assert detect_encoding(write(tmp_path, "x.csv", text.encode(codepage))).name == codepage


# --- One fate for one row ---

cell = st.sampled_from(
    ["", " ", "1", "合计", "#", 'a"b', "a\nb", "a\r\nb", "a,b", "a;b", "\0", "十二月", "1_1", "x" * 70_000]
)
record = st.just(list(CHINESE_ORDER.values())) | st.just(list(CHINESE_ORDER)) | st.lists(cell, max_size=18)


@settings(anything, max_examples=200)
@given(
    records=st.lists(record, max_size=8),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    tail=st.sampled_from(["", '"', 'x,"y', '"a"b,1', '\n"a"b,"\n1']),
)
def test_every_record_has_exactly_one_fate(
    tmp_path: Path, records: list[list[str]], end: str, tail: str
) -> None:
    out = io.StringIO(newline="")
    # All are quoted where the writer would not quote the other sign of a line's end.
    writer = csv.writer(
        out, lineterminator=end, quoting=csv.QUOTE_MINIMAL if end == "\r\n" else csv.QUOTE_ALL
    )
    writer.writerow(CHINESE_ORDER)
    writer.writerows(records)
    rows = read_orders(write(tmp_path, "o.csv", out.getvalue() + tail))
    full = [record for record in records if any(cell.strip() for cell in record)]
    assert len(rows) == len(full) + bool(tail)
    assert sum(isinstance(row, OrderRow) for row in rows) == records.count(list(CHINESE_ORDER.values()))
    places = [row.place for row in rows]
    assert places == sorted(set(places))
    if tail:
        assert isinstance(rows[-1], BadRow)
        assert rows[-1].code == "E-QUOTE"


@pytest.mark.parametrize("many", [1, 3, 2000])
@pytest.mark.parametrize("gap", ["", "\n  "])
def test_a_long_list_is_cut_into_its_orders_wherever_the_window_ends(
    tmp_path: Path, many: int, gap: str
) -> None:
    tricky = {
        "goods_name": '"},{"order_sn":"',
        "subsidy_list": [{"order_sn": 1}, {"order_sn": 2}],
        "mall_name": 'x_response"',
    }
    some = [
        JSON_ORDER | {"order_sn": f"221219-{number}"} | (tricky if number % 3 else {})
        for number in range(many)
    ]
    text = f",{gap}".join(lines(order) for order in some)
    body = f'{{"order_list_get_response":{{"total_count":0,"order_list":[{gap}{text}{gap}]}}}}'
    rows = read_orders(write(tmp_path, "o.json", f"[{body},{body}]"))
    assert [row.place for row in rows] == list(range(1, 2 * many + 1))
    assert [getattr(row, "order_sn", row) for row in rows] == [order["order_sn"] for order in some] * 2
    assert [row.raw for row in rows[:many]] == [lines(order) for order in some]
