"""Generated orders with their updates. At any instant an order has the state of its newest update."""

import random
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from bounty.clock import SHANGHAI

MINUTE, HOUR, DAY = 60, 3600, 86_400
Row = dict[str, Any]
"""A row of an order list: field name -> JSON value."""
STATUS_DESCRIPTIONS: Final = {
    0: "已支付",
    1: "已成团",
    2: "确认收货",
    3: "审核通过",
    4: "审核失败",
    5: "已经结算",
    10: "已处罚",
}
UNKNOWN_STATUS: Final = 77
"""A status that no document describes. An order with it later gets a documented status."""
_TIMES: Final = tuple(f"order_{name}_time" for name in ("group_success", "receive", "verify", "settle"))
_GOODS: Final = ((239, 2001, "男装"), (6398, 7001, "零食"), (8439, 9005, "女装"), (15543, 15600, "书籍"))
_UNUSED_FIELDS: Final[Row] = (
    dict.fromkeys(
        (
            "auth_duo_id auth_duo_id_service_fee cash_gift_id cpa_new cps_level duo_id_service_fee platform_discount "
            "red_packet_type scene_at_market_fee sep_duo_id sep_market_fee sep_rate share_amount share_rate "
            "subsidy_amount subsidy_duo_amount_level subsidy_duo_amount_ten_million subsidy_type zs_duo_id"
        ).split(),
        0,
    )
    | dict.fromkeys("custom_parameters no_subsidy_reason sep_parameters sep_pid".split(), "")
    | {"activity_tags": [], "subsidy_list": []}
)


@dataclass(frozen=True, slots=True)
class FakeOrderStep:
    """The state of an order from one update on."""

    modified_at: int
    """When the update appears in the lists; epoch seconds."""
    status: int
    """The platform's status code."""
    times: tuple[int | None, int | None, int | None, int | None] = (None, None, None, None)
    """When the order was grouped, received, verified, and settled; epoch seconds."""
    return_status: int = 0
    """After-sales status: 0 none, 1 in progress, 2 completed."""
    fail_reason: str | None = None


@dataclass(frozen=True, slots=True)
class FakeOrder:
    """An order with its updates."""

    fixed: Row
    """The fields that never change, by their names in the list."""
    unset: str
    """How the order's rows represent a time that has not come: ``null``, ``absent`` or ``zero``."""
    steps: tuple[FakeOrderStep, ...]
    """The updates, oldest first."""

    def step_at(self, now: int) -> FakeOrderStep | None:
        """The newest update at an instant; None before the first."""
        return next((step for step in reversed(self.steps) if step.modified_at <= now), None)

    def row(self, step: FakeOrderStep) -> Row:
        """The list row of an update."""
        times = dict(zip(_TIMES, step.times, strict=True))
        if self.unset == "absent":
            times = {name: instant for name, instant in times.items() if instant is not None}
        elif self.unset == "zero":
            times = {name: instant or 0 for name, instant in times.items()}
        return (
            self.fixed
            | times
            | {
                "order_status": step.status,
                "order_status_desc": STATUS_DESCRIPTIONS.get(step.status, "处理中"),
                "fail_reason": step.fail_reason,
                "order_modify_at": step.modified_at,
                "batch_no": "" if step.times[3] is None else f"{_day(step.times[3])}01",
            }
        )

    def detail(self, step: FakeOrderStep) -> Row:
        """The detail of an update: ``p_id`` is named ``pid``, null fields are absent, and two fields are added."""
        fields = {name: value for name, value in self.row(step).items() if value is not None}
        fields["pid"] = fields.pop("p_id")
        created: int = self.fixed["order_create_time"]
        return fields | {"return_status": step.return_status, "url_last_generate_time": created - 3 * DAY}


class FakeOrders:
    """Random orders paid within a window; the same arguments give the same orders."""

    def __init__(self, seed: int, promoters: Sequence[int], from_at: int, until_at: int, orders: int) -> None:
        """
        from_at, until_at   the window of the pay times; epoch seconds, half-open
        orders              number of orders
        """
        rng = random.Random(seed)  # noqa: S311 - reproducible, not secret
        self.orders = {
            order.fixed["order_sn"]: order
            for number in range(1, orders + 1)
            for order in [_order(rng, rng.choice(promoters), number, rng.randrange(from_at, until_at))]
        }
        self._steps = sorted(
            (step.modified_at, order_sn, index)
            for order_sn, order in self.orders.items()
            for index, step in enumerate(order.steps)
        )
        self._paid = sorted(
            (order.fixed["order_pay_time"], order_sn) for order_sn, order in self.orders.items()
        )

    def updated(self, from_at: int, until_at: int, now: int) -> list[tuple[FakeOrder, FakeOrderStep]]:
        """The orders whose last update before now is within a window, both ends included; oldest update first."""
        first = bisect_left(self._steps, (from_at, "", 0))
        last = bisect_right(self._steps, (min(until_at, now), "\uffff", 0))
        found = []
        for _, order_sn, index in self._steps[first:last]:
            order = self.orders[order_sn]
            if index + 1 == len(order.steps) or order.steps[index + 1].modified_at > now:
                found.append((order, order.steps[index]))
        return found

    def paid(self, from_at: int, until_at: int, now: int) -> list[tuple[FakeOrder, FakeOrderStep]]:
        """The orders paid within a window, both ends included, that exist by now; earliest payment first."""
        first = bisect_left(self._paid, (from_at, ""))
        last = bisect_right(self._paid, (until_at, "\uffff"))
        orders = [self.orders[order_sn] for _, order_sn in self._paid[first:last]]
        return [(order, step) for order in orders if (step := order.step_at(now)) is not None]


