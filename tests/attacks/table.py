"""The table of attacks: what was tried, what must come of it, and what came."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple


class Row(NamedTuple):
    """One attack."""

    tried: str
    expected: str
    found: str
    refused: bool


@dataclass
class Table:
    """The rows of one group of attacks."""

    rows: list[Row] = field(default_factory=list)

    def tried(self, what: str, found: object, expected: object) -> None:
        """Write down an attack; it was refused if what was found is what is expected, or one of these.

        expected  a value, or a set or tuple of those that are right
        """
        several = isinstance(expected, Collection) and not isinstance(expected, str | bytes)
        right = tuple(expected) if several else (expected,)  # type: ignore[arg-type]
        words = " or ".join(map(str, right))
        self.rows.append(Row(what, words, str(found)[:200], found in right))

    @property
    def not_refused(self) -> list[str]:
        """What went through, for a person."""
        return [
            f"{row.tried}: expected {row.expected}, found {row.found}" for row in self.rows if not row.refused
        ]
