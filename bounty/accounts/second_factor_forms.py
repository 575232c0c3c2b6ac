"""Forms of passkeys and recovery codes: the library's, with our limits, our sentences and what it leaves open.

The library looks a passkey up by its own name alone, so whoever knows one account's password could come in with another
account's passkey; and a challenge could be answered twice. Both are refused here.
"""

from hashlib import sha256

from flask import current_app, request, session
from flask_babel import LazyString
from flask_login import current_user
from flask_security import (
    MfRecoveryCodesForm,
    MfRecoveryCodesUtil,
    MfRecoveryForm,
    TwoFactorSetupForm,
    UserMixin,
    WebAuthnDeleteForm,
    WebAuthnRegisterForm,
    WebAuthnRegisterResponseForm,
    WebAuthnSigninForm,
    WebAuthnSigninResponseForm,
    WebauthnUtil,
)
from sqlalchemy import select

from bounty.accounts import devices
from bounty.accounts.identity import NO_PASSKEY, WRONG_PASSKEY, Proof, proof_refusal
from bounty.accounts.limits import patience
from bounty.accounts.login_site import Account, in_reader_language, login_site, reader_language
from bounty.accounts.passkeys import UNREADABLE, PasskeyAnswer, set_challenge, take_challenge
from bounty.errors import BountyError

NEEDS_FACTOR = BountyError(
    "Set up an authenticator or a passkey first: recovery codes stand in for it.",
    "请先设置验证器或通行密钥：恢复码只用于代替它们。",
)
LAST_FACTOR = BountyError(
    "This account must have a second factor, and this passkey is the only one: set up another before you delete it.",
    "该账号必须启用两步验证，而这是唯一的方式：请先设置另一种，再删除它。",
)
WRONG_RECOVERY_CODE = BountyError(
    "This recovery code does not exist or was used before.", "恢复码不正确，或已经使用过。"
)
_RECOVERED = "recovered"
"""Key of a session: the account that came in by a recovery code, and when."""
_RECOVERY_SECONDS = 15 * 60
"""How long after that its second factors can be set up without proof."""
SENTENCES = {
    "API_ERROR": ("无法读取通行密钥的应答，请重试。", "The passkey's answer could not be read: try again."),
    "WEBAUTHN_EXPIRED": ("操作超时，请重新开始。", "That took too long: begin again."),
    "WEBAUTHN_NAME_REQUIRED": ("请填写通行密钥的名称。", "Give the passkey a name."),
    "WEBAUTHN_NAME_INUSE": (
        "已有名为“%(name)s”的通行密钥，请换一个名称。",
        "There is a passkey named %(name)s already: choose another name.",
    ),
    "WEBAUTHN_NAME_NOT_FOUND": ("没有名为“%(name)s”的通行密钥。", "There is no passkey named %(name)s."),
    "WEBAUTHN_NAME_DISALLOWED_CHARACTERS": (
        "名称只能包含文字、数字、空格、下划线和连字符。",
        "A name has letters, digits, blanks, underscores and hyphens only.",
    ),
    "WEBAUTHN_CREDENTIAL_DELETED": ("已删除通行密钥“%(name)s”。", "The passkey %(name)s is deleted."),
    "WEBAUTHN_REGISTER_SUCCESSFUL": ("已添加通行密钥“%(name)s”。", "The passkey %(name)s is registered."),
    "WEBAUTHN_CREDENTIAL_ID_INUSE": ("该通行密钥已经注册。", "This passkey is registered already."),
    "WEBAUTHN_NO_VERIFY": (
        "通行密钥未通过验证，请重试。",
        "The passkey could not be verified: try again.",
    ),
}
"""The library's messages that have no Chinese there, by its names: Chinese, English."""


def _sentence(zh: str, en: str) -> LazyString:
    return LazyString(lambda: zh if reader_language() == "zh" else en)