def _order(rng: random.Random, promoter_id: int, number: int, paid_at: int) -> FakeOrder:
    level_1, level_2, category = rng.choice(_GOODS)
    created_at = paid_at - rng.randrange(3, 17 * MINUTE)
    amount, rate = rng.randrange(1_00, 300_00), rng.choice((10, 50, 200, 350))
    fixed = _UNUSED_FIELDS | {
        # An order number begins with the day of creation in China.
        "order_sn": f"{_day(created_at)[2:]}-{900_000_000_000_000 + number}",
        "p_id": f"{promoter_id}_{107_000_000 + number % 3}",
        "goods_id": 600_000_000_000 + level_2,
        "goods_sign": f"standin_{level_2}",
        "goods_name": f"示例 {category} {number}",
        "goods_thumbnail_url": "https://img.example/standin.jpeg",
        "goods_category_name": category,
        "goods_price": amount,
        "goods_quantity": 1,
        "mall_id": 700_000_000 + level_1,
        "mall_name": "示例店",
        # Above 2^53, as real group ids are.
        "group_id": 860_461_037_000_000_000 + number,
        "order_amount": amount,
        "promotion_rate": rate,
        "promotion_amount": amount * rate // 1000,
        "type": 94 if rng.random() < 0.03 else 0,
        "cat_ids": [level_1, level_2, 0, 0],
        "is_direct": int(rng.random() < 0.8),
        "price_compare_status": int(rng.random() < 0.05),
        "bandan_risk_consult": -1,
        "order_create_time": created_at,
        "order_pay_time": paid_at,
    }
    return FakeOrder(fixed, rng.choice(("null", "absent", "zero")), tuple(_steps(rng, paid_at)))


def _steps(rng: random.Random, paid_at: int) -> list[FakeOrderStep]:
    """The random updates of an order. Updates appear some seconds after the event, audits at once."""

    def lag() -> int:
        return rng.randrange(6, 12)

    grouped = paid_at if rng.random() < 0.7 else paid_at + rng.randrange(MINUTE, 23 * MINUTE)
    steps = [] if grouped == paid_at else [FakeOrderStep(paid_at + lag(), 0)]
    steps.append(FakeOrderStep(grouped + lag(), 1, (grouped, None, None, None)))
    outcome = rng.random()
    if outcome < 0.07:  # never received
        return steps
    if outcome < 0.13:  # refunded before receipt
        verified = grouped + rng.randrange(HOUR, 3 * DAY)
        return [*steps, FakeOrderStep(verified, 4, (grouped, None, verified, None), 2, "售后成功")]
    received = grouped + rng.randrange(DAY, 9 * DAY)
    if rng.random() < 0.03:
        steps.append(
            FakeOrderStep(
                received - rng.randrange(HOUR, 12 * HOUR), UNKNOWN_STATUS, (grouped, None, None, None)
            )
        )
    steps.append(FakeOrderStep(received + lag(), 2, (grouped, received, None, None)))
    if outcome < 0.18:  # returned after receipt; the detail call shows the after-sale in progress
        verified = received + rng.randrange(3 * DAY, 14 * DAY)
        steps.append(FakeOrderStep(received + DAY, 2, (grouped, received, None, None), 1))
        return [*steps, FakeOrderStep(verified, 4, (grouped, received, verified, None), 2, "售后成功")]
    verified = received + 15 * DAY + rng.randrange(DAY // 2)
    steps.append(FakeOrderStep(verified, 3, (grouped, received, verified, None)))
    if outcome < 0.19:
        punished = verified + rng.randrange(HOUR, 5 * DAY)
        return [*steps, FakeOrderStep(punished, 10, (grouped, received, verified, None), 0, "站内导流")]
    settled = verified + rng.randrange(5 * DAY, 30 * DAY)
    return [*steps, FakeOrderStep(settled + lag(), 5, (grouped, received, verified, settled))]


def _day(instant: int) -> str:
    return f"{datetime.fromtimestamp(instant, SHANGHAI):%Y%m%d}"
