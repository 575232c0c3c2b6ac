"""A period of the programme and the bounds its terms give it."""

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self

from bounty.clock import midnight
from bounty.rules.terms import Terms

PUBLISHED_BY_DAY = 19
"""Of the next month: until when a notice is due, the day before the first subsidies are paid."""
PAID_FROM_DAY = 20
"""Of the next month: from when subsidies are paid, as commissions settle."""


@dataclass(frozen=True, order=True, slots=True)
class Period:
    """A calendar month, 2015-01 to 2099-12.

    >>> Period.parse("2022-12").plus(1), str(Period(2022, 12))
    (Period(year=2023, month=1), '2022-12')
    """

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """From ``2022-12``. Raises ValueError for anything else."""
        match = re.fullmatch(r"([0-9]{4})-([0-9]{2})", text)
        if not match or not 2015 <= int(match[1]) <= 2099 or not 1 <= int(match[2]) <= 12:
            raise ValueError(
                f"{text!r} is not a period: write a month from 2015-01 to 2099-12, such as 2022-12"
            )
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def of(cls, day: date) -> Self:
        """The period in which a date lies."""
        return cls(day.year, day.month)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    def plus(self, months: int) -> "Period":
        """So many months later; earlier if negative."""
        count = self.year * 12 + self.month - 1 + months
        return Period(count // 12, count % 12 + 1)

    def day(self, number: int) -> date:
        """A day of the month; one that the month lacks is its last.

        >>> Period(2023, 2).day(31)
        datetime.date(2023, 2, 28)
        """
        return date(self.year, self.month, min(number, calendar.monthrange(self.year, self.month)[1]))

    @property
    def first_day(self) -> date:
        """M-01, by which level, tenure and violations are judged."""
        return self.day(1)


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
    return Bounds(
        task_from=midnight(period.day(terms.task.first_day)),
        task_until=midnight(period.day(terms.task.last_day) + one_day),
        receipt_cutoff=midnight(following.day(terms.task.receipt_cutoff_day) + one_day),
        month_from=midnight(period.first_day),
        month_until=midnight(following.first_day),
    )


def lapses_at(period: Period, terms: Terms) -> int | None:
    """When the subsidy of an order whose commission has not settled becomes void, in epoch seconds; null where the
    terms know no such time.

    It is judged when paying, never by a settlement (docs/payouts.md).
    """
    months = terms.subsidy.lapse_months
    return None if months is None else midnight(period.plus(1 + months).first_day)
