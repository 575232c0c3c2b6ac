"""Accounting: revoked passes and closed periods.

Rows are written once. The newest row gives the present state.
"""

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, Flag, WholeNumber, Words
from bounty.labels import LabelledCode
from bounty.models.accounts import User
from bounty.models.roster import OpenPeriod, RosterEntry
from bounty.models.settlement import Settlement


class PassVoid(Base):
    """A request to revoke a published pass because of a violation found later. The next draft applies it once a second
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
    """The promoter whose pass is revoked."""
    period: Mapped[str] = mapped_column(Words, primary_key=True)
    """The month of the pass, as ``2022-12``."""
    number: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """Sequence number 1, 2, ... for the promoter and period; a declined request can be made again."""
    reason: Mapped[str] = mapped_column(Words)
    """Why the pass is to be revoked, as the person wrote it."""
    asked_by_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    """The account that made the request; null for the command line without a log-in."""
    asked_at: Mapped[int] = mapped_column(WholeNumber)
    """When the request was made; epoch seconds."""


class PassVoidAnswer(Base):
    """A second person's decision on a request to revoke a pass."""

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
    """The promoter of the request."""
    period: Mapped[str] = mapped_column(Words, primary_key=True)
    """The month of the request, as ``2022-12``."""
    number: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """The number of the request."""
    approved: Mapped[bool] = mapped_column(Flag)
    """True if the pass is revoked; false if the request is declined."""
    as_of_settlement_id: Mapped[int] = mapped_column(
        ForeignKey(Settlement.settlement_id, name="fk_pass_void_answers_settlements")
    )
    """The newest settlement of any period at the time of the decision; only later settlements apply the decision."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    """The account that decided; null for the command line without a log-in."""
    answered_at: Mapped[int] = mapped_column(WholeNumber)
    """When the decision was made; epoch seconds."""


class ClosingStep(LabelledCode):
    """What is done with a period."""

    CLOSED = "CLOSED", "关账", "closed"
    REOPENING = "REOPENING", "申请重新打开", "asked to reopen"
    REOPENED = "REOPENED", "重新打开", "reopened"


class PeriodClosing(Base):
    """An event that closes or reopens a period. The newest event gives the present state."""

    __tablename__ = "period_closings"
    __table_args__ = (
        CheckConstraint("act IN ('CLOSED', 'REOPENING', 'REOPENED')", name="act"),
        {"sqlite_strict": True},
    )

    period: Mapped[str] = mapped_column(ForeignKey(OpenPeriod.period), primary_key=True)
    """The month, as ``2022-12``."""
    number: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """Sequence number 1, 2, ... within the period."""
    act: Mapped[str] = mapped_column(Words)
    """``CLOSED``, ``REOPENING`` (one person requested it) or ``REOPENED`` (a second person approved it)."""
    reason: Mapped[str | None] = mapped_column(Words)
    """Why the period is to be reopened, as the person wrote it; null for ``CLOSED``."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    """The account that acted; null for the command line without a log-in."""
    acted_at: Mapped[int] = mapped_column(WholeNumber)
    """When it was done; epoch seconds."""
