"""One month, one content hash: whatever the zone, the locale, the hash seed, the database and the road of the rows."""

import random
from pathlib import Path
from typing import Any

import pytest

from bounty.rules.terms import read_terms
from tests import oracle
from tests.agreement import months
from tests.agreement.months import Case
from tests.factories import bounty

MACHINES = {
    "UTC": {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "0"},
    "Shanghai": {"TZ": "Asia/Shanghai", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "1"},
    "Los Angeles": {"TZ": "America/Los_Angeles", "LC_ALL": "C", "LANG": "en_US", "PYTHONHASHSEED": "4242"},
}


@pytest.fixture(scope="module")
def case() -> Case:
    """A generated month with lines to hash."""
    return months.generate(13, promoters=24)


@pytest.fixture(scope="module")
def files(case: Case) -> tuple[bytes, bytes]:
    """What results.csv and subsidy_lines.csv must be, by the oracle."""
    terms, orders = oracle.read_terms(case.terms_toml), oracle.fold(case.rows)
    roster = oracle.roster(case.period, terms, case.promoters, case.violations, case.targets, orders)
    settlement = oracle.settle(case.period, terms, roster, orders, case.links)
    assert len(settlement.lines) > 20
    return oracle.results_csv(settlement), oracle.lines_csv(settlement)


@pytest.mark.parametrize("machine", MACHINES)
def test_the_content_hash_is_the_same_on_every_machine_by_every_road(
    database_url: str, tmp_path: Path, case: Case, files: tuple[bytes, bytes], machine: str
) -> None:
    rng = random.Random(machine)
    order_files = [file.path for file in months.write(months.shuffled(case, rng), tmp_path / "in", rng)]
    again = rng.sample(order_files, k=len(order_files))

    def command(*arguments: Any) -> list[str]:
        ran = bounty(database_url, *arguments, now=oracle.instant_text(case.now), **MACHINES[machine])
        assert (ran.returncode, ran.stderr) == (0, "")
        return ran.stdout.splitlines()

    for kind in ("promoters", "violations", "links", "targets"):
        command("import", kind, tmp_path / "in" / f"{kind}.csv")
    told = command("import", "orders", *order_files, *again)
    assert all(" new=0 changed=0 " in line and " stale=0 " in line for line in told[len(order_files) :])
    command("terms", "add", tmp_path / "in" / "terms.toml")
    command("open", case.period)
    terms_sha256 = read_terms(case.terms_toml).sha256
    expected = f"content sha256:{oracle.content_sha256(terms_sha256, *files)}"
    for _ in range(2):
        assert command("settle", case.period)[1] == expected
    command("export", case.period, "--draft", "--out", tmp_path / "out")
    results, lines = ((tmp_path / "out" / name).read_bytes() for name in ("results.csv", "subsidy_lines.csv"))
    assert (results, lines) == files
