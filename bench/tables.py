"""The tables of RESULTS.md for one size on one database."""

from statistics import mean
from typing import Any

from bench import pages
from bench.every_page import AIM_MS
from bench.instead import KEEPS

QUIET = 0.10
"""The part of the machine that others may take before a figure is marked."""
STAGES = {
    "draft": "A draft, on 20 January: pages of staff",
    "paid": "Published, paid in part, orders changed since, and a second draft, on 26 February: all pages",
}


def loop_of(run: dict[str, Any]) -> float:
    """Seconds of the reference loop in a run: the mean of before and after."""
    return float(mean(run["loop_s"].values()))


def all_of(run: dict[str, Any]) -> list[str]:
    """The lines of a size on a database."""
    machine, loop = run["machine"], run["loop_s"]
    carried = f"Reference loop {loop['before']:.3f} s before and {loop['after']:.3f} s after."
    lines = [
        f"## {run['size']} orders on {run['version']}\n",
        (
            f"{run['orders']:,} orders, {run['promoters']:,} promoters, {run['database_mb']:,.0f} MB. "
            f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, Python {machine['python']}; "
            f"{run['measured_at']}; measured in {run['took_s'] / 60:.0f} minutes. {carried}\n"
        ),
        f"Checked: {run['checked']}. subsidy_lines.csv sha256 {run['lines_sha256']}.\n",
        *steps_of(run),
    ]
    if run["instead"]:
        lines += ["\n### What somebody would write in its place\n", *instead_of(run)]
    lines += ["\n### The task page under load\n", f"{carried}\n", *pages.lines_of(run["task_page"])]
    for stage, found in run["every_page"].items():
        lines += [f"\n### {STAGES[stage]}\n", f"{carried} {pages_in_words(found)}\n", *every_page_of(found)]
    return [*lines, ""]


