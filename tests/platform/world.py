"""A stand-in with orders of December 2022, a clock that both sides go by, and a client that waits for nothing."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bounty.fake_platform.fake_orders import FakeOrders
from bounty.fake_platform.faults import Faults
from bounty.fake_platform.gateway import Gateway
from bounty.fake_platform.server import StandIn, serving
from bounty.platforms.pdd.account import PlatformAccount
from bounty.platforms.pdd.client import Platform
from tests.factories import shanghai

CLIENT_ID = "0123456789abcdef"
SECRET = "canary-c1f0a2-secret-never-to-be-seen"
PROMOTERS = tuple(range(1000, 1040))
MONTH = (shanghai("2022-12-01 00:00:00"), shanghai("2023-01-01 00:00:00"))


@dataclass
class Clock:
    """A present that goes on by some seconds whenever the platform is asked."""

    at: int
    step: int = 0

    def now(self) -> int:
        return self.at

    def asked(self) -> int:
        self.at += self.step
        return self.at


@dataclass
class World:
    """The stand-in and everything around it."""

    server: StandIn
    clock: Clock
    waits: list[float] = field(default_factory=list)
    """How long the client would have waited before each further try."""

    @property
    def market(self) -> FakeOrders:
        return self.server.gateway.market

    def account(self, **changed: Any) -> PlatformAccount:
        given: dict[str, Any] = {
            "url": self.server.url,
            "client_id": CLIENT_ID,
            "client_secret": SECRET,
            "read_seconds": 0.5,
        }
        return PlatformAccount(**(given | changed))

    def platform(self, **changed: Any) -> Platform:
        return Platform(self.account(**changed), self.clock.now, self.waits.append)


@contextmanager
def a_world(
    *,
    now: str = "2022-12-20 12:00:00",
    step: int = 0,
    orders: int = 300,
    seed: int = 1,
    faults: Faults | None = None,
    promoters: Sequence[int] = PROMOTERS,
    calls_a_second: int = 1_000_000,
) -> Iterator[World]:
    """A month's orders behind a server; nothing goes wrong unless asked for."""
    clock = Clock(shanghai(now), step)
    market = FakeOrders(seed, promoters, *MONTH, orders)
    gateway = Gateway(market, CLIENT_ID, SECRET, clock.asked, calls_a_second)
    with serving(gateway, faults) as server:
        yield World(server, clock)
