"""Simulating a month: what was published under its own terms, what the oracle says of others, and nothing written."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from bounty.accounts.service import add_user
from bounty.audit.service import Actor, acting
from bounty.db import Base, snapshot, transaction
from bounty.forecast.simulated_month import Figures
from bounty.forecast.simulation import simulate
from bounty.notices.service import publish
from bounty.roster.overrides import EntryState, override
from bounty.roster.programmes import add_programme
from bounty.roster.terms import add_terms
from bounty.rules.periods import Period
from bounty.rules.terms import Terms, read_terms
from tests import oracle
from tests.agreement import months
from tests.agreement.months import Case
from tests.agreement.verdict import import_orders, import_tables, settle_case, written
from tests.factories import (
    EASY,
    Month,
    command,
    half_month_terms,
    order_row,
    plain_terms,
    promoter,
    shanghai,
    target,
    violation,
    write_text,
)

CUTOFF = "2023-01-11 00:00:00"
NOW = "2023-01-11T00:00:00+08:00"


@pytest.fixture
def month(engine: Engine, tmp_path: Path) -> Month:
    """December 2022 on the first morning on which it can be settled."""
    return Month(engine, tmp_path, now=CUTOFF)


def other_terms(case: Case, seed: int, *, same_levels: bool) -> str:
    """Terms of another generated month, from the case's period on."""
    other = months.generate(seed, promoters=1).terms_toml
    start = other.index("[task]")
    if not same_levels:
        rest = other[start:]
    else:
        own, levels, subsidy = case.terms_toml, "\n[levels.", "\n[subsidy]"
        rest = (
            other[start : other.index(levels)]
            + own[own.index(levels) : own.index(subsidy)]
            + other[other.index(subsidy) :]
        )
    return f'name = "other"\neffective_from = "{case.period}"\n\n{rest}'


def by_the_oracle(case: Case, toml: str) -> Figures:
    terms, orders = oracle.read_terms(toml), oracle.fold(case.rows)
    roster = oracle.roster(case.period, terms, case.promoters, case.violations, case.targets, orders)
    settlement = oracle.settle(case.period, terms, roster, orders, case.links)
    eligible = [result for result in settlement.results if result.entry.eligible]
    return Figures(
        eligible=len(eligible),
        passed=sum(result.passed for result in eligible),
        orders=sum(result.measured.orders for result in eligible),
        gmv_fen=sum(result.measured.gmv_fen for result in eligible),
        lines=len(settlement.lines),
        subsidy_fen=sum(line.subsidy_fen for line in settlement.lines),
    )


def taken_in(engine: Engine, case: Case, folder: Path) -> None:
    verdict = written(case, folder, random.Random(case.seed), asked=0)
    import_tables(engine, case, verdict.folder)
    import_orders(engine, case, verdict)


def everything(engine: Engine) -> dict[str, list[str]]:
    """The content of every table."""
    with snapshot(engine) as connection:
        return {
            table.name: sorted(str(row) for row in connection.execute(select(table)))
            for table in Base.metadata.sorted_tables
        }


def simulated(engine: Engine, terms: Terms, period: str, now: int) -> Any:
    with snapshot(engine) as connection:
        return simulate(connection, terms, Period.parse(period), now)


@pytest.mark.parametrize("seed", [2, 12, 29])
def test_a_generated_month_gives_what_was_published_and_what_the_oracle_says_of_other_terms(
    engine: Engine, tmp_path: Path, seed: int
) -> None:
    case = months.generate(seed, promoters=40)
    taken_in(engine, case, tmp_path)
    # Not open yet: the roster is what opening it now would freeze, whatever the terms.
    for other in (seed + 100, seed + 200):
        toml = other_terms(case, other, same_levels=False)
        found = simulated(engine, read_terms(toml), case.period, 2**33)
        assert (found.figures, found.against) == (by_the_oracle(case, toml), None)
    settle_case(engine, case)
    with transaction(engine) as connection:
        publish(connection, Period.parse(case.period), case.now, approval_required=False)
    before = everything(engine)
    found = simulated(engine, read_terms(case.terms_toml), case.period, case.now)
    assert found.figures == found.against == by_the_oracle(case, case.terms_toml)
    assert (found.difference.causes, found.difference.flips) == ([], [])
    for other in (seed + 300, seed + 400):
        # Open: levels and eligibility stay, so the levels do; formulas count by the other clauses and caps.
        toml = other_terms(case, other, same_levels=True)
        terms = read_terms(toml)
        found = simulated(engine, terms, case.period, 2**33)
        assert found.figures == by_the_oracle(case, toml)
        assert found.against == by_the_oracle(case, case.terms_toml)
        causes = found.difference.causes
        assert (
            sum(cause.subsidy_fen for cause in causes)
            == found.figures.subsidy_fen - found.against.subsidy_fen
        )
        assert sum(cause.passed for cause in causes) == found.figures.passed - found.against.passed
        flips = found.difference.flips
        assert sum(1 if flip.passes else -1 for flip in flips) == found.figures.passed - found.against.passed
    assert everything(engine) == before


