"""What progress says."""

from tests import oracle
from tests.agreement.oracle.examples import (
    CUTOFF,
    MONTH_UNTIL,
    PERIOD,
    TASK_UNTIL,
    TERMS,
    an_entry,
    orders_of,
)


def test_progress():
    rows = [
        {"order_amount": 20001},
        {"order_amount": 30000, "order_receive_time": None},
        {"order_amount": 30000, "order_receive_time": CUTOFF},
        {"order_amount": 1, "type": 94},
        {"order_amount": 2, "type": 94, "is_direct": 0},
        {"order_amount": 4, "order_pay_time": TASK_UNTIL},
        {"order_amount": 8, "order_pay_time": MONTH_UNTIL},
        {"order_amount": 16, "order_receive_time": None, "order_status": 4},
        {"order_amount": 32, "p_id": "8_1"},
    ]
    entry = an_entry(gmv_fen=20000, direct_only=True, level="V0")
    assert oracle.progress(PERIOD, TERMS, entry, orders_of(*rows)) == {
        "period": "2022-12",
        "promoter_id": 7,
        "level": "V0",
        "eligible": True,
        "reason": None,
        "targets": {"gmv_fen": 20000, "orders": None},
        "counted": {"gmv_fen": 20000, "orders": 1},
        "pending": {"gmv_fen": 20000, "orders": 1},
        "not_counted": [
            {"reason": "PAID_IN_WINDOW", "orders": 1, "amount_fen": 4},
            {"reason": "DIRECT", "orders": 1, "amount_fen": 2},
            {"reason": "NOT_VIRTUAL", "orders": 1, "amount_fen": 1},
            {"reason": "NOT_FAILED", "orders": 1, "amount_fen": 16},
            {"reason": "RECEIVED_IN_TIME", "orders": 1, "amount_fen": 30000},
        ],
        "passed": True,
    }


def test_progress_of_who_is_not_eligible_is_measured_and_not_passed():
    shown = oracle.progress(PERIOD, TERMS, an_entry(level=""), orders_of({}))
    assert (shown["level"], shown["eligible"], shown["reason"]) == (None, False, "NO_TARGET")
    assert (shown["counted"], shown["passed"]) == ({"gmv_fen": 100, "orders": 1}, False)
