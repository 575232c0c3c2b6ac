"""What goes wrong on the way, drawn from a seed: a few calls in a hundred, each in one of the ways that were seen."""

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
    """Which call goes wrong, and how."""

    seed: int = 0
    permille: int = 0
    """How many of a thousand calls go wrong."""
    kinds: tuple[Fault, ...] = FAULTS
    silence_seconds: float = 60
    """How long a silent call is silent before the connection ends."""
    dropped: set[str] = field(default_factory=set)
    """Order numbers that the lists leave out, for good, though they count them: as if a page were lost."""
    _rng: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)  # noqa: S311 - to come out the same again

    def draw(self) -> Fault | None:
        """What goes wrong with the next call."""
        return self._rng.choice(self.kinds) if self._rng.randrange(1000) < self.permille else None

    def between(self, low: int, high: int) -> int:
        """A number by lot."""
        return self._rng.randint(low, high)
