"""Which payout a row of a receipt is of: one, or none; nothing is guessed."""

from dataclasses import replace
from typing import Any

import pytest

from bounty.models.payment_results import AMBIGUOUS, MATCHED, UNMATCHED
from bounty.payment_results.files import PaymentResultRow
from bounty.payment_results.matching import KnownPayouts, RequestedPayout, match_rows

PHONE, NAME = "13812345678", "陈默"


def asked(payout: str = "P3-1", **fields: Any) -> RequestedPayout:
    """A payout of 100 yuan that waits."""
    return replace(RequestedPayout(payout, 100_00, "138****5678", "陈*", PHONE, NAME), **fields)


def row(place: int = 1, **fields: Any) -> PaymentResultRow:
    """A row that tells, by account, name and amount, that 100 yuan were paid."""
    return replace(PaymentResultRow(place, (), PHONE, NAME, 100_00, True), **fields)


PAID: dict[str, Any] = {"paid": True, "outcomes": 1}
FAILED: dict[str, Any] = {"paid": False, "outcomes": 1}
BY_A: dict[str, Any] = PAID | {"serial": "A", "told": frozenset({("A", True)})}
UNNUMBERED: dict[str, Any] = PAID | {"told": frozenset({(None, True)})}
BY_ID: dict[str, Any] = {"payouts": ("P3-1",), "account": None, "name": None}
NEWS, OLD = (MATCHED, "P3-1", True), (MATCHED, "P3-1", False)
NONE, SEVERAL = (UNMATCHED, None, False), (AMBIGUOUS, None, False)
NAMED_BUT = (AMBIGUOUS, "P3-1", False)
"""Verdict, payout, and whether it says something new."""

CASES = {
    # By the payout's id
    "an id and its amount": (row(**BY_ID), [asked()], NEWS),
    "an id whose account is masked by the payer": (
        row(payouts=("P3-1",), account="138****5678"),
        [asked()],
        NEWS,
    ),
    "an id with its account in another writing": (
        row(payouts=("P3-1",), account="１３８ 1234 5678"),
        [asked()],
        NEWS,
    ),
    "an id with another amount": (row(**BY_ID, amount_fen=99_99), [asked()], NAMED_BUT),
    "an id with another account": (row(payouts=("P3-1",), account="13900000000"), [asked()], NAMED_BUT),
    "an id that there is not": (row(**BY_ID | {"payouts": ("P9-1",)}), [asked()], NONE),
    "two ids in one remark": (row(payouts=("P3-1", "P3-2")), [asked(), asked("P3-2")], SEVERAL),
    "an id of one of two alike": (row(**BY_ID), [asked(), asked("P3-2")], NEWS),
    # By account, name and amount
    "all three": (row(), [asked()], NEWS),
    "failed": (row(paid=False), [asked()], NEWS),
    "a name in other width and case": (row(name="ＪＯＨＮ smith"), [asked(name="John Smith")], NEWS),
    "another name": (row(name="陈墨"), [asked()], NONE),
    "another account": (row(account="13812345679"), [asked()], NONE),
    "another amount": (row(amount_fen=100_01), [asked()], NONE),
    "another writing of the phone number": (row(account="+86 138-1234-5678"), [asked()], NEWS),
    # By what the payer does not mask
    "a masked account": (row(account="138****5678"), [asked()], NEWS),
    "a masked account of another": (row(account="139****5678"), [asked()], NONE),
    "a masked account with another ending": (row(account="138****5679"), [asked()], NONE),
    "an account of nothing but stars": (row(account="****"), [asked()], NEWS),
    "a masked account and another name": (row(account="138****5678", name="李雷"), [asked()], NONE),
    "a masked account and another amount": (row(account="138****5678", amount_fen=1), [asked()], NONE),
    "a masked account that two have": (
        row(account="138****5678"),
        [asked(), asked("P3-2", account="13899995678")],
        SEVERAL,
    ),
    "a masked bank account": (
        row(account="6222 **** **** 0123"),
        [asked(account="6222021234567890123")],
        NEWS,
    ),
    "a masked name": (row(name="*默"), [asked()], NEWS),
    "a masked name of another": (row(name="*雷"), [asked()], NONE),
    "both masked": (row(account="138****5678", name="*默"), [asked()], NONE),
    "a masked account that was not opened": (
        row(account="138****5678"),
        [asked(account=None, name=None)],
        NONE,
    ),
    "one that was not opened": (row(), [asked(account=None, name=None)], NONE),
    "two that wait": (row(), [asked(), asked("P3-2")], SEVERAL),
    "one that waits and one that failed": (row(), [asked(), asked("P2-1", **FAILED)], NEWS),
    "one that waits and one paid by another payment": (
        row(serial="B"),
        [asked(), asked("P2-1", **BY_A)],
        NEWS,
    ),
    "one that waits and one paid by this payment": (row(serial="A"), [asked("P3-2"), asked(**BY_A)], OLD),
    "one that waits and one paid, which it may be once more": (
        row(),
        [asked(), asked("P2-1", **UNNUMBERED)],
        SEVERAL,
    ),
    "two that were paid": (row(), [asked(**UNNUMBERED), asked("P2-1", **UNNUMBERED)], SEVERAL),
    # Against what is known
    "paid, as known": (row(), [asked(**UNNUMBERED)], OLD),
    "paid, as marked by hand": (row(serial="A"), [asked(**PAID)], OLD),
    "paid twice": (row(serial="B"), [asked(**BY_A)], NAMED_BUT),
    "failed, as known": (row(paid=False), [asked(**FAILED)], OLD),
    "bounced": (row(paid=False, serial="A"), [asked(**BY_A)], NEWS),
    "bounced, without a number": (row(paid=False), [asked(**UNNUMBERED)], NEWS),
    "paid after it failed": (row(serial="B"), [asked(**FAILED)], NEWS),
    "paid after it failed and was carried": (row(serial="B"), [asked(**FAILED, carried_into=4)], NAMED_BUT),
    "an old row, of what bounced since": (
        row(serial="A"),
        [asked(**FAILED, serial="A", told=frozenset({("A", True), ("A", False)}))],
        OLD,
    ),
    "an old row without a number, or a new one": (
        row(),
        [asked(**FAILED, told=frozenset({(None, True), (None, False)}))],
        NAMED_BUT,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_row_is_of_one_payout_or_of_none(name: str) -> None:
    told, payouts, expected = CASES[name]
    nobody = {"P9-1": ("没有", "there is none")}
    (judged,) = match_rows([told], KnownPayouts({each.payout: each for each in payouts}, nobody))
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
    payouts = {each.payout: each for each in (asked(), asked("P3-2", name="李雷"))}
    judged = match_rows([first, other, second], KnownPayouts(payouts))
    assert [each.verdict for each in judged] == [AMBIGUOUS, MATCHED, AMBIGUOUS]
    assert [each.news for each in judged] == [False, True, False]
    assert "2 rows of this receipt are of payout P3-1" in judged[0].why[1]


def test_a_row_of_the_same_file_stays_with_the_payout_that_it_was_matched_to() -> None:
    payouts = {each.payout: each for each in (asked(**UNNUMBERED), asked("P4-1"))}
    assert match_rows([row()], KnownPayouts(payouts))[0].verdict == AMBIGUOUS
    (judged,) = match_rows([row()], KnownPayouts(payouts, held={1: "P3-1"}))
    assert (judged.verdict, judged.news) == (MATCHED, False)
