"""Who may see what: nothing, unless a view says to whom it is open.

A view carries ``@allows("operator", "finance")`` or ``@public``; a route without either is refused, and a test walks
them all. What belongs to one promoter is asked for through ``own_promoter()``, so that nobody else's can be named.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask, abort, g, redirect, request, session, url_for
from flask_login import current_user, user_logged_in
from werkzeug.wrappers import Response

from bounty.web.shared.request_context import now

View = TypeVar("View", bound=Callable[..., Any])
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
    }
)
"""The library's views that we use; it asks for what they need itself. Its others are not there."""
OPEN_VIEWS = frozenset({"static"})
IDLE_SECONDS = {"promoter": 30 * 60, "operator": 15 * 60, "finance": 15 * 60, "admin": 15 * 60}
LONGEST_SECONDS = {"promoter": 12 * 3600, "operator": 8 * 3600, "finance": 8 * 3600, "admin": 8 * 3600}
"""After so long without a request, and after so long in all, a person logs in again."""
SEEN_SECONDS = 60
"""How exactly the last request is remembered."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks."""

    user_id: int
    email: str
    name: str
    role: str
    """promoter, operator, finance or admin: the account's one."""
    promoter_id: int | None
    """Whose data they see: a promoter's own, or the one whom staff are viewing as."""
    viewing_as: bool
    """Whether staff look through a promoter's eyes; they can't act then."""

    @property
    def roles(self) -> frozenset[str]:
        """The account's one role, as a set."""
        return frozenset({self.role})


def allows(*roles: str) -> Callable[[View], View]:
    """Open a view to people of these roles."""

    def mark(view: View) -> View:
        view.allowed = frozenset(roles)  # type: ignore[attr-defined]
        return view

    return mark


def public(view: View) -> View:
    """Open a view to everybody, logged in or not."""
    view.allowed = EVERYBODY  # type: ignore[attr-defined]
    return view


def allowed(app: Flask, endpoint: str) -> frozenset[str]:
    """The roles to which an endpoint is open; empty: to nobody."""
    if endpoint in OPEN_VIEWS or endpoint in SECURITY_VIEWS:
        return EVERYBODY
    found: frozenset[str] = getattr(app.view_functions[endpoint], "allowed", frozenset())
    return found


def person() -> Person:
    """Who asks; a view that is open to some roles only can rely on it."""
    found: Person | None = g.get("person")
    if found is None:
        abort(401)
    return found


def own_promoter() -> int:
    """The promoter whose pages the person who asks may see."""
    promoter_id = person().promoter_id
    if promoter_id is None:
        abort(404)
    return promoter_id


def install(app: Flask) -> None:
    """Ask of every request whether it may."""

    def begin(_app: Flask, **_user: Any) -> None:
        session.pop("viewing_as", None)
        session["began"] = session["seen"] = now()

    user_logged_in.connect(begin, app, weak=False)

    @app.before_request
    def _admit() -> Response | None:
        if request.blueprint == "api":  # which asks for a token, and knows no session
            g.person = None
            return None
        g.person = _who()
        # Without an endpoint there is no such page, which the router says.
        roles = EVERYBODY if request.endpoint is None else allowed(app, request.endpoint)
        if roles == EVERYBODY or (g.person is not None and g.person.role in roles):
            return None
        if g.person is None:
            if request.method == "GET":
                return redirect(url_for("security.login", next=request.full_path.rstrip("?")))
            abort(401)
        # Looking is all that viewing as somebody allows.
        if "promoter" in roles and g.person.viewing_as and request.method in ("GET", "HEAD"):
            return None
        return abort(403)

    @app.context_processor
    def _person() -> dict[str, Person | None]:
        return {"principal": g.get("person")}


def _who() -> Person | None:
    """The account behind the session, unless the session is too old."""
    if not current_user.is_authenticated:
        return None
    moment = now()
    began, seen = session.get("began", 0), session.get("seen", 0)
    role = current_user.role
    if moment - seen >= IDLE_SECONDS[role] or moment - began >= LONGEST_SECONDS[role]:
        session.clear()
        return None
    if moment - seen >= SEEN_SECONDS:  # not at each request: the cookie would be signed and sent anew
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
