"""Payouts: whom we pay where, tranches of lines, what came of each payment. Rows are written once; what a tranche or a
payment is now is what its newest rows say.
"""

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, Bytes, Flag, WholeNumber, Words
from bounty.models.accounts import User
from bounty.models.promoters import Promoter
from bounty.models.roster import OpenPeriod, RosterEntry
from bounty.models.settlement import Settlement


class PayeeProposal(Base):
    """A file, or a form, of payees; they are in force once a second person has approved it."""

    __tablename__ = "payee_proposals"
    __table_args__ = {"sqlite_strict": True}

    proposal_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """1, 2, ... without gaps."""
    reason: Mapped[str | None] = mapped_column(Words)
    """Why, where it changes a payee that there was."""
    proposed_by_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    """Null for the command line without logging in."""
    proposed_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds."""
    payees: Mapped[int] = mapped_column(WholeNumber)
    """How many rows of ``payees``."""
    payees_sha256: Mapped[str] = mapped_column(Words)
    """Of those rows, by which they are known to be whole; hex."""


class Payee(Base):
    """Where one promoter is paid, by one proposal."""

    __tablename__ = "payees"
    __table_args__ = (
        Index("ix_payees_proposal", "proposal_id"),
        CheckConstraint("method IN ('alipay', 'bank')", name="method"),
        {"sqlite_strict": True},
    )

    promoter_id: Mapped[int] = mapped_column(
        ForeignKey(Promoter.promoter_id), primary_key=True, autoincrement=False
    )
    proposal_id: Mapped[int] = mapped_column(
        # Deferred: a proposal's row carries the hash of its payees, so it is written after them.
        ForeignKey(PayeeProposal.proposal_id, deferrable=True, initially="DEFERRED"),
        primary_key=True,
        autoincrement=False,
    )
    method: Mapped[str] = mapped_column(Words)
    """``alipay`` or ``bank``."""
    secret: Mapped[bytes] = mapped_column(Bytes)
    """Account, name, bank and its code, encrypted with a key that is not in the database."""
    fingerprint: Mapped[str] = mapped_column(Words)
    """Of the same under the same key: equal for equal payees, and says nothing else; hex."""
    shown_account: Mapped[str] = mapped_column(Words)
    """Masked, for people."""
    shown_name: Mapped[str] = mapped_column(Words)
    """Masked, for people."""


class PayeeApproval(Base):
    """A second person stands for a proposal; where none is required, the proposal stands for itself."""

    __tablename__ = "payee_approvals"
    __table_args__ = {"sqlite_strict": True}

    proposal_id: Mapped[int] = mapped_column(
        ForeignKey(PayeeProposal.proposal_id), primary_key=True, autoincrement=False
    )
    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    approved_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds."""


class Tranche(Base):
    """Lines paid together."""

    __tablename__ = "tranches"
    __table_args__ = {"sqlite_strict": True}

    tranche_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """1, 2, ... without gaps."""
    settled_before: Mapped[int] = mapped_column(WholeNumber)
    """Orders whose commission settled before this instant are in it; epoch seconds."""
    prepared_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds."""
    prepared_by_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    """Who can't approve it; null for the worker, and for the command line without logging in."""
    lines_rows: Mapped[int] = mapped_column(WholeNumber)
    lines_fen: Mapped[int] = mapped_column(WholeNumber)
    """The sum of its lines, below 0 where more was taken back than given; whole fen."""
    lines_sha256: Mapped[str] = mapped_column(Words)
    """Of the bytes of tranche_lines.csv, hex."""
    payouts_rows: Mapped[int] = mapped_column(WholeNumber)
    payable_fen: Mapped[int] = mapped_column(WholeNumber)
    """The sum of what its payouts pay, held ones too; whole fen."""
    payouts_sha256: Mapped[str] = mapped_column(Words)
    """Of the bytes of payouts.csv, hex."""
    content_sha256: Mapped[str] = mapped_column(Words)
    """Of both; hex. What an approval stands for."""


class TrancheLine(Base):
    """What one order gives, or takes back, in a tranche. Without foreign keys, as ``lines``."""

    __tablename__ = "tranche_lines"
    __table_args__ = (
        Index("ix_tranche_lines_tranche", "tranche_id", "promoter_id", "order_sn"),
        CheckConstraint("amount_fen <> 0", name="says_something"),
        {"sqlite_strict": True},
    )

    promoter_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    tranche_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    order_sn: Mapped[str] = mapped_column(Words, primary_key=True)
    period: Mapped[str] = mapped_column(Words, primary_key=True)
    """In which the order earned; of each programme one at most."""
    settlement_id: Mapped[int] = mapped_column(WholeNumber)
    """Of the newest notice of that month, by which the order was judged."""
    cause: Mapped[str] = mapped_column(Words)
    """EARNED for an order's first line; of a later one why it is there, as ``payout.lines.CAUSES`` has it."""
    corrects_id: Mapped[int | None] = mapped_column(WholeNumber)
    """The tranche of the order's first line; null for that line itself."""
    amount_fen: Mapped[int] = mapped_column(WholeNumber)
    """Whole fen; below 0 what is taken back; never 0."""


