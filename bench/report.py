"""The results as a table for the terminal, and as RESULTS.md."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import machine, pages, tables
from bench.every_page import AIM_MS

HEAD = (
    f"{'step':27} {'runs':>4} {'wall s':>9} {'CPU s':>9} {'rows/s':>9} {'peak MB':>8} {'floor CPU':>9} "
    f"{'ratio':>6} {'(wall)':>6} {'others':>7}"
)
_GOALS = {"sync": 1.5, "csv in bulk": 1.5, "pages of 100": 1.5, "settle": 1.25}
"""Goals for the ratio of CPU seconds to those of the floor."""
_MS_GOALS = {"progress, median promoter": 1.0, "progress, busiest promoter": 20.0}
"""Goal for the time in the database with ten million orders."""
_PEAK_GOALS = {"settle": 300, "export": 300}
_LINEAR = 1.2
Goal = tuple[str, str, bool | None]
"""(goal, figure, whether the goal is reached, or None if the floor was not run)."""
_SIZES = ("1k", "10k", "100k", "1m", "10m")


def line_of(step: str, found: dict[str, Any]) -> str:
    """One line of the table."""
    floor, warning = found.get("floor"), "!" if found["others_share"] > tables.QUIET else " "
    if floor and "ms" in found:
        took, least = (
            f"p50 {one['p50']:.3f} ms, p99 {one['p99']:.3f} ms" for one in (found["ms"], floor["ms"])
        )
        text = f"{step:27} {found['runs']:>4} {took}; floor {least}; ratio {found['ratio']:.2f}"
        return f"{text} {found['others_share']:>6.0%}{warning}"
    text = (
        f"{step:27} {found['runs']:>4} {found['wall_s']:>9.2f} {found['cpu_s']:>9.2f} {found['rows_per_s']:>9.0f} "
        f"{found['peak_mb']:>8.0f}"
    )
    if floor:
        text += f" {floor['cpu_s']:>9.2f} {found['ratio']:>6.2f} {found.get('ratio_wall', 0):>6.2f}"
    else:
        text += " " * 24
    return f"{text} {found['others_share']:>6.0%}{warning}"


def write(results: Path, target: Path, root: Path) -> None:
    """Write RESULTS.md, whole, from the JSON files of all runs.

    root   the checkout

    Raises SystemExit, and writes nothing, where there are no runs, one did not end, or they are not all of the commit
    that the checkout is at (texts aside), without changes.
    """
    runs = sorted(
        (json.loads(path.read_text()) for path in results.glob("*.json")),
        key=lambda run: (_SIZES.index(run["size"]), run["database"]),
    )
    if not runs:
        raise SystemExit(f"{results} holds no results: run `make bench` first.")
    sha = require_one_commit(runs, root)
    loops = ", ".join(f"{run['size']} on {run['database']} {tables.loop_of(run):.3f} s" for run in runs)
    pieces = [
        "# What a month costs\n",
        (
            f"Measured at commit {sha}; written whole by `python -m bench`. What each floor and each script is stands "
            "in README.md. Times are medians; the ratio is of CPU seconds (the server's included), which other work on "
            "the machine disturbs least. `!` marks a measurement during which others took more than 10 % of the CPU.\n"
        ),
        (
            "**The machine's speed.** A fixed loop (5 million steps of `x += i * i % 7` in Python; CPU seconds, the "
            f"median of three) was timed at the begin and end of each run: {loops}. *loops* is CPU seconds divided by "
            "it: compare these, and not seconds, with another machine's.\n"
        ),
    ]
    for run in runs:
        pieces += tables.all_of(run)
    pieces += ["## Goals\n", *_goals(runs), ""]
    target.write_text("\n".join(pieces), encoding="utf-8")
    print(f"{target} written, of {len(runs)} runs at {sha}")


def require_one_commit(runs: list[dict[str, Any]], root: Path) -> str:
    """The commit of all runs. Raises SystemExit as ``write`` does."""
    for run in runs:
        name, of_commit = (
            f"{run['size']}-{run['database']}.json",
            run.get("commit", {"sha": "?", "changed": []}),
        )
        if "every_page" not in run:
            raise SystemExit(f"{name} is of a run that did not end: run it again, or delete it.")
        if of_commit["changed"]:
            raise SystemExit(
                f"{name} was measured with changes that no commit holds ({', '.join(of_commit['changed'][:5])}): "
                "commit them, and measure again."
            )
        if of_commit["sha"] != runs[0]["commit"]["sha"]:
            raise SystemExit(
                f"{name} is of commit {of_commit['sha'][:12]} and others are of {runs[0]['commit']['sha'][:12]}: "
                "figures of one commit only. Delete those of the other from bench/results/, or measure them again."
            )
    sha: str = runs[0]["commit"]["sha"]
    if differing := machine.differs(root, sha):
        raise SystemExit(
            f"The results are of commit {sha[:12]}, from which the checkout differs in {', '.join(differing[:5])}: "
            "measure again, or check that commit out."
        )
    return sha


def _goals(runs: list[dict[str, Any]]) -> Iterator[str]:
    yield "| goal | size | database | figure | |"
    yield "|---|---|---|--:|---|"
    for run in runs:
        for goal, figure, reached in (*_goals_of_steps(run["steps"]), *_goals_of_size(run, runs)):
            verdict = "floor not run" if reached is None else "reached" if reached else "**missed**"
            yield f"| {goal} | {run['size']} | {run['database']} | {figure} | {verdict} |"


def _goals_of_steps(steps: dict[str, Any]) -> Iterator[Goal]:
    for step, most in _GOALS.items():
        ratio = steps[step].get("ratio")
        yield (
            f"{step}: at most {most} x its floor",
            *(("", None) if ratio is None else (f"{ratio:.2f}", ratio <= most)),
        )
    if "the same csv again" in steps:
        again = steps["the same csv again"]["cpu_s"] / steps["csv in bulk"]["cpu_s"]
        yield "the same csv again: nothing changes, and quicker", f"{again:.2f} of the CPU", again < 1
    if "csv in bulk, one process" in steps:
        share = steps["csv in bulk"]["wall_s"] / steps["csv in bulk, one process"]["wall_s"]
        yield "csv in bulk: two processes quicker than one", f"{share:.2f} of the time", share < 1


def _goals_of_size(run: dict[str, Any], runs: list[dict[str, Any]]) -> Iterator[Goal]:
    """Of the page, and those that are asked at ten million alone."""
    yield from pages.goals_of(run["task_page"])
    for stage, found in run["every_page"].items():
        within, of_all = tables.within_aim(found), len(found["pages"])
        yield f"every page ({stage}): at most {AIM_MS} ms", f"{within} of {of_all}", within == of_all
    if run["size"] != "10m":
        return
    steps = run["steps"]
    for step, most in _MS_GOALS.items():
        ms = steps[step]["ms"]["p50"]
        yield f"{step}: at most {most:g} ms", f"{ms:.2f} ms", ms <= most
    for step, most in _PEAK_GOALS.items():
        peak_mb = steps[step]["peak_mb"]
        yield f"{step}: at most {most} MB", f"{peak_mb:.0f} MB", peak_mb <= most
    for smaller in runs:
        if (smaller["size"], smaller["database"]) == ("1m", run["database"]):
            for step in ("csv in bulk", "settle", "export"):
                growth = _cost(run, step) / _cost(smaller, step)
                yield f"{step}: CPU a row at most {_LINEAR} x that at 1m", f"{growth:.2f}", growth <= _LINEAR


def _cost(run: dict[str, Any], step: str) -> float:
    found = run["steps"][step]
    return float(found["cpu_s"] / found["rows"])
