"""A period closes once nothing of it is open; then nothing of it is settled or published until two people reopen it."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select

from bounty.accounting.period_closing import ACTS, ask_reopening, close, closing_refusal, reopen
from bounty.accounts.service import add_user
from bounty.audit.service import Actor, acting
from bounty.checks.books import CHECKS
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.models import AuditEvent, PeriodClosing
from bounty.notices.period_status import period_status
from bounty.notices.period_summaries import period_summaries
from bounty.notices.public_index import public_periods
from bounty.rules.periods import Period
from bounty.settlement.revocations import answer_void, ask_void
from tests.factories import PROMOTER, Month, order_row, shanghai
from tests.payout.desk import Desk
from tests.payout.world import MARCH_20, OTHER, earning


def act(month: Month, number: int, act: str) -> None:
    with transaction(month.engine) as connection:
        values = {"period": str(month.period), "number": number, "act": act, "acted_at": month.now}
        connection.execute(insert(PeriodClosing).values(values))


def states(month: Month) -> set[str]:
    """What the month's own page, the list of months and the public board say of it."""
    with snapshot(month.engine) as connection:
        return {
            period_status(connection, month.period, month.now).state,
            period_summaries(connection, month.now)[0].state,
            public_periods(connection, month.now)[0].state,
        }


def test_a_closed_period_is_not_settled_or_published_until_two_people_have_reopened_it(
    engine: Engine, tmp_path: Path
) -> None:
    month = Month(engine, tmp_path)
    month.begin()
    month.orders(order_row())
    month.settle()
    month.publish()
    for number, name in enumerate(("CLOSED", "REOPENING"), start=1):
        act(month, number, name)
        assert states(month) == {"CLOSED"}
        for step in (month.settle, month.publish):
            with pytest.raises(BountyError, match="2022-12 is closed: reopen it first"):
                step()
    act(month, 3, "REOPENED")
    assert states(month) == {"PUBLISHED"}
    month.orders(order_row(number=2))
    month.settle()
    assert month.publish().notice == 2


DECEMBER = Period(2022, 12)
PAID = ("P1-1000939,,,100.00,paid,A,", "P1-1000940,,,30.00,paid,B,")


