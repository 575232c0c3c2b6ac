"""How good forecasts are, on generated months: docs/forecast.md has its figures from here (``make soak``)."""

import json
import random
from pathlib import Path

import pytest
from sqlalchemy import Engine

from bounty import importer
from bounty.clock import read_instant
from bounty.db import snapshot, transaction
from bounty.forecast.backtest import backtest, day_name, replayable
from bounty.roster.service import open_roster
from bounty.roster.terms import add_terms
from bounty.rules.terms import read_terms
from bounty.sample.context import HISTORY_MONTHS, SampleContext, months_until
from bounty.sample.files import write_links, write_promoters, write_targets, write_violations
from bounty.sample.orders import draw_orders
from bounty.sample.people import draw_links, draw_people, draw_violations
from bounty.sample.rows import list_row
from bounty.sample.sales_targets import draw_imported_targets
from bounty.sample.terms import sample_terms
from bounty.sample.updates import Update

PROMOTERS, ORDERS = 600, 60_000
NOW = read_instant("2023-01-28T12:00:00+08:00")


def import_months(engine: Engine, folder: Path, seed: int) -> None:
    """Months of the sample, with every update of an order that the platform would give; those with terms are open."""
    months = months_until(NOW)
    toml = sample_terms(effective_from=months[HISTORY_MONTHS])
    context = SampleContext(random.Random(seed), NOW, read_terms(toml), months)
    people = draw_people(context, PROMOTERS, ORDERS)
    violations = draw_violations(context, people)
    context.imported_targets = draw_imported_targets(
        context, people, {each.promoter_id for each in violations}
    )
    orders = draw_orders(context, people, ORDERS)
    links = draw_links(context, people)
    with (folder / "orders.jsonl").open("w", encoding="utf-8") as file:
        for order in orders:
            for step in order.steps:
                if step.modified_at <= NOW and step.return_status is None:
                    file.write(json.dumps(list_row(Update(order, step)), ensure_ascii=False) + "\n")
    files = {
        "promoters": write_promoters(folder, people),
        "violations": write_violations(folder, violations),
        "links": write_links(folder, links),
        "targets": write_targets(folder, context.imported_targets),
        "orders": folder / "orders.jsonl",
    }
    for kind, path in files.items():
        importer.import_file(engine, kind, path, NOW)
    with transaction(engine) as connection:
        add_terms(connection, toml, NOW)
        for month in months[HISTORY_MONTHS:]:
            open_roster(connection, month, NOW)


@pytest.mark.soak
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("seed", [1, 2])
def test_forecasts_beat_both_baselines_and_ranges_hold_what_they_promise(
    engine: Engine, tmp_path: Path, seed: int
) -> None:
    import_months(engine, tmp_path, seed)
    scores = []
    with snapshot(engine) as connection:
        for score in backtest(connection, replayable(connection, NOW), seed):
            scores.append(score)
            print(
                f"seed {seed}, {day_name(score.day)}: {score.promoters} promoter-months, Brier {score.brier:.4f}, "
                f"pace {score.brier_pace:.4f}, last month {score.brier_last_month:.4f}; "
                f"{score.held:.1%} of {score.ranges} ranges held; "
                f"all promised {score.all_promised:.1%}, held {score.all_held:.1%}"
            )
            for said, passed, promoters in score.bins:
                print(f"    {said:6.1%} {passed:6.1%} {promoters:5}")
    for score in scores:
        assert score.brier < min(score.brier_pace, score.brier_last_month), score.day
        assert 0.75 <= score.held <= 0.85, (score.day, score.held)
