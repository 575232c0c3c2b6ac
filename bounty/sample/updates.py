"""What the operator was told of the orders: which of their steps were caught by now, and by which road."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from bounty.clock import midnight, shanghai_date
from bounty.rules.periods import Period
from bounty.sample.context import HOUR, SampleContext
from bounty.sample.order_lifecycle import OrderStep
from bounty.sample.orders import SampleOrder
from bounty.sample.outcomes import OrderOutcome


class Channel(Enum):
    """By which road a row came; the values end the files' names."""

    INCREMENT = "increment.json"
    FEED = "feed.jsonl"
    EXPORT = "export.csv"
    DETAIL = "detail.json"


_CHANNELS: Final = {Channel.INCREMENT: 35, Channel.FEED: 15, Channel.EXPORT: 50}


@dataclass(frozen=True, slots=True)
class Update:
    """An order as of one of its steps."""

    order: SampleOrder
    step: OrderStep


def draw_updates(
    world: SampleContext, orders: Iterable[SampleOrder]
) -> dict[tuple[Period, Channel], list[Update]]:
    """All that was caught, by month of update and channel, each list oldest first."""
    updates: dict[tuple[Period, Channel], list[Update]] = {}
    for order in orders:
        for channel, step in _caught(world, order):
            month = Period.of(shanghai_date(step.modified_at))
            updates.setdefault((month, channel), []).append(Update(order, step))
    for several in updates.values():
        several.sort(key=lambda update: (update.step.modified_at, update.order.serial))
    return updates


def _caught(world: SampleContext, order: SampleOrder) -> list[tuple[Channel, OrderStep]]:
    """The steps that were caught by now: always the newest that the order's channel had, and some before it."""
    happened = [step for step in order.steps if step.modified_at <= world.now]
    listed = [step for step in happened if step.return_status is None]
    channel = world.drawn(_CHANNELS)
    known = [step for step in listed if step.modified_at <= _synced_at(world, channel)]
    if not known:
        channel, known = Channel.INCREMENT, listed
    caught = [*(step for step in known[:-1] if world.chance(350)), known[-1]]
    details = [step for step in happened if step.return_status is not None]
    if not details and order.fate is OrderOutcome.ORDINARY and world.chance(15):
        details = [replace(known[-1], return_status=0)]
    return [(channel, step) for step in caught] + [(Channel.DETAIL, step) for step in details]


def _synced_at(world: SampleContext, channel: Channel) -> int:
    """The increment is up to the minute, the feed is some hours old, the export was made at midnight."""
    if channel is Channel.EXPORT:
        return midnight(world.today)
    return world.now - (3 * HOUR if channel is Channel.FEED else 0)
