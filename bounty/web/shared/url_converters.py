"""URL converters, and the check of redirect targets."""

import unicodedata
from urllib.parse import urlsplit

from flask import Flask, abort, current_app, request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter, IntegerConverter, RequestRedirect, ValidationError
from werkzeug.wrappers import Response

from bounty.rules.periods import Period

GREATEST = 2**63 - 1
"""The largest integer that the database can store."""


class PeriodConverter(BaseConverter):
    """Converts ``2022-12`` or ``sprint:2022-12a`` to a Period; any other text gives 404."""

    regex = "(?:[a-z][a-z0-9-]{0,31}:)?20[0-9]{2}-[0-9]{2}[ab]?"

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
    """Converts an integer; one that the database cannot store gives 404."""

    regex = "[0-9]{1,19}"

    def to_python(self, value: str) -> int:
        """Parse a number. Raises ValidationError above GREATEST, which gives 404."""
        number: int = super().to_python(value)
        if number > GREATEST:
            raise ValidationError
        return number


def unfit(text: str, allowed: str = "") -> bool:
    """Whether a text contains control characters (``Cc``) or surrogates (``Cs``).

    allowed  control characters that are allowed

    >>> unfit("2022-12"), unfit("a\\tb"), unfit("\\ud800"), unfit("a\\nb", allowed="\\r\\n\\t")
    (False, True, True, False)
    """
    return any(unicodedata.category(each) in ("Cc", "Cs") and each not in allowed for each in text)


def is_page(target: str) -> bool:
    """Whether a redirect target is the path of a page of this site, with or without a query.

    Control characters, ``\\`` and a leading ``//`` are refused, because a browser drops the first, reads the second as
    ``/`` and the third as another host.
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
    """Refuse URLs with control characters, and restrict redirects to pages of this site."""
    app.url_map.converters.update(period=PeriodConverter, int=NumberConverter)

    @app.before_request
    def _fit() -> None:
        # The API checks its own addresses. By path, because an unknown address belongs to no blueprint.
        if request.path.startswith("/api/"):
            return
        if unfit(request.path) or any(unfit(name) or unfit(value) for name, value in _pairs(request.args)):
            abort(400)

    @app.after_request
    def _stay(response: Response) -> Response:
        if response.location is not None:
            response.location = _here(response.location)
        return response


def refuse_unfit_forms(app: Flask) -> None:
    """Refuse forms with control characters other than line breaks and tabs. Call it after the size limit of requests is
    installed."""

    @app.before_request
    def _fit() -> None:
        if any(unfit(name) or unfit(value, "\t\r\n") for name, value in _pairs(request.form)):
            abort(400)


def _here(location: str) -> str:
    """A redirect's target as a path of this site; ``/`` for a target that is not a page of this site."""
    parts = urlsplit(location)
    if parts.netloc == request.host and parts.scheme in ("http", "https"):
        location = parts._replace(scheme="", netloc="").geturl()
    return location if is_page(location) else "/"


def _pairs(values: MultiDict[str, str]) -> list[tuple[str, str]]:
    return list(values.items(multi=True))
