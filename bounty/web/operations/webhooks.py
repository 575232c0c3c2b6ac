"""Webhook endpoints: which events each gets, with which secret; what was delivered, and what was answered."""

from collections.abc import Callable

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response as Redirect

from bounty.errors import BountyError
from bounty.models.webhooks import DisabledReason, EndpointKind
from bounty.notifications import endpoints
from bounty.notifications.message_kinds import EVENTS, MessageKind
from bounty.notifications.service import MessageState, deliveries, send_endpoint_test
from bounty.roster.programmes import require_programme
from bounty.web.operations.notifications import CHIPS, TABLE
from bounty.web.shared.access import allows
from bounty.web.shared.downloads import csv_response
from bounty.web.shared.errors import refusal_text
from bounty.web.shared.language import _
from bounty.web.shared.request_context import now, reading, site, writing
from bounty.web.shared.step_up_auth import require_fresh_code
from bounty.web.shared.tables import page_of

blueprint = Blueprint("webhooks", __name__, url_prefix="/operations/webhooks")
READERS = ("operator", "admin")


@blueprint.get("/")
@allows(*READERS)
def index() -> str:
    """Every endpoint, and the form for a new one."""
    return _index()


@blueprint.post("/")
@allows(*READERS)
def add() -> str | tuple[str, int]:
    """Add an endpoint, and show its secret, this once."""
    try:
        require_fresh_code()
        with writing() as connection:
            number, made = endpoints.add_endpoint(
                connection,
                site().endpoint_seal,
                _wanted(connection),
                kind=request.form.get("kind", ""),
                url=request.form.get("url", ""),
                secret=request.form.get("secret", ""),
                now=now(),
            )
    except BountyError as refusal:
        return _index(refusal_text(refusal)), 422
    return _show(number, secret=made)


@blueprint.get("/<int:endpoint_id>")
@allows(*READERS)
def show(endpoint_id: int) -> str:
    """One endpoint with its deliveries, the newest first."""
    return _show(endpoint_id)


@blueprint.get("/<int:endpoint_id>/deliveries.csv")
@allows(*READERS)
def file(endpoint_id: int) -> Response:
    """Exactly the deliveries that the filters leave."""
    _required(endpoint_id)
    return csv_response(TABLE, deliveries(endpoint_id), request.args, f"deliveries-{endpoint_id}")


@blueprint.post("/<int:endpoint_id>")
@allows(*READERS)
def change(endpoint_id: int) -> Redirect | tuple[str, int]:
    """Change name, events and programme."""

    def act(connection: Connection) -> str:
        endpoints.change_endpoint(connection, endpoint_id, _wanted(connection), now())
        return _("已保存。")

    return _done(endpoint_id, act)


@blueprint.post("/<int:endpoint_id>/rotate")
@allows(*READERS)
def rotate(endpoint_id: int) -> str | tuple[str, int]:
    """Replace the secret; the old one holds for a day."""
    _required(endpoint_id)
    try:
        require_fresh_code()
        with writing() as connection:
            made = endpoints.rotate_secret(
                connection, site().endpoint_seal, endpoint_id, now(), request.form.get("secret", "")
            )
    except BountyError as refusal:
        return _show(endpoint_id, refusal_text(refusal)), 422
    return _show(endpoint_id, secret=made, rotated=True)


@blueprint.post("/<int:endpoint_id>/<any('enable', 'disable', 'test'):change>")
@allows(*READERS)
def switch(endpoint_id: int, change: str) -> Redirect | tuple[str, int]:
    """Enable or disable it, or send it a test."""

    def act(connection: Connection) -> str:
        if change == "enable":
            endpoints.enable_endpoint(connection, endpoint_id, now())
            return _("已启用：新的事件会发送到这里。")
        if change == "disable":
            endpoints.disable_endpoint(connection, endpoint_id, now())
            return _("已停用：不再发送到这里。")
        send_endpoint_test(connection, endpoint_id, now())
        return _("测试事件已写好，将由后台程序发送。")

    return _done(endpoint_id, act)


def _done(endpoint_id: int, act: Callable[[Connection], str]) -> Redirect | tuple[str, int]:
    _required(endpoint_id)
    try:
        with writing() as connection:
            message = act(connection)
    except BountyError as refusal:
        return _show(endpoint_id, refusal_text(refusal)), 422
    flash(message, "success")
    return redirect(url_for(".show", endpoint_id=endpoint_id), 303)


def _wanted(connection: Connection) -> endpoints.WantedEndpoint:
    """What the form asks for. Raises BountyError for a programme that there is not."""
    programme = request.form.get("programme", "")
    if programme:
        require_programme(connection, programme)
    every = set(request.form.getlist("event")) == set(EVENTS)
    chosen = () if every else request.form.getlist("event")
    if not every and not chosen:
        raise BountyError("Choose at least one event.", "请至少选择一种事件。")
    return endpoints.WantedEndpoint(request.form.get("name", ""), chosen, programme or None)


def _required(endpoint_id: int) -> None:
    with reading() as connection:
        if endpoints.endpoint_of(connection, endpoint_id) is None:
            abort(404)


def _index(refused: str | None = None) -> str:
    with reading() as connection:
        rows = endpoints.endpoints(connection)
    return render_template(
        "operations/webhooks.html",
        endpoints=rows,
        refused=refused,
        **_words(),
    )


def _show(
    endpoint_id: int, refused: str | None = None, *, secret: str | None = None, rotated: bool = False
) -> str:
    with reading() as connection:
        row = endpoints.endpoint_of(connection, endpoint_id)
        if row is None:
            abort(404)
        args = request.args if request.method == "GET" else {}
        page = page_of(connection, TABLE, deliveries(endpoint_id), args)
    until = None if row.rotated_at is None else row.rotated_at + endpoints.ROTATION_SECONDS
    return render_template(
        "operations/webhook.html",
        row=row,
        page=page,
        chosen=endpoints.events_of(row),
        old_until=until if until is not None and until > now() else None,
        secret=secret,
        rotated=rotated,
        refused=refused,
        states=MessageState.labels(),
        chips=CHIPS,
        **_words(),
    )


def _words() -> dict[str, object]:
    return {
        "kinds": MessageKind.labels(),
        "events": EVENTS,
        "kind_names": EndpointKind.labels(),
        "why": DisabledReason.labels(),
        "now": now(),
    }
