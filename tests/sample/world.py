"""A sample history as the reader and the oracle see it."""

from dataclasses import dataclass
from functools import cached_property

from bounty.sample import SampleHistory
from tests import oracle
from tests.sample.reader import Row, read_orders, table


@dataclass(frozen=True)
class Sample:
    """A written history as this file's own reader and the oracle see it."""

    history: SampleHistory
    now: int

    @cached_property
    def promoters(self) -> list[dict[str, str]]:
        return table(self.history.promoters)

    @cached_property
    def links(self) -> list[dict[str, str]]:
        return table(self.history.links)

    @cached_property
    def files(self) -> dict[str, tuple[list[Row], list[str]]]:
        """By name: the rows that can be taken in, and what is wrong with each of the others."""
        known = {row["promoter_id"] for row in self.promoters}
        return {path.name: read_orders(path, known) for path in self.history.orders}

    @cached_property
    def rows(self) -> list[Row]:
        return [row for rows, _ in self.files.values() for row in rows]

    @cached_property
    def orders(self) -> dict[str, oracle.Order]:
        return oracle.fold(self.rows)

    @cached_property
    def owned(self) -> dict[int, list[oracle.Order]]:
        return oracle.by_promoter(self.orders)

    @cached_property
    def terms(self) -> oracle.Terms:
        return oracle.read_terms(self.history.terms.read_text(encoding="utf-8"))

    @cached_property
    def past(self) -> list[str]:
        return [str(period) for period in self.history.periods[:3]]

    @cached_property
    def settlements(self) -> dict[str, oracle.Settlement]:
        """Of every period as of now, also of one whose cutoff is still to come."""
        violations, targets = table(self.history.violations), table(self.history.targets)
        settlements = {}
        for period in map(str, self.history.periods):
            entries = oracle.roster(period, self.terms, self.promoters, violations, targets, self.orders)
            settlements[period] = oracle.settle(period, self.terms, entries, self.orders, self.links)
        return settlements

    def active(self, period: str) -> list[oracle.Result]:
        """Results of those who are eligible and had an order paid in the task window."""
        bounds = oracle.windows(period, self.terms)
        return [
            result
            for result in self.settlements[period].results
            if result.entry.eligible
            and any(
                order.paid_at is not None and bounds.task_from <= order.paid_at < bounds.task_until
                for order in self.owned.get(result.entry.promoter_id, [])
            )
        ]
