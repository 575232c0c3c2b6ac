"""A tranche holds what is due, once; what is taken back cites what it corrects; nothing negative is paid."""

import pytest
from sqlalchemy import Engine, select

from bounty.db import snapshot
from bounty.errors import BountyError
from bounty.tranches.entitlement import orders_due, published_periods
from tests.factories import PROMOTER, plain_terms, shanghai, sn
from tests.payout.world import FEBRUARY_20, JANUARY_20, MARCH_20, OTHER, Paying, earning

AFTER = shanghai("2023-02-01 12:00:00")
FAILED = {"status": 4, "modified": AFTER}


@pytest.fixture
def paying(engine: Engine, tmp_path) -> Paying:
    return Paying(engine, tmp_path)


def test_what_has_settled_is_gathered_once_and_what_has_not_waits(paying: Paying) -> None:
    paying.payee(PROMOTER)
    late = {"settled": "2023-02-19 00:00:00"}
    paying.publish(earning(1, 100_00), earning(2, 30_00, **late), earning(3, 7_00, status=3, settled=None))
    first = paying.prepare()
    assert paying.lines(first.tranche_id) == [(PROMOTER, sn(1), 100_00, "EARNED", None)]
    assert paying.payouts(first.tranche_id) == [(PROMOTER, 0, 100_00, 100_00)]
    assert (first.state, first.lines_fen, first.payable_fen) == ("prepared", 100_00, 100_00)
    paying.export(1)
    paying.outcome(1)
    assert paying.tranche(1).state == "paid"
    second = paying.pay(FEBRUARY_20)
    assert paying.lines(second.tranche_id) == [(PROMOTER, sn(2), 30_00, "EARNED", None)]
    with pytest.raises(BountyError, match="No newly settled orders"):
        paying.prepare(MARCH_20)


def test_before_payment_a_failed_order_is_in_no_tranche(paying: Paying) -> None:
    paying.payee(PROMOTER)
    paying.publish(earning(1, 100_00), earning(2, 30_00))
    paying.prepare()
    paying.month.orders(earning(1, 100_00, **FAILED))
    with pytest.raises(BountyError, match="no longer what tranche 1 holds"):
        paying.export(1)
    second = paying.prepare()
    assert paying.tranche(1).state == "replaced"
    assert paying.lines(second.tranche_id) == [(PROMOTER, sn(2), 30_00, "EARNED", None)]
    with pytest.raises(BountyError, match="was replaced"):
        paying.export(1)


def test_after_payment_it_comes_back_as_a_line_and_the_debt_carries_over(paying: Paying) -> None:
    paying.payee(PROMOTER)
    late = {"settled": "2023-03-01 00:00:00"}
    paying.publish(earning(1, 100_00), earning(2, 150_00, **late))
    paying.pay()
    paying.month.orders(earning(1, 100_00, **FAILED))
    second = paying.prepare(FEBRUARY_20)
    assert paying.lines(second.tranche_id) == [(PROMOTER, sn(1), -100_00, "FAILED", 1)]
    assert paying.payouts(second.tranche_id) == [(PROMOTER, 0, -100_00, 0)]
    paying.export(2)
    assert paying.tranche(2).state == "paid"  # nothing of it is due
    third = paying.pay(MARCH_20)
    assert paying.payouts(third.tranche_id) == [(PROMOTER, -100_00, 150_00, 50_00)]
    with pytest.raises(BountyError, match="No newly settled orders"):
        paying.prepare(MARCH_20)


def test_a_debt_without_new_lines_stays_and_makes_no_payout(paying: Paying) -> None:
    paying.payee(PROMOTER, OTHER)
    paying.publish(
        earning(1),
        earning(2, promoter_id=OTHER),
        earning(3, promoter_id=OTHER, settled="2023-03-01 00:00:00"),
    )
    paying.pay(JANUARY_20, PROMOTER, OTHER)
    paying.month.orders(earning(1, **FAILED))
    paying.prepare(FEBRUARY_20)
    paying.export(2)
    third = paying.prepare(MARCH_20)
    assert paying.payouts(third.tranche_id) == [(OTHER, 0, 100_00, 100_00)]


def test_an_order_that_recovers_is_given_again(paying: Paying) -> None:
    paying.payee(PROMOTER)
    paying.publish(earning(1))
    paying.pay()
    paying.month.orders(earning(1, **FAILED))
    paying.prepare(FEBRUARY_20)
    paying.export(2)
    paying.month.orders(earning(1, modified=AFTER + 10))
    third = paying.prepare(MARCH_20)
    assert paying.lines(third.tranche_id) == [(PROMOTER, sn(1), 100_00, "RECOVERED", 1)]
    assert paying.payouts(third.tranche_id) == [(PROMOTER, -100_00, 100_00, 0)]


