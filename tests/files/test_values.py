"""Values as people's files have them, one row a case: what is read in one way only is read, all else is bad."""
# ruff: noqa: E501 - a table is read along its rows, and odd characters are what it is about

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from bounty.errors import RefusedFile
from bounty.files.problems import BadRow
from bounty.payees.files import PayeeRow, read_payees
from bounty.payment_results.files import read_payment_results
from bounty.platforms.pdd.order_files import OrderRow, open_orders
from tests.intake.build import (
    API_ORDER,
    CHINESE_ORDER,
    JSON_ORDER,
    csv_text,
    lines,
    page,
    read_kind,
    read_orders,
    write,
)

NOON = 1670205660  # 2022-12-05 10:01:00 in Shanghai

# --- Orders under Chinese headers: column, cell, and the code or what it means ---

CHINESE: list[tuple[str, str, str, Any]] = [
    *(("订单编号", "order_sn", cell, "221205-123456789012345") for cell in (
        "'221205-123456789012345", "`221205-123456789012345", "\t221205-123456789012345", '="221205-123456789012345"',
        "\u200b221205-123456789012345", "221205-123456789012345\u200e", "\u202a221205-123456789012345\u202c",
        "\x1f221205-123456789012345\x1f", "\u00a0221205-123456789012345\u00a0", "\ufeff221205-123456789012345",
        "`221205-123456789012345\t", "' 221205-123456789012345", "221205–123456789012345", "221205−123456789012345",
        "221205‐123456789012345", "221205‑123456789012345", "221205－123456789012345", '="221205–123456789012345"',
        "\u200f'221205-123456789012345\u200b", "＇221205-123456789012345", "\u3000221205-123456789012345",
    )),
    ("订单编号", "order_sn", "'2.21205E+14", "E-ID-MANGLED"),
    ("订单编号", "order_sn", '="2.21205E+14"', "E-ID-MANGLED"),
    ("订单编号", "order_sn", "`221205123456789000", "E-ID-MANGLED"),
    ("订单编号", "order_sn", "'221205123456789.0", "E-ID-MANGLED"),
    ("订单编号", "order_sn", "221205—1", "E-ID"),
    ("订单编号", "order_sn", "221205-\u200b1", "E-ID"),
    ("订单编号", "order_sn", "''221205-1", "E-ID"),
    ("订单编号", "order_sn", '="221205-1', "E-ID"),
    ("订单编号", "order_sn", "=221205-1", "E-ID"),
    ("订单编号", "order_sn", '=""', "E-ID"),
    ("订单编号", "order_sn", "221205-1'", "E-ID"),
    ("订单编号", "order_sn", "221\x1f205-1", "E-CTRL"),
    *(("推广位ID", "p_id", cell, "1817118_107021838") for cell in (
        "`1817118_107021838", "'1817118_107021838", '="1817118_107021838"', "\u200b1817118_107021838\u200b",
        "1817118_107021838\x1f", "１８１７１１８＿107021838",
    )),
    ("推广位ID", "p_id", "01817118_107021838", "E-ID"),
    ("推广位ID", "p_id", "'01817118_107021838", "E-ID"),
    ("推广位ID", "p_id", "000_1", "E-ID"),
    ("推广位ID", "p_id", "`1.817118E+06_1", "E-ID-MANGLED"),
    ("推广位ID", "p_id", "1817118-107021838", "E-ID"),
    *(("实付金额(元)", "order_amount_fen", cell, 123450) for cell in (
        "1,234.50", "¥1234.50", "￥1,234.50", "1234.50元", "1,234.5元", "¥ 1,234.50", "¥1,234.50元", "1，234.50",
        "\u200b1234.50", "1234.50\u00a0", "1234.50 元",
    )),
    ("实付金额(元)", "order_amount_fen", "1,234,567", 123456700),
    ("实付金额(元)", "order_amount_fen", "12,345.06", 1234506),
    ("实付金额(元)", "order_amount_fen", "¥0", 0),
    *(("实付金额(元)", "order_amount_fen", cell, "E-MONEY") for cell in (
        "1,23", "12,34.50", "1,2345", "0,123", ",123", "1,234,5", "1.234,50", "元5", "5¥", "¥", "元", "¥¥5", "$5",
        "5元元", "1 234.50", "1,234.505", "5圆", "5美元", "1'234.50", "¥1.2.3",
    )),
    ("实付金额(元)", "order_amount_fen", "-1,234.50", "E-NEG"),
    ("实付金额(元)", "order_amount_fen", "¥-5.00", "E-NEG"),
    ("佣金(元)", "promotion_amount_fen", "¥1,000.10", 100010),
    *(("支付时间", "paid_at", cell, NOON) for cell in (
        "2022/12/5 10:01", "2022/12/5 10:01:00", "2022/12/05 10:01", "2022-12-05 10:01", "2022-12-05T10:01",
        "2022-12-05 10:01:00.0", "2022-12-05 10:01:00.000", "2022-12-05  10:01:00", "2022/12/5   10:01",
        "2022-12-05 10:01:00.000000", "２０２２/12/5 10:01", "\u200b2022/12/5 10:01", "2022-12-05\u00a010:01",
        "2022-12-05T02:01:00.000Z", "2022/12/5 10:01:00.00",
    )),
    ("支付时间", "paid_at", "2022/12/5 9:01", NOON - 3600),
    ("支付时间", "paid_at", "2022/12/5 24:00", NOON + 50340),
    *(("支付时间", "paid_at", cell, "E-TIME") for cell in (
        "2022/12/5", "2022-12-05 10:01:00.5", "2022/12/5 10:01:60", "2022/13/5 10:01", "2022/2/30 10:01", "5/12/2022 10:01",
        "12/5/2022 10:01", "2022-12/5 10:01", "22/12/5 10:01", "2022/12/5 10", "2022/12/5 10:1", "2022-12-05 10:01:00.001",
        "2022/12/5 25:00", "2022/12/5 24:01", "10:01", "2022年12月5日 10:01", "2022/12/5 上午10:01", "2022-12-5 8:05", "---",
        "00", "0000-00-00", "1900/1/0 0:00", "2022/12/510:01",
    )),
    *(("确认收货时间", "received_at", cell, None) for cell in ("-", "--", "0", "0000-00-00 00:00:00", " - ", "－", "\u200b")),
    *(("支付时间", "paid_at", cell, "E-BLANK") for cell in ("-", "--", "0", "0000-00-00 00:00:00")),
    *(("更新时间", "modified_at", cell, "E-BLANK") for cell in ("-", "0", "0000-00-00 00:00:00")),
    ("确认收货时间", "received_at", "2022/12/31 0:00", 1672416000),
    ("订单状态", "order_status", "确认收货\u200b", 2),
    ("比价状态", "price_compare_status", "\u200b比价", 1),
    ("比价状态", "price_compare_status", "-", "E-FLAG"),
    ("类目ID", "cat_ids", "8729\u200b", "8729"),
    ("类目ID", "cat_ids", "-", "E-ID"),
    ("订单类型", "type", "94\x1f", 94),
]  # fmt: skip


