"""Orders come from the platform once each, whatever moves or goes wrong meanwhile; what is missing is a gap."""

import signal
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from bounty.audit.service import verify
from bounty.checks import books
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.fake_platform.fake_orders import UNKNOWN_STATUS
from bounty.fake_platform.faults import Faults
from bounty.models import AuditEvent, Batch, FetchWindow, Order, OrderVersion, Quarantined
from bounty.orders.received_texts import received_text
from bounty.orders.undo import undo_batch
from bounty.platforms.pdd.errors import PlatformError
from bounty.rules.periods import Bounds
from bounty.sync import list_reader
from bounty.sync.coverage import Coverage, coverage_of
from bounty.sync.intervals import Interval, covered_by_pay_time_until, split_into_windows, uncovered
from bounty.sync.service import WindowRead, backfill_windows, sync, windows_to_read
from tests.factories import SCRIPT, Month, bounty, environment, promoter, shanghai
from tests.platform.world import CLIENT_ID, PROMOTERS, SECRET, World, a_world

DECEMBER = Bounds(
    task_from=shanghai("2022-12-01 00:00:00"),
    task_until=shanghai("2022-12-21 00:00:00"),
    receipt_cutoff=shanghai("2023-01-11 00:00:00"),
    month_from=shanghai("2022-12-01 00:00:00"),
    month_until=shanghai("2023-01-01 00:00:00"),
)


def with_promoters(engine: Engine, folder: Path) -> None:
    Month(engine, folder).table("promoters", *map(promoter, PROMOTERS))


def synced(
    engine: Engine, world: World, from_at: int | None = None, until_at: int | None = None, **account: Any
) -> list[WindowRead]:
    platform = world.platform(**account)
    spans = windows_to_read(engine, platform, world.clock.at, from_at, until_at)
    return list(sync(engine, platform, world.clock.now, "UPDATED", spans))


def covered(engine: Engine) -> Coverage:
    with snapshot(engine) as connection:
        return coverage_of(connection, DECEMBER)


def held(engine: Engine) -> dict[str, tuple[int, int]]:
    """Update time and status of each order."""
    with snapshot(engine) as connection:
        rows = connection.execute(select(Order.order_sn, Order.modified_at, Order.order_status)).all()
    assert len(rows) == len({row.order_sn for row in rows})
    return {row.order_sn: (row.modified_at, row.order_status) for row in rows}


def truth(world: World, until_at: int) -> dict[str, tuple[int, int]]:
    """The same as the stand-in has it, of what was updated before an instant; but for a status that nobody knows."""
    last = {}
    for order_sn, sold in world.market.orders.items():
        steps = [step for step in sold.steps if step.modified_at < until_at and step.status != UNKNOWN_STATUS]
        if steps:
            last[order_sn] = (steps[-1].modified_at, steps[-1].status)
    return last


def same_orders(engine: Engine, world: World, until_at: int) -> None:
    """Every order that was last updated before an instant is held, once, as it is; of an unknown status, it waits.

    What was updated later may have left the list before it was read, and comes with a later span.
    """
    have = held(engine)
    with snapshot(engine) as connection:
        open_entries = select(Quarantined.subject).where(Quarantined.closed_at.is_(None))
        waiting = set(connection.execute(open_entries).scalars())
    wrong = []
    for order_sn, sold in world.market.orders.items():
        step = sold.step_at(world.clock.at)
        if step is None:
            right = order_sn not in have
        elif step.status == UNKNOWN_STATUS:
            right = order_sn in waiting or step.modified_at >= until_at
        else:
            right = have.get(order_sn) == (step.modified_at, step.status) or step.modified_at >= until_at
        if not right:
            wrong.append((order_sn, have.get(order_sn), step))
    assert wrong == []


def sound(engine: Engine) -> None:
    with snapshot(engine) as connection:
        assert [finding for finding in books.run_checks(connection) if finding.violations] == []
        assert verify(connection).broken == ()


# Spans


