"""Accounts: made by invitation, given a role, disabled."""

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import Connection, Row, Select, delete, exists, func, insert, or_, select, true, update

from bounty.accounts.limits import normalised
from bounty.accounts.passwords import SHORTEST, hashed
from bounty.audit.service import actor_of, record
from bounty.db import Query, fetch_all, fetch_first
from bounty.errors import BountyError
from bounty.models import ROLES, AuditEvent, Invitation, Passkey, Promoter, User
from bounty.notifications.outbox import MessageText, notify_address

INVITATION_SECONDS = 7 * 86_400
"""How long a one-time link holds."""
NEEDS_ACCOUNT = BountyError(
    "Where approval is required (setting require_approval) this takes an account: log in with --as EMAIL, its "
    "password and its one-time code.",
    "需要批准时（设置 require_approval），这一步必须由登录的账号办理。",
)
_EMAIL = re.compile(r"[^@\s,;<>\"']{1,64}@[A-Za-z0-9.-]{1,190}")


@dataclass(frozen=True, slots=True)
class Invited:
    """A one-time link, to be handed on: its token is shown once and not kept."""

    email: str
    name: str
    role: str
    promoter_id: int | None
    token: str


def invite(
    connection: Connection, people: Iterable[tuple[str, str, str, int | None]], now: int
) -> list[Invited]:
    """One-time links for people without an account; a later link of a person replaces the earlier one.

    people  e-mail, name, role, and the promoter that a promoter's account belongs to

    Raises BountyError, and invites nobody, if an e-mail, a role or a promoter can't be.
    """
    wanted = [(normalised(email), name.strip(), role, promoter) for email, name, role, promoter in people]
    for email, name, role, promoter in wanted:
        _refuse_unfit(email, name, role, promoter)
    emails = [email for email, *_ in wanted]
    _refuse_taken(connection, emails, [promoter for *_, promoter in wanted if promoter is not None])
    connection.execute(
        delete(Invitation).where(Invitation.email.in_(emails), Invitation.accepted_at.is_(None))
    )
    invited = [Invited(*person, token=secrets.token_urlsafe(32)) for person in wanted]
    if invited:
        connection.execute(
            insert(Invitation),
            [
                {
                    "token_sha256": _hash(person.token),
                    "email": person.email,
                    "name": person.name,
                    "role": person.role,
                    "invited_promoter_id": person.promoter_id,
                    "invited_at": now,
                    "expires_at": now + INVITATION_SECONDS,
                }
                for person in invited
            ],
        )
    for person in invited:
        what = {"name": person.name, "role": person.role, "promoter_id": person.promoter_id}
        record(connection, "user.invite", person.email, now, after=what)
    return invited


def mail_invitations(connection: Connection, invited: Iterable[Invited], now: int) -> None:
    """Send each invited person their one-time link by mail, through the outbox."""
    for person in invited:
        text = MessageText(
            ("邀请您使用赏金台", "You are invited to Bounty"),
            f"{person.name}，您好：请在 7 天内打开文末的链接设置密码，即可登录。链接只能使用一次。",
            f"Hello {person.name}: choose a password by the link below within 7 days, and you are in. It can be used "
            "once.",
            f"/invitation/{person.token}",
        )
        notify_address(connection, "account", f"invitation {_hash(person.token)}", person.email, text, now)


class InvitationRow(NamedTuple):
    """An invitation that was not accepted, without its token."""

    invitation_id: int
    email: str
    name: str
    role: str
    promoter_id: int | None
    invited_at: int
    expires_at: int


class AccountRow(NamedTuple):
    """An account, without its secrets."""

    user_id: int
    email: str
    name: str
    role: str
    promoter_id: int | None
    active: bool
    second_factor: bool
    created_at: int
    logged_in_at: int | None
    """When it last logged in."""


def _open_invitations(now: int) -> Select[int, str, str, str, int | None, int, int]:
    row = Invitation
    promoter_id = row.invited_promoter_id.label("promoter_id")
    return select(
        row.invitation_id, row.email, row.name, row.role, promoter_id, row.invited_at, row.expires_at
    ).where(row.accepted_at.is_(None), row.expires_at > now)


