"""Parses one order in the JSON of the platform's API to an ``OrderRow``, or to a ``BadRow`` with its problem.

``json_fast`` parses most rows; this module parses all others and explains problems.
"""

import json
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from bounty.files.cells import FIELD_LIMIT
from bounty.files.columns import FileColumn, read_values
from bounty.files.problems import CONTROL, BadRow, Fault, bad_row
from bounty.platforms.pdd.json_fast import read_fast
from bounty.platforms.pdd.json_values import UnusualNumber, is_big
from bounty.platforms.pdd.order_facts import columns_of
from bounty.platforms.pdd.order_row import OrderRow, check_together, row_from

ENVELOPES: Final = frozenset({"order_list_get_response", "order_detail_response", "error_response"})
"""The keys that identify a response body of the platform."""
DEPTH_LIMIT: Final = 32
"""Deepest nesting of brackets."""
_INT64: Final = 2**63
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_LONG_NUMBER: Final = re.compile(r"[0-9]{19}")
_EXPONENT: Final = re.compile(r"[0-9][eE]")
_ODD_ESCAPE: Final = re.compile(r"\\(?:[bf]|u(?:00[01]|007[fF]|00[89]|[dD][89a-fA-F]))")
_STRING_OR_BRACKET: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{}\]]', re.DOTALL)


class NotJson(ValueError):
    """The text is not JSON, so the place where the row ends is not reliable either."""


def read_order(raw: bytes, place: int, has_controls: bool) -> OrderRow | BadRow:
    """Parse one order.

    raw           the order's JSON in UTF-8
    has_controls  whether it may contain unescaped control characters
    Raises        NotJson
    """
    text = raw.decode()
    if has_controls and CONTROL.search(text):
        return bad_row("control", place=place, raw=text)
    return read_fast(raw, text, place) or read_strict(text, place)


def fields_of(text: str) -> dict[str, object] | None:
    """The fields of a JSON object; None for any other JSON. The last of duplicate keys wins. Raises NotJson."""
    return _parsed(text).fields


_OF_LIST: Final = columns_of("json", detail=False)
_OF_DETAIL: Final = columns_of("json", detail=True)
_PID: Final = next(column for column in _OF_DETAIL if column.fact == "p_id")


def read_strict(text: str, place: int) -> OrderRow | BadRow:
    """Parse one order without the fast parser. Raises NotJson."""
    if _depth(text) > DEPTH_LIMIT:
        return bad_row("deep", place=place, raw=text, limit=DEPTH_LIMIT)
    fields, doubled, may_be_invalid = _parsed(text)
    if fields is None or not ENVELOPES.isdisjoint(fields):
        return bad_row("not an order", place=place, raw=text)
    is_detail = fields.get("pid") is not None
    columns = _OF_DETAIL if is_detail else _OF_LIST
    reading = read_values(columns, (fields.get(column.name) for column in columns))
    if doubled is not None:
        # Neither of the two values can be trusted.
        reading.faults = [each for each in reading.faults if each[1] is None or each[1].name != doubled]
        reading.blame(Fault("double key", key=doubled), FileColumn(doubled, doubled, str))
        fields[doubled] = None
        for column in columns:
            if column.name == doubled:
                reading.facts.pop(column.fact, None)
    if is_detail and fields.get("p_id") not in (None, fields["pid"]):
        reading.blame(Fault("pid differs"), _PID)
    check_together(columns, reading)
    for name, value in fields.items() if may_be_invalid else ():
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
    """The nesting depth of the brackets; 0 without counting if there are too few brackets to exceed the limit."""
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
    """The parsed JSON of one order."""

    fields: dict[str, object] | None
    """None for JSON that is no object. Numbers other than 64-bit integers, and constants like NaN, are
    UnusualNumber."""
    doubled: str | None
    """A duplicate key, at any depth; None if there is none."""
    may_be_invalid: bool
    """Whether any value may be one that no field accepts."""


def _parsed(text: str) -> _Parsed:
    """Parse JSON and find duplicate keys and unusual values. Raises NotJson."""
    doubled: list[str] = []
    unusual: list[UnusualNumber] = []

    def members(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            doubled.append(next(key for key in keys if keys.count(key) > 1))
        return found

    def integer(digits: str) -> int | UnusualNumber:
        if len(digits) <= 20 and -_INT64 <= (number := int(digits)) < _INT64:
            return number
        return unusual_number(digits)

    def unusual_number(number: str) -> UnusualNumber:
        unusual.append(UnusualNumber(number))
        return unusual[-1]

    has_long = _LONG_NUMBER.search(text) is not None
    decoder = json.JSONDecoder(
        object_pairs_hook=members,
        # The built-in int() is faster, but slow for long numbers, and it refuses more than 4300 digits.
        parse_int=integer if has_long else None,
        parse_float=unusual_number if has_long or _EXPONENT.search(text) else UnusualNumber,
        parse_constant=unusual_number,
    )
    try:
        value = decoder.decode(text)
    except (ValueError, RecursionError):
        raise NotJson from None
    may_be_invalid = bool(unusual) or len(text) > FIELD_LIMIT or _ODD_ESCAPE.search(text) is not None
    fields = value if isinstance(value, dict) else None
    return _Parsed(fields, doubled[0] if doubled else None, may_be_invalid)


def _faults_in(*values: object) -> Iterator[Fault]:
    """The faults that no field may have, in these values and everything nested in them."""
    for value in values:
        if type(value) is str:
            if CONTROL.search(value.strip("\x1f")) or _SURROGATE.search(value):
                yield Fault("control")
            if len(value) > FIELD_LIMIT:
                yield Fault("long field", limit=FIELD_LIMIT)
        elif isinstance(value, dict):
            yield from _faults_in(*value, *value.values())
        elif isinstance(value, list):
            yield from _faults_in(*value)
        elif isinstance(value, UnusualNumber):
            if not value[-1:].isdigit():
                yield Fault("no number")
            elif is_big(value) or abs(float(value)) == float("inf"):
                yield Fault("big number")


def _shown(value: object) -> str | None:
    """A value for display: a string unchanged, any other value as JSON."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
