"""One order as the platform's API gives it in JSON, to an ``OrderRow`` or to what is wrong with it.

Most rows are taken by the quick reader (``json_quick``); this one decides on all others, and explains.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from bounty.files import cells
from bounty.files.cells import FIELD_LIMIT, STATUSES, TYPE_LIMIT
from bounty.files.columns import FileColumn, read_values
from bounty.files.problems import CONTROL, BadRow, Fault, bad_row
from bounty.platforms.pdd.json_fast import read_quickly
from bounty.platforms.pdd.order_row import OrderRow, check_together, row_from

ENVELOPES: Final = frozenset({"order_list_get_response", "order_detail_response", "error_response"})
"""The keys by which a reply of the platform is known."""
DEPTH_LIMIT: Final = 32
_INT64: Final = 2**63
_HALF_CHARACTER: Final = re.compile("[\ud800-\udfff]")
_WHOLE: Final = re.compile(r"0|-?[1-9][0-9]{0,17}")
_LONG_NUMBER: Final = re.compile(r"[0-9]{19}")
_EXPONENT: Final = re.compile(r"[0-9][eE]")
_ODD_ESCAPE: Final = re.compile(r"\\(?:[bf]|u(?:00[01]|007[fF]|00[89]|[dD][89a-fA-F]))")
_STRING_OR_BRACKET: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{}\]]', re.DOTALL)


class NotJson(ValueError):
    """The text is not JSON: where it ends can't be trusted either."""


class _Odd(str):
    """A number that is not a whole one within 64 bits, or a word like NaN, as it stood."""

    __slots__ = ()


def read_order(raw: bytes, place: int, has_controls: bool) -> OrderRow | BadRow:
    """One order.

    raw           its JSON in UTF-8
    has_controls  whether control characters may stand in it as they are
    Raises        NotJson
    """
    text = raw.decode()
    if has_controls and CONTROL.search(text):
        return bad_row("control", place=place, raw=text)
    return read_quickly(raw, text, place) or read_carefully(text, place)


def fields_of(text: str) -> dict[str, Any] | None:
    """The fields of a JSON object; None for any other JSON. Of a key that stands twice, the last. Raises NotJson."""
    return _parsed(text).fields


# --- The fields ---


def _text(read: Callable[[str], Any], case: str) -> Callable[[Any], Any]:
    def of(value: Any) -> Any:
        if type(value) is not str:
            raise Fault(case)
        return read(cells.normalised(value))

    return of


def _whole(value: Any) -> Any:
    """A whole number, also where it stands in quotes; anything else as it is."""
    return int(text) if type(value) is str and _WHOLE.fullmatch(text := cells.normalised(value)) else value


def _fen(value: Any) -> int:
    """Whole fen from a whole number or its text."""
    if type(value) is not int and type(value) is not str and not _is_big(value):
        raise Fault("fen")
    return cells.fen(cells.normalised(str(value)))


def _name(value: Any) -> str | None:
    if type(value) is not str:
        raise Fault("not text")
    return value or None


def _status(value: Any) -> int:
    value = _whole(value)
    if type(value) is not int or value not in STATUSES:
        raise Fault("status")
    return value


def _type(value: Any) -> int:
    value = _whole(value)
    if type(value) is not int or value < 0:
        raise Fault("whole")
    if value > TYPE_LIMIT:
        raise Fault("number range", limit=TYPE_LIMIT)
    return value


def _flag(*known: int) -> Callable[[Any], int]:
    def of(value: Any) -> int:
        value = _whole(value)
        if type(value) is not int or value not in known:
            raise Fault("flag", choices=" / ".join(map(str, known)))
        return value

    return of


def _categories(value: Any) -> str | None:
    ids = [_whole(each) for each in value] if type(value) is list else None
    if ids is None or not all(type(each) is int and 0 <= each < 10**15 for each in ids):
        raise Fault("category list")
    return cells.joined_categories(ids)


def _room_promoter(value: Any) -> str | None:
    """A live room's promoter from a whole number or its text; 0 is none."""
    if value == "":
        return None
    if type(value) is not int and type(value) is not str and not _is_big(value):
        raise Fault("whole")
    return cells.live_room_promoter(cells.normalised(str(value)))


def _epoch(value: Any) -> int | None:
    value = _whole(value)
    if type(value) is not int:
        raise Fault("epoch")
    return cells.epoch_number(value)


_OF_LIST: Final = (
    FileColumn("order_sn", "order_sn", _text(cells.order_number, "order number")),
    FileColumn("p_id", "p_id", _text(cells.promotion_id, "place")),
    FileColumn("goods_name", "goods_name", _name, blank=None),
    FileColumn("order_status", "order_status", _status),
    FileColumn("order_amount", "order_amount_fen", _fen),
    FileColumn("promotion_amount", "promotion_amount_fen", _fen, blank=0),
    FileColumn("type", "type", _type, blank=None),
    FileColumn("cat_ids", "cat_ids", _categories, blank=None),
    FileColumn("is_direct", "is_direct", _flag(0, 1), blank=None),
    FileColumn("price_compare_status", "price_compare_status", _flag(0, 1), blank=None),
    FileColumn("order_create_time", "created_at", _epoch, blank=None),
    FileColumn("order_pay_time", "paid_at", _epoch, blank=None),
    FileColumn("order_receive_time", "received_at", _epoch, blank=None),
    FileColumn("order_verify_time", "verified_at", _epoch, blank=None),
    FileColumn("order_settle_time", "settled_at", _epoch, blank=None),
    FileColumn("order_modify_at", "modified_at", _epoch),
    FileColumn("sep_duo_id", "sep_duo_id", _room_promoter, blank=None),
    FileColumn("sep_pid", "sep_pid", _text(cells.live_room_place, "not text"), blank=None),
)
_PID: Final = FileColumn("pid", "p_id", _text(cells.promotion_id, "place"))
_OF_DETAIL: Final = (
    *(_PID if column.name == "p_id" else column for column in _OF_LIST),
    FileColumn("return_status", "return_status", _flag(0, 1, 2), blank=None),
    FileColumn("url_last_generate_time", "link_made_at", _epoch, blank=None),
)


