"""The oracle against sums done by hand, and the made-up months against what they promise.

The engine is judged by the oracle; here the oracle is judged by figures written beside their working.
"""

import hashlib
import itertools
import random
from fractions import Fraction

import pytest

from tests import oracle
from tests.agreement import months

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


# Windows


def test_windows_of_december_2022():
    bounds = oracle.windows("2022-12", TERMS)
    assert bounds == oracle.Windows(TASK_FROM, TASK_UNTIL, CUTOFF, TASK_FROM, MONTH_UNTIL)


@pytest.mark.parametrize(
    ("period", "task_until", "cutoff"),
    [
        # last_day 31 and a cutoff on the 30th: the last of the month where it has no such day
        ("2023-02", "2023-03-01T00:00:00+08:00", "2023-03-31T00:00:00+08:00"),
        ("2024-02", "2024-03-01T00:00:00+08:00", "2024-03-31T00:00:00+08:00"),
        ("2023-01", "2023-02-01T00:00:00+08:00", "2023-03-01T00:00:00+08:00"),
        ("2024-01", "2024-02-01T00:00:00+08:00", "2024-03-01T00:00:00+08:00"),
        ("2023-12", "2024-01-01T00:00:00+08:00", "2024-01-31T00:00:00+08:00"),
    ],
)
def test_a_day_that_a_month_lacks_is_its_last(period, task_until, cutoff):
    bounds = oracle.windows(
        period, terms(("last_day = 20", "last_day = 31"), ("cutoff_day = 10", "cutoff_day = 30"))
    )
    assert (oracle.instant_text(bounds.task_until), oracle.instant_text(bounds.cutoff)) == (
        task_until,
        cutoff,
    )


def test_a_first_day_that_february_lacks_is_its_last():
    late = terms(("first_day = 1", "first_day = 30"), ("last_day = 20", "last_day = 31"))
    assert oracle.instant_text(oracle.windows("2023-02", late).task_from) == "2023-02-28T00:00:00+08:00"


# Task clauses


def test_task_window_keeps_its_first_instant_and_leaves_its_last():
    edges = [TASK_FROM - 1, TASK_FROM, TASK_UNTIL - 1, TASK_UNTIL]
    rows = [{"order_pay_time": paid, "order_amount": 2**place} for place, paid in enumerate(edges)]
    assert counted(*rows) == (2 + 4, 2)


def test_a_receipt_at_the_cutoff_is_late_for_the_task_and_still_subsidised():
    edges = [CUTOFF - 1, CUTOFF, None]
    rows = [{"order_receive_time": received, "order_amount": 1000 * 2**i} for i, received in enumerate(edges)]
    assert counted(*rows) == (1000, 1)
    # 20 permille of 1000, 2000 and 4000
    assert settled(*rows, entry=an_entry(gmv_fen=1000))[1] == [20, 40, 80]


def test_an_order_counts_up_to_the_cap():
    rows = [{"order_amount": amount} for amount in (19999, 20000, 20001)]
    assert counted(*rows) == (19999 + 20000 + 20000, 3)


def test_what_was_paid_counts_not_the_price():
    assert counted({"order_amount": 1990, "goods_price": 2990}) == (1990, 1)


def test_an_order_that_fails_from_the_cutoff_on_counts_and_earns_nothing():
    rows = [
        {
            "order_status": 4,
            "order_verify_time": failed,
            "order_modify_at": CUTOFF + DAY,
            "order_amount": 2**i,
        }
        for i, failed in enumerate([CUTOFF - 1, CUTOFF, CUTOFF + 1])
    ]
    assert counted(*rows) == (2 + 4, 2)
    assert settled(*rows) == (settled(*rows)[0], [])
    assert [subsidy_reason(order) for order in orders_of(*rows).values()] == ["NOT_FAILED"] * 3


