"""The bench on a thousand orders: floors and scripts stand on their own, scripts write the same bytes, and what would
make its figures worth nothing is refused."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from bench import (
    alternatives,
    every_page,
    floors,
    instead,
    machine,
    paying,
    purity,
    report,
    run,
    steps,
    tables,
)
from bench.data import Data, data_of
from bench.databases import Databases, opened
from bench.measuring import DRAFT_AT, PAID_AT, Bench, require_same
from bench.watch import watch
from bounty.db import make_engine, snapshot

ROOT = Path(__file__).resolve().parent.parent
DRAFTED, PUBLISHED = "/operations/periods/2022-12/preview", "/operations/periods/2022-12/changes"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """A thousand orders."""
    return data_of("1k", tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest, data: Data) -> Iterator[Databases]:
    """Of each kind, with the books ``base`` that the bench begins with."""
    with ExitStack() as leaving:
        found = leaving.enter_context(opened(request.param))
        found.create("base")
        steps.prepare(found.url("base"), str(data.folder))
        yield found


def test_floors_and_scripts_import_nothing_of_the_program() -> None:
    looked_at = purity.hold_all(ROOT / "bench")
    assert {"settle", "pandas_script", "duckdb_script", "orm_objects"} <= set(looked_at)
    assert {path.stem for path in Path(alternatives.__file__).parent.glob("[a-z]*.py")} == {
        *instead.SCRIPTS.values()
    }


@pytest.mark.parametrize("line", ["import bounty.db", "from bounty import db", "from tests import oracle"])
def test_a_floor_that_imports_the_program_is_found(tmp_path: Path, line: str) -> None:
    (tmp_path / "borrowed.py").write_text(f"def floor():\n    {line}\n")
    for permitted in (purity.ALLOWED, purity.ALTERNATIVES):
        with pytest.raises(SystemExit, match=r"borrowed\.py imports"):
            purity.hold(tmp_path, permitted)
    purity.hold(Path(floors.__file__).parent)


def test_each_script_writes_what_the_commands_write_to_the_byte(databases: Databases, data: Data) -> None:
    bench = Bench(databases, data, runs=1)
    bench.in_place_of_it()  # raises where a byte differs
    assert bench.instead.keys() == instead.KEEPS.keys() == {"bounty", *instead.SCRIPTS}
    assert all(found["wall_s"] > 0 and found["cpu_s"] > 0 for found in bench.instead.values())
    written = data.folder / f"instead-{databases.name}" / "pandas" / "subsidy_lines.csv"
    assert len(written.read_bytes().splitlines()) > 10


def test_another_byte_fails_the_bench_and_is_named(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        for file in instead.FILES:
            (tmp_path / name / file).write_text("a\r\nb,1.00\r\n")
    require_same(tmp_path / "one", tmp_path / "other")
    (tmp_path / "other" / "results.csv").write_text("a\r\nb,1.01\r\n")
    with pytest.raises(
        AssertionError, match=r"other writes another results\.csv; line 2: b,1\.00 and b,1\.01"
    ):
        require_same(tmp_path / "one", tmp_path / "other")


def test_pages_of_a_draft_and_of_a_month_paid_in_part(databases: Databases, data: Data) -> None:
    databases.create("month", like="base")
    url, folder = databases.url("month"), str(data.folder)
    steps.bulk(url, f"{folder}/orders.csv", alone=True)
    steps.pages(url, f"{folder}/pages", data.plan.pages)
    steps.open_month(url)
    settled = steps.settle(url)
    computed = instead.recompute(url)
    assert (computed["rows"], computed["subsidy_fen"]) == (settled["rows"], settled["subsidy_fen"])
    assert instead.lake_export(url)["rows"] > data.plan.orders // 2

    def paths(at: str, *, own: bool) -> dict[str, set[str]]:
        found = every_page.every_page(url, at, data.busiest[0], data.middle, own=own, asked=0)
        readers: dict[str, set[str]] = {}
        for page in found["pages"]:
            readers.setdefault(page["reader"], set()).add(page["path"])
        assert tables.within_aim(found) <= len(found["pages"])
        assert len(tables.every_page_of(found)) == len(found["pages"]) + 3
        assert all(each.startswith(("30", "40", "42")) for each in found["apart"])
        return readers

    paying.figures(url, DRAFT_AT)
    draft = paths(DRAFT_AT, own=False)
    assert draft.keys() == {"operator", "finance", "admin", "nobody"}
    assert {"/operations/", "/operations/schedule", "/operations/periods/2022-12", DRAFTED} <= draft[
        "operator"
    ]
    paying.publish(url)
    assert paying.payees(url)["rows"] == data.plan.promoters
    paid = paying.tranche(url)
    assert paid["payouts"] > 0
    assert paid["rows"] >= paid["payouts"]
    assert paying.receipt(url, folder)["rows"] > 0
    assert paying.late(url, f"{folder}/late.csv")["rows"] == data.late_rows
    paying.settle_again(url)
    paying.figures(url, PAID_AT)
    after = paths(PAID_AT, own=True)
    assert PUBLISHED in after["operator"]
    ours = {"/finance/tranches/1", "/finance/reconcile", "/finance/periods/2022-12", "/finance/receipts/1"}
    assert ours <= after["finance"]
    for reader in ("promoter, most orders", "promoter, most lines", "promoter, median"):
        assert {"/task", "/orders", "/subsidy", "/payments"} <= after[reader]


def test_a_statement_that_takes_too_long_is_stopped(databases: Databases) -> None:
    engine = make_engine(databases.url("base"))
    spent = watch(engine)
    endless = {
        "sqlite": "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
        "postgresql": "SELECT pg_sleep(300)",
    }
    with (
        snapshot(engine) as connection,
        spent.at_most(0.3),
        pytest.raises(OperationalError, match=r"interrupted|cancel"),
    ):
        connection.exec_driver_sql(endless[databases.name]).all()
    engine.dispose()
    assert 200 < spent.ms < 60_000


def test_memory_and_processor_time_include_what_a_step_starts() -> None:
    held = "import time; x = bytearray(200 << 20); t = time.process_time()\nwhile time.process_time() < t + 0.5: pass"
    found = run.measured("subprocess:check_call", args=[sys.executable, "-c", held])
    assert found["peak_mb"] > 200
    assert found["cpu_s"] > 0.5


def test_the_reference_loop_is_processor_time() -> None:
    assert 0 < machine.reference_loop(10_000) < 1


def git(folder: Path, *arguments: str) -> str:
    """What git prints."""
    named = ("-c", "user.name=bench", "-c", "user.email=bench@example.com")
    command = ["git", *named, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with one commit."""
    folder = tmp_path / "checkout"
    (folder / "bench").mkdir(parents=True)
    (folder / "program.py").write_text("1\n")
    (folder / "bench/RESULTS.md").write_text("old: 17.89 s\n")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "one")
    return folder


