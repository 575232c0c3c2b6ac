"""The gates bite: each mistake, planted alone into a copy of the source, turns the suite red.

Beside each plant stands the smallest part of the suite that finds it; the same parts are green on a copy without one.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.soak  # real processes by the hundred: minutes, and for a quiet machine

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("bounty", "migrations", "templates", "tests", "config.py", "pyproject.toml")
BOUNDARIES = "tests/stages/test_boundaries.py"
ROSTER = "tests/stages/test_roster.py"
FAULTS = "tests/faults/test_faults.py"


@dataclass(frozen=True, slots=True)
class Plant:
    """A mistake: a line of the source with another in its place."""

    name: str
    file: str
    right: str
    """Must be there exactly once."""
    wrong: str
    found_by: str
    """A file of tests, and parts of a test's name as pytest's -k takes them."""
    helper: str = ""
    """What the wrong line calls, added at the end of the file."""


PLANTS = (
    Plant(
        "<= at the end of the task window",
        "bounty/rules/clauses.py",
        "facts.paid_at >= bounds.task_from, facts.paid_at < bounds.task_until",
        "facts.paid_at >= bounds.task_from, facts.paid_at <= bounds.task_until",
        f"{BOUNDARIES}::case_01",
    ),
    Plant(
        "<= at the receipt cutoff",
        "bounty/rules/clauses.py",
        "facts.received_at.is_not(None), facts.received_at < bounds.receipt_cutoff",
        "facts.received_at.is_not(None), facts.received_at <= bounds.receipt_cutoff",
        f"{BOUNDARIES}::case_02",
    ),
    Plant(
        # The clause and each query's own range hold the same bound: <= in all of them at once.
        "<= at the end of the month",
        "bounty/rules/periods.py",
        "month_until=midnight(following.first_day),",
        "month_until=midnight(following.first_day) + 1,",
        f"{BOUNDARIES}::case_01",
    ),
    Plant(
        "> for >= where a failure comes too late to matter",
        "bounty/rules/clauses.py",
        "facts.failed_at.is_(None), facts.failed_at >= bounds.receipt_cutoff",
        "facts.failed_at.is_(None), facts.failed_at > bounds.receipt_cutoff",
        f"{BOUNDARIES}::case_05",
    ),
    Plant(
        "> for >= at the beginning of the task window",
        "bounty/rules/clauses.py",
        "facts.paid_at >= bounds.task_from, facts.paid_at < bounds.task_until",
        "facts.paid_at > bounds.task_from, facts.paid_at < bounds.task_until",
        f"{BOUNDARIES}::case_01",
    ),
    Plant(
        "> for >= at the beginning of the month",
        "bounty/rules/periods.py",
        "month_from=midnight(period.first_day),",
        "month_from=midnight(period.first_day) + 1,",
        f"{BOUNDARIES}::case_01",
    ),
    Plant(
        "<= where a settlement waits for the cutoff",
        "bounty/settlement/service.py",
        "if now < bounds.receipt_cutoff:",
        "if now <= bounds.receipt_cutoff:",
        "tests/stages/test_settlement.py::refuses_until_the_receipt_cutoff_to_the_second",
    ),
    Plant(
        "<= for who registered on the first day",
        "bounty/roster/queries.py",
        "ranked.c.registered_on < first_day",
        "ranked.c.registered_on <= first_day",
        f"{ROSTER}::is_on_the_roster_if_registered_before_the_month",
    ),
    Plant(
        "< for a level that begins on the first day",
        "bounty/roster/queries.py",
        "Level.level_from <= first_day",
        "Level.level_from < first_day",
        f"{ROSTER}::the_level_is_the_newest_that_has_begun",
    ),
    Plant(
        "<= for a violation of the first day",
        "bounty/roster/queries.py",
        "Violation.occurred_on < first_day",
        "Violation.occurred_on <= first_day",
        f"{ROSTER}::a_violation_counts_from_the_day_before",
    ),
    Plant(
        "> for a violation cleared on the first day",
        "bounty/roster/queries.py",
        "Violation.cleared_on >= first_day",
        "Violation.cleared_on > first_day",
        f"{ROSTER}::a_violation_counts_from_the_day_before",
    ),
    Plant(
        ">= for tenure reached to the day",
        "bounty/roster/eligibility.py",
        "if candidate.registered_on > latest:",
        "if candidate.registered_on >= latest:",
        f"{BOUNDARIES}::case_08",
    ),
    Plant(
        "> for a tier reached exactly",
        "bounty/rules/sql_math.py",
        "return measured >= least",
        "return measured > least",
        "tests/stages/test_settlement.py::the_smallest_share_of_the_targets_decides_exactly",
    ),
    Plant(
        "UTC for Shanghai",
        "bounty/clock.py",
        'SHANGHAI = ZoneInfo("Asia/Shanghai")',
        'SHANGHAI = ZoneInfo("UTC")',
        f"{BOUNDARIES}::case_01",
    ),
    Plant(
        "the cap forgotten",
        "bounty/rules/measure.py",
        "capped = capped_at(facts.order_amount_fen, terms.task.order_cap_fen)",
        "capped = capped_at(facts.order_amount_fen, None)",
        f"{BOUNDARIES}::case_03",
    ),
    Plant(
        "half-up for half-even",
        "bounty/rules/sql_math.py",
        "return whole + case((rest > 500, 1), (rest < 500, 0), else_=whole % 2)",
        "return whole + case((rest > 500, 1), (rest < 500, 0), else_=1)",
        "tests/stages/test_settlement.py::a_line_is_rounded_half_even",
    ),
    Plant(
        "arrival order for modify time",
        "bounty/orders/fold.py",
        "row.modified_at > other.modified_at,",
        "or_(row.batch_id > other.batch_id, and_(row.batch_id == other.batch_id, row.place > other.place)),",
        f"{BOUNDARIES}::case_09",
    ),
    Plant(
        "a refund ignored",
        "bounty/orders/fold.py",
        "(detail.return_status == 2, ",
        "(detail.return_status == 22, ",
        "tests/stages/test_orders.py::failed_when_its_unbroken_run_began",
    ),
    Plant(
        "the level read live, not from the roster",
        "bounty/rules/measure.py",
        "direct_only=direct_only_of(entry.level, terms),",
        "direct_only=direct_only_of(_live_level(entry.promoter_id), terms),",
        "tests/agreement/test_agreement.py::settles_as_the_oracle_says and (sqlite-29 or sqlite-37)",
        helper="""