def open_invitations(connection: Connection, now: int) -> list[InvitationRow]:
    """The invitations that were not accepted, the newest first."""
    newest_first = _open_invitations(now).order_by(
        Invitation.invited_at.desc(), Invitation.invitation_id.desc()
    )
    return fetch_all(connection, newest_first, InvitationRow)


def invite_again(connection: Connection, email: str, now: int) -> Invited:
    """A new link in place of a person's open one.

    Raises BountyError if there is no such open invitation.
    """
    row = next((each for each in open_invitations(connection, now) if each.email == normalised(email)), None)
    if row is None:
        raise BountyError("This invitation is no longer open.", "这份邀请已被接受或已过期。")
    (invited,) = invite(connection, [(row.email, row.name, row.role, row.promoter_id)], now)
    return invited


def _refuse_unfit(email: str, name: str, role: str, promoter_id: int | None) -> None:
    if not _EMAIL.fullmatch(email):
        raise BountyError(f"{email!r} is not an e-mail address.", f"「{email}」不是邮箱地址。")
    if not name:
        raise BountyError(f"{email} needs a name.", f"{email} 缺少姓名。")
    if role not in ROLES:
        raise BountyError(f"{role!r} is no role: give one of {', '.join(ROLES)}.")
    if (role == "promoter") != (promoter_id is not None):
        raise BountyError(
            f"{email}: a promoter's account belongs to one promoter, and staff to none.",
            f"{email}：推手账号须对应一个推手，员工账号不对应推手。",
        )


def _refuse_taken(connection: Connection, emails: list[str], promoters: list[int]) -> None:
    if len(set(emails)) < len(emails) or len(set(promoters)) < len(promoters):
        raise BountyError(
            "An e-mail or a promoter is named twice: an account belongs to one.",
            "邮箱或推手重复：一个账号只属于一个推手。",
        )
    known = set(
        connection.execute(select(Promoter.promoter_id).where(Promoter.promoter_id.in_(promoters))).scalars()
    )
    for promoter in promoters:
        if promoter not in known:
            raise BountyError(
                f"Promoter {promoter} is not known: import them first.",
                f"推手 {promoter} 尚未导入：请先导入。",
            )
    taken = connection.execute(
        select(User.email).where(or_(User.email.in_(emails), User.promoter_id.in_(promoters))).limit(1)
    ).scalar()
    if taken is not None:
        raise BountyError(f"There is an account already: {taken}.", f"账号已存在：{taken}。")


def invitation_of(connection: Connection, token: str, now: int) -> InvitationRow:
    """The open invitation behind a link.

    Raises BountyError if there is none such, or it was used or is too old.
    """
    invited = _open_invitations(now).where(Invitation.token_sha256 == _hash(token))
    row = fetch_first(connection, invited, InvitationRow)
    if row is None:
        raise BountyError(
            "This link was used or has expired: ask whoever invited you for a new one.",
            "该链接已使用或已过期：请向邀请人索取新的链接。",
        )
    return row


def accept(connection: Connection, token: str, password: str, now: int) -> int:
    """Make the account that an invitation is for; its number.

    Raises BountyError if the link doesn't hold or the password is too short.
    """
    row = invitation_of(connection, token, now)
    require_good_password(password, row.email)
    connection.execute(
        update(Invitation).where(Invitation.invitation_id == row.invitation_id).values(accepted_at=now)
    )
    return add_user(
        connection,
        email=row.email,
        name=row.name,
        role=row.role,
        promoter_id=row.promoter_id,
        password=password,
        now=now,
    )


def require_good_password(password: str, email: str) -> None:
    """Raises BountyError for a password that is too short, too long, or little more than the e-mail."""
    if not SHORTEST <= len(password) <= 128:
        raise BountyError(
            f"Choose a password of {SHORTEST} to 128 characters.", f"密码须为 {SHORTEST} 至 128 个字符。"
        )
    name, lowered = email.partition("@")[0].lower(), password.lower()
    if len(set(password)) < 5 or lowered in email or (len(name) > 3 and name in lowered):
        raise BountyError(
            "Choose a password that is harder to guess.", "密码太容易猜到：请勿使用邮箱名或少数几个重复字符。"
        )


