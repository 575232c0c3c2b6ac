"""Fast parser of one order in JSON: about 5 µs for a row as the platform sends it.

It returns None for any unusual row, valid or not, and ``json_orders`` parses that row. The two parsers must agree on
every row that this one accepts; a property test compares them.
"""

import re
from collections.abc import Mapping
from operator import itemgetter
from typing import Annotated, Any, Final

import msgspec

from bounty.clock import EARLIEST, LATEST
from bounty.files.cells import FEN_LIMIT, FIELD_LIMIT, STATUSES, TYPE_LIMIT, joined_categories
from bounty.files.problems import Fault
from bounty.platforms.pdd.order_row import PROMOTERS, UNPAID, OrderRow, order_row

_INT64: Final = 2**63
_Int = Annotated[int, msgspec.Meta(ge=-_INT64, le=_INT64 - 1)]
_Any = _Int | float | str | bool | None
# Fields and lists may not contain floats or booleans, because Python would treat 1.0 and True as equal to 1.
_decode: Final = msgspec.json.Decoder(
    dict[str, _Int | str | dict[str, _Any] | list[_Int | str | dict[str, _Any]] | None]
).decode
# Escapes of control characters, surrogates, and the colon (colons are counted to detect duplicate keys).
_ODD_ESCAPE: Final = re.compile(rb"\\(?:[bf]|u(?:00[01]|007[fF]|00[89]|003[aA]|[dD][89a-fA-F]))")
_ORDER_NUMBER: Final = re.compile(r"[0-9]{1,15}-[0-9]{1,48}")
_FLAGS: Final = frozenset({None, 0, 1})
_RETURNS: Final = frozenset({None, 0, 1, 2})

_FIELDS: Final = (
    "order_sn",
    "goods_name",
    "order_status",
    "order_amount",
    "promotion_amount",
    "type",
    "cat_ids",
    "is_direct",
    "price_compare_status",
    "order_create_time",
    "order_pay_time",
    "order_receive_time",
    "order_verify_time",
    "order_settle_time",
    "order_modify_at",
)
"""The fields that list rows and detail rows have in common."""
_all_fields: Final = itemgetter(*_FIELDS)


class _CategorySets(dict[tuple[int, ...], str | None]):
    """Cache: category list -> ``cat_ids`` value."""

    CACHE_LIMIT: Final = 200_000

    def __missing__(self, ids: tuple[int, ...]) -> str | None:
        if not all(type(each) is int and 0 <= each < 10**15 for each in ids):
            raise Fault("category list")
        if len(self) >= self.CACHE_LIMIT:
            self.clear()
        self[ids] = joined = joined_categories(ids)
        return joined


_category_sets: Final = _CategorySets()


def read_fast(raw: bytes, text: str, place: int) -> OrderRow | None:
    """The row; None if ``json_orders.read_strict`` must parse it.

    raw, text    the row's JSON, in UTF-8 and as text, without unescaped control characters
    """
    if len(raw) > FIELD_LIMIT or (b"\\" in raw and _ODD_ESCAPE.search(raw)):
        return None
    try:
        fields = _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    # The decoder drops duplicate keys. They are detected because the JSON then has more colons than its values.
    spare = raw.count(b":") - len(fields)
    if spare and spare != _colons_of_usual_strings(fields) and spare != _colons_of(fields) - len(fields):
        return None
    try:
        values = _all_fields(fields)
    except KeyError:
        values = tuple(map(fields.get, _FIELDS))
    try:
        return _row(fields, values, text, place)
    except (Fault, TypeError, AttributeError):  # a value with an unusual type for its field
        return None


def _colons_of_usual_strings(fields: Mapping[str, object]) -> int:
    """Colons in the two fields that normally contain all colons of a row; a cheap first check."""
    link, tag = fields.get("goods_thumbnail_url"), fields.get("custom_parameters")
    return (link.count(":") if type(link) is str else 0) + (tag.count(":") if type(tag) is str else 0)


def _colons_of(value: object) -> int:
    """Number of colons in a value's JSON: one after each key, and those within strings."""
    if type(value) is str:
        return value.count(":")
    if type(value) is dict:
        return len(value) + sum(map(_colons_of, value)) + sum(map(_colons_of, value.values()))
    return sum(map(_colons_of, value)) if type(value) is list else 0


def _row(fields: Mapping[str, object], values: tuple[Any, ...], text: str, place: int) -> OrderRow | None:
    """The row of these values; None if a value is out of bounds.

    values   of _FIELDS, in that order: integers, strings, lists, objects or None
    """
    order_sn, name, status, amount, promotion, kind, cat_ids, direct, compared = values[:9]
    created, paid, received, verified, settled, modified = values[9:]
    p_id, pid = fields.get("p_id"), fields.get("pid")
    returned: object = None
    link_made: object = None
    if pid is not None:
        if p_id is not None and p_id != pid:
            return None
        p_id, returned, link_made = pid, fields.get("return_status"), fields.get("url_last_generate_time")
    if type(p_id) is not str or not (link_made is None or type(link_made) is int):
        return None
    if fields.get("sep_duo_id") or fields.get("sep_pid"):
        return None  # of a live room, which is rare
    for moment in (created, paid, received, verified, settled, modified, link_made):
        if moment is not None and not EARLIEST <= moment <= LATEST and moment != 0:
            return None
    if not (
        status in STATUSES
        and 0 <= amount <= FEN_LIMIT
        and (promotion is None or 0 <= promotion <= FEN_LIMIT)
        and (kind is None or 0 <= kind <= TYPE_LIMIT)
        and direct in _FLAGS
        and compared in _FLAGS
        and returned in _RETURNS
        and (name is None or type(name) is str)
        and (cat_ids is None or type(cat_ids) is list)
        and modified
        and (paid or status == UNPAID)
        and _ORDER_NUMBER.fullmatch(order_sn)
    ):
        return None
    facts = (
        pid is not None,
        order_sn,
        PROMOTERS[p_id],
        p_id,
        name or None,
        status,
        amount,
        promotion or 0,
        kind,
        None if cat_ids is None else _category_sets[tuple(cat_ids)],
        direct,
        compared,
        created or None,
        paid or None,
        received or None,
        verified or None,
        settled or None,
        modified,
        returned,
        link_made or None,
        None,
    )
    return order_row(place, facts, text)
