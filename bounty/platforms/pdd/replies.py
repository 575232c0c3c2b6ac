"""A reply's body: whether it is one, what it holds, and which orders."""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from bounty.platforms.pdd.errors import refusal, unread


class _Error(msgspec.Struct):
    error_code: int
    error_msg: str | None = None
    sub_msg: str | None = None


class _List(msgspec.Struct):
    order_list: list[msgspec.Raw] | None = None
    total_count: int | None = None
    last_order_id: str | None = None


class _Body(msgspec.Struct):
    order_list_get_response: _List | None = None
    order_detail_response: msgspec.Raw = msgspec.Raw()
    error_response: _Error | None = None


class _Order(msgspec.Struct):
    order_sn: str


_read_body = msgspec.json.Decoder(_Body).decode
_read_order = msgspec.json.Decoder(_Order).decode


@dataclass(frozen=True, slots=True)
class OrderPage:
    """A reply of one of the lists."""

    body: bytes = field(repr=False)
    """As it came: JSON in UTF-8."""
    orders: tuple[str, ...]
    """The order number of each row; of a row that has none, what it says."""
    told: int | None
    """How many rows the platform says the whole list has; None where it doesn't."""
    last_order_id: str | None
    """Where the list of paid orders goes on."""


@dataclass(frozen=True, slots=True)
class OrderDetail:
    """A reply about one order."""

    body: bytes = field(repr=False)
    order_sn: str
    """Of the order that it is about, or what the reply says."""


def read_page(body: bytes) -> OrderPage:
    """Raises PlatformError for an error reply and for what is no list."""
    listed = _body_of(body).order_list_get_response
    if listed is None:
        raise unread("no list of orders in the reply", "应答里没有订单列表")
    orders = tuple(map(_order_number, listed.order_list or ()))
    return OrderPage(body, orders, listed.total_count, listed.last_order_id)


def read_detail(body: bytes) -> OrderDetail:
    """Raises PlatformError for an error reply and for what is no detail of an order."""
    order = _body_of(body).order_detail_response
    if not bytes(order).startswith(b"{"):
        raise unread("no order in the reply", "应答里没有订单")
    return OrderDetail(body, _order_number(order))


def _body_of(body: bytes) -> _Body:
    try:
        body.decode()  # what is skipped is not looked at; half a character would change the file's code page
        read = _read_body(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise unread("not the JSON of a reply", "不是完整的 JSON") from None
    if read.error_response is not None:
        error = read.error_response
        raise refusal(error.error_code, (error.sub_msg or error.error_msg or "")[:200])
    return read


def _order_number(raw: Any) -> str:
    try:
        return _read_order(raw).order_sn
    except msgspec.MsgspecError:
        return bytes(raw).decode()
