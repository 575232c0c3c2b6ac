"""Injected faults: a random share of the calls fails in one of the ways that the real platform fails."""

import random
from dataclasses import dataclass, field
from typing import Final, Literal

Fault = Literal[
    "busy", "busy 70031", "server 50001", "maintenance", "silence", "reset", "cut", "cut json", "html", "html 502",
    "repeated", "no count", "count high", "count low", "clock",
]  # fmt: skip
FAULTS: Final[tuple[Fault, ...]] = (
    "busy", "busy 70031", "server 50001", "maintenance", "silence", "reset", "cut", "cut json", "html", "html 502",
    "repeated", "no count", "count high", "count low", "clock",
)  # fmt: skip


@dataclass
class Faults:
    """Decides which call fails and how."""

    seed: int = 0
    permille: int = 0
    """Number of failing calls in a thousand."""
    kinds: tuple[Fault, ...] = FAULTS
    """The faults to choose from."""
    silence_seconds: float = 60
    """Seconds after which the server closes the connection of a ``silence`` fault."""
    dropped: set[str] = field(default_factory=set)
    """Order numbers that the lists always omit but include in their total count, as if a page were lost."""
    _rng: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)  # noqa: S311 - reproducible, not secret

    def draw(self) -> Fault | None:
        """The fault of the next call; None for no fault."""
        return self._rng.choice(self.kinds) if self._rng.randrange(1000) < self.permille else None

    def between(self, low: int, high: int) -> int:
        """A random integer, both bounds included."""
        return self._rng.randint(low, high)
