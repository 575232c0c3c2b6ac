"""Log-in, log-out, reset and second factor: Flask-Security over the ``users`` table, and what we ask of it beyond."""

import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

from flask import Flask, current_app, has_request_context, request
from flask_babel import get_locale
from flask_login import current_user, user_logged_out
from flask_mailman import Mail
from flask_security import (
    ChangePasswordForm,
    LoginForm,
    PasswordUtil,
    RoleMixin,
    Security,
    SQLAlchemySessionUserDatastore,
    Totp,
    TwoFactorVerifyCodeForm,
    UserMixin,
    VerifyForm,
    password_changed,
    password_reset,
    tf_profile_changed,
    user_authenticated,
)
from flask_security.utils import get_message
from passlib.totp import TotpMatch
from sqlalchemy import Connection, Engine, bindparam, select
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from bounty.accounts.passwords import LANES, MEMORY_KIB, PASSES, SHORTEST
from bounty.accounts.service import PATIENCE, must_wait, note_failed_login, require_good_password
from bounty.audit.service import Actor, record
from bounty.db import Words, snapshot, transaction, wait_for_turn
from bounty.errors import BountyError
from bounty.models import User

_EXTENSION = "bounty.accounts"
Reading = Callable[[], AbstractContextManager[Connection]]
CONFIG: dict[str, Any] = {
    "SECURITY_PASSWORD_HASH": "argon2",
    "SECURITY_PASSWORD_SCHEMES": ["argon2"],
    "SECURITY_DEPRECATED_PASSWORD_SCHEMES": [],
    # A plain argon2 hash, which `bounty.accounts.passwords` makes as well, outside of a request.
    "SECURITY_PASSWORD_SINGLE_HASH": ["argon2"],
    "SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS": {
        "argon2__memory_cost": MEMORY_KIB,
        "argon2__rounds": PASSES,
        "argon2__parallelism": LANES,
    },
    "SECURITY_PASSWORD_LENGTH_MIN": SHORTEST,
    "SECURITY_PASSWORD_NORMALIZE_FORM": None,
    "SECURITY_RETURN_GENERIC_RESPONSES": True,
    "SECURITY_RECOVERABLE": True,
    "SECURITY_RESET_PASSWORD_WITHIN": timedelta(minutes=15),
    "SECURITY_CHANGEABLE": True,
    "SECURITY_TWO_FACTOR": True,
    "SECURITY_TWO_FACTOR_ENABLED_METHODS": ["authenticator"],
    "SECURITY_TWO_FACTOR_RESCUE_EMAIL": False,
    "SECURITY_TWO_FACTOR_ALWAYS_VALIDATE": True,
    "SECURITY_TOTP_ISSUER": "bounty",
    "SECURITY_TWO_FACTOR_AUTHENTICATOR_VALIDITY": 30,  # s by which clocks may differ: one code before and after
    "SECURITY_POST_LOGIN_VIEW": "/",
    "SECURITY_POST_LOGOUT_VIEW": "/login",
    "SECURITY_POST_CHANGE_VIEW": "/",
    "SECURITY_LOGOUT_METHODS": ["POST"],
    "SECURITY_EMAIL_HTML": False,
    "SECURITY_FLASH_MESSAGES": True,
    "SECURITY_EMAIL_VALIDATOR_ARGS": {"check_deliverability": False},
}
"""What does not differ between installations."""


class Role(RoleMixin):
    """A role by its name; an account has exactly one, in a column of its own."""

    def __init__(self, name: str) -> None:
        self.name = name


class Account(User, UserMixin):
    """A row of ``users``, as Flask-Security wants it."""

    @property
    def roles(self) -> list[RoleMixin]:  # type: ignore[override]  # theirs is a column
        """Its one role."""
        return [Role(self.role)]

    def check_tf_required(
        self, tf_setup_methods: list[tuple[str, str]], tf_fresh: bool
    ) -> tuple[bool, list[tuple[str, str]]]:
        """A second factor is asked of whoever has one, and of all staff where the site is a real one."""
        return bool(tf_setup_methods) or self.check_tf_required_setup(), tf_setup_methods

    def check_tf_required_setup(self) -> bool:
        """Whether this account must have a second factor."""
        return _accounts().second_factor and self.role != "promoter"

    def track_failed_authn(self, auth_type: str, tfa: bool = False) -> None:
        """A wrong code counts like a wrong password, which the form of the log-in counts itself."""
        if tfa:
            _accounts().count_failure(self.email)