def add_user(
    connection: Connection,
    *,
    email: str,
    name: str,
    role: str,
    password: str,
    now: int,
    promoter_id: int | None = None,
) -> int:
    """A new account; its number."""
    inserted = connection.execute(
        insert(User)
        .values(
            email=email,
            name=name,
            role=role,
            promoter_id=promoter_id,
            password=hashed(password),
            active=True,
            fs_uniquifier=secrets.token_hex(16),
            created_at=now,
        )
        .returning(User.id)
    )
    user_id: int = inserted.scalar_one()
    what = {"name": name, "role": role, "promoter_id": promoter_id}
    record(connection, "user.add", email, now, after=what)
    return user_id


def set_role(connection: Connection, email: str, role: str, now: int) -> None:
    """Give an account of staff another role; its sessions end.

    Raises BountyError for an unknown account or role, or where a promoter's account is concerned.
    """
    user = _user(connection, email)
    if role not in ROLES or "promoter" in (role, user.role):
        raise BountyError(
            f"Staff are operator, finance or admin, and a promoter's account stays one: {role!r} can't be."
        )
    if user.role == role:
        return
    _change(connection, user, role=role)
    record(connection, "user.role", user.email, now, before={"role": user.role}, after={"role": role})


def disable(connection: Connection, email: str, now: int) -> None:
    """Let an account log in no more; its sessions end at once.

    Raises BountyError for the account that acts, so that nobody shuts themselves out.
    """
    user = _user(connection, email)
    if not user.active:
        return
    if user.user_id == actor_of(connection).user_id:
        raise BountyError("You can't disable your own account.", "不能停用自己的账号。")
    _change(connection, user, active=False)
    record(connection, "user.disable", user.email, now)


def enable(connection: Connection, email: str, now: int) -> None:
    """Let a disabled account log in again."""
    user = _user(connection, email)
    if user.active:
        return
    _change(connection, user, active=True)
    record(connection, "user.enable", user.email, now)


class _User(NamedTuple):
    user_id: int
    email: str
    role: str
    active: bool


def _change(connection: Connection, user: _User, **values: str | bool) -> None:
    # Another name in its cookies ends an account's sessions.
    values["fs_uniquifier"] = secrets.token_hex(16)
    connection.execute(update(User).where(User.id == user.user_id).values(**values))


def users(connection: Connection) -> list[AccountRow]:
    """Every account."""
    return fetch_all(connection, accounts().order_by(User.role, User.email), AccountRow)


def accounts() -> Query:
    """Every account, as ``AccountRow``."""
    login = (
        select(func.max(AuditEvent.happened_at))
        .where(AuditEvent.subject == User.email, AuditEvent.act == "user.login")
        .correlate(User)
        .scalar_subquery()
    )
    return select(
        User.id.label("user_id"),
        User.email,
        User.name,
        User.role,
        User.promoter_id,
        User.active,
        or_(User.tf_totp_secret.is_not(None), exists().where(Passkey.user_id == User.id)).label(
            "second_factor"
        ),
        User.created_at,
        login.label("logged_in_at"),
    )


def account_of_promoter(connection: Connection, promoter_id: int) -> Row[int, str] | None:
    """user_id and email of a promoter's account; null where there is none."""
    account = select(User.id.label("user_id"), User.email).where(User.promoter_id == promoter_id)
    return connection.execute(account).first()


def count_promoter_accounts(connection: Connection) -> int:
    """How many promoters can log in."""
    active = select(func.count()).where(User.role == "promoter", User.active.is_(true()))
    counted: int = connection.execute(active).scalar_one()
    return counted


def _user(connection: Connection, email: str) -> _User:
    columns = select(User.id.label("user_id"), User.email, User.role, User.active)
    row = fetch_first(connection, columns.where(User.email == normalised(email)), _User)
    if row is None:
        raise BountyError(f"There is no account {email}: `bounty user list` shows them.")
    return row


def require_account(connection: Connection) -> None:
    """Raises BountyError unless whoever acts has logged in: a name that a shell gives proves nothing."""
    if actor_of(connection).user_id is None:
        raise NEEDS_ACCOUNT


def has_users(connection: Connection) -> bool:
    """Whether there is any account."""
    return bool(connection.execute(select(exists().where(User.id.is_not(None)))).scalar())


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()
