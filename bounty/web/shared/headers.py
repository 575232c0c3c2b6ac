"""What every answer says to the browser: what it may load, and what it may keep."""

import secrets

from flask import Flask, g, request
from werkzeug.wrappers import Response

# data: for the QR code of a second factor
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def install(app: Flask, *, https: bool) -> None:
    """Put them on every answer, errors too."""

    @app.before_request
    def _number() -> None:
        g.request_id = secrets.token_hex(8)

    @app.after_request
    def _head(response: Response) -> Response:
        response.headers.update(HEADERS)
        response.headers["X-Request-ID"] = g.get("request_id", "")
        if https:
            response.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
        if request.endpoint != "static":
            # What one person was shown is nobody else's, on a shared computer neither.
            response.headers["Cache-Control"] = "no-store"
        return response
