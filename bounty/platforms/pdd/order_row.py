"""The order row that every file format is parsed to, and its hash, which does not depend on the format."""

from collections.abc import Callable
from hashlib import blake2b
from operator import itemgetter
from typing import Final, NamedTuple

import msgspec

from bounty.files.cells import promoter_of_p_id
from bounty.files.columns import CellReading, FileColumn
from bounty.files.problems import BadRow, Fault, row_of_errors
from bounty.platforms.pdd.order_facts import STORED


class OrderRow(NamedTuple):
    """One normalised row of an order. Money is whole fen, an instant epoch seconds; None means unknown or not yet.

    ``models.orders`` describes the fields that are columns there.
    """

    place: int
    """Line (CSV, JSONL), 1-based row (XLSX) or 1-based ordinal in the file (JSON)."""
    is_detail: bool
    """True if the row comes from ``order.detail.get``; such rows name the promotion link ID ``pid``."""
    order_sn: str
    promoter_id: int
    """The part of p_id before the underscore."""
    p_id: str
    goods_name: str | None
    """The name as written in the file."""
    order_status: int
    order_amount_fen: int
    promotion_amount_fen: int
    """0 if the row has none."""
    type: int | None
    cat_ids: str | None
    """Distinct category ids without 0, ascending, joined by ``;``."""
    is_direct: int | None
    price_compare_status: int | None
    created_at: int | None
    paid_at: int | None
    received_at: int | None
    verified_at: int | None
    settled_at: int | None
    modified_at: int
    return_status: int | None
    """0 none, 1 in progress, 2 completed; only in detail rows."""
    link_made_at: int | None
    """Only in detail rows."""
    live_room: str | None
    """The live room's promotion link ID (sep_pid) or else its promoter (sep_duo_id); None for an order without one."""
    row_hash: bytes
    """16-byte hash of all fields above except place, goods_name and created_at. Those are for display only, and not
    every format has them. An order without a live room hashes as if rows had no such field."""
    raw: str
    """The row as received: JSON text, a CSV record, or a sheet's cells as a JSON list."""


UNPAID: Final = -1
"""The status code of an unpaid order."""
FACTS: Final = OrderRow._fields[1:-2]
"""The fields from is_detail to live_room, in the order in which they are hashed."""
_UNHASHED: Final = {fact.name for fact in STORED if not fact.hashed}
_hashed_facts: Final = itemgetter(
    *(at for at, name in enumerate(FACTS) if name not in _UNHASHED and name != "live_room")
)
_encode: Final = msgspec.json.Encoder().encode


class _Promoters(dict[str, int]):
    """Cache: p_id -> promoter id. Raises Fault for an invalid p_id."""

    CACHE_LIMIT: Final = 200_000

    def __missing__(self, p_id: str) -> int:
        if len(self) >= self.CACHE_LIMIT:
            self.clear()
        self[p_id] = promoter_id = promoter_of_p_id(p_id)
        return promoter_id


PROMOTERS: Final = _Promoters()


def order_row(place: int, facts: tuple[object, ...], raw: str) -> OrderRow:
    """Build an order row with its hash.

    facts   as in FACTS
    """
    return OrderRow._make((place, *facts, hash_of(facts), raw))


def hash_of(facts: tuple[object, ...]) -> bytes:
    """The row_hash of facts: BLAKE2b of those that are hashed, as a JSON list without blanks.

    facts   as in FACTS
    """
    live_room = facts[-1]
    hashed = _hashed_facts(facts) if live_room is None else (*_hashed_facts(facts), live_room)
    return blake2b(_encode(hashed), digest_size=16).digest()


def check_together(columns: tuple[FileColumn, ...], reading: CellReading) -> None:
    """Check the rules that involve several facts, and add the promoter id and the live room to the facts."""
    facts = reading.facts
    facts["live_room"] = facts.get("sep_pid") or facts.get("sep_duo_id")
    if "p_id" in facts:
        facts["promoter_id"] = promoter_of_p_id(facts["p_id"])
    unpaid = facts.get("order_status", UNPAID) == UNPAID
    for column in columns:
        # A time of 0 means blank, so the fact can be None although the cell is not empty.
        needed = column.fact == "modified_at" or (column.fact == "paid_at" and not unpaid)
        if needed and facts.get(column.fact, 0) is None:
            reading.blame(Fault("blank"), column)


def row_from(
    reading: CellReading,
    *,
    place: int,
    is_detail: bool,
    raw: str,
    shown: Callable[[FileColumn], str | None],
    place_of: Callable[[FileColumn], int],
    content: str | None = None,
) -> OrderRow | BadRow:
    """The order row; the bad row if the reading has a fault.

    shown     returns the text of a column's cell, for the bad row
    place_of  returns the position of a column in the file
    content   as in BadRow
    """
    facts = reading.facts
    if not reading.faults:
        facts["is_detail"] = is_detail
        return order_row(place, tuple(map(facts.get, FACTS)), raw)
    return row_of_errors(
        reading.errors(shown, place_of),
        place=place,
        raw=raw,
        subject=facts.get("order_sn"),
        promoter_id=facts.get("promoter_id"),
        paid_at=facts.get("paid_at"),
        content=content,
    )
