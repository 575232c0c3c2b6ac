"""Which payout a row of a receipt is of: one, or none; nothing is guessed."""

from dataclasses import replace
from typing import Any

import pytest

from bounty.models.payment_results import AMBIGUOUS, MATCHED, UNMATCHED
from bounty.payment_results.files import PaymentResultRow
from bounty.payment_results.matching import KnownPayouts, RequestedPayout, match_rows

PHONE, NAME = "13812345678", "陈默"


def requested(payout: str = "P3-1", **fields: Any) -> RequestedPayout:
    """A payout of 100 yuan that waits."""
    return replace(RequestedPayout(payout, 100_00, "138****5678", "陈*", PHONE, NAME), **fields)


def row(place: int = 1, **fields: Any) -> PaymentResultRow:
    """A row that tells, by account, name and amount, that 100 yuan were paid."""
    return replace(PaymentResultRow(place, (), PHONE, NAME, 100_00, True), **fields)


PAID: dict[str, Any] = {"paid": True, "outcomes": 1}
FAILED: dict[str, Any] = {"paid": False, "outcomes": 1}
BY_A: dict[str, Any] = PAID | {"serial": "A", "reported": frozenset({("A", True)})}
UNNUMBERED: dict[str, Any] = PAID | {"reported": frozenset({(None, True)})}
BY_ID: dict[str, Any] = {"payouts": ("P3-1",), "account": None, "name": None}
NEWS, OLD = (MATCHED, "P3-1", True), (MATCHED, "P3-1", False)
NONE, SEVERAL = (UNMATCHED, None, False), (AMBIGUOUS, None, False)
NAMED_BUT = (AMBIGUOUS, "P3-1", False)
"""Verdict, payout, and whether it says something new."""

