"""Payees: the account that each promoter is paid to, proposed by one person and approved by a second."""

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, Bytes, WholeNumber, Words
from bounty.labels import LabelledCode
from bounty.models.accounts import User
from bounty.models.promoters import Promoter


class PayeeMethod(LabelledCode):
    """How a promoter is paid."""

    ALIPAY = "alipay", "支付宝", "Alipay"
    BANK = "bank", "银行卡", "bank"
    WECHAT = "wechat", "微信", "WeChat"


class PayeeProposal(Base):
    """Payees from one file or one form. They take effect when a second person approves the proposal."""

    __tablename__ = "payee_proposals"
    __table_args__ = {"sqlite_strict": True}

    proposal_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """Sequence number 1, 2, ... without gaps."""
    reason: Mapped[str | None] = mapped_column(Words)
    """Why the proposal changes an existing payee; null if it only adds payees."""
    proposed_by_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    """The account that proposed the payees; null for the command line without a log-in."""
    proposed_at: Mapped[int] = mapped_column(WholeNumber)
    """When the proposal was made; epoch seconds."""
    payees: Mapped[int] = mapped_column(WholeNumber)
    """Number of rows of ``payees`` that belong to the proposal."""
    payees_sha256: Mapped[str] = mapped_column(Words)
    """SHA-256 of those rows in hex; it shows whether a row was lost or changed."""


class Payee(Base):
    """The account of one promoter in one proposal."""

    __tablename__ = "payees"
    __table_args__ = (
        Index("ix_payees_proposal", "proposal_id", "promoter_id"),
        CheckConstraint(f"method IN {tuple(map(str, PayeeMethod))}", name="method"),
        {"sqlite_strict": True},
    )

    promoter_id: Mapped[int] = mapped_column(
        ForeignKey(Promoter.promoter_id), primary_key=True, autoincrement=False
    )
    """The promoter who is paid."""
    proposal_id: Mapped[int] = mapped_column(
        # Deferred: a proposal's row carries the hash of its payees, so it is written after them.
        ForeignKey(PayeeProposal.proposal_id, deferrable=True, initially="DEFERRED"),
        primary_key=True,
        autoincrement=False,
    )
    """The proposal that names this account."""
    method: Mapped[str] = mapped_column(Words)
    """A PayeeMethod."""
    secret: Mapped[bytes] = mapped_column(Bytes)
    """Account, name, bank and bank code, encrypted with a key that is not in the database."""
    fingerprint: Mapped[str] = mapped_column(Words)
    """Keyed hash of the same values in hex. Equal payees have equal fingerprints; it reveals nothing else."""
    shown_account: Mapped[str] = mapped_column(Words)
    """The masked account number, for display."""
    shown_name: Mapped[str] = mapped_column(Words)
    """The masked name, for display."""


class PayeeApproval(Base):
    """A second person's approval of a proposal, or an automatic one where the settings require no second person."""

    __tablename__ = "payee_approvals"
    __table_args__ = {"sqlite_strict": True}

    proposal_id: Mapped[int] = mapped_column(
        ForeignKey(PayeeProposal.proposal_id), primary_key=True, autoincrement=False
    )
    """The approved proposal."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    """The account that approved it; null for the command line without a log-in."""
    approved_at: Mapped[int] = mapped_column(WholeNumber)
    """When the proposal was approved; epoch seconds."""
