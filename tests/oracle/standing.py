"""How far a promoter is."""

from collections.abc import Mapping
from typing import Any

from tests.oracle.clauses import Measured, capped, reason_of, task_verdict
from tests.oracle.orders import Order
from tests.oracle.people import RosterEntry
from tests.oracle.settlement import attained_share
from tests.oracle.terms import Terms, windows


def progress(period: str, terms: Terms, entry: RosterEntry, orders: Mapping[str, Order]) -> dict[str, Any]:
    """What `bounty progress --json` says of one promoter of the roster, without `as_of` and `published`."""
    bounds = windows(period, terms)
    counted = {"gmv_fen": 0, "orders": 0}
    pending = {"gmv_fen": 0, "orders": 0}
    missed: dict[str, dict[str, Any]] = {}
    codes: list[str] = []
    for order in orders.values():
        if order.promoter_id != entry.promoter_id or order.paid_at is None:
            continue
        if not bounds.month_from <= order.paid_at < bounds.month_until:
            continue
        verdict = task_verdict(order, bounds, terms, entry.direct_only)
        codes = [code for code, _ in verdict]
        reason = reason_of(verdict)
        if reason is None:
            counted["gmv_fen"] += capped(order, terms)
            counted["orders"] += 1
        elif reason == "RECEIVED_IN_TIME" and order.received_at is None:
            # It is the last clause: that it is the first to fail says that all others hold.
            pending["gmv_fen"] += capped(order, terms)
            pending["orders"] += 1
        else:
            row = missed.setdefault(reason, {"reason": reason, "orders": 0, "amount_fen": 0})
            row["orders"] += 1
            row["amount_fen"] += order.order_amount_fen
    attained = attained_share(entry, Measured(counted["gmv_fen"], counted["orders"]))
    return {
        "period": period,
        "promoter_id": entry.promoter_id,
        "level": entry.level or None,
        "eligible": entry.eligible,
        "reason": entry.reason,
        "targets": {"gmv_fen": entry.target_gmv_fen, "orders": entry.target_orders},
        "counted": counted,
        "pending": pending,
        "not_counted": [missed[code] for code in codes if code in missed],
        "passed": attained is not None and attained >= 1,
    }
