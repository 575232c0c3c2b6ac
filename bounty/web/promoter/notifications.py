"""The messages of a promoter, and which of them they want to be mailed."""

from collections.abc import Callable
from dataclasses import fields

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask_wtf import FlaskForm
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response
from wtforms import BooleanField, RadioField

from bounty.accounts.service import account_of_promoter
from bounty.db import equal
from bounty.notifications import inbox, service
from bounty.notifications.message_kinds import PROMOTER_KINDS, MessageKind
from bounty.web.shared.access import allows, own_promoter, person
from bounty.web.shared.downloads import csv_response
from bounty.web.shared.language import _, language
from bounty.web.shared.request_context import now, reading, writing
from bounty.web.shared.table_filters import Filter, Option
from bounty.web.shared.tables import Column, Table, page_of

blueprint = Blueprint("messages", __name__)
NEWS = Table(
    "messages",
    (
        Column("message", "编号", "number", shown=False),
        Column("written_at", "时间", "written at", "instant", sortable=True),
        Column("kind", "种类", "kind", shown=False),
        Column("subject", "标题", "subject"),
        Column("body", "内容", "text"),
        Column("read_at", "已读时间", "read at", "instant"),
        Column("sent_at", "邮件发送时间", "mailed at", "instant"),
    ),
    key=("message",),
    order="-written_at",
    filters=(
        Filter(
            "state",
            "状态",
            "state",
            (
                Option("unread", "未读", "unread", lambda rows: rows.c.read_at.is_(None)),
                Option("read", "已读", "read", lambda rows: rows.c.read_at.is_not(None)),
            ),
        ),
        Filter(
            "kind",
            "种类",
            "kind",
            tuple(Option(kind, *MessageKind.labels()[kind], equal("kind", kind)) for kind in PROMOTER_KINDS),
        ),
    ),
    page=20,
)
"""Of ``inbox.inbox``."""


@blueprint.app_context_processor
def _news() -> dict[str, Callable[[], int]]:
    """For the head of each page: how many messages wait for the promoter whose pages these are."""
    return {"unread": _unread}


def _unread() -> int:
    """Asked once a request; 0 on the page of an error, which may come of the database."""
    if "unread" not in g:
        try:
            with reading() as connection:
                g.unread = inbox.unread(connection, own_promoter())
        except SQLAlchemyError:
            g.unread = 0
    count: int = g.unread
    return count


@blueprint.get("/inbox")
@allows("promoter")
def index() -> str:
    """Every message, the newest first."""
    with reading() as connection:
        page = page_of(connection, NEWS, inbox.inbox(own_promoter()), request.args)
    return render_template(
        "promoter/inbox.html", page=page, now=now(), kinds=MessageKind.labels(), shown=_shown
    )


@blueprint.get("/inbox.csv")
@allows("promoter")
def file() -> Response:
    """The same messages as a file."""
    return csv_response(NEWS, inbox.inbox(own_promoter()), request.args, "messages")


@blueprint.post("/inbox/read")
@allows("promoter")
def read_all() -> Response:
    """Mark every message as read."""
    with writing() as connection:
        inbox.mark_read(connection, person().user_id, now())
    return redirect(url_for(".index"), 303)


@blueprint.post("/inbox/<message>/open")
@allows("promoter")
def open_message(message: str) -> Response:
    """Mark one message as read, and go to what it is about."""
    with writing() as connection:
        path = inbox.mark_read(connection, person().user_id, now(), message)
    return redirect(path or url_for(".index"), 303)


def _shown(text: str, between: str) -> str:
    """A message's text in the reader's language."""
    return inbox.in_language(text, between, chinese=language() == "zh")


class ChoiceForm(FlaskForm):  # type: ignore[misc]
    """Which mails, and in which language."""

    language = RadioField(choices=[("both", ""), ("zh", ""), ("en", "")])
    target = BooleanField()
    receipts = BooleanField()
    result = BooleanField()
    appeal = BooleanField()
    payment = BooleanField()


@blueprint.route("/messages", methods=["GET", "POST"])
@allows("promoter")
def choose() -> Response | str:
    """See the choice, and change it."""
    promoter_id = own_promoter()
    with reading() as connection:
        account = account_of_promoter(connection, promoter_id)
        held = (
            service.MailChoice() if account is None else service.mail_choice_of(connection, account.user_id)
        )
    form = ChoiceForm(obj=held)
    if form.validate_on_submit():
        names = (each.name for each in fields(service.MailChoice))
        choice = service.MailChoice(**{name: form[name].data for name in names})
        with writing() as connection:
            service.save_mail_choice(connection, choice, now())
        flash(_("已保存。"), "success")
        return redirect(url_for(".choose"), 303)
    return render_template("promoter/messages.html", form=form, held=held)
