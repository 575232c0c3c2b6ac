"""The updates of an order, as the platform shows them, for a given outcome."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from bounty.clock import midnight, shanghai_date
from bounty.rules.periods import Bounds, Period
from bounty.sample.context import DAY, HOUR, MINUTE
from bounty.sample.outcomes import OrderOutcome


class Status(IntEnum):
    """The platform's status codes."""

    UNPAID = -1
    PAID = 0
    GROUPED = 1
    RECEIVED = 2
    AUDITED = 3
    REFUSED = 4
    SETTLED = 5
    NO_COMMISSION = 8
    PUNISHED = 10


@dataclass(frozen=True, slots=True)
class OrderStep:
    """The state of an order from one update on. Instants are epoch seconds; None if the event has not happened."""

    modified_at: int
    status: Status
    grouped_at: int | None = None
    received_at: int | None = None
    verified_at: int | None = None
    settled_at: int | None = None
    fail_reason: str | None = None
    return_status: int | None = None
    """After-sales status of an update in a detail response; None for an update in a list."""


def draw_steps(rng: random.Random, outcome: OrderOutcome, paid_at: int, bounds: Bounds) -> list[OrderStep]:
    """An order's updates, oldest first, with strictly ascending times. They can be after the present."""
    if outcome in (OrderOutcome.UNPAID, OrderOutcome.NO_COMMISSION):
        status = Status.UNPAID if outcome is OrderOutcome.UNPAID else Status.NO_COMMISSION
        return [OrderStep(paid_at + _lag(rng), status)]
    # Two thirds of the orders are bought alone, and these are grouped at once.
    wait = 0 if rng.randrange(3) else rng.randrange(MINUTE, 23 * MINUTE)
    paid = [OrderStep(paid_at + _lag(rng), Status.PAID)] if wait else []
    grouped_at = paid_at + wait
    grouped = OrderStep(grouped_at + _lag(rng), Status.GROUPED, grouped_at=grouped_at)
    return [*paid, grouped, *_STEPS_AFTER_GROUPING[outcome](rng, grouped, bounds)]


def _ordinary(rng: random.Random, grouped: OrderStep, bounds: Bounds) -> list[OrderStep]:
    """Received after some days, sometimes just before the cutoff; then audited and settled."""
    if rng.randrange(40) == 0:
        just_before = 1 + rng.randrange(rng.choice((MINUTE, 6 * HOUR)))
        return _earning(rng, _received(rng, grouped, bounds.receipt_cutoff - just_before))
    return _earning(rng, _delivered(rng, grouped))


def _virtual(rng: random.Random, grouped: OrderStep, _: Bounds) -> list[OrderStep]:
    return _earning(rng, _received(rng, grouped, grouped.modified_at + rng.randrange(MINUTE, HOUR)))


def _received_late(rng: random.Random, grouped: OrderStep, bounds: Bounds) -> list[OrderStep]:
    """Received at the cutoff or later."""
    at = bounds.receipt_cutoff + rng.randrange(rng.choice((MINUTE, 6 * HOUR, 6 * DAY)))
    return _earning(rng, _received(rng, grouped, at))


def _unreceived(*_: object) -> list[OrderStep]:
    return []


def _refunded_unreceived(rng: random.Random, grouped: OrderStep, _: Bounds) -> list[OrderStep]:
    return [_refused(grouped, grouped.modified_at + rng.randrange(2 * HOUR, 3 * DAY), "买家申请退款成功")]


def _refunded(rng: random.Random, grouped: OrderStep, _: Bounds) -> list[OrderStep]:
    """Refunded within eight days of receipt: for an order of the task window this is before the cutoff."""
    received = _delivered(rng, grouped)
    refunded_at = received.modified_at + rng.randrange(HOUR, 8 * DAY)
    return [received, _refused(received, refunded_at, "买家申请退货退款成功")]


def _refunded_late(rng: random.Random, grouped: OrderStep, bounds: Bounds) -> list[OrderStep]:
    """Received in time and refunded after the cutoff, but before the platform settles on the 20th."""
    received = _delivered(rng, grouped)
    refunded_at = bounds.receipt_cutoff + rng.randrange(8 * DAY)
    before = [step for step in (received, _audited(rng, received)) if step.modified_at < refunded_at]
    return [*before, _refused(before[-1], refunded_at, "售后成功")]


def _risky(rng: random.Random, grouped: OrderStep, _: Bounds) -> list[OrderStep]:
    """Refused by the platform's risk control without a verification time, as some real orders are."""
    received = _delivered(rng, grouped)
    refused = _refused(received, received.modified_at + rng.randrange(DAY, 5 * DAY), "风控审核未通过")
    return [received, replace(refused, verified_at=None)]


