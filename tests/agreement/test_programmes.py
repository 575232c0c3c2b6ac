"""Three programmes over the same orders, by months and by half-months: engine and oracle agree on each, whatever the
order in which they are settled and published.
"""

import json
import random
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from bounty import importer
from bounty.checks import books
from bounty.db import snapshot, transaction
from bounty.notices.service import export, publish
from bounty.progress.service import explain, progress_of
from bounty.roster.programmes import add_programme
from bounty.roster.service import open_roster
from bounty.roster.terms import add_terms
from bounty.rules.periods import MAIN, Period
from bounty.settlement.service import settle
from tests import oracle
from tests.agreement import months
from tests.agreement.months.case import TARGET_COLUMNS, Case, CsvRow
from tests.agreement.months.files import write_table
from tests.agreement.months.terms import any_terms
from tests.agreement.verdict import files_of, import_orders, import_tables, written

SEEDS = (3, 21, 34)


@dataclass
class Side:
    """A programme as the oracle knows it."""

    code: str
    toml: str
    periods: list[str]
    terms: oracle.Terms = field(init=False)
    lines: dict[str, set[str]] = field(default_factory=dict)
    """Period -> the orders with a line in its newest notice."""
    notices: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.terms = oracle.read_terms(self.toml)

    def period(self, name: str) -> Period:
        return Period.parse(name, self.code)


def by_halves(toml: str, rng: random.Random) -> str:
    """Terms of a month as terms of its halves."""
    first_day, last_day = rng.choice(
        [(1, '"end"'), (1, "15"), (2, "10"), (1, "20"), (16, "31"), (3, '"end"')]
    )
    toml = re.sub(r'effective_from = "(.*)"', r'effective_from = "\1a"\ncycle = "half-month"', toml)
    toml = re.sub(r"first_day = .*", f"first_day = {first_day}", toml)
    toml = re.sub(r"last_day = .*", f"last_day = {last_day}", toml)
    return re.sub(
        r"receipt_cutoff_day = .*", f"receipt_cutoff_days = {rng.choice([1, 10, 12, 15, 30, 60])}", toml
    )


def exclusive(toml: str) -> str:
    return toml.replace("[subsidy]\n", "[subsidy]\nexclusive = true\n")


def three_programmes(case: Case, rng: random.Random) -> list[Side]:
    """Main under the case's terms, a month beside it, and both halves; some of them exclusive."""
    halves = by_halves(any_terms(rng, case.period), rng)
    both = [f"{case.period}b"] if "first_day = 16" in halves else [f"{case.period}a", f"{case.period}b"]
    tomls = [(MAIN, case.terms_toml, [case.period]), ("v2-v3", any_terms(rng, case.period), [case.period])]
    sides = [*tomls, ("sprint", halves, both)]
    strict = rng.sample(range(3), k=2)
    return [
        Side(code, exclusive(toml) if at in strict else toml, periods)
        for at, (code, toml, periods) in enumerate(sides)
    ]


def own_targets(case: Case, sides: list[Side], rng: random.Random) -> dict[str, list[CsvRow]]:
    """Programme -> its rows of targets, with periods as the oracle has them: the case's own, and some for others."""
    given = {side.code: list[CsvRow]() for side in sides}
    given[MAIN] = case.targets
    for side in sides[1:]:
        for row in rng.sample(case.targets, k=min(4, len(case.targets))):
            given[side.code].append(row | {"period": rng.choice(side.periods)})
    return given


