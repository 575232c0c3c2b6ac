"""The grammars: what a value in a file may look like, and nothing else.

Every reader takes the value as ``normalised`` left it and returns what it means, or raises a ``Fault`` that says
what would be right. A form that could be read in two ways is refused, never guessed.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Final

from bounty.clock import EARLIEST, LATEST, midnight, read_instant
from bounty.files.problems import Fault
from bounty.money import read_yuan

FIELD_LIMIT: Final = 64 * 1024
"""Characters of one field."""
COLUMN_LIMIT: Final = 200
FEN_LIMIT: Final = 10**14
TYPE_LIMIT: Final = 2**31 - 1
"""Of the platform's scene codes, which have three digits so far."""
PROMOTER_DIGITS: Final = 15
FORMULA_STARTS: Final = tuple("=+-@\t\r＝＋－＠")
"""What a spreadsheet takes for the start of a formula."""
STATUSES: Final = frozenset({-1, 0, 1, 2, 3, 4, 5, 8, 10})
"""The platform's order statuses (docs/promises.md, Values)."""

_ORDER_NUMBER = re.compile(r"[0-9]+(?:-[0-9]+)*")
# A promoter with leading zeros would be a second spelling of one without.
_PLACE = re.compile(r"([1-9][0-9]{0,14})_[0-9]{1,32}")
# 2.21201E+14 and 1000939.0 are Excel's renderings of a number; so are zeros after the 15th digit.
_MANGLED = re.compile(r"[0-9]+(?:\.[0-9]+)?[eE][+-]?[0-9]+(?:_[0-9]*)?|[0-9]+\.0*|[0-9]{15}0+")
_CATEGORY_LIST = re.compile(r"\[ *(?:[0-9]+(?: *, *[0-9]+)*)? *\]")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PERIOD = re.compile(r"(?:[a-z][a-z0-9-]{0,31}:)?(?:201[5-9]|20[2-9][0-9])-(?:0[1-9]|1[0-2])[ab]?")
_CLOCK = re.compile(r"[ T]([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?")
_INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T| +)([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.0+)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
# As spreadsheets of a Chinese system show times.
_SLASHED = re.compile(
    r"([0-9]{4})/([0-9]{1,2})/([0-9]{1,2})(?: +([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.0+)?)?)?"
)
_NOT_YET: Final = frozenset({"-", "--", "0", "0000-00-00 00:00:00"})
_MARKS: Final = "\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff"
"""Zero-width and direction marks, which come along when a cell is copied from a page; as a regular expression's set."""
_ENDS = re.compile(rf"\A[\s{_MARKS}]+|[\s{_MARKS}]+\Z")
_HYPHENS: Final = str.maketrans("\u2010\u2011\u2013\u2212", "----")
_GROUPED = re.compile(r"-?[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]{1,2})?")


def normalised(text: str) -> str:
    """The text after NFKC and trimming, as every value but a name or a remark is read.

    Marks without a width go with the blanks at its ends: nobody sees them, and they mean nothing there.

    >>> normalised("　１２．５ \u200b")
    '12.5'
    """
    if text.isascii():
        return text.strip()
    return _ENDS.sub("", unicodedata.normalize("NFKC", text))


def trimmed(text: str) -> str:
    """A text as it stood, without blanks and unseen marks at its ends."""
    return _ENDS.sub("", text)


def unwrapped(text: str) -> str:
    """A tidy text without what sheets and exports put around an id so that it stays text.

    >>> unwrapped("'221219-1"), unwrapped("`221219-1"), unwrapped('="221219-1"')
    ('221219-1', '221219-1', '221219-1')
    """
    if text.startswith('="') and text.endswith('"') and len(text) > 2:
        return normalised(text[2:-1])
    return normalised(text[1:]) if text[:1] in ("'", "`") else text


def with_plain_hyphens(text: str) -> str:
    """A text whose hyphens and minus signs, of whatever kind, are ``-``.

    >>> with_plain_hyphens("221219–1")
    '221219-1'
    """
    return text.translate(_HYPHENS)


def _id_text(text: str, case: str) -> str:
    """An id without its wrapping. Raises Fault where Excel has mangled it."""
    bare = unwrapped(text)
    if _MANGLED.fullmatch(bare):
        raise Fault("mangled id")
    if not bare or len(bare) > 64:
        raise Fault(case)
    return bare


def order_number(text: str) -> str:
    """An order number: digits and ``-``.

    >>> order_number("'221219-123456789012345")
    '221219-123456789012345'
    """
    bare = _id_text(with_plain_hyphens(text), "order number")
    if not _ORDER_NUMBER.fullmatch(bare):
        raise Fault("order number")
    return bare


def promotion_id(text: str) -> str:
    """A promotion place (p_id): digits ``_`` digits, of which the promoter's are at most 15 and above 0."""
    bare = _id_text(text, "place")
    promoter_of_p_id(bare)
    return bare


def promoter_of_p_id(p_id: str) -> int:
    """The promoter of a promotion place. Raises Fault for what is none.

    >>> promoter_of_p_id("1817118_107021838")
    1817118
    """
    found = _PLACE.fullmatch(p_id)
    if not found or not (promoter_id := int(found[1])):
        raise Fault("place")
    return promoter_id


def promoter_id(text: str) -> int:
    """A promoter's id: at most 15 digits, above 0."""
    bare = _id_text(text, "promoter")
    if not (bare.isascii() and bare.isdigit() and len(bare) <= PROMOTER_DIGITS and int(bare) > 0):
        raise Fault("promoter")
    return int(bare)


def live_room_promoter(text: str) -> str | None:
    """The promoter of a live room, as text; None for 0, which means "none".

    >>> live_room_promoter("1000940"), live_room_promoter("0")
    ('1000940', None)
    """
    number = whole_number(10**PROMOTER_DIGITS - 1)(text)
    return str(number) if number else None


def live_room_place(text: str) -> str | None:
    """The promotion place of a live room; None for a blank."""
    return text_up_to(64)(text) or None


def yuan(text: str) -> int:
    """Whole fen from yuan.

    >>> yuan("1234.5")
    123450
    """
    plain = _plain_yuan(text)
    try:
        return read_yuan(plain)
    except ValueError:
        raise _money_fault(plain, "yuan", r"-([0-9]+(\.[0-9]{1,2})?)", r"[0-9]{13,}(\.[0-9]{1,2})?") from None


def _plain_yuan(text: str) -> str:
    """An amount without the sign of its currency and without commas between thousands."""
    if text[:1] == "¥":
        text = text[1:].lstrip()
    if text[-1:] == "元":
        text = text[:-1].rstrip()
    return _without_commas(text)


def _without_commas(text: str) -> str:
    """A number without the commas between its thousands; as it is where they part anything else."""
    return text.replace(",", "") if _GROUPED.fullmatch(text) else text


def fen_cell(text: str) -> int:
    """Whole fen from fen as a sheet may show them.

    >>> fen_cell("123,450")
    123450
    """
    return fen(_without_commas(text))


def fen(text: str) -> int:
    """Whole fen from fen.

    >>> fen("123450")
    123450
    """
    if text.isascii() and text.isdigit() and len(text) <= 15 and int(text) <= FEN_LIMIT:
        return int(text)
    raise _money_fault(text, "fen", r"-([0-9]+)", r"[0-9]{15,}")


def _money_fault(text: str, case: str, negative: str, large: str) -> Fault:
    if (minus := re.fullmatch(negative, text)) and minus[1].strip("0."):
        return Fault("negative")
    return Fault("amount range" if re.fullmatch(large, text) else case)


def whole_number(limit: int) -> Callable[[str], int]:
    """A reader of whole numbers from 0 to a limit.

    >>> whole_number(99)("94")
    94
    """

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit()):
            raise Fault("whole")
        digits = text.lstrip("0") or "0"
        if len(digits) > len(str(limit)) or int(digits) > limit:
            raise Fault("number range", limit=limit)
        return int(digits)

    return read