# --- The row ---


def read_carefully(text: str, place: int) -> OrderRow | BadRow:
    """One order, without the quick reader. Raises NotJson."""
    if _depth(text) > DEPTH_LIMIT:
        return bad_row("deep", place=place, raw=text, limit=DEPTH_LIMIT)
    fields, doubled, may_be_odd = _parsed(text)
    if fields is None or not ENVELOPES.isdisjoint(fields):
        return bad_row("not an order", place=place, raw=text)
    is_detail = fields.get("pid") is not None
    columns = _OF_DETAIL if is_detail else _OF_LIST
    reading = read_values(columns, (fields.get(column.name) for column in columns))
    if doubled is not None:
        # Which of its two values was meant can't be known.
        reading.faults = [each for each in reading.faults if each[1] is None or each[1].name != doubled]
        reading.blame(Fault("double key", key=doubled), FileColumn(doubled, doubled, str))
        fields[doubled] = None
        for column in columns:
            if column.name == doubled:
                reading.facts.pop(column.fact, None)
    if is_detail and fields.get("p_id") not in (None, fields["pid"]):
        reading.blame(Fault("pid differs"), _PID)
    check_together(columns, reading)
    for name, value in fields.items() if may_be_odd else ():
        for fault in _faults_in(name, value):
            reading.blame(fault, FileColumn(name, name, str))
    return row_from(
        reading,
        place=place,
        is_detail=is_detail,
        raw=text,
        shown=lambda column: _shown(fields.get(column.name)),
        place_of=lambda column: columns.index(column) if column in columns else -1,
    )


def _depth(text: str) -> int:
    """How deep its brackets are nested, where they can be deeper than allowed at all."""
    if text.count("[") + text.count("{") <= DEPTH_LIMIT:
        return 0
    depth = deepest = 0
    for piece in _STRING_OR_BRACKET.findall(text):
        if piece in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif piece in "]}":
            depth -= 1
    return deepest


class _Parsed(NamedTuple):
    """The JSON of one order."""

    fields: dict[str, Any] | None
    """None for JSON that is no object. Numbers that are not whole ones within 64 bits, and words like NaN, are _Odd."""
    doubled: str | None
    """A key that stands twice in it or in anything within."""
    may_be_odd: bool
    """Whether anything in it may be what no field may hold."""


def _parsed(text: str) -> _Parsed:
    """Raises NotJson."""
    doubled: list[str] = []
    odd: list[_Odd] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            doubled.append(next(key for key in keys if keys.count(key) > 1))
        return found

    def whole(digits: str) -> int | _Odd:
        if len(digits) <= 20 and -_INT64 <= (number := int(digits)) < _INT64:
            return number
        return word(digits)

    def word(number: str) -> _Odd:
        odd.append(_Odd(number))
        return odd[-1]

    has_long = _LONG_NUMBER.search(text) is not None
    decoder = json.JSONDecoder(
        object_pairs_hook=members,
        # Python's own int() is quicker, but it takes its time over long numbers and refuses those of 4300 digits.
        parse_int=whole if has_long else None,
        parse_float=word if has_long or _EXPONENT.search(text) else _Odd,
        parse_constant=word,
    )
    try:
        value = decoder.decode(text)
    except (ValueError, RecursionError):
        raise NotJson from None
    may_be_odd = bool(odd) or len(text) > FIELD_LIMIT or _ODD_ESCAPE.search(text) is not None
    return _Parsed(value if isinstance(value, dict) else None, doubled[0] if doubled else None, may_be_odd)


def _is_big(value: Any) -> bool:
    """Whether it is a whole number beyond 64 bits."""
    return isinstance(value, _Odd) and value.removeprefix("-").isdigit()


def _faults_in(*values: Any) -> Iterator[Fault]:
    """What no field of a row may hold, in these values and all that is in them."""
    for value in values:
        kind = type(value)
        if kind is str:
            if CONTROL.search(value.strip("\x1f")) or _HALF_CHARACTER.search(value):
                yield Fault("control")
            if len(value) > FIELD_LIMIT:
                yield Fault("long field", limit=FIELD_LIMIT)
        elif kind is dict:
            yield from _faults_in(*value, *value.values())
        elif kind is list:
            yield from _faults_in(*value)
        elif kind is _Odd and not value[-1:].isdigit():
            yield Fault("no number")
        elif kind is _Odd and (_is_big(value) or abs(float(value)) == float("inf")):
            yield Fault("big number")


def _shown(value: Any) -> str | None:
    """A value as it stood, or as near to it as its JSON."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