def result(sha: str, size: str = "1m", database: str = "sqlite", **more: Any) -> dict[str, Any]:
    """The figures of a run, as the bench writes them down."""
    took = {
        "runs": 1,
        "rows": 1_000_000,
        "wall_s": 8.0,
        "cpu_s": 6.0,
        "rows_per_s": 125_000.0,
        "peak_mb": 100.0,
        "others_share": 0.0,
        "result": {},
    }
    floor = {"floor": took, "ratio": 1.0, "ratio_wall": 1.0}
    of_spark = {"start_s": 2.0, "compute_s": 6.0, "master": "local[2]"}
    named = ("open", "the same csv again", "csv in bulk, one process", "export", "export of facts for Spark")
    page = {"p50": 10.0, "p99": 20.0, "a_second": 90.0, "cpu_ms": 9.0}
    shown = {
        "reader": "operator",
        "path": "/operations/",
        "asked": 10,
        "stopped": False,
        "statements": 49,
        "bytes": 6_000,
        **dict.fromkeys(("ms", "worst_ms", "first_ms", "database_ms"), 120.0),
    }
    pages = {"pages": [shown], "apart": [], "peak_mb": 200.0, "wall_s": 1.0, "others_share": 0.0}
    in_database = {"ms": {"p50": 1.0, "p99": 2.0}, "statements": 5, "bytes": 18_000}
    asked = {
        "under_load": {"1": {"page": page, "floor": page, "ratio": 1.0}},
        "in_database": in_database,
    }
    parts = {"import_s": 90.0, "open_s": 3.0, "settle_s": 9.0, "export_s": 2.0}
    return {
        "size": size,
        "database": database,
        "version": "SQLite 3.40.1",
        "orders": 1_000_000,
        "promoters": 20_000,
        "csv_rows": 920_833,
        "commit": {"sha": sha, "changed": []},
        "measured_at": "2026-11-30T12:00:00+00:00",
        "machine": {"cpu": "a processor", "cores": 2, "memory_gib": 16, "python": "3.11.7"},
        "loop_s": {"before": 0.21, "after": 0.19},
        "took_s": 900.0,
        "database_mb": 1_343.0,
        "checked": "both files equal the oracle's",
        "lines_sha256": "0" * 64,
        "steps": {
            **dict.fromkeys(("sync", "csv in bulk", "pages of 100", "settle"), took | floor),
            **dict.fromkeys(named, took),
            "recompute on Spark": took | {"wall_s": 48.0, "result": of_spark},
            "recompute on Spark, 1k orders": took | {"wall_s": 12.0, "result": of_spark},
        },
        "instead": {name: took | {"result": parts} for name in instead.KEEPS},
        "task_page": dict.fromkeys(("median promoter", "busiest promoter"), asked),
        "every_page": {"draft": pages, "paid": pages},
        **more,
    }