class Ledger(Desk):
    """The desk, with two accounts of finance, numbered 1 and 2."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        super().__init__(engine, folder)
        for number in (1, 2):
            with transaction(engine) as connection:
                email = f"{number}@example.com"
                made = add_user(connection, email=email, name=email, role="finance", password="p" * 12, now=1)
                assert made == number

    def open_kinds(self, now: int = MARCH_20) -> list[tuple[str, int, int]]:
        with snapshot(self.engine) as connection:
            return [(each.kind, each.lines, each.fen) for each in closing_refusal(connection, DECEMBER, now)]

    def close(self, now: int = MARCH_20) -> bool:
        with transaction(self.engine) as connection:
            return close(connection, DECEMBER, now)

    def ask(self, by: int | None = None, reason: str = "漏了一单") -> bool:
        with transaction(self.as_(by)) as connection:
            return ask_reopening(connection, DECEMBER, reason, MARCH_20)

    def reopen(self, by: int | None = None, *, approval_required: bool = True) -> bool:
        with transaction(self.as_(by)) as connection:
            return reopen(connection, DECEMBER, MARCH_20, approval_required=approval_required)

    def as_(self, by: int | None) -> Engine:
        return self.engine if by is None else acting(self.engine, Actor(f"account {by}", by))

    def acts(self) -> list[tuple[Any, ...]]:
        row = AuditEvent
        query = select(row.act, row.user_id, row.reason).where(row.act.in_(ACTS.values()))
        with snapshot(self.engine) as connection:
            assert CHECKS["closings-in-turn"][1](connection) == 0
            assert CHECKS["outcomes-told"][1](connection) == 0
            return [tuple(each) for each in connection.execute(query.order_by(row.event_id))]


@pytest.fixture
def ledger(engine: Engine, tmp_path: Path) -> Ledger:
    return Ledger(engine, tmp_path)


def test_a_period_closes_once_each_line_is_paid_void_or_carried(ledger: Ledger) -> None:
    ledger.month.orders(
        earning(6, 3_00, settled=None, status=3, verified=None), earning(8, 9_00, promoter_id=OTHER)
    )
    ledger.month.settle()
    ledger.month.publish()
    before_the_rest = shanghai("2023-02-01 00:00:00")
    assert ledger.open_kinds(before_the_rest) == [
        ("UNSETTLED", 3, 11_00),
        ("DUE", 1, 9_00),
        ("NOT_TOLD", 2, 130_00),
    ]
    with pytest.raises(
        BountyError, match=r"closed yet: 3 lines ¥11\.00 whose commission has not settled; 1 line"
    ):
        ledger.close(before_the_rest)
    ledger.take(ledger.plain(PAID[0], "P1-1000940,,,30.00,failed,B,账号不存在"))
    assert ledger.open_kinds() == [("UNSETTLED", 1, 3_00), ("DUE", 3, 17_00), ("NOT_PAID", 1, 30_00)]
    # Of the order that has not settled nothing is held: void. Of a paid one, it is for the next tranche to take back.
    ledger.month.orders(
        earning(6, 3_00, status=4, modified=MARCH_20), earning(1, status=4, modified=MARCH_20)
    )
    assert ledger.open_kinds() == [("DUE", 3, 17_00), ("TAKE_BACK", 1, -100_00), ("NOT_PAID", 1, 30_00)]
    second = ledger.prepare(MARCH_20)
    assert ledger.payouts(second.tranche_id) == [(PROMOTER, 0, -92_00, 0), (OTHER, 30_00, 9_00, 39_00)]
    assert ledger.open_kinds() == [("NOT_EXPORTED", 4, -83_00), ("NOT_PAID", 1, 30_00)]
    ledger.export(2)
    # What failed is carried into a payout that left, and what is taken back stands against a debt.
    assert ledger.open_kinds() == [("NOT_TOLD", 1, 9_00)]
    ledger.mark("P2-1000940")
    assert ledger.open_kinds() == []
    assert (ledger.close(), ledger.close()) == (True, False)
    assert states(ledger.month) == {"CLOSED"}
    assert ledger.acts() == [("period.close", None, None)]


def test_reopening_takes_two_people_and_a_reason(ledger: Ledger) -> None:
    ledger.take(ledger.plain(*PAID))
    ledger.prepare(MARCH_20)
    ledger.export(2)
    ledger.mark("P2-1000939")
    assert not ledger.reopen()
    with transaction(ledger.as_(1)) as connection:
        ask_void(connection, DECEMBER, OTHER, "站外导流", MARCH_20)
    assert ledger.open_kinds() == [("VOID_PENDING", 1, 30_00)]
    with transaction(ledger.as_(2)) as connection:
        answer_void(connection, DECEMBER, OTHER, MARCH_20, approve=False)
    assert ledger.open_kinds() == []
    with pytest.raises(BountyError, match="is not closed"):
        ledger.ask()
    assert ledger.close()
    with pytest.raises(BountyError, match="Nobody has asked"):
        ledger.reopen(2)
    with pytest.raises(BountyError, match="needs a reason"):
        ledger.ask(1, reason=" ")
    assert (ledger.ask(1), ledger.ask(1), ledger.ask(2)) == (True, False, False)
    assert states(ledger.month) == {"CLOSED"}
    with pytest.raises(BountyError, match="Whoever asked can't agree"):
        ledger.reopen(1, approval_required=False)
    with pytest.raises(BountyError, match="takes two accounts"):
        ledger.reopen()
    assert (ledger.reopen(2), ledger.reopen(2)) == (True, False)
    assert states(ledger.month) == {"PUBLISHED"}
    # At the command line nobody's account may do both where no approval is required; where it is, an account asks anew.
    assert (ledger.close(), ledger.ask(), ledger.reopen(approval_required=False)) == (True, True, True)
    assert (ledger.close(), ledger.ask()) == (True, True)
    with pytest.raises(BountyError, match="takes two accounts"):
        ledger.reopen(2)
    assert (ledger.ask(1), ledger.reopen(2)) == (True, True)
    asked = ("period.ask_reopening", "period.reopen")
    assert [(act, by) for act, by, _ in ledger.acts() if act in asked] == [
        (asked[0], 1),
        (asked[1], 2),
        (asked[0], None),
        (asked[1], None),
        (asked[0], None),
        (asked[0], 1),
        (asked[1], 2),
    ]


def test_a_period_without_a_notice_is_not_closed(engine: Engine, tmp_path: Path) -> None:
    month = Month(engine, tmp_path)
    month.begin()
    with pytest.raises(BountyError, match="has no notice"), transaction(engine) as connection:
        close(connection, DECEMBER, MARCH_20)
