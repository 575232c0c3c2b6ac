"""Who did what, when, to what: a chain of events of which none can be taken out or changed unseen."""

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, WholeNumber, Words
from bounty.models.accounts import User


class AuditEvent(Base):
    """One state-changing act, written in the transaction of the act."""

    __tablename__ = "audit_events"
    __table_args__ = (Index("ix_audit_events_subject", "subject"), {"sqlite_strict": True})

    event_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """1, 2, ... without gaps."""
    happened_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    """The account that acted; null for the command line, and for who is not logged in."""
    actor: Mapped[str] = mapped_column(Words)
    """The account's e-mail, or ``command line: NAME``."""
    role: Mapped[str | None] = mapped_column(Words)
    """The account's at that time."""
    address: Mapped[str | None] = mapped_column(Words)
    """Where the request came from."""
    request: Mapped[str | None] = mapped_column(Words)
    """The number that the answer to the request carries."""
    act: Mapped[str] = mapped_column(Words)
    """What was done, as ``notice.publish``."""
    subject: Mapped[str] = mapped_column(Words)
    """To what, as ``2022-12`` or ``batch 17``."""
    before: Mapped[str | None] = mapped_column(Words)
    """What it was, as canonical JSON; null where there was nothing."""
    after: Mapped[str | None] = mapped_column(Words)
    """What it is, as canonical JSON."""
    reason: Mapped[str | None] = mapped_column(Words)
    """In the actor's words, where one is asked for."""
    previous_sha256: Mapped[str] = mapped_column(Words)
    """``event_sha256`` of the event before; 64 zeros for the first."""
    event_sha256: Mapped[str] = mapped_column(Words)
    """Of everything above; hex."""
