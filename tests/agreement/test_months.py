"""The made-up months against what they promise."""

import random

import pytest

from tests import oracle
from tests.agreement import months


def outcome(case):
    """The settlement of a case, all of it known from the start."""
    its_terms = oracle.read_terms(case.terms_toml)
    orders = oracle.fold(case.rows)
    entries = oracle.roster(
        case.period,
        its_terms,
        promoters=case.promoters,
        violations=case.violations,
        targets=case.targets,
        orders=orders,
    )
    return oracle.settle(case.period, its_terms, entries, orders, case.links)


@pytest.mark.parametrize("seed", range(5))
def test_a_seed_gives_one_case_and_shuffling_keeps_its_outcome(seed):
    case = months.generate(seed)
    assert months.generate(seed) == case
    other = months.shuffled(case, random.Random(seed))
    assert other.rows != case.rows
    assert outcome(other) == outcome(case)


def test_the_made_up_months_reach_every_verdict():
    results = [result for seed in range(20) for result in outcome(months.generate(seed)).results]
    eligible = [result for result in results if result.entry.eligible]
    passed = [result for result in eligible if result.passed]
    on_target = [result for result in eligible if result.measured.gmv_fen == result.entry.target_gmv_fen]
    one_short = [result for result in eligible if result.measured.gmv_fen + 1 == result.entry.target_gmv_fen]
    assert 0.4 < len(passed) / len(eligible) < 0.8
    assert len(on_target) > 20
    assert len(one_short) > 10
    assert {result.entry.reason for result in results} == {
        None,
        "LEVEL_NOT_OFFERED",
        "TENURE_TOO_SHORT",
        "VIOLATION",
        "NO_TARGET",
    }


@pytest.mark.parametrize("seed", range(5))
def test_the_files_carry_every_row_and_say_which(seed, tmp_path):
    case = months.generate(seed)
    files = months.write(case, tmp_path, random.Random(seed))
    carried = [row for file in files for row in file.rows]
    assert [file.path for file in files] == sorted(file.path for file in files)
    assert all(file.path.is_file() for file in files)
    assert all(row in carried for row in case.rows)
    assert oracle.fold(carried) == oracle.fold(case.rows)
