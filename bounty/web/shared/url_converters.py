"""URL converters for months and numbers, and checks of the URLs that a response redirects to."""

import unicodedata
from urllib.parse import urlsplit

from flask import Flask, abort, current_app, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter, IntegerConverter, RequestRedirect, ValidationError
from werkzeug.wrappers import Response

from bounty.rules.periods import Period

GREATEST = 2**63 - 1
"""The largest integer that the database can store."""


class PeriodConverter(BaseConverter):
    """Converts ``2022-12`` to a Period; any other text gives 404."""

    regex = "20[0-9]{2}-[0-9]{2}"

    def to_python(self, value: str) -> Period:
        """Parse a period. Raises ValidationError for an invalid month, which gives 404."""
        try:
            return Period.parse(value)
        except ValueError:
            raise ValidationError from None

    def to_url(self, value: Period | str) -> str:
        """The period's text in a URL."""
        return str(value)


class NumberConverter(IntegerConverter):
    """Converts digits to an int; a number that the database cannot store gives 404."""

    regex = "[0-9]{1,19}"

    def to_python(self, value: str) -> int:
        """Parse a number. Raises ValidationError for one above ``GREATEST``, which gives 404."""
        number: int = super().to_python(value)
        if number > GREATEST:
            raise ValidationError
        return number


def unfit(text: str, allowed: str = "") -> bool:
    """Whether a text has control characters (``Cc``) or halves of a surrogate pair (``Cs``).

    allowed  control characters to accept

    >>> unfit("2022-12"), unfit("a\\tb"), unfit("\\ud800"), unfit("a\\nb", allowed="\\r\\n\\t")
    (False, True, True, False)
    """
    return any(unicodedata.category(each) in ("Cc", "Cs") and each not in allowed for each in text)


def is_page(target: str) -> bool:
    """Whether a redirect target is the path of a page of this site, with or without a query.

    Browsers drop control characters, read ``\\`` as ``/``, and read ``//`` at the beginning as another host, so targets
    with any of these are not accepted.
    """
    if unfit(target) or "\\" in target or not target.startswith("/") or target.startswith("//"):
        return False
    path = target.partition("#")[0].partition("?")[0]
    try:
        current_app.url_map.bind_to_environ(request.environ).match(path, method="GET")
    except (HTTPException, RequestRedirect):
        return False
    return True


def install(app: Flask) -> None:
    """Refuse control characters in URLs before anything else reads them, and allow redirects within the site only."""
    app.url_map.converters.update(period=PeriodConverter, int=NumberConverter)

    @app.before_request
    def _fit() -> None:
        if unfit(request.path) or any(unfit(name) or unfit(value) for name, value in _pairs(request.args)):
            abort(400)

    @app.after_request
    def _stay(response: Response) -> Response:
        if response.location is not None:
            response.location = _here(response.location)
        return response


def refuse_unfit_forms(app: Flask) -> None:
    """Refuse control characters in forms, except tabs and line ends. Install it after the limit of the request size."""

    @app.before_request
    def _fit() -> None:
        if any(unfit(name) or unfit(value, "\t\r\n") for name, value in _pairs(request.form)):
            abort(400)


def _here(location: str) -> str:
    """The target of a redirect as a path of this site; ``/`` if it is no page of this site."""
    parts = urlsplit(location)
    if parts.netloc == request.host and parts.scheme in ("http", "https"):
        location = parts._replace(scheme="", netloc="").geturl()
    return location if is_page(location) else "/"


def _pairs(given: object) -> list[tuple[str, str]]:
    return list(given.items(multi=True))  # type: ignore[attr-defined]
