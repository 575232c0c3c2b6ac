"""Files for tests of reading: a good order in every shape, to be spoilt in one place."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import xlsxwriter

from bounty.errors import RefusedFile
from bounty.files.problems import RAW_KEPT, BadRow
from bounty.platforms.pdd.order_files import OrderRow, open_orders, reread
from bounty.promoters.reference_files import read_reference, reread_reference

ORDER_SN, P_ID = "221219-123456789012345", "1817118_107021838"
PAID = 1671455040  # 2022-12-19 21:04:00 in Shanghai
MODIFIED = PAID + 60

JSON_ORDER: dict[str, Any] = {
    "order_sn": ORDER_SN,
    "p_id": P_ID,
    "goods_name": "咖啡, 50g",
    "order_status": 1,
    "order_amount": 1990,
    "promotion_amount": 20,
    "type": 0,
    "cat_ids": [2001, 239, 0],
    "is_direct": 1,
    "price_compare_status": 0,
    "order_create_time": PAID - 60,
    "order_pay_time": PAID,
    "order_receive_time": None,
    "order_verify_time": None,
    "order_settle_time": 0,
    "order_modify_at": MODIFIED,
}
API_ORDER = {
    name: ";".join(map(str, value)) if name == "cat_ids" else "" if value is None else str(value)
    for name, value in JSON_ORDER.items()
}
CHINESE_ORDER = {
    "订单编号": ORDER_SN,
    "推广位ID": P_ID,
    "商品名称": "咖啡, 50g",
    "实付金额(元)": "19.90",
    "佣金(元)": "0.20",
    "订单状态": "已成团",
    "是否直推": "是",
    "比价状态": "正常",
    "订单类型": "0",
    "类目ID": "2001;239;0",
    "生成时间": "2022-12-19 21:03:00",
    "支付时间": "2022-12-19 21:04:00",
    "确认收货时间": "",
    "审核时间": "",
    "结算时间": "",
    "更新时间": "2022-12-19 21:05:00",
}
FACTS = {
    "is_detail": False,
    "order_sn": ORDER_SN,
    "promoter_id": 1817118,
    "p_id": P_ID,
    "goods_name": "咖啡, 50g",
    "order_status": 1,
    "order_amount_fen": 1990,
    "promotion_amount_fen": 20,
    "type": 0,
    "cat_ids": "239;2001",
    "is_direct": 1,
    "price_compare_status": 0,
    "created_at": PAID - 60,
    "paid_at": PAID,
    "received_at": None,
    "verified_at": None,
    "settled_at": None,
    "modified_at": MODIFIED,
    "return_status": None,
    "link_made_at": None,
    "live_room": None,
}
"""What each of the three says."""
REFERENCES: dict[str, dict[str, str]] = {
    "promoters": {
        "promoter_id": "1000939",
        "name": "张三",
        "level": "V0",
        "level_from": "2022-10-01",
        "registered_on": "2022-09-30",
    },
    "violations": {"promoter_id": "1000939", "occurred_on": "2022-10-01", "reason": "刷单", "cleared_on": ""},
    "links": {"p_id": "1000939_1", "channel": "app"},
    "targets": {"period": "2022-12", "promoter_id": "1000939", "gmv_yuan": "2000.00", "orders": "20"},
}


def csv_text(*rows: Mapping[str, str] | Iterable[str], end: str = "\r\n") -> str:
    """CSV of a header (the first row's, if it is a mapping) and rows."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator=end)
    for number, row in enumerate(rows):
        if isinstance(row, Mapping):
            if number == 0:
                writer.writerow(row)
            writer.writerow(row.values())
        else:
            writer.writerow(row)
    return out.getvalue()


def page(*orders: Mapping[str, Any] | str, **more: Any) -> str:
    """A reply of the list API; an order may be given as its JSON."""
    texts = [order if isinstance(order, str) else json.dumps(order, ensure_ascii=False) for order in orders]
    rest = "".join(f',"{key}":{json.dumps(value)}' for key, value in more.items())
    return (
        f'{{"order_list_get_response":{{"order_list":[{",".join(texts)}],"total_count":{len(texts)}{rest}}}}}'
    )


def lines(*orders: Mapping[str, Any] | str) -> str:
    """JSON of one order a line."""
    return "\n".join(
        order if isinstance(order, str) else json.dumps(order, ensure_ascii=False) for order in orders
    )


def write(folder: Path, name: str, content: str | bytes) -> Path:
    """A file; text in UTF-8."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def workbook(path: Path, rows: Sequence[Sequence[Any]], date_format: str = "yyyy-mm-dd hh:mm:ss") -> Path:
    """A workbook of one sheet; dates as date cells, numbers as numbers, a text with "=" first as a failing formula."""
    book = xlsxwriter.Workbook(path, {"default_date_format": date_format, "strings_to_urls": False})
    sheet = book.add_worksheet()
    for number, row in enumerate(rows):
        for column, cell in enumerate(row):
            if isinstance(cell, str) and cell.startswith("="):
                sheet.write_formula(number, column, cell, None, "#DIV/0!")
            else:
                sheet.write(number, column, cell)
    book.close()
    return path


def read_orders(path: Path) -> list[OrderRow | BadRow]:
    """All rows of a file of orders; each says the same when it is read again from what is kept of it."""
    file = open_orders(path)
    rows = list(file.rows())
    for row in rows:
        again = reread(file.shape, file.header, row.raw, row.place)
        assert again == row or _was_cut(row, again), (row, again)
    return rows


def read_kind(path: Path, kind: str) -> list[Any]:
    """All rows of a reference file; each says the same when it is read again from what is kept of it."""
    file = read_reference(path, kind)
    rows = list(file.rows)
    for row in rows:
        again = reread_reference(kind, file.header, row.raw, row.place, file.shape)
        assert again == row or _was_cut(row, again), (row, again)
    return rows


def _was_cut(row: Any, again: Any) -> bool:
    """Whether a row that is out of bounds, of which only the beginning is kept, is still bad."""
    return isinstance(row, BadRow) and isinstance(again, BadRow) and len(row.raw) >= RAW_KEPT


def refusal(path: Path, kind: str | None = None) -> RefusedFile | None:
    """Why a file is refused; None if it is not."""
    try:
        read_orders(path) if kind is None else read_kind(path, kind)
    except RefusedFile as refused:
        return refused
    return None


def dispositions(rows: Sequence[Any]) -> Iterator[tuple[int, str]]:
    """Place and fate of each row: a code, or ``good``."""
    for row in rows:
        yield row.place, row.code if isinstance(row, BadRow) else "good"
