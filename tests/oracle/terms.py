"""Terms as their file says them, and the windows of a period."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Any

from tests.oracle.days import day_in, day_of, first_of, midnight, month_of
from tests.oracle.text import fen


@dataclass(frozen=True)
class Formula:
    """A GMV target made from the promoter's own history."""

    history_periods: int
    factor: Fraction
    floor_fen: int
    ceiling_fen: int | None
    step_fen: int


@dataclass(frozen=True)
class Level:
    """What the terms ask of one level; a target of None is not asked."""

    direct_only: bool
    min_tenure_months: int | None
    gmv: int | Formula | None
    """Whole fen, or how to work them out."""
    orders: int | None


@dataclass(frozen=True)
class Tier:
    """A rate, from this share of the target on."""

    at: Fraction
    rate_permille: int


@dataclass(frozen=True)
class Terms:
    """One version of the terms, in fen, days and exact fractions; a cap of None caps nothing."""

    name: str
    effective_from: str
    first_day: int
    last_day: int
    """31, which is the last of any month, where the file says `end`."""
    receipt_cutoff_day: int | None
    """Of the next month; None for half-months."""
    receipt_cutoff_days: int | None
    """After the period's end; None for months."""
    task_order_cap_fen: int | None
    count_price_compare: bool
    count_live_room: bool
    category_ids: frozenset[int] | None
    """What the task counts alone; None for any."""
    min_order_fen: int | None
    virtual_types: frozenset[int]
    virtual_category_ids: frozenset[int]
    levels: dict[str, Level]
    basis: str
    include_price_compare: bool
    include_live_room: bool
    exclusive: bool
    links: str
    subsidy_order_cap_fen: int | None
    promoter_cap_fen: int | None
    lapse_months: int | None
    tiers: tuple[Tier, ...]


def read_terms(text: str) -> Terms:
    """The terms in a TOML text, which is taken to be valid."""
    table = tomllib.loads(text)
    task, virtual, subsidy = table["task"], table["virtual"], table["subsidy"]
    levels = {}
    for name, level in table["levels"].items():
        gmv = level.get("gmv_yuan")
        levels[name] = Level(
            direct_only=level["direct_only"],
            min_tenure_months=level.get("min_tenure_months"),
            gmv=_formula(gmv) if isinstance(gmv, dict) else _optional_fen(gmv),
            orders=level.get("orders"),
        )
    tiers = [Tier(Fraction(tier["at"]), tier["rate_permille"]) for tier in subsidy["tiers"]]
    return Terms(
        name=table["name"],
        effective_from=table["effective_from"],
        first_day=task["first_day"],
        last_day=31 if task["last_day"] == "end" else task["last_day"],
        receipt_cutoff_day=task.get("receipt_cutoff_day"),
        receipt_cutoff_days=task.get("receipt_cutoff_days"),
        task_order_cap_fen=_optional_fen(task.get("order_cap_yuan")),
        count_price_compare=task["count_price_compare"],
        count_live_room=task.get("count_live_room", False),
        category_ids=frozenset(task["category_ids"]) if "category_ids" in task else None,
        min_order_fen=_optional_fen(task.get("min_order_yuan")),
        virtual_types=frozenset(virtual["types"]),
        virtual_category_ids=frozenset(virtual["category_ids"]),
        levels=levels,
        basis=subsidy["basis"],
        include_price_compare=subsidy["include_price_compare"],
        include_live_room=subsidy.get("include_live_room", False),
        exclusive=subsidy.get("exclusive", False),
        links=subsidy["links"],
        subsidy_order_cap_fen=_optional_fen(subsidy.get("order_cap_yuan")),
        promoter_cap_fen=_optional_fen(subsidy.get("promoter_cap_yuan")),
        lapse_months=subsidy.get("lapse_months"),
        tiers=tuple(tiers),
    )


def _formula(table: Mapping[str, Any]) -> Formula:
    return Formula(
        history_periods=table["history_periods"],
        factor=Fraction(table["factor"]),
        floor_fen=fen(table["floor"]),
        ceiling_fen=_optional_fen(table.get("ceiling")),
        step_fen=fen(table["step"]),
    )


def _optional_fen(text: str | None) -> int | None:
    return None if text is None else fen(text)


@dataclass(frozen=True)
class Windows:
    """The bounds of a period, epoch seconds; `_from` is within, `_until` and `cutoff` no longer are."""

    task_from: int
    task_until: int
    cutoff: int
    month_from: int
    month_until: int


def windows(period: str, terms: Terms) -> Windows:
    """The period's windows; the last days that terms name are inclusive, so each window ends a midnight later."""
    one_day = timedelta(days=1)
    if terms.receipt_cutoff_day is not None:
        cutoff = midnight(day_of(*month_of(period, 1), terms.receipt_cutoff_day) + one_day)
    else:
        cutoff = midnight(first_of(period, 1)) + (terms.receipt_cutoff_days or 0) * 86400
    return Windows(
        task_from=midnight(day_in(period, terms.first_day)),
        task_until=midnight(day_in(period, terms.last_day) + one_day),
        cutoff=cutoff,
        month_from=midnight(first_of(period)),
        month_until=midnight(first_of(period, 1)),
    )
