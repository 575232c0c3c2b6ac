"""What the oracle says of a whole month, and the engine held against it: counts of imports, files, progress, checks."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from bounty import importer
from bounty.checks import books
from bounty.db import snapshot, transaction
from bounty.progress.service import progress_of
from bounty.roster.service import open_roster
from bounty.roster.terms import add_terms
from bounty.rules.periods import Period
from bounty.settlement.files import lines_file, results_file
from bounty.settlement.service import Settled, settle
from tests import oracle
from tests.agreement import months
from tests.agreement.months import Case, OrderFile

TABLES = ("promoters", "violations", "links", "targets")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A month as files, and what must come of them."""

    folder: Path
    files: list[OrderFile]
    """Of orders, in the order of import."""
    counts: list[dict[str, int]]
    """What the import of each reports."""
    settlement: oracle.Settlement
    results: bytes
    lines: bytes
    progress: list[dict[str, Any]]
    """Of each promoter who is asked about."""


def written(case: Case, folder: Path, rng: random.Random, asked: int | None = None) -> Verdict:
    """Write a case's files, and let the oracle judge them.

    asked  about how many promoters progress is to be asked, by lot; null for all
    """
    files = months.write(case, folder, rng)
    counts, before = [], list[oracle.Row]()
    for file in files:
        counts.append(oracle.import_counts(before, file.rows))
        before.extend(file.rows)
    terms = oracle.read_terms(case.terms_toml)
    orders = oracle.fold(case.rows)
    roster = oracle.roster(case.period, terms, case.promoters, case.violations, case.targets, orders)
    settlement = oracle.settle(case.period, terms, roster, orders, case.links)
    owned = oracle.by_promoter(orders)
    return Verdict(
        folder,
        files,
        counts,
        settlement,
        oracle.results_csv(settlement),
        oracle.lines_csv(settlement),
        [
            oracle.progress(
                case.period,
                terms,
                entry,
                {order.order_sn: order for order in owned.get(entry.promoter_id, ())},
            )
            for entry in (roster if asked is None else rng.sample(roster, k=min(asked, len(roster))))
        ],
    )


def import_tables(engine: Engine, case: Case, folder: Path) -> None:
    """Import what a case has beside its orders."""
    for kind in TABLES:
        imported = importer.import_file(engine, kind, folder / f"{kind}.csv", case.now)
        assert imported.counts.quarantined == 0, kind


def import_orders(engine: Engine, case: Case, verdict: Verdict) -> None:
    """Import a case's orders, holding the counts of each file against the oracle's."""
    for file, expected in zip(verdict.files, verdict.counts, strict=True):
        counts = importer.import_file(engine, "orders", file.path, case.now).counts
        assert {name: getattr(counts, name) for name in expected} == expected, file.path.name
        assert counts.quarantined == 0, file.path.name


def settle_case(engine: Engine, case: Case) -> Settled:
    """Open and settle a case's period."""
    period = Period.parse(case.period)
    with transaction(engine) as connection:
        add_terms(connection, case.terms_toml, case.now)
        open_roster(connection, period, case.now)
    with transaction(engine) as connection:
        return settle(connection, period, case.now)


def files_of(engine: Engine, settled: Settled, period: Period) -> tuple[bytes, bytes]:
    """results.csv and subsidy_lines.csv of a settlement."""
    with snapshot(engine) as connection:
        return (
            b"".join(results_file(connection, settled.settlement_id, period)),
            b"".join(lines_file(connection, settled.settlement_id, period)),
        )


def agree(engine: Engine, case: Case, verdict: Verdict) -> None:
    """Take a case's files into empty books and settle it.

    Raises AssertionError where anything is other than the oracle says, or a check of the books finds anything.
    """
    period = Period.parse(case.period)
    import_tables(engine, case, verdict.folder)
    import_orders(engine, case, verdict)
    settled = settle_case(engine, case)
    results, lines = files_of(engine, settled, period)
    assert results.decode() == verdict.results.decode()
    assert lines.decode() == verdict.lines.decode()
    with snapshot(engine) as connection:
        for expected in verdict.progress:
            told = progress_of(connection, period, expected["promoter_id"], case.now).as_json()
            said: dict[str, Any] = {**told}
            for key, value in expected.items():
                if key != "targets" or expected["eligible"]:
                    assert said[key] == value, (expected["promoter_id"], key)
        assert [finding for finding in books.run_checks(connection) if finding.violations] == []


def in_figures(settlement: oracle.Settlement) -> tuple[Sequence[tuple[Any, ...]], Sequence[tuple[Any, ...]]]:
    """A settlement's results and lines as plain rows, to compare with another opinion."""
    results = [
        (
            result.entry.promoter_id,
            result.entry.name,
            result.entry.level,
            result.entry.reason,
            result.measured.gmv_fen,
            result.measured.orders,
            result.entry.target_gmv_fen,
            result.entry.target_orders,
            result.passed,
            result.rate_permille,
            result.subsidy_orders,
            result.subsidy_fen,
        )
        for result in settlement.results
    ]
    lines = [
        (line.promoter_id, line.order_sn, line.paid_at, line.basis_fen, line.rate_permille, line.subsidy_fen)
        for line in settlement.lines
    ]
    return results, lines