def judge(row: Any, column: str, fact: str, expected: Any) -> None:
    if isinstance(expected, str) and expected.startswith("E-"):
        assert isinstance(row, BadRow), row
        assert (row.code, row.column) == (expected, column)
    else:
        assert isinstance(row, OrderRow), row
        assert getattr(row, fact) == expected


@pytest.mark.parametrize(("column", "fact", "cell", "expected"), CHINESE, ids=ascii)
def test_a_cell_under_a_chinese_header(
    tmp_path: Path, column: str, fact: str, cell: str, expected: Any
) -> None:
    (row,) = read_orders(write(tmp_path, "orders.csv", csv_text(CHINESE_ORDER | {column: cell})))
    judge(row, column, fact, expected)


# --- Orders under the API's names: fen and epoch seconds stay what they are ---

API: list[tuple[str, str, str, Any]] = [
    ("order_sn", "order_sn", "`221205–7", "221205-7"),
    ("p_id", "p_id", '="1817118_1"', "1817118_1"),
    ("order_amount", "order_amount_fen", "123,450", 123450),
    ("order_amount", "order_amount_fen", "¥123450", "E-MONEY"),
    ("order_amount", "order_amount_fen", "1234.50元", "E-MONEY"),
    ("order_amount", "order_amount_fen", "12,34", "E-MONEY"),
    ("order_pay_time", "paid_at", "2022/12/5 10:01", "E-TIME"),
    ("order_receive_time", "received_at", "-", "E-TIME"),
    ("order_receive_time", "received_at", "0", None),
]