class _Datastore(SQLAlchemySessionUserDatastore):
    def find_user(self, case_insensitive: bool = False, **kwargs: Any) -> Account | None:
        """The account with an attribute's value; theirs would join a table of roles, which we have not."""
        ((name, value),) = kwargs.items()
        if name == "fs_uniquifier" and request.blueprint != "security":
            return _account_behind(value)
        if name == "email":  # which we keep in small letters
            value = value.lower()
        query = select(Account).where(getattr(Account, name) == value)
        found: Account | None = self.db.session.scalars(query).one_or_none()
        return found


_COLUMNS = User.__table__.c
_ACCOUNT = select(*(column.label(name) for name, column in User.__mapper__.columns.items())).where(
    _COLUMNS.fs_uniquifier == bindparam("uniquifier", type_=Words())
)


def _account_behind(uniquifier: str) -> Account | None:
    """The account that a session names, to be looked at by our own pages; the library's change theirs."""
    with _accounts().reading() as connection:
        row = connection.execute(_ACCOUNT, {"uniquifier": uniquifier}).first()
    return None if row is None else Account(**row._mapping)


class _Session(Session):
    """The accounts' session: it reads like a reader, and begins as a writer where a request may change an account.

    A transaction that began as a reader can't become a writer on SQLite once another has written.
    """

    def get_bind(self, *args: Any, **kwargs: Any) -> Any:
        writes = has_request_context() and request.method == "POST" and request.blueprint == "security"
        return _accounts().writing if writes else _accounts().engine


class _Accounts:
    """What the log-in needs to know of the site it stands in."""

    def __init__(
        self, engine: Engine, now: Callable[[], int], reading: Reading, *, second_factor: bool
    ) -> None:
        self.engine, self.now, self.reading, self.second_factor = engine, now, reading, second_factor
        # Made once: a session opens a second connection for what looks like a second engine.
        self.writing = engine.execution_options(writing=True)
        self.session: scoped_session[Any] = scoped_session(
            sessionmaker(class_=_Session, expire_on_commit=False)
        )

    def count_failure(self, email: str) -> None:
        """On a connection of its own, so that it stays whatever becomes of the request."""
        self.session.rollback()
        with transaction(self.engine) as connection:
            note_failed_login(connection, email, request.remote_addr or "", self.now())

    def must_wait(self, email: str) -> bool:
        with snapshot(self.engine) as connection:
            return must_wait(connection, email, request.remote_addr or "", self.now())

    def record(self, act: str, user: Account, reason: str | None = None) -> None:
        """An act of an account upon itself, in the session's own transaction."""
        actor = Actor(user.email, user.id, user.role, request.remote_addr, None)
        record(self.session.connection(), act, user.email, self.now(), reason=reason, by=actor)


def _accounts() -> _Accounts:
    accounts: _Accounts = current_app.extensions[_EXTENSION]
    return accounts


def _said(refusal: BountyError) -> str:
    """In the reader's language; the library's own sentences come by the same choice."""
    return refusal.zh if str(get_locale()).startswith("zh") else str(refusal)


class LimitedLogin(LoginForm):
    """The log-in form; it asks for patience after too many failures, whether or not there is such an account."""

    remember = None  # a cookie that would outlive the time-outs

    def validate(self, **kwargs: Any) -> bool:
        """Whether the log-in may go on."""
        email = self.email.data or ""
        if _accounts().must_wait(email):
            self.form_errors.append(_said(PATIENCE))
            return False
        good = bool(super().validate(**kwargs))
        if not good and email:
            _accounts().count_failure(email)
        return good


class LimitedCode(TwoFactorVerifyCodeForm):
    """The form of a second factor's code, of which there are only a million."""

    def validate(self, **kwargs: Any) -> bool:
        """Whether the code holds, and not too many were wrong."""
        assert isinstance(self.user, Account)
        if not self.is_setup and _accounts().must_wait(self.user.email):
            self.form_errors.append(_said(PATIENCE))
            return False
        return bool(super().validate(**kwargs))