class Payout(Base):
    """What one promoter gets in a tranche."""

    __tablename__ = "payouts"
    __table_args__ = (
        Index("ix_payouts_tranche", "tranche_id", "promoter_id"),
        ForeignKeyConstraint(
            ["promoter_id", "proposal_id"], [Payee.promoter_id, Payee.proposal_id], name="fk_payouts_payees"
        ),
        CheckConstraint("payable_fen >= 0", name="never_negative"),
        {"sqlite_strict": True},
    )

    promoter_id: Mapped[int] = mapped_column(
        ForeignKey(Promoter.promoter_id), primary_key=True, autoincrement=False
    )
    tranche_id: Mapped[int] = mapped_column(
        # Deferred: a tranche's row carries the hashes of its payouts, so it is written after them.
        ForeignKey(Tranche.tranche_id, deferrable=True, initially="DEFERRED"),
        primary_key=True,
        autoincrement=False,
    )
    carry_in_fen: Mapped[int] = mapped_column(WholeNumber)
    """What earlier tranches left: above 0 what was not paid (held, failed), below 0 a debt; whole fen."""
    lines_rows: Mapped[int] = mapped_column(WholeNumber)
    lines_fen: Mapped[int] = mapped_column(WholeNumber)
    """The sum of the promoter's lines of this tranche; whole fen."""
    payable_fen: Mapped[int] = mapped_column(WholeNumber)
    """Both together, or 0 where that is a debt, which carries over; whole fen."""
    proposal_id: Mapped[int | None] = mapped_column(WholeNumber)
    """Which payee; null where there is none, and the payout is held."""


class TrancheStep(Base):
    """What was done with a tranche after it was prepared."""

    __tablename__ = "tranche_steps"
    __table_args__ = (
        CheckConstraint("step IN ('APPROVED', 'EXPORTED', 'REPLACED')", name="step"),
        {"sqlite_strict": True},
    )

    tranche_id: Mapped[int] = mapped_column(
        ForeignKey(Tranche.tranche_id), primary_key=True, autoincrement=False
    )
    number: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """1, 2, ... of one tranche."""
    step: Mapped[str] = mapped_column(Words)
    """APPROVED (by each who approves), EXPORTED, or REPLACED by a later one, and then nothing more."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    content_sha256: Mapped[str] = mapped_column(Words)
    """The tranche's, as the person saw it."""
    taken_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds."""


class Receipt(Base):
    """A file in which the payer says what came of payments."""

    __tablename__ = "receipts"
    __table_args__ = {"sqlite_strict": True}

    receipt_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """1, 2, ... without gaps."""
    name: Mapped[str] = mapped_column(Words)
    """The file's."""
    sha256: Mapped[str] = mapped_column(Words)
    """Of its bytes, hex."""
    told_sha256: Mapped[str] = mapped_column(Words)
    """Of what its rows say, however they are written; hex. The same again is the same receipt, unless more of its rows
    can be matched now."""
    rows: Mapped[int] = mapped_column(WholeNumber)
    taken_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds."""
    taken_by_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))


MATCHED, UNMATCHED, AMBIGUOUS = "MATCHED", "UNMATCHED", "AMBIGUOUS"
"""Verdicts on a row of a payment result file: of one payout, of none that is known, or of more than one."""


class ReceiptRow(Base):
    """One payment as the payer tells it, and which payout it is of."""

    __tablename__ = "receipt_rows"
    __table_args__ = {"sqlite_strict": True}

    receipt_id: Mapped[int] = mapped_column(
        # Deferred: the receipt's row comes last, and then no row of it can be added.
        ForeignKey(Receipt.receipt_id, deferrable=True, initially="DEFERRED"),
        primary_key=True,
        autoincrement=False,
    )
    place: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """The row's line in the file."""
    shown_account: Mapped[str] = mapped_column(Words)
    """Masked."""
    shown_name: Mapped[str] = mapped_column(Words)
    """Masked."""
    amount_fen: Mapped[int] = mapped_column(WholeNumber)
    paid: Mapped[bool] = mapped_column(Flag)
    """Whether the payer says that it went through."""
    serial: Mapped[str | None] = mapped_column(Words)
    """The payer's own number of the payment."""
    words: Mapped[str | None] = mapped_column(Words)
    """Why it did not go through, as the payer says."""
    verdict: Mapped[str] = mapped_column(Words)
    """MATCHED, UNMATCHED or AMBIGUOUS."""
    payout: Mapped[str | None] = mapped_column(Words)
    """The payout's id, as ``P3-1000939``, of a matched row, or of one that names it and can't be; null otherwise."""