LEVELS = {1: "V0", 2: "V1", 3: "V2", 4: "V2", 5: "V0"}
"""Promoter -> level; the terms in force offer no V2."""
PAID_FEN = {1: 300_00, 2: 50_00, 3: 40_00, 4: 80_00, 5: 1_00}
"""Promoter -> fen of their one order; the terms in force give back all that was paid."""


@pytest.fixture
def published(month: Month) -> Month:
    """Promoters 1, 2 and 5 passed: 300.00 + 50.00 + 1.00."""
    month.table("promoters", *(promoter(who, level=level) for who, level in LEVELS.items()))
    month.table("violations", violation(4))
    month.table("targets", target(5, gmv_yuan="1.00"))
    month.terms(plain_terms())
    month.open()
    month.orders(*(order_row(number=who, promoter_id=who, amount_fen=fen) for who, fen in PAID_FEN.items()))
    month.settle()
    month.publish()
    return month


def test_a_difference_is_told_by_cause_and_names_who_flips(published: Month) -> None:
    levels = {
        "V0": EASY["V0"],
        "V1": 'direct_only = false\ngmv_yuan = "60.00"',
        "V2": 'direct_only = true\ngmv_yuan = "0.01"',
    }
    toml = plain_terms(levels=levels, caps='order_cap_yuan = "250.00"', tiers=(("1.00", 500),))
    found = simulated(published.engine, read_terms(toml), "2022-12", published.now)
    assert found.against == found.difference.was
    assert found.against.subsidy_fen == 300_00 + 50_00 + 1_00
    assert found.figures.subsidy_fen == 150_00 + 20_00 + 50
    assert (found.against.eligible, found.figures.eligible) == (3, 4)  # 4 has a violation under any terms
    assert [(cause.code, cause.passed, cause.subsidy_fen) for cause in found.difference.causes] == [
        ("ELIGIBILITY", 1, 40_00),
        ("TARGET", -1, -50_00),
        ("CAP", 0, -50_00),
        ("RATE", 0, -100_00 - 20_00 - 50),
    ]
    flips = [
        (flip.promoter_id, flip.passes, flip.was_subsidy_fen, flip.subsidy_fen)
        for flip in found.difference.flips
    ]
    assert flips == [(2, False, 50_00, 0), (3, True, 0, 20_00)]


def test_which_orders_count_is_a_cause_of_its_own(published: Month) -> None:
    terms = read_terms(plain_terms(first_day=6))  # all were paid on the 5th
    found = simulated(published.engine, terms, "2022-12", published.now)
    assert found.figures == Figures(eligible=3, passed=0, orders=0, gmv_fen=0, lines=0, subsidy_fen=0)
    assert [(cause.code, cause.passed, cause.subsidy_fen) for cause in found.difference.causes] == [
        ("CLAUSES", -3, -351_00)
    ]


def test_an_open_month_keeps_eligibility_and_given_targets_but_for_levels_not_offered(
    published: Month,
) -> None:
    levels = {"V0": 'direct_only = true\nmin_tenure_months = 99\ngmv_yuan = "200.00"'}
    terms = read_terms(plain_terms(levels=levels))
    found = simulated(published.engine, terms, "2022-12", published.now)
    # 1 still passes with 200.00 counted, and 5 with its own target of 1.00; 2 has a level that is not offered any more.
    assert (found.figures.eligible, found.figures.passed, found.figures.subsidy_fen) == (2, 2, 301_00)
    assert [cause.code for cause in found.difference.causes] == ["ELIGIBILITY"]
    assert [en for _zh, en in found.notes] == [
        "The tenure asked of V0 differs, but 2022-12 is open: eligibility stays as it was frozen."
    ]


