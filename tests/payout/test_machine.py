"""Whatever happens, in whatever order: each order's lines add up to what it deserves, nothing negative is paid, nothing
twice. Every step is taken on both databases, and held against a small model after it."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, make_url, select

from bounty import schema
from bounty.accounts.service import add_user
from bounty.audit.service import Actor, acting
from bounty.checks.books import run_checks
from bounty.db import make_engine, snapshot, transaction
from bounty.errors import BountyError
from bounty.importer import import_file
from bounty.models import Payout, TrancheLine
from bounty.notices.service import publish
from bounty.payees.encryption import PayeeCipher, PayeeDetails
from bounty.payees.files import PayeeRow
from bounty.payees.service import propose_payees
from bounty.payment_results.service import mark_by_hand
from bounty.roster.programmes import add_programme
from bounty.rules.periods import Period
from bounty.settlement.revocations import answer_void, ask_void
from bounty.settlement.service import settle
from bounty.tranches import approval, preparation, state
from bounty.tranches.entitlement import not_replaced
from tests import postgres
from tests.factories import Month, half_month_terms, order_row, promoter, shanghai, sn, write_json
from tests.payout.model import Model, OneOrder

PROMOTERS = (1001, 1002, 1003)
DECEMBER = Period(2022, 12)
PROGRAMMES = {"main": DECEMBER, "sprint": Period.parse("sprint:2022-12a")}
"""Programme -> the one period of it, in which every order of the machine is paid."""
DAY = 86_400
BEGIN = shanghai("2023-01-12 09:00:00")
taken = {"steps": 0, "runs": 0}
"""What the machine has done, counted where it does it."""


class Books:
    """One database, and the steps as the services take them. Its engine is kept from run to run: what makes it slow is
    to compile its statements."""

    def __init__(self, url: str, template: str, folder: Path) -> None:
        self.url, self.template, self.folder, self.engine = url, template, folder, make_engine(url)
        self.files, self.people = 0, (1, 2)

    def renew(self, template: str) -> None:
        """Become a copy of another database."""
        self.engine.dispose()
        if self.engine.dialect.name == "sqlite":
            shutil.copy(str(make_url(template).database), str(make_url(self.url).database))
        else:
            postgres.renew_database(self.url, template)

    def restore(self) -> None:
        """Go on with a copy of itself, as after a restore."""
        self.engine.dispose()
        if self.engine.dialect.name == "sqlite":
            path = Path(str(make_url(self.url).database))
            shutil.copy(path, path.with_suffix(".copy"))
            path.with_suffix(".copy").replace(path)
        else:
            copy = postgres.fresh_database(template=self.url)
            postgres.renew_database(self.url, copy)
            postgres.drop_database(copy)

    def write(self, act: Callable[[Any], Any], by: int | None = None) -> Any:
        """An act in its transaction; a refusal's name in place of what it gives."""
        engine = self.engine if by is None else acting(self.engine, Actor("person", by, "finance"))
        try:
            with transaction(engine) as connection:
                return act(connection)
        except BountyError as refusal:
            return refusal

    def order(self, row: dict[str, Any], now: int) -> None:
        """A row of an order taken in."""
        self.files += 1
        path = write_json(self.folder / f"{self.files}.json", [row])
        assert import_file(self.engine, "orders", path, now).counts.quarantined == 0

    def held(self) -> dict[tuple[int, str, str], int]:
        """The sum of each order's standing lines, by programme."""
        line = TrancheLine
        key = (line.promoter_id, line.order_sn, line.period)
        with snapshot(self.engine) as connection:
            rows = connection.execute(
                select(*key, func.sum(line.amount_fen)).where(not_replaced()).group_by(*key)
            )
            return {(row[0], row[1], Period.parse(row[2]).programme): int(row[3]) for row in rows if row[3]}

    def payouts(self, tranche_id: int) -> dict[int, tuple[int, ...]]:
        """Carried in, lines and payable of each promoter in a tranche."""
        with snapshot(self.engine) as connection:
            rows = connection.execute(
                select(Payout.promoter_id, Payout.carry_in_fen, Payout.lines_fen, Payout.payable_fen).where(
                    Payout.tranche_id == tranche_id
                )
            )
            return {row[0]: tuple(row[1:]) for row in rows}

    def paid(self) -> dict[int, int]:
        """What each promoter was paid in all."""
        outcome = state.newest_outcomes().subquery("outcome").c
        with snapshot(self.engine) as connection:
            rows = connection.execute(
                select(Payout.promoter_id, func.sum(Payout.payable_fen))
                .where(
                    outcome.promoter_id == Payout.promoter_id,
                    outcome.tranche_id == Payout.tranche_id,
                    outcome.paid == True,  # noqa: E712 - a column, not a value
                )
                .group_by(Payout.promoter_id)
            )
            return {row[0]: int(row[1]) for row in rows}


