"""What may stand in an address, and where an answer may lead."""

import unicodedata
from urllib.parse import urlsplit

from flask import Flask, abort, current_app, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter, IntegerConverter, RequestRedirect, ValidationError
from werkzeug.wrappers import Response

from bounty.rules.periods import Period

GREATEST = 2**63 - 1
"""Of a whole number that the books can hold."""


class PeriodConverter(BaseConverter):
    """``2022-12``, or ``sprint:2022-12a``, as a Period; anything else there is no page."""

    regex = "(?:[a-z][a-z0-9-]{0,31}:)?20[0-9]{2}-[0-9]{2}[ab]?"

    def to_python(self, value: str) -> Period:
        """The period, or no such page."""
        try:
            return Period.parse(value)
        except ValueError:
            raise ValidationError from None

    def to_url(self, value: Period | str) -> str:
        """As it stands in the address."""
        return str(value)


class NumberConverter(IntegerConverter):
    """A number in an address; one that the books can't hold has no page."""

    regex = "[0-9]{1,19}"

    def to_python(self, value: str) -> int:
        """The number, or no such page."""
        number: int = super().to_python(value)
        if number > GREATEST:
            raise ValidationError
        return number


def unfit(text: str, allowed: str = "") -> bool:
    """Whether a text has control characters (``Cc``) or halves of a surrogate pair (``Cs``).

    allowed  those that it may have

    >>> unfit("2022-12"), unfit("a\\tb"), unfit("\\ud800"), unfit("a\\nb", allowed="\\r\\n\\t")
    (False, True, True, False)
    """
    return any(unicodedata.category(each) in ("Cc", "Cs") and each not in allowed for each in text)


def is_page(target: str) -> bool:
    """Whether a target is the path of a page of ours, with or without a query: the only thing to go back or on to.

    A browser drops control characters, takes ``\\`` for ``/`` and what begins with ``//`` for another host: none of
    these is a path here.
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
    """Refuse what no page takes, before anything else looks at it; and let no answer lead away from here."""
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
    """The same for forms, whose lines may end and have tabs; after what bounds how much may be sent."""

    @app.before_request
    def _fit() -> None:
        if any(unfit(name) or unfit(value, "\t\r\n") for name, value in _pairs(request.form)):
            abort(400)


def _here(location: str) -> str:
    """Where an answer leads, on this site: the page that it names, else the first."""
    parts = urlsplit(location)
    if parts.netloc == request.host and parts.scheme in ("http", "https"):
        location = parts._replace(scheme="", netloc="").geturl()
    return location if is_page(location) else "/"


def _pairs(given: object) -> list[tuple[str, str]]:
    return list(given.items(multi=True))  # type: ignore[attr-defined]
