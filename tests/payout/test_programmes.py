"""A tranche pays lines of all programmes together; what is due is by programme, order and promoter."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from bounty.accounting.period_closing import closing_refusal
from bounty.checks import books
from bounty.db import snapshot, transaction
from bounty.models import TrancheLine
from bounty.roster.programmes import add_programme
from tests.factories import PROMOTER, Month, half_month_terms
from tests.payout.world import FEBRUARY_20, JANUARY_20, Paying, earning


@pytest.fixture
def paying(engine: Engine, tmp_path: Path) -> Paying:
    return Paying(engine, tmp_path)


@pytest.fixture
def sprint(paying: Paying, tmp_path: Path) -> Month:
    with transaction(paying.engine) as connection:
        add_programme(connection, "sprint", "冲刺", 0)
    month = Month(paying.engine, tmp_path / "sprint", period="sprint:2022-12a")
    month.folder.mkdir()
    month.terms(half_month_terms())
    month.open()
    return month


def held(engine: Engine, tranche_id: int) -> list[tuple[str, str, int, str, int | None]]:
    line = TrancheLine
    with snapshot(engine) as connection:
        return [
            (row.order_sn, row.period, row.amount_fen, row.cause, row.corrects_id)
            for row in connection.execute(
                select(line.order_sn, line.period, line.amount_fen, line.cause, line.corrects_id)
                .where(line.tranche_id == tranche_id)
                .order_by(line.order_sn, line.period)
            )
        ]


def unsound(engine: Engine) -> list[str]:
    """What the checks find, but for outcomes and payees, which the tests write without a record."""
    with snapshot(engine) as connection:
        return [
            finding.name
            for finding in books.run_checks(connection)
            if finding.violations
            and finding.name not in ("outcomes-told", "payees-unchanged", "made-as-recorded")
        ]


def test_one_tranche_pays_one_order_of_two_programmes_and_takes_back_from_both(
    paying: Paying, sprint: Month
) -> None:
    engine = paying.engine
    paying.payee(PROMOTER)
    paying.publish(
        earning(number=1, amount_fen=10_00), earning(number=2, amount_fen=1_00, paid="2022-12-18 10:00:00")
    )
    sprint.settle()
    sprint.publish()
    one, two = "221205-000000000000001", "221205-000000000000002"
    first = paying.pay(JANUARY_20)
    assert held(engine, first.tranche_id) == [
        (one, "2022-12", 10_00, "EARNED", None),
        (one, "sprint:2022-12a", 10_00, "EARNED", None),
        (two, "2022-12", 1_00, "EARNED", None),
    ]
    assert (first.lines_fen, first.payable_fen) == (21_00, 21_00)
    assert unsound(engine) == []
    refunded = earning(number=1, amount_fen=10_00, status=4, modified="2023-02-01 00:00:00")
    paying.month.orders(refunded)
    second = paying.prepare(FEBRUARY_20)
    assert held(engine, second.tranche_id) == [
        (one, "2022-12", -10_00, "FAILED", first.tranche_id),
        (one, "sprint:2022-12a", -10_00, "FAILED", first.tranche_id),
    ]
    assert unsound(engine) == []


def test_a_notice_of_one_programme_moves_nothing_of_another(paying: Paying, sprint: Month) -> None:
    engine = paying.engine
    paying.payee(PROMOTER)
    paying.publish(earning(number=1, amount_fen=10_00))
    first = paying.pay(JANUARY_20)
    sprint.settle()
    sprint.publish()
    second = paying.prepare(FEBRUARY_20)
    assert held(engine, second.tranche_id) == [
        ("221205-000000000000001", "sprint:2022-12a", 10_00, "EARNED", None)
    ]
    with snapshot(engine) as connection:
        assert closing_refusal(connection, paying.month.period, FEBRUARY_20) == []
        assert [each.kind for each in closing_refusal(connection, sprint.period, FEBRUARY_20)] == [
            "NOT_EXPORTED"
        ]
    assert first.tranche_id == 1
    assert unsound(engine) == []
