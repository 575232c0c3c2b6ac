"""Proving who one is beside the page for it: a password at the command line, a fresh one-time code before an act."""

from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from passlib.totp import TOTP, TokenError
from sqlalchemy import Connection, Engine, select, update

from bounty.accounts.limits import Asker, count_try, forget_tries, normalised, patience, seconds_to_wait
from bounty.accounts.passwords import hashed
from bounty.audit.service import Actor, record
from bounty.db import transaction
from bounty.errors import BountyError
from bounty.models import User

WINDOW_SECONDS = 30
"""By so much clocks may differ: one code before and after."""
WRONG_LOG_IN = BountyError(
    "There is no account that this e-mail and password open.", "邮箱或密码不对，或账号已停用。"
)
WRONG_CODE = BountyError(
    "This one-time code doesn't hold, or has served: wait for the next one.",
    "验证码不对，或已经用过：请等下一个验证码再试。",
)


def account_behind(engine: Engine, email: str, password: str, now: int, *, device: str) -> Any:
    """The account that an e-mail and a password open: user_id, email, role, and whether it has a second_factor.

    device  where it is asked from, on which failures are counted by account

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


def _opened(connection: Connection, email: str, password: str) -> Any | None:
    row = connection.execute(
        select(
            User.id.label("user_id"),
            User.email,
            User.role,
            User.password,
            User.tf_totp_secret.is_not(None).label("second_factor"),
        ).where(User.email == email, User.active)
    ).first()
    if row is None or row.password is None:
        hashed(password)  # as long as for an account that there is
        return None
    try:
        PasswordHasher().verify(row.password, password)
    except (Argon2Error, InvalidHashError):
        return None
    return row


def require_code(
    engine: Engine, user_id: int, code: str, now: int, *, key: str, address: str, device: str | None = None
) -> None:
    """Take a fresh one-time code of an account, which serves once, whatever becomes of the act it is brought for.

    key      encrypts the secrets of second factors
    address  where it is brought from, and
    device   on which known one, under which failures are counted

    Raises BountyError for a wrong or used code, which is counted as a wrong password is, and after too many of them.
    """
    refusal: BountyError | None = None
    with transaction(engine) as connection:
        account = connection.execute(
            select(User.email, User.tf_totp_secret, User.last_totp_counter).where(User.id == user_id)
        ).one()
        asker = Asker(account.email, address, device)
        if wait := seconds_to_wait(connection, "guess", asker, now):
            refusal = patience(wait)
        elif (counter := _counter(account, code, key)) is None:
            refusal = WRONG_CODE
            count_try(connection, "guess", asker, now)
        else:
            connection.execute(update(User).where(User.id == user_id).values(last_totp_counter=counter))
    if refusal is not None:
        raise refusal


def _counter(account: Any, code: str, key: str) -> int | None:
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
