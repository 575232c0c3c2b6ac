"""Executors in processes of their own: one is killed half-way, and the settlement comes out the same."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.agreement import months
from tests.factories import SCRIPT, environment
from tests.lake.test_spark import BRIEFLY, NOW, taken_in

pytestmark = pytest.mark.xdist_group("spark")


def executors_of(master: int) -> list[int]:
    """The executors that a process has started, by way of their own starters."""
    parents, executors = {}, []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            parents[int(process.name)] = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if b"org.apache.spark.executor.CoarseGrainedExecutorBackend" in words:
            executors.append(int(process.name))

    def descends(process: int) -> bool:
        while process > 1 and process != master:
            process = parents.get(process, 0)
        return process == master

    return [process for process in executors if descends(process)]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_killed_executor_changes_nothing(engine: Engine, database_url: str, tmp_path: Path) -> None:
    case = months.generate(12, promoters=40)
    settled = taken_in(engine, case, tmp_path)
    command = [SCRIPT, "recompute", case.period, "--on", "local-cluster[2,1,1024]", "--json"]
    running = subprocess.Popen(
        command,
        env=environment(database_url, NOW, **BRIEFLY),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 120
    while len(executors := executors_of(running.pid)) < 2:
        assert running.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)
    time.sleep(1)  # both have registered, and read by now
    os.kill(executors[0], signal.SIGKILL)
    replaced = False
    while running.poll() is None and not replaced:
        replaced = set(executors_of(running.pid)) - set(executors) != set()
        assert time.monotonic() < until
        time.sleep(0.05)
    out, err = running.communicate(timeout=300)
    assert (running.returncode, err, replaced) == (0, "", True)
    found = json.loads(out)
    assert (found["content_sha256"], found["equal"]) == (settled.content_sha256, True)
