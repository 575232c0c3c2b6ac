"""Four eyes: a draft is published only once an account that did not make it stands for it, as it is."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from bounty.accounts.service import add_user
from bounty.audit.service import Actor, acting
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.notices.service import publish
from bounty.rules.periods import Period
from bounty.settlement.approval import approvals_needed, approvals_of, approve
from bounty.settlement.service import newest_settlement, settle
from tests.factories import Month, order_row, plain_terms, promoter, shanghai

DECEMBER = Period(2022, 12)
NOW = shanghai("2023-01-11 00:00:00")


class People:
    """A month that is ready to settle, and accounts to settle it."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.month = Month(engine, folder)
        self.month.begin(promoter(), toml=plain_terms())
        self.month.orders(order_row())
        self.engine = engine
        with transaction(engine) as connection:
            self.ids = {
                name: add_user(
                    connection,
                    email=f"{name}@example.com",
                    name=name,
                    role="operator",
                    password="p" * 12,
                    now=1,
                )
                for name in ("zhou", "xu", "shen")
            }

    def as_(self, name: str | None) -> Engine:
        actor = Actor("command line: ops") if name is None else Actor(name, self.ids[name])
        return acting(self.engine, actor)

    def settle(self, name: str | None) -> None:
        with transaction(self.as_(name)) as connection:
            settle(connection, DECEMBER, NOW)

    def approve(self, name: str | None, content: str | None = None) -> None:
        with transaction(self.as_(name)) as connection:
            draft = newest_settlement(connection, DECEMBER)
            assert draft is not None
            approve(connection, DECEMBER, draft.settlement_id, content or draft.content_sha256, NOW)

    def publish(self, name: str | None = "zhou") -> int:
        with transaction(self.as_(name)) as connection:
            return publish(connection, DECEMBER, NOW, approval_required=True).notice

    def approvals(self) -> list[str]:
        with snapshot(self.engine) as connection:
            draft = newest_settlement(connection, DECEMBER)
            assert draft is not None
            return [row.name for row in approvals_of(connection, draft)]


@pytest.fixture
def people(engine: Engine, tmp_path: Path) -> People:
    return People(engine, tmp_path)


def test_nobody_publishes_what_nobody_else_approved(people: People) -> None:
    people.settle("zhou")
    with pytest.raises(BountyError, match="a second account"):
        people.publish()
    people.approve("xu")
    assert people.publish() == 1


def test_whoever_made_a_draft_can_not_approve_it(people: People) -> None:
    people.settle("zhou")
    with pytest.raises(BountyError, match="made a draft"):
        people.approve("zhou")
    assert people.approvals() == []


def test_a_draft_of_the_command_line_takes_two_accounts_and_one_of_them_twice_is_one(people: People) -> None:
    people.settle(None)
    with snapshot(people.engine) as connection:
        draft = newest_settlement(connection, DECEMBER)
    assert draft is not None
    assert approvals_needed(draft.prepared_by_id) == 2
    for _ in range(2):
        people.approve("xu")
    with pytest.raises(BountyError, match="a second account"):
        people.publish()
    people.approve("shen")
    assert people.approvals() == ["xu", "shen"]
    assert people.publish() == 1


def test_the_command_line_approves_nothing(people: People) -> None:
    people.settle("zhou")
    with pytest.raises(BountyError, match="log in"):
        people.approve(None)


def test_the_command_line_publishes_nothing_without_logging_in(people: People) -> None:
    people.settle("zhou")
    people.approve("xu")
    with pytest.raises(BountyError, match="--as EMAIL"):
        people.publish(None)
    assert people.publish() == 1


def test_an_approval_is_of_what_was_seen(people: People) -> None:
    people.settle("zhou")
    with pytest.raises(BountyError, match="no longer the one"):
        people.approve("xu", content="0" * 64)
    people.approve("xu")
    people.month.orders(order_row(number=2))
    people.settle("zhou")
    # A later draft has none of the earlier one's approvals.
    assert people.approvals() == []
    with pytest.raises(BountyError, match="a second account"):
        people.publish()


def test_settling_again_on_the_same_facts_keeps_maker_and_approvals(people: People) -> None:
    people.settle("zhou")
    people.approve("xu")
    people.settle("xu")
    assert people.approvals() == ["xu"]
    assert people.publish() == 1