CASES = {
    # By the payout's id
    "an id and its amount": (row(**BY_ID), [requested()], NEWS),
    "an id whose account is masked by the payer": (
        row(payouts=("P3-1",), account="138****5678"),
        [requested()],
        NEWS,
    ),
    "an id with its account in another writing": (
        row(payouts=("P3-1",), account="１３８ 1234 5678"),
        [requested()],
        NEWS,
    ),
    "an id with another amount": (row(**BY_ID, amount_fen=99_99), [requested()], NAMED_BUT),
    "an id with another account": (row(payouts=("P3-1",), account="13900000000"), [requested()], NAMED_BUT),
    "an id that there is not": (row(**BY_ID | {"payouts": ("P9-1",)}), [requested()], NONE),
    "two ids in one remark": (row(payouts=("P3-1", "P3-2")), [requested(), requested("P3-2")], SEVERAL),
    "an id of one of two alike": (row(**BY_ID), [requested(), requested("P3-2")], NEWS),
    # By account, name and amount
    "all three": (row(), [requested()], NEWS),
    "failed": (row(paid=False), [requested()], NEWS),
    "a name in other width and case": (row(name="ＪＯＨＮ smith"), [requested(name="John Smith")], NEWS),
    "another name": (row(name="陈墨"), [requested()], NONE),
    "another account": (row(account="13812345679"), [requested()], NONE),
    "another amount": (row(amount_fen=100_01), [requested()], NONE),
    "another writing of the phone number": (row(account="+86 138-1234-5678"), [requested()], NEWS),
    # By what the payer does not mask
    "a masked account": (row(account="138****5678"), [requested()], NEWS),
    "a masked account of another": (row(account="139****5678"), [requested()], NONE),
    "a masked account with another ending": (row(account="138****5679"), [requested()], NONE),
    "an account of nothing but stars": (row(account="****"), [requested()], NEWS),
    "a masked account and another name": (row(account="138****5678", name="李雷"), [requested()], NONE),
    "a masked account and another amount": (row(account="138****5678", amount_fen=1), [requested()], NONE),
    "a masked account that two have": (
        row(account="138****5678"),
        [requested(), requested("P3-2", account="13899995678")],
        SEVERAL,
    ),
    "a masked bank account": (
        row(account="6222 **** **** 0123"),
        [requested(account="6222021234567890123")],
        NEWS,
    ),
    "a masked name": (row(name="*默"), [requested()], NEWS),
    "a masked name of another": (row(name="*雷"), [requested()], NONE),
    "both masked": (row(account="138****5678", name="*默"), [requested()], NONE),
    "a masked account that was not opened": (
        row(account="138****5678"),
        [requested(account=None, name=None)],
        NONE,
    ),
    "one that was not opened": (row(), [requested(account=None, name=None)], NONE),
    "two that wait": (row(), [requested(), requested("P3-2")], SEVERAL),
    "one that waits and one that failed": (row(), [requested(), requested("P2-1", **FAILED)], NEWS),
    "one that waits and one paid by another payment": (
        row(serial="B"),
        [requested(), requested("P2-1", **BY_A)],
        NEWS,
    ),
    "one that waits and one paid by this payment": (
        row(serial="A"),
        [requested("P3-2"), requested(**BY_A)],
        OLD,
    ),
    "one that waits and one paid, which it may be once more": (
        row(),
        [requested(), requested("P2-1", **UNNUMBERED)],
        SEVERAL,
    ),
    "two that were paid": (row(), [requested(**UNNUMBERED), requested("P2-1", **UNNUMBERED)], SEVERAL),
    # Against what is known
    "paid, as known": (row(), [requested(**UNNUMBERED)], OLD),
    "paid, as marked by hand": (row(serial="A"), [requested(**PAID)], OLD),
    "paid twice": (row(serial="B"), [requested(**BY_A)], NAMED_BUT),
    "failed, as known": (row(paid=False), [requested(**FAILED)], OLD),
    "bounced": (row(paid=False, serial="A"), [requested(**BY_A)], NEWS),
    "bounced, without a number": (row(paid=False), [requested(**UNNUMBERED)], NEWS),
    "paid after it failed": (row(serial="B"), [requested(**FAILED)], NEWS),
    "paid after it failed and was carried": (
        row(serial="B"),
        [requested(**FAILED, carried_into=4)],
        NAMED_BUT,
    ),
    "an old row, of what bounced since": (
        row(serial="A"),
        [requested(**FAILED, serial="A", reported=frozenset({("A", True), ("A", False)}))],
        OLD,
    ),
    "an old row without a number, or a new one": (
        row(),
        [requested(**FAILED, reported=frozenset({(None, True), (None, False)}))],
        NAMED_BUT,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_row_is_of_one_payout_or_of_none(name: str) -> None:
    row_read, payouts, expected = CASES[name]
    nobody = {"P9-1": ("没有", "there is none")}
    (judged,) = match_rows([row_read], KnownPayouts({each.payout: each for each in payouts}, nobody))
    assert (judged.verdict, judged.payout and judged.payout.payout, judged.news) == expected
    assert all(judged.why)


def test_the_cases_are_counted() -> None:
    print(f"{len(CASES)} cases of matching")
    assert len(CASES) == 44


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (row(), row(2)),
        (row(), row(2, **BY_ID)),
        (row(paid=False), row(2)),
        (row(serial="A"), row(2, serial="B")),
    ],
    ids=["the same twice", "by id and by payee", "failed and paid", "two payments"],
)
def test_two_rows_that_would_be_of_one_payout_are_of_none(
    first: PaymentResultRow, second: PaymentResultRow
) -> None:
    other = row(3, payouts=("P3-2",))
    payouts = {each.payout: each for each in (requested(), requested("P3-2", name="李雷"))}
    judged = match_rows([first, other, second], KnownPayouts(payouts))
    assert [each.verdict for each in judged] == [AMBIGUOUS, MATCHED, AMBIGUOUS]
    assert [each.news for each in judged] == [False, True, False]
    assert "2 rows of this receipt are of payout P3-1" in judged[0].why[1]


def test_a_row_of_the_same_file_stays_with_the_payout_that_it_was_matched_to() -> None:
    payouts = {each.payout: each for each in (requested(**UNNUMBERED), requested("P4-1"))}
    assert match_rows([row()], KnownPayouts(payouts))[0].verdict == AMBIGUOUS
    (judged,) = match_rows([row()], KnownPayouts(payouts, held={1: "P3-1"}))
    assert (judged.verdict, judged.news) == (MATCHED, False)