@pytest.mark.parametrize(("column", "fact", "cell", "expected"), API, ids=ascii)
def test_a_cell_under_an_api_header(tmp_path: Path, column: str, fact: str, cell: str, expected: Any) -> None:
    (row,) = read_orders(write(tmp_path, "orders.csv", csv_text(API_ORDER | {column: cell})))
    judge(row, column, fact, expected)


# --- Orders in JSON ---

JSON: list[tuple[str, str, Any, Any]] = [
    ("order_status", "order_status", "2", 2),
    ("order_status", "order_status", "-1", -1),
    ("order_status", "order_status", "2.0", "E-STATUS"),
    ("order_status", "order_status", "02", "E-STATUS"),
    ("order_status", "order_status", "", "E-STATUS"),
    ("order_status", "order_status", "7", "E-STATUS"),
    ("is_direct", "is_direct", "0", 0),
    ("is_direct", "is_direct", "true", "E-FLAG"),
    ("price_compare_status", "price_compare_status", "1", 1),
    ("price_compare_status", "price_compare_status", "2", "E-FLAG"),
    ("type", "type", "94", 94),
    ("type", "type", "-94", "E-INT"),
    ("cat_ids", "cat_ids", ["239", "2001"], "239;2001"),
    ("cat_ids", "cat_ids", ["8729", 0], "8729"),
    ("cat_ids", "cat_ids", ["8729.0"], "E-ID"),
    ("cat_ids", "cat_ids", [""], "E-ID"),
    ("cat_ids", "cat_ids", "8729", "E-ID"),
    ("order_pay_time", "paid_at", "1671455040", 1671455040),
    ("order_receive_time", "received_at", "0", None),
    ("order_receive_time", "received_at", "", "E-TIME"),
    ("order_receive_time", "received_at", "1671455040000", "E-TIME"),
    ("order_receive_time", "received_at", "1.67e9", "E-TIME"),
    ("order_modify_at", "modified_at", "0", "E-BLANK"),
    ("order_amount", "order_amount_fen", "1,990", "E-MONEY"),
    ("order_amount", "order_amount_fen", "¥19", "E-MONEY"),
    ("order_sn", "order_sn", "`221205-7", "221205-7"),
    ("order_sn", "order_sn", "\u001f221205-7", "221205-7"),
    ("p_id", "p_id", "\u200b1817118_1", "1817118_1"),
    ("p_id", "p_id", "01817118_1", "E-ID"),
]


@pytest.mark.parametrize(("field", "fact", "value", "expected"), JSON, ids=ascii)
def test_a_field_in_json(tmp_path: Path, field: str, fact: str, value: Any, expected: Any) -> None:
    first, row = read_orders(write(tmp_path, "orders.json", page(JSON_ORDER, JSON_ORDER | {field: value})))
    assert isinstance(first, OrderRow)
    judge(row, field, fact, expected)


def test_numbers_in_quotes_say_what_the_numbers_say(tmp_path: Path) -> None:
    quoted = {name: str(value) if type(value) is int else value for name, value in JSON_ORDER.items()}
    plain, same = read_orders(write(tmp_path, "orders.jsonl", lines(JSON_ORDER, quoted)))
    assert isinstance(plain, OrderRow)
    assert isinstance(same, OrderRow)
    assert plain.row_hash == same.row_hash


# --- All errors of a row, in the order of the file's columns ---

ROW_ERRORS: list[tuple[dict[str, str], list[tuple[str, str]]]] = [
    (
        {"订单编号": "2.2E+14", "实付金额(元)": "x"},
        [("订单编号", "E-ID-MANGLED"), ("实付金额(元)", "E-MONEY")],
    ),
    (
        {"更新时间": "", "支付时间": "5/12", "订单状态": "?"},
        [("订单状态", "E-STATUS"), ("支付时间", "E-TIME"), ("更新时间", "E-BLANK")],
    ),
    ({"支付时间": "-", "推广位ID": "0_1"}, [("推广位ID", "E-ID"), ("支付时间", "E-BLANK")]),
    (
        {"佣金(元)": "-1", "实付金额(元)": "-1", "是否直推": "?"},
        [("实付金额(元)", "E-NEG"), ("佣金(元)", "E-NEG"), ("是否直推", "E-FLAG")],
    ),
]


