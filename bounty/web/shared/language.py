"""The two languages. A text is written in both languages where it is used."""

from collections.abc import Mapping

from flask import Flask, Response, g, redirect, request
from flask_babel import Babel
from markupsafe import Markup, escape

from bounty.web.shared.access import public
from bounty.web.shared.url_converters import is_page

LANGUAGES = {"zh": "zh_Hans_CN", "en": "en"}
"""Language -> locale name for libraries. Chinese is the default."""
_COOKIE = "language"


def language() -> str:
    """The reader's language: their choice, otherwise their browser's preference, otherwise Chinese."""
    if "language" not in g:
        chosen = request.cookies.get(_COOKIE)
        if chosen not in LANGUAGES:
            chosen = request.accept_languages.best_match(list(LANGUAGES)) or "zh"
        g.language = chosen
    found: str = g.language
    return found


def t(zh: str, en: str, **values: object) -> str:
    """A sentence in the reader's language, with its values in place of ``%(name)s``.

    Without values the text is taken as it is; with values a percent sign in it is written ``%%``. If a value is
    markup (a link, for example), the result is markup, and the sentence and its other values are escaped.
    """
    return _filled(zh if language() == "zh" else en, values)


def tn(zh: str, en: str, en_many: str, num: int, **values: object) -> str:
    """A sentence about a number, which it shows as ``%(num)s`` with thousands separators; other values as in ``t``.

    en       the English sentence for one
    en_many  the English sentence for any other number
    """
    return t(zh, en if num == 1 else en_many, num=f"{num:,}", **values)


def _filled(text: str, values: Mapping[str, object]) -> str:
    if not values:
        return text
    if any(hasattr(value, "__html__") for value in values.values()):
        return Markup(escape(text)) % values
    return text % values


def counted(number: int, zh: str, en: str, many: str | None = None) -> str:
    """A number with its noun in the reader's language: ``12 单``, ``1 order``, ``1,200 orders``.

    zh    the Chinese noun
    en    the English noun in the singular
    many  the English plural, if it is not the singular with an s
    """
    return t(f"{number:,} {zh}", f"{number:,} {en if number == 1 else many or en + 's'}")


def install(app: Flask) -> None:
    """Register ``t``, ``tn``, ``counted`` and ``language`` for templates, and the route that saves a reader's choice."""
    Babel(app, locale_selector=lambda: LANGUAGES[language()], default_timezone="Asia/Shanghai")
    app.jinja_env.globals.update(t=t, tn=tn, counted=counted)

    @app.context_processor
    def _language() -> dict[str, str]:
        return {"language": language()}

    @app.post("/language")
    @public
    def choose_language() -> Response:
        """Save the reader's choice and redirect to the previous page."""
        chosen = request.form.get("language", "")
        back = request.form.get("back", "/")
        response = redirect(back if is_page(back) else "/", 303)
        if chosen in LANGUAGES:
            response.set_cookie(
                _COOKIE,
                chosen,
                max_age=365 * 86_400,
                secure=app.config["SESSION_COOKIE_SECURE"],
                httponly=True,
                samesite="Lax",
            )
        assert isinstance(response, Response)
        return response
