"""The platform's responses to calls, with its limits, envelopes and errors; without HTTP."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import md5
from typing import Final

from bounty.clock import SHANGHAI
from bounty.fake_platform.fake_orders import DAY, MINUTE, FakeOrder, FakeOrders, FakeOrderStep, Row

Call = Mapping[str, str]
"""The parameters of a call."""
Reply = Row
"""A response."""
_INCREMENTS: Final = ("pdd.ddk.all.order.list.increment.get", "pdd.ddk.order.list.increment.get")


class CallRefused(Exception):
    """An error response."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code, self.message = code, message


@dataclass
class Gateway:
    """The platform for one application."""

    market: FakeOrders
    """The orders."""
    client_id: str
    client_secret: str = field(repr=False)
    clock: Callable[[], int]
    """Returns the platform's present instant, epoch seconds; called once for each call."""
    calls_a_second: int = 2500
    """The rate limit."""
    leave_out: Callable[[str], bool] = lambda _: False
    """Whether the lists omit an order but include it in their total count."""
    calls: int = 0
    """Number of calls so far."""
    _second: int = 0
    _calls_in_second: int = 0

    def answer(self, call: Call) -> tuple[Reply, int]:
        """The response to a call, and the platform's time of the response."""
        now = self.clock()
        self.calls += 1
        request_id = f"1544{self.calls:012d}"
        try:
            self._check(call, now)
            reply = self._reply(call, now)
        except CallRefused as refused:
            return {
                "error_response": {
                    "error_code": refused.code,
                    "error_msg": refused.message,
                    "sub_code": None,
                    "sub_msg": refused.message if refused.code == 50001 else "",
                    "request_id": request_id,
                }
            }, now
        (envelope,) = reply.values()
        envelope["request_id"] = request_id
        return reply, now

    def _check(self, call: Call, now: int) -> None:
        """Check the common parameters, the signature, the clocks and the rate limit. Raises CallRefused."""
        for name in ("type", "client_id", "timestamp", "sign"):
            if not call.get(name):
                raise CallRefused(10001, f"公共参数错误:{name}")
        if call["client_id"] != self.client_id:
            raise CallRefused(10016, "client下线或者clientId不正确")
        if call["sign"] != self._sign(call):
            raise CallRefused(20004, "签名sign校验失败")
        if not call["timestamp"].isdigit() or abs(int(call["timestamp"]) - now) > 10 * MINUTE:
            raise CallRefused(10001, "公共参数错误:timestamp")
        self._calls_in_second = self._calls_in_second + 1 if now == self._second else 1
        self._second = now
        if self._calls_in_second > self.calls_a_second:
            raise CallRefused(70031, "调用过于频繁，请调整调用频率")

    def _sign(self, call: Call) -> str:
        pairs = sorted((name, value) for name, value in call.items() if name != "sign")
        text = self.client_secret + "".join(name + value for name, value in pairs) + self.client_secret
        return md5(text.encode("utf-8"), usedforsecurity=False).hexdigest().upper()

    def _reply(self, call: Call, now: int) -> Reply:
        if call["type"] in _INCREMENTS:
            return self._increment(call, now)
        if call["type"] == "pdd.ddk.order.list.range.get":
            return self._range(call, now)
        if call["type"] == "pdd.ddk.order.detail.get":
            return self._detail(call, now)
        raise CallRefused(10017, "type不正确")

    def _increment(self, call: Call, now: int) -> Reply:
        from_at, until_at = _integer(call, "start_update_time"), _integer(call, "end_update_time")
        page, size = _integer(call, "page", 1), _integer(call, "page_size", 100)
        if until_at - from_at > DAY:
            raise CallRefused(50001, "时间跨度不能超过24小时")
        if until_at < from_at:
            raise CallRefused(50001, "开始时间不能大于结束时间")
        if from_at < now - 90 * DAY:
            raise CallRefused(50001, "只能查询最近90天的订单")
        if not 1 <= page <= 10_000 or not 10 <= size <= 100:
            raise CallRefused(10000, "参数错误:page/page_size")
        orders = self.market.updated(from_at, until_at, now)
        listed: Reply = {"order_list": self._rows(orders[(page - 1) * size : page * size])}
        if call.get("return_count", "true") == "true":
            listed["total_count"] = len(orders)
        return {"order_list_get_response": listed}

    def _range(self, call: Call, now: int) -> Reply:
        from_at, until_at = _instant(call, "start_time"), _instant(call, "end_time")
        size = _integer(call, "page_size", 300)
        if not 10 <= size <= 300:
            raise CallRefused(10000, "参数错误:page_size")
        orders = self.market.paid(from_at, until_at, now)
        numbers = [order.fixed["order_sn"] for order, _ in orders]
        after = call.get("last_order_id", "")
        if after and after not in numbers:
            raise CallRefused(50001, "last_order_id不正确")
        start = numbers.index(after) + 1 if after else 0
        page = orders[start : start + size]
        last = numbers[start + len(page) - 1] if page else after
        return {"order_list_get_response": {"order_list": self._rows(page), "last_order_id": last}}

    def _detail(self, call: Call, now: int) -> Reply:
        order = self.market.orders.get(call.get("order_sn", ""))
        step = order.step_at(now) if order is not None else None
        if order is None or step is None:
            raise CallRefused(50001, "订单不存在")
        return {"order_detail_response": order.detail(step)}

    def _rows(self, orders: list[tuple[FakeOrder, FakeOrderStep]]) -> list[Row]:
        # An undocumented field, because the client must accept fields that it does not know.
        return [
            order.row(step) | {"new_field_of_2027": "?"}
            for order, step in orders
            if not self.leave_out(order.fixed["order_sn"])
        ]


def _integer(call: Call, name: str, default: int | None = None) -> int:
    text = call.get(name, "")
    if not text and default is not None:
        return default
    if not text.isdigit():
        raise CallRefused(10000, f"参数错误:{name}")
    return int(text)


def _instant(call: Call, name: str) -> int:
    try:
        return int(
            datetime.strptime(call.get(name, ""), "%Y-%m-%d %H:%M:%S").replace(tzinfo=SHANGHAI).timestamp()
        )
    except ValueError:
        raise CallRefused(10000, f"参数错误:{name}") from None
