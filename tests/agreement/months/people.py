"""Promoters on every edge of the roster, and their tables."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date, timedelta

from tests import oracle
from tests.agreement.months.case import CsvRow, World

NAMES = [
    "多多小店", "Ａ店 ㈱", 'He said "no", Ltd', "逗号,店", "=SUM(A1:A9)", "+86 推广", "-折", "@me", "＝全角", "＋加",
    "－减", "＠圈", "'quoted", "trailing ", " leading", "😀 店", "O'Brien; DROP", "名" * 60, "100%", "<b>x</b>",
]  # fmt: skip


def _promoter_ids(rng: random.Random, count: int) -> list[int]:
    """Mostly of seven digits; short and fifteen-digit ones tell an order of numbers from one of texts."""
    ids: set[int] = set()
    while len(ids) < count:
        ids.add(
            rng.choice([rng.randint(1000000, 1000999), rng.randint(1, 99), rng.randint(10**14, 10**15 - 1)])
        )
    return sorted(ids)


def places_of(rng: random.Random, promoter_id: int) -> list[str]:
    return [f"{promoter_id}_{rng.randint(1, 999999999)}" for _ in range(rng.randint(1, 4))]


def any_promoters(rng: random.Random, period: str, terms: oracle.Terms, count: int) -> list[CsvRow]:
    """The rows of promoters.csv: one to four for each promoter, in any order."""
    rows = []
    for promoter_id in _promoter_ids(rng, count):
        offered = rng.choice(sorted(terms.levels))
        registered_on = _registered_on(rng, period, terms.levels[offered].min_tenure_months or 0)
        for level, level_from in _level_steps(rng, period, offered):
            rows.append(
                {
                    "promoter_id": str(promoter_id),
                    "name": rng.choice(NAMES),
                    "level": level,
                    "level_from": level_from.isoformat(),
                    "registered_on": registered_on.isoformat(),
                }
            )
            if rng.random() < 0.04:
                registered_on += timedelta(days=rng.choice([-40, 1, 40]))
    rng.shuffle(rows)
    return rows


def _level_steps(rng: random.Random, period: str, offered: str) -> list[tuple[str, date]]:
    """Levels with the days they begin on; mostly they come to the level offered."""
    first = oracle.first_of(period)
    other = rng.choice(["V0", "V1", "V2", "V4"])
    long_ago = first - timedelta(days=rng.randint(30, 900))
    kind = rng.choices(
        ["one", "risen", "rises next", "not yet", "not offered", "edited"], [60, 14, 10, 4, 6, 6]
    )[0]
    if kind == "risen":
        risen_on = first - timedelta(days=rng.choice([0, 0, 1, 15]))
        return [(other, long_ago), (offered, risen_on)]
    if kind == "rises next":
        return [(offered, long_ago), (other, first + timedelta(days=rng.choice([1, 1, 30])))]
    if kind == "not yet":
        return [(offered, first + timedelta(days=rng.choice([1, 31])))]
    if kind == "not offered":
        return [("V9", long_ago)]
    if kind == "edited":
        return [(other, long_ago), (offered, long_ago), (offered, long_ago - timedelta(days=1))]
    return [(offered, rng.choice([long_ago, long_ago, first]))]


def _registered_on(rng: random.Random, period: str, tenure_months: int) -> date:
    """Long ago, or about the day that decides over roster or tenure."""
    first = oracle.first_of(period)
    long_ago = oracle.first_of(period, -24) - timedelta(days=rng.randint(0, 900))
    enough = oracle.first_of(period, -tenure_months)
    kind = rng.choices(["long ago", "tenure", "month end", "roster"], [70, 15, 9, 6])[0]
    if kind == "tenure":
        return enough + timedelta(days=rng.choice([-1, 0, 0, 1]))
    if kind == "month end":
        # The 29th to the 31st before: so many months later the month may lack that day.
        return enough - timedelta(days=rng.choice([1, 2, 3]))
    if kind == "roster":
        return first + timedelta(days=rng.choice([-1, 0, 1, 20]))
    return long_ago


def any_violations(rng: random.Random, period: str, ids: Sequence[int]) -> list[CsvRow]:
    first = oracle.first_of(period)
    rows = []
    for promoter_id in rng.sample(ids, k=len(ids) // 5):
        occurred_on = first + timedelta(days=rng.choice([-200, -30, -1, 0, 0, 1, 5]))
        for _ in range(rng.choice([1, 1, 2])):
            cleared_on = max(occurred_on, first + timedelta(days=rng.choice([-20, -1, -1, 0, 1])))
            rows.append(
                {
                    "promoter_id": str(promoter_id),
                    "occurred_on": occurred_on.isoformat(),
                    "reason": rng.choice(["刷单", "站内导流, 二次", '"x"']),
                    "cleared_on": rng.choice(["", cleared_on.isoformat(), cleared_on.isoformat()]),
                }
            )
    return rows


def any_targets(world: World, ids: Sequence[int]) -> list[CsvRow]:
    rng = world.rng
    cap_fen = world.terms.task_order_cap_fen or 20000
    rows = []
    for promoter_id in rng.sample(ids, k=len(ids) // 6):
        for _ in range(rng.choice([1, 1, 1, 2])):
            gmv_yuan = oracle.yuan(rng.randint(cap_fen, 9 * cap_fen))
            rows.append(
                {
                    "period": oracle.period_after(world.period, rng.choice([0, 0, 0, 0, -1, 1])),
                    "promoter_id": str(promoter_id),
                    "gmv_yuan": rng.choice(["", "0", "0.00", gmv_yuan, gmv_yuan, gmv_yuan]),
                    "orders": rng.choice(["", "0", "3", "7", "12"]),
                }
            )
    return rows


def any_links(world: World) -> list[CsvRow]:
    rng = world.rng
    p_ids = [p_id for places in world.p_ids.values() for p_id in places]
    known = rng.sample(p_ids, k=len(p_ids) * rng.choice([1, 2, 3]) // 4)
    return [
        {"p_id": p_id, "channel": rng.choice(["app", "app", "app", "other"])}
        for p_id in [*known, *rng.sample(known, k=len(known) // 8)]
    ]
