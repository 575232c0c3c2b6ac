"""Tokens with which programs use the API, how often they do, and the answers to repeated requests."""

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, WholeNumber, Words
from bounty.models.accounts import User
from bounty.models.promoters import Promoter

TOKEN_ROLES = ("promoter", "operator", "finance")
"""What a token may be for; an administrator's work stays with people."""


class ApiToken(Base):
    """A bearer token of the API. The token itself is shown once and not kept."""

    __tablename__ = "api_tokens"
    __table_args__ = (
        CheckConstraint(f"role IN {TOKEN_ROLES}", name="role"),
        CheckConstraint("(role = 'promoter') = (promoter_id IS NOT NULL)", name="promoter"),
        {"sqlite_strict": True},
    )

    token_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True)
    token_sha256: Mapped[str] = mapped_column(Words, unique=True)
    """Of the token, hex. A fast hash is enough: the token has 256 random bits."""
    name: Mapped[str] = mapped_column(Words)
    """What it is for, in its maker's words."""
    role: Mapped[str] = mapped_column(Words)
    """One of TOKEN_ROLES: what it may read and do."""
    promoter_id: Mapped[int | None] = mapped_column(ForeignKey(Promoter.promoter_id))
    """The one promoter whose data it reads; null for operator and finance."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    """The account that made it for itself: it ends with the account. Null where it was issued to somebody else."""
    issued_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds, as the two below."""
    expires_at: Mapped[int] = mapped_column(WholeNumber)
    """From then on it is refused."""
    revoked_at: Mapped[int | None] = mapped_column(WholeNumber)
    """Null while it was not revoked."""


class ApiTokenUse(Base):
    """How often and when a token was last used: one row a token, so that all processes of the site count together."""

    __tablename__ = "api_token_uses"
    __table_args__ = {"sqlite_strict": True}

    token_id: Mapped[int] = mapped_column(
        ForeignKey(ApiToken.token_id), primary_key=True, autoincrement=False
    )
    last_used_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds of the last request."""
    minute_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds at which the minute began in which it was last used, by the machine's clock."""
    calls: Mapped[int] = mapped_column(WholeNumber)
    """Requests within that minute."""


class ApiAnswer(Base):
    """The answer to a request with an Idempotency-Key, written in the transaction of the request's effect."""

    __tablename__ = "api_answers"
    __table_args__ = {"sqlite_strict": True}

    token_id: Mapped[int] = mapped_column(
        ForeignKey(ApiToken.token_id), primary_key=True, autoincrement=False
    )
    """Keys of different tokens are different keys."""
    key: Mapped[str] = mapped_column(Words, primary_key=True)
    """As the header had it."""
    request_sha256: Mapped[str] = mapped_column(Words)
    """Of method, path and body, hex: the same key with another request is refused."""
    body: Mapped[str] = mapped_column(Words)
    """The answer's JSON, to be given again byte for byte."""
    answered_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds."""
