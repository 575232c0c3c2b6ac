"""What people decide: approvals and waivers of a draft, confirmations of data, overrides of the roster, appeals and
their answers.

Written once; a later row answers an earlier one.
"""

from sqlalchemy import ForeignKey, ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, WholeNumber, Words
from bounty.models.accounts import User
from bounty.models.ingest import Batch
from bounty.models.promoters import Promoter
from bounty.models.roster import OpenPeriod, RosterEntry
from bounty.models.settlement import Settlement


class Approval(Base):
    """An account stands for a draft, as it was then."""

    __tablename__ = "approvals"
    __table_args__ = {"sqlite_strict": True}

    settlement_id: Mapped[int] = mapped_column(
        ForeignKey(Settlement.settlement_id), primary_key=True, autoincrement=False
    )
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id), primary_key=True, autoincrement=False)
    content_sha256: Mapped[str] = mapped_column(Words)
    """What was approved; it holds for this content only."""
    approved_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds."""


class Waiver(Base):
    """A line of the checklist that a person lets pass for one draft."""

    __tablename__ = "waivers"
    __table_args__ = {"sqlite_strict": True}

    settlement_id: Mapped[int] = mapped_column(
        ForeignKey(Settlement.settlement_id), primary_key=True, autoincrement=False
    )
    line: Mapped[str] = mapped_column(Words, primary_key=True)
    """The checklist's line, as ``QUARANTINE``."""
    reason: Mapped[str] = mapped_column(Words)
    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    """Null for the command line without an account, where no approval is required."""
    waived_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds."""


class DataConfirmation(Base):
    """An operator confirms that a period's own orders are complete up to an instant."""

    __tablename__ = "data_confirmations"
    __table_args__ = {"sqlite_strict": True}

    period: Mapped[str] = mapped_column(ForeignKey(OpenPeriod.period), primary_key=True)
    number: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """1, 2, ... of one period."""
    through_at: Mapped[int] = mapped_column(WholeNumber)
    """Everything that happened to the period's orders before this instant is imported; epoch seconds."""
    reason: Mapped[str] = mapped_column(Words)
    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    """Null for the command line without an account, where no approval is required."""
    confirmed_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds."""


class RosterOverride(Base):
    """A frozen roster entry put right by hand, with what it was; the only way in which the database lets one change."""

    __tablename__ = "roster_overrides"
    __table_args__ = (
        ForeignKeyConstraint(
            ["promoter_id", "period"],
            [RosterEntry.promoter_id, RosterEntry.period],
            name="fk_roster_overrides_roster",
        ),
        {"sqlite_strict": True},
    )

    promoter_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    period: Mapped[str] = mapped_column(ForeignKey(OpenPeriod.period), primary_key=True)
    number: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """1, 2, ... for one entry."""
    was_ineligible: Mapped[str | None] = mapped_column(Words)
    """The entry's reason before; null where it was eligible."""
    now_ineligible: Mapped[str | None] = mapped_column(Words)
    was_target_gmv_fen: Mapped[int | None] = mapped_column(WholeNumber)
    """Whole fen; null where there was no such target."""
    now_target_gmv_fen: Mapped[int | None] = mapped_column(WholeNumber)
    was_target_orders: Mapped[int | None] = mapped_column(WholeNumber)
    now_target_orders: Mapped[int | None] = mapped_column(WholeNumber)
    reason: Mapped[str] = mapped_column(Words)
    """Why, in the operator's words; shown with the target."""
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id))
    overridden_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds."""


class Appeal(Base):
    """A promoter asks about an order, or about the result of a period."""

    __tablename__ = "appeals"
    __table_args__ = {"sqlite_strict": True}

    promoter_id: Mapped[int] = mapped_column(
        ForeignKey(Promoter.promoter_id), primary_key=True, autoincrement=False
    )
    appeal_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """Counts up over all promoters."""
    period: Mapped[str] = mapped_column(ForeignKey(OpenPeriod.period))
    order_sn: Mapped[str | None] = mapped_column(Words)
    """Null where the result as a whole is asked about."""
    words: Mapped[str] = mapped_column(Words)
    """The promoter's own."""
    as_stood: Mapped[str] = mapped_column(Words)
    """The clauses, or the result, as they stood when it was asked; JSON as ``explain`` and ``progress`` give it."""
    asked_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds."""
    due_at: Mapped[int] = mapped_column(WholeNumber)
    """Until when operations answer; epoch seconds."""


class AppealAnswer(Base):
    """What came of an appeal: operations accept, decline or ask back, and the promoter replies."""

    __tablename__ = "appeal_answers"
    __table_args__ = (
        ForeignKeyConstraint(
            ["promoter_id", "appeal_id"],
            [Appeal.promoter_id, Appeal.appeal_id],
            name="fk_appeal_answers_appeals",
        ),
        {"sqlite_strict": True},
    )

    promoter_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    appeal_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """1, 2, ... in one appeal."""
    verdict: Mapped[str] = mapped_column(Words)
    """ACCEPTED, DECLINED or ASKED by operations; REPLIED by the promoter."""
    words: Mapped[str] = mapped_column(Words)
    """The reason, the question, or the reply."""
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id))
    answered_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds."""
    correction_batch_id: Mapped[int | None] = mapped_column(
        ForeignKey(Batch.batch_id, name="fk_appeal_answers_batches")
    )
    """The batch of the correction that an accepted appeal brought; the next draft knows it."""
