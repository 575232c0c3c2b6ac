"""Cells and fields that are wrong, or read in their own way: one row a case."""

from pathlib import Path
from typing import Any

import pytest

from bounty.files.problems import BadRow
from bounty.platforms.pdd.order_files import OrderRow
from tests.intake.build import (
    API_ORDER,
    CHINESE_ORDER,
    FACTS,
    JSON_ORDER,
    REFERENCES,
    csv_text,
    lines,
    page,
    read_kind,
    read_orders,
    write,
)

# --- A cell of a CSV file with Chinese headers: column, cell, and the code or the fact ---

CHINESE_CELLS: list[tuple[str, str, Any]] = [
    ("订单编号", "'221219-123456789012345", "221219-123456789012345"),
    ("订单编号", "221219-123456789012345\t", "221219-123456789012345"),
    ("订单编号", "２２１２１９-１", "221219-1"),
    ("订单编号", "", "E-BLANK"),
    ("订单编号", "2.21201E+14", "E-ID-MANGLED"),
    ("订单编号", "221219123456789000", "E-ID-MANGLED"),
    ("订单编号", "221219123456789.0", "E-ID-MANGLED"),
    ("订单编号", "221219_1", "E-ID"),
    ("订单编号", "221219-1\u200b", "221219-1"),
    ("订单编号", "٢٢١٢١٩", "E-ID"),
    ("订单编号", "=1+1", "E-ID"),
    ("订单编号", "221219--1", "E-ID"),
    ("订单编号", "1" * 65, "E-ID"),
    ("推广位ID", " 1817118_1 ", "1817118_1"),
    ("推广位ID", "1817118", "E-ID"),
    ("推广位ID", "_1", "E-ID"),
    ("推广位ID", "0_1", "E-ID"),
    ("推广位ID", "1234567890123456_1", "E-ID"),
    ("推广位ID", "1.8E+06_1", "E-ID-MANGLED"),
    ("推广位ID", "", "E-BLANK"),
    ("实付金额(元)", "0", 0),
    ("实付金额(元)", "5", 500),
    ("实付金额(元)", "0.5", 50),
    ("实付金额(元)", "１２．５", 1250),
    ("实付金额(元)", "\u00a012.50\u00a0", 1250),
    ("实付金额(元)", "999999999999.99", 99999999999999),
    ("实付金额(元)", "1000000000000", "E-RANGE"),
    ("实付金额(元)", "12.345", "E-MONEY"),
    ("实付金额(元)", "1,234.50", 123450),
    ("实付金额(元)", "¥12", 1200),
    ("实付金额(元)", "￥12", 1200),
    ("实付金额(元)", "12元", 1200),
    ("实付金额(元)", "1e3", "E-MONEY"),
    ("实付金额(元)", "+5", "E-MONEY"),
    ("实付金额(元)", ".5", "E-MONEY"),
    ("实付金额(元)", "5.", "E-MONEY"),
    ("实付金额(元)", "-0", "E-MONEY"),
    ("实付金额(元)", "-", "E-MONEY"),
    ("实付金额(元)", "NaN", "E-MONEY"),
    ("实付金额(元)", "inf", "E-MONEY"),
    ("实付金额(元)", "1_000", "E-MONEY"),
    ("实付金额(元)", "٣", "E-MONEY"),
    ("实付金额(元)", "0x10", "E-MONEY"),
    ("实付金额(元)", "1 2", "E-MONEY"),
    ("实付金额(元)", "12\u200b", 1200),
    ("实付金额(元)", "\ufeff12", 1200),
    ("实付金额(元)", "", "E-BLANK"),
    ("实付金额(元)", "\u00a0", "E-BLANK"),
    ("实付金额(元)", "-5.00", "E-NEG"),
    ("实付金额(元)", "-0.01", "E-NEG"),
    ("佣金(元)", "", 0),
    ("佣金(元)", "-1", "E-NEG"),
    ("佣金(元)", "0.001", "E-MONEY"),
    ("订单状态", "未支付", -1),
    ("订单状态", "已支付", 0),
    ("订单状态", "确认收货", 2),
    ("订单状态", "审核成功", 3),
    ("订单状态", "审核通过", 3),
    ("订单状态", "审核失败", 4),
    ("订单状态", "已结算", 5),
    ("订单状态", "已经结算", 5),
    ("订单状态", "已处罚", 10),
    ("订单状态", "8", 8),
    ("订单状态", "-1", -1),
    ("订单状态", "７", "E-STATUS"),
    ("订单状态", "10.0", "E-STATUS"),
    ("订单状态", "已收货", "E-STATUS"),
    ("订单状态", "", "E-BLANK"),
    ("是否直推", "否", 0),
    ("是否直推", "1", 1),
    ("是否直推", "", None),
    ("是否直推", "Y", "E-FLAG"),
    ("是否直推", "TRUE", "E-FLAG"),
    ("是否直推", "2", "E-FLAG"),
    ("比价状态", "比价", 1),
    ("比价状态", "0", 0),
    ("比价状态", "", None),
    ("比价状态", "是", "E-FLAG"),
    ("订单类型", "94", 94),
    ("订单类型", "", None),
    ("订单类型", "充值", "E-INT"),
    ("订单类型", "-1", "E-INT"),
    ("订单类型", "9.4", "E-INT"),
    ("订单类型", "9" * 30, "E-RANGE"),
    ("类目ID", "8724", "8724"),
    ("类目ID", "20；3；20；0", "3;20"),
    ("类目ID", "0", None),
    ("类目ID", "", None),
    ("类目ID", "1;2;", "E-ID"),
    ("类目ID", "1,2", "E-ID"),
    ("类目ID", "[1]", "E-ID"),
    ("类目ID", "8.724E+03", "E-ID-MANGLED"),
    ("支付时间", "2022-12-20 24:00:00", 1671552000),
    ("支付时间", "2022-12-31 24:00:00", 1672502400),
    ("支付时间", "2024-02-29 00:00:00", 1709136000),
    ("支付时间", "2022-12-20T23:59:59", 1671551999),
    ("支付时间", "2022-12-20 15:59:59Z", 1671551999),
    ("支付时间", "2022-12-20T23:59:59+08:00", 1671551999),
    ("支付时间", "2022-12-21T00:59:59+0900", 1671551999),
    ("支付时间", " ２０２２-12-20 23:59:59 ", 1671551999),
    ("支付时间", "2015-01-01 00:00:00", 1420041600),
    ("支付时间", "2014-12-31T16:00:00Z", 1420041600),
    ("支付时间", "2099-12-31 23:59:59", 4102415999),
    ("支付时间", "2099-12-31 24:00:00", "E-TIME"),
    ("支付时间", "2014-12-31 23:59:59", "E-TIME"),
    ("支付时间", "1970-01-01 00:00:00", "E-TIME"),
    ("支付时间", "0", "E-BLANK"),
    ("支付时间", "2022-12-20 24:00:01", "E-TIME"),
    ("支付时间", "2022-12-20 23:59:60", "E-TIME"),
    ("支付时间", "2022-12-20 25:00:00", "E-TIME"),
    ("支付时间", "2022-12-20 23:60:00", "E-TIME"),
    ("支付时间", "2023-02-29 00:00:00", "E-TIME"),
    ("支付时间", "2022-04-31 00:00:00", "E-TIME"),
    ("支付时间", "2022-13-01 00:00:00", "E-TIME"),
    ("支付时间", "2022-12-20", "E-TIME"),
    ("支付时间", "20221220", "E-TIME"),
    ("支付时间", "2022-W51-2", "E-TIME"),
    ("支付时间", "2022-12-20 23:59", 1671551940),
    ("支付时间", "2022-12-20 23:59:59.5", "E-TIME"),
    ("支付时间", "2022/12/20 23:59:59", 1671551999),
    ("支付时间", "12/1/2022", "E-TIME"),
    ("支付时间", "1/12/22", "E-TIME"),
    ("支付时间", "2022年12月1日", "E-TIME"),
    ("支付时间", "2022.12.1", "E-TIME"),
    ("支付时间", "2022-12-1 8:05", "E-TIME"),
    ("支付时间", "44915.5", "E-TIME"),
    ("支付时间", "1671551999", "E-TIME"),
    ("支付时间", "1671551999000", "E-TIME"),
    ("支付时间", "2022-12-20 23:59:59+99:00", "E-TIME"),
    ("支付时间", "2022-12-20  23:59:59", 1671551999),
    ("支付时间", "二〇二二年腊月廿七", "E-TIME"),
    ("支付时间", "", "E-BLANK"),
    ("确认收货时间", "", None),
    ("更新时间", "", "E-BLANK"),
    ("商品名称", "＝cmd|' /C calc'!A0", "＝cmd|' /C calc'!A0"),
    ("商品名称", " 前后有空格 ", " 前后有空格 "),
    (
        "商品名称",
        "<script>alert(1)</script>{{7*7}}%s'; DROP TABLE orders;--",
        "<script>alert(1)</script>{{7*7}}%s'; DROP TABLE orders;--",
    ),
    ("商品名称", '第一行\n第二行\r\n"引号"', '第一行\n第二行\r\n"引号"'),
    ("商品名称", "👍🏽\u202etxt.exe\ufffd", "👍🏽\u202etxt.exe\ufffd"),
    ("商品名称", "制表\t符", "制表\t符"),
    ("商品名称", "", None),
    ("商品名称", "响\x07铃", "E-CTRL"),
    ("商品名称", "零\x00", "E-CTRL"),
    ("商品名称", "\x85下一行", "E-CTRL"),
    ("商品名称", "长" * 65536, "长" * 65536),
    ("商品名称", "长" * 65537, "E-LIMIT"),
]
FACT_OF = {
    "订单编号": "order_sn", "推广位ID": "p_id", "商品名称": "goods_name", "实付金额(元)": "order_amount_fen",
    "佣金(元)": "promotion_amount_fen", "订单状态": "order_status", "是否直推": "is_direct",
    "比价状态": "price_compare_status", "订单类型": "type", "类目ID": "cat_ids", "支付时间": "paid_at",
    "确认收货时间": "received_at", "更新时间": "modified_at",
}  # fmt: skip


