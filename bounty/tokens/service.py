"""Tokens with which programs use the API: issued, shown once, recognised by their hash, revoked."""

import re
import secrets
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import BindParameter, Connection, bindparam, insert, or_, select, update

from bounty.audit.service import record
from bounty.db import Query, Words
from bounty.errors import BountyError
from bounty.models import TOKEN_ROLES, ApiToken, ApiTokenUse, Promoter, User

PREFIX = "bounty_"
"""How a token begins, so that people and secret scanners recognise one."""
DAYS = 90
"""How long a token holds unless another number of days is requested."""
MOST_DAYS = 365
LONGEST_NAME = 100
_TOKEN = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")
_SHA256: BindParameter[str] = bindparam("token_sha256", type_=Words())
# Made once: every request of the API asks it.
_HELD = (
    select(
        ApiToken.token_id,
        ApiToken.name,
        ApiToken.role,
        ApiToken.promoter_id,
        ApiToken.user_id,
        ApiToken.expires_at,
        ApiToken.revoked_at,
        User.active,
        User.role.label("user_role"),
    )
    .outerjoin(User, User.id == ApiToken.user_id)
    .where(ApiToken.token_sha256 == _SHA256)
)


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token, to be handed on: it is shown once and not kept."""

    token_id: int
    token: str
    expires_at: int
    """Epoch seconds."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """The bearer of a valid token."""

    token_id: int
    name: str
    role: str
    """promoter, operator or finance."""
    promoter_id: int | None
    """Whose data a promoter's token reads; null for the others."""


def issue(
    connection: Connection,
    *,
    name: str,
    role: str,
    promoter_id: int | None,
    days: int,
    now: int,
    user_id: int | None = None,
) -> Issued:
    """Make a token.

    user_id  the account that makes it for itself; null where it is issued to somebody else

    Raises BountyError for a name, a role, a promoter or a number of days that can't be.
    """
    name = " ".join(name.split())
    _refuse_unfit(name, role, promoter_id, days)
    if promoter_id is not None:
        known = select(Promoter.promoter_id).where(Promoter.promoter_id == promoter_id)
        if connection.execute(known).first() is None:
            raise BountyError(
                f"Promoter {promoter_id} is not known: import them first.",
                f"推手 {promoter_id} 尚未导入：请先导入。",
            )
    token, expires_at = PREFIX + secrets.token_urlsafe(32), now + days * 86_400
    values = {"name": name, "role": role, "promoter_id": promoter_id, "expires_at": expires_at}
    inserted = connection.execute(
        insert(ApiToken)
        .values(token_sha256=_hash(token), user_id=user_id, issued_at=now, **values)
        .returning(ApiToken.token_id)
    )
    token_id: int = inserted.scalar_one()
    record(connection, "token.issue", f"token {token_id}", now, after=values)
    return Issued(token_id, token, expires_at)


def _refuse_unfit(name: str, role: str, promoter_id: int | None, days: int) -> None:
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise BountyError(
            f"A token needs a name of 1 to {LONGEST_NAME} characters that says what it is for.",
            f"令牌须有 1 至 {LONGEST_NAME} 个字符的名称，说明用途。",
        )
    if role not in TOKEN_ROLES:
        raise BountyError(
            f"{role!r} is no role of a token: give one of {', '.join(TOKEN_ROLES)}.",
            f"令牌没有“{role}”这种角色：请选 {'、'.join(TOKEN_ROLES)} 之一。",
        )
    if (role == "promoter") != (promoter_id is not None):
        raise BountyError(
            "A promoter's token belongs to one promoter (--promoter ID), and a token of staff to none.",
            "推手的令牌须对应一个推手（--promoter ID），员工的令牌不对应推手。",
        )
    if not 1 <= days <= MOST_DAYS:
        raise BountyError(
            f"A token holds for 1 to {MOST_DAYS} days, not {days}.",
            f"令牌有效期为 1 至 {MOST_DAYS} 天，不能是 {days} 天。",
        )


def bearer_of(connection: Connection, token: str, now: int) -> Bearer | None:
    """Who asks with a token; null for one that is not known, has expired, was revoked, or whose account has ended."""
    if not _TOKEN.fullmatch(token):
        return None
    row = connection.execute(_HELD, {"token_sha256": _hash(token)}).first()
    if row is None or row.revoked_at is not None or row.expires_at <= now:
        return None
    if row.user_id is not None and not (row.active and row.user_role == row.role):
        return None
    return Bearer(row.token_id, row.name, row.role, row.promoter_id)


def tokens_of_account(user_id: int | None, *, and_promoters: bool = False) -> Query:
    """The tokens of an account, as ``tokens`` has them.

    and_promoters   those for promoters' data too, whoever issued them
    """
    own = ApiToken.user_id == user_id
    return tokens().where(or_(own, ApiToken.role == "promoter") if and_promoters else own)


def tokens(*, promoter_id: int | None = None) -> Query:
    """Every token, or one promoter's: token_id, name, role, promoter_id, user_id, issued_at, expires_at, revoked_at,
    and last_used_at, null for one that was never used."""
    names = "token_id name role promoter_id user_id issued_at expires_at revoked_at".split()
    query = select(*(ApiToken.__table__.c[name] for name in names), ApiTokenUse.last_used_at).outerjoin(
        ApiTokenUse, ApiTokenUse.token_id == ApiToken.token_id
    )
    return query if promoter_id is None else query.where(ApiToken.promoter_id == promoter_id)


def revoke(connection: Connection, token_id: int, now: int, *, promoter_id: int | None = None) -> None:
    """Refuse a token from now on; one that was revoked stays so.

    promoter_id  only if it is this promoter's

    Raises BountyError if there is no such token.
    """
    row = connection.execute(tokens(promoter_id=promoter_id).where(ApiToken.token_id == token_id)).first()
    if row is None:
        raise BountyError(
            f"There is no token {token_id}: `bounty token list` shows them.", f"没有第 {token_id} 号令牌。"
        )
    if row.revoked_at is not None:
        return
    connection.execute(update(ApiToken).where(ApiToken.token_id == token_id).values(revoked_at=now))
    record(connection, "token.revoke", f"token {token_id}", now, before={"name": row.name, "role": row.role})


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()
