"""Log-in, log-out, reset and second factor: Flask-Security over the ``users`` table, and what we ask of it beyond."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from flask import Flask, abort, current_app, request
from flask_login import current_user, user_logged_out
from flask_security import (
    ChangePasswordForm,
    ForgotPasswordForm,
    LoginForm,
    MailUtil,
    PasswordUtil,
    Security,
    Totp,
    TwoFactorVerifyCodeForm,
    UserMixin,
    VerifyForm,
    password_changed,
    password_reset,
    tf_profile_changed,
    user_authenticated,
    wan_deleted,
    wan_registered,
)
from flask_security.recoverable import generate_reset_password_token
from flask_security.utils import get_message, login_user, url_for_security
from passlib.totp import TotpMatch
from sqlalchemy import Engine, select
from werkzeug.wrappers import Response
from wtforms import Field

from bounty.accounts import devices
from bounty.accounts.limits import forget_tries, normalised, patience
from bounty.accounts.login_site import (
    EXTENSION,
    Account,
    Credential,
    Datastore,
    LoginSite,
    Reading,
    Role,
    in_reader_language,
    login_site,
    reader_language,
)
from bounty.accounts.passwords import LANES, MEMORY_KIB, PASSES, SHORTEST
from bounty.accounts.second_factor_forms import (
    FACTOR_CONFIG,
    Challenges,
    LimitedRecovery,
    PasskeyBegin,
    PasskeyLogin,
    ProvenDelete,
    ProvenRecoveryCodes,
    ProvenRegister,
    ProvenSetup,
    RecoveryCodes,
    RegisterAnswer,
)
from bounty.accounts.service import require_good_password
from bounty.db import wait_for_turn
from bounty.errors import BountyError
from bounty.notifications.outbox import MessageText, notify_account

CONFIG: dict[str, object] = {
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


class _LeadingOn:
    """A form that leads on to where one wanted to go, or, where there is no such page here, home; it is no mistake."""

    def validate_next(self, field: Field) -> None:
        """In place of the library's, which tells apart by text what is elsewhere."""
        if not login_site().may_go_to(field.data or ""):
            field.data = ""


class LimitedLogin(_LeadingOn, LoginForm):
    """The log-in form; it asks for patience after too many failures, whether or not there is such an account."""

    remember = None  # a cookie that would outlive the time-outs

    def validate(self, **kwargs: object) -> bool:
        """Whether the log-in may go on."""
        accounts = login_site()
        asker = accounts.asker(self.email.data or "")
        if wait := accounts.seconds_to_wait("guess", asker):
            self.form_errors.append(in_reader_language(patience(wait)))
            return False
        good = bool(super().validate(**kwargs))
        if not good and self.ifield is not None:  # an e-mail and a password were tried
            accounts.count("guess", asker)
        return good


class LimitedCode(TwoFactorVerifyCodeForm):
    """The form of a second factor's code, of which there are only a million."""

    def validate(self, **kwargs: object) -> bool:
        """Whether the code holds, and not too many were wrong."""
        assert isinstance(self.user, Account)
        accounts = login_site()
        wait = 0 if self.is_setup else accounts.seconds_to_wait("guess", accounts.asker(self.user.email))
        if wait:
            self.form_errors.append(in_reader_language(patience(wait)))
            return False
        return bool(super().validate(**kwargs))


class LimitedReset(ForgotPasswordForm):
    """The form that asks for a link by mail."""

    def validate(self, **kwargs: object) -> bool:
        """Never true: the library then says for every address what it says for one without an account. The mail is
        written here; for an address without an account one is made as well, and dropped, which takes as long."""
        good = bool(super().validate(**kwargs))
        if "csrf_token" in self.errors:
            return False
        accounts = login_site()
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
                notify_account(accounts.turn(), "account", cause, user.id, letter, accounts.now())
            accounts.count("reset", asker)
        return False


def enter(user_id: int) -> Response | None:
    """Log in whoever has just proved to be an account's owner; where a second factor has to be set up first, the answer
    that leads there, else null."""
    site = login_site()
    account = site.session.get_one(Account, user_id)
    plugins = current_app.extensions["security"].two_factor_plugins
    leading: Response | None = plugins.tf_enter(account, False, "password", next_loc=None)
    if leading is None:
        login_user(account, authn_via=["password"])
        site.session.commit()
    return leading