def steps_of(run: dict[str, Any]) -> list[str]:
    """Every step, with its CPU seconds in loops too."""
    loop_s = loop_of(run)
    rows = [
        "| step | runs | wall s | CPU s | loops | rows/s | peak MB | floor CPU s | ratio | others |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for step, found in run["steps"].items():
        floor, warning = found.get("floor"), " !" if found["others_share"] > QUIET else ""
        if "ms" in found:
            figures = f"| p50 {found['ms']['p50']:.2f} ms | p99 {found['ms']['p99']:.2f} ms | "
            figures += f"{found['ms']['p50'] / loop_s / 1000:.4f} | | {found['peak_mb']:.0f} "
            figures += f"| p50 {floor['ms']['p50']:.2f} ms | {found['ratio']:.2f} "
        else:
            figures = f"| {found['wall_s']:.2f} | {found['cpu_s']:.2f} | {found['cpu_s'] / loop_s:.1f} "
            figures += f"| {found['rows_per_s']:,.0f} | {found['peak_mb']:.0f} | "
            figures += f"{floor['cpu_s']:.2f} | {found['ratio']:.2f} " if floor else "| "
        rows.append(f"| {step} | {found['runs']} {figures}| {found['others_share']:.0%}{warning} |")
    return [*rows, "", *remarks_on(run["steps"])]


def remarks_on(steps: dict[str, Any]) -> list[str]:
    """What a row of figures does not show: the start of Spark, and a file read by a process of its own."""
    spark, small = steps["recompute on Spark"], steps["recompute on Spark, 1k orders"]
    start_s, compute_s = spark["result"]["start_s"], spark["result"]["compute_s"]
    export_s, settle_s = steps["export of facts for Spark"]["wall_s"], steps["settle"]["wall_s"]
    remarks = [
        (
            f"Recompute on Spark ({spark['result']['master']}): the same of a month of 1,000 orders takes "
            f"{small['wall_s']:.1f} s by the clock, which is the start-up: {small['wall_s'] / spark['wall_s']:.0%} of "
            f"these {spark['wall_s']:.1f} s. Spark answers its first query after {start_s:.1f} s; of the other "
            f"{compute_s:.1f} s the export of facts takes {export_s:.1f} s when measured alone. Settle takes "
            f"{settle_s:.1f} s."
        )
    ]
    if "csv in bulk, one process" in steps:
        alone, both = steps["csv in bulk, one process"], steps["csv in bulk"]
        remarks.append(
            f"The CSV by the clock: {both['wall_s']:.2f} s as the program imports it (from 16 MiB on a second process "
            f"reads), {alone['wall_s']:.2f} s by one process; {both['peak_mb']:.0f} and {alone['peak_mb']:.0f} MB."
        )
    return ["\n\n".join(remarks)]


def instead_of(run: dict[str, Any]) -> list[str]:
    """The month by the program's commands and by each script: what it keeps, and what it costs."""
    loop_s, parts = loop_of(run), run["instead"]["bounty"]["result"]
    of_it = ", ".join(f"{name.removesuffix('_s')} {value:.1f} s" for name, value in parts.items())
    rows = [
        (
            f"One CSV of {run['csv_rows']:,} rows and the reference files in, both files out: the same bytes from "
            "each, or the bench fails. Each is started as a user would; bounty's books hold the reference files "
            f"already, the scripts read them. bounty by the clock: {of_it}; `bounty settle` also runs the checks of "
            "the books, which no script has.\n"
        ),
        "| by | runs | wall s | CPU s | loops | peak MB | history | explanation | corrections | others |",
        "|---|--:|--:|--:|--:|--:|---|---|---|--:|",
    ]
    for name, found in run["instead"].items():
        warning = " !" if found["others_share"] > QUIET else ""
        rows.append(
            f"| {name} | {found['runs']} | {found['wall_s']:.2f} | {found['cpu_s']:.2f} "
            f"| {found['cpu_s'] / loop_s:.1f} | {found['peak_mb']:.0f} | {' | '.join(KEEPS[name])} "
            f"| {found['others_share']:.0%}{warning} |"
        )
    return rows


def every_page_of(found: dict[str, Any]) -> list[str]:
    """Every page, the slowest of each reader first."""
    rows = [
        "| reader | page | p50 ms | worst ms | first ms | in the database ms | statements | bytes | aim 100 ms |",
        "|---|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    readers = list(dict.fromkeys(page["reader"] for page in found["pages"]))
    slowest_first = sorted(found["pages"], key=lambda page: (readers.index(page["reader"]), -page["ms"]))
    return (
        rows
        + [
            f"| {page['reader']} | `{page['path']}` | {page['ms']:.1f} | {page['worst_ms']:.1f} "
            f"| {page['first_ms']:.1f} | {page['database_ms']:.1f} | {page['statements']} | {page['bytes']:,} "
            f"| {_verdict(page)} |"
            for page in slowest_first
        ]
        + apart_in_words(found)
    )


def _verdict(page: dict[str, Any]) -> str:
    if page["stopped"]:
        return "**missed**: stopped"
    return "reached" if page["ms"] <= AIM_MS else "**missed**"


def apart_in_words(found: dict[str, Any]) -> list[str]:
    """The addresses that show no page here: they lead elsewhere, are refused for now, or what they name isn't there."""
    return [f"\nNot measured, with their status: {', '.join(found['apart'])}."] if found["apart"] else []


def pages_in_words(found: dict[str, Any]) -> str:
    """How many pages are within the aim, and the slowest."""
    within, slowest = within_aim(found), max(found["pages"], key=lambda page: page["ms"])
    return (
        f"{within} of {len(found['pages'])} pages within {AIM_MS} ms; the slowest: {slowest['path']} "
        f"({slowest['reader']}), {slowest['ms']:.0f} ms; peak {found['peak_mb']:.0f} MB."
    )


def within_aim(found: dict[str, Any]) -> int:
    """The number of pages whose median is within the aim."""
    return sum(page["ms"] <= AIM_MS for page in found["pages"])
