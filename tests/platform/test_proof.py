"""A month of 5,000 orders that change while they are read, with faults: each is held once, and nothing is a gap."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from bounty.fake_platform.faults import Faults
from bounty.sync.service import WindowRead
from tests.factories import shanghai
from tests.platform.test_sync import covered, held, same_orders, sound, synced, with_promoters
from tests.platform.world import MONTH, World, a_world

ORDERS = 5000
FAULTS_PERMILLE = 60
ROUNDS = 5
"""How often a sync is run again at most, until no slice is short."""
SEEDS = range(1, 11)
SOAK = range(11, 211)


def on_databases(seeds: range) -> pytest.MarkDecorator:
    """The seeds on one database and the other by turns."""
    databases = ("sqlite", "postgresql")
    given = [(seed, databases[seed % 2]) for seed in seeds]
    return pytest.mark.parametrize(("seed", "database_url"), given, indirect=["database_url"])


@on_databases(SEEDS)
def test_every_order_is_held_once_and_nothing_is_a_gap(seed: int, engine: Engine, tmp_path: Path) -> None:
    a_month(seed, engine, tmp_path)


@pytest.mark.soak
@on_databases(SOAK)
def test_every_order_is_held_once_and_nothing_is_a_gap_in_many_months(
    seed: int, engine: Engine, tmp_path: Path
) -> None:
    a_month(seed, engine, tmp_path)


def a_month(seed: int, engine: Engine, folder: Path) -> None:
    with_promoters(engine, folder)
    faults = Faults(seed, FAULTS_PERMILLE, silence_seconds=0.3)
    with a_world(now="2022-12-11 00:00:00", step=20, orders=ORDERS, seed=seed, faults=faults) as world:
        for moment in ("2022-12-11 00:00:00", "2022-12-26 00:00:00", "2023-01-11 00:10:00"):
            world.clock.at = max(world.clock.at, shanghai(moment))
            for _ in range(ROUNDS):
                if not any(read.reading.incomplete_reason for read in fetched(engine, world)):
                    break
        found = covered(engine)
        assert found.gaps == []
        same_orders(engine, world, found.span.until_at)
        moved = world.clock.at - shanghai("2023-01-11 00:10:00")
        assert moved > 600, "nothing moved while it was read"
        world.clock.step, faults.permille = 0, 0
        fetched(engine, world)
        same_orders(engine, world, world.clock.at - 60)
        told = sum(row.rows_told or 0 for row in covered(engine).slices if row.done)
        print(
            f"seed {seed}: {len(held(engine))} orders once, 0 gaps, {len(found.slices)} slices, {told} told, "
            f"{world.server.gateway.calls} calls answered, {len(world.waits)} waits"
        )
    sound(engine)


def fetched(engine: Engine, world: World) -> list[WindowRead]:
    """A sync of what is not covered yet, from the month's first instant on."""
    from_at = None if covered(engine).is_required else MONTH[0]
    return synced(engine, world, from_at, read_seconds=0.2)