def test_price_compared_orders_count_where_the_terms_say_so_and_earn_nothing():
    order = an_order(price_compare_status=1)
    strict = terms(("count_price_compare = true", "count_price_compare = false"))
    kind = terms(("include_price_compare = false", "include_price_compare = true"))
    assert (task_reason(order), subsidy_reason(order)) == (None, "NOT_PRICE_COMPARE")
    assert (task_reason(order, of=strict), subsidy_reason(order, of=kind)) == ("NOT_PRICE_COMPARE", None)


@pytest.mark.parametrize(
    ("changes", "virtual"),
    [
        ({"type": 94}, True),
        ({"cat_ids": [8729]}, True),
        ({"cat_ids": [239, 0, 8724]}, True),
        ({"cat_ids": [0]}, False),
        ({"cat_ids": None, "type": None}, False),
        ({"cat_ids": [8721], "type": 0}, False),
    ],
)
def test_virtual_by_type_or_by_any_category(changes, virtual):
    order = an_order(**changes)
    assert order.virtual(TERMS) is virtual
    assert task_reason(order) == subsidy_reason(order) == ("NOT_VIRTUAL" if virtual else None)


def test_unknown_is_not_direct():
    directs = [{"is_direct": 1, "order_amount": 1}, {"is_direct": 0, "order_amount": 2}, {"is_direct": None}]
    assert counted(*directs, direct_only=True) == (1, 1)
    assert counted(*directs, direct_only=False) == (1 + 2 + 100, 3)


def test_every_clause_is_judged_and_the_first_that_fails_is_the_reason():
    order = an_order(order_status=-1, order_pay_time=0, is_direct=0, type=94, order_receive_time=0)
    verdict = oracle.task_verdict(order, oracle.windows(PERIOD, TERMS), TERMS, direct_only=True)
    assert verdict == [
        ("PAID_IN_WINDOW", False),
        ("COMMISSIONABLE", False),
        ("DIRECT", False),
        ("NOT_VIRTUAL", False),
        ("NOT_PRICE_COMPARE", True),
        ("NOT_FAILED", True),
        ("RECEIVED_IN_TIME", False),
    ]
    assert oracle.reason_of(verdict) == "PAID_IN_WINDOW"
    assert [task_reason(an_order(order_status=status)) for status in (8, -1)] == ["COMMISSIONABLE"] * 2


# Subsidy clauses


def test_subsidy_window_is_the_whole_month():
    edges = [TASK_FROM - 1, TASK_FROM, TASK_UNTIL, MONTH_UNTIL - 1, MONTH_UNTIL]
    reasons = [subsidy_reason(an_order(order_pay_time=paid)) for paid in edges]
    assert reasons == ["PAID_IN_MONTH", None, None, None, "PAID_IN_MONTH"]


@pytest.mark.parametrize(
    ("mode", "app", "unknown", "other"),
    [
        ("any", None, None, None),
        ("app_or_unknown", None, None, "APP_LINK"),
        ("app", None, "APP_LINK", "APP_LINK"),
    ],
)
def test_links(mode, app, unknown, other):
    asked = terms(('links = "app_or_unknown"', f'links = "{mode}"'))
    reasons = [subsidy_reason(an_order(), channel, of=asked) for channel in ("app", "unknown", "other")]
    assert reasons == [app, unknown, other]


def test_a_later_row_replaces_a_link():
    links = [{"p_id": "7_1", "channel": "app"}, {"p_id": "7_1", "channel": "other"}]
    assert oracle.link_channel(links) == {"7_1": "other"}
    assert settled({}, {"p_id": "7_2"}, links=links)[1] == [3]  # 30 permille of the unknown 7_2 alone


# The fold


def test_null_absent_and_zero_are_the_same_not_yet():
    absent = a_row()
    null = absent | {"order_verify_time": None, "order_settle_time": None}
    zero = absent | {"order_verify_time": 0, "order_settle_time": 0}
    assert oracle.canonical(absent) == oracle.canonical(null) == oracle.canonical(zero)


