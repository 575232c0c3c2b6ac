"""A month under any terms: its roster, measured and settled by the settlement's own statements.

Nothing is written. A month that is open keeps its roster: who is on it, level and eligibility stay as they were
frozen; targets are recomputed where the terms they come from differ. Any other month has the roster that opening
it now would freeze.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TypeVar

from sqlalchemy import CTE, Connection, Table, func, select

from bounty.clock import shown
from bounty.db import Base, Query, avoid_loops, fetch_all, fetch_first, with_loops
from bounty.db.stand_in_rows import rows_instead_of
from bounty.errors import BountyError
from bounty.models import Notice, OpenPeriod, Result, RosterEntry
from bounty.roster.eligibility import Candidate, Eligibility, judge_candidate, targets_of
from bounty.roster.programmes import cycle_of, require_programme
from bounty.roster.queries import RosterRow, candidates
from bounty.roster.service import (
    bounds_columns,
    histories_by_level,
    require_task_days,
    roster_entries,
    targets_by_promoter,
)
from bounty.roster.terms import PeriodRow, require_cycle, terms_in_force
from bounty.rules.periods import Bounds, Period, bounds_of
from bounty.rules.sql_math import count_where, sum_or_zero
from bounty.rules.terms import Formula, LevelTerms, Terms
from bounty.settlement.queries import (
    MOST_VARIANTS,
    EarnedRow,
    MeasuredRow,
    RowsOf,
    attained,
    earned_sums,
    measured_roster,
    measures,
    notices_elsewhere,
    rates_of_measures,
    rows_in_the_books,
    sums_before_promoter_cap,
    variants,
)

_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class Figures:
    """What a month comes to."""

    eligible: int
    passed: int
    orders: int
    """Counted for the task, of all who are eligible."""
    gmv_fen: int
    """Counted, whole fen."""
    lines: int
    """Orders that earn a subsidy above 0."""
    subsidy_fen: int

    @property
    def permille(self) -> int:
        """The subsidy in thousandths of the counted GMV, rounded down; 0 without GMV."""
        return self.subsidy_fen * 1000 // self.gmv_fen if self.gmv_fen else 0

    def as_json(self) -> dict[str, int]:
        """By name."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Outcome:
    """A month under some terms."""

    figures: Figures
    results: Mapping[int, "PromoterOutcome"]
    """Of every promoter on the roster."""


@dataclass(frozen=True, slots=True)
class PromoterOutcome:
    """A promoter's month under some terms."""

    passed: bool
    subsidy_fen: int


@dataclass(frozen=True, slots=True)
class CountedOrders:
    """What a promoter's orders count to the task."""

    gmv_fen: int
    orders: int


@dataclass(frozen=True, slots=True)
class Earned:
    """What a promoter's lines come to."""

    lines: int
    subsidy_fen: int


_NOTHING = Earned(0, 0)


def _whole_numbers(*columns: int) -> tuple[int, ...]:
    """A row as it is: a promoter, then lines and fen under each of several terms."""
    return columns


@dataclass(frozen=True, slots=True)
class _Given:
    """What a computation reads in place of the books."""

    terms: Terms
    bounds: Bounds
    roster: list[RosterRow]
    stand_ins: tuple[CTE, CTE]
    """In place of ``periods`` and ``roster``."""


