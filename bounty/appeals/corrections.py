"""The corrected row of an order: the row of the platform's list as it should have been."""

import json
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from bounty.db import Query, QueryRow, fetch_first
from bounty.errors import BountyError
from bounty.importer import correct_order
from bounty.models import Order, OrderVersion
from bounty.orders.archive_files import ArchiveFault
from bounty.orders.archived import archived_rows, bring_back
from bounty.platforms.pdd.order_facts import STORED

CorrectedFacts = dict[str, str | int | list[int] | None]
"""Field -> value, in the platform's units: fen, epoch seconds, a list of categories; null is unknown."""
FACTS = {fact.field: fact.name for fact in STORED if fact.correctable and fact.field is not None}
"""What can be put right: the platform's field -> the fact it becomes."""
_OTHERS = {
    fact.field: fact.name
    for fact in STORED
    if fact.field is not None and not (fact.correctable or fact.detail_only or fact.name == "modified_at")
} | {"sep_pid": "live_room"}
"""What the corrected row keeps as it is."""


def current_facts(connection: Connection, order_sn: str) -> CorrectedFacts:
    """The facts of an order that can be put right, as they stand, by the platform's fields."""
    order = connection.execute(select(Order.__table__).where(Order.order_sn == order_sn)).one()
    return _fields(order, FACTS)


def write_correction(
    connection: Connection, appeal_id: int, order_sn: str, corrected: CorrectedFacts, now: int
) -> int:
    """Bring the corrected row in as a batch of its own; its number.

    corrected  fields of FACTS in the platform's units: fen, epoch seconds, a list of categories; null is unknown

    The row is one second younger than the newest stored one. So it is the order's state, while whatever the platform
    says later, such as a refund not known yet, still comes after it.

    Rows of the order that are archived come back first.

    Raises BountyError if nothing differs from what stands, a value is none that the platform could give, or the
    order's archive can't be read.
    """
    bring_back(connection, [order_sn])
    order = connection.execute(select(Order.__table__).where(Order.order_sn == order_sn)).one()
    stands = _fields(order, FACTS)
    differing = {name: value for name, value in corrected.items() if name in FACTS and value != stands[name]}
    if not differing:
        raise BountyError(
            "Accepting puts something right: change at least one fact of the order, or decline.",
            "支持申诉须更正订单的事实：请至少修改一项，否则请驳回。",
        )
    newest = connection.execute(
        select(func.max(OrderVersion.modified_at)).where(OrderVersion.order_sn == order_sn)
    ).scalar_one()
    row = _fields(order, _OTHERS) | stands | differing | {"order_modify_at": newest + 1, "appeal": appeal_id}
    # In fixed order and without blanks: the batch's hash is the row's.
    raw = json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return correct_order(connection, f"appeal {appeal_id}", raw, now)


def overtaken(batch_id: int) -> Query:
    """The order whose corrected row a batch brought, if a later row of the platform has taken its place since."""
    return (
        select(Order.order_sn, Order.modified_at)
        .join(OrderVersion, OrderVersion.order_sn == Order.order_sn)
        .where(OrderVersion.batch_id == batch_id, OrderVersion.row_hash != Order.row_hash)
    )


class Overtaking(NamedTuple):
    """An order whose corrected row is not its newest any more."""

    order_sn: str
    modified_at: int
    """Of the row that took its place; epoch seconds."""


def overtaken_by(connection: Connection, batch_id: int, order_sn: str | None) -> Overtaking | None:
    """``overtaken`` of one order, whose rows may be archived; null also where its archive can't be read."""
    found = fetch_first(connection, overtaken(batch_id), Overtaking)
    if found is not None or order_sn is None:
        return found
    try:
        rows = archived_rows(connection, order_sn)
    except ArchiveFault:
        return None
    order = connection.execute(
        select(Order.modified_at, Order.row_hash).where(Order.order_sn == order_sn)
    ).first()
    was = (row for row in rows if row.batch_id == batch_id)
    if order is None or not any(row.row_hash != order.row_hash for row in was):
        return None
    return Overtaking(order_sn, order.modified_at)


def _fields(order: QueryRow, names: dict[str, str]) -> CorrectedFacts:
    fields = {field: getattr(order, fact) for field, fact in names.items()}
    if "cat_ids" in fields:
        held = fields["cat_ids"]
        fields["cat_ids"] = [int(each) for each in held.split(";")] if held else None
    return fields
