"""Whole months made up from a seed, for the engine and the oracle to agree on.

A case is what a real month is made of, only nastier: valid terms with every option turned, promoters on every edge of
the roster, orders with a life each, told in several versions, out of order, twice, in several formats. Chance puts
instants on the bounds and amounts on the caps; then, with the oracle's help, orders are added until many promoters
meet a target or a tier exactly or miss it by one fen. The same seed gives the same case.
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from math import ceil, gcd
from pathlib import Path
from typing import Any

from tests import oracle

Row = dict[str, Any]
"""One order under the API's names; with `pid` in place of `p_id` it is a detail row."""

CsvRow = dict[str, str]

DAY = 86400
PROMOTER_COLUMNS = ["promoter_id", "name", "level", "level_from", "registered_on"]
VIOLATION_COLUMNS = ["promoter_id", "occurred_on", "reason", "cleared_on"]
LINK_COLUMNS = ["p_id", "channel"]
TARGET_COLUMNS = ["period", "promoter_id", "gmv_yuan", "orders"]


@dataclass(frozen=True)
class Case:
    """One judged period with all that is known about it; every table in the order of import."""

    seed: int
    period: str
    terms_toml: str
    promoters: list[CsvRow]
    violations: list[CsvRow]
    links: list[CsvRow]
    targets: list[CsvRow]
    rows: list[Row]

    @property
    def now(self) -> int:
        """An instant, epoch seconds, at which all of it has happened and the period can be settled."""
        cutoff = oracle.windows(self.period, oracle.read_terms(self.terms_toml)).cutoff
        return max([cutoff, *(row["order_modify_at"] for row in self.rows)]) + DAY


@dataclass(frozen=True)
class OrderFile:
    """A written file of orders, with the rows it carries in their order."""

    path: Path
    rows: list[Row]


@dataclass
class _World:
    """What the making of one case shares."""

    rng: random.Random
    period: str
    terms: oracle.Terms
    p_ids: dict[int, list[str]]
    """The places of every promoter."""
    serial: int = 0

    def bounds(self, months: int = 0) -> oracle.Windows:
        return oracle.windows(oracle.period_after(self.period, months), self.terms)

    def chance(self, percent: int) -> bool:
        return self.rng.randrange(100) < percent