def shorten(value: object) -> str:
    return ascii(value)[:40]


def judge(row: Any, place: int, column: str, fact: str, value: str | None, expected: Any) -> None:
    """A row must be bad with this code in this column, or say this and otherwise what every good row says."""
    if isinstance(expected, str) and expected.startswith("E-"):
        assert isinstance(row, BadRow), row
        assert (row.code, row.place, row.column) == (expected, place, column)
        shown = None if not value else value.replace("\0", "\x1a")[:200]
        assert row.value == shown
        assert row.zh
        assert row.en
    else:
        assert isinstance(row, OrderRow), row
        assert (getattr(row, fact), row.place) == (expected, place)
        same = {"row_hash", "raw", "place", "promoter_id", fact}
        assert {name: said for name, said in row._asdict().items() if name not in same} == {
            name: said for name, said in FACTS.items() if name not in same
        }


@pytest.mark.parametrize(("column", "cell", "expected"), CHINESE_CELLS, ids=shorten)
def test_a_cell_under_a_chinese_header(tmp_path: Path, column: str, cell: str, expected: Any) -> None:
    path = write(tmp_path, "orders.csv", csv_text(CHINESE_ORDER | {column: cell}))
    (row,) = read_orders(path)
    judge(row, 2, column, FACT_OF[column], cell, expected)


