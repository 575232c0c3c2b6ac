"""What rows fold into, whatever their order, and when an order failed."""

import itertools

import pytest

from tests import oracle
from tests.agreement.oracle.examples import a_detail, a_row, an_order


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
