"""What other terms would have given in a month, against what was published and what the terms in force give."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from bounty.errors import BountyError
from bounty.forecast.simulated_month import Figures, Month, Outcome
from bounty.forecast.variation import Variation
from bounty.json_types import JsonObject
from bounty.labels import LabelledCode
from bounty.rules.periods import MAIN, Period, programme_key
from bounty.rules.terms import Terms
from bounty.settlement.queries import RowsOf, rows_in_the_books


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
    """One of TermsPart."""
    passed: int
    """Promoters more, or fewer, who pass."""
    subsidy_fen: int


class TermsPart(LabelledCode):
    """A part of the terms. A difference is listed in this order: the figures of each depend on those before it."""

    ELIGIBILITY = "ELIGIBILITY", "参与资格", "who takes part"
    TARGET = "TARGET", "目标", "targets"
    CLAUSES = "CLAUSES", "哪些订单计入或得补贴", "which orders count or earn"
    CAP = "CAP", "封顶", "caps"
    RATE = "RATE", "补贴比例与基数", "rates and what they are taken of"


@dataclass(frozen=True, slots=True)
class Difference:
    """What terms change of a month against the terms in force in it."""

    was: Figures
    """Of the terms in force, simulated alike: on the facts known now."""
    causes: list[CauseOfChange]
    """They sum to the difference; those that change nothing are left out."""
    flips: list[Flip]

    def as_json(self) -> JsonObject:
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

    def as_json(self) -> JsonObject:
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
    rows_of: RowsOf = rows_in_the_books,
) -> Simulated:
    """A month under terms. Raises BountyError for a month that has not begun."""
    month = Month(connection, period, now, rows_of)
    try:
        in_force = month.terms_in_force
    except BountyError:  # of a month before the programme there is nothing to compare with
        (outcome,), difference = month.under(terms), None
    else:
        outcome, difference = _compared(month, in_force, terms)
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
    rows_of: RowsOf = rows_in_the_books,
) -> list[tuple[str, list[Figures]]]:
    """Every value of a variation as text, with the figures of each period under it.

    toml      terms that hold
    rows_of   where its SELECTs run

    Raises BountyError for a month that has not begun and for a key that the terms have not, InvalidTerms for a value
    that can't be.
    """
    months = [Month(connection, period, now, rows_of) for period in periods]
    varied = list(vary.terms(toml))
    by_month = [month.under(*(terms for _, terms in varied)) for month in months]
    return [
        (value, [outcomes[place].figures for outcomes in by_month]) for place, (value, _) in enumerate(varied)
    ]


def _compared(month: Month, was: Terms, now: Terms) -> tuple[Outcome, Difference]:
    """A month under terms, and what they change against the terms in force."""
    was = was.model_copy(update={"name": now.name, "effective_from": now.effective_from})
    steps = [("", was)]
    for code, terms in _steps(was, now):
        if terms != steps[-1][1]:
            steps.append((code, terms))
    outcomes = month.under(*(terms for _, terms in steps))
    changes = [
        CauseOfChange(
            code,
            after.figures.passed - before.figures.passed,
            after.figures.subsidy_fen - before.figures.subsidy_fen,
        )
        for (code, _), before, after in zip(steps[1:], outcomes, outcomes[1:], strict=False)
    ]
    before, outcome = outcomes[0].results, outcomes[-1]
    flips = [
        Flip(promoter_id, result.passed, before[promoter_id].subsidy_fen, result.subsidy_fen)
        for promoter_id, result in outcome.results.items()
        if result.passed != before[promoter_id].passed
    ]
    return outcome, Difference(
        outcomes[0].figures,
        [change for change in changes if change.passed or change.subsidy_fen],
        sorted(flips, key=lambda flip: flip.promoter_id),
    )


def _steps(was: Terms, now: Terms) -> Iterator[tuple[str, Terms]]:
    """From one version to another, one part after the other, in the order of TermsPart."""
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
