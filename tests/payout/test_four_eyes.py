"""No account alone, whatever its role and with a shell beside it, moves money or unsays what was published; two do.

A search, on the real services and both databases, through every state that the acts below lead to: each act is tried
in each state, by whoever is in the search. Roles are the edges' (pages and commands); the services hold for any.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, insert, select

from bounty.accounting.period_closing import ask_reopening, reopen
from bounty.audit.service import Actor
from bounty.db import transaction
from bounty.errors import BountyError
from bounty.models import (
    ROLES,
    Approval,
    Base,
    Notice,
    PassVoid,
    PassVoidAnswer,
    Payee,
    PayeeApproval,
    PayeeProposal,
    PayoutOutcome,
    PeriodClosing,
    Settlement,
    Tranche,
    TrancheStep,
)
from bounty.notices.service import publish
from bounty.payees.encryption import PayeeDetails
from bounty.payees.files import PayeeRow
from bounty.payees.service import approve_payees, propose_payees, waiting_proposals
from bounty.payment_results.files import PaymentResultFile, PaymentResultRow
from bounty.payment_results.service import import_results, mark_by_hand
from bounty.roster.service import open_roster
from bounty.rules.periods import Period
from bounty.settlement.approval import approve
from bounty.settlement.revocations import answer_void, ask_void
from bounty.settlement.service import newest_settlement, settle
from bounty.tranches import approval, preparation, state
from bounty.web.finance.notices import payees, payment_results, reconciliation, tranches
from bounty.web.operations import revocations, settlement
from tests.conftest import SQLITE_AND_IN_SOAK_BOTH
from tests.factories import PROMOTER, order_row, shanghai
from tests.payout.people import Person
from tests.payout.world import JANUARY_20, OTHER, SEAL, Paying, earning

DECEMBER, JANUARY = Period(2022, 12), Period(2023, 1)
NOW = JANUARY_20
SHELL = Actor("command line: ops")
"""A command that nobody logged in for."""
Do = Callable[[Connection], object]


@dataclass(frozen=True, slots=True)
class Act:
    """One state-changing step."""

    do: Do
    roles: tuple[str, ...]
    """Whom the edges let."""
    shell: bool = False
    """Whether a command does it for nobody, where approval is required."""


def _approve(connection: Connection) -> None:
    draft = newest_settlement(connection, DECEMBER)
    assert draft is not None
    approve(connection, DECEMBER, draft.settlement_id, draft.content_sha256, NOW)


def _propose(connection: Connection) -> None:
    given = [PayeeRow(2, OTHER, PayeeDetails("alipay", "13912345678", "示例", "", ""))]
    propose_payees(connection, given, SEAL, NOW, reason="换号", approval_required=True)


def _approve_payees(connection: Connection) -> None:
    for row in connection.execute(waiting_proposals()).all():
        approve_payees(connection, row.proposal_id, row.payees_sha256, NOW)


def _approve_tranche(connection: Connection) -> None:
    tranche = state.open_tranche(connection)
    if tranche is not None:
        approval.approve(connection, tranche.tranche_id, tranche.content_sha256, NOW)


def _export(connection: Connection) -> None:
    tranche = state.open_tranche(connection)
    if tranche is not None:
        approval.export_begins(connection, tranche.tranche_id, NOW, approval_required=True)


def _take(connection: Connection) -> None:
    paid = PaymentResultRow(4, (f"P1-{PROMOTER}",), None, None, 100_00, paid=True)
    import_results(connection, PaymentResultFile("回单.csv", "", "", [paid]), SEAL, NOW)


ACTS = {
    "settle": Act(lambda c: settle(c, DECEMBER, NOW), ("operator",), shell=True),
    "approve": Act(_approve, ("operator", "finance")),
    "publish": Act(lambda c: publish(c, DECEMBER, NOW, approval_required=True), ("operator",), shell=True),
    "void ask": Act(lambda c: ask_void(c, DECEMBER, PROMOTER, "站内导流", NOW), ("operator",)),
    "void answer": Act(
        lambda c: answer_void(c, DECEMBER, PROMOTER, NOW, approve=True), ("operator", "admin")
    ),
    "payees propose": Act(_propose, ("finance",)),
    "payees approve": Act(_approve_payees, ("finance", "admin")),
    "payout prepare": Act(lambda c: preparation.prepare(c, JANUARY_20, NOW), ("finance",), shell=True),
    "payout approve": Act(_approve_tranche, ("finance", "admin")),
    "payout export": Act(_export, ("finance",)),
    "payout mark": Act(
        lambda c: mark_by_hand(c, [f"P1-{PROMOTER}"], paid=True, reason="网银流水", now=NOW),
        ("finance", "admin"),
    ),
    "payout receipt": Act(_take, ("finance",)),
    "period ask": Act(lambda c: ask_reopening(c, JANUARY, "漏单", NOW), ("finance", "admin")),
    "period reopen": Act(lambda c: reopen(c, JANUARY, NOW, approval_required=True), ("finance", "admin")),
}
PAGES: dict[str, Any] = {
    "settle": settlement.make,
    "approve": settlement.approve,
    "publish": settlement.publish,
    "void ask": revocations.ask,
    "void answer": revocations.answer,
    "payees propose": payees.propose,
    "payees approve": payees.approve,
    "payout prepare": tranches.prepare,
    "payout approve": tranches.approve,
    "payout export": tranches.export,
    "payout receipt": payment_results.take,
    "period ask": reconciliation.ask,
    "period reopen": reconciliation.reopen,
}
"""The acts that have one."""
CHAINS = {
    "published": ("settle", "approve", "publish"),
    "void": ("void ask", "void answer"),
    "payee in force": ("payees propose", "payees approve"),
    "exported": ("payout prepare", "payout approve", "payout export"),
    "paid": ("payout prepare", "payout approve", "payout export", "payout mark"),
    "told by a receipt": ("payout prepare", "payout approve", "payout export", "payout receipt"),
    "reopened": ("period ask", "period reopen"),
}
"""What nobody may reach alone -> the acts that lead there."""
RESULTS = ("settle", "approve", "publish", "void ask", "void answer")
MONEY = tuple(name for name in ACTS if name not in RESULTS)
KEPT: tuple[tuple[type[Base], tuple[str, ...]], ...] = (
    (Settlement, ("settlement_id", "prepared_by_id", "content_sha256")),
    (Approval, ("settlement_id", "user_id")),
    (Notice, ("period", "notice", "settlement_id")),
    (PassVoid, ("promoter_id", "number", "asked_by_id")),
    (PassVoidAnswer, ("promoter_id", "number", "approved", "user_id")),
    (PayeeProposal, ("proposal_id", "proposed_by_id")),
    (Payee, ("proposal_id", "promoter_id", "shown_account")),
    (PayeeApproval, ("proposal_id", "user_id")),
    (Tranche, ("tranche_id", "prepared_by_id", "content_sha256")),
    (TrancheStep, ("tranche_id", "number", "step", "user_id")),
    (PayoutOutcome, ("tranche_id", "promoter_id", "number", "paid", "user_id")),
    (PeriodClosing, ("period", "number", "act", "user_id")),
)
"""What tells one state from another: everything that the acts write, but for the time."""
_READS = [
    select(*(table.__table__.c[name] for name in names)).order_by(*table.__table__.primary_key)
    for table, names in KEPT
]
State = tuple[tuple[Any, ...], ...]


def state_of(connection: Connection) -> State:
    return tuple(tuple(map(tuple, connection.execute(read).all())) for read in _READS)


def reached(before: State, state: State) -> set[str]:
    """What of CHAINS holds in a state and did not at first."""
    was, now = (
        {
            "published": len(each[2]),
            "void": sum(bool(row[2]) for row in each[4]),
            "payee in force": len(each[7]),
            "exported": sum(row[2] == "EXPORTED" for row in each[9]),
            "paid": len(each[10]),
            "told by a receipt": len(each[10]),
            "reopened": sum(row[2] == "REOPENED" for row in each[11]),
        }
        for each in (before, state)
    )
    return {name for name in CHAINS if now[name] > was[name]}


class Search:
    """Every state that some people can bring about, each with a way to it."""

    def __init__(
        self, connection: Connection, steps: list[tuple[str, Actor]], until: str | None = None
    ) -> None:
        """Search all of it, or until something of CHAINS is reached."""
        self.connection, self.steps, self.until, self.tried = connection, steps, until, 0
        self.first = state_of(connection)
        self.ways: dict[State, tuple[str, ...]] = {self.first: ()}
        self._from(())
        assert state_of(connection) == self.first

    def _from(self, way: tuple[str, ...]) -> None:
        """From where the books are; each step is taken back before the next is tried."""
        for name, actor in self.steps:
            if self.until and self.until in self.found():
                return
            self.tried += 1
            attempt = self.connection.begin_nested()
            try:
                self.connection.execution_options(actor=actor)
                ACTS[name].do(self.connection)
            except BountyError:
                attempt.rollback()
                continue
            state = state_of(self.connection)
            if state not in self.ways:
                here = (*way, f"{name} as {actor.name}")
                self.ways[state] = here
                self._from(here)
            attempt.rollback()

    def found(self) -> dict[str, tuple[str, ...]]:
        """What was reached, and the first way to it."""
        return {
            name: way for state, way in reversed(self.ways.items()) for name in reached(self.first, state)
        }


def steps_of(
    actors: list[Actor], names: Any = tuple(ACTS), *, role: str | None = None
) -> list[tuple[str, Actor]]:
    """Each act by each who may; of any role unless one is given."""
    return [
        (name, actor)
        for name in names
        for actor in actors
        if (ACTS[name].shell if actor is SHELL else role is None or role in ACTS[name].roles)
    ]


@pytest.fixture
def month(engine: Engine, tmp_path: Path) -> Paying:
    """A published December with something to pay, a correction to settle, and a closed January."""
    month = Paying(engine, tmp_path)
    month.payee(PROMOTER)
    month.publish(earning(), earning(2, promoter_id=OTHER))
    month.month.orders(order_row(number=3, modified="2023-01-19 00:00:00"))
    with transaction(engine) as connection:
        open_roster(connection, JANUARY, shanghai("2022-12-25 00:00:00"))
        connection.execute(insert(PeriodClosing).values(period="2023-01", number=1, act="CLOSED", acted_at=1))
    return month


def account(engine: Engine, name: str, role: str) -> Actor:
    return Actor(name, Person(engine, name, role, second_factor=False).user_id, role)


def test_the_roles_are_those_of_the_pages() -> None:
    assert {name: view.allowed for name, view in PAGES.items()} == {
        name: frozenset(ACTS[name].roles) for name in PAGES
    }


def search_alone(month: Paying, roles: Any, *groups: tuple[str, ...]) -> tuple[int, int]:
    """An account of each role by itself, with a shell: how many states there were, and how many acts were tried."""
    one = account(month.engine, "one", "operator")
    states = tried = 0
    with transaction(month.engine) as connection:
        for role in roles:
            for names in groups:
                alone = Search(connection, steps_of([one, SHELL], names, role=role))
                assert alone.found() == {}, role
                states, tried = states + len(alone.ways), tried + alone.tried
        connection.rollback()
    return states, tried


@pytest.mark.parametrize("database_url", SQLITE_AND_IN_SOAK_BOTH, indirect=True)
def test_no_account_alone_gets_anywhere(month: Paying) -> None:
    states, tried = search_alone(month, ROLES, RESULTS, MONEY)
    assert states > 30
    print(f"{states} states, {tried} acts tried: nobody gets anywhere alone")


@pytest.mark.soak
@pytest.mark.parametrize("database_url", SQLITE_AND_IN_SOAK_BOTH, indirect=True)
def test_nor_does_one_of_all_roles_with_all_acts_at_once(month: Paying) -> None:
    states, tried = search_alone(month, (*ROLES, None), tuple(ACTS))
    assert states > 200
    print(f"{states} states, {tried} acts tried: nobody gets anywhere alone")


def test_two_accounts_get_everywhere(month: Paying) -> None:
    one, two = (account(month.engine, name, "operator") for name in ("one", "two"))
    with transaction(month.engine) as connection:
        for name, names in CHAINS.items():
            way = Search(connection, steps_of([one, two], names), until=name).found()[name]
            assert len({step.rpartition(" ")[2] for step in way}) == 2
            print(f"{name}: {', '.join(way)}")
        connection.rollback()


@pytest.mark.parametrize("database_url", SQLITE_AND_IN_SOAK_BOTH, indirect=True)
def test_the_search_would_see_a_hole(month: Paying, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were a draft of nobody's content with one approval, whoever has the shell would publish alone."""
    monkeypatch.setattr("bounty.settlement.approval.approvals_needed", lambda _draft: 1)
    one = account(month.engine, "one", "operator")
    with transaction(month.engine) as connection:
        found = Search(connection, steps_of([one, SHELL], CHAINS["published"], role="operator")).found()
        connection.rollback()
    assert found == {"published": ("settle as command line: ops", "approve as one", "publish as one")}
