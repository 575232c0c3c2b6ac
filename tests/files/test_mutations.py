"""Files spoilt at random end in rows or in a refusal, soon and within bounds of memory; 30 seconds here."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.files.mutations import file_of, read_whole

KEPT = (12, 34)
"""Seeds by which something was found; what is wrong with their files is told by now."""
ROOT = Path(__file__).parents[2]


def run_of(first: int, seconds: float, folder: Path) -> dict[str, Any]:
    """A run in a process of its own, whose memory is that of the reading alone."""
    command = [sys.executable, "-m", "tests.files.mutations", str(first), str(seconds), str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    print(done.stdout)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_spoilt_files_are_read_or_refused_within_bounds(tmp_path: Path) -> None:
    told = run_of(1, 30, tmp_path)
    assert told["found"] == []
    assert told["files"] > 20


@pytest.mark.soak
def test_spoilt_files_are_read_or_refused_within_bounds_for_ten_minutes(tmp_path: Path) -> None:
    told = run_of(int(time.time()) * 1000, 600, tmp_path)
    assert told["found"] == []


@pytest.mark.parametrize("seed", KEPT)
def test_a_file_that_was_found_is_read_or_refused(tmp_path: Path, seed: int) -> None:
    assert read_whole(*file_of(seed, tmp_path)) in ("rows", "refused")
