"""Rows, terms and orders that the oracle is tried on, and what it makes of them.

The engine is judged by the oracle; beside this the oracle is judged by figures written beside their working.
"""

from tests import oracle

TERMS_TOML = """
name = "V0&V1 定向赏金补贴"
effective_from = "2022-12"

[task]
first_day = 1
last_day = 20
receipt_cutoff_day = 10
order_cap_yuan = "200.00"
count_price_compare = true

[virtual]
types = [94]
category_ids = [8724, 8729]

[levels.V0]
direct_only = true
gmv_yuan = "2000.00"
orders = 20

[levels.V1]
direct_only = false
min_tenure_months = 2
gmv_yuan = { history_periods = 3, factor = "1.10", floor = "10.00", ceiling = "5000.00", step = "1.00" }

[subsidy]
basis = "order_amount"
include_price_compare = false
links = "app_or_unknown"
order_cap_yuan = "20.00"

[[subsidy.tiers]]
at = "1.00"
rate_permille = 20

[[subsidy.tiers]]
at = "1.50"
rate_permille = 30
"""
TERMS = oracle.read_terms(TERMS_TOML)
PERIOD = "2022-12"
TASK_FROM, TASK_UNTIL, CUTOFF, MONTH_UNTIL = 1669824000, 1671552000, 1673366400, 1672502400
DAY = 86400


def terms(*changes):
    """The terms above with some texts of the TOML replaced: `("old", "new")`."""
    text = TERMS_TOML
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return oracle.read_terms(text)


def a_row(order_sn="221201-000000000000001", **changes):
    """A row of 1.00 yuan that holds every clause; None as a value leaves the key out."""
    row = {
        "order_sn": order_sn,
        "p_id": "7_1",
        "goods_name": "纸巾",
        "order_amount": 100,
        "promotion_amount": 10,
        "order_status": 2,
        "type": 0,
        "cat_ids": [239],
        "is_direct": 1,
        "price_compare_status": 0,
        "order_create_time": TASK_FROM + DAY - 60,
        "order_pay_time": TASK_FROM + DAY,
        "order_receive_time": TASK_FROM + 5 * DAY,
        "order_verify_time": None,
        "order_settle_time": None,
        "order_modify_at": TASK_FROM + 5 * DAY,
    }
    row |= changes
    return {key: value for key, value in row.items() if value is not None}


def a_detail(return_status, modified, order_sn="221201-000000000000001", **changes):
    detail = a_row(order_sn, order_modify_at=modified, return_status=return_status, **changes)
    detail["pid"] = detail.pop("p_id")
    return detail


def orders_of(*changes):
    """The folded orders of so many rows, each of its own number, which rises."""
    return oracle.fold([a_row(f"221201-{place:015d}", **change) for place, change in enumerate(changes)])


def an_order(*rows, **changes):
    (order,) = oracle.fold(rows or [a_row(**changes)]).values()
    return order


def an_entry(promoter_id=7, *, gmv_fen=None, orders=None, direct_only=False, level="V1", name="店"):
    reason = None if gmv_fen or orders else "NO_TARGET"
    return oracle.RosterEntry(promoter_id, name, level, direct_only, reason is None, reason, gmv_fen, orders)


def counted(*changes, direct_only=False, of=TERMS):
    """GMV and orders that these rows of one promoter count for the task."""
    measured = oracle.measure(orders_of(*changes).values(), oracle.windows(PERIOD, of), of, direct_only)
    return measured.gmv_fen, measured.orders


def settled(*changes, entry=None, of=TERMS, links=()):
    """The one result and the lines' subsidies in fen of a promoter with these rows, whose target is 1 fen."""
    settlement = oracle.settle(PERIOD, of, [entry or an_entry(gmv_fen=1)], orders_of(*changes), links)
    (result,) = settlement.results
    assert result.subsidy_fen == sum(line.subsidy_fen for line in settlement.lines)
    return result, [line.subsidy_fen for line in settlement.lines]


def task_reason(order, direct_only=False, of=TERMS):
    return oracle.reason_of(oracle.task_verdict(order, oracle.windows(PERIOD, of), of, direct_only))


def subsidy_reason(order, channel="unknown", of=TERMS):
    return oracle.reason_of(oracle.subsidy_verdict(order, oracle.windows(PERIOD, of), of, channel))
