"""The outbox: what is to be sent, what was, and what was not taken, to be sent again."""

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from sqlalchemy import or_
from werkzeug.wrappers import Response as Redirect

from bounty.clock import shanghai_date
from bounty.notifications.message_kinds import MessageKind
from bounty.notifications.service import MessageState, message_with_tries, messages, resend, send_test
from bounty.web.shared.access import allows
from bounty.web.shared.downloads import csv_response
from bounty.web.shared.language import _
from bounty.web.shared.request_context import now, reading, writing
from bounty.web.shared.table_filters import Search, one_of
from bounty.web.shared.tables import Column, Table, page_of

blueprint = Blueprint("outbox", __name__, url_prefix="/operations/outbox")
CHIPS = {"sent": "ok", "waiting": "wait", "failed": "bad", "unset": "", "page": ""}
"""State of a message -> the kind of its chip."""
TABLE = Table(
    "outbox",
    columns=(
        Column("written_at", "写于", "Written", "instant", sortable=True),
        Column("kind", "内容", "About"),
        Column("recipient", "发给", "To", sortable=True),
        Column("subject", "标题", "Subject"),
        Column("state", "状态", "State"),
        Column("tries", "次数", "Tries", "count", sortable=True, summed=True),
        Column("channel", "渠道", "channel", shown=False),
        Column("sent_at", "送达", "sent", "instant", shown=False),
        Column("next_try_at", "下次", "next try", "instant", shown=False),
        Column("last_error", "原因", "why not", shown=False),
        Column("message", "编号", "id", shown=False),
    ),
    key=("message",),
    order="-written_at",
    filters=(
        one_of("state", "状态", "state", MessageState.labels()),
        one_of("kind", "内容", "kind", MessageKind.labels()),
    ),
    search=Search(
        "收件人或标题",
        "recipient or subject",
        lambda row, words: or_(
            row.c.recipient.contains(words, autoescape=True), row.c.subject.contains(words, autoescape=True)
        ),
    ),
)


@blueprint.get("/")
@allows("operator", "admin")
def index() -> str:
    """The messages, the newest first."""
    with reading() as connection:
        page = page_of(connection, TABLE, messages(), request.args, counted=True)
    return render_template(
        "operations/outbox.html",
        page=page,
        now=now(),
        kinds=MessageKind.labels(),
        states=MessageState.labels(),
        chips=CHIPS,
    )


@blueprint.get("/outbox.csv")
@allows("operator", "admin")
def file() -> Response:
    """Exactly the messages that the filters leave."""
    return csv_response(TABLE, messages(), request.args, f"outbox-{shanghai_date(now())}")


@blueprint.get("/<message>")
@allows("operator", "admin")
def show(message: str) -> str:
    """One message: its text, every try, and what the other side answered."""
    with reading() as connection:
        found = message_with_tries(connection, message)
    if found is None:
        abort(404)
    row, tries = found
    return render_template(
        "operations/message.html",
        row=row,
        tries=tries,
        kinds=MessageKind.labels(),
        states=MessageState.labels(),
        chips=CHIPS,
        now=now(),
    )


@blueprint.post("/test")
@allows("operator", "admin")
def test() -> Redirect:
    """Send a test message to the account that asks, and to the webhook."""
    with writing() as connection:
        recipient = send_test(connection, now())
    flash(
        _("测试消息已写好，将由后台程序发送给 %(recipient)s 和 webhook。", recipient=recipient),
        "success",
    )
    return redirect(url_for(".index", kind="test"), 303)


@blueprint.post("/<message>/resend")
@allows("operator", "admin")
def send_again(message: str) -> Redirect:
    """Schedule an unsent message to be sent again."""
    with writing() as connection:
        recipient = resend(connection, message, now())
    flash(
        _("将再次发送给 %(recipient)s。", recipient=recipient),
        "success",
    )
    return redirect(url_for(".index"), 303)