# --- A cell of a CSV file with the API's field names ---

API_CELLS: list[tuple[str, str, str, Any]] = [
    ("order_amount", "order_amount_fen", "1990", 1990),
    ("order_amount", "order_amount_fen", "100000000000000", 10**14),
    ("order_amount", "order_amount_fen", "100000000000001", "E-RANGE"),
    ("order_amount", "order_amount_fen", "9" * 5000, "E-RANGE"),
    ("order_amount", "order_amount_fen", "19.90", "E-MONEY"),
    ("order_amount", "order_amount_fen", "1990.0", "E-MONEY"),
    ("order_amount", "order_amount_fen", "-1990", "E-NEG"),
    ("order_amount", "order_amount_fen", "1.99E+03", "E-MONEY"),
    ("promotion_amount", "promotion_amount_fen", "", 0),
    ("order_status", "order_status", "-1", -1),
    ("order_status", "order_status", "已支付", "E-STATUS"),
    ("order_status", "order_status", "6", "E-STATUS"),
    ("order_status", "order_status", "01", "E-STATUS"),
    ("is_direct", "is_direct", "0", 0),
    ("is_direct", "is_direct", "是", "E-FLAG"),
    ("price_compare_status", "price_compare_status", "1", 1),
    ("price_compare_status", "price_compare_status", "2", "E-FLAG"),
    ("cat_ids", "cat_ids", "[20, 3]", "3;20"),
    ("cat_ids", "cat_ids", "[]", None),
    ("cat_ids", "cat_ids", "[1,]", "E-ID"),
    ("cat_ids", "cat_ids", "1;x", "E-ID"),
    ("order_pay_time", "paid_at", "1671551999", 1671551999),
    ("order_pay_time", "paid_at", "1671551999000", "E-TIME"),
    ("order_pay_time", "paid_at", "2022-12-20 23:59:59", "E-TIME"),
    ("order_pay_time", "paid_at", "1420041599", "E-TIME"),
    ("order_pay_time", "paid_at", "-1", "E-TIME"),
    ("order_pay_time", "paid_at", "0", "E-BLANK"),
    ("order_receive_time", "received_at", "0", None),
    ("order_receive_time", "received_at", "", None),
    ("order_receive_time", "received_at", "1.67E+09", "E-TIME"),
    ("order_modify_at", "modified_at", "0", "E-BLANK"),
]


