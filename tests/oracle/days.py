"""Months, halves of months, days and instants, in Shanghai.

A period is the text `2022-12`, or `2022-12a` (to the 15th) and `2022-12b` (from the 16th), without its programme.
"""

import calendar
from datetime import UTC, date, datetime, timedelta, timezone

SHANGHAI = timezone(timedelta(hours=8))
"""Fixed: Shanghai has had no other offset in the years the contract accepts (2015 to 2099)."""


def month_of(period: str, offset: int = 0) -> tuple[int, int]:
    """Year and month of the period `offset` months later.

    >>> month_of("2022-12", 1), month_of("2023-01", -2)
    ((2023, 1), (2022, 11))
    """
    months = int(period[:4]) * 12 + int(period[5:7]) - 1 + offset
    return months // 12, months % 12 + 1


def period_after(period: str, offset: int) -> str:
    """The period `offset` periods of its cycle later, negative for earlier.

    >>> period_after("2022-12", 1), period_after("2022-12b", 1), period_after("2022-12a", -3)
    ('2023-01', '2023-01a', '2022-10b')
    """
    if period[7:] == "":
        year, month = month_of(period, offset)
        return f"{year:04d}-{month:02d}"
    months, second = divmod(offset + (period[7:] == "b"), 2)
    return f"{period_after(period[:7], months)}{'ab'[second]}"


def day_of(year: int, month: int, day: int) -> date:
    """That day of the month; a day that the month lacks is its last."""
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))


def first_of(period: str, offset: int = 0) -> date:
    """The first day of the period `offset` periods later."""
    then = period_after(period, offset)
    return date(int(then[:4]), int(then[5:7]), 16 if then.endswith("b") else 1)


def day_in(period: str, number: int) -> date:
    """That day of the period; one that it lacks is its last. In a half, 1 to 15 count from its first day."""
    year, month = month_of(period)
    if period.endswith("a"):
        return date(year, month, min(number, 15))
    if period.endswith("b") and number <= 15:
        number += 15
    return day_of(year, month, number)


def months_later(day: date, months: int) -> date:
    """The same day so many calendar months later, at most that month's last.

    >>> months_later(date(2022, 12, 31), 2)
    datetime.date(2023, 2, 28)
    """
    year, month = month_of(day.isoformat(), months)
    return day_of(year, month, day.day)


def midnight(day: date) -> int:
    """The instant at which the day begins in Shanghai, epoch seconds."""
    return (day - date(1970, 1, 1)).days * 86400 - 8 * 3600


def instant_text(instant: int) -> str:
    """An instant as files show it.

    >>> instant_text(1671551999)
    '2022-12-20T23:59:59+08:00'
    """
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=instant)).astimezone(SHANGHAI).isoformat()
