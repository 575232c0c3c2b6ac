"""Why a promoter does not take part, in a sentence, and from when they would."""

import datetime as dt

from bounty.roster.eligibility import Derivation
from bounty.roster.queries import PromoterViolation
from bounty.rules.clause_texts import BothLanguages
from bounty.rules.periods import Period, months_later


def ineligibility_text(
    reason: str, level: str | None, derivation: Derivation, violation: PromoterViolation | None
) -> BothLanguages:
    """The rule that says no.

    derivation   the roster entry's
    violation    the violation that counts; read for VIOLATION only
    """
    if derivation.get("source") == "override":
        return f"运营人工调整：{derivation['why']}", f"put so by operations: {derivation['why']}"
    if reason == "LEVEL_NOT_OFFERED":
        offered = derivation.get("offered", [])
        if level is None:
            return "在快照日还没有等级", "there was no level yet on the snapshot's day"
        return (
            f"等级 {level} 不在本期条款内（本期为 {'、'.join(offered)}）",
            f"the terms have no level {level} (they have {', '.join(offered)})",
        )
    if reason == "TENURE_TOO_SHORT":
        months, since = derivation["min_tenure_months"], derivation["registered_on"]
        return (
            f"注册未满 {months} 个月：{since} 注册",
            f"registered less than {months} months before: on {since}",
        )
    if reason == "VIOLATION":
        on, what = ("", "") if violation is None else (violation.occurred_on, violation.reason)
        return (
            f"{on} 有违规记录：{what}" if on else "有未解除的违规记录",
            f"a violation on {on}: {what}" if on else "a violation stands",
        )
    return "本期没有目标", "there is no target for the period"


def eligible_from_text(
    reason: str, derivation: Derivation, violation: PromoterViolation | None, period: Period | None = None
) -> BothLanguages:
    """What would change it, and the first period that it would change.

    period   the one at hand, whose programme's periods are named; null for months

    >>> eligible_from_text("TENURE_TOO_SHORT", {"registered_on": "2022-11-15", "min_tenure_months": 2}, None)[0]
    '满 2 个月：2023-01-15，最早可参与 2023-02 期'
    """
    if derivation.get("source") == "override":
        return "本期由运营调整；有疑问请联系运营", "operations decided for this period: ask them"
    if reason == "TENURE_TOO_SHORT":
        months = derivation["min_tenure_months"]
        day = tenure_reached(dt.date.fromisoformat(derivation["registered_on"]), months)
        first = first_period_from(day, period)
        return (
            f"满 {months} 个月：{day}，最早可参与 {first} 期",
            f"{months} months are reached on {day}; {first} is the first period",
        )
    if reason == "LEVEL_NOT_OFFERED":
        return (
            "等级变动后，从下一次快照的期次起重新判断",
            "judged again with the level on the next snapshot's day",
        )
    if reason == "VIOLATION":
        cleared = None if violation is None else violation.cleared_on
        if cleared is not None:
            first = first_period_from(cleared + dt.timedelta(days=1), period)
            return (
                f"{cleared} 解除，最早可参与 {first} 期",
                f"cleared on {cleared}; {first} is the first period",
            )
        return (
            "解除后，从解除次月的期次起可参与；有疑问请联系运营",
            "once cleared, from the following month's period; ask operations",
        )
    return "目标由运营设定，请联系运营", "operations set targets: ask them"


def tenure_reached(registered_on: dt.date, months: int) -> dt.date:
    """The day on which so many calendar months are full; one that a month lacks is its last.

    >>> tenure_reached(dt.date(2022, 12, 31), 2)
    datetime.date(2023, 2, 28)
    """
    return months_later(registered_on, months)


def first_period_from(day: dt.date, like: Period | None = None) -> Period:
    """The first period, of the programme and cycle of another or else a month, whose first day is on a day or later.

    >>> str(first_period_from(dt.date(2023, 1, 1))), str(first_period_from(dt.date(2023, 1, 2)))
    ('2023-01', '2023-02')
    """
    period = Period.of(day) if like is None else Period.of(day, like.cycle, like.programme)
    return period if period.first_day == day else period.plus(1)