@pytest.mark.parametrize(("cells", "expected"), ROW_ERRORS)
def test_all_errors_of_a_row_in_the_order_of_its_columns(
    tmp_path: Path, cells: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    (row,) = read_orders(write(tmp_path, "orders.csv", csv_text(CHINESE_ORDER | cells)))
    assert isinstance(row, BadRow)
    assert [(error.column, error.code) for error in row.errors] == expected


# --- Reference files under Chinese headers ---

PEOPLE = {
    "推手ID": "1000939",
    "名称": "张三",
    "等级": "V0",
    "等级生效日": "2022-10-01",
    "注册日": "2022-09-30",
}
VIOLATION = {"推手ID": "1000939", "发生日": "2022-10-01", "原因": "刷单", "解除日": ""}
LINK = {"推广位ID": "1000939_1", "渠道": "APP"}
TARGET = {"期次": "2022-12", "推手ID": "1000939", "目标GMV(元)": "2000.00", "目标订单": "20"}
REFERENCES: list[tuple[str, dict[str, str], str, Any]] = [
    ("promoters", PEOPLE, "promoter_id", 1000939),
    ("promoters", PEOPLE | {"推手ID": "`1000939"}, "promoter_id", 1000939),
    ("promoters", PEOPLE | {"推手ID": '="1000939"'}, "promoter_id", 1000939),
    ("promoters", PEOPLE | {"推手ID": "'1.0E+06"}, "promoter_id", "E-ID-MANGLED"),
    ("promoters", PEOPLE | {"等级生效日": "2022/10/1"}, "level_from", date(2022, 10, 1)),
    ("promoters", PEOPLE | {"注册日": "2022/9/30"}, "registered_on", date(2022, 9, 30)),
    ("promoters", PEOPLE | {"注册日": "-"}, "registered_on", "E-BLANK"),
    ("promoters", PEOPLE | {"注册日": "9/30/2022"}, "registered_on", "E-DATE"),
    ("promoters", PEOPLE | {"名称": ""}, "name", "E-BLANK"),
    ("violations", VIOLATION, "cleared_on", None),
    ("violations", VIOLATION | {"解除日": "--"}, "cleared_on", None),
    ("violations", VIOLATION | {"解除日": "2022/11/2"}, "cleared_on", date(2022, 11, 2)),
    ("violations", VIOLATION | {"发生日": "-"}, "occurred_on", "E-BLANK"),
    ("links", LINK, "channel", "app"),
    ("links", LINK | {"渠道": "其他"}, "channel", "other"),
    ("links", LINK | {"渠道": "其它"}, "channel", "E-CHANNEL"),
    ("links", LINK | {"推广位ID": "01000939_1"}, "p_id", "E-ID"),
    ("targets", TARGET, "gmv_fen", 200000),
    ("targets", TARGET | {"目标GMV(元)": "¥2,000"}, "gmv_fen", 200000),
    ("targets", TARGET | {"目标GMV(元)": ""}, "gmv_fen", None),
    ("targets", TARGET | {"期次": "2022/12"}, "period", "E-DATE"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "cells", "fact", "expected"), REFERENCES)
def test_a_reference_file_under_chinese_headers(
    tmp_path: Path, kind: str, cells: dict[str, str], fact: str, expected: Any
) -> None:
    (row,) = read_kind(write(tmp_path, f"{kind}.csv", csv_text(cells)), kind)
    if isinstance(expected, str) and expected.startswith("E-"):
        assert isinstance(row, BadRow)
        assert row.code == expected
    else:
        assert getattr(row, fact) == expected


def test_two_sets_of_names_in_one_header_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "p.csv", csv_text({"promoter_id": "1", **PEOPLE}))
    with pytest.raises(RefusedFile, match="mixes two sets"):
        read_kind(path, "promoters")


# --- Payees ---