def categories(text: str) -> str | None:
    """Category ids joined by ``;`` in rising order, distinct and without 0; None where none is left.

    >>> categories("2001;239;0;239")
    '239;2001'
    """
    ids = [part.strip() for part in text.split(";")]
    if not all(part.isascii() and part.isdigit() and len(part) <= PROMOTER_DIGITS for part in ids):
        raise Fault("mangled id" if _MANGLED.fullmatch(text) else "categories")
    return joined_categories(int(part) for part in ids)


def category_cell(text: str) -> str | None:
    """Category ids as a cell under the API's header may hold them: joined by ``;``, or as a JSON list.

    >>> category_cell("[2001, 239]"), category_cell("[]")
    ('239;2001', None)
    """
    if not _CATEGORY_LIST.fullmatch(text):
        return categories(text)
    inner = text[1:-1].strip()
    return categories(inner.replace(",", ";")) if inner else None


def joined_categories(ids: Iterable[int]) -> str | None:
    """The one way to write a set of categories: rising, distinct, without 0, joined by ``;``; None for none."""
    return ";".join(map(str, sorted(set(ids) - {0}))) or None


def word(words: Mapping[str, int], case: str, **facts: object) -> Callable[[str], int]:
    """A reader of one of some words, each for a number."""

    def read(text: str) -> int:
        if text not in words:
            raise Fault(case, **facts)
        return words[text]

    return read


def one_of(words: tuple[str, ...], case: str) -> Callable[[str], str]:
    """A reader of one of some words as they are."""

    def read(text: str) -> str:
        if text not in words:
            raise Fault(case)
        return text

    return read


