"""Describes the machine on which the figures were measured, how quick it is, and the commit that was measured."""

import os
import platform
import sqlite3
import subprocess
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WRITTEN = "bench/RESULTS.md"
"""What a run writes, and so may differ from the commit."""
STEPS = 5_000_000


def machine() -> dict[str, Any]:
    """Cores, memory, processor, and the versions of the software."""
    memory = next(
        line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal")
    )
    models = [
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
    ]
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(int(memory.split()[1]) / 2**20, 1),
        "cpu": models[0].partition(":")[2].strip() if models else platform.processor(),
        "system": platform.system(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }


def reference_loop(steps: int = STEPS) -> float:
    """CPU seconds of a fixed loop, the median of three: how quick the machine is for plain Python at this moment."""
    return median(_looped(steps) for _ in range(3))


def _looped(steps: int) -> float:
    start, x = process_time(), 0
    for i in range(steps):
        x += i * i % 7
    return process_time() - start


def commit(root: Path = ROOT) -> dict[str, Any]:
    """``sha`` of the commit in the folder, and ``changed``: the files that differ from it, RESULTS.md aside.

    Raises SystemExit without git or outside a checkout, as figures without a commit can't be compared.
    """
    sha = _git(root, "rev-parse", "HEAD").strip()
    lines = _git(root, "status", "--porcelain", "--untracked-files=normal").splitlines()
    return {"sha": sha, "changed": [line[3:] for line in lines if line[3:] != WRITTEN]}


def differs(root: Path, sha: str) -> list[str]:
    """The files in which the checkout differs from a commit, texts (``*.md``) aside: what may change the figures."""
    names = {*_git(root, "diff", "--name-only", sha).splitlines(), *commit(root)["changed"]}
    return sorted(name for name in names if not name.endswith(".md"))


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        raise SystemExit("There is no git: the bench names the commit that it measures.") from None
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"git {' '.join(arguments)}: {error.stderr.strip()}") from None
    return done.stdout
