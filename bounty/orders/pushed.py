"""Orders that a program sends by the API: ``{"orders": [...]}``, rows of the platform's shape, read like a file's."""

from io import BytesIO
from typing import Final

from bounty.errors import RefusedFile
from bounty.files.json_stream import Document
from bounty.files.problems import CONTROL, BadRow, refused
from bounty.platforms.pdd.json_orders import NotJson, fields_of, read_order
from bounty.platforms.pdd.order_row import OrderRow

ROWS_LIMIT: Final = 1_000
"""Rows of one request."""


def pushed_orders(body: bytes) -> list[OrderRow | BadRow]:
    """The rows of a request, in their order, with places from 1.

    body    JSON in UTF-8

    Raises RefusedFile: E-JSON and E-ENC for what is no JSON in UTF-8; E-DUPKEY, E-FIELD, E-LIMIT, and E-KIND for rows
    of which none has is_direct or order_receive_time, as of a file. What is wrong with one row alone is a BadRow.
    """
    try:
        has_controls = CONTROL.search(body.decode()) is not None
    except UnicodeDecodeError as error:
        raise RefusedFile(
            "E-ENC",
            f"第 {error.start + 1} 字节起不是 UTF-8；请求正文须为 UTF-8 的 JSON",
            f"byte {error.start + 1} is not UTF-8; the body must be JSON in UTF-8",
        ) from None
    document, rows = Document(BytesIO(body)), None
    if document.peek() != b"{":
        raise document.broken('{"orders": [...]} expected')
    for key in document.members():
        if key != "orders":
            raise RefusedFile(
                "E-FIELD",
                f'不认识字段 {key!a}；请求正文应为 {{"orders": [...]}}',
                f'there is no field {key!a}; the body is {{"orders": [...]}}',
            )
        if document.peek() != b"[":
            raise RefusedFile("E-FIELD", "orders 须为订单的列表", "orders must be a list of orders")
        rows = _rows(document, has_controls)
    document.finish()
    if rows is None:
        raise RefusedFile("E-FIELD", "缺少字段 orders", "the field orders is missing")
    return rows


def _rows(document: Document, has_controls: bool) -> list[OrderRow | BadRow]:
    rows: list[OrderRow | BadRow] = []
    full = seen = False
    for raw in document.elements():
        if len(rows) == ROWS_LIMIT:
            raise RefusedFile(
                "E-LIMIT",
                f"一次最多 {ROWS_LIMIT} 个订单；请分多次提交",
                f"a request has at most {ROWS_LIMIT} orders; send the others in another one",
            )
        try:
            rows.append(read_order(raw, len(rows) + 1, has_controls))
        except NotJson:
            raise document.broken(f"第 {len(rows) + 1} 个订单 / order {len(rows) + 1}") from None
        if not full and (fields := _fields_or_none(raw)) is not None:
            seen, full = True, "is_direct" in fields or "order_receive_time" in fields
    if seen and not full:
        raise refused("oauth")
    return rows


def _fields_or_none(raw: bytes) -> dict[str, object] | None:
    try:
        return fields_of(raw.decode())
    except NotJson:  # nested too deep, which is a bad row
        return None