def _after_sale_open(rng: random.Random, grouped: OrderStep, _: Bounds) -> list[OrderStep]:
    received = _delivered(rng, grouped)
    return [received, _after_sale(rng, received, return_status=1)]


def _returned(rng: random.Random, grouped: OrderStep, _: Bounds) -> list[OrderStep]:
    """A completed after-sale, which a detail shows at once and the list a day later or never."""
    received = _delivered(rng, grouped)
    returned = _after_sale(rng, received, return_status=2)
    refused = _refused(received, returned.modified_at + DAY, "售后成功")
    return [received, returned, *([refused] if rng.randrange(2) else [])]


def _punished(rng: random.Random, grouped: OrderStep, bounds: Bounds) -> list[OrderStep]:
    """Punished with its promotion link on the 25th; within hours if it was paid later."""
    punished_at = max(bounds.task_until + 4 * DAY + 10 * HOUR, grouped.modified_at + 2 * HOUR)
    unpunished = [grouped, *_ordinary(rng, grouped, bounds)]
    before = [step for step in unpunished if step.modified_at < punished_at]
    modified_at = punished_at + rng.randrange(10 * MINUTE)
    punished = replace(before[-1], modified_at=modified_at, status=Status.PUNISHED, fail_reason="站内导流")
    return [*before[1:], punished]


_StepsFunction = Callable[[random.Random, OrderStep, Bounds], list[OrderStep]]
"""(random generator, step of the grouping, the month's bounds) -> the steps after the grouping."""
_STEPS_AFTER_GROUPING: Final[dict[OrderOutcome, _StepsFunction]] = {
    **dict.fromkeys(
        (OrderOutcome.ORDINARY, OrderOutcome.COMPARED, OrderOutcome.INDIRECT, OrderOutcome.DIRECT_UNKNOWN),
        _ordinary,
    ),
    OrderOutcome.AFTER_SALE_OPEN: _after_sale_open,
    OrderOutcome.REFUNDED_LATE: _refunded_late,
    OrderOutcome.VIRTUAL: _virtual,
    OrderOutcome.RECEIVED_LATE: _received_late,
    OrderOutcome.UNRECEIVED: _unreceived,
    OrderOutcome.REFUNDED_UNRECEIVED: _refunded_unreceived,
    OrderOutcome.REFUNDED: _refunded,
    OrderOutcome.RISKY: _risky,
    OrderOutcome.RETURNED: _returned,
    OrderOutcome.PUNISHED: _punished,
}


def _lag(rng: random.Random) -> int:
    """Random delay in seconds from an event to its update."""
    return rng.randint(6, 11)


def _received(rng: random.Random, grouped: OrderStep, at: int) -> OrderStep:
    return replace(grouped, modified_at=at + _lag(rng), status=Status.RECEIVED, received_at=at)


def _delivered(rng: random.Random, grouped: OrderStep) -> OrderStep:
    """Received after two to nine days."""
    return _received(rng, grouped, grouped.modified_at + rng.randrange(2 * DAY, 9 * DAY))


def _earning(rng: random.Random, received: OrderStep) -> list[OrderStep]:
    """Received, audited and settled."""
    audited = _audited(rng, received)
    return [received, audited, _settled(rng, audited)]


def _audited(rng: random.Random, received: OrderStep) -> OrderStep:
    """Audited 15 days and some hours after receipt."""
    at = received.modified_at + 15 * DAY + rng.randrange(10 * HOUR)
    return replace(received, modified_at=at, status=Status.AUDITED, verified_at=at)


def _settled(rng: random.Random, audited: OrderStep) -> OrderStep:
    """Settled in the early morning of the 20th after an audit by the 15th."""
    audited_on = shanghai_date(audited.modified_at)
    month = Period.of(audited_on).plus(0 if audited_on.day <= 15 else 1)
    at = midnight(month.day(20)) + rng.randrange(2 * HOUR, 5 * HOUR)
    return replace(audited, modified_at=at + _lag(rng), status=Status.SETTLED, settled_at=at)


def _refused(before: OrderStep, at: int, reason: str) -> OrderStep:
    return replace(before, modified_at=at, status=Status.REFUSED, verified_at=at, fail_reason=reason)


def _after_sale(rng: random.Random, received: OrderStep, return_status: int) -> OrderStep:
    at = received.modified_at + rng.randrange(DAY, 5 * DAY)
    return replace(received, modified_at=at, return_status=return_status)
