"""API tokens of programs, their use, and the stored answers to requests with an Idempotency-Key."""

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, WholeNumber, Words
from bounty.models.accounts import User
from bounty.models.promoters import Promoter

TOKEN_ROLES = ("promoter", "operator", "finance")
"""The roles that a token can have. There is no administrator's token, because programs do no administration."""


class ApiToken(Base):
    """A bearer token of the API. The token itself is shown once and not stored."""

    __tablename__ = "api_tokens"
    __table_args__ = (
        CheckConstraint(f"role IN {TOKEN_ROLES}", name="role"),
        CheckConstraint("(role = 'promoter') = (promoter_id IS NOT NULL)", name="promoter"),
        {"sqlite_strict": True},
    )

    token_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True)
    """The token's number."""
    token_sha256: Mapped[str] = mapped_column(Words, unique=True)
    """SHA-256 of the token, hex. A fast hash is sufficient, because the token has 256 random bits."""
    name: Mapped[str] = mapped_column(Words)
    """The token's purpose, as its creator wrote it."""
    role: Mapped[str] = mapped_column(Words)
    """One of TOKEN_ROLES, which decides what the token may read and do."""
    promoter_id: Mapped[int | None] = mapped_column(ForeignKey(Promoter.promoter_id))
    """The promoter whose data the token reads; null for operator and finance."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    """The account that created the token for itself; the token ends with the account. Null if it was issued to somebody
    else."""
    issued_at: Mapped[int] = mapped_column(WholeNumber)
    """When the token was issued; epoch seconds."""
    expires_at: Mapped[int] = mapped_column(WholeNumber)
    """From this instant the token is refused; epoch seconds."""
    revoked_at: Mapped[int | None] = mapped_column(WholeNumber)
    """When the token was revoked; epoch seconds; null if it was not."""


class ApiTokenUse(Base):
    """The use of a token, in one row for each token, so that all server processes share the count."""

    __tablename__ = "api_token_uses"
    __table_args__ = {"sqlite_strict": True}

    token_id: Mapped[int] = mapped_column(
        ForeignKey(ApiToken.token_id), primary_key=True, autoincrement=False
    )
    """The token."""
    last_used_at: Mapped[int] = mapped_column(WholeNumber)
    """When the last request was made; epoch seconds."""
    minute_at: Mapped[int] = mapped_column(WholeNumber)
    """Start of the minute of the last request by the machine's clock; epoch seconds."""
    calls: Mapped[int] = mapped_column(WholeNumber)
    """Number of requests in that minute."""


class ApiAnswer(Base):
    """The answer to a request with an Idempotency-Key, written in the transaction of the request's effect."""

    __tablename__ = "api_answers"
    __table_args__ = {"sqlite_strict": True}

    token_id: Mapped[int] = mapped_column(
        ForeignKey(ApiToken.token_id), primary_key=True, autoincrement=False
    )
    """The token of the request. The same key of two tokens is two keys."""
    key: Mapped[str] = mapped_column(Words, primary_key=True)
    """The value of the Idempotency-Key header."""
    request_sha256: Mapped[str] = mapped_column(Words)
    """SHA-256 of method, path and body, hex. The same key with another request is refused."""
    body: Mapped[str] = mapped_column(Words)
    """The answer's JSON, which is repeated byte for byte."""
    answered_at: Mapped[int] = mapped_column(WholeNumber)
    """When the request was answered; epoch seconds."""
