"""Generated months, thick with edges: from the files on, engine and oracle agree to the fen on both databases."""

import random
from pathlib import Path

import pytest
from sqlalchemy import Engine

from bounty import checks, imports
from bounty.db import snapshot, transaction
from bounty.progress.service import progress_of
from bounty.roster.service import open_roster
from bounty.roster.terms import add_terms
from bounty.rules.periods import Period
from bounty.settlement.files import lines_file, results_file
from bounty.settlement.service import Settled, settle
from tests import oracle
from tests.agreement import months
from tests.agreement.months import Case

SEEDS = range(40)


def promoters_of(seed: int) -> int:
    return 50 + seed * 37 % 151  # 50 to 200


def import_case(engine: Engine, case: Case, folder: Path, rng: random.Random) -> None:
    """Import a case's files, holding each order file's counts against the oracle's."""
    files = months.write(case, folder, rng)
    for kind in ("promoters", "violations", "links", "targets"):
        imported = imports.import_file(engine, kind, folder / f"{kind}.csv", case.now)
        assert imported.counts.quarantined == 0
    before: list[oracle.Row] = []
    for file in files:
        counts = imports.import_file(engine, "orders", file.path, case.now).counts
        expected = oracle.import_counts(before, file.rows)
        assert {name: getattr(counts, name) for name in expected} == expected, file.path.name
        assert counts.quarantined == 0
        before.extend(file.rows)


def settle_case(engine: Engine, case: Case) -> Settled:
    period = Period.parse(case.period)
    with transaction(engine) as connection:
        add_terms(connection, case.terms_toml, case.now)
        open_roster(connection, period, case.now)
    with transaction(engine) as connection:
        return settle(connection, period, case.now)


def files_of(engine: Engine, settled: Settled, period: Period) -> tuple[bytes, bytes]:
    with snapshot(engine) as connection:
        return (
            b"".join(results_file(connection, settled.settlement_id, period)),
            b"".join(lines_file(connection, settled.settlement_id, period)),
        )


@pytest.mark.parametrize("seed", SEEDS)
def test_a_month_settles_as_the_oracle_says(engine: Engine, tmp_path: Path, seed: int) -> None:
    case = months.generate(seed, promoters=promoters_of(seed))
    period = Period.parse(case.period)
    import_case(engine, case, tmp_path, random.Random(seed))
    settled = settle_case(engine, case)

    terms = oracle.read_terms(case.terms_toml)
    orders = oracle.fold(case.rows)
    roster = oracle.roster(case.period, terms, case.promoters, case.violations, case.targets, orders)
    expected = oracle.settle(case.period, terms, roster, orders, case.links)
    results, lines = files_of(engine, settled, period)
    assert results.decode() == oracle.results_csv(expected).decode()
    assert lines.decode() == oracle.lines_csv(expected).decode()

    with snapshot(engine) as connection:
        for entry in roster:
            said = progress_of(connection, period, entry.promoter_id, case.now).as_json()
            for key, value in oracle.progress(case.period, terms, entry, orders).items():
                if key != "targets" or entry.eligible:
                    assert said[key] == value, (entry.promoter_id, key)
        assert [finding for finding in checks.run_checks(connection) if finding.violations] == []


@pytest.mark.parametrize("seed", [3, 17])
def test_order_and_repetition_of_the_input_do_not_matter(engine: Engine, tmp_path: Path, seed: int) -> None:
    case = months.generate(seed, promoters=60)
    import_case(engine, case, tmp_path / "once", random.Random(seed))
    shuffled = months.shuffled(case, random.Random(seed + 1))
    files = months.write(shuffled, tmp_path / "again", random.Random(seed + 2))
    for file in files:
        counts = imports.import_file(engine, "orders", file.path, case.now).counts
        assert (counts.new, counts.changed) == (0, 0)
    first = settle_case(engine, case)
    orders = oracle.fold(case.rows)
    terms = oracle.read_terms(case.terms_toml)
    roster = oracle.roster(case.period, terms, case.promoters, case.violations, case.targets, orders)
    expected = oracle.settle(case.period, terms, roster, orders, case.links)
    assert files_of(engine, first, Period.parse(case.period)) == (
        oracle.results_csv(expected),
        oracle.lines_csv(expected),
    )
