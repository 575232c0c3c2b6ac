"""Orders: what the rows received for each come to, and what its link is."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.oracle.terms import Terms
from tests.oracle.text import CsvRow, bare_id, parsed

Row = Mapping[str, Any]
"""One order as the platform's API names it; a row with the key `pid` comes from the detail reply."""

UNPAID, AUDIT_FAILED, NO_COMMISSION, PUNISHED = -1, 4, 8, 10
RETURNED = 2
"""The `return_status` of an after-sale that succeeded."""


@dataclass(frozen=True)
class Order:
    """What all rows of one order come to: fen, epoch seconds, and None for what is unknown or not yet."""

    order_sn: str
    p_id: str
    promoter_id: int
    status: int
    order_amount_fen: int
    commission_fen: int
    type: int | None
    cat_ids: tuple[int, ...] | None
    """Sorted, without 0; None when nothing is left."""
    is_direct: int | None
    price_compare_status: int | None
    paid_at: int | None
    received_at: int | None
    verified_at: int | None
    settled_at: int | None
    modified_at: int
    return_status: int | None
    """Of the newest detail row, whatever the newest row of all is."""
    link_generated_at: int | None
    """Likewise."""
    failed_at: int | None
    live_room: str | None
    """The live room it was ordered in, None for none."""

    @property
    def direct(self) -> bool:
        """Unknown is not direct."""
        return self.is_direct == 1

    @property
    def price_compare(self) -> bool:
        """Unknown counts as ordinary."""
        return self.price_compare_status == 1

    def virtual(self, terms: Terms) -> bool:
        """By type or by any category; unknown counts as ordinary."""
        if self.type is not None and self.type in terms.virtual_types:
            return True
        return any(cat_id in terms.virtual_category_ids for cat_id in self.cat_ids or ())

    def in_category(self, terms: Terms) -> bool:
        """Whether the task counts one of its categories; unknown is none of them."""
        return terms.category_ids is None or any(
            cat_id in terms.category_ids for cat_id in self.cat_ids or ()
        )


def is_detail(row: Row) -> bool:
    """Whether the row comes from the detail reply, which calls the p_id `pid`."""
    return "pid" in row


def facts(row: Row) -> dict[str, Any]:
    """The facts of a row under the API's names: what makes two rows of equal time differ."""
    cat_ids = sorted(int(cat_id) for cat_id in row.get("cat_ids") or [] if int(cat_id) != 0)
    return {
        "p_id": bare_id(row["pid"] if is_detail(row) else row["p_id"]),
        "order_status": int(row["order_status"]),
        "order_amount": int(row["order_amount"]),
        "promotion_amount": _number(row, "promotion_amount") or 0,
        "type": _number(row, "type"),
        "cat_ids": cat_ids or None,
        "is_direct": _number(row, "is_direct"),
        "price_compare_status": _number(row, "price_compare_status"),
        "order_pay_time": instant_of(row, "order_pay_time"),
        "order_receive_time": instant_of(row, "order_receive_time"),
        "order_verify_time": instant_of(row, "order_verify_time"),
        "order_settle_time": instant_of(row, "order_settle_time"),
        "return_status": _number(row, "return_status") if is_detail(row) else None,
    }


def canonical(row: Row) -> str:
    """The facts as one text: keys sorted, no blanks."""
    return json.dumps(facts(row), sort_keys=True, separators=(",", ":"))


def _number(row: Row, key: str) -> int | None:
    value = row.get(key)
    return None if value is None or value == "" else int(value)


def instant_of(row: Row, key: str) -> int | None:
    """Null, absent and 0 all mean "not yet"."""
    return _number(row, key) or None


def live_room(row: Row) -> str | None:
    """The live room that a row names: by its place, or else by its promoter above 0."""
    place = parsed(row.get("sep_pid") or "")
    promoter = _number(row, "sep_duo_id")
    return place or (str(promoter) if promoter else None)


def _age(row: Row) -> tuple[int, int, str, str, int]:
    """What puts rows from oldest to newest: time, status, facts; live room and link's time only to leave no tie."""
    link = instant_of(row, "url_last_generate_time") or 0 if is_detail(row) else 0
    return (
        int(row["order_modify_at"]),
        int(row["order_status"]),
        canonical(row),
        live_room(row) or "",
        link,
    )


def fold(rows: Iterable[Row]) -> dict[str, Order]:
    """Every order's state by order number, from all rows received, in whatever order and however often."""
    by_order: dict[str, list[Row]] = {}
    for row in rows:
        by_order.setdefault(bare_id(row["order_sn"]), []).append(row)
    return {order_sn: _state(order_sn, versions) for order_sn, versions in by_order.items()}


def _state(order_sn: str, versions: Sequence[Row]) -> Order:
    oldest_first = sorted(versions, key=_age)
    newest = oldest_first[-1]
    details = [row for row in oldest_first if is_detail(row)]
    known = facts(newest)
    return Order(
        order_sn=order_sn,
        p_id=known["p_id"],
        promoter_id=int(known["p_id"].partition("_")[0]),
        status=known["order_status"],
        order_amount_fen=known["order_amount"],
        commission_fen=known["promotion_amount"],
        type=known["type"],
        cat_ids=None if known["cat_ids"] is None else tuple(known["cat_ids"]),
        is_direct=known["is_direct"],
        price_compare_status=known["price_compare_status"],
        paid_at=known["order_pay_time"],
        received_at=known["order_receive_time"],
        verified_at=known["order_verify_time"],
        settled_at=known["order_settle_time"],
        modified_at=int(newest["order_modify_at"]),
        return_status=_number(details[-1], "return_status") if details else None,
        link_generated_at=instant_of(details[-1], "url_last_generate_time") if details else None,
        failed_at=_failed_at(oldest_first, details),
        live_room=live_room(newest),
    )


def _failed_at(oldest_first: Sequence[Row], details: Sequence[Row]) -> int | None:
    """The earlier of the two failures that apply, None when neither does.

    2@10 4@20 4@30        fails at 20, or at the verify time of the row at 30
    4@10 3@20 4@30 10@40  fails at 30: the run that ends in the newest row began there
    4@10 3@20             has recovered
    """
    times = []
    failing = [int(row["order_status"]) in (AUDIT_FAILED, PUNISHED) for row in oldest_first]
    audited = _run_began(oldest_first, failing)
    if audited is not None:
        newest = oldest_first[-1]
        verified_at = instant_of(newest, "order_verify_time")
        if int(newest["order_status"]) == AUDIT_FAILED and verified_at is not None:
            audited = verified_at
        times.append(audited)
    returning = [_number(row, "return_status") == RETURNED for row in details]
    returned = _run_began(details, returning)
    if returned is not None:
        times.append(returned)
    return min(times, default=None)


def _run_began(oldest_first: Sequence[Row], failing: Sequence[bool]) -> int | None:
    """The update time at which the unbroken run of failing rows that ends in the newest began; None without one."""
    began = None
    for row, fails in zip(reversed(oldest_first), reversed(failing), strict=True):
        if not fails:
            break
        began = int(row["order_modify_at"])
    return began


def link_channel(links: Iterable[CsvRow]) -> dict[str, str]:
    """`app` or `other` by p_id; one that is not in it is `unknown`. A later row replaces an earlier one."""
    channels = {}
    for row in links:
        channels[bare_id(row["p_id"])] = parsed(row["channel"])
    return channels
