"""Decides which updates of the orders the operator has received by now, and through which channel."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, NamedTuple

from bounty.clock import midnight, shanghai_date
from bounty.rules.periods import Period
from bounty.sample.context import HOUR, SampleContext
from bounty.sample.order_lifecycle import OrderStep
from bounty.sample.orders import SampleOrder
from bounty.sample.outcomes import OrderOutcome


class Delivery(NamedTuple):
    """A month of updates comes in two parts, so that the part up to the receipt cutoff can be imported in time."""

    month: Period
    part: int
    """1: the updates to the end of the 11th; 2: the later ones."""

    @property
    def at(self) -> int:
        """The instant from which the part can be imported; epoch seconds."""
        day = self.month.day(DELIVERY_DAY) if self.part == 1 else self.month.plus(1).first_day
        return midnight(day) + 2 * HOUR


DELIVERY_DAY: Final = 12
"""Day of the month on which the first part is delivered, after the receipt cutoff at the end of the 10th."""


class Channel(Enum):
    """The channel of a row. The values are the ends of the files' names."""

    INCREMENT = "increment.json"
    FEED = "feed.jsonl"
    EXPORT = "export.csv"
    DETAIL = "detail.json"


_CHANNELS: Final = {Channel.INCREMENT: 35, Channel.FEED: 15, Channel.EXPORT: 50}


@dataclass(frozen=True, slots=True)
class Update:
    """An order at one of its steps."""

    order: SampleOrder
    step: OrderStep


def draw_updates(
    context: SampleContext, orders: Iterable[SampleOrder]
) -> dict[tuple[Delivery, Channel], list[Update]]:
    """(delivery, channel) -> the received updates, oldest first."""
    updates: dict[tuple[Delivery, Channel], list[Update]] = {}
    for order in orders:
        for channel, step in _received_steps(context, order):
            updates.setdefault((_delivery_of(step), channel), []).append(Update(order, step))
    for several in updates.values():
        several.sort(key=lambda update: (update.step.modified_at, update.order.serial))
    return updates


def _delivery_of(step: OrderStep) -> Delivery:
    day = shanghai_date(step.modified_at)
    return Delivery(Period.of(day), 1 if day.day < DELIVERY_DAY else 2)


def _received_steps(context: SampleContext, order: SampleOrder) -> list[tuple[Channel, OrderStep]]:
    """The steps received by now in the order's channel: the newest of each delivery, and some of the others."""
    happened = [step for step in order.steps if step.modified_at <= context.now]
    listed = [step for step in happened if step.return_status is None]
    channel = context.drawn(_CHANNELS)
    known = [step for step in listed if step.modified_at <= _synced_at(context, channel)]
    if not known:
        channel, known = Channel.INCREMENT, listed
    newest = {_delivery_of(step): step for step in known}.values()
    received = [step for step in known if step in newest or context.chance(350)]
    details = [step for step in happened if step.return_status is not None]
    if not details and order.outcome is OrderOutcome.ORDINARY and context.chance(15):
        details = [replace(known[-1], return_status=0)]
    return [(channel, step) for step in received] + [(Channel.DETAIL, step) for step in details]


def _synced_at(context: SampleContext, channel: Channel) -> int:
    """The time of the channel's newest data: now for the increment, three hours ago for the feed, midnight for the
    export."""
    if channel is Channel.EXPORT:
        return midnight(context.today)
    return context.now - (3 * HOUR if channel is Channel.FEED else 0)
