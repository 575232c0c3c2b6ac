"""A case in files of every kind, encoding and habit."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests import oracle
from tests.agreement.months.case import (
    DAY,
    LINK_COLUMNS,
    PROMOTER_COLUMNS,
    TARGET_COLUMNS,
    VIOLATION_COLUMNS,
    Case,
    CsvRow,
    OrderFile,
    Row,
)

API_COLUMNS = [
    "order_sn", "p_id", "goods_name", "order_amount", "promotion_amount", "order_status", "is_direct",
    "price_compare_status", "type", "cat_ids", "order_create_time", "order_pay_time", "order_receive_time",
    "order_verify_time", "order_settle_time", "order_modify_at", "sep_duo_id", "sep_pid",
]  # fmt: skip
CHINESE_TIMES = {
    "生成时间": "order_create_time",
    "支付时间": "order_pay_time",
    "确认收货时间": "order_receive_time",
    "审核时间": "order_verify_time",
    "结算时间": "order_settle_time",
    "更新时间": "order_modify_at",
}
STATUS_WORDS = {
    -1: ["未支付", "-1"],
    0: ["已支付", "0"],
    1: ["已成团", "1"],
    2: ["确认收货", "2"],
    3: ["审核成功", "审核通过", "3"],
    4: ["审核失败", "4"],
    5: ["已结算", "已经结算", "5"],
    8: ["8"],
    10: ["已处罚", "10"],
}
FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
UNPARSED = ("name", "reason", "goods_name", "商品名称")
ORDER_FILES = ["body", "bodies", "jsonl", "api csv", "chinese csv", "chinese csv", "chinese csv"]


def write(case: Case, folder: Path, rng: random.Random) -> list[OrderFile]:
    """The case as files: terms.toml, the four tables, and files of orders, returned in their order of import.

    Every row of the case is in one file at least, in the case's order but for the detail rows: only a detail
    body can carry those, so most follow in a file of their own. Some rows come again in a later file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "terms.toml").write_text(case.terms_toml, encoding="utf-8")
    write_table(folder / "promoters.csv", PROMOTER_COLUMNS, case.promoters, rng)
    write_table(folder / "violations.csv", VIOLATION_COLUMNS, case.violations, rng)
    write_table(folder / "links.csv", LINK_COLUMNS, case.links, rng)
    write_table(folder / "targets.csv", TARGET_COLUMNS, case.targets, rng)

    files: list[OrderFile] = []
    kinds = [*ORDER_FILES, *rng.choices(ORDER_FILES, k=rng.randint(0, 5))]
    rng.shuffle(kinds)
    cuts = sorted(rng.randint(0, len(case.rows)) for _ in kinds[1:])
    for kind, begin, end in zip(kinds, [0, *cuts], [*cuts, len(case.rows)], strict=True):
        again = rng.choices(case.rows[:begin], k=rng.randint(1, 8)) if begin and rng.random() < 0.5 else []
        rows = [*case.rows[begin:end], *again]
        listed = [row for row in rows if not oracle.is_detail(row)]
        details = [row for row in rows if oracle.is_detail(row)]
        live = [row for row in listed if oracle.live_room(row)] if kind == "chinese csv" else []
        listed = [row for row in listed if row not in live] if live else listed
        if kind == "bodies" and _tells_enough(listed) and rng.random() < 0.5:
            listed, details = rows, []
        if listed:
            files.append(_write_orders(folder / f"orders-{len(files):02d}", kind, listed, rng))
        if live:
            # The Chinese headers have no column for the room.
            files.append(_write_orders(folder / f"orders-{len(files):02d}", "api csv", live, rng))
        if details:
            files.append(_write_bodies(folder / f"orders-{len(files):02d}.json", _pages(details, rng), rng))
    return files


def _tells_enough(rows: Iterable[Row]) -> bool:
    """Whether nobody takes the body for the oauth list, which has neither is_direct nor the receipt."""
    return any(row.get("is_direct") is not None for row in rows)


