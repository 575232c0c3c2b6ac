"""Access control. A view is refused unless it declares who may open it.

A view has the decorator ``@allows("operator", "finance")`` or ``@public``. A route without one is refused, and a test
checks all routes. Pages with a promoter's own data use ``own_promoter()``, so a request cannot name another promoter.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from flask import Flask, abort, g, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, user_logged_in
from werkzeug.wrappers import Response

from bounty.web.shared.request_context import now

View = TypeVar("View", bound=Callable[..., ResponseReturnValue])
EVERYBODY = frozenset({"everybody"})
SECURITY_VIEWS = frozenset(
    {
        "security.login",
        "security.logout",
        "security.forgot_password",
        "security.reset_password",
        "security.change_password",
        "security.two_factor_setup",
        "security.two_factor_setup_validate",
        "security.two_factor_token_validation",
        "security.verify",
        "security.tf_select",
        "security.wan_register",
        "security.wan_register_response",
        "security.wan_delete",
        "security.wan_signin",
        "security.wan_signin_response",
        "security.mf_recovery_codes",
        "security.mf_recovery",
    }
)
"""The views of Flask-Security that are in use. They check access themselves; the library's other views are off."""
OPEN_VIEWS = frozenset({"static", "security.static"})  # the latter: the browser's part of passkeys
IDLE_SECONDS = {"promoter": 30 * 60, "operator": 15 * 60, "finance": 15 * 60, "admin": 15 * 60}
"""Role -> seconds without a request after which a session ends."""
LONGEST_SECONDS = {"promoter": 12 * 3600, "operator": 8 * 3600, "finance": 8 * 3600, "admin": 8 * 3600}
"""Role -> seconds after the log-in at which a session ends."""
SEEN_SECONDS = 60
"""Least seconds between two updates of the session's last request."""


@dataclass(frozen=True, slots=True)
class Person:
    """The account that makes a request."""

    user_id: int
    email: str
    name: str
    role: str
    """``promoter``, ``operator``, ``finance`` or ``admin``."""
    promoter_id: int | None
    """The promoter whose pages the account sees: its own, or the one that staff are viewing as; None otherwise."""
    viewing_as: bool
    """Whether staff view the pages of a promoter. They can only read then."""

    @property
    def roles(self) -> frozenset[str]:
        """The account's role, as a set."""
        return frozenset({self.role})


def allows(*roles: str) -> Callable[[View], View]:
    """Decorator: allow a view for accounts with these roles."""

    def mark(view: View) -> View:
        view.allowed = frozenset(roles)  # type: ignore[attr-defined]
        return view

    return mark


def public(view: View) -> View:
    """Decorator: allow a view for everybody, logged in or not."""
    view.allowed = EVERYBODY  # type: ignore[attr-defined]
    return view


def allowed(app: Flask, endpoint: str) -> frozenset[str]:
    """The roles that may open an endpoint; empty if nobody may."""
    if endpoint in OPEN_VIEWS or endpoint in SECURITY_VIEWS:
        return EVERYBODY
    found: frozenset[str] = getattr(app.view_functions[endpoint], "allowed", frozenset())
    return found


def person() -> Person:
    """The account that makes the request. Aborts with 401 without a log-in."""
    found: Person | None = g.get("person")
    if found is None:
        abort(401)
    return found


def own_promoter() -> int:
    """The promoter whose pages the account may see. Aborts with 404 if there is none."""
    promoter_id = person().promoter_id
    if promoter_id is None:
        abort(404)
    return promoter_id


def install(app: Flask) -> None:
    """Check the access of every request before its view runs."""

    def start_session(_app: Flask, **_user: object) -> None:
        session.pop("viewing_as", None)
        session["began"] = session["seen"] = now()

    user_logged_in.connect(start_session, app, weak=False)

    @app.before_request
    def _check_access() -> Response | None:
        if request.blueprint == "api":  # the API checks its own tokens and has no sessions
            g.person = None
            return None
        g.person = _session_person()
        # Without an endpoint the page does not exist, and the router answers with 404.
        roles = EVERYBODY if request.endpoint is None else allowed(app, request.endpoint)
        if roles == EVERYBODY or (g.person is not None and g.person.role in roles):
            return None
        if g.person is None:
            if request.method == "GET":
                return redirect(url_for("security.login", next=request.full_path.rstrip("?")))
            abort(401)
        # Staff who view as a promoter may only read.
        if "promoter" in roles and g.person.viewing_as and request.method in ("GET", "HEAD"):
            return None
        return abort(403)

    @app.context_processor
    def _person() -> dict[str, Person | None]:
        return {"principal": g.get("person")}


def _session_person() -> Person | None:
    """The account of the session; None without one, or if the session is too old."""
    if not current_user.is_authenticated:
        return None
    moment = now()
    began, seen = session.get("began", 0), session.get("seen", 0)
    role = current_user.role
    if moment - seen >= IDLE_SECONDS[role] or moment - began >= LONGEST_SECONDS[role]:
        session.clear()
        return None
    if (
        moment - seen >= SEEN_SECONDS
    ):  # not at every request, because each change signs and sends the cookie again
        session["seen"] = moment
    viewed = session.get("viewing_as") if role in ("operator", "admin") else None
    return Person(
        current_user.id,
        current_user.email,
        current_user.name,
        role,
        current_user.promoter_id if role == "promoter" else viewed,
        viewing_as=viewed is not None,
    )