@pytest.mark.parametrize(("column", "fact", "cell", "expected"), API_CELLS, ids=shorten)
def test_a_cell_under_an_api_header(tmp_path: Path, column: str, fact: str, cell: str, expected: Any) -> None:
    path = write(tmp_path, "orders.csv", csv_text(API_ORDER | {column: cell}))
    (row,) = read_orders(path)
    judge(row, 2, column, fact, cell, expected)


# --- A field of an order in JSON: the JSON of its value, None for absent ---

JSON_FIELDS: list[tuple[str, str, str | None, Any]] = [
    ("order_sn", "order_sn", None, "E-BLANK"),
    ("order_sn", "order_sn", "null", "E-BLANK"),
    ("order_sn", "order_sn", "221219", "E-ID"),
    ("order_sn", "order_sn", '"str"', "E-ID"),
    ("order_sn", "order_sn", '" 221219-1\\t"', "221219-1"),
    ("p_id", "p_id", '"1817118"', "E-ID"),
    ("p_id", "p_id", "1817118", "E-ID"),
    ("p_id", "p_id", None, "E-BLANK"),
    ("order_amount", "order_amount_fen", '"1990"', 1990),
    ("order_amount", "order_amount_fen", "0", 0),
    ("order_amount", "order_amount_fen", "1990.0", "E-MONEY"),
    ("order_amount", "order_amount_fen", '"1990.0"', "E-MONEY"),
    ("order_amount", "order_amount_fen", "19.9e2", "E-MONEY"),
    ("order_amount", "order_amount_fen", "-0.0", "E-MONEY"),
    ("order_amount", "order_amount_fen", "true", "E-MONEY"),
    ("order_amount", "order_amount_fen", "NaN", "E-MONEY"),
    ("order_amount", "order_amount_fen", "Infinity", "E-MONEY"),
    ("order_amount", "order_amount_fen", "1e999", "E-MONEY"),
    ("order_amount", "order_amount_fen", "[1990]", "E-MONEY"),
    ("order_amount", "order_amount_fen", '""', "E-MONEY"),
    ("order_amount", "order_amount_fen", "null", "E-BLANK"),
    ("order_amount", "order_amount_fen", "-1990", "E-NEG"),
    ("order_amount", "order_amount_fen", "100000000000001", "E-RANGE"),
    ("order_amount", "order_amount_fen", "9" * 5000, "E-RANGE"),
    ("promotion_amount", "promotion_amount_fen", None, 0),
    ("promotion_amount", "promotion_amount_fen", "null", 0),
    ("promotion_amount", "promotion_amount_fen", "-1", "E-NEG"),
    ("order_status", "order_status", "3", 3),
    ("order_status", "order_status", "7", "E-STATUS"),
    ("order_status", "order_status", '"1"', 1),
    ("order_status", "order_status", "true", "E-STATUS"),
    ("order_status", "order_status", "1.0", "E-STATUS"),
    ("order_status", "order_status", None, "E-BLANK"),
    ("is_direct", "is_direct", None, None),
    ("is_direct", "is_direct", "null", None),
    ("is_direct", "is_direct", "true", "E-FLAG"),
    ("is_direct", "is_direct", "2", "E-FLAG"),
    ("is_direct", "is_direct", '"1"', 1),
    ("price_compare_status", "price_compare_status", "1", 1),
    ("price_compare_status", "price_compare_status", "false", "E-FLAG"),
    ("type", "type", None, None),
    ("type", "type", "94", 94),
    ("type", "type", "-1", "E-INT"),
    ("type", "type", "94.0", "E-INT"),
    ("cat_ids", "cat_ids", "[]", None),
    ("cat_ids", "cat_ids", "null", None),
    ("cat_ids", "cat_ids", "[0]", None),
    ("cat_ids", "cat_ids", "[20, 3, 20]", "3;20"),
    ("cat_ids", "cat_ids", '"1;2"', "E-ID"),
    ("cat_ids", "cat_ids", '""', "E-ID"),
    ("cat_ids", "cat_ids", "{}", "E-ID"),
    ("cat_ids", "cat_ids", "[true]", "E-ID"),
    ("cat_ids", "cat_ids", "[1.0]", "E-ID"),
    ("cat_ids", "cat_ids", '["1"]', "1"),
    ("cat_ids", "cat_ids", "[-1]", "E-ID"),
    ("order_pay_time", "paid_at", "1671551999000", "E-TIME"),
    ("order_pay_time", "paid_at", '"1671551999"', 1671551999),
    ("order_pay_time", "paid_at", "1671551999.0", "E-TIME"),
    ("order_pay_time", "paid_at", "-1", "E-TIME"),
    ("order_pay_time", "paid_at", "1420041599", "E-TIME"),
    ("order_pay_time", "paid_at", "4102416000", "E-TIME"),
    ("order_pay_time", "paid_at", "0", "E-BLANK"),
    ("order_pay_time", "paid_at", None, "E-BLANK"),
    ("order_receive_time", "received_at", None, None),
    ("order_receive_time", "received_at", "0", None),
    ("order_receive_time", "received_at", "false", "E-TIME"),
    ("order_receive_time", "received_at", '""', "E-TIME"),
    ("order_modify_at", "modified_at", "null", "E-BLANK"),
    ("goods_name", "goods_name", '""', None),
    ("goods_name", "goods_name", '"\\ud83d\\udc4d\\n"', "👍\n"),
    ("goods_name", "goods_name", "5", "E-JSON"),
    ("goods_name", "goods_name", '"\\u0000"', "E-CTRL"),
    ("goods_name", "goods_name", '"\\ud800"', "E-CTRL"),
    ("goods_name", "goods_name", '"\\b"', "E-CTRL"),
    ("goods_name", "goods_name", '"\\u0085"', "E-CTRL"),
]  # fmt: skip


