"""Before a settlement, the orders that can still change it are read again: an after-sale comes to light there alone."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from bounty.db import snapshot
from bounty.fake_platform.faults import Faults
from bounty.models import AuditEvent, Order
from bounty.platforms.pdd.errors import PlatformError
from bounty.sync.recheck import Rechecked, orders_to_recheck, recheck_orders
from tests.factories import Month, promoter, shanghai
from tests.platform.test_sync import DECEMBER, held, sound, synced
from tests.platform.world import PROMOTERS, World, a_world

NOW = "2023-01-11 01:00:00"


@pytest.fixture
def month(engine: Engine, tmp_path: Path) -> Month:
    month = Month(engine, tmp_path)
    month.begin(*map(promoter, PROMOTERS))
    return month


def waiting(engine: Engine, month: Month) -> list[str]:
    with snapshot(engine) as connection:
        return orders_to_recheck(connection, month.period)


def swept(engine: Engine, world: World, month: Month) -> list[Rechecked]:
    return list(recheck_orders(engine, world.platform(), world.clock.now, month.period))


def test_every_order_that_matters_is_read_once_and_its_after_sale_is_held(
    engine: Engine, month: Month
) -> None:
    with a_world(
        now=NOW, orders=300, seed=2, faults=Faults(3, 50, kinds=("busy", "cut json", "repeated"))
    ) as world:
        synced(engine, world, DECEMBER.month_from)
        before = waiting(engine, month)
        failed = [number for number, (_, status) in held(engine).items() if status in (4, 10)]
        assert before == sorted(before)
        assert set(before).isdisjoint(failed)
        # A third of the month: what neither counts, nor may, nor earns, is left alone.
        assert len(held(engine)) * 0.5 < len(before) < len(held(engine))
        done = swept(engine, world, month)
        assert sum(each.orders for each in done) == len(before)
        assert [each.unanswered for each in done] == [()] * len(done)
        assert waiting(engine, month) == []
        assert swept(engine, world, month) == []
        truth = {number: world.market.orders[number].step_at(world.clock.at) for number in before}
    with snapshot(engine) as connection:
        told = {
            row.order_sn: row.return_status
            for row in connection.execute(select(Order.order_sn, Order.return_status))
        }
        acts = connection.execute(select(AuditEvent.act).where(AuditEvent.act == "sync.sweep")).all()
    assert {number: told[number] for number in before} == {
        number: step.return_status for number, step in truth.items() if step
    }
    assert 1 in told.values(), "nobody asked for an after-sale: the test shows nothing"
    assert len(acts) == len(done)
    sound(engine)


def test_an_order_of_which_the_platform_tells_nothing_is_named_and_the_others_are_read(
    engine: Engine, month: Month
) -> None:
    with a_world(now=NOW, orders=100) as world:
        synced(engine, world, DECEMBER.month_from)
        gone = waiting(engine, month)[3]
        del world.market.orders[gone]
        (done,) = swept(engine, world, month)
    assert done.unanswered == (gone,)
    assert waiting(engine, month) == [gone]


def test_a_detail_from_before_the_cutoff_does_not_stand_for_one_after_it(
    engine: Engine, month: Month
) -> None:
    with a_world(now="2023-01-10 23:00:00", orders=60) as world:
        synced(engine, world, DECEMBER.month_from)
        before = waiting(engine, month)
        swept(engine, world, month)
        assert waiting(engine, month) == before
        world.clock.at = shanghai("2023-01-11 00:00:00")
        swept(engine, world, month)
        assert waiting(engine, month) == []  # also of those whose detail said the same again


def test_who_is_not_let_in_is_told_so(engine: Engine, month: Month) -> None:
    with a_world(now=NOW, orders=60) as world:
        synced(engine, world, DECEMBER.month_from)
        with pytest.raises(PlatformError, match="20004"):
            list(
                recheck_orders(engine, world.platform(client_secret="another"), world.clock.now, month.period)
            )