FACTOR_CONFIG: dict[str, object] = {
    "SECURITY_WEBAUTHN": True,
    "SECURITY_WAN_RP_NAME": "bounty",
    "SECURITY_WAN_ALLOW_AS_FIRST_FACTOR": False,
    "SECURITY_WAN_ALLOW_AS_MULTI_FACTOR": False,
    "SECURITY_WAN_ALLOW_USER_HINTS": True,  # else only keys that keep a person's name would do
    "SECURITY_WAN_REGISTER_URL": "/passkeys",
    "SECURITY_WAN_DELETE_URL": "/passkeys/delete",
    "SECURITY_WAN_SIGNIN_URL": "/passkey",
    "SECURITY_MULTI_FACTOR_RECOVERY_CODES": True,
    "SECURITY_MULTI_FACTOR_RECOVERY_CODES_N": 10,
    "SECURITY_MULTI_FACTOR_RECOVERY_CODES_URL": "/recovery-codes",
    "SECURITY_MULTI_FACTOR_RECOVERY_URL": "/recovery",
    **{f"SECURITY_MSG_{key}": (_sentence(*words), "error") for key, words in SENTENCES.items()},
}
for _key in ("WEBAUTHN_CREDENTIAL_DELETED", "WEBAUTHN_REGISTER_SUCCESSFUL"):
    FACTOR_CONFIG[f"SECURITY_MSG_{_key}"] = (_sentence(*SENTENCES[_key]), "success")


def answer_of_form() -> PasskeyAnswer | None:
    """What a passkey answered in the field ``passkey`` of a form; null if it did not."""
    credential = request.form.get("passkey", "")
    if not credential:
        return None
    return PasskeyAnswer(credential, request.host.split(":")[0], request.host_url.rstrip("/"))


def _has_just_recovered(user_id: int, now: int) -> bool:
    """Whether this session came in by a recovery code a short while ago: its owner has lost what could prove them."""
    owner, recovered_at = session.get(_RECOVERED, (None, 0))
    return bool(owner == user_id and now < recovered_at + _RECOVERY_SECONDS)


class _Proven:
    """A form that changes second factors: who has one proves it, so that nobody can with an open session alone."""

    def validate(self, **kwargs: object) -> bool:
        """Whether the form holds; the code or the passkey's answer is taken only then."""
        if not super().validate(**kwargs):  # type: ignore[misc]
            return False
        if not current_user.is_authenticated or not (current_user.has_code or current_user.has_passkey):
            return True
        site = login_site()
        if _has_just_recovered(current_user.id, site.now()):
            return True
        refusal = proof_refusal(
            site.turn(),
            current_user.id,
            Proof(request.form.get("code", ""), answer_of_form()),
            site.now(),
            key=current_app.config["SECURITY_TOTP_SECRETS"]["1"],
            address=request.remote_addr or "",
            device=devices.known_device(current_user.id),
        )
        site.session.commit()  # what was used is used, and what was wrong counts
        if refusal is not None:
            self.form_errors.append(in_reader_language(refusal))  # type: ignore[attr-defined]
        return refusal is None


class ProvenSetup(_Proven, TwoFactorSetupForm):
    """The form that sets up an authenticator, in place of the one before."""


class ProvenRegister(_Proven, WebAuthnRegisterForm):
    """The form that names a new passkey."""


class RegisterAnswer(WebAuthnRegisterResponseForm):
    """What the browser answers when it made one."""

    def validate(self, **kwargs: object) -> bool:
        """Whether the answer holds; one that can't be read is no fault of the program's."""
        try:
            return bool(super().validate(**kwargs))
        except UNREADABLE:
            self.form_errors.append(_text("API_ERROR"))
            return False


class ProvenDelete(_Proven, WebAuthnDeleteForm):
    """The form that deletes a passkey."""

    def validate(self, **kwargs: object) -> bool:
        """Not the last second factor of an account that must have one."""
        only = len(current_user.webauthn) == 1 and not current_user.has_code
        if only and current_user.check_tf_required_setup():
            self.name.errors = [in_reader_language(LAST_FACTOR)]
            return False
        good = bool(super().validate(**kwargs))
        if not good and self.form_errors:
            self.name.errors = list(self.form_errors)  # the only ones that the library's view shows
        return good


class PasskeyBegin(WebAuthnSigninForm):
    """The form that begins to ask for a passkey at the log-in."""

    def validate(self, **kwargs: object) -> bool:
        """Whether there is somebody to ask, and not too much was wrong."""
        if not super().validate(**kwargs) or self.user is None:
            return False
        site = login_site()
        if wait := site.seconds_to_wait("guess", site.asker(self.user.email)):
            self.form_errors.append(in_reader_language(patience(wait)))
            return False
        return True


