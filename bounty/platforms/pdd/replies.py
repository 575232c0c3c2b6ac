"""Parsing of response bodies: error responses, order lists, and order details."""

from dataclasses import dataclass, field

import msgspec

from bounty.platforms.pdd.errors import no_response, refused_call


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
    """A page of an order list."""

    body: bytes = field(repr=False)
    """The response as received: JSON in UTF-8."""
    orders: tuple[str, ...]
    """The order number of each row; for a row without one, the row's JSON."""
    total_count: int | None
    """Number of rows of the whole list; None if the response has none."""
    last_order_id: str | None
    """The parameter for the next page of the list by pay time."""


@dataclass(frozen=True, slots=True)
class OrderDetail:
    """The detail of one order."""

    body: bytes = field(repr=False)
    """The response as received: JSON in UTF-8."""
    order_sn: str
    """The order number; for a detail without one, its JSON."""


def read_page(body: bytes) -> OrderPage:
    """Parse an order list. Raises PlatformError for an error response and for a body without a list."""
    response = _body_of(body).order_list_get_response
    if response is None:
        raise no_response("no list of orders in the reply", "应答里没有订单列表")
    orders = tuple(map(_order_number, response.order_list or ()))
    return OrderPage(body, orders, response.total_count, response.last_order_id)


def read_detail(body: bytes) -> OrderDetail:
    """Parse an order detail. Raises PlatformError for an error response and for a body without a detail."""
    order = _body_of(body).order_detail_response
    if not bytes(order).startswith(b"{"):
        raise no_response("no order in the reply", "应答里没有订单")
    return OrderDetail(body, _order_number(order))


def _body_of(body: bytes) -> _Body:
    try:
        # msgspec does not check skipped parts. Invalid UTF-8 in them would change the detected encoding of the file.
        body.decode()
        parsed = _read_body(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise no_response("not the JSON of a reply", "不是完整的 JSON") from None
    if parsed.error_response is not None:
        error = parsed.error_response
        raise refused_call(error.error_code, (error.sub_msg or error.error_msg or "")[:200])
    return parsed


def _order_number(raw: msgspec.Raw) -> str:
    try:
        return _read_order(raw).order_sn
    except msgspec.MsgspecError:
        return bytes(raw).decode()