class PayoutOutcome(Base):
    """What came of a payout; the newest one holds, for a payment can bounce."""

    __tablename__ = "payout_outcomes"
    __table_args__ = (
        ForeignKeyConstraint(
            ["promoter_id", "tranche_id"],
            [Payout.promoter_id, Payout.tranche_id],
            name="fk_payout_outcomes_payouts",
        ),
        ForeignKeyConstraint(
            ["receipt_id", "place"],
            [ReceiptRow.receipt_id, ReceiptRow.place],
            name="fk_payout_outcomes_receipt_rows",
        ),
        {"sqlite_strict": True},
    )

    promoter_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    tranche_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """1, 2, ... of one payout."""
    paid: Mapped[bool] = mapped_column(Flag)
    """Paid, or failed: then its amount goes into the next tranche."""
    reason: Mapped[str | None] = mapped_column(Words)
    """The payer's, or the person's who marked it by hand."""
    receipt_id: Mapped[int | None] = mapped_column(WholeNumber)
    """The receipt that says so; null where it was marked by hand."""
    place: Mapped[int | None] = mapped_column(WholeNumber)
    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    told_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds."""


class PassVoid(Base):
    """A published pass that is to be taken back for a violation found later; the next draft says so once a second
    person has approved."""

    __tablename__ = "pass_voids"
    __table_args__ = (
        ForeignKeyConstraint(
            ["promoter_id", "period"],
            [RosterEntry.promoter_id, RosterEntry.period],
            name="fk_pass_voids_roster",
        ),
        {"sqlite_strict": True},
    )

    promoter_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    period: Mapped[str] = mapped_column(Words, primary_key=True)
    number: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """1, 2, ... of one promoter's period: what was declined can be asked for again."""
    reason: Mapped[str] = mapped_column(Words)
    asked_by_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    asked_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds."""


class PassVoidAnswer(Base):
    """A second person approves that a pass is void, or declines it."""

    __tablename__ = "pass_void_answers"
    __table_args__ = (
        ForeignKeyConstraint(
            ["promoter_id", "period", "number"],
            [PassVoid.promoter_id, PassVoid.period, PassVoid.number],
            name="fk_pass_void_answers_pass_voids",
        ),
        {"sqlite_strict": True},
    )

    promoter_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    period: Mapped[str] = mapped_column(Words, primary_key=True)
    number: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    approved: Mapped[bool] = mapped_column(Flag)
    as_of_settlement_id: Mapped[int] = mapped_column(
        ForeignKey(Settlement.settlement_id, name="fk_pass_void_answers_settlements")
    )
    """The newest settlement of all when it was answered: later ones know of it."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    answered_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds."""


class PeriodClosing(Base):
    """A period is closed, or opened again; the newest row holds."""

    __tablename__ = "period_closings"
    __table_args__ = (
        CheckConstraint("act IN ('CLOSED', 'REOPENING', 'REOPENED')", name="act"),
        {"sqlite_strict": True},
    )

    period: Mapped[str] = mapped_column(ForeignKey(OpenPeriod.period), primary_key=True)
    number: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """1, 2, ... of one period."""
    act: Mapped[str] = mapped_column(Words)
    """CLOSED, REOPENING (asked for by one person) or REOPENED (by a second)."""
    reason: Mapped[str | None] = mapped_column(Words)
    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    acted_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds."""


class NoticeStatement(Base):
    """What a notice states, as one text that can be checked by anyone, and that names the statement before it."""

    __tablename__ = "notice_statements"
    __table_args__ = {"sqlite_strict": True}

    number: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """1, 2, ... over all periods, in the order of publication, without gaps."""
    settlement_id: Mapped[int] = mapped_column(ForeignKey(Settlement.settlement_id), unique=True)
    """Of the notice."""
    statement: Mapped[str] = mapped_column(Words)
    """Canonical JSON: period, notice, terms, as-of, counts, sums, hashes, and the previous statement's hash."""
    sha256: Mapped[str] = mapped_column(Words)
    """Of the statement's bytes, hex."""
