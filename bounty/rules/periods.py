"""A period of the programme and the bounds its terms give it."""

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self

from sqlalchemy import ColumnElement, and_, func

from bounty.clock import midnight
from bounty.rules.terms import HALF_MONTH, MONTH, Terms

MAIN = "main"
"""The code of the first programme."""


_CODE = "[a-z][a-z0-9-]{0,31}"
_TEXT = re.compile(rf"(?:({_CODE}):)?([0-9]{{4}})-([0-9]{{2}})([ab]?)")
_HALVES = ("", "a", "b")
PERIOD_KEY = re.compile(rf"\b({_CODE}):(20[0-9]{{2}}-[0-9]{{2}}[ab]?)\b")
"""Finds, within a text, periods of other programmes than ``main``: programme and name."""


def is_programme_code(text: str) -> bool:
    """Whether a programme can have this code."""
    return re.fullmatch(_CODE, text) is not None


@dataclass(frozen=True, order=True, slots=True)
class Period:
    """A month, or a half of one, of a programme; 2015-01 to 2099-12. Only periods of one programme follow each other.

    As text it is ``2022-12`` or ``2022-12a``, and of a programme other than ``main`` ``sprint:2022-12a``: so it stands
    in the database, in addresses and in texts.

    >>> Period.parse("2022-12").plus(1), str(Period.parse("sprint:2022-12b").plus(1))
    (Period(year=2023, month=1, half=0, programme='main'), 'sprint:2023-01a')
    """

    year: int
    month: int
    half: int = 0
    """0 is the whole month, 1 its 1st to 15th, 2 its 16th to its last day."""
    programme: str = MAIN

    @classmethod
    def parse(cls, text: str, programme: str = MAIN) -> Self:
        """From text; ``programme`` is that of a text that names none. Raises ValueError for anything else."""
        match = _TEXT.fullmatch(text)
        if not match or not 2015 <= int(match[2]) <= 2099 or not 1 <= int(match[3]) <= 12:
            raise ValueError(
                f"{text!r} is not a period: write a month from 2015-01 to 2099-12, such as 2022-12, or in a programme "
                f"of half-months 2022-12a or 2022-12b"
            )
        return cls(int(match[2]), int(match[3]), _HALVES.index(match[4]), match[1] or programme)

    @classmethod
    def of(cls, day: date, cycle: str = MONTH, programme: str = MAIN) -> Self:
        """The period in which a date lies.

        >>> str(Period.of(date(2022, 12, 16), HALF_MONTH))
        '2022-12b'
        """
        half = 0 if cycle == MONTH else 1 if day.day <= 15 else 2
        return cls(day.year, day.month, half, programme)

    def __str__(self) -> str:
        return f"{prefix_of(self.programme)}{self.name}"

    @property
    def name(self) -> str:
        """Without the programme."""
        return f"{self.year:04d}-{self.month:02d}{_HALVES[self.half]}"

    @property
    def slug(self) -> str:
        """As a part of a file's name: ``2022-12``, ``sprint-2022-12a``."""
        return str(self).replace(":", "-")

    @property
    def arguments(self) -> str:
        """As a command of the shell takes it: ``2022-12``, ``2022-12a --programme sprint``."""
        return self.name if self.programme == MAIN else f"{self.name} --programme {self.programme}"

    @property
    def cycle(self) -> str:
        """MONTH or HALF_MONTH."""
        return HALF_MONTH if self.half else MONTH

    def plus(self, periods: int) -> "Period":
        """So many periods later; earlier if negative."""
        months = self.year * 12 + self.month - 1
        if not self.half:
            months += periods
            return Period(months // 12, months % 12 + 1, 0, self.programme)
        halves = months * 2 + self.half - 1 + periods
        return Period(halves // 24, halves // 2 % 12 + 1, halves % 2 + 1, self.programme)

    def day(self, number: int) -> date:
        """A day of the period by its number, and its last day where it has no such day.

        Of a half, 1 to 15 count from its first day, so that one number means the same in both halves; from 16 on it is
        that day of the month.

        >>> Period(2023, 2).day(31), Period(2022, 12, 2).day(1), Period(2022, 12, 1).day(31)
        (datetime.date(2023, 2, 28), datetime.date(2022, 12, 16), datetime.date(2022, 12, 15))
        """
        last = calendar.monthrange(self.year, self.month)[1]
        if self.half == 1:
            last = 15
        elif self.half == 2 and number <= 15:
            number += 15
        return date(self.year, self.month, min(number, last))

    @property
    def first_day(self) -> date:
        """By which level, tenure and violations are judged."""
        return self.day(1)


def programme_key(period: Period) -> dict[str, str]:
    """What names the programme in JSON; nothing for ``main``, whose JSON is as before there were others."""
    return {} if period.programme == MAIN else {"programme": period.programme}


def prefix_of(programme: str) -> str:
    """What the text of a programme's periods begins with."""
    return "" if programme == MAIN else f"{programme}:"


def in_programme(period: ColumnElement[str], programme: str) -> ColumnElement[bool]:
    """Whether periods, as text, are of a programme: years begin with 2, and codes with a letter."""
    prefix = prefix_of(programme)
    return and_(period >= f"{prefix}2", period < f"{prefix}3")


def programme_in_sql(period: ColumnElement[str]) -> ColumnElement[str]:
    """What tells the programmes of periods, as text, apart: the part up to the colon, blank for ``main``."""
    return func.rtrim(period, "0123456789-ab")


def name_in_sql(period: ColumnElement[str]) -> ColumnElement[str]:
    """Periods, as text, without their programmes; these sort as time goes, whatever the programme."""
    return func.replace(period, programme_in_sql(period), "")


def months_later(day: date, months: int) -> date:
    """The same day so many calendar months later; one that the month lacks is its last.

    >>> months_later(date(2022, 12, 31), 2)
    datetime.date(2023, 2, 28)
    """
    return Period.of(day).plus(months).day(day.day)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of a period, in epoch seconds; every window is half-open."""

    task_from: int
    task_until: int
    receipt_cutoff: int
    month_from: int
    month_until: int


def bounds_of(period: Period, terms: Terms) -> Bounds:
    """The bounds that terms give to a period (docs/promises.md, The rules).

    The last days are inclusive in the terms, so each window ends where the next day begins.
    """
    following = period.plus(1)
    one_day = timedelta(days=1)
    if terms.task.receipt_cutoff_days is not None:
        cutoff = following.first_day + timedelta(days=terms.task.receipt_cutoff_days)
    else:
        cutoff = following.day(terms.task.receipt_cutoff_day or 31) + one_day
    return Bounds(
        task_from=midnight(period.day(terms.task.first_day)),
        task_until=midnight(
            period.day(31 if terms.task.last_day == "end" else terms.task.last_day) + one_day
        ),
        receipt_cutoff=midnight(cutoff),
        month_from=midnight(period.first_day),
        month_until=midnight(following.first_day),
    )


def lapses_at(period: Period, terms: Terms) -> int | None:
    """When the subsidy of an order whose commission has not settled becomes void, in epoch seconds; null where the
    terms know no such time.

    It is judged when paying, never by a settlement (docs/payouts.md).
    """
    months = terms.subsidy.lapse_months
    return None if months is None else midnight(months_later(period.plus(1).first_day, months))
