"""The measured steps of the product, through its public functions. Each runs in a separate process (bench.run)."""

import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg  # noqa: F401 - loaded before the measurement starts, as in the floors
from sqlalchemy import Engine

from bench.data import FORECAST_AT, IMPORTED_AT, OPENED_AT, PERIOD, SETTLED_AT, TERMS, epoch
from bench.watch import watch
from bounty import importer, schema
from bounty.db import make_engine, snapshot, transaction
from bounty.forecast.simulation import simulate as simulate_month
from bounty.ingest.batches import Counts
from bounty.notices.service import export as export_settlement
from bounty.platforms.pdd.account import PlatformAccount
from bounty.platforms.pdd.client import Platform
from bounty.progress.service import progress_of
from bounty.roster.service import open_roster
from bounty.roster.terms import add_terms
from bounty.rules.periods import Period
from bounty.rules.terms import read_terms
from bounty.settlement import service as settlement
from bounty.sync import service as syncing

MONTH = Period.parse(PERIOD)


def prepare(url: str, folder: str) -> dict[str, Any]:
    """Create a database with the schema, the reference files and the terms."""
    engine = make_engine(url)
    schema.upgrade(engine)
    for kind in ("promoters", "violations", "links", "targets"):
        _clean(_import(engine, kind, Path(folder, f"{kind}.csv")))
    with transaction(engine) as connection:
        add_terms(connection, Path(folder, "terms.toml").read_text(encoding="utf-8"), epoch(OPENED_AT))
    engine.dispose()
    return {}


def bulk(url: str, path: str, *, alone: bool = False) -> dict[str, Any]:
    """Import one file of orders.

    alone   one process reads and writes a file of any size; otherwise a large one is read by a second
    """
    if alone:
        vars(importer)["LARGE_BYTES"] = sys.maxsize
    engine = make_engine(url)
    counts = _clean(_import(engine, "orders", Path(path)))
    engine.dispose()
    return {"rows": counts.read, "new": counts.new, "changed": counts.changed, "unchanged": counts.unchanged}


def pages(url: str, folder: str, count: int) -> dict[str, Any]:
    """Import the first pages of a folder, one batch each."""
    engine = make_engine(url)
    rows = new = changed = 0
    for number in range(count):
        counts = _clean(_import(engine, "orders", Path(folder, f"{number:05d}.json")))
        rows, new, changed = rows + counts.read, new + counts.new, changed + counts.changed
    engine.dispose()
    return {"rows": rows, "new": new, "changed": changed}


def sync(url: str, address: str, client: str, now: int, from_at: int) -> dict[str, Any]:
    """Fetch everything up to a minute ago from the stand-in."""
    engine = make_engine(url)
    platform = Platform(PlatformAccount(address, client, client), lambda: now)
    spans = syncing.windows_to_read(engine, platform, now, from_at, None)
    rows = held = 0
    for read in syncing.sync(engine, platform, lambda: now, "UPDATED", spans):
        if read.reading.incomplete_reason is not None:
            raise RuntimeError(f"not done: {read}")
        rows, held = rows + read.counts.read, held + read.reading.orders
    engine.dispose()
    return {"rows": rows, "held": held, "slices": len(spans)}


def fetched(url: str, folder: str) -> dict[str, Any]:
    """Import the files that the floor of sync downloaded, one batch for each window, as sync does."""
    engine = make_engine(url)
    files = [path for path in sorted(Path(folder).iterdir()) if path.stat().st_size]
    rows = sum(_import(engine, "orders", path).read for path in files)
    engine.dispose()
    return {"rows": rows}


def open_month(url: str) -> dict[str, Any]:
    """Freeze the roster."""
    engine = make_engine(url)
    with transaction(engine) as connection:
        opening = open_roster(connection, MONTH, epoch(SETTLED_AT))
    engine.dispose()
    return {"rows": opening.on_roster, "eligible": opening.eligible, "reasons": opening.reasons}


def settle(url: str) -> dict[str, Any]:
    """Settle the month."""
    engine = make_engine(url)
    with transaction(engine) as connection:
        settled = settlement.settle(connection, MONTH, epoch(SETTLED_AT))
    engine.dispose()
    return {
        "rows": settled.lines.rows,
        "subsidy_fen": settled.lines.sum_fen,
        "settlement": settled.settlement_id,
        "created": settled.created,
    }


def simulate(url: str, *, changed: bool) -> dict[str, Any]:
    """Simulate the settled month under its own terms, or with another target, cap and rate, each a cause."""
    engine = make_engine(url)
    toml = TERMS
    if changed:
        for was, now in (
            ('"2000.00"', '"1800.00"'),
            ('"20.00"', '"15.00"'),
            ("permille = 20", "permille = 25"),
        ):
            toml = toml.replace(was, now)
    with snapshot(engine) as connection:
        found = simulate_month(connection, read_terms(toml), MONTH, epoch(SETTLED_AT))
    engine.dispose()
    causes = [] if found.difference is None else [cause.code for cause in found.difference.causes]
    return {"rows": found.figures.lines, "subsidy_fen": found.figures.subsidy_fen, "causes": causes}


def forecast(url: str) -> dict[str, Any]:
    """Make the month's forecast in the middle of its window, and write it, as the worker does."""
    from bounty.forecast.period_forecast import keep_forecast, make_forecast  # noqa: PLC0415 - numpy

    engine = make_engine(url)
    with snapshot(engine) as connection:
        made = make_forecast(connection, MONTH, epoch(FORECAST_AT))
    with transaction(engine) as connection:
        keep_forecast(connection, made)
    engine.dispose()
    return {"rows": len(made.promoters), "passes": made.programme["passes"]}


def export(url: str, folder: str) -> dict[str, Any]:
    """Write the draft's files."""
    engine = make_engine(url)
    with snapshot(engine) as connection:
        manifest = export_settlement(connection, MONTH, Path(folder), draft=True, notice=None)
    engine.dispose()
    return {"rows": manifest["files"][1]["rows"]}


def progress(url: str, promoters: list[int], repeat: int) -> dict[str, Any]:
    """Milliseconds of each call: ``ms`` in its statements, ``call_ms`` in total."""
    engine = make_engine(url)
    spent = watch(engine)
    taken, called, counted = [], [], 0
    for promoter in promoters * repeat:
        spent.empty()
        start = perf_counter()
        with snapshot(engine) as connection:
            found = progress_of(connection, MONTH, promoter, epoch(SETTLED_AT))
        called.append((perf_counter() - start) * 1000)
        taken.append(spent.ms)
        counted = found.counted.orders
    engine.dispose()
    return {"ms": taken, "call_ms": called, "orders": counted}


def _import(engine: Engine, kind: str, path: Path) -> Counts:
    return importer.import_file(engine, kind, path, epoch(IMPORTED_AT)).counts


def _clean(counts: Counts) -> Counts:
    if counts.quarantined:
        raise RuntimeError(f"the bench's own rows went into quarantine: {counts}")
    return counts
