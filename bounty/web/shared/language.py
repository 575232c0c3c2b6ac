"""The two languages: a text is written in Chinese where it is used; its English is in ``bounty/translations``."""

from collections.abc import Iterable, Mapping
from gettext import NullTranslations

from flask import Flask, Response, g, redirect, request
from flask_babel import Babel, get_translations
from jinja2 import Undefined
from markupsafe import Markup, escape

from bounty.resources import PACKAGE
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


def _(message: str, /, **values: object) -> str:
    """A sentence in the reader's language, with its values in place of ``%(name)s``.

    message  the Chinese sentence, as a literal: ``make lint`` finds it there and asks for its English in
             ``bounty/translations``

    Without values the sentence is taken as it is; with values a percent sign in it is written ``%%``. If a value
    is markup (a link, for example), the result is markup, and the sentence and its other values are escaped.
    """
    return _filled(_catalogue().gettext(message), values)


def _p(context: str, message: str, /, **values: object) -> str:
    """As ``_``, for a Chinese sentence that has another English one in this context, such as a verb and a noun."""
    return _filled(_catalogue().pgettext(context, message), values)


def _n(message: str, num: int, /, **values: object) -> str:
    """As ``_``, for a sentence about a number: ``%(num)s`` shows it with thousands separators.

    Chinese has one form for every number; the catalogue has the English for one and for any other.
    """
    found = _catalogue().ngettext(message, message, num)
    return _filled(found, {"num": f"{num:,}", **values})


def _np(context: str, message: str, num: int, /, **values: object) -> str:
    """``_n`` in a context, as ``_p``."""
    found = _catalogue().npgettext(context, message, message, num)
    return _filled(found, {"num": f"{num:,}", **values})


def _catalogue() -> NullTranslations:
    """The library's catalogue of the reader's language, looked up once a page: each page has some seventy texts."""
    if "catalogue" not in g:
        g.catalogue = get_translations()
    found: NullTranslations = g.catalogue
    return found


def in_language(zh: str, en: str) -> str:
    """The half of a pair in the reader's language, for a text of a room that knows no reader."""
    return zh if language() == "zh" else en


def _filled(text: str, values: Mapping[str, object]) -> str:
    if not values:
        return text
    if any(hasattr(value, "__html__") for value in values.values()):
        return escape(text) % values
    return text % values


_BETWEEN = {",": ("，", ", "), ";": ("；", "; "), "、": ("、", ", ")}


def listed(items: Iterable[str | Undefined], mark: str = ",") -> str:
    """The items, one after the other, with the reader's comma (or semicolon, or comma of a list) between them.

    Left out are blank items and what a template's ``... if condition`` leaves undefined.
    """
    between = in_language(*_BETWEEN[mark])
    return escape(between).join(item for item in items if not isinstance(item, Undefined) and item)


def ended(clause: str) -> str:
    """A sentence that ends with the reader's full stop, of a text that is stored without one."""
    return escape(clause) + in_language("。", ".")


def labelled(label: str, value: str) -> str:
    """A label, a colon and what it labels."""
    return _("%(label)s：%(value)s", label=label, value=value)


def bold(value: str, kind: str = "") -> Markup:
    """A value of a sentence in bold; ``kind`` is a class of the style sheet."""
    return Markup('<b class="{}">{}</b>').format(kind, value) if kind else Markup("<b>{}</b>").format(value)


def code(value: str) -> Markup:
    """A value of a sentence as code."""
    return Markup("<code>{}</code>").format(value)


def install(app: Flask) -> None:
    """Register the texts and ``language`` for templates, and the route that saves a reader's choice."""
    Babel(
        app,
        locale_selector=lambda: LANGUAGES[language()],
        default_timezone="Asia/Shanghai",
        default_translation_directories=str(PACKAGE / "translations"),
    )
    # In place of what the library registers: these escape a sentence, as every value of a template is.
    app.jinja_env.globals.update(_=_, _n=_n, _np=_np, _p=_p)
    app.jinja_env.globals.update(in_language=in_language, listed=listed, ended=ended, labelled=labelled)
    app.jinja_env.filters.update(bold=bold, code=code)

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
