"""The grammars: what a value in a file may look like, and nothing else.

Every reader takes the value as ``normalised`` left it and returns what it means, or raises a ``Fault`` that says what would
be right. A form that could be read in two ways is refused, never guessed.
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
STATUSES: Final = frozenset({-1, 0, 1, 2, 3, 4, 5, 8, 10})
"""The platform's order statuses (domain, Order life cycle)."""

_ORDER_NUMBER = re.compile(r"[0-9]+(?:-[0-9]+)*")
_PLACE = re.compile(r"([0-9]{1,15})_[0-9]{1,32}")
# 2.21201E+14 and 1000939.0 are Excel's renderings of a number; so are zeros after the 15th digit.
_MANGLED = re.compile(r"[0-9]+(?:\.[0-9]+)?[eE][+-]?[0-9]+(?:_[0-9]*)?|[0-9]+\.0*|[0-9]{15}0+")
_CATEGORY_LIST = re.compile(r"\[ *(?:[0-9]+(?: *, *[0-9]+)*)? *\]")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PERIOD = re.compile(r"(?:[a-z][a-z0-9-]{0,31}:)?(?:201[5-9]|20[2-9][0-9])-(?:0[1-9]|1[0-2])[ab]?")
_CLOCK = re.compile(r"[ T]([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])")
_INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]([0-9]{2}):([0-9]{2}):([0-9]{2})(Z|[+-][0-9]{2}:?[0-9]{2})?"
)


def normalised(text: str) -> str:
    """The text after NFKC and trimming, as every value but a name or a remark is read.

    >>> normalised("　１２．５ ")
    '12.5'
    """
    if text.isascii():
        return text.strip()
    return unicodedata.normalize("NFKC", text).strip()


def _id_text(text: str, case: str) -> str:
    """An id without the apostrophe by which a sheet marks text. Raises Fault where Excel has mangled it."""
    bare = text.removeprefix("'").strip()
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
    bare = _id_text(text, "order number")
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
    try:
        return read_yuan(text)
    except ValueError:
        raise _money_fault(text, "yuan", r"-([0-9]+(\.[0-9]{1,2})?)", r"[0-9]{13,}(\.[0-9]{1,2})?") from None


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
    """A reader of one of some words, each standing for a number."""

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
        self[text] = seconds = int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3])
        return seconds


MIDNIGHTS: Final = _Midnights()
CLOCKS: Final = _Clocks()
"""``MIDNIGHTS[text[:10]] + CLOCKS[text[10:]]`` is the quick way for a plain time; both raise Fault for any other."""


def instant(text: str) -> int:
    """Epoch seconds from ``2022-12-20 23:59:59`` in Shanghai, or with ``T``, or with an offset.

    ``24:00:00`` exactly is the next day's 00:00:00.

    >>> instant("2022-12-20 24:00:00"), instant("2022-12-20T16:00:00Z")
    (1671552000, 1671552000)
    """
    if not (found := _INSTANT.fullmatch(text)):
        raise Fault(_time_hint(text))
    day_text, offset = found[1], found[5] or ""
    hour, minute, second = int(found[2]), int(found[3]), int(found[4])
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
    """Which saying fits a text that is no time."""
    if _DAY.fullmatch(text):
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