def _reset_letter(token: str) -> MessageText:
    """Its link has the host and port that the worker sends with, never those of the request."""
    return MessageText(
        ("重置密码", "Reset the password"),
        "请在 15 分钟内打开文末的链接设置新密码，它只能使用一次。\n"
        "如果您没有要求重置密码，请忽略这封邮件，密码不会改变。",
        "Choose a new password by the link below. It expires in 15 minutes and can be used once.\n"
        "If you did not ask for this, ignore the mail: your password stays as it is.",
        url_for_security("reset_password", token=token),
    )


class _LimitedPassword:
    """A form that asks a person who is in for their password; whoever holds their session must not guess it."""

    def validate(self, **kwargs: object) -> bool:
        """Whether the form holds, and not too many passwords were wrong."""
        assert isinstance(self, ChangePasswordForm | VerifyForm)
        accounts = login_site()
        asker = accounts.asker(current_user.email)
        if wait := accounts.seconds_to_wait("guess", asker):
            self.form_errors.append(in_reader_language(patience(wait)))
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
        session = login_site().session
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
        recipient: str | tuple[str, str],
        sender: str | tuple[str, str],
        body: str | None,
        html: str | None,
        **context: object,
    ) -> None:
        """Write one, in the language of whoever asks."""
        accounts, words = login_site(), body or ""
        cause = f"{template} {secrets.token_hex(8)}"
        letter = MessageText((subject, subject), words, words)
        user = context["user"]
        assert isinstance(user, Account)
        notify_account(
            accounts.turn(), "account", cause, user.id, letter, accounts.now(), language=reader_language()
        )

    def normalize(self, email: str) -> str:
        """As accounts are kept."""
        return normalised(email)

    def validate(self, email: str) -> str:
        """No more than that: mail goes to accounts only, whose addresses were looked at when they were invited."""
        return normalised(email)


class _Passwords(PasswordUtil):
    def validate(self, password: str, is_register: bool, **kwargs: object) -> tuple[list[str] | None, str]:
        user = kwargs.get("user")
        try:
            require_good_password(password, user.email if isinstance(user, UserMixin) else "")
        except BountyError as refusal:
            return [in_reader_language(refusal)], password
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
    accounts = app.extensions[EXTENSION] = LoginSite(
        engine, now, reading, may_go_to, second_factor=second_factor
    )
    app.config.update(CONFIG | FACTOR_CONFIG)
    app.config["SECURITY_TOTP_SECRETS"] = {"1": totp_key}
    devices.install(app)
    datastore = Datastore(accounts.session, Account, Role, Credential)
    Security(
        app,
        datastore,
        login_form=LimitedLogin,
        forgot_password_form=LimitedReset,
        two_factor_setup_form=ProvenSetup,
        two_factor_verify_code_form=LimitedCode,
        change_password_form=LimitedChange,
        verify_form=LimitedVerify,
        wan_register_form=ProvenRegister,
        wan_register_response_form=RegisterAnswer,
        wan_signin_form=PasskeyBegin,
        wan_signin_response_form=PasskeyLogin,
        wan_delete_form=ProvenDelete,
        mf_recovery_codes_form=ProvenRecoveryCodes,
        mf_recovery_form=LimitedRecovery,
        webauthn_util_cls=Challenges,
        mf_recovery_codes_util_cls=RecoveryCodes,
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

    def logged_in(_app: Flask, user: Account, **_more: object) -> None:
        forget_tries(accounts.turn(), accounts.asker(user.email))
        devices.remember_device(user.id)
        accounts.record("user.login", user)
        accounts.session.commit()

    def logged_out(_app: Flask, user: Account, **_more: object) -> None:
        # Every session of the account ends: a cookie that was kept names nobody any more.
        held = accounts.session.get_one(Account, user.id)
        held.fs_uniquifier = secrets.token_hex(16)
        accounts.record("user.logout", held)
        accounts.session.commit()

    def changed(act: str) -> Callable[..., None]:
        def heard(_app: Flask, user: Account, name: str | None = None, **_more: object) -> None:
            accounts.record(act, user, reason=name)

        return heard

    def reset(_app: Flask, user: Account, **_more: object) -> None:
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
        (wan_registered, "user.passkey_add"),
        (wan_deleted, "user.passkey_remove"),
    ):
        signal.connect(changed(act), app, weak=False)
