"""What other terms would have given in a month: its roster, measured and settled by the settlement's own statements.

Nothing is written. A month that is open keeps its roster: who is on it, level and eligibility stay as they were
frozen; targets are computed anew where the terms they come from differ. Any other month has the roster that opening
it now would freeze.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, func, select

from bounty.clock import shown
from bounty.db import avoid_loops
from bounty.db.stand_in_rows import rows_instead_of
from bounty.errors import BountyError
from bounty.forecast.variation import Variation
from bounty.models import Notice, OpenPeriod, Result, RosterEntry
from bounty.roster.eligibility import Candidate, Eligibility, judge_candidate, targets_of
from bounty.roster.programmes import cycle_of, require_programme
from bounty.roster.queries import candidates
from bounty.roster.service import (
    bounds_columns,
    histories_by_level,
    require_task_days,
    roster_entries,
    targets_by_promoter,
)
from bounty.roster.terms import require_cycle, terms_in_force
from bounty.rules.periods import MAIN, Period, bounds_of, programme_key
from bounty.rules.sql_math import count_where, sum_or_zero
from bounty.rules.terms import Formula, Terms
from bounty.settlement.queries import Outcomes, outcomes_in_the_books


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
class Flip:
    """A promoter who passes under one of two terms alone."""

    promoter_id: int
    passes: bool
    """Under the later of the two."""
    was_subsidy_fen: int
    subsidy_fen: int


@dataclass(frozen=True, slots=True)
class CauseOfChange:
    """What one part of the terms changes of a month, once the parts before it are changed."""

    code: str
    """One of CAUSES."""
    passed: int
    """Promoters more, or fewer, who pass."""
    subsidy_fen: int


CAUSES = {
    "ELIGIBILITY": ("参与资格", "who takes part"),
    "TARGET": ("目标", "targets"),
    "CLAUSES": ("哪些订单计入或得补贴", "which orders count or earn"),
    "CAP": ("封顶", "caps"),
    "RATE": ("补贴比例与基数", "rates and what they are taken of"),
}
"""Parts of the terms, in the order in which a difference is told: the figures of each depend on those before it."""


class Month:
    """A month whose orders are known, to be tried under any terms; of one snapshot.

    outcomes   where it is computed

    Raises BountyError for a period that its programme has not, or that has not begun.
    """

    def __init__(
        self,
        connection: Connection,
        period: Period,
        now: int,
        outcomes: Outcomes = outcomes_in_the_books,
    ) -> None:
        avoid_loops(connection)
        require_programme(connection, period.programme)
        require_cycle(period, cycle_of(connection, period.programme))
        self._connection, self.period = connection, period
        opened = connection.execute(
            select(OpenPeriod.__table__).where(OpenPeriod.period == str(period))
        ).mappings()
        row = opened.first()
        self._opened = None if row is None else dict(row)
        self._rosters: dict[str, list[dict[str, Any]]] = {}
        self._now, self._outcomes = now, outcomes

    @property
    def opened_at(self) -> int | None:
        """When its roster was frozen, epoch seconds; null while it is not open."""
        return None if self._opened is None else self._opened["opened_at"]

    @cached_property
    def terms_in_force(self) -> Terms:
        """Raises BountyError where none apply."""
        return terms_in_force(self._connection, self.period).terms

    def under(self, terms: Terms) -> Outcome:
        """The month as terms would have it, on the orders and links known now."""
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
        dialect = self._connection.dialect.name
        instead = (
            rows_instead_of(dialect, OpenPeriod, [(self._opened or {}) | bounds_columns(self.period, terms)]),
            rows_instead_of(dialect, RosterEntry, roster),
        )
        rows = list(self._outcomes(self._connection, self.period, terms, instead))
        eligible = sum(entry["reason"] is None for entry in roster)
        return Outcome(
            _figures(eligible, rows),
            {row.promoter_id: PromoterOutcome(bool(row.passed), row.subsidy_fen) for row in rows},
        )

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

    def _roster(self, terms: Terms) -> list[dict[str, Any]]:
        """The rows of ``roster`` under terms, kept for other terms of the same levels and clauses."""
        key = terms.model_dump_json(exclude={"name", "effective_from", "subsidy"})
        if key not in self._rosters:
            anew = self._opened is None
            self._rosters[key] = (
                roster_entries(self._connection, self.period, terms) if anew else [*self._frozen_under(terms)]
            )
        return self._rosters[key]

    @cached_property
    def _frozen(self) -> list[dict[str, Any]]:
        entries = select(RosterEntry.__table__).where(RosterEntry.period == str(self.period))
        return [dict(row) for row in self._connection.execute(entries).mappings()]

    @cached_property
    def _violators(self) -> set[int]:
        """Who has a violation on the first day of the month, as known now."""
        rows = self._connection.execute(candidates(self.period.first_day))
        return {row.promoter_id for row in rows if row.violated}

    def _frozen_under(self, terms: Terms) -> Iterator[dict[str, Any]]:
        was = self.terms_in_force
        same_clauses = (terms.task, terms.virtual) == (was.task, was.virtual)
        given = targets_by_promoter(self._connection, self.period)
        histories = None
        for entry in self._frozen:
            level = terms.levels.get(entry["level"])
            by_history = level is not None and isinstance(level.gmv, Formula)
            if level == was.levels.get(entry["level"]) and (same_clauses or not by_history):
                yield entry  # nothing that it came from differs
                continue
            if by_history and histories is None:
                histories = histories_by_level(self._connection, self.period, terms)
            promoter_id = entry["promoter_id"]
            own = histories[terms.direct_only(entry["level"])].get(promoter_id, {}) if histories else {}
            verdict = self._verdict(entry, terms, given.get(promoter_id), own)
            yield entry | {
                "reason": verdict.reason,
                "target_gmv_fen": verdict.target_gmv_fen,
                "target_orders": verdict.target_orders,
                "derivation": json.dumps(verdict.derivation, ensure_ascii=False),
            }

    def _verdict(
        self,
        entry: Mapping[str, Any],
        terms: Terms,
        given: tuple[int | None, int | None] | None,
        history: Mapping[str, int],
    ) -> Eligibility:
        """The verdict on a frozen entry under other terms.

        A level that the terms do not offer takes no part. Where the frozen roster knew no such level and the terms do,
        all is judged as at the opening, with the frozen date of registration and the violations known now. Otherwise
        eligibility stands, and only targets are computed anew.
        """
        not_offered = entry["reason"] == "LEVEL_NOT_OFFERED"
        candidate = Candidate(
            promoter_id=entry["promoter_id"],
            level=entry["level"],
            registered_on=entry["registered_on"],
            violated=not_offered and entry["promoter_id"] in self._violators,
            given=given,
            history=history,
        )
        level = terms.levels.get(entry["level"])
        if level is None or not_offered:
            return judge_candidate(candidate, self.period, terms)
        if entry["reason"] not in (None, "NO_TARGET"):
            return Eligibility(entry["reason"], None, None, {})
        gmv_fen, orders, derivation = targets_of(candidate, self.period, level)
        reason = None if gmv_fen or orders else "NO_TARGET"
        return Eligibility(reason, gmv_fen or None, orders or None, derivation)


def _figures(eligible: int, rows: Iterable[Any]) -> Figures:
    passed = orders = gmv_fen = lines = subsidy_fen = 0
    for row in rows:
        passed += bool(row.passed)
        orders += row.orders or 0
        gmv_fen += row.gmv_fen or 0
        lines += row.subsidy_orders
        subsidy_fen += row.subsidy_fen
    return Figures(eligible, passed, orders, gmv_fen, lines, subsidy_fen)


@dataclass(frozen=True, slots=True)
class Difference:
    """What terms change of a month against the terms in force in it."""

    was: Figures
    """Of the terms in force, simulated alike: on the facts known now."""
    causes: list[CauseOfChange]
    """They sum to the difference; those that change nothing are left out."""
    flips: list[Flip]

    def as_json(self) -> dict[str, Any]:
        """For the command."""
        return {
            "in_force": self.was.as_json(),
            "causes": [
                {"cause": cause.code, "passed": cause.passed, "subsidy_fen": cause.subsidy_fen}
                for cause in self.causes
            ],
            "flips": [
                {
                    "promoter_id": flip.promoter_id,
                    "passes": flip.passes,
                    "was_subsidy_fen": flip.was_subsidy_fen,
                    "subsidy_fen": flip.subsidy_fen,
                }
                for flip in self.flips
            ],
        }


@dataclass(frozen=True, slots=True)
class Simulated:
    """One month under given terms, beside what was published and what the terms in force give."""

    period: Period
    opened_at: int | None
    figures: Figures
    against: Figures | None
    """What the newest notice states; null where nothing was published."""
    difference: Difference | None
    """Null where no terms were in force."""
    notes: list[tuple[str, str]]
    """In Chinese and in English."""
    budget_fen: int | None
    """Of the given terms; null where they name none."""

    def as_json(self) -> dict[str, Any]:
        """As docs/promises.md, JSON, has it, with the difference and notes beside."""
        return {
            **programme_key(self.period),
            "period": self.period.name,
            **self.figures.as_json(),
            "against": None if self.against is None else self.against.as_json(),
            "difference": None if self.difference is None else self.difference.as_json(),
            "notes": [en for _zh, en in self.notes],
        }


def periods_from_to(text: str, programme: str = MAIN) -> list[Period]:
    """The periods of ``2022-09..2022-12``, of ``2022-12a..2023-01b``, or of ``2022-12`` alone; ``programme`` is that of
    a text that names none. Raises BountyError for anything else."""
    first, dots, last = text.partition("..")
    try:
        start = Period.parse(first, programme)
        end = Period.parse(last, start.programme) if dots else start
    except ValueError as error:
        raise BountyError(
            str(error),
            f"{text}：请写 2015-01 至 2099-12 之间的月份，例如 2022-12；按半月进行的项目写 2022-12a 或 2022-12b。",
        ) from None
    if (start.programme, start.cycle) != (end.programme, end.cycle):
        raise BountyError(
            f"{text}: both periods must be of one programme and of one cycle.",
            f"{text}：起止两期须属同一项目、同一周期。",
        )
    if start > end:
        raise BountyError(
            f"{text}: the first period comes after the last; write the earlier one first.",
            f"{text}：起始月份晚于结束月份，请把较早的写在前面。",
        )
    periods = [start]
    while periods[-1] < end:
        periods.append(periods[-1].plus(1))
    return periods


def simulate(
    connection: Connection,
    terms: Terms,
    period: Period,
    now: int,
    outcomes: Outcomes = outcomes_in_the_books,
) -> Simulated:
    """A month under terms. Raises BountyError for a month that has not begun."""
    month = Month(connection, period, now, outcomes)
    outcome = month.under(terms)
    try:
        in_force = month.terms_in_force
    except BountyError:  # of a month before the programme there is nothing to compare with
        difference = None
    else:
        difference = _difference(month, in_force, terms, outcome)
    return Simulated(
        period,
        month.opened_at,
        outcome.figures,
        month.published(),
        difference,
        month.notes(terms),
        terms.subsidy.budget_fen,
    )


def sweep(
    connection: Connection,
    toml: str,
    periods: list[Period],
    vary: Variation,
    now: int,
    outcomes: Outcomes = outcomes_in_the_books,
) -> list[tuple[str, list[Figures]]]:
    """Every value of a variation as text, with the figures of each period under it.

    toml      terms that hold
    outcomes  where it is computed

    Raises BountyError for a month that has not begun and for a key that the terms have not, InvalidTerms for a value
    that can't be.
    """
    months = [Month(connection, period, now, outcomes) for period in periods]
    return [(value, [month.under(terms).figures for month in months]) for value, terms in vary.terms(toml)]


def _difference(month: Month, was: Terms, now: Terms, outcome: Outcome) -> Difference:
    was = was.model_copy(update={"name": now.name, "effective_from": now.effective_from})
    # Under the same terms the month is computed once: that takes as long as settling it.
    before = last = outcome if was == now else month.under(was)
    last_terms, causes = was, []
    for code, terms in _steps(was, now):
        if terms == last_terms:
            continue
        step = outcome if terms == now else month.under(terms)
        change = CauseOfChange(
            code,
            step.figures.passed - last.figures.passed,
            step.figures.subsidy_fen - last.figures.subsidy_fen,
        )
        if change.passed or change.subsidy_fen:
            causes.append(change)
        last, last_terms = step, terms
    flips = [
        Flip(promoter_id, result.passed, before.results[promoter_id].subsidy_fen, result.subsidy_fen)
        for promoter_id, result in outcome.results.items()
        if result.passed != before.results[promoter_id].passed
    ]
    return Difference(before.figures, causes, sorted(flips, key=lambda flip: flip.promoter_id))


def _steps(was: Terms, now: Terms) -> Iterator[tuple[str, Terms]]:
    """From one version to another, one part after the other, in the order of CAUSES."""
    offered = {
        name: was.levels[name].model_copy(update={"min_tenure_months": level.min_tenure_months})
        if name in was.levels
        else level
        for name, level in now.levels.items()
    }
    yield "ELIGIBILITY", was.model_copy(update={"levels": offered})
    targets = {
        name: level.model_copy(update={"direct_only": offered[name].direct_only})
        for name, level in now.levels.items()
    }
    yield "TARGET", was.model_copy(update={"levels": targets})
    rates = {name: getattr(was.subsidy, name) for name in ("tiers", "basis")}
    caps = {name: getattr(was.subsidy, name) for name in ("order_cap_fen", "promoter_cap_fen")}
    task = now.task.model_copy(update={"order_cap_fen": was.task.order_cap_fen})
    yield (
        "CLAUSES",
        now.model_copy(update={"task": task, "subsidy": now.subsidy.model_copy(update=rates | caps)}),
    )
    yield "CAP", now.model_copy(update={"subsidy": now.subsidy.model_copy(update=rates)})
    yield "RATE", now
