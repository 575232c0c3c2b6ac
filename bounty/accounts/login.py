"""Log-in, log-out, reset and second factor: Flask-Security over the ``users`` table, and what we ask of it beyond."""

import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from flask import Flask, abort, current_app, has_request_context, request
from flask_babel import get_locale
from flask_login import current_user, user_logged_out
from flask_security import (
    ChangePasswordForm,
    ForgotPasswordForm,
    LoginForm,
    MailUtil,
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
from flask_security.recoverable import generate_reset_password_token
from flask_security.utils import get_message, login_user, url_for_security
from passlib.totp import TotpMatch
from sqlalchemy import Connection, Engine, bindparam, select
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from bounty.accounts import devices
from bounty.accounts.limits import (
    Asker,
    Kind,
    count_try,
    forget_tries,
    normalised,
    patience,
    seconds_to_wait,
)
from bounty.accounts.passwords import LANES, MEMORY_KIB, PASSES, SHORTEST
from bounty.accounts.service import require_good_password
from bounty.audit.service import Actor, record
from bounty.db import Words, wait_for_turn
from bounty.errors import BountyError
from bounty.models import User
from bounty.notifications.outbox import MessageText, tell_account

_EXTENSION = "bounty.accounts"
ENTERING = "people.invitation"
"""The endpoint, beside the library's own, that logs an account in."""
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
            accounts = _accounts()
            accounts.count("guess", accounts.asker(self.email))


class _Datastore(SQLAlchemySessionUserDatastore):
    def find_user(self, case_insensitive: bool = False, **kwargs: Any) -> Account | None:
        """The account with an attribute's value; theirs would join a table of roles, which we have not."""
        ((name, value),) = kwargs.items()
        if name == "fs_uniquifier" and request.blueprint != "security":
            return _account_behind(value)
        if name == "email":
            value = normalised(value)
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
        writes = has_request_context() and request.method == "POST" and _changes_accounts()
        return _accounts().writing if writes else _accounts().engine


def _changes_accounts() -> bool:
    """Whether a POST may change an account: the library's own, and a log-in that follows an accepted invitation."""
    return request.blueprint == "security" or request.endpoint == ENTERING


class _Accounts:
    """What the log-in needs to know of the site it stands in."""

    def __init__(
        self,
        engine: Engine,
        now: Callable[[], int],
        reading: Reading,
        may_go_to: Callable[[str], bool],
        *,
        second_factor: bool,
    ) -> None:
        self.engine, self.now, self.reading, self.second_factor = engine, now, reading, second_factor
        self.may_go_to = may_go_to
        # Made once: a session opens a second connection for what looks like a second engine.
        self.writing = engine.execution_options(writing=True)
        self.session: scoped_session[Any] = scoped_session(
            sessionmaker(class_=_Session, expire_on_commit=False)
        )

    def turn(self) -> Connection:
        """The session's connection, the one writer until the request ends or commits: of tries made at once each is
        evaluated after the one before it has been counted."""
        connection: Connection = self.session.connection()
        wait_for_turn(connection)
        return connection

    def asker(self, email: str) -> Asker:
        """Who tries, for the account of an e-mail."""
        name = normalised(email)
        user_id = self.session.scalar(select(Account.id).where(Account.email == name))
        return Asker(name, request.remote_addr or "", devices.known_device(user_id))

    def seconds_to_wait(self, kind: Kind, asker: Asker) -> int:
        return seconds_to_wait(self.turn(), kind, asker, self.now())

    def count(self, kind: Kind, asker: Asker) -> None:
        """In the transaction in which the try was evaluated, and kept whatever becomes of the request."""
        count_try(self.turn(), kind, asker, self.now())
        self.session.commit()

    def record(self, act: str, user: Account, reason: str | None = None) -> None:
        """An act of an account upon itself, in the session's own transaction."""
        actor = Actor(user.email, user.id, user.role, request.remote_addr, None)
        record(self.session.connection(), act, user.email, self.now(), reason=reason, by=actor)


def _accounts() -> _Accounts:
    accounts: _Accounts = current_app.extensions[_EXTENSION]
    return accounts


def enter(user_id: int) -> Any | None:
    """Log in whoever has just proved to be an account's owner; where a second factor has to be set up first, the answer
    that leads there, else null."""
    accounts = _accounts()
    account = accounts.session.get_one(Account, user_id)
    plugins = current_app.extensions["security"].two_factor_plugins
    leading = plugins.tf_enter(account, False, "password", next_loc=None)
    if leading is None:
        login_user(account, authn_via=["password"])
        accounts.session.commit()
    return leading


def _language() -> str:
    return "zh" if str(get_locale()).startswith("zh") else "en"


def _said(refusal: BountyError) -> str:
    """In the reader's language; the library's own sentences come by the same choice."""
    return refusal.zh if _language() == "zh" else str(refusal)


class _LeadingOn:
    """A form that leads on to where one wanted to go, or, where there is no such page here, home; it is no mistake."""

    def validate_next(self, field: Any) -> None:
        """In place of the library's, which tells apart by text what is elsewhere."""
        if not _accounts().may_go_to(field.data or ""):
            field.data = ""


class LimitedLogin(_LeadingOn, LoginForm):
    """The log-in form; it asks for patience after too many failures, whether or not there is such an account."""

    remember = None  # a cookie that would outlive the time-outs

    def validate(self, **kwargs: Any) -> bool:
        """Whether the log-in may go on."""
        accounts = _accounts()
        asker = accounts.asker(self.email.data or "")
        if wait := accounts.seconds_to_wait("guess", asker):
            self.form_errors.append(_said(patience(wait)))
            return False
        good = bool(super().validate(**kwargs))
        if not good and self.ifield is not None:  # an e-mail and a password were tried
            accounts.count("guess", asker)
        return good


class LimitedCode(TwoFactorVerifyCodeForm):
    """The form of a second factor's code, of which there are only a million."""

    def validate(self, **kwargs: Any) -> bool:
        """Whether the code holds, and not too many were wrong."""
        assert isinstance(self.user, Account)
        accounts = _accounts()
        wait = 0 if self.is_setup else accounts.seconds_to_wait("guess", accounts.asker(self.user.email))
        if wait:
            self.form_errors.append(_said(patience(wait)))
            return False
        return bool(super().validate(**kwargs))


class LimitedReset(ForgotPasswordForm):
    """The form that asks for a link by mail."""

    def validate(self, **kwargs: Any) -> bool:
        """Never true: the library then says for every address what it says for one without an account. The mail is
        written here; for an address without an account one is made as well, and dropped, which takes as long."""
        good = bool(super().validate(**kwargs))
        if "csrf_token" in self.errors:
            return False
        accounts = _accounts()
        asker = accounts.asker(self.email.data or "")
        nobody = Account(email=asker.email, fs_uniquifier=secrets.token_hex(16))
        nobody.password = nobody.fs_uniquifier
        user = self.user if good and self.user is not None else nobody
        # Signing takes a quarter of a second, for which no writer is kept waiting.
        accounts.session.expunge_all()
        accounts.session.rollback()
        token = generate_reset_password_token(user)  # type: ignore[no-untyped-call]
        letter = _reset_letter(token)
        if not accounts.seconds_to_wait("reset", asker):
            if user is not nobody:
                cause = f"reset {secrets.token_hex(8)}"
                tell_account(accounts.turn(), "account", cause, user.id, letter, accounts.now())
            accounts.count("reset", asker)
        return False


def _reset_letter(token: str) -> MessageText:
    """Its link has the host and port that the worker sends with, never those of the request."""
    return MessageText(
        ("重设密码", "Reset the password"),
        "请在 15 分钟内打开文末的链接设置新密码，它只能使用一次。\n"
        "如果您没有要求重设密码，请忽略这封邮件，密码不会改变。",
        "Choose a new password by the link below. It expires in 15 minutes and can be used once.\n"
        "If you did not ask for this, ignore the mail: your password stays as it is.",
        url_for_security("reset_password", token=token),
    )


class _LimitedPassword:
    """A form that asks a person who is in for their password; whoever holds their session must not guess it."""

    def validate(self, **kwargs: Any) -> bool:
        """Whether the form holds, and not too many passwords were wrong."""
        assert isinstance(self, ChangePasswordForm | VerifyForm)
        accounts = _accounts()
        asker = accounts.asker(current_user.email)
        if wait := accounts.seconds_to_wait("guess", asker):
            self.form_errors.append(_said(patience(wait)))
            return False
        good = bool(super().validate(**kwargs))  # type: ignore[misc]
        wrong, _ = get_message("INVALID_PASSWORD")
        if not good and wrong in self.password.errors:  # other mistakes are no guesses
            accounts.count("guess", asker)
        return good


class LimitedChange(_LimitedPassword, ChangePasswordForm):
    """The form of a new password, which asks for the present one."""


class LimitedVerify(_LeadingOn, _LimitedPassword, VerifyForm):
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


class _Mails(MailUtil):
    """The library's notices go into the outbox, in the transaction of what they tell."""

    def send_mail(
        self,
        template: str,
        subject: str,
        recipient: Any,
        sender: Any,
        body: str | None,
        html: str | None,
        **context: Any,
    ) -> None:
        """Write one, in the language of whoever asks."""
        accounts, words = _accounts(), body or ""
        cause = f"{template} {secrets.token_hex(8)}"
        letter = MessageText((subject, subject), words, words)
        user_id = context["user"].id
        tell_account(accounts.turn(), "account", cause, user_id, letter, accounts.now(), language=_language())

    def normalize(self, email: str) -> str:
        """As accounts are kept."""
        return normalised(email)

    def validate(self, email: str) -> str:
        """No more than that: mail goes to accounts only, whose addresses were looked at when they were invited."""
        return normalised(email)


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
    may_go_to: Callable[[str], bool],
    totp_key: str,
    second_factor: bool,
) -> None:
    """Let people log in.

    reading        what the request reads is read in this
    may_go_to      whether an address is that of a page here, to which a log-in may lead on
    totp_key       encrypts the secrets of second factors
    second_factor  whether staff must have one
    """
    accounts = app.extensions[_EXTENSION] = _Accounts(
        engine, now, reading, may_go_to, second_factor=second_factor
    )
    app.config.update(CONFIG)
    app.config["SECURITY_TOTP_SECRETS"] = {"1": totp_key}
    devices.install(app)
    datastore = _Datastore(accounts.session, Account, Role)
    Security(
        app,
        datastore,
        login_form=LimitedLogin,
        forgot_password_form=LimitedReset,
        two_factor_verify_code_form=LimitedCode,
        change_password_form=LimitedChange,
        verify_form=LimitedVerify,
        totp_cls=_OneTime,
        password_util_cls=_Passwords,
        mail_util_cls=_Mails,
        register_blueprint=True,
    )
    # The library would also take a token in place of a session, and a token knows no time-outs.
    app.login_manager.request_loader(lambda _request: None)  # type: ignore[attr-defined]

    @app.before_request
    def _by_form() -> None:
        # The library would take JSON too, whose text can hold what no form does; nobody here sends it.
        if request.blueprint == "security" and request.is_json:
            abort(400)

    @app.teardown_appcontext
    def _close(_error: BaseException | None) -> None:
        accounts.session.remove()

    def logged_in(_app: Flask, user: Account, **_more: Any) -> None:
        forget_tries(accounts.turn(), accounts.asker(user.email))
        devices.remember_device(user.id)
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

    def reset(_app: Flask, user: Account, **_more: Any) -> None:
        """Whoever reads the account's mail is its owner: no guess made before stands in the way, nor one to come."""
        asker = accounts.asker(user.email)
        for each in (asker, replace(asker, device=None)):
            forget_tries(accounts.turn(), each)
        devices.remember_device(user.id)
        accounts.record("user.reset", user)

    user_authenticated.connect(logged_in, app, weak=False)
    user_logged_out.connect(logged_out, app, weak=False)
    password_reset.connect(reset, app, weak=False)
    for signal, act in (
        (password_changed, "user.password"),
        (tf_profile_changed, "user.second_factor"),
    ):
        signal.connect(changed(act), app, weak=False)