@pytest.mark.parametrize("seed", SEEDS)
def test_three_programmes_settle_and_publish_as_the_oracle_says(
    engine: Engine, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    case = months.generate(seed, promoters=12)
    sides = three_programmes(case, rng)
    targets = own_targets(case, sides, rng)
    verdict = written(case, tmp_path / "files", random.Random(seed), asked=0)
    orders = oracle.fold(case.rows)
    now = case.now + 120 * 86400  # past every cutoff
    import_tables(engine, case, verdict.folder)
    import_orders(engine, case, verdict)
    for side in sides[1:]:
        rows = [row | {"period": f"{side.code}:{row['period']}"} for row in targets[side.code]]
        write_table(tmp_path / "targets.csv", TARGET_COLUMNS, rows, rng)
        assert importer.import_file(engine, "targets", tmp_path / "targets.csv", now).counts.quarantined == 0
        with transaction(engine) as connection:
            assert add_programme(connection, side.code, side.code.upper(), now)
    with transaction(engine) as connection:
        for side in sides:
            add_terms(connection, side.toml, now, side.code)
            for name in side.periods:
                open_roster(connection, side.period(name), now)
    rosters = {
        (side.code, name): oracle.roster(
            name, side.terms, case.promoters, case.violations, targets[side.code], orders
        )
        for side in sides
        for name in side.periods
    }
    turns = [(side, name) for side in sides for name in side.periods] * 2
    rng.shuffle(turns)
    last_id = 0
    for side, name in turns:
        elsewhere = {
            order_sn
            for other in sides
            if other is not side
            for lines in other.lines.values()
            for order_sn in lines
        }
        expected = oracle.settle(name, side.terms, rosters[side.code, name], orders, case.links, elsewhere)
        with transaction(engine) as connection:
            settled = settle(connection, side.period(name), now)
        results, lines = files_of(engine, settled, side.period(name))
        assert results.decode() == oracle.results_csv(expected).decode(), (side.code, name)
        assert lines.decode() == oracle.lines_csv(expected).decode(), (side.code, name)
        if settled.created:
            assert settled.settlement_id == last_id + 1  # numbered over all programmes
            last_id += 1
        with transaction(engine) as connection:
            notice = publish(connection, side.period(name), now, approval_required=False)
        number = side.notices.get(name, 0)
        assert notice.notice == number + notice.created  # numbered within programme and period
        side.notices[name] = notice.notice
        side.lines[name] = {line.order_sn for line in expected.lines}
        manifest = exported(engine, side.period(name), tmp_path / "out")
        assert manifest.get("programme", MAIN) == side.code
        assert (manifest["period"], manifest["notice"]) == (name, notice.notice)
        if settled.created:  # else the settlement that stands went by the notices of when it ran
            explained(engine, side, name, expected, elsewhere, now)
    with snapshot(engine) as connection:
        for side in sides:
            for name in side.periods:
                for entry in rosters[side.code, name][:4]:
                    told = progress_of(connection, side.period(name), entry.promoter_id, now).as_json()
                    said: dict[str, Any] = {**told}
                    assert said.get("programme", MAIN) == side.code
                    for key, value in oracle.progress(name, side.terms, entry, orders).items():
                        if key != "targets" or entry.eligible:
                            assert said[key] == value, (side.code, name, entry.promoter_id, key)
        assert [finding for finding in books.run_checks(connection) if finding.violations] == []


def exported(engine: Engine, period: Period, folder: Path) -> dict[str, object]:
    """The manifest of what was published, as it stands in its file."""
    with snapshot(engine) as connection:
        export(connection, period, folder, draft=False, notice=None, statements=True)
    manifest: dict[str, object] = json.loads((folder / "manifest.json").read_text())
    return manifest


def explained(
    engine: Engine, side: Side, name: str, expected: oracle.Settlement, elsewhere: set[str], now: int
) -> None:
    """An order that earned, and one that another programme kept from it, explain themselves so."""
    earned = {line.order_sn: line.subsidy_fen for line in expected.lines}
    with snapshot(engine) as connection:
        for order_sn in [*sorted(earned)[:1], *sorted(elsewhere - set(earned))[:1]]:
            said = explain(connection, order_sn, now, side.code).as_json()
            if said["period"] != name:
                continue
            last = said["subsidy"]["clauses"][-1]
            assert last["code"] == "NOT_IN_OTHER_PROGRAMME"
            assert last["holds"] is not (side.terms.exclusive and order_sn in elsewhere)
            assert said["subsidy"]["subsidy_fen"] == earned.get(order_sn, 0)
            if not last["holds"]:
                programme, *_, number = str(last["fact"]).split()
                assert programme != side.code
                assert int(number) >= 1
