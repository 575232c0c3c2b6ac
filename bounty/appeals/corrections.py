"""The corrected row of an order: what the platform's list would have said, had it been right."""

import json
from typing import Any

from sqlalchemy import Connection, func, select

from bounty.db import Query
from bounty.errors import BountyError
from bounty.importer import correct_order
from bounty.models import Order, OrderVersion
from bounty.platforms.pdd.order_facts import STORED

FACTS = {fact.field: fact.name for fact in STORED if fact.correctable and fact.field is not None}
"""What can be put right: the platform's field -> the fact it becomes."""
_OTHERS = {
    fact.field: fact.name
    for fact in STORED
    if fact.field is not None and not (fact.correctable or fact.detail_only or fact.name == "modified_at")
} | {"sep_pid": "live_room"}
"""What the corrected row keeps as it is."""


def standing_facts(connection: Connection, order_sn: str) -> dict[str, Any]:
    """The facts of an order that can be put right, as they stand, by the platform's fields."""
    order = connection.execute(select(Order.__table__).where(Order.order_sn == order_sn)).one()
    return _fields(order, FACTS)


def write_correction(
    connection: Connection, appeal_id: int, order_sn: str, corrected: dict[str, Any], now: int
) -> int:
    """Bring the corrected row in as a batch of its own; its number.

    corrected  fields of FACTS in the platform's units: fen, epoch seconds, a list of categories; null is unknown

    The row is one second younger than the newest that is held. So it is the order's state, while whatever the platform
    says later, such as a refund not known yet, still comes after it.

    Raises BountyError if nothing differs from what stands, or a value is none that the platform could give.
    """
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


def _fields(order: Any, names: dict[str, str]) -> dict[str, Any]:
    fields = {field: getattr(order, fact) for field, fact in names.items()}
    if "cat_ids" in fields:
        held = fields["cat_ids"]
        fields["cat_ids"] = [int(each) for each in held.split(";")] if held else None
    return fields
