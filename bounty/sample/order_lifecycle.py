"""What becomes of an order: the steps that the platform tells of, from its fate."""

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
    """The platform's codes."""

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
    """An order as the platform tells of it from one update on; None for what has not happened."""

    modified_at: int
    status: Status
    grouped_at: int | None = None
    received_at: int | None = None
    verified_at: int | None = None
    settled_at: int | None = None
    fail_reason: str | None = None
    return_status: int | None = None
    """Told by the detail reply; None where the step is told by the list."""


def draw_steps(rng: random.Random, fate: OrderOutcome, paid_at: int, bounds: Bounds) -> list[OrderStep]:
    """An order's steps, oldest first and each later than the one before, however far in the future."""
    if fate in (OrderOutcome.UNPAID, OrderOutcome.NO_COMMISSION):
        status = Status.UNPAID if fate is OrderOutcome.UNPAID else Status.NO_COMMISSION
        return [OrderStep(paid_at + _lag(rng), status)]
    # Two thirds are bought alone, which groups them at once.
    wait = 0 if rng.randrange(3) else rng.randrange(MINUTE, 23 * MINUTE)
    paid = [OrderStep(paid_at + _lag(rng), Status.PAID)] if wait else []
    grouped_at = paid_at + wait
    grouped = OrderStep(grouped_at + _lag(rng), Status.GROUPED, grouped_at=grouped_at)
    return [*paid, grouped, *_LIVES[fate](rng, grouped, bounds)]


def _ordinary(rng: random.Random, grouped: OrderStep, bounds: Bounds) -> list[OrderStep]:
    """Received after some days, seldom just before the cutoff; audited; settled."""
    if rng.randrange(40) == 0:
        just_before = 1 + rng.randrange(rng.choice((MINUTE, 6 * HOUR)))
        return _earning(rng, _received(rng, grouped, bounds.receipt_cutoff - just_before))
    return _earning(rng, _delivered(rng, grouped))


def _virtual(rng: random.Random, grouped: OrderStep, _: Bounds) -> list[OrderStep]:
    return _earning(rng, _received(rng, grouped, grouped.modified_at + rng.randrange(MINUTE, HOUR)))


def _received_late(rng: random.Random, grouped: OrderStep, bounds: Bounds) -> list[OrderStep]:
    """From the cutoff's own second on."""
    at = bounds.receipt_cutoff + rng.randrange(rng.choice((MINUTE, 6 * HOUR, 6 * DAY)))
    return _earning(rng, _received(rng, grouped, at))


def _unreceived(*_: object) -> list[OrderStep]:
    return []


def _refunded_unreceived(rng: random.Random, grouped: OrderStep, _: Bounds) -> list[OrderStep]:
    return [_refused(grouped, grouped.modified_at + rng.randrange(2 * HOUR, 3 * DAY), "买家申请退款成功")]


def _refunded(rng: random.Random, grouped: OrderStep, _: Bounds) -> list[OrderStep]:
    """Within eight days of receipt, so that in the task window it is before the cutoff."""
    received = _delivered(rng, grouped)
    refunded_at = received.modified_at + rng.randrange(HOUR, 8 * DAY)
    return [received, _refused(received, refunded_at, "买家申请退货退款成功")]


def _refunded_late(rng: random.Random, grouped: OrderStep, bounds: Bounds) -> list[OrderStep]:
    """Received in time and refunded after the cutoff, but before anything settles on the 20th."""
    received = _delivered(rng, grouped)
    refunded_at = bounds.receipt_cutoff + rng.randrange(8 * DAY)
    told = [step for step in (received, _audited(rng, received)) if step.modified_at < refunded_at]
    return [*told, _refused(told[-1], refunded_at, "售后成功")]


def _risky(rng: random.Random, grouped: OrderStep, _: Bounds) -> list[OrderStep]:
    """Refused by the platform without a time of verification, as happens."""
    received = _delivered(rng, grouped)
    refused = _refused(received, received.modified_at + rng.randrange(DAY, 5 * DAY), "风控审核未通过")
    return [received, replace(refused, verified_at=None)]


def _after_sale_open(rng: random.Random, grouped: OrderStep, _: Bounds) -> list[OrderStep]:
    received = _delivered(rng, grouped)
    return [received, _after_sale(rng, received, return_status=1)]


def _returned(rng: random.Random, grouped: OrderStep, _: Bounds) -> list[OrderStep]:
    """An after-sale completed, of which the detail reply tells at once and the list a day later or not at all."""
    received = _delivered(rng, grouped)
    returned = _after_sale(rng, received, return_status=2)
    refused = _refused(received, returned.modified_at + DAY, "售后成功")
    return [received, returned, *([refused] if rng.randrange(2) else [])]


def _punished(rng: random.Random, grouped: OrderStep, bounds: Bounds) -> list[OrderStep]:
    """Punished with its place on the 25th, or, where it was paid later, within hours."""
    punished_at = max(bounds.task_until + 4 * DAY + 10 * HOUR, grouped.modified_at + 2 * HOUR)
    untouched = [grouped, *_ordinary(rng, grouped, bounds)]
    told = [step for step in untouched if step.modified_at < punished_at]
    modified_at = punished_at + rng.randrange(10 * MINUTE)
    punished = replace(told[-1], modified_at=modified_at, status=Status.PUNISHED, fail_reason="站内导流")
    return [*told[1:], punished]


_Life = Callable[[random.Random, OrderStep, Bounds], list[OrderStep]]
"""From chance, the step of grouping and the month's bounds to the steps after it."""
_LIVES: Final[dict[OrderOutcome, _Life]] = {
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
    """Seconds from what happened to the update that tells of it."""
    return rng.randint(6, 11)


def _received(rng: random.Random, grouped: OrderStep, at: int) -> OrderStep:
    return replace(grouped, modified_at=at + _lag(rng), status=Status.RECEIVED, received_at=at)


def _delivered(rng: random.Random, grouped: OrderStep) -> OrderStep:
    """Received as most parcels are, after two to nine days."""
    return _received(rng, grouped, grouped.modified_at + rng.randrange(2 * DAY, 9 * DAY))


def _earning(rng: random.Random, received: OrderStep) -> list[OrderStep]:
    """Received, audited and settled."""
    audited = _audited(rng, received)
    return [received, audited, _settled(rng, audited)]


def _audited(rng: random.Random, received: OrderStep) -> OrderStep:
    """By a batch, 15 days after receipt and some hours."""
    at = received.modified_at + 15 * DAY + rng.randrange(10 * HOUR)
    return replace(received, modified_at=at, status=Status.AUDITED, verified_at=at)


def _settled(rng: random.Random, audited: OrderStep) -> OrderStep:
    """In the small hours of the 20th, with all that was audited by the 15th."""
    audited_on = shanghai_date(audited.modified_at)
    month = Period.of(audited_on).plus(0 if audited_on.day <= 15 else 1)
    at = midnight(month.day(20)) + rng.randrange(2 * HOUR, 5 * HOUR)
    return replace(audited, modified_at=at + _lag(rng), status=Status.SETTLED, settled_at=at)


def _refused(before: OrderStep, at: int, reason: str) -> OrderStep:
    return replace(before, modified_at=at, status=Status.REFUSED, verified_at=at, fail_reason=reason)


def _after_sale(rng: random.Random, received: OrderStep, return_status: int) -> OrderStep:
    at = received.modified_at + rng.randrange(DAY, 5 * DAY)
    return replace(received, modified_at=at, return_status=return_status)