class Month:
    """A month whose orders are known, to be tried under any terms; of one snapshot.

    What terms have in common is computed once: the measures of those that count orders alike; and those under which the
    same orders earn are gone through together.

    rows_of   where its SELECTs run

    Raises BountyError for a period that its programme has not, or that has not begun.
    """

    def __init__(
        self,
        connection: Connection,
        period: Period,
        now: int,
        rows_of: RowsOf = rows_in_the_books,
    ) -> None:
        avoid_loops(connection)
        require_programme(connection, period.programme)
        require_cycle(period, cycle_of(connection, period.programme))
        self._connection, self.period = connection, period
        opened = select(OpenPeriod.__table__).where(OpenPeriod.period == str(period))
        self._opened = fetch_first(connection, opened, PeriodRow)
        self._rosters: dict[str, list[RosterRow]] = {}
        self._measures: dict[str, dict[int, CountedOrders]] = {}
        self._earned: dict[str, dict[tuple[int, int], Earned]] = {}
        self._now, self._rows_of = now, rows_of

    @property
    def opened_at(self) -> int | None:
        """When its roster was frozen, epoch seconds; null while it is not open."""
        return None if self._opened is None else self._opened.opened_at

    @cached_property
    def terms_in_force(self) -> Terms:
        """Raises BountyError where none apply."""
        return terms_in_force(self._connection, self.period).terms

    def under(self, *several: Terms) -> list[Outcome]:
        """The month as each of several terms would have it, on the orders and links known now."""
        given = [self._given(terms) for terms in several]
        reached = [self._attained(each) for each in given]
        earned = self._earnings(given, [rates for _, rates in reached])
        return [
            _outcome(each.roster, measured, rates, sums)
            for each, (measured, rates), sums in zip(given, reached, earned, strict=True)
        ]

    def _given(self, terms: Terms) -> "_Given":
        if terms.cycle != self.period.cycle:
            raise BountyError(
                f'{self.period}: these terms have the cycle "{terms.cycle}", and the period is a {self.period.cycle}.',
                f"{self.period}：这份条款的周期是 {terms.cycle}，期次的周期是 {self.period.cycle}。",
            )
        require_task_days(self.period, terms)
        bounds = bounds_of(self.period, terms)
        if self._now < bounds.month_from:
            raise BountyError(
                f"{self.period} has not begun: simulate months whose orders are known.",
                f"{self.period} 还没有开始：请模拟已有订单的月份。",
            )
        roster = self._roster(terms)
        return _Given(terms, bounds, roster, self._stand_ins(terms, roster))

    def _stand_ins(self, terms: Terms, roster: list[RosterRow]) -> tuple[CTE, CTE]:
        frozen = {} if self._opened is None else asdict(self._opened)
        opened = self._instead_of(OpenPeriod, [frozen | bounds_columns(self.period, terms)])
        return opened, self._instead_of(RosterEntry, [entry._asdict() for entry in roster])

    def _instead_of(self, table: type[Base] | Table, rows: Sequence[Mapping[str, object]]) -> CTE:
        return rows_instead_of(self._connection.dialect.name, table, rows)

    def _rows(self, given: "_Given", query: Query, kind: Callable[..., _Row], *more: CTE) -> list[_Row]:
        """The rows of a SELECT, each made by kind of its columns in their order."""
        stand_ins = [*given.stand_ins, *more]
        rows = self._rows_of(self._connection, self.period, given.bounds, query, stand_ins)
        return [kind(*row) for row in rows]

    def _attained(self, given: "_Given") -> tuple[dict[int, "CountedOrders"], dict[int, int]]:
        """Of who is eligible, the measures; of who passes, the rates, per mille."""
        terms = given.terms
        direct_only = {name: level.direct_only for name, level in sorted(terms.levels.items())}
        key = f"{_parts(terms, 'levels', 'subsidy')} {direct_only} {given.bounds}"
        known = self._measures.setdefault(key, {})
        eligible = {entry.promoter_id: entry for entry in given.roster if entry.reason is None}
        if known.keys() >= eligible.keys():
            rows = self._rates(given, known, eligible) if eligible else []
        else:
            rows = self._rows(given, measured_roster(self.period, terms), MeasuredRow)
            known |= {row.promoter_id: CountedOrders(row.gmv_fen, row.orders) for row in rows}
        rates = {row.promoter_id: row.rate_permille for row in rows if row.rate_permille is not None}
        return {promoter_id: known[promoter_id] for promoter_id in eligible}, rates

    def _rates(
        self,
        given: "_Given",
        known: Mapping[int, "CountedOrders"],
        eligible: Mapping[int, RosterRow],
    ) -> list[MeasuredRow]:
        rows = [
            {
                "promoter_id": promoter_id,
                "gmv_fen": known[promoter_id].gmv_fen,
                "orders": known[promoter_id].orders,
                "target_gmv_fen": entry.target_gmv_fen,
                "target_orders": entry.target_orders,
            }
            for promoter_id, entry in eligible.items()
        ]
        query = rates_of_measures(self.period, given.terms)
        return self._rows(given, query, MeasuredRow, self._instead_of(measures, rows))

    def _earnings(
        self, given: Sequence["_Given"], rates: Sequence[Mapping[int, int]]
    ) -> list[dict[int, "Earned"]]:
        """Under each terms, what the lines of who passes come to."""
        found: list[dict[int, Earned]] = [{} for _ in given]
        alike = defaultdict(list)
        for place, each in enumerate(given):
            alike[_clauses_of_subsidy(each)].append(place)
        for places in alike.values():
            for start in range(0, len(places), MOST_VARIANTS):
                part = places[start : start + MOST_VARIANTS]
                sums = self._sums([given[place] for place in part], [rates[place] for place in part])
                for place, of_terms in zip(part, sums, strict=True):
                    found[place] = self._under_promoter_cap(given[place], rates[place], of_terms)
        return found

    def _sums(
        self, given: Sequence["_Given"], rates: Sequence[Mapping[int, int]]
    ) -> list[dict[int, "Earned"]]:
        """What lines come to before the promoter cap, under terms with the same clauses."""
        who = sorted({promoter_id for of_terms in rates for promoter_id in of_terms})
        if not who:
            return [{} for _ in given]
        rows = [
            {
                "promoter_id": each,
                **{f"rate_{number}": by_promoter.get(each) for number, by_promoter in enumerate(rates)},
            }
            for each in who
        ]
        query = sums_before_promoter_cap(self.period, [each.terms for each in given], self._elsewhere)
        found = self._rows(given[0], query, _whole_numbers, self._instead_of(variants, rows))
        return [
            {row[0]: Earned(row[1 + 2 * number], row[2 + 2 * number]) for row in found}
            for number in range(len(given))
        ]

    def _under_promoter_cap(
        self, given: "_Given", rates: Mapping[int, int], sums: dict[int, "Earned"]
    ) -> dict[int, "Earned"]:
        """Sums, with those beyond the cap made again order by order, as the cap cuts lines off."""
        cap = given.terms.subsidy.promoter_cap_fen
        beyond = [each for each, earned in sums.items() if cap is not None and earned.subsidy_fen > cap]
        if not beyond:
            return sums
        reached = [
            {"promoter_id": each, "gmv_fen": 0, "orders": 0, "rate_permille": rates[each]} for each in beyond
        ]
        query = earned_sums(self.period, given.terms, self._elsewhere)
        with with_loops(self._connection):
            rows = self._rows(given, query, EarnedRow, self._instead_of(attained, reached))
        return sums | {row.promoter_id: Earned(row.lines, row.fen) for row in rows}

    @cached_property
    def _elsewhere(self) -> list[int]:
        return notices_elsewhere(self._connection, self.period)

    def published(self) -> Figures | None:
        """What the newest notice states; null where there is none."""
        newest = (
            select(Notice.settlement_id)
            .where(Notice.period == str(self.period))
            .order_by(Notice.notice.desc())
            .limit(1)
        )
        settlement_id = self._connection.execute(newest).scalar()
        if settlement_id is None:
            return None
        result = Result.__table__.c
        row = self._connection.execute(
            select(
                # Who is not eligible has no measure.
                func.count(result.gmv_fen).label("eligible"),
                count_where(result.passed).label("passed"),
                sum_or_zero(result.orders).label("orders"),
                sum_or_zero(result.gmv_fen).label("gmv_fen"),
                sum_or_zero(result.subsidy_orders).label("lines"),
                sum_or_zero(result.subsidy_fen).label("subsidy_fen"),
            ).where(result.settlement_id == settlement_id)
        ).one()
        return Figures(*row)

    def notes(self, terms: Terms) -> list[tuple[str, str]]:
        """What a reader of the figures must know, a sentence each, in Chinese and in English."""
        notes = []
        cutoff = bounds_of(self.period, terms).receipt_cutoff
        if self._now < cutoff:
            notes.append(
                (
                    f"{self.period} 的收货截止 {shown(cutoff)} 还没有过：仍可能有收货。",
                    f"The receipt cutoff of {self.period}, {shown(cutoff)}, is not over: receipts may still come.",
                )
            )
        if self._opened is None:
            return notes
        was = self.terms_in_force.levels
        notes += [
            (
                f"{name} 的注册时长要求不同，但 {self.period} 已开期：参与资格保持冻结时的结果。",
                f"The tenure asked of {name} differs, but {self.period} is open: eligibility stays as it was frozen.",
            )
            for name, level in terms.levels.items()
            if name in was and was[name].min_tenure_months != level.min_tenure_months
        ]
        return notes

    def _roster(self, terms: Terms) -> list[RosterRow]:
        """The rows of ``roster`` under terms, kept for other terms of the same levels and clauses."""
        key = _parts(terms, "subsidy")
        if key not in self._rosters:
            entries = (
                roster_entries(self._connection, self.period, terms)
                if self._opened is None
                else self._frozen_under(terms)
            )
            self._rosters[key] = [*entries]
        return self._rosters[key]

    @cached_property
    def _frozen(self) -> list[RosterRow]:
        entries = select(RosterEntry.__table__).where(RosterEntry.period == str(self.period))
        return fetch_all(self._connection, entries, RosterRow)

    @cached_property
    def _violators(self) -> set[int]:
        """Who has a violation on the first day of the month, as known now."""
        rows = self._connection.execute(candidates(self.period.first_day))
        return {row.promoter_id for row in rows if row.violated}

    def _frozen_under(self, terms: Terms) -> Iterator[RosterRow]:
        was = self.terms_in_force
        same_clauses = (terms.task, terms.virtual) == (was.task, was.virtual)
        given = targets_by_promoter(self._connection, self.period)
        histories = None
        for entry in self._frozen:
            level = _level(terms, entry)
            by_history = level is not None and isinstance(level.gmv, Formula)
            if level == _level(was, entry) and (same_clauses or not by_history):
                yield entry  # nothing that it came from differs
                continue
            if by_history and histories is None:
                histories = histories_by_level(self._connection, self.period, terms)
            promoter_id = entry.promoter_id
            own = histories[terms.direct_only(entry.level)].get(promoter_id, {}) if histories else {}
            verdict = self._verdict(entry, terms, given.get(promoter_id), own)
            yield entry._replace(
                reason=verdict.reason,
                target_gmv_fen=verdict.target_gmv_fen,
                target_orders=verdict.target_orders,
                derivation=json.dumps(verdict.derivation, ensure_ascii=False),
            )

    def _verdict(
        self,
        entry: RosterRow,
        terms: Terms,
        given: tuple[int | None, int | None] | None,
        history: Mapping[str, int],
    ) -> Eligibility:
        """The verdict on a frozen entry under other terms.

        A level that the terms do not offer takes no part. Where the frozen roster knew no such level and the terms do,
        all is judged as at the opening, with the frozen date of registration and the violations known now. Otherwise
        eligibility stands, and only targets are recomputed.
        """
        not_offered = entry.reason == "LEVEL_NOT_OFFERED"
        candidate = Candidate(
            promoter_id=entry.promoter_id,
            level=entry.level,
            registered_on=entry.registered_on,
            violated=not_offered and entry.promoter_id in self._violators,
            given=given,
            history=history,
        )
        level = _level(terms, entry)
        if level is None or not_offered:
            return judge_candidate(candidate, self.period, terms)
        if entry.reason not in (None, "NO_TARGET"):
            return Eligibility(entry.reason, None, None, {})
        gmv_fen, orders, derivation = targets_of(candidate, self.period, level)
        reason = None if gmv_fen or orders else "NO_TARGET"
        return Eligibility(reason, gmv_fen or None, orders or None, derivation)


