"""A move that is killed at any moment loses nothing, and the next one ends it."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.archives.shelf import Shelf, filled
from tests.factories import (
    bounty,
)

ROOT = Path(__file__).parents[2]

KILLED = """
import os, signal, sys
from pathlib import Path
from bounty.archives import restoring, service
from bounty.db import make_engine
from bounty.orders.archived import with_archives
from bounty.rules.periods import Period

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def then_die(act):
    def both(*arguments, **named):
        act(*arguments, **named)
        die()
    return both

url, folder, moment = sys.argv[1:]
engine, month, told = with_archives(make_engine(url), Path(folder)), Period(2022, 12), lambda _: None
service.ROWS_OF_A_FILE = 6
if moment == "before the rename":
    service.give_name = die
elif moment == "after the rename":
    service.give_name = then_die(service.give_name)
elif moment == "with some rows deleted":
    service._delete = then_die(service._delete)
elif moment == "before the commit":
    service.record = restoring.record = then_die(service.record)
elif moment == "after the first commit":
    told = die
if moment.startswith("restoring"):
    restoring.record = then_die(restoring.record)
    restoring.restore_month(engine, month, 1679284800, told)
else:
    service.archive_month(engine, month, 1679284800, told)
"""
MOMENTS = (
    "before the rename",
    "after the rename",
    "with some rows deleted",
    "before the commit",
    "after the first commit",
    "restoring, before the commit",
)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_move_loses_nothing_and_the_next_one_ends_it(
    shelf: Shelf, database_url: str, moment: str
) -> None:
    filled(shelf)
    before = shelf.received()
    pages = [shelf.rows_of(number) for number in range(1, 11)]
    if moment.startswith("restoring"):
        shelf.archive()
    archived = shelf.received()
    shelf.engine.dispose()
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, database_url, str(shelf.archives), moment],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    left = [path.name for path in shelf.archives.iterdir() if path.name != ".lock"]
    assert len(left) == 1
    assert left[0].endswith(".part") == (moment == "before the rename")
    assert [shelf.rows_of(number) for number in range(1, 11)] == pages
    assert shelf.violations() == {}
    if moment == "after the first commit":
        assert 0 < len(shelf.received()["order_versions"]) < len(before["order_versions"])
    else:
        assert shelf.received() == archived
    environment = {"BOUNTY_ARCHIVES": str(shelf.archives), "now": "2023-03-20T12:00:00+08:00"}
    arguments = ("--restore",) if moment.startswith("restoring") else ()
    again = bounty(database_url, "archive", "2022-12", *arguments, "--json", **environment)
    assert (again.returncode, again.stderr) == (0, ""), again.stderr
    if moment.startswith("restoring"):
        assert shelf.received() == before
        return
    done = json.loads(again.stdout)
    assert done["orders"] == (7 if moment == "after the first commit" else 10)
    # The file of the killed move has the rows of fewer orders than the next one's: it is named.
    assert done["strays"] == (left if moment not in ("before the rename", "after the first commit") else [])
    assert list(shelf.archives.glob(".*.part")) == []
    assert [shelf.rows_of(number) for number in range(1, 11)] == pages
    assert shelf.violations() == {}
    shelf.restore()
    assert shelf.received() == before
