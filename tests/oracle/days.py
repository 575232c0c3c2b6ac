"""Months, days and instants, in Shanghai."""

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
    """The period `offset` months later, negative for earlier."""
    year, month = month_of(period, offset)
    return f"{year:04d}-{month:02d}"


def day_of(year: int, month: int, day: int) -> date:
    """That day of the month; a day that the month lacks is its last."""
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))


def first_of(period: str, offset: int = 0) -> date:
    """The 1st of the period `offset` months later."""
    year, month = month_of(period, offset)
    return date(year, month, 1)


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
