"""Generated sample data: seven months of files as an operator has them, marked as sample data.

    promoters --sales targets--> orders --outcomes--> steps --as synced--> updates --formats--> files
    people       sales_targets   orders    outcomes,  order_lifecycle      updates   rows       files

Nothing happens after the given present, and the same seed and present give the same bytes. Sales follow Zipf's law.
Promoters near their target end close to it, because real promoters see their progress.
"""

import random
from dataclasses import dataclass
from pathlib import Path

from bounty.rules.periods import Period
from bounty.rules.terms import read_terms
from bounty.sample.context import HISTORY_MONTHS, SampleContext, months_until
from bounty.sample.files import (
    write_links,
    write_orders,
    write_promoters,
    write_targets,
    write_terms,
    write_violations,
)
from bounty.sample.orders import draw_orders
from bounty.sample.people import draw_links, draw_people, draw_violations
from bounty.sample.sales_targets import draw_imported_targets
from bounty.sample.terms import sample_terms
from bounty.sample.updates import Delivery, draw_updates


@dataclass(frozen=True)
class SampleHistory:
    """The files of a sample history, in the order in which an operator imports them."""

    folder: Path
    terms: Path
    promoters: Path
    violations: Path
    links: Path
    targets: Path
    deliveries: dict[Delivery, list[Path]]
    """The order files by the day on which they come, oldest first."""
    periods: list[Period]
    """The three past periods and the open one, oldest first."""

    @property
    def orders(self) -> list[Path]:
        """All order files, oldest first."""
        return [path for paths in self.deliveries.values() for path in paths]


def write_sample(
    folder: Path, now: int, seed: int = 2022, promoters: int = 300, orders: int = 30_000
) -> SampleHistory:
    """Write a sample history of seven months up to the present into a folder, and return the paths.

    now        epoch seconds; its month in Shanghai is the open period
    promoters  number of promoters; with about 100 or more, every reason occurs that the terms allow
    orders     number of distinct order numbers; the targets are tuned for about a hundred for each promoter
    """
    months = months_until(now)
    terms_toml = sample_terms(effective_from=months[HISTORY_MONTHS])
    rng = random.Random(seed)  # noqa: S311 - reproducible, not secret
    context = SampleContext(rng, now, read_terms(terms_toml), months)

    # All steps draw from one random generator, so their order is part of the result.
    people = draw_people(context, promoters, orders)
    violations = draw_violations(context, people)
    context.imported_targets = draw_imported_targets(
        context, people, {each.promoter_id for each in violations}
    )
    made = draw_orders(context, people, orders)
    links = draw_links(context, people)
    updates = draw_updates(context, made)

    folder.mkdir(parents=True, exist_ok=True)
    return SampleHistory(
        folder=folder,
        terms=write_terms(folder, terms_toml),
        promoters=write_promoters(folder, people),
        violations=write_violations(folder, violations),
        links=write_links(folder, links),
        targets=write_targets(folder, context.imported_targets),
        deliveries=write_orders(context, folder, updates),
        periods=context.periods,
    )
