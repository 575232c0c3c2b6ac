"""Proving who one is beside the page for it: a password at the command line, a fresh second factor before an act."""

from dataclasses import dataclass
from typing import NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from passlib.totp import TOTP, TokenError
from sqlalchemy import Connection, Engine, Row, exists, select, update

from bounty.accounts.limits import Asker, count_try, forget_tries, normalised, patience, seconds_to_wait
from bounty.accounts.passkeys import PasskeyAnswer, answer_holds
from bounty.accounts.passwords import hashed
from bounty.audit.service import Actor, record
from bounty.db import transaction
from bounty.errors import BountyError
from bounty.models import Passkey, User

WINDOW_SECONDS = 30
"""By so much clocks may differ: one code before and after."""
WRONG_LOG_IN = BountyError(
    "There is no account that this e-mail and password open.", "邮箱或密码不对，或账号已停用。"
)
WRONG_CODE = BountyError(
    "This one-time code doesn't hold, or has served: wait for the next one.",
    "验证码不对，或已经用过：请等下一个验证码再试。",
)
WRONG_PASSKEY = BountyError(
    "This passkey is not known for the account, was copied, or answered too late: try again.",
    "通行密钥验证未通过：可能不属于该账号、曾被复制，或已超时，请重试。",
)
NO_PASSKEY = BountyError("Confirm with your passkey first.", "请先使用通行密钥确认。")


class OpenedAccount(NamedTuple):
    """An account that its password opened."""

    user_id: int
    email: str
    role: str
    has_code: bool
    """Whether a second factor gives one-time codes."""
    has_passkey: bool


def account_behind(engine: Engine, email: str, password: str, now: int, *, device: str) -> OpenedAccount:
    """The account that an e-mail and a password open.

    device  where the request comes from, on which failures are counted by account

    Raises BountyError for a wrong e-mail or password, which is counted, and after too many of them.
    """
    asker = Asker(normalised(email), "", device)
    row = None
    with transaction(engine) as connection:
        if wait := seconds_to_wait(connection, "guess", asker, now):
            refusal = patience(wait)
        else:
            refusal, row = WRONG_LOG_IN, _opened(connection, asker.email, password)
            if row is None:
                count_try(connection, "guess", asker, now)
    if row is None:  # once the failure is kept, whatever becomes of the caller
        raise refusal
    return row


def _opened(connection: Connection, email: str, password: str) -> OpenedAccount | None:
    row = connection.execute(
        select(
            User.id.label("user_id"),
            User.email,
            User.role,
            User.password,
            User.tf_totp_secret.is_not(None).label("has_code"),
            exists().where(Passkey.user_id == User.id).label("has_passkey"),
        ).where(User.email == email, User.active)
    ).first()
    if row is None or row.password is None:
        hashed(password)  # as long as for an account that there is
        return None
    try:
        PasswordHasher().verify(row.password, password)
    except (Argon2Error, InvalidHashError):
        return None
    return OpenedAccount(row.user_id, row.email, row.role, row.has_code, row.has_passkey)


@dataclass(frozen=True, slots=True)
class Proof:
    """What a person brings to show that they are still the account's owner: one of the two."""

    code: str
    """A one-time code."""
    passkey: PasskeyAnswer | None
    """A passkey's answer; null if none was sent."""


def require_proof(
    engine: Engine,
    user_id: int,
    proof: Proof,
    now: int,
    *,
    key: str,
    address: str,
    device: str | None = None,
) -> None:
    """Take a fresh one-time code of an account, or a passkey's answer. Each serves once, whatever becomes of the act.

    key      encrypts the secrets of second factors
    address  where it is brought from, and
    device   on which known one, under which failures are counted

    Raises BountyError for a wrong or used one, which is counted as a wrong password is, and after too many of them.
    """
    with transaction(engine) as connection:
        refusal = proof_refusal(connection, user_id, proof, now, key=key, address=address, device=device)
    if refusal is not None:  # once the failure is kept, whatever becomes of the caller
        raise refusal


def proof_refusal(
    connection: Connection,
    user_id: int,
    proof: Proof,
    now: int,
    *,
    key: str,
    address: str,
    device: str | None,
) -> BountyError | None:
    """Like ``require_proof``, in a writer's transaction that the caller must commit; why not, or null."""
    account = connection.execute(
        select(User.email, User.tf_totp_secret, User.last_totp_counter).where(User.id == user_id)
    ).one()
    asker = Asker(account.email, address, device)
    if wait := seconds_to_wait(connection, "guess", asker, now):
        return patience(wait)
    if proof.passkey is not None:
        if answer_holds(connection, user_id, proof.passkey, now):
            return None
        count_try(connection, "guess", asker, now)
        return WRONG_PASSKEY
    if account.tf_totp_secret is None:
        return NO_PASSKEY
    counter = _counter(account, proof.code, key)
    if counter is None:
        count_try(connection, "guess", asker, now)
        return WRONG_CODE
    connection.execute(update(User).where(User.id == user_id).values(last_totp_counter=counter))
    return None


def _counter(account: Row[str, str | None, int | None], code: str, key: str) -> int | None:
    """Which half minute a code is of; null if it is of none that may still serve."""
    try:
        # By this machine's own clock, as the log-in page asks it: no setting turns an authenticator's.
        match = TOTP.using(secrets={"1": key}).verify(
            code.strip(),
            account.tf_totp_secret,
            window=WINDOW_SECONDS,
            last_counter=account.last_totp_counter,
        )
    except TokenError:
        return None
    counter: int = match.counter
    return counter


def record_log_in(engine: Engine, actor: Actor, now: int, *, device: str) -> None:
    """Keep that an account is in, elsewhere than on the page."""
    with transaction(engine) as connection:
        forget_tries(connection, Asker(actor.name, "", device))
        record(connection, "user.login", actor.name, now, by=actor)
