"""Accounts: who may log in, with which role and second factor, and when they last did; invitations; disabling."""

from collections.abc import Callable

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from sqlalchemy import Connection, or_
from werkzeug.wrappers import Response as Redirect

from bounty.accounts import service
from bounty.clock import shanghai_date
from bounty.errors import BountyError
from bounty.models import AccountRole
from bounty.web.shared.access import allows
from bounty.web.shared.downloads import csv_response
from bounty.web.shared.errors import refusal_text
from bounty.web.shared.language import _
from bounty.web.shared.request_context import now, reading, writing
from bounty.web.shared.step_up_auth import require_fresh_code
from bounty.web.shared.table_filters import Filter, Option, Search, one_of
from bounty.web.shared.tables import Column, Table, page_of

blueprint = Blueprint("accounts", __name__, url_prefix="/operations/accounts")
STAFF = ("operator", "finance", "admin")
TABLE = Table(
    "accounts",
    (
        Column("user_id", "编号", "No.", "id", shown=False),
        Column("name", "姓名", "Name", sortable=True),
        Column("email", "邮箱", "E-mail", sortable=True),
        Column("role", "角色", "Role", sortable=True),
        Column("promoter_id", "推手 ID", "Promoter", "id"),
        Column("second_factor", "两步验证", "Second factor", "flag"),
        Column("logged_in_at", "最近登录", "Last log-in", "instant", sortable=True),
        Column("active", "状态", "State", "flag"),
        Column("created_at", "建立于", "Made at", "instant", shown=False),
    ),
    key=("user_id",),
    order="role",
    filters=(
        one_of("role", "角色", "role", AccountRole.labels()),
        Filter(
            "state",
            "状态",
            "state",
            (
                Option("active", "启用", "active", lambda row: row.c.active.is_(True)),
                Option("disabled", "已停用", "disabled", lambda row: row.c.active.is_(False)),
            ),
        ),
    ),
    search=Search(
        "姓名或邮箱",
        "Name or e-mail",
        lambda row, words: or_(
            row.c.name.contains(words, autoescape=True), row.c.email.contains(words, autoescape=True)
        ),
    ),
)


@blueprint.get("/")
@allows("admin")
def index() -> str:
    """Every account, and the invitations that are open."""
    return _index()


@blueprint.get("/accounts.csv")
@allows("admin")
def file() -> Response:
    """Exactly the accounts that the filters leave."""
    return csv_response(TABLE, service.accounts(), request.args, f"accounts-{shanghai_date(now())}")


@blueprint.post("/")
@allows("admin")
def invite() -> Redirect | tuple[str, int]:
    """Invite one of the staff; the link goes by mail."""

    def act(connection: Connection) -> str:
        email, name, role = (request.form.get(name, "").strip() for name in ("email", "name", "role"))
        if role not in STAFF:
            raise BountyError("Choose a role.", "请选择角色。")
        invited = service.invite(connection, [(email, name, role, None)], now())
        service.mail_invitations(connection, invited, now())
        return _("邀请已写好，将发送到 %(email)s。", email=invited[0].email)

    return _done(act)


@blueprint.post("/invitations/resend")
@allows("admin")
def invite_again() -> Redirect | tuple[str, int]:
    """Send a new link in place of an open invitation's."""

    def act(connection: Connection) -> str:
        invited = service.invite_again(connection, request.form.get("email", ""), now())
        service.mail_invitations(connection, [invited], now())
        return _("新的链接将发送到 %(email)s，旧链接已失效。", email=invited.email)

    return _done(act)


@blueprint.post("/<any('disable', 'enable'):change>")
@allows("admin")
def change(change: str) -> Redirect | tuple[str, int]:
    """Disable an account, or enable it again."""

    def act(connection: Connection) -> str:
        email = request.form.get("email", "")
        if change == "disable":
            service.disable(connection, email, now())
            return _("%(email)s 已停用，会话已结束。", email=email)
        service.enable(connection, email, now())
        return _("%(email)s 已启用，可以重新登录。", email=email)

    return _done(act)


def _done(act: Callable[[Connection], str]) -> Redirect | tuple[str, int]:
    """Do one act, with a fresh one-time code, and go back to the page; a refusal is a sentence on it."""
    try:
        require_fresh_code()
        with writing() as connection:
            message = act(connection)
    except BountyError as refusal:
        return _index(refusal_text(refusal)), 422
    flash(message, "success")
    return redirect(url_for(".index"), 303)


def _index(refused: str | None = None) -> str:
    with reading() as connection:
        args = request.args if request.method == "GET" else {}
        page = page_of(connection, TABLE, service.accounts(), args)
        invitations = service.open_invitations(connection, now())
    return render_template(
        "operations/accounts.html",
        page=page,
        invitations=invitations,
        roles=AccountRole.labels(),
        staff=STAFF,
        posted=request.form,
        refused=refused,
        now=now(),
    )
