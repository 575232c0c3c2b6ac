"""The month by the calendar: whatever is stopped or killed, everything is done, once, and comes out the same."""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, func, insert, select

from bounty import schema
from bounty.accounts.service import add_user
from bounty.checks.books import run_checks
from bounty.db import make_engine, snapshot, transaction
from bounty.models import AuditEvent, Message, OpenPeriod, Slot
from bounty.worker import once
from tests.calendar.world import BEGINS, ENDS, Feed, begin, desk, drafts, verdict, wake
from tests.factories import SCRIPT, Month, command, environment, shanghai
from tests.faults.forks import Forks, Job

WORKERS = 3
HOUR, DAY = 3600, 86_400
STOPS = (0, 1, 600, HOUR, 5 * HOUR, DAY, 3 * DAY, 9 * DAY, 20 * DAY, 40 * DAY)
"""Seconds for which nobody is awake."""


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    server = Forks(tmp_path_factory.mktemp("forks"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def undisturbed(_sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """The drafts of a worker that is awake on the day of every freeze and draft."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "books.sqlite").write_bytes(_sqlite_template.read_bytes())
    url = f"sqlite:///{folder / 'books.sqlite'}"
    engine = make_engine(url)
    begin(engine, folder)
    feed = Feed(engine, folder)
    for day in ("11-25", "12-25", "2023-01-11", "2023-01-25", "2023-02-11", "2023-02-25", "2023-03-01"):
        now = shanghai(f"{day if len(day) > 5 else f'2022-{day}'} 12:00:00")
        feed.until(now)
        assert wake(url, now) == []
    assert verdict(engine, ENDS).missed == 0
    found = list(drafts(engine))
    engine.dispose()
    assert [str(each)[:11] for each in found] == ["('2022-12',", "('2023-01',"]
    return found


def disturbed(
    engine: Engine, database_url: str, folder: Path, forks: Forks, seed: int, *, sprint: bool = False
) -> int:
    """Three workers from November to March, stopped for up to 40 days and killed at any moment; how many were."""
    lot = random.Random(seed)
    begin(engine, folder, sprint=sprint)
    feed, now, killed = Feed(engine, folder), BEGINS, 0
    while now < ENDS:
        feed.until(now)
        gate = folder / f"gate-{now}"
        job = Job(call="tests.calendar.world:wake", given=[database_url, now], gate=str(gate))
        workers = [forks.start(job) for _ in range(WORKERS)]
        gate.touch()
        time.sleep(lot.uniform(0, 0.5))
        for worker in lot.sample(workers, lot.randint(1, WORKERS)):
            os.kill(worker, signal.SIGKILL)
        ended = [forks.wait(worker) for worker in workers]
        assert {each.code for each in ended} <= {0, -signal.SIGKILL}, ended
        killed += sum(each.code == -signal.SIGKILL for each in ended)
        now = min(ENDS, now + lot.choice(STOPS) + lot.randint(0, HOUR))
    feed.until(ENDS)
    assert wake(database_url, ENDS) == []
    return killed


def hold(
    engine: Engine, database_url: str, folder: Path, forks: Forks, seed: int, wanted: list[object]
) -> None:
    killed = disturbed(engine, database_url, folder, forks, seed)
    found = verdict(engine, ENDS)
    print(f"{engine.dialect.name} seed {seed}: {found}, {killed} workers killed")
    assert (found.done, found.doubled, found.missed) == (found.asked, 0, 0)
    assert found.asked > 100
    assert killed > 0
    assert list(drafts(engine)) == wanted
    with snapshot(engine) as connection:
        assert {each.name for each in run_checks(connection) if each.violations} == set()


@pytest.mark.parametrize("seed", [1])
def test_three_workers_stopped_and_killed_do_everything_once(
    engine: Engine, database_url: str, tmp_path: Path, forks: Forks, undisturbed: list[object], seed: int
) -> None:
    hold(engine, database_url, tmp_path, forks, seed, undisturbed)


@pytest.mark.parametrize("seed", [3])
def test_two_programmes_go_by_their_own_cycles_and_nothing_is_left_out(
    engine: Engine, database_url: str, tmp_path: Path, forks: Forks, undisturbed: list[object], seed: int
) -> None:
    """A programme of half-months beside the month, whose drafts are what they are without it."""
    killed = disturbed(engine, database_url, tmp_path, forks, seed, sprint=True)
    found = verdict(engine, ENDS)
    print(f"{engine.dialect.name} seed {seed}: {found}, {killed} workers killed")
    assert (found.done, found.doubled, found.missed) == (found.asked, 0, 0)
    assert killed > 0
    made = [tuple(each) for each in drafts(engine)]
    assert [each for each in made if ":" not in each[0]] == undisturbed
    halves = ["2022-12a", "2022-12b", "2023-01a", "2023-01b", "2023-02a"]
    assert [each[0] for each in made if ":" in each[0]] == [f"sprint:{half}" for half in halves]
    with snapshot(engine) as connection:
        slots = connection.execute(select(Slot.job, Slot.slot).where(Slot.slot.startswith("sprint:"))).all()
        assert {row.job for row in slots} == {"freeze", "remind", "settle"}
        assert ("freeze", "sprint:2022-12a") in [tuple(row) for row in slots]
        assert {each.name for each in run_checks(connection) if each.violations} == set()


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2, 42))
def test_so_they_do_in_many_worlds(
    engine: Engine, database_url: str, tmp_path: Path, forks: Forks, undisturbed: list[object], seed: int
) -> None:
    hold(engine, database_url, tmp_path, forks, seed, undisturbed)


def test_a_planted_double_execution_is_found(engine: Engine, database_url: str, tmp_path: Path) -> None:
    begin(engine, tmp_path)
    now = shanghai("2022-11-26 12:00:00")
    assert wake(database_url, now) == []
    assert str(verdict(engine, now)) == "slots 15 of 15, doubled 0, missed 0"
    with transaction(engine) as connection:
        connection.execute(delete(Slot).where(Slot.job == "freeze"))
    assert wake(database_url, now) == []
    assert str(verdict(engine, now)) == "slots 15 of 15, doubled 1, missed 0"
    with snapshot(engine) as connection:
        assert {each.name for each in run_checks(connection) if each.violations} == {"calendar-once"}


def test_what_cant_be_done_stays_due_and_says_why(engine: Engine, database_url: str, tmp_path: Path) -> None:
    """Nobody is registered, so there is no roster; the checks run all the same."""
    begin(engine, tmp_path)
    with transaction(engine) as connection:
        connection.exec_driver_sql("DELETE FROM levels")
    now = shanghai("2022-11-25 10:00:00")
    (refused,) = wake(database_url, now)
    assert refused.startswith("freeze 2022-12: No promoter was registered before 2022-12-01")
    found = verdict(engine, now)
    assert (found.asked - found.done, found.missed) == (1, 1)
    said = command(database_url, "2022-11-25T10:00:00+08:00", "slots")
    assert (said.exit_code, said.stdout.splitlines()[-1]) == (0, "13 slots: 12 done, 1 due, 0 missed")
    late = command(database_url, "2022-11-26T10:00:00+08:00", "slots")
    assert late.exit_code == 1
    assert "`bounty worker --once`" in late.stderr


def test_books_that_do_not_balance_are_told_to_operators(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    begin(engine, tmp_path)
    with transaction(engine) as connection:
        add_user(connection, email="o@example.com", name="o", role="operator", password="x", now=BEGINS)
        values = {"job": "freeze", "slot": "2021-01", "due_at": 1, "done_at": 1, "outcome": ""}
        connection.execute(insert(Slot).values(**values))
    assert wake(database_url, BEGINS + 6 * HOUR) == []
    with snapshot(engine) as connection:
        query = select(Message.recipient, Message.body).order_by(Message.recipient)
        told = dict(connection.execute(query).all())
    assert "calendar-once 1" in told["o@example.com"]
    assert '"violations": {"calendar-once": 1}' in told["webhook"]


def test_what_people_did_is_not_done_again(engine: Engine, database_url: str, tmp_path: Path) -> None:
    """A month opened by hand, and one that is published already."""
    begin(engine, tmp_path)
    feed = Feed(engine, tmp_path)
    feed.until(ENDS)
    Month(engine, tmp_path, now="2022-11-24 10:00:00").open()
    by_hand = Month(engine, tmp_path, now="2023-01-11 00:00:00")
    by_hand.settle()
    by_hand.publish()
    now = shanghai("2023-01-12 12:00:00")
    assert once(desk(engine, now)) == []
    with snapshot(engine) as connection:
        said = dict(connection.execute(select(Slot.job, Slot.outcome).where(Slot.slot == "2022-12")).all())
        opened = connection.execute(
            select(func.count()).where(AuditEvent.act == "period.open", AuditEvent.subject == "2022-12")
        ).scalar_one()
        periods = connection.execute(select(OpenPeriod.period).order_by(OpenPeriod.period)).scalars().all()
    assert said["freeze"].startswith("open already: 4 on the roster")
    assert said["settle"] == "published already, as notice 1"
    assert (opened, periods) == (1, ["2022-12", "2023-01"])
    later = command(database_url, "2023-03-01T12:00:00+08:00", "slots")
    assert later.exit_code == 1
    assert later.stdout.splitlines()[-2:] == [
        "and 82 earlier slots, done",
        "219 slots: 114 done, 3 due, 102 missed",
    ]


def test_every_night_the_books_are_backed_up_once(tmp_path: Path) -> None:
    """Also after nights that were slept through."""
    engine = make_engine(f"sqlite:///{tmp_path / 'books.sqlite'}")
    schema.upgrade(engine)
    begin(engine, tmp_path)
    for day in ("2022-11-20", "2022-11-23", "2022-11-23"):
        assert once(desk(engine, shanghai(f"{day} 12:00:00"), tmp_path, backups=True)) == []
    kept = sorted(path.name for path in (tmp_path / "backups").glob("*.sqlite"))
    assert kept == ["bounty-20221120-120000.sqlite", "bounty-20221123-120000.sqlite"]
    with snapshot(engine) as connection:
        query = select(Slot.slot, Slot.outcome).where(Slot.job == "backup").order_by(Slot.slot)
        said = [tuple(row) for row in connection.execute(query)]
    assert said == [
        ("2022-11-20", "bounty-20221120-120000.sqlite, restored and checked"),
        ("2022-11-21", "together with 2022-11-23"),
        ("2022-11-22", "together with 2022-11-23"),
        ("2022-11-23", "bounty-20221123-120000.sqlite, restored and checked"),
    ]
    engine.dispose()


def test_without_terms_the_calendar_asks_for_nothing(database_url: str) -> None:
    said = command(database_url, "2023-01-15T12:00:00+08:00", "slots")
    assert (said.exit_code, said.stdout) == (0, "0 slots: 0 done, 0 due, 0 missed\n")
    done = command(database_url, "2023-01-15T12:00:00+08:00", "worker", "--once")
    assert (done.exit_code, done.stderr) == (0, "")


def test_a_worker_runs_until_it_is_told_to_end(tmp_path: Path) -> None:
    """Woken by its own clock, in a process of its own; SIGTERM ends it in order."""
    url = f"sqlite:///{tmp_path / 'books.sqlite'}"
    engine = make_engine(url)
    schema.upgrade(engine)
    begin(engine, tmp_path)
    env = environment(
        url,
        "2022-11-25T10:00:00+08:00",
        BOUNTY_UPLOADS=str(tmp_path / "uploads"),
        BOUNTY_CALENDAR_BACKUPS="0",
    )
    with subprocess.Popen([SCRIPT, "worker"], env=env, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while verdict(engine, shanghai("2022-11-25 10:00:00")).missed and time.monotonic() < deadline:
            time.sleep(0.2)
        process.terminate()
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 0, said
    events = [json.loads(line)["event"] for line in said.splitlines()]
    assert "freeze 2022-12: frozen: 4 on the roster, 4 eligible" in events
    assert str(verdict(engine, shanghai("2022-11-25 10:00:00"))) == "slots 13 of 13, doubled 0, missed 0"
    engine.dispose()