class PasskeyLogin(WebAuthnSigninResponseForm):
    """What a passkey answers at the log-in, after the password."""

    def validate(self, **kwargs: object) -> bool:
        """Whether it is a passkey of the account whose password was given, and answers its latest challenge."""
        site = login_site()
        connection = site.turn()
        uniquifier = session.get("tf_user_id") if self.is_secondary else None
        owner = site.session.scalar(select(Account).where(Account.fs_uniquifier == uniquifier))
        if owner is None:
            self.form_errors.append(in_reader_language(NO_PASSKEY))
            return False
        asker = site.asker(owner.email)
        if wait := site.seconds_to_wait("guess", asker):
            self.form_errors.append(in_reader_language(patience(wait)))
            return False
        if take_challenge(connection, owner.id, site.now()) == self.challenge and self._holds(owner, kwargs):
            return True
        self.credential.errors = [in_reader_language(WRONG_PASSKEY)]
        site.count("guess", asker)
        return False

    def _holds(self, owner: Account, kwargs: dict[str, object]) -> bool:
        try:
            return bool(super().validate(**kwargs)) and self.user is owner
        except UNREADABLE:
            return False


class Challenges(WebauthnUtil):
    """The options for browsers."""

    def authentication_options(
        self, user: UserMixin | None, usage: list[str], existing_options: dict[str, object]
    ) -> dict[str, object]:
        """The library's, its challenge kept so that it is answered once."""
        site = login_site()
        if user is not None:
            challenge = existing_options["challenge"]
            assert isinstance(challenge, bytes)
            set_challenge(site.turn(), user.id, challenge.decode(), site.now())
            site.session.commit()
        return super().authentication_options(user, usage, existing_options)


class ProvenRecoveryCodes(_Proven, MfRecoveryCodesForm):
    """The form that makes new recovery codes."""

    def validate(self, **kwargs: object) -> bool:
        """Only for an account that has something to recover from."""
        if not (current_user.has_code or current_user.has_passkey):
            self.form_errors = [in_reader_language(NEEDS_FACTOR)]
            return False
        return bool(super().validate(**kwargs))


class LimitedRecovery(MfRecoveryForm):
    """The form of a recovery code at the log-in."""

    def validate(self, **kwargs: object) -> bool:
        """Whether the code holds, and not too many were wrong."""
        assert isinstance(self.user, Account)
        site = login_site()
        asker = site.asker(self.user.email)
        if wait := site.seconds_to_wait("guess", asker):
            self.form_errors.append(in_reader_language(patience(wait)))
            return False
        good = bool(super().validate(**kwargs))
        if good:
            session[_RECOVERED] = (self.user.id, site.now())
        elif "csrf_token" not in self.errors:
            self.code.errors = [in_reader_language(WRONG_RECOVERY_CODE)]
            site.count("guess", asker)
        return good


class RecoveryCodes(MfRecoveryCodesUtil):
    """Recovery codes: only their hashes are kept, so that nobody is shown one twice, and each serves once."""

    def create_recovery_codes(self, user: UserMixin) -> list[str]:
        """New ones in place of all before; this is the one time that they are seen."""
        number = current_app.config["SECURITY_MULTI_FACTOR_RECOVERY_CODES_N"]
        codes: list[str] = current_app.extensions["security"].totp_factory.generate_recovery_codes(number)
        _keep(user, list(map(_hash, codes)), "user.recovery_codes")
        return codes

    def get_recovery_codes(self, user: UserMixin) -> list[str]:
        """None can be shown again."""
        return []

    def check_recovery_code(self, user: UserMixin, code: str) -> bool:
        """Whether it is one that was not used; of two that bring the same one at once, one waits."""
        return _hash(code) in _kept(user.id)

    def delete_recovery_code(self, user: UserMixin, code: str) -> bool:
        """Use one up; with the log-in, in one transaction."""
        left = [each for each in _kept(user.id) if each != _hash(code)]
        _keep(user, left, "user.recovery_code")
        return True


def _kept(user_id: int) -> list[str]:
    kept = login_site().turn().execute(select(Account.mf_recovery_codes).where(Account.id == user_id))
    return (kept.scalar_one() or "").split()


def _keep(user: UserMixin, hashes: list[str], act: str) -> None:
    site = login_site()
    owner = site.session.get_one(Account, user.id)
    owner.mf_recovery_codes = " ".join(hashes)
    site.record(act, owner, reason=f"{len(hashes)} left")


def _hash(code: str) -> str:
    return sha256(code.strip().lower().encode()).hexdigest()


def _text(key: str) -> str:
    zh, en = SENTENCES[key]
    return zh if reader_language() == "zh" else en
