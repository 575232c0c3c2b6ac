"""Who passes, at which tier, and what each order earns under which cap."""

from fractions import Fraction

import pytest

from tests import oracle
from tests.agreement.oracle.examples import (
    CUTOFF,
    DAY,
    PERIOD,
    TASK_FROM,
    TASK_UNTIL,
    a_row,
    an_entry,
    settled,
    terms,
)


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
