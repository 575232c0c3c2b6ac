"""An order row as every kind of file comes down to, and the hash that is the same for all of them."""

from collections.abc import Callable
from hashlib import blake2b
from operator import itemgetter
from typing import Any, Final, NamedTuple

import msgspec

from bounty.files.cells import promoter_of_p_id
from bounty.files.columns import CellReading, FileColumn
from bounty.files.problems import BadRow, Fault, row_of_errors


class OrderRow(NamedTuple):
    """One row about an order, normalised. Money is whole fen, an instant epoch seconds; None is unknown or not yet."""

    place: int
    """Line (CSV, JSONL), 1-based row (XLSX) or 1-based ordinal in the file (JSON)."""
    is_detail: bool
    """Whether it is of order.detail.get: whether it calls its promotion place ``pid``."""
    order_sn: str
    promoter_id: int
    """The part of p_id before the underscore."""
    p_id: str
    goods_name: str | None
    """As it stood."""
    order_status: int
    order_amount_fen: int
    promotion_amount_fen: int
    """0 where the row does not carry it."""
    type: int | None
    cat_ids: str | None
    """In rising order, distinct, without 0, joined by ``;``."""
    is_direct: int | None
    price_compare_status: int | None
    created_at: int | None
    paid_at: int | None
    received_at: int | None
    verified_at: int | None
    settled_at: int | None
    modified_at: int
    return_status: int | None
    """0 none, 1 under way, 2 completed; of detail rows alone."""
    link_made_at: int | None
    """Of detail rows alone."""
    live_room: str | None
    """The live room's promotion place (sep_pid) or else its promoter (sep_duo_id); None for an order of none."""
    row_hash: bytes
    """16 bytes that stand for what the row says: all of the above but place, goods_name and created_at, which are for
    show and which not every kind of file carries. An order of no live room hashes as if rows had no such field."""
    raw: str
    """The row as it stood: JSON text, a CSV record, or a sheet's cells as a JSON list."""


UNPAID: Final = -1
_FACTS: Final = OrderRow._fields[1:-2]
_said: Final = itemgetter(
    *(at for at, name in enumerate(_FACTS) if name not in ("goods_name", "created_at", "live_room"))
)
_encode: Final = msgspec.json.Encoder().encode


class _Promoters(dict[str, int]):
    """The promoter of a p_id that is written as it should be; Fault for any other."""

    ROOM: Final = 200_000

    def __missing__(self, p_id: str) -> int:
        if len(self) >= self.ROOM:
            self.clear()
        self[p_id] = promoter_id = promoter_of_p_id(p_id)
        return promoter_id


PROMOTERS: Final = _Promoters()


def order_row(place: int, facts: tuple[Any, ...], raw: str) -> OrderRow:
    """An order row from its facts, in the order of its fields from is_detail to live_room.

    The hash is BLAKE2b of what the row says as a JSON list without blanks: files that say the same hash the same.
    """
    live_room = facts[-1]
    said = _said(facts) if live_room is None else (*_said(facts), live_room)
    return OrderRow._make((place, *facts, blake2b(_encode(said), digest_size=16).digest(), raw))


def check_together(columns: tuple[FileColumn, ...], reading: CellReading) -> None:
    """Blame what only several facts together show, and add the promoter and the live room."""
    facts = reading.facts
    facts["live_room"] = facts.get("sep_pid") or facts.get("sep_duo_id")
    if "p_id" in facts:
        facts["promoter_id"] = promoter_of_p_id(facts["p_id"])
    unpaid = facts.get("order_status", UNPAID) == UNPAID
    for column in columns:
        # 0 is a blank too, so these can be blank where the cell is not.
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
    """The row, if nothing is to blame.

    shown     what stood in a column
    place_of  where a column stands among those of the file
    content   as a BadRow's
    """
    facts = reading.facts
    if not reading.faults:
        facts["is_detail"] = is_detail
        return order_row(place, tuple(map(facts.get, _FACTS)), raw)
    return row_of_errors(
        reading.errors(shown, place_of),
        place=place,
        raw=raw,
        subject=facts.get("order_sn"),
        promoter_id=facts.get("promoter_id"),
        paid_at=facts.get("paid_at"),
        content=content,
    )
