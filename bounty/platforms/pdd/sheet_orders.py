"""Orders in tables (CSV and workbooks), with the API's field names or the Chinese headers (docs/promises.md, orders).

The header decides the unit of an amount and the format of a time; the value never does.
"""

import re
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Final

from bounty.files import cells
from bounty.files.cells import CLOCKS, MIDNIGHTS
from bounty.files.columns import HeaderMatch, Remembered, match_headers
from bounty.files.csv_records import Record
from bounty.files.headers import HeaderRefused
from bounty.files.marked_cells import require_unmarked
from bounty.files.problems import BadRow, Fault, bad_row, refused
from bounty.files.tables import no_data_case
from bounty.platforms.pdd.order_facts import columns_of
from bounty.platforms.pdd.order_row import PROMOTERS, UNPAID, OrderRow, check_together, order_row, row_from

_PLAIN_NUMBER: Final = re.compile(r"[0-9]{1,15}-[0-9]{1,48}")

_NO_LIVE_ROOM: Final = frozenset({"", "0"})

API: Final = columns_of("api_table")
DETAIL: Final = columns_of("api_table", detail=True)
CHINESE: Final = columns_of("chinese_table")
COLUMNS: Final = tuple({column.name: column for column in (*CHINESE, *API, *DETAIL)}.values())
"""All columns, under each of their names."""
_API_NAMES: Final = {column.name for column in (*API, *DETAIL)}
_CHINESE_NAMES: Final = {column.name for column in CHINESE}


_NO_SECONDS: Final = re.compile(r"[0-9](?:T| +)[0-9]{1,2}:[0-9]{2}")


def without_seconds(layout: HeaderMatch, row: Sequence[str]) -> bool:
    """Whether any time of a row, under the Chinese headers, is written without its seconds."""
    return layout.columns is CHINESE and any(
        value is not None
        and column.fact.endswith("_at")
        and _NO_SECONDS.search(value[-8:])
        and value.count(":") == 1
        for column, value in zip(layout.columns, layout.values(row), strict=True)
    )


def layout_of(header: list[str]) -> HeaderMatch:
    """Match a header with the API names or the Chinese names, and find the position of each column.

    Raises RefusedFile E-HEAD for a missing column, a duplicate column, or a mix of both sets of names; E-DELIM.
    """
    api = [name for name in header if name in _API_NAMES]
    chinese = [name for name in header if name in _CHINESE_NAMES]
    if api and chinese:
        raise HeaderRefused("mixed headers", len(api + chinese), columns=", ".join(api + chinese))
    if "pid" in api and "p_id" in api:
        raise refused("doubled headers", columns="p_id, pid")
    if chinese or not (api or "".join(header).isascii()):
        return match_headers(CHINESE, header)
    return match_headers(DETAIL if "pid" in api else API, header)


def reader_of(layout: HeaderMatch, header: list[str]) -> Callable[[Record | BadRow], OrderRow | BadRow]:
    """A parser of the rows under a header, with a fast path for the usual notation; ``_explained`` parses others."""
    is_detail = layout.columns is DETAIL
    pick = itemgetter(*layout.places)
    lacks = -1 in layout.places
    instants = _instants if layout.columns is CHINESE else _epochs
    cells_of = [Remembered(column).__getitem__ for column in layout.columns]
    status_of, amount_of, promotion_of, kind_of, set_of, direct_of, compared_of = cells_of[3:10]
    return_of = cells_of[-2]

    def read(record: Record | BadRow) -> OrderRow | BadRow:
        if isinstance(record, BadRow):
            return record
        place, row, raw = record
        try:
            # A missing column has position -1, which is the blank cell appended here.
            picked = pick([*row, ""] if lacks else row)
            order_sn, p_id, name, status, amount, promotion, kind, cat_ids, direct, compared = picked[:10]
            created, paid, received, verified, settled, modified = instants(picked[10:16])
            code = status_of(status)
            require_unmarked(name)
            rooms = picked[16:18]  # none under Chinese headers
            if rooms and not (rooms[0] in _NO_LIVE_ROOM and not rooms[1]):
                return _explained(layout, header, record, is_detail)  # of a live room, which is rare
            if not modified or not (paid or code == UNPAID) or not _PLAIN_NUMBER.fullmatch(order_sn):
                return _explained(layout, header, record, is_detail)
            facts = (
                is_detail,
                order_sn,
                PROMOTERS[p_id],
                p_id,
                name or None,
                code,
                amount_of(amount),
                promotion_of(promotion),
                kind_of(kind),
                set_of(cat_ids),
                direct_of(direct),
                compared_of(compared),
                created,
                paid,
                received,
                verified,
                settled,
                modified,
                *((return_of(picked[18]), *_epochs(picked[19:])) if is_detail else (None, None)),
                None,
            )
            return order_row(place, facts, raw)
        except Fault:
            return _explained(layout, header, record, is_detail)

    return read


def _instants(texts: Sequence[str]) -> list[int | None]:
    """Epoch seconds of Shanghai times in the usual notation. Raises Fault for any other text."""
    return [MIDNIGHTS[text[:10]] + CLOCKS[text[10:]] if text else None for text in texts]


def _epochs(texts: Sequence[str]) -> list[int | None]:
    """Epoch seconds from text. Raises Fault for any other text."""
    return [cells.epoch(text) if text else None for text in texts]


def _explained(layout: HeaderMatch, header: list[str], record: Record, is_detail: bool) -> OrderRow | BadRow:
    """Parse a row column by column, and name the column with the problem."""
    reading = layout.read(record.cells)
    check_together(layout.columns, reading)
    if reading.faults and (case := no_data_case(header, record.cells)):
        return bad_row(case, place=record.place, raw=record.raw)
    return row_from(
        reading,
        place=record.place,
        is_detail=is_detail,
        raw=record.raw,
        shown=lambda column: layout.cell(column, record.cells),
        place_of=layout.place,
        content=layout.content(record.cells),
    )