def test_canonical_facts():
    row = a_row(cat_ids=[240, 0, 239], type=None, promotion_amount=None)
    assert oracle.canonical(row) == (
        '{"cat_ids":[239,240],"is_direct":1,"order_amount":100,"order_pay_time":1669910400,'
        '"order_receive_time":1670256000,"order_settle_time":null,"order_status":2,"order_verify_time":null,'
        '"p_id":"7_1","price_compare_status":0,"promotion_amount":0,"return_status":null,"type":null}'
    )


def test_any_order_of_arrival_and_any_repetition_ends_in_the_same_state():
    rows = [
        a_row(order_modify_at=10, order_status=1),
        a_row(order_modify_at=20, order_status=4),
        a_row(order_modify_at=20, order_status=3, p_id="8_1"),
        a_detail(1, 30),
        a_detail(2, 30),
    ]
    states = {repr(oracle.fold([*some, rows[0]])) for some in itertools.permutations(rows)}
    assert len(states) == 1


def test_an_older_page_delivered_again_changes_nothing():
    newer, older = a_row(order_modify_at=20, order_status=3), a_row(order_modify_at=10, order_status=2)
    assert an_order(newer, older, older).status == 3


@pytest.mark.parametrize(
    ("one", "other", "amount"),
    [
        # the later, whatever else
        ({"order_modify_at": 11, "order_status": 0}, {"order_modify_at": 10, "order_status": 5}, 1),
        # then the greater status
        ({"order_status": 10}, {"order_status": 5}, 1),
        # then the greater text: "order_amount":1 < "order_amount":2, and 999 comes after 1000
        ({"order_amount": 2}, {"order_amount": 1}, 2),
        ({"order_amount": 999}, {"order_amount": 1000}, 999),
        # "cat_ids":null is after "cat_ids":[..., and the keys are compared from cat_ids on
        ({"cat_ids": None, "order_amount": 1}, {"cat_ids": [9], "order_amount": 2}, 1),
        ({"cat_ids": [9], "order_amount": 1}, {"cat_ids": [10], "order_amount": 2}, 1),
    ],
)
def test_ties_of_the_fold(one, other, amount):
    rows = [a_row(**({"order_amount": 1} | one)), a_row(**({"order_amount": 2} | other))]
    assert an_order(*rows).order_amount_fen == an_order(*reversed(rows)).order_amount_fen == amount


def test_detail_rows_are_folded_by_themselves():
    order = an_order(
        a_detail(1, 10, url_last_generate_time=5),
        a_detail(0, 20, url_last_generate_time=6, p_id="8_1"),
        a_row(order_modify_at=30, order_status=3),
    )
    assert (order.return_status, order.link_generated_at, order.p_id, order.status) == (0, 6, "7_1", 3)


def test_an_order_belongs_to_whom_its_newest_row_names():
    order = an_order(a_row(order_modify_at=10), a_detail(0, 20, p_id="8_5"))
    assert (order.promoter_id, order.p_id) == (8, "8_5")


@pytest.mark.parametrize(
    ("run", "failed_at"),
    [
        # (status, order_modify_at, order_verify_time)
        ([(2, 10, None), (3, 20, 15)], None),
        ([(2, 10, None), (4, 20, 15)], 15),
        ([(2, 10, None), (4, 20, None), (4, 30, None)], 20),
        ([(4, 20, None), (4, 30, 25)], 25),
        ([(4, 20, 15), (4, 30, None)], 20),
        ([(4, 20, 15), (10, 30, 15)], 20),
        ([(10, 20, 15)], 20),
        ([(4, 10, 9), (3, 20, 9)], None),
        ([(4, 10, 9), (3, 20, None), (10, 30, None), (4, 40, None)], 30),
        # at one time the lesser status is the older: the 3 breaks the run, the 4 beside it does not
        ([(4, 10, None), (3, 20, None), (4, 20, None), (4, 30, None)], 20),
        ([(4, 10, None), (5, 20, None), (4, 20, None), (10, 30, None)], 30),
    ],
)
def test_when_an_audit_failed(run, failed_at):
    rows = [a_row(order_status=s, order_modify_at=t, order_verify_time=v) for s, t, v in run]
    assert {an_order(*some).failed_at for some in itertools.permutations(rows)} == {failed_at}