def generate(seed: int, promoters: int = 30) -> Case:
    """A case of about so many promoters; some 50 rows of orders for each."""
    rng = random.Random(seed)
    period = _period(rng)
    terms_toml = _terms_toml(rng, period)
    terms = oracle.read_terms(terms_toml)
    promoter_rows = _promoter_rows(rng, period, terms, promoters)
    ids = sorted({int(row["promoter_id"]) for row in promoter_rows})
    world = _World(rng, period, terms, {promoter_id: _p_ids(rng, promoter_id) for promoter_id in ids})
    violations = _violation_rows(rng, period, ids)
    targets = _target_rows(world, ids)

    busy = {promoter_id: rng.choice([0, 0, 2, 5, 8, 8, 12, 30]) for promoter_id in ids}
    rows: list[Row] = []
    for promoter_id in ids:
        for _ in range(busy[promoter_id]):
            rows += _any_order(world, promoter_id)
    orders = oracle.fold(rows)
    entries = oracle.roster(
        period, terms, promoters=promoter_rows, violations=violations, targets=targets, orders=orders
    )
    owned = oracle.by_promoter(orders)
    for entry in entries:
        if entry.eligible and (busy[entry.promoter_id] or world.chance(30)):
            rows += _top_up(world, entry, owned.get(entry.promoter_id, []))
    return Case(
        seed=seed,
        period=period,
        terms_toml=terms_toml,
        promoters=promoter_rows,
        violations=violations,
        links=_link_rows(world),
        targets=targets,
        rows=_as_delivered(rng, rows),
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


# Terms


def _period(rng: random.Random) -> str:
    """Any month; Februaries, the months around them and year ends come more often."""
    year = rng.randint(2020, 2034)  # so that nobody registered before 2015
    month = rng.choice([1, 2, 3, 12, 12, rng.randint(1, 12), rng.randint(1, 12)])
    return rng.choice(
        [f"{year}-{month:02d}", f"{year}-{month:02d}", "2022-12", "2024-02", "2024-03", "2096-02"]
    )


def _terms_toml(rng: random.Random, period: str) -> str:
    cap_fen = rng.choice([20000, 20000, 9999, 5000, 12345])
    first_day = rng.choice([1, 1, 1, 2, 3, 10])
    last_day = rng.choice([20, 20, 15, 25, 28, 30, 31])
    parts = [
        f'name = "{rng.choice(["V0&V1 定向赏金补贴", "赏金", "a # b = c"])}"',
        f'effective_from = "{oracle.period_after(period, -rng.choice([0, 0, 1, 7]))}"',
        "",
        "[task]",
        f"first_day = {first_day}",
        f"last_day = {last_day}",
        f"receipt_cutoff_day = {rng.choice([10, 10, 1, 5, 15, 28, 28, 31])}",
        f'order_cap_yuan = "{oracle.yuan(cap_fen)}"',
        f"count_price_compare = {_bool(rng)}",
        "",
        "[virtual]",
        f"types = {rng.choice([[94], [94], [94, 77], []])}",
        f"category_ids = {rng.choice([[8724, 8729, 8730, 8732, 8733, 8736], [8729], [8721, 8724], []])}",
    ]
    for name in rng.choice([["V0", "V1"], ["V0", "V1"], ["V0"], ["V1", "V0", "V2"], ["V0", "V3"]]):
        parts += ["", f"[levels.{name}]", *_level_toml(rng, cap_fen)]
    return "\n".join([*parts, *_subsidy_toml(rng, cap_fen)]) + "\n"


def _bool(rng: random.Random) -> str:
    return rng.choice(["true", "false"])


def _level_toml(rng: random.Random, cap_fen: int) -> list[str]:
    lines = [f"direct_only = {_bool(rng)}"]
    if rng.random() < 0.5:
        lines.append(f"min_tenure_months = {rng.choice([1, 2, 2, 3, 6, 13])}")
    asked = rng.choice(["gmv", "gmv", "orders", "both", "both", "gmv and no orders"])
    if asked != "orders":
        floor_fen = rng.choice([1, cap_fen // 10, cap_fen // 3, rng.randint(cap_fen, 3 * cap_fen)])
        if rng.random() < 0.5:
            lines.append(f'gmv_yuan = "{oracle.yuan(rng.randint(2 * cap_fen, 12 * cap_fen))}"')
        else:
            ceiling = f'ceiling = "{oracle.yuan(floor_fen + rng.randint(0, 3 * cap_fen))}", '
            lines.append(
                f"gmv_yuan = {{ history_periods = {rng.choice([1, 2, 3, 3, 6])}, "
                f'factor = "{rng.choice(["1.10", "1", "0.5", "1.3333", "0.0101", "2.5", "0.9999"])}", '
                f'floor = "{oracle.yuan(floor_fen)}", {rng.choice(["", ceiling])}'
                f'step = "{rng.choice(["100.00", "0.01", "0.07", "33.33", "1.00", "250.00"])}" }}'
            )
    if asked in ("orders", "both"):
        lines.append(f"orders = {rng.randint(2, 14)}")
    elif asked == "gmv and no orders":
        lines.append("orders = 0")
    return lines


def _subsidy_toml(rng: random.Random, cap_fen: int) -> list[str]:
    ats = [
        "1.00",
        *sorted(rng.sample(["1.0001", "1.05", "1.25", "1.3333", "1.50", "2", "3.7"], k=rng.randint(0, 3))),
    ]
    rates = sorted(rng.sample([0, 1, 5, 7, 15, 20, 25, 30, 45, 50, 125, 350, 450, 1000], k=len(ats)))
    # Caps near what the first rate that pays gives: of one order at the task's cap, and of ten of them.
    usual_fen = max(1, cap_fen * next((rate for rate in rates if rate), 20) // 1000)
    lines = [
        "",
        "[subsidy]",
        f'basis = "{rng.choice(["order_amount", "order_amount", "commission"])}"',
        f"include_price_compare = {_bool(rng)}",
        f'links = "{rng.choice(["any", "app_or_unknown", "app_or_unknown", "app"])}"',
    ]
    if rng.random() < 0.6:
        lines.append(f'order_cap_yuan = "{oracle.yuan(max(1, usual_fen * rng.randint(3, 15) // 10))}"')
    if rng.random() < 0.6:
        lines.append(
            f'promoter_cap_yuan = "{oracle.yuan(usual_fen * rng.randint(2, 20) + rng.randint(0, 9))}"'
        )
    if rng.random() < 0.5:
        lines.append(f"lapse_months = {rng.randint(1, 12)}")
    for at, rate in zip(ats, rates, strict=True):
        lines += ["", "[[subsidy.tiers]]", f'at = "{at}"', f"rate_permille = {rate}"]
    return lines


# Promoters and their tables

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


def _p_ids(rng: random.Random, promoter_id: int) -> list[str]:
    return [f"{promoter_id}_{rng.randint(1, 999999999)}" for _ in range(rng.randint(1, 4))]


def _promoter_rows(rng: random.Random, period: str, terms: oracle.Terms, count: int) -> list[CsvRow]:
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


def _violation_rows(rng: random.Random, period: str, ids: Sequence[int]) -> list[CsvRow]:
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


def _target_rows(world: _World, ids: Sequence[int]) -> list[CsvRow]:
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


def _link_rows(world: _World) -> list[CsvRow]:
    rng = world.rng
    p_ids = [p_id for places in world.p_ids.values() for p_id in places]
    known = rng.sample(p_ids, k=len(p_ids) * rng.choice([1, 2, 3]) // 4)
    return [
        {"p_id": p_id, "channel": rng.choice(["app", "app", "app", "other"])}
        for p_id in [*known, *rng.sample(known, k=len(known) // 8)]
    ]


# Orders

GOODS = [
    "纸巾 24包",
    'T恤 "纯棉", 男',
    "=1+1",
    "话费 100元",
    "－折－",
    "naïve café",
    "😀 抱枕",
    "@home",
    "苹果；梨",
]
ORDINARY_CATEGORIES = [[239], [6398, 6400], [15543, 15550, 15551, 15560], [8439, 1], [7, 11, 70]]


@dataclass(frozen=True)
class _Life:
    """What happens to one order, up to its receipt. `received` is None when it never is."""

    order_sn: str
    p_id: str
    order_amount: int
    promotion_amount: int
    type: int | None
    cat_ids: list[int] | None
    is_direct: int | None
    price_compare_status: int | None
    goods_name: str
    created: int
    paid: int
    received: int | None
    cutoff: int
    """Of the month the order was made for: failures happen around it."""


def _told(life: _Life, status: int, modified: int, **changes: Any) -> Row:
    """The platform's row for this state; instants that `changes` does not set have not come."""
    row = {
        "order_sn": life.order_sn,
        "p_id": life.p_id,
        "goods_name": life.goods_name,
        "order_amount": life.order_amount,
        "promotion_amount": life.promotion_amount,
        "order_status": status,
        "type": life.type,
        "cat_ids": life.cat_ids,
        "is_direct": life.is_direct,
        "price_compare_status": life.price_compare_status,
        "order_create_time": life.created,
        "order_pay_time": None if status == oracle.UNPAID else life.paid,
        "order_receive_time": None,
        "order_verify_time": None,
        "order_settle_time": None,
        "order_modify_at": modified,
    }
    return row | changes


def _detail(row: Row, return_status: int | None) -> Row:
    """The same state as the detail reply tells it."""
    detail = row | {"pid": row["p_id"], "return_status": return_status}
    del detail["p_id"]
    detail["url_last_generate_time"] = row["order_create_time"] - 600
    if detail["is_direct"] is None:
        # A body without any is_direct or receipt is taken for the oauth list and refused.
        detail["is_direct"] = 0
    return detail


def _any_order(world: _World, promoter_id: int) -> list[Row]:
    """All versions of an order that may or may not count: of the period, of its history, or of a month beside."""
    rng = world.rng
    bounds = world.bounds(rng.choice([0, 0, 0, 0, 0, -1, -2, -2, -2, -3, -3, -4, -5, -7, -8, 1]))
    life = _any_life(world, promoter_id, bounds)
    ends: dict[Callable[[_World, _Life], list[Row]], int] = {
        _lives_well: 55,
        _fails: 14,
        _fails_and_recovers: 6,
        _fails_in_a_broken_run: 7,
        _is_returned: 12,
        _never_was: 6,
    }
    rows = rng.choices(list(ends), list(ends.values()))[0](world, life)
    if world.chance(6):
        # Until its last version it was somebody else's.
        elsewhere = rng.choice(world.p_ids[rng.choice(list(world.p_ids))])
        for row in rows[:-1]:
            row["pid" if "pid" in row else "p_id"] = elsewhere
    if world.chance(12):
        rows.append(_at_the_same_time(world, rng.choice(rows)))
    if len(rows) > 1 and world.chance(50):
        rows.remove(rng.choice(rows[:-1]))
    if world.chance(15):
        rows.append(
            _detail(rng.choice([row for row in rows if "p_id" in row] or [_told(life, 1, life.paid)]), 0)
        )
    return rows


def _any_life(world: _World, promoter_id: int, bounds: oracle.Windows) -> _Life:
    rng = world.rng
    paid = _paid_at(world, bounds)
    amount = _amount(world)
    virtual_categories = sorted(world.terms.virtual_category_ids) or [8736]
    virtual_types = sorted(world.terms.virtual_types) or [94]
    cat_ids = rng.choice([*ORDINARY_CATEGORIES, None])
    if world.chance(8):
        cat_ids = [rng.choice([239, 8722]), rng.choice(virtual_categories)]
    return _Life(
        order_sn=_order_sn(world, paid),
        p_id=rng.choice(world.p_ids[promoter_id]),
        order_amount=amount,
        promotion_amount=_commission(world, amount),
        type=rng.choices([0, None, rng.choice(virtual_types), 103], [80, 6, 6, 8])[0],
        cat_ids=cat_ids,
        is_direct=rng.choices([1, 0, None], [75, 15, 10])[0],
        price_compare_status=rng.choices([0, 1, None], [75, 15, 10])[0],
        goods_name=rng.choice(GOODS),
        created=paid - rng.choice([0, 3, 60, 1020]),
        paid=paid,
        received=_received_at(world, paid, bounds.cutoff),
        cutoff=bounds.cutoff,
    )


def _order_sn(world: _World, paid: int) -> str:
    """As the platform makes them, and some of other lengths: bytes, numbers and collations then sort differently."""
    world.serial += 1
    day = oracle.instant_text(paid)[2:10].replace("-", "")
    number = world.serial * 1_000_003 + world.rng.randrange(1_000_000)
    return world.rng.choices([f"{day}-{number:015d}", f"{day}-{number}", f"{day}{number:015d}"], [90, 5, 5])[
        0
    ]


def _paid_at(world: _World, bounds: oracle.Windows) -> int:
    rng = world.rng
    edges = [bounds.task_from, bounds.task_until, bounds.month_from, bounds.month_until]
    return rng.choices(
        [
            rng.choice(edges) + rng.choice([-1, 0, 1]),
            rng.randrange(bounds.task_from, bounds.task_until),
            rng.randrange(bounds.month_from, bounds.month_until),
            # Noon of the first day: orders of one instant, which only their numbers put in order.
            bounds.task_from + DAY // 2,
        ],
        [25, 45, 20, 10],
    )[0]


def _received_at(world: _World, paid: int, cutoff: int) -> int | None:
    rng = world.rng
    at_cutoff = cutoff + rng.choice([-1, 0, 1])
    soon = paid + rng.randint(3600, 9 * DAY)
    received = rng.choices([None, at_cutoff, soon, cutoff + rng.randint(2, 9 * DAY)], [14, 16, 65, 5])[0]
    return None if received is None else max(received, paid)


def _amount(world: _World) -> int:
    """Fen: about the task's cap, about what meets the order's subsidy cap, ties of rounding, anything."""
    rng, terms = world.rng, world.terms
    cap_fen = terms.task_order_cap_fen or 20000
    rate = rng.choice(terms.tiers).rate_permille or 20
    at_subsidy_cap = (terms.subsidy_order_cap_fen or 100) * 1000 // rate
    return rng.choices(
        [
            cap_fen + rng.choice([-1, 0, 1]),
            max(0, at_subsidy_cap + rng.choice([-1, 0, 1, 1000])),
            _tie(world, cap_fen),
            rng.randint(1, 3 * cap_fen),
            rng.choice([0, 1, 24, 25, 26, 10**9]),
        ],
        [20, 15, 30, 32, 3],
    )[0]


def _tie(world: _World, at_most: int) -> int:
    """An amount whose subsidy at one of the rates ends on exactly half a fen, where that rate has any."""
    rng = world.rng
    rate = rng.choice(world.terms.tiers).rate_permille
    ties = [amount for amount in range(min(1000, at_most + 1)) if amount * rate % 1000 == 500]
    if not ties:
        return rng.randint(0, at_most)
    again = 1000 // gcd(rate, 1000)
    first = ties[0]
    return first + again * rng.randint(0, (at_most - first) // again)


def _commission(world: _World, amount: int) -> int:
    rng = world.rng
    return rng.choice([0, 1, amount // 10, oracle.half_even(amount * 350, 1000), _tie(world, max(amount, 1))])


def _lag(world: _World) -> int:
    """Seconds by which `order_modify_at` trails the event."""
    return world.rng.choice([0, 0, 6, 10, 11])


def _beginning(world: _World, life: _Life) -> list[Row]:
    """Up to the receipt, if there is one: unpaid (rarely told), paid, grouped, received."""
    rows = []
    if world.chance(5):
        rows.append(_told(life, oracle.UNPAID, life.created))
    rows.append(_told(life, 0, life.paid + _lag(world)))
    if world.chance(50):
        rows.append(_told(life, 1, life.paid + 12 + _lag(world)))
    if life.received is not None:
        received = max(life.received, life.paid)
        rows.append(_told(life, 2, received + 30 + _lag(world), order_receive_time=received))
    return rows


def _lives_well(world: _World, life: _Life) -> list[Row]:
    """To the receipt, and perhaps on to audit and settlement."""
    rows = _beginning(world, life)
    if life.received is None or world.chance(40):
        return rows
    verified = life.received + 15 * DAY + world.rng.randrange(DAY)
    known = {"order_receive_time": life.received, "order_verify_time": verified}
    rows.append(_told(life, 3, verified + _lag(world), **known))
    if world.chance(60):
        settled = verified + 9 * DAY
        rows.append(_told(life, 5, settled + _lag(world), **known, order_settle_time=settled))
    return rows


def _failing_at(world: _World, life: _Life) -> int:
    rng = world.rng
    at_cutoff = life.cutoff + rng.choice([-1, 0, 1])
    return max(
        life.paid + 60, rng.choice([at_cutoff, at_cutoff, life.cutoff + rng.randint(-9 * DAY, 9 * DAY)])
    )


def _received_before(life: _Life, instant: int) -> dict[str, int]:
    """The receipt as a row of that instant knows it."""
    return (
        {"order_receive_time": life.received}
        if life.received is not None and life.received <= instant
        else {}
    )


def _fails(world: _World, life: _Life) -> list[Row]:
    """Audit failed with or without its time, or punished; the row may come on the second or much later."""
    rng = world.rng
    failed = _failing_at(world, life)
    known = _received_before(life, failed)
    rows = [row for row in _beginning(world, life) if row["order_modify_at"] <= failed]
    kind = rng.choice(["verified", "verified", "unverified", "punished", "failed, then punished"])
    if kind == "verified":
        late = rng.choice([0, 0, 10, 3 * DAY])
        rows.append(_told(life, 4, failed + late, **known, order_verify_time=failed))
    elif kind == "unverified":
        rows.append(_told(life, 4, failed, **known))
    elif kind == "punished":
        # With a verify time, which says nothing here: it is that of the audit passed before.
        rows.append(_told(life, 10, failed, **known, order_verify_time=rng.choice([None, failed - 30])))
    else:
        rows.append(_told(life, 4, failed, **known, order_verify_time=rng.choice([None, failed])))
        rows.append(_told(life, 10, failed + rng.choice([0, 1, DAY]), **known))
    if kind != "failed, then punished" and world.chance(30):
        # Told again later, otherwise the same: the run began with the first.
        rows.append(rows[-1] | {"order_modify_at": rows[-1]["order_modify_at"] + rng.choice([1, 2 * DAY])})
    return rows


def _fails_and_recovers(world: _World, life: _Life) -> list[Row]:
    """An audit that failed, appealed against with success: nothing of the failure remains."""
    failed = _failing_at(world, life)
    known = _received_before(life, failed)
    rows = [row for row in _beginning(world, life) if row["order_modify_at"] <= failed]
    rows.append(_told(life, 4, failed, **known, order_verify_time=failed))
    again = failed + world.rng.choice([0, 1, 2 * DAY])
    # At the same second the greater status wins, so the recovery is to 5 there.
    rows.append(_told(life, 5 if again == failed else 3, again, **known, order_verify_time=again))
    return rows


def _fails_in_a_broken_run(world: _World, life: _Life) -> list[Row]:
    """4, well again, 4 or 10, 4 or 10: the run that counts begins after the break."""
    rng = world.rng
    second = _failing_at(world, life)
    first = max(life.paid + 20, second - rng.choice([2, 50, 5 * DAY]))
    known = _received_before(life, first)
    rows = [row for row in _beginning(world, life) if row["order_modify_at"] <= first]
    rows.append(_told(life, 4, first, **known, order_verify_time=rng.choice([None, first])))
    rows.append(_told(life, rng.choice([1, 2, 3]), first + 1, **known))
    rows.append(_told(life, rng.choice([4, 10]), second, **known))
    rows.append(_told(life, rng.choice([4, 10]), second + rng.choice([0, 1, DAY]), **known))
    return rows


def _is_returned(world: _World, life: _Life) -> list[Row]:
    """An after-sale, told by the detail reply alone: asked for, done, taken back, done again."""
    rng = world.rng
    done = _failing_at(world, life)
    known = _received_before(life, done)
    rows = [row for row in _beginning(world, life) if row["order_modify_at"] <= done]
    course: list[int | None] = rng.choice(
        [[2], [1, 2], [0, 1], [2, 1], [2, 2], [2, 1, 2], [2, 0], [1, None], [2, None, 2]]
    )
    status = 2 if known else 1
    for place, return_status in enumerate(course):
        step = done - 1 + place if len(course) > 1 else done
        rows.append(_detail(_told(life, status, step, **known), return_status))
    if world.chance(25):
        # The audit follows, with a time of its own on either side.
        audited = done + rng.choice([-1, 0, 1, DAY])
        rows.append(_told(life, 4, done + DAY + 5, **known, order_verify_time=audited))
    elif world.chance(50):
        rows.append(_told(life, 3 if known else 1, done + rng.choice([1, DAY]), **known))
    return rows


def _never_was(world: _World, life: _Life) -> list[Row]:
    """Never paid, or not in the programme at all."""
    if world.chance(40):
        return [_told(life, oracle.UNPAID, life.created + _lag(world))]
    rows = _beginning(world, life)
    return [
        *rows,
        rows[-1] | {"order_status": oracle.NO_COMMISSION, "order_modify_at": rows[-1]["order_modify_at"] + 5},
    ]


def _at_the_same_time(world: _World, row: Row) -> Row:
    """A row of the same second that tells another story; who wins is for the fold to say."""
    rng = world.rng
    other = dict(row)
    key = rng.choice(
        ["order_amount", "order_status", "is_direct", "cat_ids", "type", "place", "order_receive_time"]
    )
    if key == "order_amount":
        # 999 and 1000 are told apart as texts.
        other[key] = rng.choice([999, 1000, row[key] + 1])
    elif key == "order_status":
        other[key] = rng.choice([status for status in (0, 1, 2, 3, 4, 5, 10) if status != row[key]])
        other["order_pay_time"] = row["order_pay_time"] or row["order_create_time"]
    elif key == "is_direct":
        other[key] = 0 if row[key] == 1 else 1
    elif key == "cat_ids":
        other[key] = rng.choice([[8729], [10, 9], [239, 8724]])
    elif key == "type":
        other[key] = rng.choice([94, 9, 10])
    elif key == "place":
        place = "pid" if "pid" in row else "p_id"
        other[place] = rng.choice(world.p_ids[rng.choice(list(world.p_ids))])
    elif row["order_pay_time"]:
        other[key] = row["order_pay_time"] + rng.choice([1, 5 * DAY])
    return other


# Reaching for a target


def _top_up(world: _World, entry: oracle.RosterEntry, owned: Sequence[oracle.Order]) -> list[Row]:
    """Orders that bring the promoter exactly to a target or tier, one short of it, or well past it."""
    rng, terms = world.rng, world.terms
    have = oracle.measure(owned, world.bounds(), terms, entry.direct_only)
    at = rng.choice([terms.tiers[0].at, rng.choice(terms.tiers).at])
    goal_gmv = ceil(at * (entry.target_gmv_fen or 0))
    goal_orders = ceil(at * (entry.target_orders or 0))
    aim = rng.choices(["leave", "gmv", "orders", "beyond"], [14, 38, 20, 28])[0]
    if aim == "leave":
        return []
    cap_fen = terms.task_order_cap_fen or 20000
    gmv_left, orders_left = goal_gmv - have.gmv_fen, goal_orders - have.orders
    if aim == "gmv" and entry.target_gmv_fen:
        amounts = _adding_up(world, gmv_left - rng.choice([0, 0, 0, 1]), max(0, orders_left))
    elif aim == "orders" and entry.target_orders:
        amounts = [cap_fen + rng.choice([0, 1, 7]) for _ in range(orders_left - rng.choice([0, 0, 0, 1]))]
    else:
        amounts = _adding_up(world, max(gmv_left, 0) + rng.randint(0, 3 * cap_fen), max(0, orders_left) + 1)
    rows = []
    for amount in amounts if len(amounts) <= 60 else []:
        rows += _sure_order(world, entry, amount)
    return rows


def _adding_up(world: _World, gmv_fen: int, orders: int) -> list[int]:
    """Amounts that the task counts as exactly so much in at least so many orders; none when it is below 0.

    An amount at the cap may grow beyond: the task does not see it, the subsidy does.
    """
    rng, cap_fen = world.rng, world.terms.task_order_cap_fen or 20000
    amounts: list[int] = []
    left = gmv_fen
    while left > 0:
        amounts.append(
            min(left, rng.choice([cap_fen, cap_fen, rng.randint(1, cap_fen), _tie(world, cap_fen)]))
        )
        left -= amounts[-1]
    while gmv_fen >= 0 and len(amounts) < orders:
        biggest = max(amounts, default=0)
        if amounts:
            amounts.remove(biggest)
        amounts += [biggest // 2, biggest - biggest // 2]
    return [
        amount + rng.choice([0, 0, 1, _amount(world)]) if amount == cap_fen else amount for amount in amounts
    ]


def _sure_order(world: _World, entry: oracle.RosterEntry, amount: int) -> list[Row]:
    """An order that counts for the promoter's task, whatever it was before: its newest row stands alone."""
    rng, bounds = world.rng, world.bounds()
    paid = rng.choices(
        [
            rng.randrange(bounds.task_from, bounds.task_until),
            bounds.task_from + DAY // 2,
            bounds.task_until - 1,
        ],
        [70, 25, 5],
    )[0]
    received = min(bounds.cutoff - 1, paid + rng.choice([3600, *[rng.randint(1, 9) * DAY] * 7, 90 * DAY]))
    life = replace(
        _any_life(world, entry.promoter_id, bounds),
        order_sn=_order_sn(world, paid),
        order_amount=amount,
        promotion_amount=_commission(world, amount),
        type=rng.choice([0, None]),
        cat_ids=rng.choice([None, [239]]),
        is_direct=1 if entry.direct_only else rng.choice([0, 1, 1, None]),
        price_compare_status=rng.choice([0, 0, 0, 1]) if world.terms.count_price_compare else 0,
        created=paid - 9,
        paid=paid,
        received=received,
    )
    rows = _lives_well(world, life)
    if world.chance(12):
        rows.insert(0, _at_the_same_time(world, rows[0]))
    if world.chance(10):
        rows.append(_detail(rows[-1], rng.choice([0, 1])))
    if world.chance(6):
        # Fails when the book is closed: still counted, no subsidy.
        known = {"order_receive_time": received}
        failed = max(bounds.cutoff, rows[-1]["order_modify_at"]) + rng.choice([0, 1, DAY])
        rows.append(_told(life, 4, failed + 1, **known, order_verify_time=failed))
    return rows


# Delivery


def _as_delivered(rng: random.Random, rows: Iterable[Row]) -> list[Row]:
    """The rows as they come in: by and large in time, or backwards, or in no order; one in ten twice."""
    told = list(rows)
    told += rng.choices(told, k=len(told) // 10) if told else []
    jitter = rng.choice([0, DAY, 40 * DAY, 1000 * DAY])
    told.sort(key=lambda row: row["order_modify_at"] + rng.randint(0, jitter))
    if rng.random() < 0.2:
        told.reverse()
    return [_expressed(rng, row) for row in told]


def _expressed(rng: random.Random, row: Row) -> Row:
    """The same facts in other words: null, absent or 0 for what is not yet; categories unsorted and with a 0."""
    said = dict(row)
    for key in ("order_receive_time", "order_verify_time", "order_settle_time", "order_pay_time"):
        if said[key] is None:
            _leave_out(rng, said, key, 0)
    for key in ("type", "is_direct", "price_compare_status"):
        if said[key] is None:
            _leave_out(rng, said, key, None)
    if "return_status" in said and said["return_status"] is None:
        _leave_out(rng, said, "return_status", None)
    if said["promotion_amount"] == 0:
        _leave_out(rng, said, "promotion_amount", 0)
    if said["cat_ids"] is None:
        _leave_out(rng, said, "cat_ids", rng.choice([[], [0], [0, 0, 0, 0]]))
    else:
        said["cat_ids"] = rng.sample(said["cat_ids"], k=len(said["cat_ids"]))
        said["cat_ids"] += rng.choice([[], [], [0], [0, 0]])
    for key in ("order_amount", "promotion_amount"):
        if rng.random() < 0.05 and said.get(key) is not None:
            said[key] = str(said[key])
    return said


def _leave_out(rng: random.Random, row: Row, key: str, nothing: Any) -> None:
    """Say nothing of the key: by its absence, by null or by a value that means it."""
    how = rng.choice(["absent", "null", "nothing"])
    if how == "absent":
        del row[key]
    else:
        row[key] = None if how == "null" else nothing


# Files

API_COLUMNS = [
    "order_sn", "p_id", "goods_name", "order_amount", "promotion_amount", "order_status", "is_direct",
    "price_compare_status", "type", "cat_ids", "order_create_time", "order_pay_time", "order_receive_time",
    "order_verify_time", "order_settle_time", "order_modify_at",
]  # fmt: skip
CHINESE_TIMES = {
    "生成时间": "order_create_time",
    "支付时间": "order_pay_time",
    "确认收货时间": "order_receive_time",
    "审核时间": "order_verify_time",
    "结算时间": "order_settle_time",
    "更新时间": "order_modify_at",
}
STATUS_WORDS = {
    -1: ["未支付", "-1"],
    0: ["已支付", "0"],
    1: ["已成团", "1"],
    2: ["确认收货", "2"],
    3: ["审核成功", "审核通过", "3"],
    4: ["审核失败", "4"],
    5: ["已结算", "已经结算", "5"],
    8: ["8"],
    10: ["已处罚", "10"],
}
FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
UNPARSED = ("name", "reason", "goods_name", "商品名称")
ORDER_FILES = ["body", "bodies", "jsonl", "api csv", "chinese csv", "chinese csv", "chinese csv"]


def write(case: Case, folder: Path, rng: random.Random) -> list[OrderFile]:
    """The case as files: terms.toml, the four tables, and files of orders, returned in their order of import.

    Every row of the case is in one file at least, in the case's order but for the detail rows: only a detail
    body can carry those, so most follow in a file of their own. Some rows come again in a later file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "terms.toml").write_text(case.terms_toml, encoding="utf-8")
    _write_table(folder / "promoters.csv", PROMOTER_COLUMNS, case.promoters, rng)
    _write_table(folder / "violations.csv", VIOLATION_COLUMNS, case.violations, rng)
    _write_table(folder / "links.csv", LINK_COLUMNS, case.links, rng)
    _write_table(folder / "targets.csv", TARGET_COLUMNS, case.targets, rng)

    files: list[OrderFile] = []
    kinds = [*ORDER_FILES, *rng.choices(ORDER_FILES, k=rng.randint(0, 5))]
    rng.shuffle(kinds)
    cuts = sorted(rng.randint(0, len(case.rows)) for _ in kinds[1:])
    for kind, begin, end in zip(kinds, [0, *cuts], [*cuts, len(case.rows)], strict=True):
        again = rng.choices(case.rows[:begin], k=rng.randint(1, 8)) if begin and rng.random() < 0.5 else []
        rows = [*case.rows[begin:end], *again]
        listed = [row for row in rows if not oracle.is_detail(row)]
        details = [row for row in rows if oracle.is_detail(row)]
        if kind == "bodies" and _tells_enough(listed) and rng.random() < 0.5:
            listed, details = rows, []
        if listed:
            files.append(_write_orders(folder / f"orders-{len(files):02d}", kind, listed, rng))
        if details:
            files.append(_write_bodies(folder / f"orders-{len(files):02d}.json", _pages(details, rng), rng))
    return files


def _tells_enough(rows: Iterable[Row]) -> bool:
    """Whether nobody takes the body for the oauth list, which has neither is_direct nor the receipt."""
    return any(row.get("is_direct") is not None for row in rows)


def _write_orders(stem: Path, kind: str, rows: list[Row], rng: random.Random) -> OrderFile:
    """The rows in a file of that kind; those that JSON would not tell enough of in a CSV instead."""
    if kind.endswith("csv") or not _tells_enough(rows):
        return _write_order_csv(stem.with_suffix(".csv"), kind, rows, rng)
    if kind == "jsonl":
        path = stem.with_suffix(".jsonl")
        lines = [json.dumps(_with_extras(row, rng), ensure_ascii=rng.random() < 0.5) for row in rows]
        path.write_text("\n".join(lines) + rng.choice(["", "\n"]), encoding="utf-8")
        return OrderFile(path, rows)
    return _write_bodies(stem.with_suffix(".json"), [rows] if kind == "body" else _pages(rows, rng), rng)


def _pages(rows: Iterable[Row], rng: random.Random) -> list[list[Row]]:
    """The rows as pages, a detail row alone on its own; every page tells enough if all rows together do."""
    pages: list[list[Row]] = []
    page: list[Row] = []
    for row in rows:
        if oracle.is_detail(row):
            pages.append([row])
            continue
        page.append(row)
        if _tells_enough(page) and rng.random() < 0.2:
            pages.append(page)
            page = []
    if not _tells_enough(page):
        # What is left goes with the last page of its kind.
        lists = [other for other in pages if not oracle.is_detail(other[0])]
        if lists:
            lists[-1].extend(page)
            return pages
    return [*pages, page] if page else pages


def _write_bodies(path: Path, pages: Sequence[list[Row]], rng: random.Random) -> OrderFile:
    """One body, or a list of bodies, a page each."""
    bodies = [_body(page, rng) for page in pages]
    text = json.dumps(
        bodies if len(bodies) > 1 else bodies[0],
        ensure_ascii=rng.random() < 0.5,
        indent=rng.choice([None, 1]),
    )
    path.write_text(text, encoding="utf-8")
    return OrderFile(path, [row for page in pages for row in page])


def _body(page: Sequence[Row], rng: random.Random) -> dict[str, Any]:
    """The reply as the platform's increment, range or detail API gives it."""
    if oracle.is_detail(page[0]):
        return {"order_detail_response": _with_extras(page[0], rng) | {"request_id": "15440"}}
    reply: dict[str, Any] = {"order_list": [_with_extras(row, rng) for row in page], "request_id": "15441"}
    reply |= rng.choice([{"total_count": len(page)}, {}, {"last_order_id": "x1=="}])
    return {"order_list_get_response": reply}


def _with_extras(row: Row, rng: random.Random) -> Row:
    """The row among fields that no rule asks for, in any order."""
    extras: Row = {
        "order_id": "aGk=",
        "group_id": 860461037241593915,
        "order_status_desc": rng.choice(["已支付", "审核通过"]),
        "fail_reason": None,
        "custom_parameters": rng.choice(["", "-1", '{"uid":"7"}']),
        "goods_price": 2990,
        "order_group_success_time": rng.choice([None, 0]),
    }
    told = row | dict(rng.sample(sorted(extras.items()), k=rng.randint(0, len(extras))))
    keys = list(told)
    rng.shuffle(keys)
    return {key: told[key] for key in keys}


def _write_order_csv(path: Path, kind: str, rows: list[Row], rng: random.Random) -> OrderFile:
    in_cells = _api_cells if kind == "api csv" else _chinese_cells
    cells = [in_cells(row, rng) for row in rows]
    columns = list(cells[0])
    if rng.random() < 0.5:
        rng.shuffle(columns)
    _write_csv(path, columns, cells, rng)
    return OrderFile(path, rows)


def _api_cells(row: Row, rng: random.Random) -> CsvRow:
    """The API's names: fen and epoch seconds, ids joined by `;`."""
    cells = {column: "" if row.get(column) is None else str(row[column]) for column in API_COLUMNS}
    cells["cat_ids"] = ";".join(str(cat_id) for cat_id in row.get("cat_ids") or [])
    return _sloppy(cells, rng) | {"note": "x"}


def _chinese_cells(row: Row, rng: random.Random) -> CsvRow:
    """The Chinese headers: yuan and Shanghai times. What is unknown or not yet is blank."""
    commission = row.get("promotion_amount")
    cells = {
        "订单编号": row["order_sn"],
        "推广位ID": row["p_id"],
        "商品名称": row["goods_name"],
        "实付金额(元)": _yuan_cell(row["order_amount"], rng),
        "佣金(元)": "" if commission is None else _yuan_cell(commission, rng),
        "订单状态": rng.choice(STATUS_WORDS[row["order_status"]]),
        "是否直推": {1: "是", 0: "否", None: ""}[row.get("is_direct")],
        "比价状态": {1: "比价", 0: "正常", None: ""}[row.get("price_compare_status")],
        "订单类型": "" if row.get("type") is None else str(row["type"]),
        "类目ID": ";".join(str(cat_id) for cat_id in row.get("cat_ids") or []),
    }
    for header, key in CHINESE_TIMES.items():
        cells[header] = _shanghai_cell(row[key], rng) if row.get(key) else ""
    return _sloppy(cells, rng) | {"备注": "无, 所谓"}


def _yuan_cell(amount: int | str, rng: random.Random) -> str:
    """Yuan with two decimals or, where that says the same, fewer."""
    text = oracle.yuan(int(amount))
    return rng.choice(
        [text, text, text.removesuffix("0") if text.endswith("0") else text, text.removesuffix(".00")]
    )


def _shanghai_cell(instant: int, rng: random.Random) -> str:
    """`2022-12-20 23:59:59`; a midnight may be called the 24:00:00 of the day before."""
    if (instant + 8 * 3600) % DAY == 0 and rng.random() < 0.5:
        return oracle.instant_text(instant - 1)[:10] + " 24:00:00"
    return oracle.instant_text(instant)[:19].replace("T", " ")


def _sloppy(cells: CsvRow, rng: random.Random) -> CsvRow:
    """One cell in forty with blanks around it or in full-width digits, which mean the same; not names or remarks."""
    sloppy = {}
    for column, cell in cells.items():
        sloppy[column] = cell
        if column not in UNPARSED and rng.random() < 0.025:
            sloppy[column] = rng.choice(
                [f" {cell}", f"{cell}  ", f"\u3000{cell}", cell.translate(FULL_WIDTH)]
            )
    return sloppy


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[CsvRow], rng: random.Random) -> None:
    _write_csv(path, columns, [_sloppy(row, rng) for row in rows], rng)


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[CsvRow], rng: random.Random) -> None:
    """In any of the encodings, with any line ends; some headers in full width or with a blank."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=rng.choice(["\n", "\r\n"]))
    full_width = str.maketrans("()", "（）") if rng.random() < 0.5 else {}
    writer.writerow([column.translate(full_width) + rng.choice(["", "", "", " "]) for column in columns])
    for row in rows:
        writer.writerow([row[column] for column in columns])
    encoding = rng.choice(["utf-8", "utf-8-sig", "gb18030"])
    if encoding == "gb18030" and _could_be_utf_8(text.getvalue().encode(encoding)):
        encoding = "utf-8"
    path.write_bytes(text.getvalue().encode(encoding))


def _could_be_utf_8(encoded: bytes) -> bool:
    """Whether no reader could tell that it is something else."""
    try:
        encoded.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
