"""Thin views by reader: find, authorize, call one service, render."""

from collections.abc import Callable
from typing import Any

from flask import Flask
from flask_wtf import CSRFProtect
from jinja2 import StrictUndefined
from sqlalchemy import Engine
from werkzeug.middleware.proxy_fix import ProxyFix

from bounty.accounts import login
from bounty.notifications.mail import encrypted, host_and_port
from bounty.payees.encryption import PayeeCipher
from bounty.web import period_names
from bounty.web.finance import adjustments, notices, payees, payment_results, reconciliation, tranches
from bounty.web.operations import appeals as operations_appeals
from bounty.web.operations import (
    audit,
    imports,
    period,
    quarantine,
    results,
    revocations,
    roster,
    settlement,
    terms,
)
from bounty.web.operations import notifications as operations_notifications
from bounty.web.promoter import appeals, notifications
from bounty.web.promoter import pages as promoter_pages
from bounty.web.public import pages as public_pages
from bounty.web.shared import (
    access,
    accounts,
    errors,
    formats,
    headers,
    health,
    language,
    logs,
    request_context,
    step_up_auth,
)
from bounty.web.shared.url_converters import PeriodConverter

BLUEPRINTS = (
    health.blueprint,
    public_pages.blueprint,
    accounts.blueprint,
    promoter_pages.blueprint,
    appeals.blueprint,
    period.blueprint,
    results.blueprint,
    revocations.blueprint,
    settlement.blueprint,
    imports.blueprint,
    quarantine.blueprint,
    roster.blueprint,
    operations_appeals.blueprint,
    terms.blueprint,
    audit.blueprint,
    notices.blueprint,
    tranches.blueprint,
    payees.blueprint,
    payment_results.blueprint,
    reconciliation.blueprint,
    adjustments.blueprint,
    operations_notifications.blueprint,
    notifications.blueprint,
)
"""A room of views each."""


def install(
    app: Flask,
    engine: Engine,
    now: Callable[[], int],
    settings: Any,
    *,
    secret_key: str,
    totp_key: str,
    payee_key: str,
) -> None:
    """Everything that is served, over one database.

    settings   ``config.Settings``
    """
    production = settings.env == "production"
    app.config.update(
        SECRET_KEY=secret_key,
        SESSION_COOKIE_NAME="__Host-session" if production else "session",
        SESSION_COOKIE_SECURE=production,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        TRUSTED_HOSTS=settings.hosts or None,
        MAX_CONTENT_LENGTH=settings.upload_megabytes * 1_000_000,
        MAX_FORM_MEMORY_SIZE=1_000_000,
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session: a form left open over lunch still works
        PREFERRED_URL_SCHEME="https" if production else "http",
        **_mail(settings),
    )
    if settings.proxies:
        count = settings.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]
    app.jinja_env.undefined = StrictUndefined
    request_context.install(app, request_context.SiteBooks(engine, now, settings, PayeeCipher(payee_key)))
    if production:
        logs.install(app)
    headers.install(app, https=production)
    health.install(app)
    language.install(app)
    login.install(
        app, engine, now, reading=request_context.reading, totp_key=totp_key, second_factor=production
    )
    access.install(app)
    imports.bound_uploads(app)
    CSRFProtect(app)  # reads the form, so it comes after what says whether, and how much, may be sent at all
    errors.install(app)
    formats.install(app, settings.env)
    step_up_auth.install(app)
    period_names.install(app)
    app.url_map.converters["period"] = PeriodConverter
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)


def _mail(settings: Any) -> dict[str, Any]:
    sender = {"MAIL_DEFAULT_SENDER": settings.mail_sender, "SECURITY_EMAIL_SENDER": settings.mail_sender}
    if not settings.mail_server:
        return sender | {"MAIL_BACKEND": "file", "MAIL_FILE_PATH": str(settings.uploads.parent / "mails")}
    host, port = host_and_port(settings.mail_server)
    return sender | {
        "MAIL_SERVER": host,
        "MAIL_PORT": port,
        "MAIL_USE_TLS": encrypted(host),
        "MAIL_USERNAME": settings.mail_user or None,
        "MAIL_PASSWORD": settings.mail_password or None,
    }
