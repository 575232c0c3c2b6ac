"""Thin views by reader: find, authorize, call one service, render."""

from collections.abc import Callable

from flask import Flask
from flask_wtf import CSRFProtect
from jinja2 import StrictUndefined
from sqlalchemy import Engine
from werkzeug.middleware.proxy_fix import ProxyFix

from bounty.accounts import login
from bounty.notifications.endpoints import EndpointCipher
from bounty.payees.encryption import PayeeCipher
from bounty.tokens.limits import CallLimit
from bounty.web import period_names, tokens
from bounty.web.api import acts as api_acts
from bounty.web.api import bearer as api
from bounty.web.api import finance as api_finance
from bounty.web.api import operations as api_operations
from bounty.web.api import pages as api_pages
from bounty.web.api import promoter as api_promoter
from bounty.web.finance import adjustments, notices, payees, payment_results, reconciliation, tranches
from bounty.web.operations import accounts as operations_accounts
from bounty.web.operations import appeals as operations_appeals
from bounty.web.operations import (
    audit,
    file_templates,
    forecast,
    imports,
    navigation,
    period,
    quarantine,
    results,
    revocations,
    roster,
    schedule,
    search,
    settlement,
    simulation,
    terms,
    today,
    webhooks,
)
from bounty.web.operations import notifications as operations_notifications
from bounty.web.promoter import appeals, notifications
from bounty.web.promoter import pages as promoter_pages
from bounty.web.public import pages as public_pages
from bounty.web.shared import (
    access,
    accounts,
    errors,
    figures,
    formats,
    headers,
    health,
    language,
    logs,
    read_replica,
    request_context,
    step_up_auth,
    url_converters,
)
from bounty.web.shared.site_settings import SiteSettings

BLUEPRINTS = (
    health.blueprint,
    public_pages.blueprint,
    accounts.blueprint,
    promoter_pages.blueprint,
    appeals.blueprint,
    today.blueprint,
    search.blueprint,
    period.blueprint,
    results.blueprint,
    revocations.blueprint,
    settlement.blueprint,
    imports.blueprint,
    file_templates.blueprint,
    quarantine.blueprint,
    roster.blueprint,
    operations_appeals.blueprint,
    operations_accounts.blueprint,
    terms.blueprint,
    simulation.blueprint,
    forecast.blueprint,
    audit.blueprint,
    notices.blueprint,
    tranches.blueprint,
    payees.blueprint,
    payment_results.blueprint,
    reconciliation.blueprint,
    adjustments.blueprint,
    operations_notifications.blueprint,
    webhooks.blueprint,
    notifications.blueprint,
    schedule.blueprint,
    figures.blueprint,
    tokens.blueprint,
    api.blueprint,
)
"""A room of views each."""
API_VIEWS = (api_promoter, api_acts, api_operations, api_finance, api_pages)
"""Modules whose views the API's blueprint has, once they are imported."""


def install(
    app: Flask,
    engine: Engine,
    now: Callable[[], int],
    settings: SiteSettings,
    *,
    secret_key: str,
    totp_key: str,
    payee_key: str,
    read_engine: Engine | None = None,
) -> None:
    """Everything that is served, over one database.

    read_engine   of a hot standby, for what promoters and the public read
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
    )
    if settings.proxies:
        count = settings.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]
    app.jinja_env.undefined = StrictUndefined
    replica = None if read_engine is None else read_replica.ReadReplica(read_engine)
    books = request_context.SiteBooks(
        engine, now, settings, PayeeCipher(payee_key), EndpointCipher(totp_key), replica
    )
    request_context.install(app, books)
    if replica is not None:
        read_replica.install(app)
    if production:
        logs.install(app)
    headers.install(app, https=production)
    health.install(app)
    url_converters.install(app)
    language.install(app)
    login.install(
        app,
        engine,
        now,
        reading=request_context.reading_accounts,
        may_go_to=url_converters.is_page,
        totp_key=totp_key,
        second_factor=production,
    )
    access.install(app)
    accounts.install(app, production=production)
    imports.bound_uploads(app)
    csrf = CSRFProtect(
        app
    )  # reads the form, so it comes after what says whether, and how much, may be sent at all
    csrf.exempt(api.blueprint)  # which no browser's session opens
    app.extensions[api.LIMIT] = CallLimit(engine, settings.api_calls_per_minute)
    url_converters.refuse_unfit_forms(app)
    errors.install(app)
    formats.install(app, settings.env)
    step_up_auth.install(app)
    navigation.install(app)
    period_names.install(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