def _write_orders(stem: Path, kind: str, rows: list[Row], rng: random.Random) -> OrderFile:
    """The rows in a file of that kind; those that JSON would not tell enough of in a CSV instead."""
    if kind.endswith("csv") or not _tells_enough(rows):
        kind = "api csv" if any(oracle.live_room(row) for row in rows) else kind
        return _write_order_csv(stem.with_suffix(".csv"), kind, rows, rng)
    if kind == "jsonl":
        path = stem.with_suffix(".jsonl")
        lines = [json.dumps(_with_extras(row, rng), ensure_ascii=rng.random() < 0.5) for row in rows]
        path.write_text("\n".join(lines) + rng.choice(["", "\n"]), encoding="utf-8")
        return OrderFile(path, rows)
    return _write_bodies(stem.with_suffix(".json"), [rows] if kind == "body" else _pages(rows, rng), rng)


def _pages(rows: Iterable[Row], rng: random.Random) -> list[list[Row]]:
    """The rows as pages, a detail row alone on its own; every page tells enough if all rows together do."""
    pages: list[list[Row]] = []
    page: list[Row] = []
    for row in rows:
        if oracle.is_detail(row):
            pages.append([row])
            continue
        page.append(row)
        if _tells_enough(page) and rng.random() < 0.2:
            pages.append(page)
            page = []
    if not _tells_enough(page):
        # What is left goes with the last page of its kind.
        lists = [other for other in pages if not oracle.is_detail(other[0])]
        if lists:
            lists[-1].extend(page)
            return pages
    return [*pages, page] if page else pages


def _write_bodies(path: Path, pages: Sequence[list[Row]], rng: random.Random) -> OrderFile:
    """One body, or a list of bodies, a page each."""
    bodies = [_body(page, rng) for page in pages]
    text = json.dumps(
        bodies if len(bodies) > 1 else bodies[0],
        ensure_ascii=rng.random() < 0.5,
        indent=rng.choice([None, 1]),
    )
    path.write_text(text, encoding="utf-8")
    return OrderFile(path, [row for page in pages for row in page])


def _body(page: Sequence[Row], rng: random.Random) -> dict[str, Any]:
    """The reply as the platform's increment, range or detail API gives it."""
    if oracle.is_detail(page[0]):
        return {"order_detail_response": _with_extras(page[0], rng) | {"request_id": "15440"}}
    reply: dict[str, Any] = {"order_list": [_with_extras(row, rng) for row in page], "request_id": "15441"}
    reply |= rng.choice([{"total_count": len(page)}, {}, {"last_order_id": "x1=="}])
    return {"order_list_get_response": reply}


def _with_extras(row: Row, rng: random.Random) -> Row:
    """The row among fields that no rule asks for, in any order."""
    extras: Row = {
        "order_id": "aGk=",
        "group_id": 860461037241593915,
        "order_status_desc": rng.choice(["已支付", "审核通过"]),
        "fail_reason": None,
        "custom_parameters": rng.choice(["", "-1", '{"uid":"7"}']),
        "goods_price": 2990,
        "order_group_success_time": rng.choice([None, 0]),
    }
    told = row | dict(rng.sample(sorted(extras.items()), k=rng.randint(0, len(extras))))
    keys = list(told)
    rng.shuffle(keys)
    return {key: told[key] for key in keys}


def _write_order_csv(path: Path, kind: str, rows: list[Row], rng: random.Random) -> OrderFile:
    in_cells = _api_cells if kind == "api csv" else _chinese_cells
    cells = [in_cells(row, rng) for row in rows]
    columns = list(cells[0])
    if kind == "api csv" and not any(oracle.live_room(row) for row in rows) and rng.random() < 0.5:
        columns = [column for column in columns if not column.startswith("sep_")]
    if rng.random() < 0.5:
        rng.shuffle(columns)
    _write_csv(path, columns, cells, rng)
    return OrderFile(path, rows)


