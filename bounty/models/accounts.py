"""Who may log in: accounts, invitations, and how often somebody has tried in vain."""

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, Flag, WholeNumber, Words
from bounty.models.promoters import Promoter

ROLES = ("promoter", "operator", "finance", "admin")
"""An account has one of these: nobody can prepare and approve as two."""


class User(Base):
    """An account. The names of its columns, where they are not ours, are Flask-Security's."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint(f"role IN {ROLES}", name="role"),
        CheckConstraint("(role = 'promoter') = (promoter_id IS NOT NULL)", name="promoter"),
        {"sqlite_strict": True},
    )

    id: Mapped[int] = mapped_column("user_id", WholeNumber, primary_key=True)
    email: Mapped[str] = mapped_column(Words, unique=True)
    """The name it logs in with, in small letters."""
    name: Mapped[str] = mapped_column(Words)
    """As colleagues know the person."""
    role: Mapped[str] = mapped_column(Words)
    """One of ROLES."""
    promoter_id: Mapped[int | None] = mapped_column(ForeignKey(Promoter.promoter_id), unique=True)
    """The one promoter it belongs to; null for staff."""
    password: Mapped[str | None] = mapped_column(Words)
    """Argon2 hash."""
    active: Mapped[bool] = mapped_column(Flag, default=True)
    """False once disabled: it can't log in, and its sessions have ended."""
    fs_uniquifier: Mapped[str] = mapped_column(Words, unique=True)
    """What a session cookie names the account by; another one ends every session."""
    tf_primary_method: Mapped[str | None] = mapped_column(Words)
    """``authenticator`` once a second factor is set up."""
    tf_totp_secret: Mapped[str | None] = mapped_column(Words)
    """Encrypted with a key outside the database."""
    last_totp_counter: Mapped[int | None] = mapped_column(WholeNumber)
    """Which half minute since 1970 the last accepted code was of: no code up to it serves again."""
    created_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds."""


class Invitation(Base):
    """A one-time link with which a person sets a password and so gets an account."""

    __tablename__ = "invitations"
    __table_args__ = (CheckConstraint(f"role IN {ROLES}", name="role"), {"sqlite_strict": True})

    invitation_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True)
    token_sha256: Mapped[str] = mapped_column(Words, unique=True)
    """Of the link's token, hex; the token itself is shown once and not kept."""
    email: Mapped[str] = mapped_column(Words)
    name: Mapped[str] = mapped_column(Words)
    role: Mapped[str] = mapped_column(Words)
    invited_promoter_id: Mapped[int | None] = mapped_column(
        ForeignKey(Promoter.promoter_id, name="fk_invitations_promoters")
    )
    """The promoter the account will belong to; null for staff."""
    invited_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds, as the two below."""
    expires_at: Mapped[int] = mapped_column(WholeNumber)
    accepted_at: Mapped[int | None] = mapped_column(WholeNumber)
    """Null until it is used, which it is once."""


class Tries(Base):
    """How often one thing was tried, and until when it can't be again: one row, whichever process counts."""

    __tablename__ = "tries"
    __table_args__ = (Index("ix_tries_last_at", "last_at"), {"sqlite_strict": True})

    subject: Mapped[str] = mapped_column(Words, primary_key=True)
    """What is counted: ``guess zhou@example.com``, ``reset from 192.0.2.7``; see ``accounts.limits``."""
    tries: Mapped[int] = mapped_column(WholeNumber)
    """Since it was last forgotten."""
    last_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds, as the next."""
    free_at: Mapped[int] = mapped_column(WholeNumber)
    """From when on it may be tried again."""
