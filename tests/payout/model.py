"""What tranches should come to, in plain Python over a dozen orders; imports nothing of the program.

The world of the model: every order counts for its promoter's task, so that everybody passes, and earns all that was
paid for it, in each of two programmes, unless it had failed when that was settled.
"""

from dataclasses import dataclass, field

Key = tuple[int, int, str]
"""A promoter, the number of an order, and the programme in which it earns."""


@dataclass
class OneOrder:
    """An order as the platform would tell it now."""

    promoter_id: int
    amount_fen: int
    failed: bool = False
    settled_at: int | None = None


@dataclass
class OnePayout:
    """What a promoter gets in a tranche."""

    carry_fen: int
    lines_fen: int
    payable_fen: int
    due: bool
    paid: bool | None = None


@dataclass
class OneTranche:
    """Lines and payouts that stand, or are about to."""

    before: int
    lines: dict[Key, int]
    payouts: dict[int, OnePayout]
    exported: bool = False


@dataclass
class Model:
    """The truth, and what was told and paid of it."""

    orders: dict[int, OneOrder] = field(default_factory=dict)
    voided: set[int] = field(default_factory=set)
    noticed: dict[Key, int] = field(default_factory=dict)
    """The lines of the newest notices."""
    passed: set[int] = field(default_factory=set)
    """Who passed by the newest notice of main."""
    payees: set[int] = field(default_factory=set)
    done: list[OneTranche] = field(default_factory=list)
    """Exported tranches, the oldest first."""
    drafted: OneTranche | None = None
    """Prepared and not exported yet."""

    def publish(self, programme: str) -> None:
        """A notice of what is known now; passes are taken back in main alone."""
        voided = self.voided if programme == "main" else set()
        others = {key: fen for key, fen in self.noticed.items() if key[2] != programme}
        self.noticed = others | {
            (order.promoter_id, number, programme): order.amount_fen
            for number, order in self.orders.items()
            if not order.failed and order.promoter_id not in voided
        }
        if programme == "main":
            self.passed = {order.promoter_id for order in self.orders.values()} - self.voided

    def held(self, key: Key) -> int:
        """What exported tranches hold for an order."""
        return sum(tranche.lines.get(key, 0) for tranche in self.done)

    def deserved(self, key: Key) -> int:
        """By the newest notice and the present state."""
        promoter_id, number, _ = key
        order = self.orders[number]
        if order.failed or order.promoter_id != promoter_id:
            return 0
        return self.noticed.get(key, 0)

    def position(self, promoter_id: int) -> int:
        """All lines of exported tranches less what was paid."""
        lines = sum(
            fen for tranche in self.done for (who, *_), fen in tranche.lines.items() if who == promoter_id
        )
        payouts = (tranche.payouts.get(promoter_id) for tranche in self.done)
        return lines - sum(each.payable_fen for each in payouts if each is not None and each.paid)

    def next_tranche(self, before: int) -> OneTranche:
        """What is due now."""
        lines: dict[Key, int] = {}
        for key in {*self.noticed, *(key for tranche in self.done for key in tranche.lines)}:
            owed = self.deserved(key) - self.held(key)
            settled_at = self.orders[key[1]].settled_at
            settled = settled_at is not None and settled_at < before
            if owed < 0 or (owed > 0 and settled):
                lines[key] = owed
        payouts = {}
        for promoter_id in {order.promoter_id for order in self.orders.values()} | {who for who, *_ in lines}:
            own = [fen for (who, *_), fen in lines.items() if who == promoter_id]
            carry = self.position(promoter_id)
            if own or carry > 0:
                payable = max(0, carry + sum(own))
                due = payable > 0 and promoter_id in self.payees
                payouts[promoter_id] = OnePayout(carry, sum(own), payable, due)
        return OneTranche(before, lines, payouts)

    def waiting(self) -> list[int]:
        """Promoters whose due payout of the newest exported tranche has no outcome."""
        if not self.done:
            return []
        payouts = self.done[-1].payouts
        return sorted(who for who, each in payouts.items() if each.due and each.paid is None)