@contextmanager
def two_books() -> Iterator[list[Books]]:
    """A database of each kind, and what it is a copy of: two programmes open for three promoters, two people."""
    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        root, urls = Path(folder), [postgres.fresh_database() for _ in range(2)]
        both = [
            Books(
                f"sqlite:///{root / 'books.sqlite'}", f"sqlite:///{root / 'begun.sqlite'}", root / "sqlite"
            ),
            Books(urls[0], urls[1], root / "postgresql"),
        ]
        for books in both:
            books.folder.mkdir()
            engine = make_engine(books.template)
            schema.upgrade(engine)
            Month(engine, books.folder).begin(*(promoter(each) for each in PROMOTERS))
            with transaction(engine) as connection:
                add_programme(connection, "sprint", "冲刺", 0)
            sprint = Month(engine, books.folder, period=str(PROGRAMMES["sprint"]))
            sprint.terms(half_month_terms())
            sprint.open()
            with transaction(engine) as connection:
                for name in ("first", "second"):
                    email = f"{name}@example.com"
                    add_user(connection, email=email, name=name, role="finance", password="x" * 12, now=0)
            engine.dispose()
        try:
            yield both
        finally:
            for books in both:
                books.engine.dispose()
            for url in urls:
                postgres.drop_database(url)


class Paying(RuleBasedStateMachine):
    """Orders live and fail, months are settled and corrected, tranches are prepared and paid, on two databases."""

    both: ClassVar[list[Books]]

    def __init__(self) -> None:
        super().__init__()
        for books in self.both:
            books.renew(books.template)
        self.model = Model()
        self.now, self.failing = BEGIN, 4
        self.numbers: list[int | None] = [None, None]
        """The open tranche's number, on each database."""
        self.exported: list[int] = []
        taken["runs"] += 1

    def step(self) -> None:
        self.now += DAY
        taken["steps"] += 1

    def tell(self, number: int) -> None:
        """The platform tells an order as it now is."""
        order = self.model.orders[number]
        status = self.failing if order.failed else 3 if order.settled_at is None else 5
        row = order_row(
            number=number,
            promoter_id=order.promoter_id,
            amount_fen=order.amount_fen,
            status=status,
            settled=order.settled_at,
            modified=self.now,
        )
        for books in self.both:
            books.order(row, self.now)

    # The platform

    @rule(number=st.integers(1, 6), promoter_id=st.sampled_from(PROMOTERS), amount=st.integers(1, 30_000))
    def import_order(self, number: int, promoter_id: int, amount: int) -> None:
        """A new order, or one with another amount, or of another promoter."""
        self.step()
        order = self.model.orders.setdefault(number, OneOrder(promoter_id, amount))
        order.promoter_id, order.amount_fen = promoter_id, amount
        self.tell(number)

    @precondition(lambda self: self.model.orders)
    @rule(data=st.data(), happens=st.sampled_from(("settles", "settles", "fails", "is punished", "recovers")))
    def order_lives(self, data: st.DataObject, happens: str) -> None:
        """Its commission settles, its audit fails, it is punished, or it recovers."""
        self.step()
        number = data.draw(st.sampled_from(sorted(self.model.orders)))
        order = self.model.orders[number]
        if happens == "settles":
            order.settled_at = order.settled_at or self.now - 3600
            order.failed = False
        else:
            order.failed = happens != "recovers"
            self.failing = 10 if happens == "is punished" else 4
        self.tell(number)

    # The month

    @rule(programme=st.sampled_from(("main", "main", "sprint")))
    def settle_and_publish(self, programme: str) -> None:
        self.step()
        period = PROGRAMMES[programme]

        def act(connection: Any) -> Any:
            settle(connection, period, self.now)
            return publish(connection, period, self.now, approval_required=False)

        for books in self.both:
            assert not isinstance(books.write(act), BountyError)
        self.model.publish(programme)

    @precondition(lambda self: self.model.passed - self.model.voided)
    @rule(data=st.data())
    def take_back_a_pass(self, data: st.DataObject) -> None:
        """For a violation that was found later: two people do; the next notice says so."""
        self.step()
        who = data.draw(st.sampled_from(sorted(self.model.passed - self.model.voided)))
        for books in self.both:
            ask = partial(ask_void, period=DECEMBER, promoter_id=who, reason="违规", now=self.now)
            answer = partial(answer_void, period=DECEMBER, promoter_id=who, now=self.now, approve=True)
            assert books.write(ask, books.people[0]) is True
            assert isinstance(books.write(answer, books.people[0]), BountyError)
            assert books.write(answer, books.people[1]) is True
        self.model.voided.add(who)

    # Paying

    @rule(promoter_id=st.sampled_from(PROMOTERS))
    def give_payee(self, promoter_id: int) -> None:
        self.step()
        given = [PayeeRow(2, promoter_id, PayeeDetails("alipay", "13812345678", "陈默", "", ""))]
        for books in self.both:
            books.write(
                lambda connection: propose_payees(
                    connection, given, PayeeCipher("key"), self.now, reason="新", approval_required=False
                )
            )
        self.model.payees.add(promoter_id)

    @rule(days=st.integers(0, 3))
    def prepare(self, days: int) -> None:
        self.step()
        before = self.now - days * DAY
        expected = self.model.next_tranche(before)
        waits = bool(self.model.waiting())
        says = bool(expected.lines) or any(each.due for each in expected.payouts.values())
        for place, books in enumerate(self.both):
            made = books.write(
                lambda connection: preparation.prepare(connection, before, self.now), books.people[0]
            )
            if waits or not says:
                assert isinstance(made, BountyError), made
                continue
            assert not isinstance(made, BountyError), made
            self.numbers[place] = made[0].tranche_id
            found = books.payouts(made[0].tranche_id)
            wanted = {
                who: (each.carry_fen, each.lines_fen, each.payable_fen)
                for who, each in expected.payouts.items()
            }
            assert found == wanted
        if says and not waits:
            self.model.drafted = expected

    @precondition(lambda self: self.model.drafted is not None)
    @rule(place=st.sampled_from((0, 1)))
    def approve(self, place: int) -> None:
        """By its preparer, who may not, or by the second person, while it is still what is due."""
        self.step()
        assert self.model.drafted is not None
        same = self.model.next_tranche(self.model.drafted.before) == self.model.drafted
        refused = []
        for at, books in enumerate(self.both):
            number = self.numbers[at]

            def act(connection: Any, number: int | None = number) -> None:
                assert number is not None
                row = state.tranche_of(connection, number)
                approval.approve(connection, number, row.content_sha256, self.now)

            refused.append(isinstance(books.write(act, books.people[place]), BountyError))
        assert refused[0] == refused[1]
        if place == 0 or not same:  # a later notice of the same amounts is a reason to look again, too
            assert refused[0]

    @precondition(lambda self: self.model.drafted is not None)
    @rule()
    def export(self) -> None:
        self.step()
        drafted = self.model.drafted
        assert drafted is not None
        same = self.model.next_tranche(drafted.before) == drafted
        said = []
        for books, number in zip(self.both, self.numbers, strict=True):
            assert number is not None
            act = partial(approval.export_begins, tranche_id=number, now=self.now, approval_required=True)
            said.append(books.write(act, books.people[0]))
        refused = [isinstance(each, BountyError) for each in said]
        assert refused[0] == refused[1]
        if not same:
            assert refused[0]
        if not refused[0]:
            drafted.exported = True
            self.model.done.append(drafted)
            self.model.drafted = None
            number, other = self.numbers
            assert number is not None
            assert number == other
            self.exported.append(number)

    @precondition(lambda self: self.model.waiting())
    @rule(paid=st.sampled_from((True, True, False)))
    def answer(self, paid: bool) -> None:
        """The payer says what came of a payout."""
        self.step()
        who = self.model.waiting()[0]
        self.model.done[-1].payouts[who].paid = paid
        self.marked(self.exported[-1], who, paid)

    def _paid(self) -> list[tuple[int, int]]:
        return [
            (place, who)
            for place, tranche in enumerate(self.model.done)
            for who, each in sorted(tranche.payouts.items())
            if each.paid
        ]

    @precondition(lambda self: self._paid())
    @rule(data=st.data())
    def bounce(self, data: st.DataObject) -> None:
        """A payment that had gone through comes back."""
        self.step()
        place, who = data.draw(st.sampled_from(self._paid()))
        self.model.done[place].payouts[who].paid = False
        self.marked(self.exported[place], who, False)

    def marked(self, tranche_id: int, who: int, paid: bool) -> None:
        for books in self.both:
            said = books.write(
                lambda connection: mark_by_hand(
                    connection, [f"P{tranche_id}-{who}"], paid=paid, reason="回单", now=self.now
                ),
                books.people[1],
            )
            assert said == [f"P{tranche_id}-{who}"]

    @precondition(lambda self: len(self.model.done) == 1)
    @rule()
    def restore(self) -> None:
        self.step()
        for books in self.both:
            books.restore()

    # What holds after every step

    @invariant()
    def lines_are_what_was_due(self) -> None:
        every = [*self.model.done, *([self.model.drafted] if self.model.drafted else [])]
        wanted: dict[tuple[int, str, str], int] = {}
        for tranche in every:
            for (who, number, programme), fen in tranche.lines.items():
                key = who, sn(number), programme
                wanted[key] = wanted.get(key, 0) + fen
        wanted = {key: fen for key, fen in wanted.items() if fen}
        assert all(fen > 0 for fen in wanted.values())
        for books in self.both:
            assert books.held() == wanted

    @invariant()
    def what_was_paid_is_what_was_due(self) -> None:
        wanted: dict[int, int] = {}
        for tranche in self.model.done:
            for who, each in tranche.payouts.items():
                if each.paid:
                    assert each.payable_fen > 0
                    wanted[who] = wanted.get(who, 0) + each.payable_fen
        for books in self.both:
            assert books.paid() == wanted

    def teardown(self) -> None:
        for books in self.both:
            with snapshot(books.engine) as connection:
                assert [each for each in run_checks(connection) if each.violations] == []


def run(steps: int, number: int, *, at_once: int) -> int:
    """Take at least so many steps; how many were taken, counted.

    number   where the random choices begin
    at_once  so many steps on one pair of databases, at most
    """
    taken.update(steps=0, runs=0)
    with two_books() as Paying.both:
        while taken["steps"] < steps:
            chosen = settings(
                max_examples=-(-(steps - taken["steps"]) // at_once),
                stateful_step_count=at_once,
                deadline=None,
                database=None,
                phases=(Phase.generate,),  # a failing run is a story already; to shorten it takes minutes
                suppress_health_check=list(HealthCheck),
                print_blob=True,
            )
            run_state_machine_as_test(seeded(1000 * number + taken["runs"])(Paying), settings=chosen)
    print(f"{taken['steps']} steps in {taken['runs']} runs, on both databases, after each: as the model")
    return taken["steps"]


def test_a_thousand_steps() -> None:
    assert run(1_000, 1, at_once=50) >= 1_000


@pytest.mark.soak
@pytest.mark.parametrize("number", range(2, 12))
def test_fifty_thousand_steps(number: int) -> None:
    assert run(5_000, number, at_once=250) >= 5_000
