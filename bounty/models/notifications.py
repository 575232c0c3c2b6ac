"""Messages to accounts (mail) and to receiving programs (webhooks), and each account's mail preferences."""

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, Flag, WholeNumber, Words
from bounty.models.accounts import User

CHANNELS = ("mail", "webhook")
LANGUAGES = ("both", "zh", "en")
"""The languages of a mail; ``both`` until the person chooses."""
_UNSENT = text("sent_at IS NULL")


class Message(Base):
    """A message in the outbox. It is written in the transaction of its cause and sent afterwards, at least once."""

    __tablename__ = "outbox"
    __table_args__ = (
        CheckConstraint(f"channel IN {CHANNELS}", name="channel"),
        Index("ix_outbox_next_try_at", "next_try_at"),
        # What was not sent, for the counts on every page.
        Index("ix_outbox_unsent", "next_try_at", "tries", sqlite_where=_UNSENT, postgresql_where=_UNSENT),
        Index("ix_outbox_user_id", "user_id", "read_at"),
        Index("ix_outbox_endpoint_id", "endpoint_id", "written_at"),
        {"sqlite_strict": True},
    )

    message: Mapped[str] = mapped_column(Words, primary_key=True)
    """The message's id, built from its cause and recipient: the same cause adds no second message, and a receiver can
    drop repeats by it."""
    channel: Mapped[str] = mapped_column(Words)
    """One of CHANNELS."""
    kind: Mapped[str] = mapped_column(Words)
    """One of ``notifications.message_kinds.MessageKind``."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    """The account that receives the message; null for the webhook, and for a person who is invited."""
    recipient: Mapped[str] = mapped_column(Words)
    """The e-mail address, the name of an endpoint, or ``webhook`` for the one that the settings name."""
    subject: Mapped[str] = mapped_column(Words)
    """The mail's subject, or the object that the webhook event is about."""
    body: Mapped[str] = mapped_column(Words)
    """The mail's text without the link, or the webhook's JSON."""
    path: Mapped[str | None] = mapped_column(Words)
    """Path of the page with the details; null if there is none."""
    written_at: Mapped[int] = mapped_column(WholeNumber)
    """When the message was written; epoch seconds."""
    tries: Mapped[int] = mapped_column(WholeNumber)
    """Number of attempts since the message was written or last sent again by hand. 0 with a null ``next_try_at`` means
    that no webhook was configured; of a mail, that its account chose to read it on the page alone."""
    next_try_at: Mapped[int | None] = mapped_column(WholeNumber)
    """When the next attempt is due; epoch seconds; null after success and after the last attempt."""
    sent_at: Mapped[int | None] = mapped_column(WholeNumber)
    """When the receiving server accepted the message; epoch seconds; null before."""
    read_at: Mapped[int | None] = mapped_column(WholeNumber)
    """When its account marked it as read on the page; epoch seconds; null before."""
    last_error: Mapped[str | None] = mapped_column(Words)
    """Why the last attempt failed; null if none failed."""
    endpoint_id: Mapped[int | None] = mapped_column(WholeNumber)
    """The webhook endpoint that gets it; null for mails, and for the webhook that the settings name. Endpoints are
    never deleted; a foreign key would have made SQLite rewrite the whole outbox."""


class MessageTry(Base):
    """One attempt to send a message, with the answer of the other side."""

    __tablename__ = "message_tries"
    __table_args__ = (Index("ix_message_tries_message", "message"), {"sqlite_strict": True})

    try_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True)
    """Sequence number."""
    message: Mapped[str] = mapped_column(ForeignKey(Message.message))
    """The message."""
    tried_at: Mapped[int] = mapped_column(WholeNumber)
    """When it was tried; epoch seconds."""
    error: Mapped[str | None] = mapped_column(Words)
    """Why it was not accepted, as the other side answered; null if it was."""
    status: Mapped[int | None] = mapped_column(WholeNumber)
    """HTTP status of a webhook's answer; null for mails, and where there was no answer."""
    answer: Mapped[str | None] = mapped_column(Words)
    """How the body of that answer begins; null alike."""


class MessageChoice(Base):
    """An account's mail preferences. An account without a row receives every mail in both languages."""

    __tablename__ = "message_choices"
    __table_args__ = (
        CheckConstraint(f"language IN {LANGUAGES}", name="language"),
        {"sqlite_strict": True},
    )

    user_id: Mapped[int] = mapped_column(ForeignKey(User.id), primary_key=True, autoincrement=False)
    """The account."""
    language: Mapped[str] = mapped_column(Words)
    """The language of its mails, one of LANGUAGES."""
    target: Mapped[bool] = mapped_column(Flag)
    """True to receive next month's target when it is frozen."""
    receipts: Mapped[bool] = mapped_column(Flag)
    """True to receive reminders of orders without confirmed receipt (确认收货)."""
    result: Mapped[bool] = mapped_column(Flag)
    """True to receive published results."""
    appeal: Mapped[bool] = mapped_column(Flag)
    """True to receive answers to appeals."""
    payment: Mapped[bool] = mapped_column(Flag)
    """True to receive the results of payments, and that a payee is missing."""
    chosen_at: Mapped[int] = mapped_column(WholeNumber)
    """When the preferences were saved; epoch seconds."""