@pytest.mark.parametrize(
    ("run", "failed_at"),
    [
        ([(1, 10), (2, 20), (2, 30)], 20),
        ([(2, 10), (1, 20)], None),
        ([(2, 10), (0, 20), (2, 30)], 30),
        ([(2, 10), (None, 20)], None),
    ],
)
def test_when_an_order_was_returned(run, failed_at):
    # The list rows between and after them neither break the run nor end it.
    listed = [a_row(order_modify_at=15), a_row(order_modify_at=99, order_status=3)]
    details = [a_detail(return_status, modified) for return_status, modified in run]
    assert an_order(*listed, *details).failed_at == failed_at


def test_the_earlier_failure_counts():
    failed = a_row(order_status=4, order_modify_at=50, order_verify_time=40)
    assert an_order(failed, a_detail(2, 30)).failed_at == 30
    assert an_order(failed, a_detail(2, 45)).failed_at == 40


# The roster


def promoter(promoter_id="7", level="V0", level_from="2022-01-01", registered_on="2021-01-01", name="店"):
    return {
        "promoter_id": promoter_id,
        "name": name,
        "level": level,
        "level_from": level_from,
        "registered_on": registered_on,
    }


def rostered(*promoters, period=PERIOD, violations=(), targets=(), orders=None, of=TERMS):
    return oracle.roster(
        period, of, promoters=promoters, violations=violations, targets=targets, orders=orders or {}
    )


def test_on_the_roster_are_those_registered_before_the_month():
    days = {"1": "2022-11-30", "2": "2022-12-01", "3": "2022-12-02"}
    entries = rostered(*[promoter(one, registered_on=day) for one, day in days.items()])
    assert [entry.promoter_id for entry in entries] == [1]


@pytest.mark.parametrize(
    ("period", "registered_on", "reason"),
    [
        ("2022-12", "2022-10-01", None),
        ("2022-12", "2022-10-02", "TENURE_TOO_SHORT"),
        # 2022-12-31 and two months: 2023-02-28, which is before March and not before February
        ("2023-03", "2022-12-31", None),
        ("2023-02", "2022-12-31", "TENURE_TOO_SHORT"),
        ("2024-03", "2023-12-30", None),
    ],
)
def test_tenure(period, registered_on, reason):
    (entry,) = rostered(promoter(level="V1", registered_on=registered_on), period=period)
    assert entry.reason == reason


def test_the_level_is_the_newest_that_has_begun():
    rows = [
        promoter(level="V1", level_from="2022-12-01", name="三月"),
        promoter(level="V0", level_from="2022-01-01", name="一月"),
        promoter(level="V2", level_from="2022-12-02", name="最新"),
    ]
    (entry,) = rostered(*rows)
    assert (entry.level, entry.name) == ("V1", "最新")


def test_a_later_row_of_the_same_day_is_an_edit():
    (entry,) = rostered(promoter(level="V9"), promoter(level="V0", name="改"))
    assert (entry.level, entry.name, entry.eligible) == ("V0", "改", True)


def test_levels_that_are_not_offered():
    entries = rostered(promoter("1", level="V2"), promoter("2", level_from="2022-12-02"))
    assert [(entry.level, entry.reason) for entry in entries] == [
        ("V2", "LEVEL_NOT_OFFERED"),
        ("", "LEVEL_NOT_OFFERED"),
    ]
    assert all(entry.direct_only for entry in entries)


@pytest.mark.parametrize(
    ("occurred_on", "cleared_on", "reason"),
    [
        ("2022-11-30", "", "VIOLATION"),
        ("2022-12-01", "", None),
        ("2022-11-30", "2022-11-30", None),
        ("2022-11-30", "2022-12-01", "VIOLATION"),
    ],
)
def test_violations(occurred_on, cleared_on, reason):
    row = {"promoter_id": "7", "occurred_on": occurred_on, "reason": "x", "cleared_on": cleared_on}
    earlier = row | {"cleared_on": "" if cleared_on else "2022-11-30"}
    (entry,) = rostered(promoter(), violations=[earlier, row])
    assert entry.reason == reason