@pytest.mark.parametrize("shape", ["line", "page"])
@pytest.mark.parametrize(("field", "fact", "value", "expected"), JSON_FIELDS, ids=shorten)
def test_a_field_in_json(
    tmp_path: Path, shape: str, field: str, fact: str, value: str | None, expected: Any
) -> None:
    good = lines(JSON_ORDER)
    rest = lines({name: said for name, said in JSON_ORDER.items() if name != field})
    order = rest if value is None else f'{rest[:-1]}, "{field}": {value}}}'
    path = (
        write(tmp_path, "orders.jsonl", f"{good}\n{order}")
        if shape == "line"
        else write(tmp_path, "orders.json", page(good, order))
    )
    first, row = read_orders(path)
    assert isinstance(first, OrderRow)
    if isinstance(expected, str) and expected.startswith("E-"):
        assert isinstance(row, BadRow), row
        assert (row.code, row.place, row.column) == (expected, 2, field)
        assert row.raw == order
    else:
        judge(row, 2, field, fact, None, expected)


# --- A cell of the four reference files ---

REFERENCE_CELLS: list[tuple[str, str, str, Any]] = [
    ("promoters", "promoter_id", "000000001000939", 1000939),
    ("promoters", "promoter_id", "999999999999999", 999999999999999),
    ("promoters", "promoter_id", "1234567890123456", "E-ID"),
    ("promoters", "promoter_id", "0", "E-ID"),
    ("promoters", "promoter_id", "-5", "E-ID"),
    ("promoters", "promoter_id", "1.000939E+06", "E-ID-MANGLED"),
    ("promoters", "promoter_id", "1000939.0", "E-ID-MANGLED"),
    ("promoters", "promoter_id", "1234567890123450", "E-ID-MANGLED"),
    ("promoters", "promoter_id", "1,000,939", "E-ID"),
    ("promoters", "name", "", "E-BLANK"),
    ("promoters", "name", "=HYPERLINK(1)", "=HYPERLINK(1)"),
    ("promoters", "name", "名" * 501, "E-LIMIT"),
    ("promoters", "level", "Ｖ１ ", "V1"),
    ("promoters", "level", "", "E-BLANK"),
    ("promoters", "level_from", "2022-10-1", "E-DATE"),
    ("promoters", "level_from", "2022/10/01", "E-DATE"),
    ("promoters", "level_from", "20221001", "E-DATE"),
    ("promoters", "level_from", "2022-02-29", "E-DATE"),
    ("promoters", "registered_on", "2014-12-31", "E-DATE"),
    ("promoters", "registered_on", "2022-10-01 00:00:00", "E-DATE"),
    ("promoters", "registered_on", "44835", "E-DATE"),
    ("violations", "occurred_on", "", "E-BLANK"),
    ("violations", "reason", "", ""),
    ("violations", "cleared_on", "永久", "E-DATE"),
    ("links", "p_id", "1000939", "E-ID"),
    ("links", "channel", "other", "other"),
    ("links", "channel", "APP", "E-CHANNEL"),
    ("links", "channel", "", "E-BLANK"),
    ("targets", "period", "2022-13", "E-DATE"),
    ("targets", "period", "202212", "E-DATE"),
    ("targets", "period", "2014-12", "E-DATE"),
    ("targets", "gmv_yuan", "", None),
    ("targets", "gmv_yuan", "2,000", 200000),
    ("targets", "orders", "", None),
    ("targets", "orders", "0", 0),
    ("targets", "orders", "20.0", "E-INT"),
    ("targets", "orders", "-1", "E-INT"),
]


@pytest.mark.parametrize(("kind", "column", "cell", "expected"), REFERENCE_CELLS, ids=shorten)
def test_a_cell_of_a_reference_file(tmp_path: Path, kind: str, column: str, cell: str, expected: Any) -> None:
    path = write(
        tmp_path, f"{kind}.csv", csv_text(REFERENCES[kind], (REFERENCES[kind] | {column: cell}).values())
    )
    good, row = read_kind(path, kind)
    assert not isinstance(good, BadRow)
    if isinstance(expected, str) and expected.startswith("E-"):
        assert (row.code, row.place, row.column, row.value) == (expected, 3, column, cell[:200] or None)
    else:
        assert getattr(row, "gmv_fen" if column == "gmv_yuan" else column) == expected