def _api_cells(row: Row, rng: random.Random) -> CsvRow:
    """The API's names: fen and epoch seconds, ids joined by `;`."""
    cells = {column: "" if row.get(column) is None else str(row[column]) for column in API_COLUMNS}
    cells["cat_ids"] = ";".join(str(cat_id) for cat_id in row.get("cat_ids") or [])
    return _sloppy(cells, rng) | {"note": "x"}


def _chinese_cells(row: Row, rng: random.Random) -> CsvRow:
    """The Chinese headers: yuan and Shanghai times. What is unknown or not yet is blank."""
    commission = row.get("promotion_amount")
    cells = {
        "订单编号": row["order_sn"],
        "推广位ID": row["p_id"],
        "商品名称": row["goods_name"],
        "实付金额(元)": _yuan_cell(row["order_amount"], rng),
        "佣金(元)": "" if commission is None else _yuan_cell(commission, rng),
        "订单状态": rng.choice(STATUS_WORDS[row["order_status"]]),
        "是否直推": {1: "是", 0: "否", None: ""}[row.get("is_direct")],
        "比价状态": {1: "比价", 0: "正常", None: ""}[row.get("price_compare_status")],
        "订单类型": "" if row.get("type") is None else str(row["type"]),
        "类目ID": ";".join(str(cat_id) for cat_id in row.get("cat_ids") or []),
    }
    for header, key in CHINESE_TIMES.items():
        cells[header] = _shanghai_cell(row[key], rng) if row.get(key) else ""
    return _sloppy(cells, rng) | {"备注": "无, 所谓"}


def _yuan_cell(amount: int | str, rng: random.Random) -> str:
    """Yuan with two decimals or, where that says the same, fewer."""
    text = oracle.yuan(int(amount))
    return rng.choice(
        [text, text, text.removesuffix("0") if text.endswith("0") else text, text.removesuffix(".00")]
    )


def _shanghai_cell(instant: int, rng: random.Random) -> str:
    """`2022-12-20 23:59:59`; a midnight may be called the 24:00:00 of the day before."""
    if (instant + 8 * 3600) % DAY == 0 and rng.random() < 0.5:
        return oracle.instant_text(instant - 1)[:10] + " 24:00:00"
    return oracle.instant_text(instant)[:19].replace("T", " ")


def _sloppy(cells: CsvRow, rng: random.Random) -> CsvRow:
    """One cell in forty with blanks around it or in full-width digits, which mean the same; not names or remarks."""
    sloppy = {}
    for column, cell in cells.items():
        sloppy[column] = cell
        if column not in UNPARSED and rng.random() < 0.025:
            sloppy[column] = rng.choice(
                [f" {cell}", f"{cell}  ", f"\u3000{cell}", cell.translate(FULL_WIDTH)]
            )
    return sloppy


def write_table(path: Path, columns: Sequence[str], rows: Iterable[CsvRow], rng: random.Random) -> None:
    _write_csv(path, columns, [_sloppy(row, rng) for row in rows], rng)


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[CsvRow], rng: random.Random) -> None:
    """In any of the encodings, with any line ends; some headers in full width or with a blank."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=rng.choice(["\n", "\r\n"]))
    full_width = str.maketrans("()", "（）") if rng.random() < 0.5 else {}
    writer.writerow([column.translate(full_width) + rng.choice(["", "", "", " "]) for column in columns])
    for row in rows:
        writer.writerow([row[column] for column in columns])
    encoding = rng.choice(["utf-8", "utf-8-sig", "gb18030"])
    if encoding == "gb18030" and _could_be_utf_8(text.getvalue().encode(encoding)):
        encoding = "utf-8"
    path.write_bytes(text.getvalue().encode(encoding))


def _could_be_utf_8(encoded: bytes) -> bool:
    """Whether no reader could tell that it is something else."""
    try:
        encoded.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