@pytest.mark.parametrize(
    ("gmv_yuan", "orders", "targets", "reason"),
    [
        ("12.50", "3", (1250, 3), None),
        ("12.5", "", (1250, None), None),
        ("", "3", (None, 3), None),
        ("0", "3", (None, 3), None),
        ("0.00", "", (None, None), "NO_TARGET"),
        ("", "", (None, None), "NO_TARGET"),
    ],
)
def test_a_targets_row_replaces_both(gmv_yuan, orders, targets, reason):
    row = {"period": PERIOD, "promoter_id": "7", "gmv_yuan": gmv_yuan, "orders": orders}
    beside = [row | {"period": "2022-11", "orders": "9"}, row | {"gmv_yuan": "1", "orders": "1"}]
    (entry,) = rostered(promoter(), targets=[*beside, row, row | {"period": "2023-01"}])
    assert ((entry.target_gmv_fen, entry.target_orders), entry.reason) == (targets, reason)


@pytest.mark.parametrize(
    ("amounts", "target_fen"),
    [
        # Asked are August, September and October: (1000 + 2000 + 0) / 3 x 1.1 = 1100 exactly, no step up
        ({"2022-07": 999, "2022-08": 1000, "2022-09": 2000, "2022-11": 999, "2022-12": 999}, 1100),
        # (1001 + 2000) / 3 x 1.1 = 1100 11/30, up to the next whole yuan
        ({"2022-08": 1001, "2022-10": 2000}, 1200),
        # 900 / 3 x 1.1 = 330 -> 400, under the floor of 1000; without any history likewise
        ({"2022-10": 900}, 1000),
        ({}, 1000),
        # 3300 / 3 x 1.1 = 1210 -> 1300, over a ceiling of 1250, which needs to be no whole step
        ({"2022-10": 3300}, 1250),
    ],
)
def test_a_target_from_history(amounts, target_fen):
    changes = []
    for month, amount in amounts.items():
        paid = oracle.windows(month, TERMS).task_from
        changes.append(
            {"order_amount": amount, "order_pay_time": paid, "order_receive_time": paid + DAY, "is_direct": 0}
        )
    held = terms(('ceiling = "5000.00"', 'ceiling = "12.50"'))
    (entry,) = rostered(promoter(level="V1"), orders=orders_of(*changes), of=held)
    assert entry.target_gmv_fen == target_fen


def test_a_history_is_judged_by_the_windows_of_its_own_months():
    bounds = oracle.windows("2022-10", TERMS)
    changes = [
        {
            "order_amount": 1000,
            "order_pay_time": bounds.task_until - 1,
            "order_receive_time": bounds.cutoff - 1,
        },
        {"order_amount": 2000, "order_pay_time": bounds.task_until - 1, "order_receive_time": bounds.cutoff},
        {"order_amount": 4000, "order_pay_time": bounds.task_until, "order_receive_time": bounds.cutoff - 1},
    ]
    (entry,) = rostered(
        promoter(level="V1"), orders=orders_of(*changes), of=terms(('floor = "10.00"', 'floor = "0.01"'))
    )
    assert entry.target_gmv_fen == 400  # 1000 / 3 x 1.1 = 366 2/3, up to a whole yuan


def test_a_target_given_and_targets_of_the_terms():
    given = {"period": PERIOD, "promoter_id": "2", "gmv_yuan": "1.00", "orders": ""}
    entries = rostered(promoter("1"), promoter("2"), targets=[given])
    assert [(entry.target_gmv_fen, entry.target_orders) for entry in entries] == [(200000, 20), (100, None)]


# Passing and the subsidy


