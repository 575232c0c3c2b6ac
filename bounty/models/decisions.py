"""Decisions of people: approvals and waivers of a draft, confirmations of data, roster overrides, appeals and their
answers.

Rows are written once; a later row replaces or answers an earlier one.
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
    """An account's approval of a draft settlement."""

    __tablename__ = "approvals"
    __table_args__ = {"sqlite_strict": True}

    settlement_id: Mapped[int] = mapped_column(
        ForeignKey(Settlement.settlement_id), primary_key=True, autoincrement=False
    )
    """The approved draft."""
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id), primary_key=True, autoincrement=False)
    """The account that approved it."""
    content_sha256: Mapped[str] = mapped_column(Words)
    """The ``content_sha256`` of the approved draft, hex; the approval applies to this content only."""
    approved_at: Mapped[int] = mapped_column(WholeNumber)
    """When the draft was approved; epoch seconds."""


class Waiver(Base):
    """A checklist line that a person waived for one draft."""

    __tablename__ = "waivers"
    __table_args__ = {"sqlite_strict": True}

    settlement_id: Mapped[int] = mapped_column(
        ForeignKey(Settlement.settlement_id), primary_key=True, autoincrement=False
    )
    """The draft."""
    line: Mapped[str] = mapped_column(Words, primary_key=True)
    """The code of the checklist line, as ``QUARANTINE``."""
    reason: Mapped[str] = mapped_column(Words)
    """Why the line was waived, as the person wrote it."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    """The account that waived it; null for the command line without an account, where no approval is required."""
    waived_at: Mapped[int] = mapped_column(WholeNumber)
    """When the line was waived; epoch seconds."""


class DataConfirmation(Base):
    """An operator confirms that a period's own orders are complete up to an instant."""

    __tablename__ = "data_confirmations"
    __table_args__ = {"sqlite_strict": True}

    period: Mapped[str] = mapped_column(ForeignKey(OpenPeriod.period), primary_key=True)
    """The month, as ``2022-12``."""
    number: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """Sequence number 1, 2, ... within the period."""
    through_at: Mapped[int] = mapped_column(WholeNumber)
    """All updates of the period's orders before this instant are imported; epoch seconds."""
    reason: Mapped[str] = mapped_column(Words)
    """How the operator knows, as the operator wrote it."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    """The account that confirmed; null for the command line without an account, where no approval is required."""
    confirmed_at: Mapped[int] = mapped_column(WholeNumber)
    """When it was confirmed; epoch seconds."""


class RosterOverride(Base):
    """A manual correction of a frozen roster entry, with the values before and after. The triggers on ``roster`` allow
    a change only to the values of the newest override."""

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
    """The promoter of the entry."""
    period: Mapped[str] = mapped_column(ForeignKey(OpenPeriod.period), primary_key=True)
    """The month of the entry, as ``2022-12``."""
    number: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """Sequence number 1, 2, ... within the entry."""
    was_ineligible: Mapped[str | None] = mapped_column(Words)
    """Code of the reason why the promoter was not eligible before; null if eligible."""
    now_ineligible: Mapped[str | None] = mapped_column(Words)
    """Code of the reason why the promoter is not eligible now; null if eligible."""
    was_target_gmv_fen: Mapped[int | None] = mapped_column(WholeNumber)
    """GMV target before, whole fen; null if there was none."""
    now_target_gmv_fen: Mapped[int | None] = mapped_column(WholeNumber)
    """GMV target now, whole fen; null if there is none."""
    was_target_orders: Mapped[int | None] = mapped_column(WholeNumber)
    """Order target before, in orders; null if there was none."""
    now_target_orders: Mapped[int | None] = mapped_column(WholeNumber)
    """Order target now, in orders; null if there is none."""
    reason: Mapped[str] = mapped_column(Words)
    """The operator's reason, which the promoter sees beside the target."""
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id))
    """The account that made the override."""
    overridden_at: Mapped[int] = mapped_column(WholeNumber)
    """When the override was made; epoch seconds."""


class Appeal(Base):
    """A promoter's appeal about one order or about the result of a period."""

    __tablename__ = "appeals"
    __table_args__ = {"sqlite_strict": True}

    promoter_id: Mapped[int] = mapped_column(
        ForeignKey(Promoter.promoter_id), primary_key=True, autoincrement=False
    )
    """The promoter who appeals."""
    appeal_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """Sequence number over all promoters."""
    period: Mapped[str] = mapped_column(ForeignKey(OpenPeriod.period))
    """The month, as ``2022-12``."""
    order_sn: Mapped[str | None] = mapped_column(Words)
    """The order number; null if the appeal is about the whole result."""
    words: Mapped[str] = mapped_column(Words)
    """The promoter's text."""
    as_stood: Mapped[str] = mapped_column(Words)
    """The order's clauses, or the result, at the time of the appeal; JSON as in ``explain`` or ``progress``."""
    asked_at: Mapped[int] = mapped_column(WholeNumber)
    """When the appeal was made; epoch seconds."""
    due_at: Mapped[int] = mapped_column(WholeNumber)
    """When the operators' time to answer ends; epoch seconds."""


class AppealAnswer(Base):
    """An answer in an appeal: operators accept, decline or ask a question, and the promoter replies."""

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
    """The promoter of the appeal."""
    appeal_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """The appeal."""
    number: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """Sequence number 1, 2, ... within the appeal."""
    verdict: Mapped[str] = mapped_column(Words)
    """ACCEPTED, DECLINED or ASKED by operations; REPLIED by the promoter."""
    words: Mapped[str] = mapped_column(Words)
    """The text of the reason, question or reply."""
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id))
    """The account that wrote it."""
    answered_at: Mapped[int] = mapped_column(WholeNumber)
    """When it was written; epoch seconds."""
    correction_batch_id: Mapped[int | None] = mapped_column(
        ForeignKey(Batch.batch_id, name="fk_appeal_answers_batches")
    )
    """The batch with the correction of an accepted appeal, which the next draft includes; null if there is none."""


class AppealAttachment(Base):
    """A file that the promoter added to an appeal. Its bytes lie in the folder of uploads under their hash."""

    __tablename__ = "appeal_attachments"
    __table_args__ = (
        ForeignKeyConstraint(
            ["promoter_id", "appeal_id"],
            [Appeal.promoter_id, Appeal.appeal_id],
            name="fk_appeal_attachments_appeals",
        ),
        {"sqlite_strict": True},
    )

    promoter_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """The promoter of the appeal."""
    appeal_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """The appeal."""
    number: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """Sequence number 1, 2, ... within the appeal."""
    file_name: Mapped[str] = mapped_column(Words)
    """The name under which it is downloaded."""
    media_type: Mapped[str] = mapped_column(Words)
    """``image/jpeg``, ``image/png`` or ``application/pdf``, as its content was judged."""
    sha256: Mapped[str] = mapped_column(Words)
    """SHA-256 of the stored bytes, hex."""
    size_bytes: Mapped[int] = mapped_column(WholeNumber)
    """Size of the stored bytes."""
    added_at: Mapped[int] = mapped_column(WholeNumber)
    """When it was added; epoch seconds."""