@pytest.mark.parametrize(("amount_fen", "due_fen"), [(130_00, 30_00), (60_00, -40_00)])
def test_a_later_notice_is_followed_by_what_it_changed(paying: Paying, amount_fen: int, due_fen: int) -> None:
    paying.payee(PROMOTER)
    paying.publish(earning(1, 100_00))
    paying.pay()
    paying.publish(earning(1, amount_fen, modified=AFTER))
    second = paying.prepare(FEBRUARY_20)
    assert paying.lines(second.tranche_id) == [(PROMOTER, sn(1), due_fen, "CORRECTED", 1)]


def test_an_order_of_another_promoter_goes_from_one_to_the_other(paying: Paying) -> None:
    paying.payee(PROMOTER, OTHER)
    paying.publish(earning(1), earning(2, 5_00), earning(3, 5_00, promoter_id=OTHER))
    paying.pay(JANUARY_20, PROMOTER, OTHER)
    paying.month.orders(earning(1, promoter_id=OTHER, modified=AFTER))
    second = paying.prepare(FEBRUARY_20)
    assert paying.lines(second.tranche_id) == [(PROMOTER, sn(1), -100_00, "MOVED", 1)]
    paying.publish()
    third = paying.prepare(FEBRUARY_20)
    assert paying.tranche(2).state == "replaced"
    assert paying.lines(third.tranche_id) == [
        (PROMOTER, sn(1), -100_00, "MOVED", 1),
        (OTHER, sn(1), 100_00, "EARNED", None),
    ]


def test_who_has_no_payee_is_held_and_paid_once_there_is_one(paying: Paying) -> None:
    paying.payee(OTHER)
    paying.publish(earning(1), earning(2, promoter_id=OTHER))
    first = paying.pay(JANUARY_20, OTHER)
    assert (first.state, first.held, first.held_fen, first.promoters_due) == ("paid", 1, 100_00, 1)
    with pytest.raises(BountyError, match="No newly settled orders"):
        paying.prepare(FEBRUARY_20)
    paying.payee(PROMOTER)
    second = paying.pay(FEBRUARY_20)
    assert (paying.lines(2), paying.payouts(2)) == ([], [(PROMOTER, 100_00, 0, 100_00)])
    assert second.state == "paid"


def test_what_failed_or_bounced_goes_into_the_next_and_nothing_else(paying: Paying) -> None:
    paying.payee(PROMOTER, OTHER)
    paying.publish(earning(1), earning(2, promoter_id=OTHER))
    first = paying.prepare()
    paying.export(first.tranche_id)
    paying.outcome(1, promoter_id=OTHER)
    with pytest.raises(BountyError, match="1 of its payouts wait"):
        paying.prepare(FEBRUARY_20)
    paying.outcome(1, paid=False)
    assert (paying.tranche(1).state, paying.tranche(1).failed) == ("paid", 1)
    assert paying.pay(FEBRUARY_20).state == "paid"
    assert paying.payouts(2) == [(PROMOTER, 100_00, 0, 100_00)]
    paying.outcome(2, paid=False)
    paying.month.orders(earning(1, **FAILED), earning(2, promoter_id=OTHER, **FAILED))
    third = paying.prepare(MARCH_20)
    assert paying.payouts(third.tranche_id) == [(PROMOTER, 100_00, -100_00, 0), (OTHER, 0, -100_00, 0)]


def test_what_has_not_settled_in_time_lapses_and_what_was_given_does_not(engine: Engine, tmp_path) -> None:
    paying = Paying(engine, tmp_path, toml=plain_terms(caps="lapse_months = 6"))
    paying.payee(PROMOTER)
    just, late = {"settled": "2023-06-30 23:59:59"}, {"settled": "2023-07-01 00:00:00"}
    paying.publish(earning(1, 1_00), earning(2, 2_00, **just), earning(3, 3_00, **late))
    paying.pay()
    paying.month.orders(earning(1, 1_00, status=3, settled=None, modified=AFTER))
    last = paying.prepare(shanghai("2023-12-20 00:00:00"))
    assert paying.lines(last.tranche_id) == [(PROMOTER, sn(2), 2_00, "EARNED", None)]
    with snapshot(engine) as connection:
        every = orders_due(published_periods(connection, last.settled_before)).subquery().c
        found = connection.execute(select(every.order_sn, every.void).order_by(every.order_sn))
        assert [tuple(row) for row in found] == [(sn(1), None), (sn(2), None), (sn(3), "LAPSED")]


def test_a_tranche_of_what_is_yet_to_come_is_refused(paying: Paying) -> None:
    paying.publish(earning(1))
    with pytest.raises(BountyError, match="is yet to come"):
        paying.prepare(FEBRUARY_20, JANUARY_20)