@pytest.mark.parametrize(
    ("amounts", "rate"),
    [
        # A target of 1000 fen and 2 orders, tiers at 1 and 1.5
        ([500, 499], None),
        ([1000], None),
        ([500, 500], 20),
        ([1499, 1, 0], 30),
        ([1499, 0, 0], 20),
        # 1500/1000 = 1.5, but 2/2 = 1: the smallest counts
        ([750, 750], 20),
        ([500, 500, 500], 30),
    ],
)
def test_tiers_are_reached_exactly(amounts, rate):
    result, _ = settled(*[{"order_amount": one} for one in amounts], entry=an_entry(gmv_fen=1000, orders=2))
    assert (result.passed, result.rate_permille) == (rate is not None, rate)


def test_attained_is_the_smallest_share_of_the_targets_there_are():
    result, _ = settled({"order_amount": 250}, {"order_amount": 251}, entry=an_entry(gmv_fen=300, orders=3))
    assert result.attained == min(Fraction(501, 300), Fraction(2, 3))
    result, _ = settled({"order_amount": 250}, {"order_amount": 251}, entry=an_entry(gmv_fen=300))
    assert result.attained == Fraction(501, 300)


def test_a_tier_of_four_decimals_is_compared_exactly():
    fine = terms(('at = "1.50"', 'at = "1.3333"'))
    # 1.3333 x 10000 = 13333
    for amount, rate in [(13332, 20), (13333, 30)]:
        assert (
            settled({"order_amount": amount}, entry=an_entry(gmv_fen=10000), of=fine)[0].rate_permille == rate
        )


@pytest.mark.parametrize(
    ("amount", "permille", "subsidy_fen"),
    [
        (790, 350, 276),  # 276.5, down to the even one
        (990, 450, 446),  # 445.5, up to the even one
        (1990, 10, 20),  # 19.9
        (25, 20, 0),  # 0.5
        (75, 20, 2),  # 1.5
        (125, 20, 2),  # 2.5
        (126, 20, 3),  # 2.52
        (124, 20, 2),  # 2.48
    ],
)
def test_half_a_fen_goes_to_the_even_one(amount, permille, subsidy_fen):
    assert oracle.half_even(amount * permille, 1000) == subsidy_fen


def test_an_order_that_earns_nothing_has_no_line():
    result, lines = settled({"order_amount": 25}, {"order_amount": 75})
    assert (result.rate_permille, result.subsidy_orders, lines) == (30, 2, [1, 2])  # 0.75 -> 1, 2.25 -> 2
    flat = terms(("rate_permille = 30", "rate_permille = 20"))
    result, lines = settled({"order_amount": 25}, {"order_amount": 75}, of=flat)
    assert (result.subsidy_orders, lines) == (1, [2])  # 0.5 -> 0, 1.5 -> 2


def test_a_rate_of_0_passes_and_earns_nothing():
    free = terms(("rate_permille = 30", "rate_permille = 0"))
    result, lines = settled({}, of=free)
    assert (result.passed, result.rate_permille, result.subsidy_orders, lines) == (True, 0, 0, [])


def test_the_cap_of_an_order():
    # 30 permille: 66633 -> 1998.99 -> 1999, 66667 -> 2000.01 -> 2000, 70000 -> 2100, capped at 2000
    amounts = [66633, 66667, 70000]
    assert settled(*[{"order_amount": amount} for amount in amounts])[1] == [1999, 2000, 2000]


def test_the_order_that_meets_the_promoters_cap_gets_the_remainder():
    capped = terms(('order_cap_yuan = "20.00"\n\n[[', 'promoter_cap_yuan = "1.00"\n\n[['))
    # In the order of payment 2000, 1000, 1000 fen at 30 permille: 60 + 30 + 10 of 30, and nothing for the 1 later
    rows = [
        {"order_amount": 1000, "order_pay_time": TASK_FROM + 2},
        {"order_amount": 2000, "order_pay_time": TASK_FROM},
        {"order_amount": 1000, "order_pay_time": TASK_FROM + 1},
        {"order_amount": 100, "order_pay_time": TASK_FROM + 3},
    ]
    result, lines = settled(*rows, of=capped)
    assert (lines, result.subsidy_fen, result.subsidy_orders) == ([60, 30, 10], 100, 3)