def _level(terms: Terms, entry: RosterRow) -> LevelTerms | None:
    return None if entry.level is None else terms.levels.get(entry.level)


def _outcome(
    roster: Sequence[RosterRow],
    measured: Mapping[int, "CountedOrders"],
    rates: Mapping[int, int],
    earned: Mapping[int, "Earned"],
) -> Outcome:
    figures = Figures(
        eligible=len(measured),
        passed=len(rates),
        orders=sum(each.orders for each in measured.values()),
        gmv_fen=sum(each.gmv_fen for each in measured.values()),
        lines=sum(each.lines for each in earned.values()),
        subsidy_fen=sum(each.subsidy_fen for each in earned.values()),
    )
    everybody = (entry.promoter_id for entry in roster)
    return Outcome(
        figures,
        {each: PromoterOutcome(each in rates, earned.get(each, _NOTHING).subsidy_fen) for each in everybody},
    )


def _clauses_of_subsidy(given: "_Given") -> tuple[str, str, Bounds]:
    """What terms ask of an order that earns a subsidy, to be compared."""
    terms = given.terms
    amounts = {"basis", "order_cap_fen", "promoter_cap_fen", "budget_fen", "tiers"}
    return terms.virtual.model_dump_json(), terms.subsidy.model_dump_json(exclude=amounts), given.bounds


def _parts(terms: Terms, *without: str) -> str:
    """Terms as text, without their name and some of their parts."""
    return terms.model_dump_json(exclude={"name", "effective_from", *without})
