"""Every clause has its plain words, and they say the contract's own numbers."""

import pytest

from bounty.rules.clause_texts import CLAUSE_TEXTS, deadline_text, duration_text
from bounty.rules.clauses import SUBSIDY_CLAUSES, TASK_CLAUSES, Clause, OrderContext
from bounty.rules.periods import Period, bounds_of
from bounty.rules.terms import read_terms
from tests.factories import plain_terms, shanghai

TERMS = read_terms(plain_terms())
BAD = {
    "p_id": "1000939_1",
    "paid_at": shanghai("2022-12-25 10:00:00"),
    "received_at": shanghai("2023-01-12 09:31:07"),
    "failed_at": shanghai("2023-01-09 00:00:00"),
    "order_amount_fen": 989,
    "live_room": "1000940_7",
    "order_status": 4,
    "return_status": None,
    "is_direct": 0,
    "price_compare_status": 1,
    "type": 94,
    "cat_ids": "8724",
    "link_channel": "other",
}
NOT_PAID = BAD | {"order_status": -1, "paid_at": None, "received_at": None}


def known(facts: dict[str, object]) -> OrderContext:
    return OrderContext(facts, bounds_of(Period(2022, 12), TERMS), direct_only=True, terms=TERMS)


def test_every_clause_has_plain_words() -> None:
    assert set(CLAUSE_TEXTS) == {*TASK_CLAUSES, *SUBSIDY_CLAUSES}


@pytest.mark.parametrize("clause", CLAUSE_TEXTS, ids=lambda clause: clause.code)
def test_plain_words_are_in_both_languages(clause: Clause) -> None:
    plain = CLAUSE_TEXTS[clause]
    for facts in (BAD, NOT_PAID):
        sayings = [
            plain.name,
            plain.fact(known(facts)),
            plain.required(known(facts)),
            plain.if_only(known(facts)),
        ]
        if clause.code != "COMMISSIONABLE" or facts is NOT_PAID:
            sayings.append(plain.why_not(known(facts)))
        for said in sayings:
            assert said is None or (said[0] and said[1].replace("¥", "").isascii())


def test_a_late_receipt_says_by_how_much_and_until_when() -> None:
    receipt = CLAUSE_TEXTS[TASK_CLAUSES[-1]]
    assert receipt.why_not(known(BAD))[0] == "收货比截止晚了 1 天 9 小时 31 分"
    assert receipt.required(known(BAD))[0] == "01-10 24 点前"
    assert receipt.if_only(known(BAD)) == (
        "若在 01-10 24 点前确认收货",
        "Received by 10 Jan, end of day",
    )
    assert receipt.why_not(known(NOT_PAID))[0] == "尚未收货，01-10 24 点截止"


def test_durations_and_deadlines() -> None:
    assert duration_text(26 * 86_400 + 9 * 3600, parts=1) == ("26 天", "26 d")
    assert deadline_text(shanghai("2022-12-21 00:00:00"))[0] == "12-20 24 点"