def test_an_override_stands_while_the_terms_of_its_level_do(engine: Engine, tmp_path: Path) -> None:
    month = Month(engine, tmp_path, now="2022-12-20 12:00:00")
    month.table("promoters", promoter(1), promoter(2))
    month.terms(plain_terms())
    month.open()
    month.orders(*(order_row(number=who, promoter_id=who, amount_fen=100_00) for who in (1, 2)))
    with transaction(engine) as connection:
        user_id = add_user(
            connection,
            email="operator@example.com",
            name="示例·周衡",
            role="operator",
            password="sample-data-only",
            now=month.now,
        )
    with transaction(acting(engine, Actor("operator@example.com", user_id, "operator"))) as connection:
        override(connection, month.period, 1, EntryState(None, 500_00, None), "目标有误", month.now)
    month.now = shanghai(CUTOFF)
    month.settle()
    month.publish()
    found = simulated(engine, read_terms(plain_terms()), "2022-12", month.now)
    assert found.figures == found.against
    assert found.figures.passed == 1
    levels = EASY | {"V0": 'direct_only = true\ngmv_yuan = "99.00"'}
    changed = simulated(engine, read_terms(plain_terms(levels=levels)), "2022-12", month.now)
    assert changed.figures.passed == 2


def test_the_command_prints_what_the_contract_says(
    published: Month, tmp_path: Path, database_url: str
) -> None:
    path = write_text(tmp_path / "terms.toml", plain_terms())

    def said(*arguments: str) -> str:
        result = command(database_url, NOW, "simulate", str(path), *arguments)
        assert (result.exit_code, result.stderr) == (0, "")
        return result.stdout

    december = {"eligible": 3, "passed": 3, "orders": 3, "gmv_fen": 251_00, "lines": 3, "subsidy_fen": 351_00}
    nothing = {"eligible": 3, "passed": 0, "orders": 0, "gmv_fen": 0, "lines": 0, "subsidy_fen": 0}
    before, judged = json.loads(said("--periods", "2022-11..2022-12", "--json"))
    assert before == {"period": "2022-11", **nothing, "against": None, "difference": None, "notes": []}
    assert judged.pop("difference") == {"in_force": december, "causes": [], "flips": []}
    assert judged == {"period": "2022-12", **december, "against": december, "notes": []}
    text = said("--periods", "2022-12")
    assert "these terms     3 eligible, 3 passed, 3 orders, GMV ¥251.00, 3 lines, subsidy ¥351.00\n" in text
    varied = json.loads(
        said("--periods", "2022-12", "--vary", "subsidy.order_cap_yuan=100..300:100", "--json")
    )
    assert [(row["value"], row["periods"][0]["subsidy_fen"]) for row in varied] == [
        ("100.00", 151_00),
        ("200.00", 251_00),
        ("300.00", 351_00),
    ]
    table = said("--periods", "2022-12", "--vary", "subsidy.tiers.0.rate_permille=0..1000:500").splitlines()
    assert [line.split() for line in table[1:]] == [
        ["0", "3", "¥0.00", "¥0.00"],
        ["500", "3", "¥175.50", "¥175.50"],
        ["1000", "3", "¥351.00", "¥351.00"],
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--periods", "2022-13"), "'2022-13' is not a period"),
        (("--periods", "2022-12.."), "'' is not a period"),
        (("--periods", "2022-12..2022-11"), "comes after the last"),
        (("--periods", "2023-02"), "2023-02 has not begun"),
        (("--periods", "2022-12", "--vary", "subsidy.order_cap_yuan"), "write KEY=FROM..TO:STEP"),
        (("--periods", "2022-12", "--vary", "subsidy.order_cap_yuan=1..2:0"), "a step above 0"),
        (("--periods", "2022-12", "--vary", "subsidy.order_cap_yuan=1..200:1"), "at most 100 values"),
        (
            ("--periods", "2022-12", "--vary", "subsidy.order_cap_yuan=0..1:1"),
            "subsidy.order_cap_yuan: must be above",
        ),
        (("--periods", "2022-12", "--vary", "levels.V7.orders=1..2:1"), "no such number to vary"),
        (("--periods", "2022-12", "--vary", "subsidy.tiers.5.at=1..2:1"), "no such number to vary"),
        (
            ("--periods", "2022-12", "--vary", "task.last_day=1.5..2:1"),
            "task.last_day: write a day of the month from 1 to 31",
        ),
        (
            ("--periods", "2022-12", "--vary", "task.no_such_key=1..2:1"),
            "task.no_such_key: is not a key of terms",
        ),
    ],
)
def test_what_can_not_be_simulated_is_refused_in_one_sentence(
    published: Month, tmp_path: Path, database_url: str, arguments: tuple[str, ...], sentence: str
) -> None:
    path = write_text(tmp_path / "terms.toml", plain_terms())
    result = command(database_url, NOW, "simulate", str(path), *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr


def test_half_months_of_a_programme_give_what_they_published(
    engine: Engine, tmp_path: Path, database_url: str
) -> None:
    with transaction(engine) as connection:
        add_programme(connection, "sprint", "冲刺", 0)
    formula = '{ history_periods = 3, factor = "1.10", floor = "1.00", step = "1.00" }'
    levels = {"V0": f"direct_only = true\ngmv_yuan = {formula}"}
    toml = half_month_terms(plain_terms(levels=levels))
    half = Month(engine, tmp_path, period="sprint:2022-12a", now=CUTOFF)
    half.table("promoters", promoter())
    half.orders(
        order_row(number=1, amount_fen=9_00, paid="2022-11-12 12:00:00", received="2022-11-15 12:00:00"),
        order_row(number=2, amount_fen=5_00, paid="2022-12-15 23:59:59", received="2022-12-20 12:00:00"),
        order_row(number=4, amount_fen=7_00, paid="2022-12-16 00:00:00", received="2022-12-20 12:00:00"),
    )
    half.terms(toml)
    half.open()
    half.settle()
    half.publish()
    path = write_text(tmp_path / "sprint.toml", toml)
    ran = command(
        database_url,
        NOW,
        "simulate",
        str(path),
        "--periods",
        "2022-12a..2022-12b",
        "--programme",
        "sprint",
        "--json",
    )
    assert ran.exit_code == 0, ran.output
    first, second = json.loads(ran.stdout)
    assert (first["programme"], first["period"], second["period"]) == ("sprint", "2022-12a", "2022-12b")
    assert {name: first[name] for name in first["against"]} == first["against"]
    # 3.30 = 1.10 x 9.00 / 3, rounded up to 4.00; the second half is not open, and has a target of its own.
    assert (first["passed"], first["gmv_fen"], first["subsidy_fen"]) == (1, 5_00, 5_00)
    assert (second["passed"], second["gmv_fen"], second["against"]) == (1, 7_00, None)


@pytest.mark.parametrize(
    ("span", "programme", "said"),
    [
        ("2022-12", "sprint", "write 2022-12a or 2022-12b"),
        ("2022-12a", "main", 'these terms have the cycle "month"'),
        ("2022-12a..2022-12", "sprint", "of one programme and of one cycle"),
        ("main:2022-12", "sprint", "of programme main, and --programme says sprint"),
        ("2022-12", "nope", "no programme 'nope'"),
    ],
)
def test_a_period_that_does_not_fit_is_refused(
    engine: Engine, tmp_path: Path, database_url: str, span: str, programme: str, said: str
) -> None:
    month = Month(engine, tmp_path)
    with transaction(engine) as connection:
        add_programme(connection, "sprint", "冲刺", 0)
        add_terms(connection, half_month_terms(), month.now, "sprint")
    path = write_text(tmp_path / "terms.toml", plain_terms())
    ran = command(database_url, NOW, "simulate", str(path), "--periods", span, "--programme", programme)
    assert (ran.exit_code, ran.stdout, ran.stderr.count("\n")) == (1, "", 1)
    assert said in ran.stderr
