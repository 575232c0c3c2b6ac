"""Reading a list that shrinks while it is read, over a line that lies now and then: what counts as whole is whole."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import pytest

from bounty.platforms.pdd.client import PAGE_SIZE
from bounty.platforms.pdd.replies import OrderPage
from bounty.sync.intervals import Interval
from bounty.sync.list_reader import ListReading, read_updated

LISTS = 1500


@dataclass
class Shrinking:
    """The orders of a span in the past: they leave as they are updated, and none comes in."""

    rng: random.Random
    orders: list[str]
    leaving: int
    """At most so many leave between two calls."""
    lying: int
    """Of a hundred replies so many are wrong."""
    lost: frozenset[str] = frozenset()
    """Counted, and never handed out."""
    before: OrderPage | None = field(default=None, init=False)

    def updated_orders(self, _from_at: int, _until_at: int, number: int) -> OrderPage:
        for _ in range(self.rng.randint(0, self.leaving)):
            if self.orders:
                self.orders.pop(self.rng.randrange(len(self.orders)))
        rows = self.orders[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]
        page = self._page([order for order in rows if order not in self.lost], len(self.orders))
        told = self._lied(page) if self.rng.randrange(100) < self.lying else page
        self.before = page
        return told

    def _page(self, orders: list[str], told: int | None) -> OrderPage:
        return OrderPage(" ".join(orders).encode(), tuple(orders), told, None)

    def _lied(self, page: OrderPage) -> OrderPage:
        orders, told = list(page.orders), len(self.orders)
        ways: list[Callable[[], OrderPage]] = [
            lambda: self.before or page,
            lambda: self._page([], told),
            lambda: self._page(orders[: len(orders) // 2], told),
            lambda: self._page(orders, told + self.rng.randint(1, 120)),
            lambda: self._page(orders, max(0, told - self.rng.randint(1, 120))),
            lambda: self._page(orders, None),
        ]
        return self.rng.choice(ways)()


def read(shrinking: Any) -> tuple[ListReading, set[str]]:
    file = BytesIO()
    reading = read_updated(shrinking, Interval(0, 1000), file, lambda _: None)
    return reading, set(file.getvalue().decode().split())


def a_list(seed: int, **given: Any) -> Shrinking:
    rng = random.Random(seed)
    orders = [
        f"221205-{number}" for number in range(rng.choice((0, 1, 49, 50, 51, 100, rng.randint(2, 700))))
    ]
    return Shrinking(
        rng, orders, **({"leaving": rng.choice((0, 1, 3, 20)), "lying": rng.choice((0, 2, 10))} | given)
    )


def test_what_is_taken_for_whole_has_every_order_that_stayed() -> None:
    whole = 0
    for seed in range(LISTS):
        shrinking = a_list(seed)
        reading, seen = read(shrinking)
        if reading.incomplete_reason is None:
            whole += 1
            assert seen >= set(shrinking.orders), seed
            assert reading.orders == len(seen) >= (reading.total_count or 0)
    assert whole > LISTS * 0.9, f"only {whole} of {LISTS} were read"


def test_an_honest_list_is_read_at_once() -> None:
    for seed in range(200):
        reading, seen = read(shrinking := a_list(seed, lying=0))
        assert reading.incomplete_reason is None
        assert seen >= set(shrinking.orders)


@pytest.mark.parametrize("leaving", [0, 3])
def test_an_order_that_is_counted_and_never_handed_out_is_missed(leaving: int) -> None:
    for seed in range(200):
        rng = random.Random(seed)
        orders = [f"221205-{number}" for number in range(rng.randint(200, 400))]
        lost = frozenset(rng.sample(orders, rng.choice((40, PAGE_SIZE, 60))))
        reading, _ = read(Shrinking(rng, orders, leaving, 0, lost))
        assert reading.incomplete_reason is not None, seed


def test_read_forwards_orders_would_slip_past() -> None:
    """What the order of pages is for: the same lists, from the first page to the last."""
    slipped = 0
    for seed in range(200):
        shrinking = a_list(seed, lying=0, leaving=3)
        seen: set[str] = set()
        for number in range(1, len(shrinking.orders) // PAGE_SIZE + 2):
            seen.update(shrinking.updated_orders(0, 0, number).orders)
        slipped += not seen >= set(shrinking.orders)
    assert slipped > 20