def test_orders_of_one_instant_use_up_the_cap_by_the_bytes_of_their_numbers():
    capped = terms(('order_cap_yuan = "20.00"\n\n[[', 'promoter_cap_yuan = "0.40"\n\n[['))
    numbers = ["2212010", "221201-9", "221201-10"]
    orders = oracle.fold([a_row(number, order_amount=1000) for number in numbers])
    settlement = oracle.settle(PERIOD, capped, [an_entry(gmv_fen=1)], orders, [])
    # "-" is before "0", and "1" before "9": 30 permille of 1000, then the 10 left
    assert [(line.order_sn, line.subsidy_fen) for line in settlement.lines] == [
        ("221201-10", 30),
        ("221201-9", 10),
    ]


def test_the_commission_as_basis():
    of_commission = terms(('basis = "order_amount"', 'basis = "commission"'))
    # 30 permille of 1000 and of a commission that is missing
    assert settled({"promotion_amount": 1000}, {"promotion_amount": None}, of=of_commission)[1] == [30]


def test_paid_after_the_task_and_settled_in_february_earns():
    late = {"order_pay_time": TASK_UNTIL + 4 * DAY, "order_status": 5, "order_settle_time": CUTOFF + 40 * DAY}
    result, lines = settled({}, late | {"order_amount": 1000})
    assert (result.measured, lines) == (oracle.Measured(100, 1), [3, 30])


def test_who_did_not_pass_and_who_is_not_eligible_earn_nothing():
    assert settled({}, entry=an_entry(gmv_fen=101))[1] == []
    result, lines = settled({}, entry=an_entry())
    assert (result.passed, result.attained, lines) == (False, None, [])


# The files


def test_the_bytes_of_the_files():
    entries = [
        an_entry(12, gmv_fen=100, name="=逗号,店", level="V0"),
        an_entry(7, gmv_fen=123450, orders=3, name='"A" 店'),
        an_entry(1000, name="＋店", level=""),
    ]
    rows = [
        a_row("221201-2", p_id="12_1", order_amount=2050, order_pay_time=TASK_UNTIL - 1),
        a_row("221201-10", p_id="12_1", order_amount=75, order_pay_time=TASK_UNTIL - 1),
        a_row("221201-3", p_id="7_1"),
    ]
    settlement = oracle.settle(PERIOD, TERMS, entries, oracle.fold(rows), [])
    results, lines = oracle.results_csv(settlement), oracle.lines_csv(settlement)
    assert results.decode("utf-8") == (
        "\ufeffperiod,promoter_id,name,level,eligible,reason,gmv_yuan,orders,target_gmv_yuan,target_orders,"
        "passed,rate_permille,subsidy_orders,subsidy_yuan\r\n"
        '2022-12,7,"""A"" 店",V1,yes,,1.00,1,1234.50,3,no,,0,0.00\r\n'
        # 21.25 of 1.00 is over 1.5. 30 permille: 75 -> 2.25 -> 2 and 2050 -> 61.5 -> 62, 64 in all
        '2022-12,12,"\'=逗号,店",V0,yes,,21.25,2,1.00,,yes,30,2,0.64\r\n'
        "2022-12,1000,'＋店,,no,NO_TARGET,,,,,no,,,\r\n"
    )
    assert lines.decode("utf-8") == (
        "\ufeffperiod,promoter_id,order_sn,paid_at,basis_yuan,rate_permille,subsidy_yuan\r\n"
        "2022-12,12,221201-10,2022-12-20T23:59:59+08:00,0.75,30,0.02\r\n"
        "2022-12,12,221201-2,2022-12-20T23:59:59+08:00,20.50,30,0.62\r\n"
    )
    hashes = ["ab" * 32, hashlib.sha256(results).hexdigest(), hashlib.sha256(lines).hexdigest()]
    content = ("\n".join(hashes) + "\n").encode()
    assert oracle.content_sha256("ab" * 32, results, lines) == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("start", list("=+-@\t\r＝＋－＠"))
