"""The audit log: a hash chain of events, so that removing or changing an event is detected."""

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, WholeNumber, Words
from bounty.models.accounts import User


class AuditEvent(Base):
    """One state-changing action, written in the same transaction as the change."""

    __tablename__ = "audit_events"
    __table_args__ = (Index("ix_audit_events_subject", "subject"), {"sqlite_strict": True})

    event_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """Sequence number 1, 2, ... without gaps."""
    happened_at: Mapped[int] = mapped_column(WholeNumber)
    """When the action happened; epoch seconds."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    """The account that acted; null for the command line and for a visitor who is not logged in."""
    actor: Mapped[str] = mapped_column(Words)
    """The account's e-mail, or ``command line: NAME``."""
    role: Mapped[str | None] = mapped_column(Words)
    """The account's role at that time; null without an account."""
    address: Mapped[str | None] = mapped_column(Words)
    """The client's IP address; null outside a web request."""
    request: Mapped[str | None] = mapped_column(Words)
    """The request's id, which the response repeats in a header; null outside a web request."""
    act: Mapped[str] = mapped_column(Words)
    """The action's code, as ``notice.publish``."""
    subject: Mapped[str] = mapped_column(Words)
    """The object of the action, as ``2022-12`` or ``batch 17``."""
    before: Mapped[str | None] = mapped_column(Words)
    """The object's values before the action, as canonical JSON; null if there were none."""
    after: Mapped[str | None] = mapped_column(Words)
    """The object's values after the action, as canonical JSON; null if there are none."""
    reason: Mapped[str | None] = mapped_column(Words)
    """The actor's reason; null for an action that requires none."""
    previous_sha256: Mapped[str] = mapped_column(Words)
    """``event_sha256`` of the previous event, hex; 64 zeros for the first event."""
    event_sha256: Mapped[str] = mapped_column(Words)
    """SHA-256 of all other columns of the event, hex."""
