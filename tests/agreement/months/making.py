"""Whole months made up from a seed, for the engine and the oracle to agree on.

A case is what a real month is made of, only nastier: valid terms with every option turned, promoters on every edge of
the roster, orders with a life each, told in several versions, out of order, twice, in several formats. Chance puts
instants on the bounds and amounts on the caps; then, with the oracle's help, orders are added until many promoters
meet a target or a tier exactly or miss it by one fen. The same seed gives the same case.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from tests import oracle
from tests.agreement.months.case import Case, CsvRow, Row, World
from tests.agreement.months.delivery import as_delivered
from tests.agreement.months.orders import any_order
from tests.agreement.months.people import any_links, any_promoters, any_targets, any_violations, places_of
from tests.agreement.months.targets import top_up
from tests.agreement.months.terms import any_period, any_terms


def generate(seed: int, promoters: int = 30) -> Case:
    """A case of about so many promoters; some 50 rows of orders for each."""
    rng = random.Random(seed)
    period = any_period(rng)
    terms_toml = any_terms(rng, period)
    terms = oracle.read_terms(terms_toml)
    promoter_rows = any_promoters(rng, period, terms, promoters)
    ids = sorted({int(row["promoter_id"]) for row in promoter_rows})
    world = World(rng, period, terms, {promoter_id: places_of(rng, promoter_id) for promoter_id in ids})
    violations = any_violations(rng, period, ids)
    targets = any_targets(world, ids)

    busy = {promoter_id: rng.choice([0, 0, 2, 5, 8, 8, 12, 30]) for promoter_id in ids}
    rows: list[Row] = []
    for promoter_id in ids:
        for _ in range(busy[promoter_id]):
            rows += any_order(world, promoter_id)
    orders = oracle.fold(rows)
    entries = oracle.roster(
        period, terms, promoters=promoter_rows, violations=violations, targets=targets, orders=orders
    )
    owned = oracle.by_promoter(orders)
    for entry in entries:
        if entry.eligible and (busy[entry.promoter_id] or world.chance(30)):
            rows += top_up(world, entry, owned.get(entry.promoter_id, []))
    return Case(
        seed=seed,
        period=period,
        terms_toml=terms_toml,
        promoters=promoter_rows,
        violations=violations,
        links=any_links(world),
        targets=targets,
        rows=as_delivered(rng, rows),
    )


def shuffled(case: Case, rng: random.Random) -> Case:
    """The same facts by another road: orders in any order and some twice, tables in another order.

    Where a later row replaces an earlier one, the two keep their order.
    """
    rows = [*case.rows, *rng.choices(case.rows, k=len(case.rows) // 8)] if case.rows else []
    rng.shuffle(rows)
    return replace(
        case,
        promoters=_keeping_edits(rng, case.promoters, ("promoter_id", "level_from")),
        violations=_keeping_edits(rng, case.violations, ("promoter_id", "occurred_on")),
        links=_keeping_edits(rng, case.links, ("p_id",)),
        targets=_keeping_edits(rng, case.targets, ("period", "promoter_id")),
        rows=rows,
    )


def multiplied(case: Case, orders: int, rng: random.Random) -> Case:
    """The same month with so many orders in all: what is added are copies of those there, under their own numbers.

    Of most the newest row alone is known; one in twenty comes with all that was ever told of it.
    """
    lives: dict[str, list[Row]] = {}
    for row in case.rows:
        lives.setdefault(row["order_sn"], []).append(row)
    whole = [rows for rows in lives.values() if not any(oracle.is_detail(row) for row in rows)]
    added = []
    for serial in range(orders - len(lives)):
        life = rng.choice(whole)
        told = life if serial % 20 == 0 else [max(life, key=lambda row: row["order_modify_at"])]
        number = {"order_sn": f"{life[0]['order_sn'][:6]}-9{serial:014d}"}
        added += [row | number for row in told]
    return replace(case, rows=[*case.rows, *added])


def _keeping_edits(rng: random.Random, rows: Sequence[CsvRow], key: Sequence[str]) -> list[CsvRow]:
    """The rows shuffled, except that those with the same key stay in the order they had among themselves."""
    waiting: dict[tuple[str, ...], list[CsvRow]] = {}
    keys = []
    for row in rows:
        keys.append(tuple(row[name] for name in key))
        waiting.setdefault(keys[-1], []).append(row)
    rng.shuffle(keys)
    return [waiting[one].pop(0) for one in keys]
