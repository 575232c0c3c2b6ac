"""The roster: who is judged, at which level, and against which targets."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from tests.oracle.clauses import by_promoter, measure
from tests.oracle.days import first_of, months_later, period_after
from tests.oracle.orders import Order
from tests.oracle.terms import Formula, Level, Terms, windows
from tests.oracle.text import CsvRow, bare_id, fen, parsed


@dataclass(frozen=True)
class RosterEntry:
    """One promoter judged in a period, as frozen. A target of None is no target, and so is one of 0."""

    promoter_id: int
    name: str
    level: str
    """Blank when the promoter has none yet."""
    direct_only: bool
    eligible: bool
    reason: str | None
    target_gmv_fen: int | None
    target_orders: int | None


@dataclass(frozen=True)
class _LevelRow:
    """A promoter's row as imported."""

    name: str
    level: str
    level_from: date
    registered_on: date


def roster(
    period: str,
    terms: Terms,
    promoters: Iterable[CsvRow],
    violations: Iterable[CsvRow],
    targets: Iterable[CsvRow],
    orders: Mapping[str, Order],
) -> list[RosterEntry]:
    """Who is judged in the period, ordered by promoter id.

    promoters, violations, targets   rows of the files, in the order of import
    orders                           all orders known, for targets made from history
    """
    month_first = first_of(period)
    level_rows = _level_rows(promoters)
    violators = _violators(violations, month_first)
    given_targets = _given_targets(targets, period)
    owned = by_promoter(orders)
    entries = []
    for promoter_id in sorted(level_rows):
        rows = sorted(level_rows[promoter_id].values(), key=lambda row: row.level_from)
        if rows[-1].registered_on >= month_first:
            continue
        reached = [row for row in rows if row.level_from <= month_first]
        level_name = _as_spelled_in(terms, reached[-1].level) if reached else ""
        level = terms.levels.get(level_name)
        if promoter_id in given_targets:
            gmv_fen, count = given_targets[promoter_id]
        elif level is None:
            gmv_fen, count = None, None
        elif isinstance(level.gmv, Formula):
            gmv_fen = _gmv_from_history(
                period, terms, level.gmv, level.direct_only, owned.get(promoter_id, [])
            )
            count = level.orders
        else:
            gmv_fen, count = level.gmv, level.orders
        reason = _ineligible(
            level,
            rows[-1].registered_on,
            month_first,
            violator=promoter_id in violators,
            has_target=bool(gmv_fen or count),
        )
        entries.append(
            RosterEntry(
                promoter_id=promoter_id,
                name=rows[-1].name,
                level=level_name,
                direct_only=level.direct_only if level is not None else True,
                eligible=reason is None,
                reason=reason,
                target_gmv_fen=gmv_fen or None,
                target_orders=count or None,
            )
        )
    return entries


def _as_spelled_in(terms: Terms, level: str) -> str:
    """`v0` and `V0级` are V0 where the terms know just that one."""
    plain = level.lower()[: -1 if level.endswith("级") else None].strip()
    meant = [name for name in terms.levels if name.lower() == plain]
    return meant[0] if level not in terms.levels and len(meant) == 1 else level


def _level_rows(promoters: Iterable[CsvRow]) -> dict[int, dict[date, _LevelRow]]:
    """The rows of each promoter by level_from; a later row with the same one edits, with another one adds."""
    rows: dict[int, dict[date, _LevelRow]] = {}
    for row in promoters:
        level_row = _LevelRow(
            name=row["name"],
            level=parsed(row["level"]),
            level_from=date.fromisoformat(parsed(row["level_from"])),
            registered_on=date.fromisoformat(parsed(row["registered_on"])),
        )
        rows.setdefault(int(bare_id(row["promoter_id"])), {})[level_row.level_from] = level_row
    return rows


def _violators(violations: Iterable[CsvRow], month_first: date) -> set[int]:
    """Promoters with a violation from before the month that was not cleared before it."""
    cleared: dict[tuple[int, date], date | None] = {}
    for row in violations:
        cleared_on = parsed(row["cleared_on"])
        key = int(bare_id(row["promoter_id"])), date.fromisoformat(parsed(row["occurred_on"]))
        cleared[key] = date.fromisoformat(cleared_on) if cleared_on else None
    violators = set()
    for (promoter_id, occurred_on), cleared_day in cleared.items():
        if occurred_on < month_first and (cleared_day is None or cleared_day >= month_first):
            violators.add(promoter_id)
    return violators


def _given_targets(targets: Iterable[CsvRow], period: str) -> dict[int, tuple[int | None, int | None]]:
    """GMV in fen and orders by promoter, from the targets file; a row stands for both, a blank for no target."""
    given: dict[int, tuple[int | None, int | None]] = {}
    for row in targets:
        if parsed(row["period"]) != period:
            continue
        gmv_yuan, orders = parsed(row["gmv_yuan"]), parsed(row["orders"])
        gmv_fen = fen(gmv_yuan) if gmv_yuan else None
        given[int(bare_id(row["promoter_id"]))] = gmv_fen, int(orders) if orders else None
    return given


def _gmv_from_history(
    period: str, terms: Terms, formula: Formula, direct_only: bool, owned: Sequence[Order]
) -> int:
    """The mean of the months up to M-2 times the factor, up to a whole step, between floor and ceiling; fen.

    Of 3 months with 900, 0 and 301 fen, factor 1.10, step 100: 1201/3 x 11/10 = 440 11/30 -> 500.
    """
    total_fen = 0
    for months_back in range(2, 2 + formula.history_periods):
        bounds = windows(period_after(period, -months_back), terms)
        total_fen += measure(owned, bounds, terms, direct_only).gmv_fen
    exact = Fraction(total_fen, formula.history_periods) * formula.factor
    steps = exact / formula.step_fen
    whole_steps = -(-steps.numerator // steps.denominator)
    target_fen = max(whole_steps * formula.step_fen, formula.floor_fen)
    return target_fen if formula.ceiling_fen is None else min(target_fen, formula.ceiling_fen)


def _ineligible(
    level: Level | None,
    registered_on: date,
    month_first: date,
    *,
    violator: bool,
    has_target: bool,
) -> str | None:
    """The first reason against the promoter, None for none."""
    if level is None:
        return "LEVEL_NOT_OFFERED"
    if months_later(registered_on, level.min_tenure_months or 0) > month_first:
        return "TENURE_TOO_SHORT"
    if violator:
        return "VIOLATION"
    return None if has_target else "NO_TARGET"
