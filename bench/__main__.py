"""Measure every step at each SIZE on each DATABASE, beside its floor and beside what would be written in place of it.

SIZE=10k|100k|1m|10m, several with commas (100k,1m); DATABASE=sqlite,postgresql; RUNS=... instead of 3 (1 for 10m).
Prints tables, writes bench/results/*.json, and at the end bench/RESULTS.md, whole, from what bench/results/ holds; it
must be of one commit. ``--report`` does only that.
"""

import json
import os
import sys
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import Any

from bench import purity, report
from bench.check import check
from bench.data import PLANS, data_of
from bench.databases import opened
from bench.machine import commit, machine, reference_loop
from bench.measuring import Bench

ROOT = Path(__file__).resolve().parent
RESULTS = ROOT / "results"


def bench(size: str, kind: str, runs: int, pure: list[str]) -> None:
    """Measure one size on one database and write the result down; ``pure`` are the files that were looked at."""
    data, of_commit, begun = data_of(size, ROOT / "data"), commit(), perf_counter()
    before_s = reference_loop()
    with opened(kind) as databases:
        version = databases.version()
        print(f"\n{size} orders, {data.plan.promoters} promoters, {version}; reference loop {before_s:.3f} s")
        print(report.HEAD, flush=True)
        one = Bench(databases, data, runs)
        one.measure()
        folder = data.folder / f"export-{kind}"
        one.export(folder)
        one.progress()
        checked = check(data, folder / "product")
        lines_sha256 = sha256((folder / "product" / "subsidy_lines.csv").read_bytes()).hexdigest()
        print(f"checked: {checked}; lines sha256 {lines_sha256}", flush=True)
        found: dict[str, Any] = {
            "size": size,
            "database": kind,
            "version": version,
            "orders": data.plan.orders,
            "promoters": data.plan.promoters,
            "csv_rows": data.csv_rows,
            "commit": of_commit,
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine(),
            "loop_s": {"before": before_s, "after": reference_loop()},
            "database_mb": databases.size_mb("settled"),
            "checked": checked,
            "lines_sha256": lines_sha256,
            "floors_pure": pure,
            "steps": one.steps,
            "instead": one.instead,
        }
        _write(found)  # before the pages, so that what was measured stays whatever becomes of them
        found["task_page"] = one.pages()
        found["every_page"] = one.after_the_draft()
    found["loop_s"] = {"before": before_s, "after": reference_loop()}
    found["took_s"] = perf_counter() - begun
    _write(found)
    print(
        f"reference loop {found['loop_s']['after']:.3f} s at the end; in all {found['took_s'] / 60:.0f} min"
    )


def _write(found: dict[str, Any]) -> None:
    target = RESULTS / f"{found['size']}-{found['database']}.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(found, indent=1) + "\n")


def main() -> None:
    """Parse the command line, measure, and report."""
    pure = purity.hold_all(ROOT)
    print(f"they import nothing of the program: {', '.join(pure)}")
    if sys.argv[1:] not in ([], ["--report"]):
        raise SystemExit(__doc__)
    sizes = os.environ.get("SIZE", "100k,1m").lower().split(",")
    kinds = os.environ.get("DATABASE", "sqlite,postgresql").lower().split(",")
    if unknown := [size for size in sizes if size not in PLANS]:
        raise SystemExit(f"SIZE={','.join(unknown)}: write some of {', '.join(PLANS)}.")
    if not sys.argv[1:]:
        if changed := commit()["changed"]:
            print(f"RESULTS.md won't be written: {', '.join(changed[:5])} differ from the commit.")
        for size in sizes:
            for kind in kinds:
                bench(size, kind, int(os.environ.get("RUNS", "1" if size == "10m" else "3")), pure)
    report.write(RESULTS, ROOT / "RESULTS.md", ROOT.parent)


if __name__ == "__main__":
    main()
