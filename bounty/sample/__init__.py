"""A sample month history: the files an operator would have, made from a seed and marked as sample data.

    promoters --how much each sells--> orders --what becomes of each--> steps --as synced--> files
    people       goals                 orders    fates, lives           updates   rows       files

Nothing in it happens after the present it is given, and the same seed and present give the same bytes. Who sells how
much follows Zipf's law, and those within reach of their target push on or give up close to it, as people do who can
see it.
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
from bounty.sample.sales_targets import draw_given_targets
from bounty.sample.terms import sample_terms
from bounty.sample.updates import draw_updates


@dataclass(frozen=True)
class SampleHistory:
    """The files that were written, in the order in which an operator would take them in."""

    folder: Path
    terms: Path
    promoters: Path
    violations: Path
    links: Path
    targets: Path
    orders: list[Path]
    """By month of update, oldest first."""
    periods: list[Period]
    """The three past ones and the open one, oldest first."""


def write_sample(
    folder: Path, now: int, seed: int = 2022, promoters: int = 300, orders: int = 30_000
) -> SampleHistory:
    """Write a sample history of seven months up to the present into a folder, and say where everything is.

    now        epoch seconds; the month in Shanghai is the open period
    promoters  how many; from about 100 on, every reason occurs that the terms leave room for
    orders     how many distinct order numbers; the targets are tuned for about a hundred a promoter
    """
    months = months_until(now)
    terms_toml = sample_terms(effective_from=months[HISTORY_MONTHS])
    rng = random.Random(seed)  # noqa: S311 - to come out the same again, not to be hard to guess
    world = SampleContext(rng, now, read_terms(terms_toml), months)

    # All draw from one stream of chance: in another order they would come out otherwise.
    people = draw_people(world, promoters, orders)
    violations = draw_violations(world, people)
    world.own_targets = draw_given_targets(world, people, {each.promoter_id for each in violations})
    made = draw_orders(world, people, orders)
    links = draw_links(world, people)
    updates = draw_updates(world, made)

    folder.mkdir(parents=True, exist_ok=True)
    return SampleHistory(
        folder=folder,
        terms=write_terms(folder, terms_toml),
        promoters=write_promoters(folder, people),
        violations=write_violations(folder, violations),
        links=write_links(folder, links),
        targets=write_targets(folder, world.own_targets),
        orders=write_orders(world, folder, updates),
        periods=world.periods,
    )
