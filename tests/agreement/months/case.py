"""A case: one judged period and all that is known about it, and the world in which one is made up."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import oracle

Row = dict[str, Any]
"""One order under the API's names; with `pid` in place of `p_id` it is a detail row."""

CsvRow = dict[str, str]

DAY = 86400
PROMOTER_COLUMNS = ["promoter_id", "name", "level", "level_from", "registered_on"]
VIOLATION_COLUMNS = ["promoter_id", "occurred_on", "reason", "cleared_on"]
LINK_COLUMNS = ["p_id", "channel"]
TARGET_COLUMNS = ["period", "promoter_id", "gmv_yuan", "orders"]


@dataclass(frozen=True)
class Case:
    """One judged period with all that is known about it; every table in the order of import."""

    seed: int
    period: str
    terms_toml: str
    promoters: list[CsvRow]
    violations: list[CsvRow]
    links: list[CsvRow]
    targets: list[CsvRow]
    rows: list[Row]

    @property
    def now(self) -> int:
        """An instant, epoch seconds, at which all of it has happened and the period can be settled."""
        cutoff = oracle.windows(self.period, oracle.read_terms(self.terms_toml)).cutoff
        return max([cutoff, *(row["order_modify_at"] for row in self.rows)]) + DAY


@dataclass(frozen=True)
class OrderFile:
    """A written file of orders, with the rows it carries in their order."""

    path: Path
    rows: list[Row]


@dataclass
class World:
    """What the making of one case shares."""

    rng: random.Random
    period: str
    terms: oracle.Terms
    p_ids: dict[int, list[str]]
    """The places of every promoter."""
    serial: int = 0

    def bounds(self, months: int = 0) -> oracle.Windows:
        return oracle.windows(oracle.period_after(self.period, months), self.terms)

    def chance(self, percent: int) -> bool:
        return self.rng.randrange(100) < percent