def test_a_span_is_asked_for_in_pieces_that_tile_it() -> None:
    whole = Interval(0, 90 * 86_400)
    tiles = split_into_windows([whole])
    assert uncovered(whole, tiles) == []
    assert sum(until_at - from_at for from_at, until_at in tiles) == whole.until_at
    assert max(until_at - from_at for from_at, until_at in tiles) + 600 == 86_400


@pytest.mark.parametrize(
    ("paid", "until"),
    [
        ([], 0),
        ([(Interval(0, 100), 150)], 150),
        ([(Interval(0, 100), 250)], 200),  # not beyond where it stops
        ([(Interval(0, 50), 150), (Interval(50, 100), 160)], 150),
        ([(Interval(10, 100), 150)], 0),  # what was paid in the first seconds was not asked for
        ([(Interval(0, 60), 60)], 60),  # all that was paid by then
        ([(Interval(0, 60), 90)], 0),  # what was paid between 60 and 90 was not asked for
        ([(Interval(0, 60), 60), (Interval(0, 100), 150), (Interval(0, 60), 200)], 150),
    ],
)
def test_a_backfill_stands_for_all_updates_before_it(paid: list[tuple[Interval, int]], until: int) -> None:
    assert covered_by_pay_time_until(paid, Interval(0, 100), 200) == until


# Fetched once, whole


def test_a_first_sync_brings_ninety_days_and_the_next_what_came_since(engine: Engine, tmp_path: Path) -> None:
    with_promoters(engine, tmp_path)
    with a_world(now="2023-01-05 12:00:00", orders=400) as world:
        first = synced(engine, world)
        assert {read.reading.incomplete_reason for read in first} == {None}
        assert first[0].span.from_at == world.clock.at - 90 * 86_400 + 3600
        assert first[-1].span.until_at == world.clock.at - 60
        same_orders(engine, world, world.clock.at - 60)
        assert held(engine) == truth(world, world.clock.at - 60)

        world.clock.at += 600
        (again,) = synced(engine, world)
        assert again.span == (first[-1].span.until_at, world.clock.at - 60)
        world.clock.at = shanghai("2023-01-11 01:00:00")
        synced(engine, world)
        assert held(engine) == truth(world, world.clock.at - 60)
        calls = world.server.gateway.calls
        assert synced(engine, world) == []
        assert world.server.gateway.calls == calls
    found = covered(engine)
    assert (found.gaps, found.is_required) == ([], True)
    for row in found.slices:
        assert row.rows_told is not None
        assert row.rows_held >= row.rows_told
    sound(engine)


