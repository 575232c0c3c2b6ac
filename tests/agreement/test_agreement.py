"""Generated months, thick with edges: from the files on, engine and oracle agree to the fen on both databases."""

import random
from pathlib import Path

import pytest
from sqlalchemy import Engine

from bounty import importer
from bounty.rules.periods import Period
from tests.agreement import months, third
from tests.agreement.verdict import (
    agree,
    files_of,
    import_orders,
    import_tables,
    in_figures,
    settle_case,
    written,
)

SEEDS = range(40)
EACH_RUN = {*range(10), 29, 37}
"""Of every run; the others are of `make soak`."""


def promoters_of(seed: int) -> int:
    return 50 + seed * 37 % 151  # 50 to 200


@pytest.mark.parametrize(
    "seed", [seed if seed in EACH_RUN else pytest.param(seed, marks=pytest.mark.soak) for seed in SEEDS]
)
def test_a_month_settles_as_the_oracle_says(engine: Engine, tmp_path: Path, seed: int) -> None:
    case = months.generate(seed, promoters=promoters_of(seed))
    agree(engine, case, written(case, tmp_path, random.Random(seed)))


@pytest.mark.parametrize("seed", SEEDS[::4])
def test_the_oracle_has_a_third_opinion_on_its_side(tmp_path: Path, seed: int) -> None:
    """In SQL for another engine, from the raw rows on."""
    case = months.generate(seed, promoters=promoters_of(seed) // 4)
    settlement = written(case, tmp_path / "files", random.Random(seed), asked=0).settlement
    results, lines = third.opinion(case, tmp_path)
    assert results == in_figures(settlement)[0]
    assert lines == in_figures(settlement)[1]


@pytest.mark.parametrize("seed", [3, 17])
def test_order_and_repetition_of_the_input_do_not_matter(engine: Engine, tmp_path: Path, seed: int) -> None:
    case = months.generate(seed, promoters=60)
    verdict = written(case, tmp_path / "once", random.Random(seed), asked=0)
    import_tables(engine, case, verdict.folder)
    import_orders(engine, case, verdict)
    shuffled = months.shuffled(case, random.Random(seed + 1))
    for file in months.write(shuffled, tmp_path / "again", random.Random(seed + 2)):
        counts = importer.import_file(engine, "orders", file.path, case.now).counts
        assert (counts.new, counts.changed) == (0, 0)
    settled = settle_case(engine, case)
    assert files_of(engine, settled, Period.parse(case.period)) == (verdict.results, verdict.lines)
