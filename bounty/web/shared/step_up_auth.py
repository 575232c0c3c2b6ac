"""Step-up authentication: a fresh one-time code before an important action, so that nobody can use an open session.

``{{ fresh_code("approve") }}`` of ``parts/fresh.html`` adds the field ``code`` to a form if a code is required. The
view calls ``require_fresh_code()`` before it writes.
"""

from flask import Flask, current_app, request
from flask_login import current_user

from bounty.accounts.devices import known_device
from bounty.accounts.identity import require_code
from bounty.errors import BountyError
from bounty.web.shared.request_context import now, site

NEEDS_SECOND_FACTOR = BountyError(
    "This takes an account with a second factor: set one up under /tf-setup, then come back.",
    "这一步需要设置了两步验证的账号：请先到 /tf-setup 设置两步验证，再回来办理。",
)


def require_fresh_code() -> None:
    """Check the form's one-time code. A code works once, even if the action is refused afterwards.

    An account without a second factor needs no code, unless approval is required.

    Raises BountyError for a wrong or used code, after too many wrong codes, and if approval is required for an account
    without a second factor.
    """
    if has_second_factor():
        code, address = request.form.get("code", ""), request.remote_addr or ""
        key, device = current_app.config["SECURITY_TOTP_SECRETS"]["1"], known_device(current_user.id)
        require_code(site().engine, current_user.id, code, now(), key=key, address=address, device=device)
    elif site().settings.approval_required:
        raise NEEDS_SECOND_FACTOR


def has_second_factor() -> bool:
    """Whether the account has a second factor, so that a code is required."""
    return current_user.tf_totp_secret is not None


def must_set_up() -> bool:
    """Whether the account must set up a second factor first."""
    return site().settings.approval_required and not has_second_factor()


def install(app: Flask) -> None:
    """Register the two functions above for templates."""
    app.jinja_env.globals.update(has_second_factor=has_second_factor, must_set_up=must_set_up)
