"""Accounts, invitations, and counters of failed attempts."""

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, Bytes, Flag, WholeNumber, Words
from bounty.labels import LabelledCode
from bounty.models.promoters import Promoter


class AccountRole(LabelledCode):
    """The roles. An account has exactly one, so that one account cannot both prepare and approve."""

    PROMOTER = "promoter", "推手", "promoter"
    OPERATOR = "operator", "运营", "operations"
    FINANCE = "finance", "财务", "finance"
    ADMIN = "admin", "管理", "administration"


ROLES = tuple(str(role) for role in AccountRole)


class User(Base):
    """An account. ``password``, ``active``, ``fs_*``, ``tf_*`` and ``mf_*`` are columns that Flask-Security expects."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint(f"role IN {ROLES}", name="role"),
        CheckConstraint("(role = 'promoter') = (promoter_id IS NOT NULL)", name="promoter"),
        {"sqlite_strict": True},
    )

    id: Mapped[int] = mapped_column("user_id", WholeNumber, primary_key=True)
    """The account's number."""
    email: Mapped[str] = mapped_column(Words, unique=True)
    """The e-mail address that the account logs in with, in lower case."""
    name: Mapped[str] = mapped_column(Words)
    """The person's name."""
    role: Mapped[str] = mapped_column(Words)
    """One of ROLES."""
    promoter_id: Mapped[int | None] = mapped_column(ForeignKey(Promoter.promoter_id), unique=True)
    """The promoter that the account belongs to; null for staff."""
    password: Mapped[str | None] = mapped_column(Words)
    """Argon2 hash of the password."""
    active: Mapped[bool] = mapped_column(Flag, default=True)
    """False if the account is disabled: it cannot log in, and its sessions have ended."""
    fs_uniquifier: Mapped[str] = mapped_column(Words, unique=True)
    """The random identifier of the account in session cookies; a new value ends every session."""
    tf_primary_method: Mapped[str | None] = mapped_column(Words)
    """``authenticator`` once a second factor is set up; null before."""
    tf_totp_secret: Mapped[str | None] = mapped_column(Words)
    """The secret of the second factor, encrypted with a key outside the database."""
    last_totp_counter: Mapped[int | None] = mapped_column(WholeNumber)
    """Counter of the last accepted code, in 30-second steps since 1970; codes up to this counter are refused."""
    created_at: Mapped[int] = mapped_column(WholeNumber)
    """When the account was created; epoch seconds."""
    fs_webauthn_user_handle: Mapped[str | None] = mapped_column(Words)
    """The random name of the account in its passkeys; null before the first is registered."""
    mf_recovery_codes: Mapped[str | None] = mapped_column(Words)
    """SHA-256 of each recovery code that was not used yet, hex, with spaces between; null if none were made."""


class Passkey(Base):
    """A WebAuthn credential: a second factor on a person's device or security key. The private key never leaves it."""

    __tablename__ = "passkeys"
    __table_args__ = (UniqueConstraint("user_id", "name"), {"sqlite_strict": True})

    id: Mapped[int] = mapped_column("passkey_id", WholeNumber, primary_key=True)
    """The passkey's number."""
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, name="fk_passkeys_users"))
    """The account that it belongs to."""
    name: Mapped[str] = mapped_column(Words)
    """What the person calls it."""
    credential_id: Mapped[bytes] = mapped_column(Bytes, unique=True)
    """The name that the device gave it."""
    public_key: Mapped[bytes] = mapped_column(Bytes)
    """The key that its signatures are verified with, as COSE."""
    sign_count: Mapped[int] = mapped_column(WholeNumber)
    """The device's counter at the last signature. One that does not grow is of a copy; 0: the device does not count."""
    created_at: Mapped[int] = mapped_column(WholeNumber)
    """When it was registered; epoch seconds."""
    last_used_at: Mapped[int | None] = mapped_column(WholeNumber)
    """When it was last used; epoch seconds; null if it was not used yet."""


class PasskeyChallenge(Base):
    """The random text that an account's passkey has to sign next. It is deleted when an answer comes, right or wrong,
    so that an answer serves once."""

    __tablename__ = "passkey_challenges"
    __table_args__ = ({"sqlite_strict": True},)

    user_id: Mapped[int] = mapped_column(
        ForeignKey(User.id, name="fk_passkey_challenges_users"), primary_key=True, autoincrement=False
    )
    """The account; a later challenge replaces the earlier one."""
    challenge: Mapped[str] = mapped_column(Words)
    """The text."""
    expires_at: Mapped[int] = mapped_column(WholeNumber)
    """From this instant an answer is refused; epoch seconds."""


class Invitation(Base):
    """A one-time link with which a person sets a password; this creates the account."""

    __tablename__ = "invitations"
    __table_args__ = (CheckConstraint(f"role IN {ROLES}", name="role"), {"sqlite_strict": True})

    invitation_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True)
    """The invitation's number."""
    token_sha256: Mapped[str] = mapped_column(Words, unique=True)
    """SHA-256 of the link's token, hex. The token itself is shown once and not stored."""
    email: Mapped[str] = mapped_column(Words)
    """The e-mail address of the future account, in lower case."""
    name: Mapped[str] = mapped_column(Words)
    """The name of the person invited."""
    role: Mapped[str] = mapped_column(Words)
    """The role of the future account, one of ROLES."""
    invited_promoter_id: Mapped[int | None] = mapped_column(
        ForeignKey(Promoter.promoter_id, name="fk_invitations_promoters")
    )
    """The promoter that the account will belong to; null for staff."""
    invited_at: Mapped[int] = mapped_column(WholeNumber)
    """When the invitation was made; epoch seconds."""
    expires_at: Mapped[int] = mapped_column(WholeNumber)
    """From this instant the link is refused; epoch seconds."""
    accepted_at: Mapped[int | None] = mapped_column(WholeNumber)
    """When the link was used; epoch seconds; null if it was not used. A link works once."""


class Tries(Base):
    """A counter of attempts of one kind, with the instant until which further attempts are refused. It is in the
    database so that all server processes share it."""

    __tablename__ = "tries"
    __table_args__ = (Index("ix_tries_last_at", "last_at"), {"sqlite_strict": True})

    subject: Mapped[str] = mapped_column(Words, primary_key=True)
    """The counted attempt: ``guess zhou@example.com``, ``reset from 192.0.2.7``; see ``accounts.limits``."""
    tries: Mapped[int] = mapped_column(WholeNumber)
    """Number of attempts since the counter was last reset."""
    last_at: Mapped[int] = mapped_column(WholeNumber)
    """When the last attempt was made; epoch seconds."""
    free_at: Mapped[int] = mapped_column(WholeNumber)
    """From this instant further attempts are allowed; epoch seconds."""
