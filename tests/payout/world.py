"""A published month and the steps of paying it, each taken twice where the second must change nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, func, insert, select

from bounty.audit.service import Actor, acting
from bounty.db import snapshot, transaction
from bounty.models import Payee, Payout, PayoutOutcome, TrancheLine
from bounty.payees.encryption import PayeeCipher, PayeeDetails
from bounty.payees.files import PayeeRow
from bounty.payees.service import propose_payees
from bounty.tranches import approval, preparation, state
from tests.factories import PROMOTER, Month, Row, order_row, promoter, shanghai

OTHER = 1000940
SEAL_KEY = "a key of the tests, which keeps no secret"
SEAL = PayeeCipher(SEAL_KEY)
JANUARY_20 = shanghai("2023-01-20 00:00:00")
FEBRUARY_20 = shanghai("2023-02-20 00:00:00")
MARCH_20 = shanghai("2023-03-20 00:00:00")
SETTLED: Row = {"status": 5, "verified": "2022-12-25 00:00:00", "settled": "2023-01-19 00:00:00"}
"""Of an order that settles in time for January 20."""


class Paying:
    """A month whose orders earn what was paid for them, and its tranches."""

    def __init__(
        self,
        engine: Engine,
        folder: Path,
        toml: str | None = None,
        promoters: Sequence[Row] = (promoter(), promoter(OTHER)),
    ) -> None:
        self.engine = engine
        self.month = Month(engine, folder)
        self.month.begin(*promoters, toml=toml)

    @classmethod
    def of(cls, month: Month) -> "Paying":
        """The tranches of a month that has begun already."""
        paying = cls.__new__(cls)
        paying.engine, paying.month = month.engine, month
        return paying

    def publish(self, *orders: Row) -> int:
        """Take in orders, settle and publish; the notice's number."""
        if orders:
            self.month.orders(*orders)
        self.month.settle()
        return self.month.publish().notice

    def payee(self, *promoter_ids: int) -> None:
        """Payees in force, as an approved proposal leaves them."""
        with transaction(self.engine) as connection:
            held = connection.execute(select(func.count()).select_from(Payee)).scalar_one()
            given = [
                PayeeRow(2, each, PayeeDetails("alipay", f"{13800000000 + held}", "陈默", "", ""))
                for each in promoter_ids
            ]
            proposed = propose_payees(connection, given, SEAL, 0, reason="换号", approval_required=False)
            assert proposed is not None

    def prepare(
        self, settled_before: int = JANUARY_20, now: int | None = None, *, by: int | None = None
    ) -> Any:
        """Prepare a tranche, and again: the same."""
        engine = acting(self.engine, Actor("preparer", by)) if by else self.engine
        with transaction(engine) as connection:
            made, _ = preparation.prepare(connection, settled_before, now or settled_before)
        with transaction(engine) as connection:
            again, created = preparation.prepare(connection, settled_before, now or settled_before)
        assert (again.tranche_id, created) == (made.tranche_id, False)
        return again

    def export(self, tranche_id: int) -> None:
        """Let a tranche leave for the payer."""
        for _ in range(2):
            with transaction(self.engine) as connection:
                approval.export_begins(connection, tranche_id, FEBRUARY_20, approval_required=False)

    def outcome(self, tranche_id: int, *, paid: bool = True, promoter_id: int = PROMOTER) -> None:
        """What came of a payout, as a receipt leaves it."""
        with transaction(self.engine) as connection:
            of_payout = (PayoutOutcome.promoter_id == promoter_id, PayoutOutcome.tranche_id == tranche_id)
            number = select(func.coalesce(func.max(PayoutOutcome.number), 0) + 1).where(*of_payout)
            connection.execute(
                insert(PayoutOutcome).values(
                    promoter_id=promoter_id,
                    tranche_id=tranche_id,
                    number=connection.execute(number).scalar_one(),
                    paid=paid,
                    told_at=0,
                )
            )

    def pay(self, settled_before: int = JANUARY_20, *promoter_ids: int) -> Any:
        """Prepare, export and pay a tranche."""
        made = self.prepare(settled_before)
        self.export(made.tranche_id)
        for promoter_id in promoter_ids or (PROMOTER,):
            self.outcome(made.tranche_id, promoter_id=promoter_id)
        return self.tranche(made.tranche_id)

    def tranche(self, tranche_id: int) -> Any:
        """Where it stands."""
        with snapshot(self.engine) as connection:
            return state.tranche_of(connection, tranche_id)

    def lines(self, tranche_id: int) -> list[tuple[Any, ...]]:
        """Promoter, order, fen, cause and the tranche that is corrected."""
        row = TrancheLine
        query = select(row.promoter_id, row.order_sn, row.amount_fen, row.cause, row.corrects_id)
        with snapshot(self.engine) as connection:
            every = connection.execute(
                query.where(row.tranche_id == tranche_id).order_by(row.promoter_id, row.order_sn)
            )
            return [tuple(each) for each in every]

    def payouts(self, tranche_id: int) -> list[tuple[int, ...]]:
        """Promoter, carried in, lines and payable, in fen."""
        row = Payout
        query = select(row.promoter_id, row.carry_in_fen, row.lines_fen, row.payable_fen)
        with snapshot(self.engine) as connection:
            every = connection.execute(query.where(row.tranche_id == tranche_id).order_by(row.promoter_id))
            return [tuple(each) for each in every]


def earning(number: int = 1, amount_fen: int = 100_00, **fields: Any) -> Row:
    """An order that counts, earns and has settled."""
    return order_row(number=number, amount_fen=amount_fen, **SETTLED | fields)
