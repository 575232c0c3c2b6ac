"""Grammars of the values in the JSON of the platform's API: each takes a value that is not null, to what it means, and
raises Fault for any other.
"""

import re
from collections.abc import Callable
from typing import Final, TypeVar

from bounty.files import cells
from bounty.files.cells import STATUSES, TYPE_LIMIT
from bounty.files.problems import Fault

_Meaning = TypeVar("_Meaning")
_WHOLE: Final = re.compile(r"0|-?[1-9][0-9]{0,17}")


class UnusualNumber(str):
    """A number that is no 64-bit integer, or a constant like NaN, in its written form."""

    __slots__ = ()


def is_big(value: object) -> bool:
    """Whether a value is an integer beyond 64 bits."""
    return isinstance(value, UnusualNumber) and value.removeprefix("-").isdigit()


def text(read: Callable[[str], _Meaning], case: str) -> Callable[[object], _Meaning]:
    def of(value: object) -> _Meaning:
        if type(value) is not str:
            raise Fault(case)
        return read(cells.normalised(value))

    return of


def integer(value: object) -> object:
    """A string of an integer as an integer; any other value unchanged."""
    return (
        int(digits) if type(value) is str and _WHOLE.fullmatch(digits := cells.normalised(value)) else value
    )


def fen(value: object) -> int:
    """Whole fen from an integer or a string of one."""
    if type(value) is not int and type(value) is not str and not is_big(value):
        raise Fault("fen")
    return cells.fen(cells.normalised(str(value)))


def name(value: object) -> str | None:
    if type(value) is not str:
        raise Fault("not text")
    return value or None


def status(value: object) -> int:
    code = integer(value)
    if type(code) is not int or code not in STATUSES:
        raise Fault("status")
    return code


def type_code(value: object) -> int:
    value = integer(value)
    if type(value) is not int or value < 0:
        raise Fault("whole")
    if value > TYPE_LIMIT:
        raise Fault("number range", limit=TYPE_LIMIT)
    return value


def flag(*known: int) -> Callable[[object], int]:
    def of(value: object) -> int:
        value = integer(value)
        if type(value) is not int or value not in known:
            raise Fault("flag", choices=" / ".join(map(str, known)))
        return value

    return of


def category_list(value: object) -> str | None:
    if type(value) is not list:
        raise Fault("category list")
    ids: list[int] = []
    for each in map(integer, value):
        if type(each) is not int or not 0 <= each < 10**15:
            raise Fault("category list")
        ids.append(each)
    return cells.joined_categories(ids)


def live_room_promoter(value: object) -> str | None:
    """A live room's promoter from a whole number or its text; 0 is none."""
    if value == "":
        return None
    if type(value) is not int and type(value) is not str and not is_big(value):
        raise Fault("whole")
    return cells.live_room_promoter(cells.normalised(str(value)))


def epoch(value: object) -> int | None:
    value = integer(value)
    if type(value) is not int:
        raise Fault("epoch")
    return cells.epoch_number(value)
