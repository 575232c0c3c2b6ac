"""The month by the program's commands, and by what somebody would write in its place; and a settlement computed again.

Each runs in a separate process (bench.run), and starts the commands or the script as a user would.
"""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from bench.data import IMPORTED_AT, PERIOD
from bounty.db import make_engine, snapshot
from bounty.lake.export import export_facts
from bounty.lake.recompute import Recomputed
from bounty.lake.recompute import recompute as recompute_settlement
from bounty.lake.spark import on_session, spark_session
from bounty.roster.terms import terms_in_force
from bounty.rules.periods import Period
from bounty.settlement.queries import notices_elsewhere

ROOT = Path(__file__).resolve().parent
MONTH = Period.parse(PERIOD)
MASTER = f"local[{os.cpu_count()}]"
SCRIPTS = {"pandas": "pandas_script", "DuckDB": "duckdb_script", "ORM objects": "orm_objects"}
"""Name in the table -> module of bench.alternatives."""
FILES = ("results.csv", "subsidy_lines.csv")
KEEPS: dict[str, tuple[str, str, str]] = {
    "bounty": (
        "every row received, with its file and place",
        "every clause of every order, with fact and bound",
        "a later file is taken in alone; a published notice stays, and a new one says what changed and why",
    ),
    "pandas": ("nothing: the files are the memory", "none", "everything is read again, over the old files"),
    "DuckDB": ("nothing: the files are the memory", "none", "everything is read again, over the old files"),
    "ORM objects": (
        "the newest row of each order; one that comes late is lost",
        "none",
        "a later file is taken in alone; the files are written over",
    ),
}
"""Name -> history, explanation, corrections: what each keeps."""


def program(url: str, csv: str, out: str) -> dict[str, Any]:
    """``bounty import``, ``open``, ``settle`` and ``export``, one after the other.

    url   of books that have the schema, the reference files and the terms
    """
    env = {**os.environ, "BOUNTY_DATABASE_URL": url, "BOUNTY_NOW": IMPORTED_AT}
    started = []
    for command in (
        ("import", "orders", csv),
        ("open", PERIOD),
        ("settle", PERIOD),
        ("export", PERIOD, "--draft", "--out", out),
    ):
        start = perf_counter()
        _run([str(Path(sys.executable).with_name("bounty")), *command], env)
        started.append(perf_counter() - start)
    return dict(zip(("import_s", "open_s", "settle_s", "export_s"), started, strict=True))


def script(name: str, folder: str, out: str, url: str) -> dict[str, Any]:
    """One of the scripts.

    url   of an empty database, for the one that keeps objects
    """
    path = ROOT / "alternatives" / f"{SCRIPTS[name]}.py"
    # -P: nothing of the checkout can be imported by accident.
    _run([sys.executable, "-P", str(path), folder, out, url], dict(os.environ))
    return {}


def recompute(url: str) -> dict[str, Any]:
    """The newest settlement again, by the database of the books."""
    engine = make_engine(url)
    with snapshot(engine) as connection:
        found = recompute_settlement(connection, MONTH)
    engine.dispose()
    return _equal(found)


def lake_export(url: str) -> dict[str, Any]:
    """The facts as Parquet, as Spark reads them."""
    engine = make_engine(url)
    with TemporaryDirectory() as folder, snapshot(engine) as connection:
        in_force, elsewhere = terms_in_force(connection, MONTH), notices_elsewhere(connection, MONTH)
        manifest = export_facts(connection, MONTH, in_force, elsewhere, Path(folder) / "facts")
    engine.dispose()
    return {"rows": sum(table["rows"] for table in manifest["tables"].values())}


def recompute_on_spark(url: str) -> dict[str, Any]:
    """The newest settlement again, by Spark; ``start_s`` is what Spark takes until it answers its first query."""
    engine, start = make_engine(url), perf_counter()
    with spark_session(MASTER) as spark:
        spark.sql("SELECT 1").collect()
        started = perf_counter()
        with snapshot(engine) as connection:
            found = recompute_settlement(connection, MONTH, compute=on_session(spark))
        computed = perf_counter()
    engine.dispose()
    return _equal(found) | {"start_s": started - start, "compute_s": computed - started, "master": MASTER}


def _equal(found: Recomputed) -> dict[str, Any]:
    assert found.equal, f"computed again it differs: {found}"
    return {"rows": found.lines.rows, "subsidy_fen": found.lines.sum_fen}


def _run(command: list[str], env: dict[str, str]) -> None:
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
