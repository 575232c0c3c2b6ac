"""Files and rows that are wrong as wholes, one row a case; and how many cases of bad input there are."""
# ruff: noqa: E501 - a table is read along its rows

from pathlib import Path
from typing import Any

import pytest

from bounty.files.problems import BadRow
from bounty.platforms.pdd.order_files import OrderRow
from tests.intake.build import (
    API_ORDER,
    CHINESE_ORDER,
    JSON_ORDER,
    MODIFIED,
    P_ID,
    PAID,
    REFERENCES,
    csv_text,
    dispositions,
    lines,
    page,
    read_kind,
    read_orders,
    refusal,
    write,
)
from tests.intake.test_bad_cells import API_CELLS, CHINESE_CELLS, JSON_FIELDS, REFERENCE_CELLS

# --- A whole file that is wrong ---

ORDERS = csv_text(CHINESE_ORDER)
HEADER, ROW = ORDERS.split("\r\n")[:2]
LIST = page(JSON_ORDER)

REFUSED: list[tuple[str, str, str | bytes, str, str]] = [
    ("an empty file", "o.csv", b"", "E-EMPTY", "空"),
    ("an empty JSON file", "o.json", b"", "E-EMPTY", "空"),
    ("blank lines alone", "o.csv", "\r\n \n\n", "E-EMPTY", "空"),
    ("a mark alone", "o.csv", b"\xef\xbb\xbf", "E-EMPTY", "空"),
    ("another ending", "o.dat", ORDERS, "E-KIND", ".dat"),
    ("no ending", "orders", ORDERS, "E-KIND", "orders"),
    ("PDF as CSV", "o.csv", b"%PDF-1.7\n...", "E-KIND", "PDF"),
    ("gzip as CSV", "o.csv", b"\x1f\x8b\x08\x00....", "E-KIND", "gzip"),
    ("HTML as CSV", "o.csv", "<!DOCTYPE html><html></html>", "E-KIND", "HTML"),
    ("an old workbook as XLSX", "o.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1....", "E-KIND", "Excel"),
    ("CSV as XLSX", "o.xlsx", ORDERS, "E-KIND", "文本"),
    ("a broken ZIP as XLSX", "o.xlsx", b"PK\x03\x04....", "E-KIND", "ZIP"),
    ("JSON as CSV", "o.csv", LIST, "E-KIND", "JSON"),
    ("CSV as JSON", "o.json", ORDERS, "E-KIND", "文本"),
    ("JSON of no object", "o.json", "null", "E-KIND", "文本"),
    ("UTF-16 CSV", "o.csv", ORDERS.encode("utf-16"), "E-ENC", "UTF-16"),
    ("UTF-16 CSV without its mark", "o.csv", ORDERS.encode("utf-16-le"), "E-ENC", "UTF-16"),
    ("UTF-16 JSON", "o.json", LIST.encode("utf-16"), "E-ENC", "UTF-16"),
    ("UTF-32 JSON", "o.json", LIST.encode("utf-32"), "E-ENC", "UTF-16"),
    ("bytes of no code page", "o.csv", f"{HEADER}\r\n".encode() + b"\xff\xff,\r\n", "E-ENC", "第 2 行"),
    ("bytes of no code page in GBK", "o.csv", f"{ORDERS}".encode("gbk") + b"a,b\r\n\xff,\r\n", "E-ENC", "第 4 行"),
    ("marked as UTF-8 and is not", "o.csv", b"\xef\xbb\xbf" + ORDERS.encode("gbk"), "E-ENC", "第 1 行"),
    ("UTF-8 with a row in GBK", "o.csv", ORDERS.encode() + f"{ROW}\r\n".encode("gbk"), "E-ENC", "第 3 行"),
    ("GBK with a row in UTF-8", "o.csv", ORDERS.encode("gbk") + f"{ROW}\r\n".encode(), "E-ENC", "第 1 行"),
    ("UTF-8 cut within a character", "o.csv", ORDERS.encode()[:-40] + "订".encode()[:2], "E-ENC", "第 2 行"),
    ("mixed JSON lines", "o.jsonl", lines(JSON_ORDER).encode() + b"\n" + lines(JSON_ORDER).encode("gbk"), "E-ENC", "第 2 行"),
    ("semicolons", "o.csv", ORDERS.replace(",", ";"), "E-DELIM", ";"),
    ("full-width commas", "o.csv", HEADER.replace(",", "，"), "E-DELIM", "，"),
    ("a header missing", "o.csv", HEADER.replace(",更新时间", ""), "E-HEAD", "更新时间"),
    ("two headers missing", "o.csv", HEADER.replace("是否直推,比价状态,", ""), "E-HEAD", "是否直推, 比价状态"),
    ("no unit in a header", "o.csv", HEADER.replace("实付金额(元)", "实付金额"), "E-HEAD", "实付金额(元)"),
    ("a header doubled", "o.csv", HEADER + ",订单状态", "E-HEAD", "订单状态"),
    ("an unlisted header doubled", "o.csv", HEADER + ",备注,备注", "E-HEAD", "备注"),
    ("doubled after NFKC", "o.csv", HEADER + ",实付金额（元）", "E-HEAD", "实付金额(元)"),
    ("two sets of names", "o.csv", HEADER + ",order_amount", "E-HEAD", "order_amount"),
    ("p_id and pid", "o.csv", csv_text(API_ORDER | {"pid": P_ID}), "E-HEAD", "pid"),
    ("an API header missing", "o.csv", csv_text(API_ORDER).replace("cat_ids", "cats"), "E-HEAD", "cat_ids"),
    ("rows without a header", "o.csv", ROW + "\r\n" + ROW, "E-HEAD", "订单编号"),
    ("the merchant's headers", "o.csv", "订单编号,推广状态,推广类型,创建订单时间\r\n", "E-HEAD", "推广位ID"),
    ("201 columns", "o.csv", HEADER + ",x" * 185, "E-LIMIT", "201"),
    ("a million columns", "o.csv", HEADER + "," * 1_000_000, "E-LIMIT", "1000016"),
    ("a quote open in the header", "o.csv", '订单编号,"推广位ID\r\n', "E-QUOTE", "第 1 行"),
    ("a control character in the header", "o.csv", HEADER.replace("审核", "审\x00核"), "E-CTRL", "表头"),
    ("JSON cut off", "o.json", LIST[:-10], "E-JSON", "字节"),
    ("JSON cut off in an order", "o.json", LIST[:200], "E-JSON", "字节"),
    ("JSON with more after it", "o.json", LIST + "{}", "E-JSON", "字节"),
    ("two bodies without a list", "o.json", LIST + LIST, "E-JSON", "字节"),
    ("a comma too many between orders", "o.json", LIST.replace("}]", "},]"), "E-JSON", "字节"),
    ("no comma between orders", "o.json", page(f"{lines(JSON_ORDER)} {lines(JSON_ORDER)}"), "E-JSON", "字节"),
    ("a broken order in a body", "o.json", page(JSON_ORDER, '{"order_sn" "x"}'), "E-JSON", "order 2"),
    ("a key of the envelope twice", "o.json", '{"order_list_get_response":{"order_list":[],"order_list":[]}}', "E-DUPKEY", "order_list"),
    ("an order list that is none", "o.json", '{"order_list_get_response":{"order_list":{}}}', "E-KIND", "pdd.ddk"),
    ("a body that is none", "o.json", '{"order_list_get_response":null}', "E-KIND", "pdd.ddk"),
    ("a list of no bodies", "o.json", "[1, 2]", "E-KIND", "pdd.ddk"),
    ("orders in a bare list", "o.json", f"[{lines(JSON_ORDER)}]", "E-KIND", "pdd.ddk"),
    ("deep brackets", "o.json", "[" * 100_000 + "]" * 100_000, "E-KIND", "pdd.ddk"),
    ("other JSON a line", "o.jsonl", '{"a":1}\n{"b":2}', "E-KIND", "pdd.ddk"),
    ("no JSON on any line", "o.jsonl", "a,b\n1,2\n", "E-KIND", "pdd.ddk"),
    ("an order over several lines", "o.jsonl", '{\n"a": 1\n}', "E-KIND", "pdd.ddk"),
    ("a second body that is an error", "o.json", f'[{LIST}, {{"error_response":{{"error_code":52101,"error_msg":"限流"}}}}]', "E-KIND", "52101 限流"),
    ("an order of 2 MB", "o.json", page(JSON_ORDER | {"goods_name": "长" * 700_000}), "E-LIMIT", "1048576"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "code", "says"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_a_file_that_is_refused(
    tmp_path: Path, name: str, content: str | bytes, code: str, says: str
) -> None:
    refused = refusal(write(tmp_path, name, content))
    assert refused is not None
    assert refused.code == code
    assert says in refused.zh
    assert "\n" not in str(refused)


REFUSED_REFERENCES: list[tuple[str, str, str, str | bytes, str, str]] = [
    ("JSON for a reference", "links", "links.json", "[]", "E-KIND", ".csv"),
    ("a document for a reference", "links", "links.docx", b"PK", "E-KIND", ".csv"),
    ("a workbook named CSV", "links", "links.csv", b"PK\x05\x06" + b"\0" * 18, "E-KIND", "ZIP"),
    ("another kind's file", "promoters", "p.csv", csv_text(REFERENCES["links"]), "E-HEAD", "promoter_id"),
    ("semicolons in a reference", "links", "l.csv", "p_id;channel\n1_1;app\n", "E-DELIM", ";"),
    (
        "other Chinese headers in a reference",
        "links",
        "l.csv",
        "推广位,渠道\n1_1,app\n",
        "E-HEAD",
        "“推广位”是否就是“推广位ID”？这里有：推广位, 渠道",
    ),
]


@pytest.mark.parametrize(
    ("kind", "name", "content", "code", "says"),
    [case[1:] for case in REFUSED_REFERENCES],
    ids=[case[0] for case in REFUSED_REFERENCES],
)
def test_a_reference_file_that_is_refused(
    tmp_path: Path, kind: str, name: str, content: str | bytes, code: str, says: str
) -> None:
    refused = refusal(write(tmp_path, name, content), kind)
    assert refused is not None
    assert (refused.code, says in refused.zh) == (code, True)


def test_a_file_that_is_not_there_or_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    for name in ("missing.csv", "folder.csv"):
        refused = refusal(tmp_path / name)
        assert refused is not None
        assert refused.code == "E-FILE"


# --- Rows as wholes: the content, and the place and fate of each row ---

SHORT, LONG = "221219-1,1_1", ROW + ",x"
STRUCTURES: list[tuple[str, str, str | bytes, list[tuple[int, str]]]] = [
    ("a header alone", "o.csv", HEADER, []),
    ("no last line end", "o.csv", f"{HEADER}\r\n{ROW}", [(2, "good")]),
    ("LF", "o.csv", f"{HEADER}\n{ROW}\n{ROW}\n", [(2, "good"), (3, "good")]),
    ("CR alone", "o.csv", f"{HEADER}\r{ROW}\r{ROW}\r", [(2, "good"), (3, "good")]),
    ("mixed line ends", "o.csv", f"{HEADER}\r{ROW}\n{ROW}\r\n{ROW}", [(2, "good"), (3, "good"), (4, "good")]),
    ("blank lines count as lines", "o.csv", f"\n{HEADER}\n\n \n{ROW}\n\n", [(5, "good")]),
    ("a row of commas", "o.csv", f"{HEADER}\n{',' * 15}\n, ,\n{ROW}\n", [(4, "good")]),
    ("a mark of UTF-8", "o.csv", b"\xef\xbb\xbf" + ORDERS.encode(), [(2, "good")]),
    ("two marks of UTF-8", "o.csv", b"\xef\xbb\xbf" * 2 + ORDERS.encode(), [(2, "good")]),
    ("GBK", "o.csv", ORDERS.encode("gbk"), [(2, "good")]),
    ("GB18030 with a character beyond GBK", "o.csv", ORDERS.replace("咖啡", "𠮷😀").encode("gb18030"), [(2, "good")]),
    ("a mark of GB18030", "o.csv", b"\x84\x31\x95\x33" + ORDERS.encode("gb18030"), [(2, "good")]),
    ("headers of full width, with blanks", "o.csv", HEADER.replace("(元)", "（元） ").replace("推广位ID", "　推广位ＩＤ") + "\n" + ROW, [(2, "good")]),
    ("columns in another order, and others", "o.csv", csv_text({"备注": "x", **dict(reversed(CHINESE_ORDER.items()))}), [(2, "good")]),
    ("headers without names", "o.csv", f"{HEADER},,\n{ROW},,\n", [(2, "good")]),
    ("a quoted line end counts as a line", "o.csv", csv_text(CHINESE_ORDER | {"商品名称": "a\nb"}, CHINESE_ORDER.values(), end="\n"), [(2, "good"), (4, "good")]),
    ("a quote within an unquoted cell", "o.csv", f"{HEADER}\n{ROW.replace('已成团', '1')}\n".replace('"咖啡, 50g"', '15" 屏'), [(2, "good")]),
    ("too few columns", "o.csv", f"{HEADER}\n{SHORT}\n{ROW}\n", [(2, "E-COLS"), (3, "good")]),
    ("too many columns", "o.csv", f"{HEADER}\n{LONG}\n{ROW}\n", [(2, "E-COLS"), (3, "good")]),
    ("a million commas", "o.csv", f"{HEADER}\n{',' * 1_000_000}x\n{ROW}\n", [(2, "E-COLS"), (3, "good")]),
    ("a row parted by semicolons", "o.csv", f"{HEADER}\n{ROW.replace(',', ';')}\n{ROW}\n", [(2, "E-DELIM"), (3, "good")]),
    ("a row parted by tabs", "o.csv", f"{HEADER}\n{ROW}\n{ROW.replace(',', chr(9))}\n", [(2, "good"), (3, "E-DELIM")]),
    ("the header again", "o.csv", f"{HEADER}\n{ROW}\n{HEADER}\n{ROW}\n", [(2, "good"), (3, "E-TOTAL"), (4, "good")]),
    ("a total", "o.csv", f"{HEADER}\n{ROW}\n合计,,,19.90{',' * 12}\n", [(2, "good"), (3, "E-TOTAL")]),
    ("a total of other width", "o.csv", f"{HEADER}\n{ROW}\n总计：,19.90\n", [(2, "good"), (3, "E-TOTAL")]),
    ("a comment", "o.csv", f"{HEADER}\n# 十二月\n{ROW}\n", [(2, "E-TOTAL"), (3, "good")]),
    ("goods that are called a total", "o.csv", csv_text({"商品名称": "合计", **CHINESE_ORDER}), [(2, "good")]),
    ("a quote left open", "o.csv", f'{HEADER}\n{ROW}\n221219-1,"1_1,x\n{ROW}\n{ROW}\n', [(2, "good"), (3, "E-QUOTE")]),
    ("a quote left open on the last line", "o.csv", f'{HEADER}\n{ROW}\n"', [(2, "good"), (3, "E-QUOTE")]),
    ("a stray quote within one line", "o.csv", f'{HEADER}\n221219-1,"1"_1,x\n{ROW}\n', [(2, "E-QUOTE"), (3, "good")]),
    ("a field of 70 kB", "o.csv", f"{HEADER}\n{ROW.replace('已成团', 'x' * 70_000)}\n{ROW}\n", [(2, "E-LIMIT"), (3, "good")]),
    ("a quoted field of 2 MB", "o.csv", f'{HEADER}\n221219-1,"{"x" * 99}{chr(10) * 2_000_000}"\n{ROW}\n', [(2, "E-LIMIT"), (2_000_003, "good")]),
    ("a line of 3 MB", "o.csv", f"{HEADER}\n{'x' * 3_000_000}\n{ROW}\n", [(2, "E-LIMIT"), (3, "good")]),
    ("NUL in a column that is not read", "o.csv", f"{HEADER},备注\n{ROW},\0\n{ROW},\n", [(2, "E-CTRL"), (3, "good")]),
    ("good, garbage, good", "o.csv", f"{HEADER}\n{ROW}\n\x01\x02\x03\n{ROW}\n", [(2, "good"), (3, "E-COLS"), (4, "good")]),
    ("an empty order list", "o.json", page(), []),
    ("an empty list of bodies", "o.json", "[]", []),
    ("no list, and none counted", "o.json", '{"order_list_get_response":{"total_count":0}}', []),
    ("a body", "o.json", page(JSON_ORDER, JSON_ORDER, request_id="x"), [(1, "good"), (2, "good")]),
    ("a body with a mark", "o.json", b"\xef\xbb\xbf" + LIST.encode(), [(1, "good")]),
    ("a body in GB18030", "o.json", LIST.encode("gb18030"), [(1, "good")]),
    ("a list of bodies", "o.json", f"[{LIST},\n {page()}, {page(JSON_ORDER, JSON_ORDER)}]", [(1, "good"), (2, "good"), (3, "good")]),
    ("the body of a detail", "o.json", f'{{"order_detail_response":{lines(JSON_ORDER)}}}', [(1, "good")]),
    ("bodies named as lines", "o.jsonl", f"{LIST}\n{LIST}\n", [(1, "good"), (2, "good")]),
    ("lines named as a body", "o.json", lines(JSON_ORDER, JSON_ORDER), [(1, "good"), (2, "good")]),
    ("lines with blanks and CRLF", "o.jsonl", f"\r\n{lines(JSON_ORDER)}\r\n\r\n {lines(JSON_ORDER)} \r\n", [(2, "good"), (4, "good")]),
    ("a broken line", "o.jsonl", lines(JSON_ORDER, '{"order_sn": "221219-1", ', JSON_ORDER), [(1, "good"), (2, "E-JSON"), (3, "good")]),
    ("a broken line alone", "o.jsonl", '{"order_sn": "221219-1", ', [(1, "E-JSON")]),
    ("a line of no object", "o.jsonl", lines(JSON_ORDER, "null", "[]", "5", '"x"', "oops"), [(1, "good"), *((line, "E-JSON") for line in range(2, 7))]),
    ("a line of 2 MB", "o.jsonl", lines(JSON_ORDER, '{"a":"' + "x" * 2_000_000 + '"}', JSON_ORDER), [(1, "good"), (2, "E-LIMIT"), (3, "good")]),
    ("a body among lines", "o.jsonl", lines(JSON_ORDER, LIST), [(1, "good"), (2, "E-JSON")]),
    ("NUL bytes in a line", "o.jsonl", lines(JSON_ORDER, "\0\0", JSON_ORDER), [(1, "good"), (2, "E-CTRL"), (3, "good")]),
    ("items of a list that are no orders", "o.json", page(JSON_ORDER, "null", "5", "[]"), [(1, "good"), (2, "E-JSON"), (3, "E-JSON"), (4, "E-JSON")]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "fates"), [case[1:] for case in STRUCTURES], ids=[case[0] for case in STRUCTURES]
)
def test_every_row_has_its_place_and_its_fate(
    tmp_path: Path, name: str, content: str | bytes, fates: list[tuple[int, str]]
) -> None:
    rows = read_orders(write(tmp_path, name, content))
    assert list(dispositions(rows)) == fates


# --- An order in JSON that is odd as a whole: what is put at its end, and the code and column ---

ODD_ORDERS: list[tuple[str, str, str, str | None]] = [
    ("a key twice", '"order_amount": 5', "E-DUPKEY", "order_amount"),
    ("an unread key twice", '"mall_id": 1, "mall_id": 1', "E-DUPKEY", "mall_id"),
    ("a key twice, once with an escape", '"order_amoun\\u0074": 5', "E-DUPKEY", "order_amount"),
    ("a key twice, with a blank before the colon", '"order_amount"  :5', "E-DUPKEY", "order_amount"),
    ("a key twice within", '"subsidy_list": [{"a": 1, "a": 2}]', "E-DUPKEY", "a"),
    ("33 levels", f'"x": {"[" * 32}{"]" * 32}', "E-LIMIT", None),
    ("100,000 levels", f'"x": {"[" * 100_000}{"]" * 100_000}', "E-LIMIT", None),
    ("a number beyond 64 bits", '"group_id": 9223372036854775808', "E-RANGE", "group_id"),
    ("a number of 5,000 digits", f'"group_id": {"9" * 5000}', "E-RANGE", "group_id"),
    ("a number beyond doubles", '"share": 1e999', "E-RANGE", "share"),
    ("a fraction beyond doubles", f'"share": {"9" * 400}.5', "E-RANGE", "share"),
    ("NaN in an unread field", '"share": NaN', "E-JSON", "share"),
    ("half a character in an unread field", '"mall_name": "\\udc00"', "E-CTRL", "mall_name"),
    ("NUL in an unread field", '"mall_name": ["\\u0000"]', "E-CTRL", "mall_name"),
    ("NUL in a key", '"mall\\u0000": 1', "E-CTRL", "mall\x1a"),
    ("a text of 70 kB", f'"mall_name": "{"x" * 70_000}"', "E-LIMIT", "mall_name"),
    ("p_id and another pid", '"pid": "1817118_2"', "E-ID", "pid"),
]
FINE_ORDERS: list[tuple[str, str]] = [
    ("32 levels", f'"x": {"[" * 31}{"]" * 31}'),
    ("fields nobody knows", '"new": {"a": [1, {"b": null}]}, "fraction": 1.5, "flag": true'),
    ("the largest number of 64 bits", '"group_id": 9223372036854775807'),
    (
        "colons and quotes in texts",
        '"custom_parameters": "{\\"uid\\": \\"a:b\\"}", "goods_thumbnail_url": "https:\\/\\/x"',
    ),
    ("an escaped backslash before a letter", '"mall_name": "a\\\\b\\\\u0000"'),
    ("a list of discounts", '"subsidy_list": [{"subsidy_type": 1, "remark": "a:b"}, {"subsidy_type": 2}]'),
    ("the fields of a detail in a list", '"return_status": 9, "url_last_generate_time": -1'),
]


@pytest.mark.parametrize(
    ("more", "code", "column"), [case[1:] for case in ODD_ORDERS], ids=[case[0] for case in ODD_ORDERS]
)
@pytest.mark.parametrize("shape", ["line", "page"])
def test_an_odd_order_is_a_bad_row(
    tmp_path: Path, shape: str, more: str, code: str, column: str | None
) -> None:
    good = lines(JSON_ORDER)
    odd = f"{good[:-1]}, {more}}}"
    path = (
        write(tmp_path, "o.jsonl", f"{good}\n{odd}\n{good}")
        if shape == "line"
        else write(tmp_path, "o.json", page(good, odd, good))
    )
    first, row, last = read_orders(path)
    assert isinstance(first, OrderRow)
    assert isinstance(last, OrderRow)
    assert isinstance(row, BadRow)
    assert (row.code, row.column, row.place) == (code, column, 2)
    assert row.zh
    assert row.en


@pytest.mark.parametrize("more", [case[1] for case in FINE_ORDERS], ids=[case[0] for case in FINE_ORDERS])
def test_an_unusual_order_is_none_the_worse(tmp_path: Path, more: str) -> None:
    good = lines(JSON_ORDER)
    first, row = read_orders(write(tmp_path, "o.jsonl", f"{good}\n{good[:-1]}, {more}}}"))
    assert isinstance(first, OrderRow)
    assert isinstance(row, OrderRow), row
    assert row.row_hash == first.row_hash


# --- What else the contract says of rows ---


def test_a_row_with_pid_is_of_a_detail_and_alone_tells_of_after_sales(tmp_path: Path) -> None:
    detail = {name: value for name, value in JSON_ORDER.items() if name != "p_id"}
    detail |= {"pid": P_ID, "return_status": 2, "url_last_generate_time": MODIFIED}
    of_json = read_orders(write(tmp_path, "d.json", f'{{"order_detail_response":{lines(detail)}}}'))
    cells = {name: value for name, value in API_ORDER.items() if name != "p_id"}
    cells |= {"pid": P_ID, "return_status": "2", "url_last_generate_time": str(MODIFIED)}
    of_csv = read_orders(write(tmp_path, "d.csv", csv_text(cells)))
    for (row,) in (of_json, of_csv):
        assert isinstance(row, OrderRow)
        assert (row.is_detail, row.p_id, row.return_status, row.link_made_at) == (True, P_ID, 2, MODIFIED)
    assert isinstance(of_json[0], OrderRow)
    assert isinstance(of_csv[0], OrderRow)
    assert of_json[0].row_hash == of_csv[0].row_hash


@pytest.mark.parametrize(("value", "code"), [(3, "E-FLAG"), ("3", "E-FLAG")])
def test_an_unknown_return_status_of_a_detail_is_bad(tmp_path: Path, value: Any, code: str) -> None:
    (row,) = read_orders(
        write(tmp_path, "d.jsonl", lines(JSON_ORDER | {"pid": P_ID, "return_status": value}))
    )
    assert isinstance(row, BadRow)
    assert (row.code, row.column) == (code, "return_status")


def test_an_unpaid_order_needs_no_pay_time(tmp_path: Path) -> None:
    (of_json,) = read_orders(
        write(tmp_path, "o.jsonl", lines(JSON_ORDER | {"order_status": -1, "order_pay_time": None}))
    )
    (of_csv,) = read_orders(
        write(tmp_path, "o.csv", csv_text(CHINESE_ORDER | {"订单状态": "未支付", "支付时间": ""}))
    )
    assert isinstance(of_json, OrderRow)
    assert isinstance(of_csv, OrderRow)
    assert of_json.paid_at is of_csv.paid_at is None
    assert of_json.row_hash == of_csv.row_hash


def test_a_bad_row_tells_what_could_be_read(tmp_path: Path) -> None:
    (row,) = read_orders(write(tmp_path, "o.csv", csv_text(CHINESE_ORDER | {"实付金额(元)": "十元"})))
    assert isinstance(row, BadRow)
    assert (row.subject, row.promoter_id, row.paid_at) == (CHINESE_ORDER["订单编号"], 1817118, PAID)
    keys: dict[str, str] = {
        "promoters": "1000939 2022-10-01",
        "violations": "1000939 2022-10-01",
        "links": "1000939 1000939_1",
        "targets": "1000939 2022-12",
    }
    spoilt: dict[str, str] = {
        "promoters": "registered_on",
        "violations": "cleared_on",
        "links": "channel",
        "targets": "orders",
    }
    for kind, subject in keys.items():
        (bad,) = read_kind(write(tmp_path, "x.csv", csv_text(REFERENCES[kind] | {spoilt[kind]: "?"})), kind)
        assert (bad.subject, bad.promoter_id) == (subject, 1000939)


def test_an_unclosed_quote_says_how_much_it_takes(tmp_path: Path) -> None:
    bad = read_orders(write(tmp_path, "o.csv", f'{HEADER}\n{ROW}\n221219-1,"1_1\n{ROW}\n{ROW}\n'))[-1]
    assert isinstance(bad, BadRow)
    assert bad.raw == f'221219-1,"1_1\n{ROW}\n{ROW}\n'
    assert "3" in bad.en


def test_lines_none_of_which_is_full_are_refused_at_their_end(tmp_path: Path) -> None:
    thin = {
        name: value for name, value in JSON_ORDER.items() if name not in ("is_direct", "order_receive_time")
    }
    for name, content in (("o.jsonl", lines(thin, thin)), ("o.json", f"[{LIST},{page(thin)}]")):
        refused = refusal(write(tmp_path, name, content))
        assert refused is not None
        assert (refused.code, "oauth" in refused.zh) == ("E-KIND", True)
    fates = [(1, "good"), (2, "good")]
    assert list(dispositions(read_orders(write(tmp_path, "o.jsonl", lines(thin, JSON_ORDER))))) == fates


def test_the_catalogue_has_its_cases(capsys: pytest.CaptureFixture[str]) -> None:
    """One row a case; those are counted here that must be refused or put into quarantine, and not as they run."""
    tables = (
        CHINESE_CELLS, API_CELLS, JSON_FIELDS, REFERENCE_CELLS, REFUSED, REFUSED_REFERENCES, ODD_ORDERS,
    )  # fmt: skip
    bad = [
        [case for case in table if any(isinstance(cell, str) and cell.startswith("E-") for cell in case)]
        for table in tables
    ]
    count = sum(map(len, bad))
    with capsys.disabled():
        print(f"\nbad input: {count} cases of {len(tables)} tables")
    assert count >= 150
