"""A closed period: it says so, and nothing of it is settled or published until it is reopened."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, insert

from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.models import PeriodClosing
from bounty.publication.board import board
from bounty.publication.overview import glances
from bounty.publication.stage import stage_of
from tests.factories import Month, order_row


def act(month: Month, number: int, act: str) -> None:
    with transaction(month.engine) as connection:
        values = {"period": str(month.period), "number": number, "act": act, "acted_at": month.now}
        connection.execute(insert(PeriodClosing).values(values))


def states(month: Month) -> set[str]:
    """What the month's own page, the list of months and the public board say of it."""
    with snapshot(month.engine) as connection:
        return {
            stage_of(connection, month.period, month.now).state,
            glances(connection, month.now)[0].state,
            board(connection, month.now)[0].state,
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
