"""What people and one receiving program are told, and what each promoter wants to be told of."""

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, Flag, WholeNumber, Words
from bounty.models.accounts import User

CHANNELS = ("mail", "webhook")
LANGUAGES = ("both", "zh", "en")
"""Of a mail; both until the person chooses."""


class Message(Base):
    """A message, written in the transaction of its cause and sent afterwards, at least once."""

    __tablename__ = "outbox"
    __table_args__ = (
        CheckConstraint(f"channel IN {CHANNELS}", name="channel"),
        Index("ix_outbox_next_try_at", "next_try_at"),
        {"sqlite_strict": True},
    )

    message: Mapped[str] = mapped_column(Words, primary_key=True)
    """Made of its cause and its reader, so that a cause that comes again makes no other; by it a receiver drops
    repeats."""
    channel: Mapped[str] = mapped_column(Words)
    """One of CHANNELS."""
    kind: Mapped[str] = mapped_column(Words)
    """One of ``messages.kinds.KINDS``."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    """The account that it is for; null for the webhook."""
    recipient: Mapped[str] = mapped_column(Words)
    """The e-mail; ``webhook`` for that."""
    subject: Mapped[str] = mapped_column(Words)
    """Of the mail; what the webhook is about."""
    body: Mapped[str] = mapped_column(Words)
    """The mail's text without the link; the webhook's JSON."""
    path: Mapped[str | None] = mapped_column(Words)
    """Of our page that says more."""
    written_at: Mapped[int] = mapped_column(WholeNumber)
    """When it was caused; epoch seconds, as the times below."""
    tries: Mapped[int] = mapped_column(WholeNumber)
    """How often it was tried since it was written, or sent again by hand; 0 without a next try: no webhook was set."""
    next_try_at: Mapped[int | None] = mapped_column(WholeNumber)
    """Null once it is sent, or given up."""
    sent_at: Mapped[int | None] = mapped_column(WholeNumber)
    """When the other side took it."""
    last_error: Mapped[str | None] = mapped_column(Words)
    """Why the last try failed."""


class MessageChoice(Base):
    """What an account wants to be told of by mail; without a row, everything, in both languages."""

    __tablename__ = "message_choices"
    __table_args__ = (
        CheckConstraint(f"language IN {LANGUAGES}", name="language"),
        {"sqlite_strict": True},
    )

    user_id: Mapped[int] = mapped_column(ForeignKey(User.id), primary_key=True, autoincrement=False)
    language: Mapped[str] = mapped_column(Words)
    """One of LANGUAGES."""
    target: Mapped[bool] = mapped_column(Flag)
    """Whether to mail next month's target, once it is frozen."""
    receipts: Mapped[bool] = mapped_column(Flag)
    """Whether to mail that orders still wait for their receipt."""
    result: Mapped[bool] = mapped_column(Flag)
    """Whether to mail that a result was published."""
    chosen_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds."""
