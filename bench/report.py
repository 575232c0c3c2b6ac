"""The results as a table for the terminal, and as RESULTS.md."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import pages

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
_QUIET = 0.10
Goal = tuple[str, str, bool | None]
"""(goal, figure, whether the goal is reached, or None if the floor was not run)."""
_SIZES = ("10k", "100k", "1m", "10m")
_BY_HAND = "## What stands in the way"
"""From this heading on RESULTS.md is written by hand and is not replaced."""


def line_of(step: str, found: dict[str, Any]) -> str:
    """One line of the table."""
    floor, warning = found.get("floor"), "!" if found["others_share"] > _QUIET else " "
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


def write(results: Path, target: Path) -> None:
    """Write RESULTS.md from the JSON files of all runs."""
    runs = sorted(
        (json.loads(path.read_text()) for path in results.glob("*.json")),
        key=lambda run: (_SIZES.index(run["size"]), run["database"]),
    )
    if not runs:
        raise SystemExit(f"{results} holds no results: run `make bench` first.")
    pieces = ["# What a month costs\n"]
    pieces.append(
        "Written by `python -m bench --report` from the runs' own figures. What each floor is stands in README.md. "
        "Times are medians; the ratio is of CPU seconds (the server's included), which other work on the machine "
        "disturbs least. `!` marks a measurement during which others took more than 10 % of the CPU.\n"
    )
    for run in runs:
        pieces += _page_of(run)
    pieces += ["## Goals\n", *_goals(runs), ""]
    before = target.read_text(encoding="utf-8") if target.exists() else ""
    kept = before[before.index(_BY_HAND) :] if _BY_HAND in before else f"{_BY_HAND}\n"
    target.write_text("\n".join([*pieces, kept]), encoding="utf-8")


def _page_of(run: dict[str, Any]) -> list[str]:
    machine = run["machine"]
    rows = [
        f"## {run['size']} orders on {run['version']}\n",
        (
            f"{run['orders']:,} orders, {run['promoters']:,} promoters, {run['database_mb']:,.0f} MB. "
            f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
            f"Python {machine['python']}; {run['measured_at']}.\n"
        ),
        f"Checked: {run['checked']}. subsidy_lines.csv sha256 {run['lines_sha256']}.\n",
        "| step | runs | wall s | CPU s | rows/s | peak MB | floor CPU s | ratio | others |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for step, found in run["steps"].items():
        floor, warning = found.get("floor"), " !" if found["others_share"] > _QUIET else ""
        if "ms" in found:
            figures = f"| p50 {found['ms']['p50']:.2f} ms | p99 {found['ms']['p99']:.2f} ms | | "
            figures += f"{found['peak_mb']:.0f} | p50 {floor['ms']['p50']:.2f} ms | {found['ratio']:.2f} "
        else:
            figures = f"| {found['wall_s']:.2f} | {found['cpu_s']:.2f} | {found['rows_per_s']:,.0f} | "
            figures += f"{found['peak_mb']:.0f} | "
            figures += f"{floor['cpu_s']:.2f} | {found['ratio']:.2f} " if floor else "| "
        rows.append(f"| {step} | {found['runs']} {figures}| {found['others_share']:.0%}{warning} |")
    if "task_page" in run:
        rows += ["", *pages.lines_of(run["task_page"])]
    return [*rows, ""]


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


def _goals_of_size(run: dict[str, Any], runs: list[dict[str, Any]]) -> Iterator[Goal]:
    """Of the page, and those that are asked at ten million alone."""
    if "task_page" in run:
        yield from pages.goals_of(run["task_page"])
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
