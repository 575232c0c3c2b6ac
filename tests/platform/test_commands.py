"""The platform at the command line: fetch, see what is covered, sweep; and the stand-in that `make run` serves."""

import re
import socket
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.factories import SCRIPT, Month, bounty, environment, promoter
from tests.platform.world import CLIENT_ID, PROMOTERS, SECRET, World, a_world

NOW = "2023-01-11T01:00:00+08:00"


@pytest.fixture
def month(engine: Engine, tmp_path: Path) -> Month:
    month = Month(engine, tmp_path)
    month.begin(*map(promoter, PROMOTERS))
    return month


def settings(world: World) -> dict[str, str]:
    return {
        "BOUNTY_PLATFORM_URL": world.server.url,
        "BOUNTY_PLATFORM_CLIENT_ID": CLIENT_ID,
        "BOUNTY_PLATFORM_CLIENT_SECRET": SECRET,
    }


def test_a_month_is_fetched_swept_and_shown_to_be_covered(month: Month, database_url: str) -> None:
    said = bounty(database_url, "sync", "coverage", "2022-12", now=NOW)
    assert (said.returncode, "orders from files have no coverage to prove" in said.stdout) == (0, True)
    with a_world(now="2023-01-11 01:00:00", orders=60) as world:
        said = bounty(database_url, "sync", "--from", "2022-12-05", now=NOW, **settings(world))
        assert (said.returncode, said.stderr) == (0, "")
        line = r"\S+\+08:00 \S+\+08:00 done told=\d+ held=\d+ pages=\d+ read=\d+ new=.*"
        assert all(re.fullmatch(line, text) for text in said.stdout.splitlines())

        said = bounty(database_url, "sync", "coverage", "2022-12", now=NOW)
        assert said.returncode == 1
        assert "\ngap 2022-12-01T00:00:00+08:00 2022-12-05T00:00:00+08:00\n" in said.stdout
        assert "2022-12 has 1 gap: run `bounty sync`" in said.stderr
        assert re.search(r"2022-12: \d+ orders to sweep", said.stdout)

        bounty(database_url, "sync", "--from", "2022-12-01", "--to", "2022-12-05", now=NOW, **settings(world))
        said = bounty(database_url, "sync", "sweep", "2022-12", now=NOW, **settings(world))
        assert (said.returncode, "orders read again, 0 unanswered" in said.stdout) == (0, True)
        said = bounty(database_url, "sync", now=NOW, **settings(world))
        assert (said.returncode, said.stdout) == (0, "Everything up to now is held.\n")
    said = bounty(database_url, "sync", "coverage", "2022-12", now=NOW)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.endswith("2022-12: 2022-12-01T00:00:00+08:00 2023-01-11T00:01:00+08:00, 0 gaps\n")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_cant_be_done_is_one_line_that_says_what_to_do(database_url: str) -> None:
    sound = {"BOUNTY_PLATFORM_CLIENT_ID": "x", "BOUNTY_PLATFORM_CLIENT_SECRET": SECRET}
    for arguments, given, told in (
        (("sync",), {}, "No account of the open platform is set"),
        (("sync",), sound | {"BOUNTY_PLATFORM_URL": "http://example.com"}, "must be https://"),
        (("sync",), sound | {"BOUNTY_PLATFORM_ORDERS": "mine"}, "BOUNTY_PLATFORM_ORDERS"),
        (("sync", "--from", "soon"), sound, "is not an instant"),
        (("sync", "--backfill"), sound, "--backfill --from 2022-12-01"),
        (("stand-in",), {}, "import promoters first"),
    ):
        said = bounty(database_url, *arguments, now=NOW, **given)
        assert (said.returncode, said.stdout, said.stderr.count("\n")) == (1, "", 1)
        assert told in said.stderr
        assert SECRET not in said.stderr


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_stand_in_serves_what_sync_fetches(month: Month, database_url: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [SCRIPT, "stand-in", "--port", str(port), "--orders", "50", "--faults", "0"]
    env = environment(database_url, NOW)
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(4)]
        given = dict(re.findall(r"export (\w+)=(\S+)", "".join(told)))
        try:
            said = bounty(database_url, "sync", "--from", "2023-01-01", now=NOW, **given)
        finally:
            process.terminate()
    assert given["BOUNTY_PLATFORM_URL"] == f"http://127.0.0.1:{port}/api/router"
    assert (said.returncode, said.stderr) == (0, "")
    assert sum(int(held) for held in re.findall(r"held=(\d+)", said.stdout)) > 0