PAYEE = {
    "推手ID": "1000939",
    "收款方式": "支付宝",
    "收款账号": "13800000001",
    "收款人": "甲乙",
    "开户行": "",
    "联行号": "",
}
BANK = PAYEE | {"收款方式": "银行卡", "收款账号": "6222021234561234", "开户行": "工商银行"}
PAYEES: list[tuple[dict[str, str], str]] = [
    (PAYEE, "13800000001"),
    *((PAYEE | {"收款账号": cell}, "13800000001") for cell in (
        "+86 138 0000 0001", "+8613800000001", "138-0000-0001", "138 0000 0001", "0086 13800000001", "`13800000001",
        '="13800000001"', "13800000001\u200b", "138–0000–0001", "'13800000001",
    )),
    (PAYEE | {"收款账号": "a-b@example.com"}, "a-b@example.com"),
    (PAYEE | {"收款账号": "86 13800000001"}, "E-PAYEE"),
    (PAYEE | {"收款账号": "+85 13800000001"}, "E-PAYEE"),
    (PAYEE | {"收款账号": "1.38E+10"}, "E-PAYEE"),
    (PAYEE | {"收款方式": "微信"}, "E-PAYEE"),
    (PAYEE | {"收款人": "\u200b"}, "E-BLANK"),
    *((BANK | {"收款账号": cell}, "6222021234561234") for cell in (
        "6222 0212 3456 1234", "6222-0212-3456-1234", "`6222021234561234", "6222\u00a00212\u00a03456\u00a01234",
    )),
    (BANK | {"收款账号": "6.22202E+15"}, "E-ID-MANGLED"),
    (BANK | {"收款账号": "'6222021234561230000"}, "E-ID-MANGLED"),
    (BANK | {"收款账号": "6222 x"}, "E-PAYEE"),
    (BANK | {"开户行": ""}, "E-BLANK"),
]  # fmt: skip


@pytest.mark.parametrize(("cells", "expected"), PAYEES)
def test_a_payee_under_chinese_headers(tmp_path: Path, cells: dict[str, str], expected: str) -> None:
    (row,) = read_payees(write(tmp_path, "payees.csv", csv_text(cells)))
    if expected.startswith("E-"):
        assert isinstance(row, BadRow)
        assert row.code == expected
        assert row.raw == ""
        assert row.value is None
    else:
        assert isinstance(row, PayeeRow)
        assert row.details.account == expected


# --- Receipts ---

RECEIPT_HEAD = "序号,流水号,收款账号,姓名,金额（元）,状态,备注\n"
RECEIPTS: list[tuple[str, list[bool] | str]] = [
    ("1,`2,13800000001,甲,24.80,成功,P1-1000939\n", [True]),
    *(
        (f"1,2,13800000001,甲,24.80,{word},P1-1000939\n", [True])
        for word in ("付款成功", "转账成功", "交易成功")
    ),
    ("1,2,13800000001,甲,24.80,退票,P1-1000939\n", [False]),
    ("1,2,13800000001,甲,24.80,失败,P1-1000939\n2,3,13800000002,乙,1.00,处理中,P1-1000940\n", [False]),
    ("1,2,13800000001,甲,24.80,成功,P1-1000939\n合计,,,,24.80,,\n", [True]),
    ("1,2,13800000001,甲,24.80,成功,P1-1000939\n#----------------\n#导出时间：2023-01-21\n", [True]),
    ('1,2,"=""13800000001""",甲,"¥1,024.80",成功,P1-1000939\n', [True]),
    ("1,2,13800000001,甲,24.80,处理中,P1-1000939\n", "E-BLANK"),
    ("1,2,13800000001,甲,24.80,,P1-1000939\n", "E-BLANK"),
    ("1,2,13800000001,甲,24.80,关闭,P1-1000939\n", "E-STATUS"),
]


@pytest.mark.parametrize(("rows", "expected"), RECEIPTS)
def test_a_receipt(tmp_path: Path, rows: str, expected: list[bool] | str) -> None:
    path = write(tmp_path, "receipt.csv", RECEIPT_HEAD + rows)
    if isinstance(expected, str):
        with pytest.raises(RefusedFile, match=expected):
            read_payment_results(path)
    else:
        receipt = read_payment_results(path)
        assert [row.paid for row in receipt.rows] == expected
        assert receipt.rows[0].account == "13800000001"
        assert receipt.rows[0].serial == "2"


# --- Pages ---


@pytest.mark.parametrize(("counts", "told"), [((2,), False), ((3,), True), ((4, 4), False), ((5, 5), True)])
def test_a_page_that_says_more_than_it_holds_is_told(
    tmp_path: Path, counts: tuple[int, ...], told: bool
) -> None:
    bodies = [
        page(JSON_ORDER, JSON_ORDER).replace('"total_count":2', f'"total_count":{count}') for count in counts
    ]
    file = open_orders(write(tmp_path, "orders.json", f"[{','.join(bodies)}]"))
    assert len(list(file.rows())) == 2 * len(counts)
    assert bool(file.notes) is told
