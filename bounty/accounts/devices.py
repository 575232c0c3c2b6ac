"""Devices that accounts have logged in with: a signed cookie names them, and lets nobody in by itself.

Guesses from such a device are counted on it alone, so that nobody elsewhere can lock its account out.
"""

import secrets
from typing import Final

from flask import Flask, current_app, g, request
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.wrappers import Response

KEPT_SECONDS: Final = 365 * 86_400
"""How long after a log-in a device is known."""
MOST_ACCOUNTS: Final = 8
"""On one device; the one that has not logged in for longest is forgotten."""


def known_device(user_id: int | None) -> str | None:
    """The name of the device that asks, if the account has logged in with it; null if not, or without an account."""
    device, users = _named()
    return device if user_id in users else None


def remember_device(user_id: int) -> None:
    """Let the device that asks be known for an account: the answer sets its cookie."""
    device, users = _named()
    others = [each for each in users if each != user_id]
    g.device = _signing().dumps([device or secrets.token_hex(16), [*others, user_id][-MOST_ACCOUNTS:]])


def install(app: Flask) -> None:
    """Hand the cookies out."""

    @app.after_request
    def _name(response: Response) -> Response:
        if "device" in g:
            response.set_cookie(
                _cookie(),
                g.device,
                max_age=KEPT_SECONDS,
                secure=current_app.config["SESSION_COOKIE_SECURE"],
                httponly=True,
                samesite="Lax",
            )
        return response


def _named() -> tuple[str | None, list[int]]:
    try:
        device, users = _signing().loads(request.cookies.get(_cookie(), ""), max_age=KEPT_SECONDS)
    except BadData:
        return None, []
    return device, users


def _cookie() -> str:
    return "__Host-device" if current_app.config["SESSION_COOKIE_SECURE"] else "device"


def _signing() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        current_app.config["SECRET_KEY"], salt="bounty: a device that an account knows"
    )