def test_a_span_with_too_many_orders_is_read_in_halves(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_promoters(engine, tmp_path)
    monkeypatch.setattr(list_reader, "ROWS_LIMIT", 60)
    day = Interval(shanghai("2022-12-08 00:00:00"), shanghai("2022-12-08 20:00:00"))
    with a_world(now="2022-12-09 00:00:00", orders=4000) as world:
        reads = synced(engine, world, *day)
        listed = {sold.fixed["order_sn"] for sold, _ in world.market.updated(*day, world.clock.at)}
    assert len(listed) > 120
    assert [read.span.from_at for read in reads[1:]] == [read.span.until_at for read in reads[:-1]]
    assert (reads[0].span.from_at, reads[-1].span.until_at) == day
    assert max(read.reading.orders for read in reads) <= 60
    assert held(engine).keys() >= listed


def test_read_again_nothing_changes_but_the_record(engine: Engine, tmp_path: Path) -> None:
    with_promoters(engine, tmp_path)
    span = (shanghai("2022-12-18 00:00:00"), shanghai("2022-12-20 00:00:00"))
    with a_world() as world:
        first = synced(engine, world, *span)
        before = held(engine)
        again = synced(engine, world, *span)
    assert sum(read.counts.new for read in first) == len(before) > 0
    assert held(engine) == before
    assert {(read.counts.new, read.counts.changed, read.counts.stale) for read in again} == {(0, 0, 0)}
    with snapshot(engine) as connection:
        events = connection.execute(
            select(AuditEvent.act, func.count()).where(AuditEvent.act.like("sync%")).group_by(AuditEvent.act)
        ).all()
        assert [tuple(each) for each in events] == [("sync.slice", len(first) + len(again))]
        batches = connection.execute(
            select(func.count(Batch.batch_id)).where(Batch.kind == "orders")
        ).scalar()
        assert batches == sum(read.reading.pages > 0 for read in first + again)


def test_rows_that_cant_be_taken_in_wait_as_those_of_a_file_do(engine: Engine, tmp_path: Path) -> None:
    Month(engine, tmp_path).table("promoters", *map(promoter, PROMOTERS[:20]))
    with a_world(now="2023-01-11 01:00:00", orders=600) as world:
        synced(engine, world, shanghai("2022-12-01 00:00:00"))
        seen_strange = [
            sold.fixed["order_sn"]
            for sold in world.market.orders.values()
            if (step := sold.step_at(world.clock.at - 60)) and step.status == UNKNOWN_STATUS
        ]
        strangers = {
            sold.fixed["order_sn"]
            for sold in world.market.orders.values()
            if int(sold.fixed["p_id"].partition("_")[0]) not in PROMOTERS[:20]
        }
    with snapshot(engine) as connection:
        waiting = connection.execute(
            select(Quarantined.code, Quarantined.subject).where(Quarantined.closed_at.is_(None))
        ).all()
        row = connection.execute(select(OrderVersion.batch_id, OrderVersion.place).limit(1)).one()
        fields = received_text(connection, *row) or ""
    assert {row.subject for row in waiting if row.code == "E-PROMOTER"} <= strangers
    assert {row.subject for row in waiting if row.code == "E-STATUS"} == set(seen_strange)
    assert '"new_field_of_2027"' in fields
    Month(engine, tmp_path).table("promoters", *map(promoter, PROMOTERS))
    with a_world(now="2023-01-11 01:00:00", orders=600) as world:
        assert held(engine).keys() | set(seen_strange) >= truth(world, world.clock.at - 60).keys()
    sound(engine)


# What is missing is a gap


def test_a_page_that_is_dropped_is_a_gap_until_it_comes(engine: Engine, tmp_path: Path) -> None:
    with_promoters(engine, tmp_path)
    day = Interval(shanghai("2022-12-08 00:00:00"), shanghai("2022-12-08 20:00:00"))
    with a_world(now="2022-12-09 00:00:00", orders=4000) as world:
        listed = [sold.fixed["order_sn"] for sold, _ in world.market.updated(*day, world.clock.at)]
        assert len(listed) > 100
        world.server.faults.dropped.update(listed[50:100])
        (read,) = synced(engine, world, *day)
        assert (read.reading.incomplete_reason, read.reading.orders) == (
            "SHORT",
            (read.reading.total_count or 0) - 50,
        )
        gaps = covered(engine).gaps
        assert [gap for gap in gaps if gap.from_at < day.until_at] == [
            Interval(DECEMBER.month_from, gaps[0].until_at)
        ]
        assert gaps[0].until_at > day.until_at
        assert held(engine).keys().isdisjoint(listed[50:100])

        world.server.faults.dropped.clear()
        (read,) = synced(engine, world, *day)
        assert read.reading.incomplete_reason is None
    assert [gap for gap in covered(engine).gaps if gap.from_at < day.until_at] == [
        Interval(DECEMBER.month_from, day.from_at)
    ]
    assert held(engine).keys() >= set(listed)
    sound(engine)


@pytest.mark.parametrize("kind", ["no count", "count low", "count high", "repeated"])
def test_a_list_that_never_agrees_with_itself_is_done_only_if_it_can_be_known(
    engine: Engine, tmp_path: Path, kind: Any
) -> None:
    """Without any count it has to come out the same twice; with wrong ones there is no knowing."""
    with_promoters(engine, tmp_path)
    day = Interval(shanghai("2022-12-08 00:00:00"), shanghai("2022-12-08 20:00:00"))
    with a_world(
        now="2022-12-09 00:00:00", orders=4000, faults=Faults(kinds=(kind,), permille=1000)
    ) as world:
        (read,) = synced(engine, world, *day)
        listed = {sold.fixed["order_sn"] for sold, _ in world.market.updated(*day, world.clock.at)}
    if kind == "no count":
        assert (read.reading.incomplete_reason, read.reading.total_count) == (None, None)
        assert held(engine).keys() >= listed
    else:
        assert read.reading.incomplete_reason in ("SHORT", "RESTLESS")
        assert covered(engine).gaps[0].from_at == DECEMBER.month_from


def test_a_batch_taken_back_is_a_gap_again(engine: Engine, tmp_path: Path) -> None:
    with_promoters(engine, tmp_path)
    with a_world(now="2023-01-11 01:00:00") as world:
        synced(engine, world, DECEMBER.month_from)
        assert covered(engine).gaps == []
        with transaction(engine) as connection:
            row = (
                connection.execute(select(FetchWindow).where(FetchWindow.batch_id.is_not(None)).limit(1))
                .mappings()
                .one()
            )
            undo_batch(connection, row["batch_id"], world.clock.at)
        assert covered(engine).gaps == [Interval(row["from_at"], row["until_at"])]
        assert [read.span for read in synced(engine, world)] == covered(engine).gaps or covered(
            engine
        ).gaps == []
    assert covered(engine).gaps == []


def test_what_the_platform_refuses_is_on_record_and_stops_there(engine: Engine, tmp_path: Path) -> None:
    with_promoters(engine, tmp_path)
    with a_world() as world:
        with pytest.raises(PlatformError, match="20004"):
            synced(engine, world, shanghai("2022-12-18 00:00:00"), client_secret="another")
        with snapshot(engine) as connection:
            row = connection.execute(select(FetchWindow)).mappings().one()
            texts = connection.execute(select(AuditEvent.after, AuditEvent.subject)).all()
        assert (row["done"], row["why"], row["pages"]) == (False, "ACCESS", 0)
        assert SECRET not in str(texts)
        assert world.server.gateway.calls == 1


def test_a_month_in_which_fetching_stopped_is_asked_for_and_one_before_it_began_is_not(
    engine: Engine, tmp_path: Path
) -> None:
    with_promoters(engine, tmp_path)
    november = Bounds(
        task_from=shanghai("2022-11-01 00:00:00"),
        task_until=shanghai("2022-11-21 00:00:00"),
        receipt_cutoff=shanghai("2022-12-11 00:00:00"),
        month_from=shanghai("2022-11-01 00:00:00"),
        month_until=shanghai("2022-12-01 00:00:00"),
    )
    january = replace(
        DECEMBER, month_from=DECEMBER.month_until, receipt_cutoff=shanghai("2023-02-11 00:00:00")
    )
    with a_world() as world:
        with pytest.raises(PlatformError):
            synced(engine, world, shanghai("2022-11-20 00:00:00"), client_secret="another")
        assert not covered(engine).is_required, "nothing was fetched"
        synced(engine, world, shanghai("2022-12-18 00:00:00"), shanghai("2022-12-19 00:00:00"))
    assert covered(engine).is_required
    with snapshot(engine) as connection:
        assert not coverage_of(connection, november).is_required
        found = coverage_of(connection, january)
    assert (found.is_required, found.slices, found.gaps) == (True, [], [found.span])


def test_what_was_not_read_yet_is_no_gap_at_once(engine: Engine, tmp_path: Path) -> None:
    with_promoters(engine, tmp_path)
    with a_world() as world:
        now = world.clock.at
        synced(engine, world, DECEMBER.month_from)
    found = covered(engine)
    assert found.gaps == [Interval(now - 60, found.span.until_at)]
    for later, past in ((0, []), (3000, []), (7200, [Interval(now - 60, now + 3600)])):
        gaps, ahead = found.gaps_at(now + later)
        assert gaps == past
        assert ahead[0].from_at == (past[0].until_at if past else now - 60)
    # Once the cutoff has been told of, every second counts.
    assert found.gaps_at(found.span.until_at + 60) == (found.gaps, [])


def test_where_our_clock_is_ahead_no_more_is_proven_than_has_happened_there(
    engine: Engine, tmp_path: Path
) -> None:
    with_promoters(engine, tmp_path)
    with a_world() as world:
        ours, behind = world.clock.at, 400
        world.server.gateway.clock = lambda: world.clock.at - behind
        (read,) = synced(engine, world, ours - 3600)
        assert read.span == (ours - 3600, ours - 400 - 60)
        (read,) = synced(engine, world)
        assert (read.span, read.reading.incomplete_reason) == ((ours - 460, ours - 60), "CLOCK")
        world.clock.at, behind = ours + 600, 0
        (read,) = synced(engine, world)
        assert (read.span, read.reading.incomplete_reason) == ((ours - 460, ours + 540), None)


def test_asking_for_too_long_ago_or_for_nothing_is_refused(engine: Engine) -> None:
    with a_world() as world:
        now = world.clock.at
        for from_at, until_at, told in (
            (now - 91 * 86_400, None, "90 days"),
            (now, None, "Nothing lies between"),
            (now - 500, now - 600, "Nothing lies between"),
        ):
            with pytest.raises(BountyError, match=told):
                windows_to_read(engine, world.platform(), now, from_at, until_at)
        for given in (None, now):
            with pytest.raises(BountyError, match="--from 2022-12-01"):
                backfill_windows(now, given, None)


# By pay time


def test_a_backfill_closes_the_gap_of_an_accounts_own_orders(engine: Engine, tmp_path: Path) -> None:
    with_promoters(engine, tmp_path)
    with a_world(now="2023-06-01 00:00:00", orders=1500) as world:
        for listed, gaps in (
            ("all", [Interval(DECEMBER.month_from, DECEMBER.receipt_cutoff + 60)]),
            ("own", []),
        ):
            platform = world.platform(order_scope=listed)
            spans = backfill_windows(world.clock.at, DECEMBER.month_from, DECEMBER.month_until)
            reads = list(sync(engine, platform, world.clock.now, "PAID", spans))
            assert {read.reading.incomplete_reason for read in reads} == {None}
            assert held(engine) == truth(world, world.clock.at)
            if listed == "own":
                break
            assert covered(engine).gaps == gaps
    sound(engine)


# Killed


def test_killed_in_the_middle_it_goes_on_where_it_was(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    with_promoters(engine, tmp_path)
    now = "2023-01-11T01:00:00+08:00"
    with a_world(now="2023-01-11 01:00:00", orders=3000) as world:
        settings = {
            "BOUNTY_PLATFORM_URL": world.server.url,
            "BOUNTY_PLATFORM_CLIENT_ID": CLIENT_ID,
            "BOUNTY_PLATFORM_CLIENT_SECRET": SECRET,
        }
        env = environment(database_url, now, **settings)
        with subprocess.Popen(
            [SCRIPT, "sync", "--from", "2022-12-01"], env=env, stdout=subprocess.PIPE, encoding="utf-8"
        ) as victim:
            assert victim.stdout is not None
            for _ in range(12):
                victim.stdout.readline()
            victim.send_signal(signal.SIGKILL)
            victim.communicate()
        assert victim.returncode == -signal.SIGKILL
        with snapshot(engine) as connection:
            done = connection.execute(select(func.count(FetchWindow.slice_id))).scalar_one()
            assert done >= 12
            rows = connection.execute(
                select(func.sum(Batch.rows_read)).where(Batch.kind == "orders")
            ).scalar_one()
            of_slices = connection.execute(
                select(func.sum(Batch.rows_read)).join(FetchWindow, FetchWindow.batch_id == Batch.batch_id)
            ).scalar_one()
            assert rows == of_slices
        assert covered(engine).gaps != []

        finished = bounty(database_url, "sync", now=now, **settings)
        assert (finished.returncode, finished.stderr) == (0, "")
        assert len(finished.stdout.splitlines()) == 42 - done
        assert held(engine) == truth(world, world.clock.at - 60)
        assert SECRET not in finished.stdout
    assert covered(engine).gaps == []
    sound(engine)
