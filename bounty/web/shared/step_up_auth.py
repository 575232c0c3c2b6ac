"""Step-up authentication: a fresh one-time code, or a passkey, before an important action, so that nobody can use an
open session.

``{{ fresh_code("approve") }}`` of ``parts/fresh.html`` adds the fields ``code`` and ``passkey`` to a form where one is
required. The view calls ``require_fresh_code()`` before it writes.
"""

from flask import Flask, current_app, request
from flask_login import current_user

from bounty.accounts.devices import known_device
from bounty.accounts.identity import Proof, require_proof
from bounty.accounts.second_factor_forms import answer_of_form
from bounty.errors import BountyError
from bounty.web.shared.request_context import now, site

NEEDS_SECOND_FACTOR = BountyError(
    "This takes an account with a second factor: set one up under /tf-setup, then come back.",
    "这一步需要设置了两步验证的账号：请先到 /tf-setup 设置两步验证，再回来办理。",
)


def require_fresh_code() -> None:
    """Check the form's one-time code or passkey. It works once, even if the action is refused afterwards.

    An account without a second factor needs none, unless approval is required.

    Raises BountyError for a wrong or used one, after too many wrong ones, and if approval is required for an account
    without a second factor.
    """
    if has_second_factor():
        proof, address = Proof(request.form.get("code", ""), answer_of_form()), request.remote_addr or ""
        key, device = current_app.config["SECURITY_TOTP_SECRETS"]["1"], known_device(current_user.id)
        require_proof(site().engine, current_user.id, proof, now(), key=key, address=address, device=device)
    elif site().settings.approval_required:
        raise NEEDS_SECOND_FACTOR


def has_second_factor() -> bool:
    """Whether the account has a second factor, so that one is required."""
    return has_code() or has_passkey()


def has_code() -> bool:
    """Whether the account has an authenticator that gives one-time codes."""
    return bool(current_user.is_authenticated and current_user.has_code)


def has_passkey() -> bool:
    """Whether the account has a passkey."""
    return bool(current_user.is_authenticated and current_user.has_passkey)


def must_set_up() -> bool:
    """Whether the account must set up a second factor first."""
    return site().settings.approval_required and not has_second_factor()


def install(app: Flask) -> None:
    """Register the functions above for templates."""
    app.jinja_env.globals.update(
        has_code=has_code,
        has_passkey=has_passkey,
        has_second_factor=has_second_factor,
        must_set_up=must_set_up,
    )