def _live_level(promoter_id):
    from sqlalchemy import select
    from bounty.models import Level
    newest = select(Level.level).where(Level.promoter_id == promoter_id).order_by(Level.level_from.desc())
    return newest.limit(1).correlate_except(Level).scalar_subquery()
""",
    ),
    Plant(
        "catch and continue in the importer",
        "bounty/importer.py",
        "        counts = orders.import_order_rows(connection, batch_id, rows, now, told, headers)\n",
        "        try:\n"
        "            counts = orders.import_order_rows(connection, batch_id, rows, now, told, headers)\n"
        "        except Exception:\n"
        "            counts = Counts()\n",
        f"{FAULTS}::an_error_in_the_fold_is_refused",
    ),
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The source, to make mistakes in."""
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def plant(copy: Path, mistake: Plant) -> None:
    """Make a mistake in a copy.

    Raises AssertionError if its line is not there, or more than once: the source has moved on, and so must the plant.
    """
    path = copy / mistake.file
    source = path.read_text(encoding="utf-8")
    assert source.count(mistake.right) == 1, f"{mistake.right!r} in {mistake.file}"
    path.write_text(source.replace(mistake.right, mistake.wrong) + mistake.helper, encoding="utf-8")


def run(copy: Path, found_by: set[str]) -> subprocess.CompletedProcess[str]:
    """Tests of a copy, on SQLite where there is a choice: it is quicker."""
    files = sorted({one.partition("::")[0] for one in found_by})
    names = " or ".join(sorted(f"({one.partition('::')[2]})" for one in found_by))
    options = ["-q", "-x", "-m", "", "-p", "no:cacheprovider", "-k", f"({names}) and not postgresql"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *files],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("mistake", PLANTS, ids=lambda mistake: mistake.name)
def test_a_planted_mistake_turns_the_suite_red(copy: Path, mistake: Plant) -> None:
    plant(copy, mistake)
    found = run(copy, {mistake.found_by})
    assert found.returncode == 1, found.stdout[-3000:]
    # It says or refuses otherwise than it should: a mistake that merely crashes would prove nothing.
    said_otherwise = re.search(r"^\S+:\d+: (AssertionError|BountyError)$", found.stdout, re.MULTILINE)
    assert said_otherwise, found.stdout[-3000:]


def test_without_a_mistake_the_same_tests_are_green(copy: Path) -> None:
    found = run(copy, {mistake.found_by for mistake in PLANTS})
    assert found.returncode == 0, found.stdout[-3000:]


def test_a_plant_whose_line_has_moved_is_no_plant(copy: Path) -> None:
    gone = Plant("a line that is gone", "bounty/clock.py", "from time import sundial", "", "")
    with pytest.raises(AssertionError, match="sundial"):
        plant(copy, gone)