def test_no_name_acts_as_a_formula(start):
    settlement = oracle.settle(PERIOD, TERMS, [an_entry(name=f"{start}1+1")], {}, [])
    cell = f"'{start}1+1"
    quoted = f'"{cell}"' if start == "\r" else cell
    assert f",7,{quoted},V1," in oracle.results_csv(settlement).decode("utf-8-sig")


def test_a_name_that_only_holds_a_sign_stays_as_it_is():
    settlement = oracle.settle(PERIOD, TERMS, [an_entry(name=" =1 ")], {}, [])
    assert ",7, =1 ,V1," in oracle.results_csv(settlement).decode("utf-8-sig")


# Progress


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


# Counts of an import


def test_what_an_import_counts():
    held = [a_row("1", order_modify_at=10), a_row("2", order_modify_at=10), a_row("3", order_modify_at=10)]
    file = [
        a_row("4", order_modify_at=10),  # new
        a_row("4", order_modify_at=11),  # stale: the order is counted once
        a_row("1", order_modify_at=10, order_settle_time=0),  # unchanged: the same facts
        a_row("1", order_modify_at=9),  # stale: older
        a_row("2", order_modify_at=11),  # changed, if only in its update time
        a_row("2", order_modify_at=11),  # unchanged: in this file already
        a_row("2", order_modify_at=10, goods_name="别名"),  # unchanged: a name is no fact
        a_detail(0, 5, "3"),  # changed: its return status was not known
    ]
    assert oracle.import_counts(held, file) == {"new": 1, "changed": 2, "unchanged": 3, "stale": 2}
    assert oracle.import_counts(held + file, file) == {"new": 0, "changed": 0, "unchanged": 8, "stale": 0}


def test_an_older_row_that_lengthens_a_failing_run_changes_the_order():
    held = [a_row("1", order_modify_at=20, order_status=4)]
    assert oracle.import_counts(held, [a_row("1", order_modify_at=10, order_status=10)])["changed"] == 1


# The made-up months


def outcome(case):
    """The settlement of a case, all of it known from the start."""
    its_terms = oracle.read_terms(case.terms_toml)
    orders = oracle.fold(case.rows)
    entries = oracle.roster(
        case.period,
        its_terms,
        promoters=case.promoters,
        violations=case.violations,
        targets=case.targets,
        orders=orders,
    )
    return oracle.settle(case.period, its_terms, entries, orders, case.links)


@pytest.mark.parametrize("seed", range(5))
def test_a_seed_gives_one_case_and_shuffling_keeps_its_outcome(seed):
    case = months.generate(seed)
    assert months.generate(seed) == case
    other = months.shuffled(case, random.Random(seed))
    assert other.rows != case.rows
    assert outcome(other) == outcome(case)


def test_the_made_up_months_reach_every_verdict():
    results = [result for seed in range(20) for result in outcome(months.generate(seed)).results]
    eligible = [result for result in results if result.entry.eligible]
    passed = [result for result in eligible if result.passed]
    on_target = [result for result in eligible if result.measured.gmv_fen == result.entry.target_gmv_fen]
    one_short = [result for result in eligible if result.measured.gmv_fen + 1 == result.entry.target_gmv_fen]
    assert 0.4 < len(passed) / len(eligible) < 0.8
    assert len(on_target) > 20
    assert len(one_short) > 10
    assert {result.entry.reason for result in results} == {
        None,
        "LEVEL_NOT_OFFERED",
        "TENURE_TOO_SHORT",
        "VIOLATION",
        "NO_TARGET",
    }


@pytest.mark.parametrize("seed", range(5))
def test_the_files_carry_every_row_and_say_which(seed, tmp_path):
    case = months.generate(seed)
    files = months.write(case, tmp_path, random.Random(seed))
    carried = [row for file in files for row in file.rows]
    assert [file.path for file in files] == sorted(file.path for file in files)
    assert all(file.path.is_file() for file in files)
    assert all(row in carried for row in case.rows)
    assert oracle.fold(carried) == oracle.fold(case.rows)