def written(checkout: Path, *results: dict[str, Any]) -> str:
    """RESULTS.md after a report of some results."""
    folder = checkout.parent / "results"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for each in results:
        (folder / f"{each['size']}-{each['database']}.json").write_text(json.dumps(each))
    target = checkout / machine.WRITTEN
    try:
        report.write(folder, target, checkout)
    finally:
        if git(checkout, "status", "--porcelain") == "":
            assert target.read_text() == "old: 17.89 s\n"
    return target.read_text()


def test_the_report_is_written_whole_and_names_commit_and_machine(checkout: Path) -> None:
    sha = git(checkout, "rev-parse", "HEAD")
    text = written(checkout, result(sha), result(sha, database="postgresql"))
    assert "17.89" not in text
    for part in (
        sha,
        "a processor, 2 cores, 16 GiB",
        "Reference loop 0.210 s before and 0.190 s after.",
        "1m on sqlite 0.200 s",
        "| settle | 1 | 8.00 | 6.00 | 30.0 | 125,000 | 100 | 6.00 | 1.00 | 0% |",
        "| pandas | 1 | 8.00 | 6.00 | 30.0 | 100 | nothing: the files are the memory | none |",
        "takes 12.0 s by the clock, which is the start-up: 25% of these 48.0 s",
        "8.00 s by one process",
        "| operator | `/operations/` | 120.0 |",
        "| every page (paid): at most 100 ms | 1m | sqlite | 0 of 1 | **missed** |",
    ):
        assert part in text
    assert written(checkout, result(sha)) != text  # again, though RESULTS.md itself differs from the commit


def test_figures_of_another_commit_are_refused(checkout: Path) -> None:
    sha = git(checkout, "rev-parse", "HEAD")
    other = result("f" * 40, database="postgresql")
    with pytest.raises(SystemExit, match="figures of one commit only"):
        written(checkout, result(sha), other)
    with pytest.raises(SystemExit, match=r"changes that no commit holds \(program\.py\)"):
        written(checkout, result(sha, commit={"sha": sha, "changed": ["program.py"]}))
    unfinished = result(sha)
    del unfinished["every_page"]
    with pytest.raises(SystemExit, match="did not end"):
        written(checkout, unfinished)
    with pytest.raises(SystemExit, match="holds no results"):
        written(checkout)
    (checkout / "notes.md").write_text("texts change no figure\n")
    git(checkout, "add", ".")
    git(checkout, "commit", "--quiet", "--message", "two")
    assert sha in written(checkout, result(sha))
    git(checkout, "checkout", "--quiet", "--", "bench/RESULTS.md")
    (checkout / "program.py").write_text("2\n")
    assert machine.commit(checkout)["changed"] == ["program.py"]
    with pytest.raises(SystemExit, match=r"the checkout differs in program\.py"):
        written(checkout, result(sha))