def text_up_to(limit: int) -> Callable[[str], str]:
    """A reader of any text of at most so many characters."""

    def read(text: str) -> str:
        if len(text) > limit:
            raise Fault("text", limit=limit)
        return text

    return read


def day(text: str) -> date:
    """A Shanghai date within 2015 to 2099, written ``2022-10-01``."""
    try:
        found = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        found = None
    if found is None or not 2015 <= found.year <= 2099:
        raise Fault("date")
    return found


def sheet_day(text: str) -> date | None:
    """A Shanghai date as a sheet of a Chinese system may also show it; None for a word that means "not yet".

    >>> sheet_day("2022/10/1")
    datetime.date(2022, 10, 1)
    """
    if text in _NOT_YET or text == "0000-00-00":
        return None
    if (found := _SLASHED.fullmatch(text)) and found[4] is None:
        text = f"{found[1]}-{found[2]:>02}-{found[3]:>02}"
    return day(text)


def some_day(text: str) -> date:
    """The same where a date is needed."""
    if (found := sheet_day(text)) is None:
        raise Fault("blank")
    return found


def period(text: str) -> str:
    """A period within 2015 to 2099, written ``2022-12``, ``2022-12a``, or with its programme ``sprint:2022-12a``."""
    if not _PERIOD.fullmatch(text):
        raise Fault("period")
    return text.removeprefix("main:")


class _Midnights(dict[str, int]):
    """The instant at which a day begins, by the day's text; fills itself as days are met."""

    def __missing__(self, text: str) -> int:
        self[text] = instant = midnight(day(text))
        return instant


class _Clocks(dict[str, int]):
    """Seconds since midnight, by `` 23:59:59``; fills itself as times are met."""

    def __missing__(self, text: str) -> int:
        if not (found := _CLOCK.fullmatch(text)):
            raise Fault("time")
        self[text] = seconds = int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3] or 0)
        return seconds


MIDNIGHTS: Final = _Midnights()
CLOCKS: Final = _Clocks()
"""``MIDNIGHTS[text[:10]] + CLOCKS[text[10:]]`` is the quick way for a plain time; both raise Fault for any other."""


def instant(text: str) -> int | None:
    """Epoch seconds from ``2022-12-20 23:59:59`` in Shanghai, or with ``T``, or with an offset; without seconds they
    are 0. None for a word that means "not yet".

    ``24:00:00`` exactly is the next day's 00:00:00.

    >>> instant("2022-12-20 24:00:00"), instant("2022-12-20T16:00:00Z"), instant("2022/12/21 0:00"), instant("--")
    (1671552000, 1671552000, 1671552000, None)
    """
    if text in _NOT_YET:
        return None
    if (slashed := _SLASHED.fullmatch(text)) and slashed[4]:
        year, month, day_of_month, hours, minutes, seconds = slashed.groups(default="00")
        text = f"{year}-{month:>02}-{day_of_month:>02} {hours:>02}:{minutes}:{seconds}"
    if not (found := _INSTANT.fullmatch(text)):
        raise Fault(_time_hint(text))
    day_text, offset = found[1], found[5] or ""
    hour, minute, second = int(found[2]), int(found[3]), int(found[4] or 0)
    if not 2014 <= int(day_text[:4]) <= 2100:
        raise Fault("time range")
    if second == 60 and hour < 24 and minute < 60:
        raise Fault("leap second")
    if hour == 24 and (minute or second):
        raise Fault("midnight")
    if hour > 24 or minute > 59 or second > 59:
        raise Fault("no such time")
    try:
        start = read_instant(f"{day_text}T00:00:00{offset}")
    except ValueError:
        raise Fault("no such time") from None
    return _within_bounds(start + hour * 3600 + minute * 60 + second, text)


def _time_hint(text: str) -> str:
    """Which problem text fits a text that is no time."""
    if _DAY.fullmatch(text) or _SLASHED.fullmatch(text):
        return "date only"
    if re.fullmatch(r"[0-9]{13}", text):
        return "milliseconds"
    if re.fullmatch(r"[0-9]{9,10}", text):
        return "epoch in text"
    return "serial" if re.fullmatch(r"[0-9]{5}(\.[0-9]+)?", text) else "time"


def epoch(text: str) -> int | None:
    """Epoch seconds from their digits; None for 0, which means "not yet".

    >>> epoch("1671551999"), epoch("0")
    (1671551999, None)
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Fault("epoch")
    return epoch_number(int(text))


def epoch_number(number: int) -> int | None:
    """Epoch seconds from the API's number; None for 0, which means "not yet"."""
    if number == 0:
        return None
    if len(text := str(number)) == 13 and number > 0:
        raise Fault("milliseconds")
    if number < 0 or len(text) > 10:
        raise Fault("epoch")
    return _within_bounds(number, text)


def _within_bounds(moment: int, text: str) -> int:
    if not EARLIEST <= moment <= LATEST:
        raise Fault("time range")
    return moment
