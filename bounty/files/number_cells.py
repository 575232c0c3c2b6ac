"""Numbers of a workbook as texts: what a spreadsheet shows of them, by the cell's number format."""

import datetime as dt
import re
from decimal import Decimal
from enum import Enum
from typing import Final

EXACT: Final = 10**15
"""Above it a number has lost digits of the id that it was."""
DAY_SECONDS: Final = 86_400
_EPOCH_1900: Final = dt.datetime(1899, 12, 30)  # noqa: DTZ001 - a sheet's times have no zone
_EPOCH_1904: Final = dt.datetime(1904, 1, 1)  # noqa: DTZ001
_LAST_DAY: Final = 2_958_466
"""The serial number after 9999-12-31."""


class Shows(Enum):
    """What a number format makes of a number."""

    NUMBER = "number"
    INSTANT = "instant"
    """A date, a time of day, or both."""
    DURATION = "duration"
    """Hours, minutes or seconds that count on past a day."""


# ECMA-376 Part 1, 18.8.30: 27 to 36 and 50 to 58 are dates and times in the East Asian locales alone.
_BUILT_IN: Final = {
    **dict.fromkeys((*range(14, 23), *range(27, 37), 45, 47, *range(50, 59)), Shows.INSTANT),
    46: Shows.DURATION,
}
_LITERALS: Final = re.compile(r'"[^"]*"|\\.|_.|\*.')
_SYSTEM_DATE: Final = re.compile(r"\[\$-(?:F800|F400|x-sysdate|x-systime)", re.IGNORECASE)
_ELAPSED: Final = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)
_BRACKETS: Final = re.compile(r"\[[^\]]*\]")
_EXPONENT: Final = re.compile(r"E[+-]", re.IGNORECASE)
_DATE_LETTERS: Final = re.compile(r"[ymdhsegb]|a{3}|AM/PM|A/P|上午/下午", re.IGNORECASE)


def shows(number: int, code: str | None) -> Shows:
    """What a number format shows.

    number  its numFmtId
    code    its format code, where the workbook gives one

    >>> shows(14, None), shows(176, "[$-804]aaaa;@"), shows(2, "0.00E+00"), shows(180, "[h]:mm")
    (<Shows.INSTANT: 'instant'>, <Shows.INSTANT: 'instant'>, <Shows.NUMBER: 'number'>, <Shows.DURATION: 'duration'>)
    """
    if code is None:
        return _BUILT_IN.get(number, Shows.NUMBER)
    positive = _LITERALS.sub("", code).split(";")[0]
    if _ELAPSED.search(positive):
        return Shows.DURATION
    if _SYSTEM_DATE.search(positive):
        return Shows.INSTANT
    plain = _EXPONENT.sub("", _BRACKETS.sub("", positive))
    if plain.strip().lower() == "general" or "通用格式" in plain:
        return Shows.NUMBER
    return Shows.INSTANT if _DATE_LETTERS.search(plain.replace("General", "")) else Shows.NUMBER


def number_text(number: float) -> str:
    """A number in plain digits, at the 15 significant digits that a spreadsheet shows; above 10^15 with an exponent.

    >>> number_text(1000939.0), number_text(89.69999999999999), number_text(2.2121912345678902e17)
    ('1000939', '89.7', '2.212191234567890E+17')
    """
    if abs(number) > EXACT:
        return f"{number:.15E}"
    if number % 1 == 0:
        return str(int(number))
    text = f"{number:.15g}"
    return text if "e" not in text else format(Decimal(text), "f")


def cell_text(number: float, shown: Shows, *, since_1904: bool = False) -> str:
    """A number as its format shows it: an instant as ``2022-12-20 23:59:59``, a duration as ``49:30:00``.

    A number that is no day from 1900-01-01 on stays a number.

    >>> cell_text(44915.5, Shows.INSTANT), cell_text(2.0625, Shows.DURATION), cell_text(0.0, Shows.INSTANT)
    ('2022-12-20 12:00:00', '49:30:00', '0')
    """
    if shown is Shows.DURATION:
        seconds = round(abs(number) * DAY_SECONDS)
        sign = "-" if number < 0 else ""
        return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    if shown is Shows.NUMBER or not 0 < number < _LAST_DAY:
        return number_text(number)
    if number < 1:
        return moment_text(_EPOCH_1900 + dt.timedelta(number)).partition(" ")[2]
    return moment_text((_EPOCH_1904 if since_1904 else _EPOCH_1900) + dt.timedelta(number))


def moment_text(moment: dt.datetime) -> str:
    """A date cell's instant, to the millisecond; a sheet keeps it as a fraction of a day, which is off by less.

    >>> moment_text(dt.datetime(2022, 12, 20, 23, 59, 58, 999_999))
    '2022-12-20 23:59:59'
    """
    near = (moment + dt.timedelta(milliseconds=500)).replace(microsecond=0)
    if abs(near - moment) < dt.timedelta(milliseconds=1):
        return str(near)
    fine = moment + dt.timedelta(microseconds=500)
    return str(fine.replace(microsecond=fine.microsecond // 1000 * 1000))