class _LimitedPassword:
    """A form that asks a person who is in for their password; whoever holds their session must not guess it."""

    def validate(self, **kwargs: Any) -> bool:
        """Whether the form holds, and not too many passwords were wrong."""
        assert isinstance(self, ChangePasswordForm | VerifyForm)
        email = current_user.email
        if _accounts().must_wait(email):
            self.form_errors.append(_said(PATIENCE))
            return False
        good = bool(super().validate(**kwargs))  # type: ignore[misc]
        wrong, _ = get_message("INVALID_PASSWORD")
        if not good and wrong in self.password.errors:  # other mistakes are no guesses
            _accounts().count_failure(email)
        return good


class LimitedChange(_LimitedPassword, ChangePasswordForm):
    """The form of a new password, which asks for the present one."""


class LimitedVerify(_LimitedPassword, VerifyForm):
    """The form that asks for the password again before something that matters."""


class _OneTime(Totp):
    """Codes that serve once: within its half minute, whoever saw one could use it too."""

    def get_last_counter(self, user: UserMixin) -> int | None:
        """The last one accepted, until the request ends: of two that bring the same code at once, one waits."""
        assert isinstance(user, Account)
        session = _accounts().session
        wait_for_turn(session.connection())
        counter: int | None = session.scalar(select(Account.last_totp_counter).where(Account.id == user.id))
        return counter

    def set_last_counter(self, user: UserMixin, tmatch: TotpMatch) -> None:
        """Written with the log-in, in one transaction."""
        assert isinstance(user, Account)
        user.last_totp_counter = tmatch.counter


class _Passwords(PasswordUtil):
    def validate(self, password: str, is_register: bool, **kwargs: Any) -> tuple[list[str] | None, str]:
        user = kwargs.get("user")
        try:
            require_good_password(password, "" if user is None else user.email)
        except BountyError as refusal:
            return [_said(refusal)], password
        return None, password


def install(
    app: Flask,
    engine: Engine,
    now: Callable[[], int],
    *,
    reading: Reading,
    totp_key: str,
    second_factor: bool,
) -> None:
    """Let people log in.

    reading        what the request reads is read in this
    totp_key       encrypts the secrets of second factors
    second_factor  whether staff must have one
    """
    accounts = app.extensions[_EXTENSION] = _Accounts(engine, now, reading, second_factor=second_factor)
    app.config.update(CONFIG)
    app.config["SECURITY_TOTP_SECRETS"] = {"1": totp_key}
    Mail(app)
    datastore = _Datastore(accounts.session, Account, Role)
    Security(
        app,
        datastore,
        login_form=LimitedLogin,
        two_factor_verify_code_form=LimitedCode,
        change_password_form=LimitedChange,
        verify_form=LimitedVerify,
        totp_cls=_OneTime,
        password_util_cls=_Passwords,
        register_blueprint=True,
    )
    # The library would also take a token in place of a session, and a token knows no time-outs.
    app.login_manager.request_loader(lambda _request: None)  # type: ignore[attr-defined]

    @app.teardown_appcontext
    def _close(_error: BaseException | None) -> None:
        accounts.session.remove()

    def logged_in(_app: Flask, user: Account, **_more: Any) -> None:
        accounts.record("user.login", user)
        accounts.session.commit()

    def logged_out(_app: Flask, user: Account, **_more: Any) -> None:
        # Every session of the account ends: a cookie that was kept names nobody any more.
        held = accounts.session.get_one(Account, user.id)
        held.fs_uniquifier = secrets.token_hex(16)
        accounts.record("user.logout", held)
        accounts.session.commit()

    def changed(act: str) -> Callable[..., None]:
        def heard(_app: Flask, user: Account, **_more: Any) -> None:
            accounts.record(act, user)

        return heard

    user_authenticated.connect(logged_in, app, weak=False)
    user_logged_out.connect(logged_out, app, weak=False)
    for signal, act in (
        (password_changed, "user.password"),
        (password_reset, "user.reset"),
        (tf_profile_changed, "user.second_factor"),
    ):
        signal.connect(changed(act), app, weak=False)
