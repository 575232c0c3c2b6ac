"""The worker fetches by itself: from what is held to now, and before a settlement what can still change it."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from bounty.db import snapshot
from bounty.sync.recheck import orders_to_recheck, periods_to_recheck
from bounty.worker import once
from tests.calendar.world import desk
from tests.factories import Month, promoter
from tests.platform.test_sync import covered, same_orders
from tests.platform.world import PROMOTERS, a_world


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_worker_leaves_no_gap_and_nothing_to_sweep(engine: Engine, tmp_path: Path) -> None:
    month = Month(engine, tmp_path)
    month.begin(*map(promoter, PROMOTERS))
    with a_world(now="2023-01-10 23:00:00", orders=100) as world:
        for hours in (0, 2):
            world.clock.at += hours * 3600
            assert once(desk(engine, world.clock.at, tmp_path, world.account())) == []
            same_orders(engine, world, world.clock.at - 60)
            with snapshot(engine) as connection:
                due = periods_to_recheck(connection, world.clock.at)
                left = orders_to_recheck(connection, month.period)
            assert (due, left == []) == ([month.period] if hours else [], bool(hours))
        calls = world.server.gateway.calls
        once(desk(engine, world.clock.at, tmp_path, world.account()))
        assert world.server.gateway.calls == calls
    assert covered(engine).gaps == []
