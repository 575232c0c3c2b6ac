"""The verdict on one promoter before a period begins: eligible, or the first rule that fails, and the targets."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict, Unpack

from bounty.labels import LabelledCode
from bounty.money import grouped_yuan
from bounty.rules.periods import Period, months_later
from bounty.rules.terms import Formula, LevelTerms, Terms


class Ineligibility(LabelledCode):
    """The reasons of not taking part; the first that applies is given."""

    LEVEL_NOT_OFFERED = "LEVEL_NOT_OFFERED", "本期没有该等级", "the terms have no such level"
    TENURE_TOO_SHORT = "TENURE_TOO_SHORT", "注册时间不足", "registered too late"
    VIOLATION = "VIOLATION", "有违规", "a violation stands"
    NO_TARGET = "NO_TARGET", "没有目标", "no target"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A promoter whose eligibility and targets a roster decides."""

    promoter_id: int
    level: str | None
    registered_on: dt.date
    violated: bool
    """Whether a violation is in force on the first day of the period."""
    given: tuple[int | None, int | None] | None
    """GMV in whole fen and orders from the targets file, in place of the terms' own."""
    history: Mapping[str, int]
    """Month -> whole fen counted, for the months of the level's formula; a month with nothing may be absent."""


class Derivation(TypedDict, total=False):
    """How eligibility and targets came about; which keys there are depends on the source or the reason."""

    source: str
    """``terms``, ``targets file``, ``history`` or ``override``; none for who is not eligible."""
    months_fen: dict[str, int]
    """Of the history, as the next four: month -> whole fen."""
    factor_myriad: int
    step_fen: int
    floor_fen: int
    ceiling_fen: int | None
    level: str | None
    """Of LEVEL_NOT_OFFERED, with the levels that the terms have."""
    offered: list[str]
    registered_on: str
    """Of TENURE_TOO_SHORT, as the next two."""
    registered_by: str
    min_tenure_months: int
    why: str
    """Of an override, with its instant and the result of the rules."""
    at: str
    was: "Derivation"


@dataclass(frozen=True, slots=True)
class Eligibility:
    """The roster's decision on a promoter."""

    reason: str | None
    """Why not eligible; null for who is."""
    target_gmv_fen: int | None
    target_orders: int | None
    derivation: Derivation


def registered_by(period: Period, tenure_months: int) -> dt.date:
    """The last registration date with enough tenure on the first day of a period.

    ``registered_on`` + n months <= M-01, where a day that a month lacks is its last, holds exactly for dates up to
    the first day of M-n: a later day of that month lands after M-01, and every day of an earlier month before it. So
    too for the 16th, which every month has.

    >>> registered_by(Period(2023, 3), 2), registered_by(Period(2023, 3, 2), 2)
    (datetime.date(2023, 1, 1), datetime.date(2023, 1, 16))
    """
    return months_later(period.first_day, -tenure_months)


def history_months(period: Period, formula: Formula) -> list[Period]:
    """The periods of a formula's history, the oldest first; the last is the last but one, whose receipts are all in."""
    return [period.plus(-2 - back) for back in reversed(range(formula.history_periods))]


def judge_candidate(candidate: Candidate, period: Period, terms: Terms) -> Eligibility:
    """The first reason that applies, else the targets (docs/promises.md, Who takes part and Targets)."""
    level = None if candidate.level is None else terms.levels.get(candidate.level)
    if level is None:
        return _no("LEVEL_NOT_OFFERED", level=candidate.level, offered=sorted(terms.levels))
    latest = registered_by(period, level.min_tenure_months)
    if candidate.registered_on > latest:
        return _no(
            "TENURE_TOO_SHORT",
            registered_on=candidate.registered_on.isoformat(),
            registered_by=latest.isoformat(),
            min_tenure_months=level.min_tenure_months,
        )
    if candidate.violated:
        return _no("VIOLATION")
    gmv_fen, orders, derivation = targets_of(candidate, period, level)
    if not gmv_fen and not orders:
        return Eligibility("NO_TARGET", None, None, derivation)
    return Eligibility(None, gmv_fen or None, orders or None, derivation)


def _no(reason: str, **why: Unpack[Derivation]) -> Eligibility:
    return Eligibility(reason, None, None, why)


def targets_of(
    candidate: Candidate, period: Period, level: LevelTerms
) -> tuple[int | None, int | None, Derivation]:
    """The targets of GMV, in whole fen, and of orders at a level, and how they came about; 0 is no target."""
    if candidate.given is not None:
        return *candidate.given, {"source": "targets file"}
    if not isinstance(level.gmv, Formula):
        return level.gmv, level.orders, {"source": "terms"}
    months = {month.name: candidate.history.get(month.name, 0) for month in history_months(period, level.gmv)}
    target_fen = level.gmv.target_fen(sum(months.values()))
    derivation: Derivation = {
        "source": "history",
        "months_fen": months,
        "factor_myriad": level.gmv.factor,
        "step_fen": level.gmv.step_fen,
        "floor_fen": level.gmv.floor_fen,
        "ceiling_fen": level.gmv.ceiling_fen,
    }
    return target_fen, level.orders, derivation


def in_words(derivation: Derivation, *, chinese: bool) -> str:
    """A derivation in a sentence.

    >>> in_words({"source": "terms"}, chinese=False)
    'set by the terms for the level'
    """
    if derivation.get("source") == "override":
        before = in_words(derivation["was"], chinese=chinese)
        why, at = derivation["why"], derivation["at"][:16].replace("T", " ")
        return (
            f"运营于 {at} 人工调整：{why}（原为：{before}）"
            if chinese
            else f"changed by operations on {at}: {why} (before: {before})"
        )
    if derivation.get("source") == "targets file":
        return "由目标文件指定" if chinese else "given by the targets file"
    if derivation.get("source") == "terms":
        return "条款对该等级的固定目标" if chinese else "set by the terms for the level"
    if derivation.get("source") != "history":
        return "" if not derivation else "; ".join(f"{key} {value}" for key, value in derivation.items())
    months = ", ".join(f"{month} {grouped_yuan(fen)}" for month, fen in derivation["months_fen"].items())
    factor = f"{derivation['factor_myriad'] / 10_000:.4g}"
    step, floor = grouped_yuan(derivation["step_fen"]), grouped_yuan(derivation["floor_fen"])
    ceiling = derivation["ceiling_fen"]
    if chinese:
        top = "" if ceiling is None else f"，不高于 {grouped_yuan(ceiling)}"
        return f"历史月均（{months}）× {factor}，向上取整到 {step} 的倍数，不低于 {floor}{top}"
    top = "" if ceiling is None else f", at most {grouped_yuan(ceiling)}"
    return f"mean of ({months}) x {factor}, rounded up to a multiple of {step}, at least {floor}{top}"
