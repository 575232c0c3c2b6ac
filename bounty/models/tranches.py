"""Tranches: settlement lines that are paid together, the payout of each promoter, and the steps of a tranche.

Rows are written once. The newest step gives the present state of a tranche.
"""

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, WholeNumber, Words
from bounty.labels import LabelledCode
from bounty.models.accounts import User
from bounty.models.payees import Payee
from bounty.models.promoters import Promoter


class Tranche(Base):
    """A set of lines that are paid together."""

    __tablename__ = "tranches"
    __table_args__ = {"sqlite_strict": True}

    tranche_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """Sequence number 1, 2, ... without gaps."""
    settled_before: Mapped[int] = mapped_column(WholeNumber)
    """The tranche includes orders whose commission settled before this instant; epoch seconds."""
    prepared_at: Mapped[int] = mapped_column(WholeNumber)
    """When the tranche was prepared; epoch seconds."""
    prepared_by_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    """The account that prepared the tranche and therefore cannot approve it; null for the worker and for the command
    line without a log-in."""
    lines_rows: Mapped[int] = mapped_column(WholeNumber)
    """Number of lines."""
    lines_fen: Mapped[int] = mapped_column(WholeNumber)
    """Sum of the lines, whole fen; negative if the tranche takes back more than it gives."""
    lines_sha256: Mapped[str] = mapped_column(Words)
    """SHA-256 of the bytes of tranche_lines.csv, hex."""
    payouts_rows: Mapped[int] = mapped_column(WholeNumber)
    """Number of payouts."""
    payable_fen: Mapped[int] = mapped_column(WholeNumber)
    """Sum of the payable amounts of all payouts, including payouts on hold; whole fen."""
    payouts_sha256: Mapped[str] = mapped_column(Words)
    """SHA-256 of the bytes of payouts.csv, hex."""
    content_sha256: Mapped[str] = mapped_column(Words)
    """SHA-256 of lines and payouts together, hex. An approval applies to this hash."""


class LineCause(LabelledCode):
    """Why a line of a tranche is there, as a sentence."""

    EARNED = "EARNED", "公示的补贴，佣金已结算", "the notice's subsidy, its commission settled"
    FAILED = "FAILED", "退款、审核失败或处罚", "refunded, failed its audit, or punished"
    NO_COMMISSION = "NO_COMMISSION", "订单不再有佣金", "no longer commissionable"
    MOVED = "MOVED", "订单现属其他推手或其他月份", "the order is now another promoter's, or another month's"
    VIOLATION = "VIOLATION", "达标因违规被取消", "the pass was voided for a violation"
    CORRECTED = "CORRECTED", "最新公示更正了补贴", "the newest notice corrected the subsidy"
    RECOVERED = "RECOVERED", "订单恢复有效", "the order is in good standing again"


class TrancheLine(Base):
    """The amount that a tranche gives for one order, or takes back. No foreign keys, for the same reason as
    ``lines``."""

    __tablename__ = "tranche_lines"
    __table_args__ = (
        Index("ix_tranche_lines_tranche", "tranche_id", "promoter_id", "order_sn"),
        # Few of many, so that nothing adds up all lines to tell what corrections come to.
        Index(
            "ix_tranche_lines_corrections",
            "tranche_id",
            "promoter_id",
            "order_sn",
            "amount_fen",
            sqlite_where=text("cause <> 'EARNED'"),
            postgresql_where=text("cause <> 'EARNED'"),
        ),
        CheckConstraint("amount_fen <> 0", name="says_something"),
        {"sqlite_strict": True},
    )

    promoter_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """The promoter of the order."""
    tranche_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """The tranche that contains the line."""
    order_sn: Mapped[str] = mapped_column(Words, primary_key=True)
    """The order number."""
    period: Mapped[str] = mapped_column(Words, primary_key=True)
    """The period in which the order earned; of each programme one at most."""
    settlement_id: Mapped[int] = mapped_column(WholeNumber)
    """The settlement of that month's newest notice, from which the amount was computed."""
    cause: Mapped[str] = mapped_column(Words)
    """``EARNED`` for the first line of an order; for a correction another of ``LineCause``."""
    corrects_id: Mapped[int | None] = mapped_column(WholeNumber)
    """For a correction, the tranche of the order's first line; null for the first line."""
    amount_fen: Mapped[int] = mapped_column(WholeNumber)
    """The amount, whole fen; negative if it is taken back; never 0."""


class Payout(Base):
    """The amount that one promoter receives in a tranche."""

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
    """The promoter who is paid."""
    tranche_id: Mapped[int] = mapped_column(
        # Deferred: a tranche's row carries the hashes of its payouts, so it is written after them.
        ForeignKey(Tranche.tranche_id, deferrable=True, initially="DEFERRED"),
        primary_key=True,
        autoincrement=False,
    )
    """The tranche that contains the payout."""
    carry_in_fen: Mapped[int] = mapped_column(WholeNumber)
    """Balance of earlier tranches, whole fen: positive for unpaid amounts (held or failed payouts), negative for a
    debt."""
    lines_rows: Mapped[int] = mapped_column(WholeNumber)
    """Number of the promoter's lines in this tranche."""
    lines_fen: Mapped[int] = mapped_column(WholeNumber)
    """Sum of the promoter's lines in this tranche, whole fen."""
    payable_fen: Mapped[int] = mapped_column(WholeNumber)
    """``carry_in_fen`` plus ``lines_fen``, whole fen; 0 if that sum is negative, which then carries over as a debt."""
    proposal_id: Mapped[int | None] = mapped_column(WholeNumber)
    """The payee proposal with the account to pay; null if there is none, and the payout is on hold."""


class TrancheStep(Base):
    """A state change of a tranche after its preparation."""

    __tablename__ = "tranche_steps"
    __table_args__ = (
        CheckConstraint("step IN ('APPROVED', 'EXPORTED', 'REPLACED')", name="step"),
        {"sqlite_strict": True},
    )

    tranche_id: Mapped[int] = mapped_column(
        ForeignKey(Tranche.tranche_id), primary_key=True, autoincrement=False
    )
    """The tranche that changed."""
    number: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """Sequence number 1, 2, ... within the tranche."""
    step: Mapped[str] = mapped_column(Words)
    """``APPROVED`` (one row for each approver), ``EXPORTED``, or ``REPLACED`` by a later tranche, which is final."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    """The account that did it; null for the worker and for the command line without a log-in."""
    content_sha256: Mapped[str] = mapped_column(Words)
    """The tranche's ``content_sha256`` that the person saw, hex."""
    taken_at: Mapped[int] = mapped_column(WholeNumber)
    """When the step was taken; epoch seconds."""
