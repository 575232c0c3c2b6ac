"""Audit: who did what, when, to what, before and after; and whether the chain holds."""

from flask import Blueprint, Response, render_template, request
from sqlalchemy import or_, select

from bounty.audit.service import verify
from bounty.clock import shanghai_date
from bounty.models import AuditEvent
from bounty.web.shared.access import allows
from bounty.web.shared.downloads import csv_response
from bounty.web.shared.request_context import now, reading
from bounty.web.shared.tables import Column, Filter, Option, Search, Table, begins, page_of

blueprint = Blueprint("audit", __name__, url_prefix="/operations/audit")
LAST = 10_000
"""Events whose chain the page reads again, a tenth of a second; ``bounty audit verify`` reads them all."""
KINDS = (
    ("upload", "上传", "uploads"),
    ("batch", "导入与撤销", "imports and undoing"),
    ("quarantine", "隔离", "quarantine"),
    ("terms", "条款", "terms"),
    ("period", "开期", "opening a period"),
    ("roster", "名单调整", "roster overrides"),
    ("settlement", "核算与批准", "settling and approving"),
    ("books", "账目自查", "the books' checks"),
    ("notice", "公示", "publishing"),
    ("appeal", "申诉", "appeals"),
    ("promoter", "代看", "viewing as a promoter"),
    ("user", "账号", "accounts"),
    ("calendar", "日历", "the calendar"),
    ("receipts", "待收货提醒", "reminders of receipts"),
    ("message", "重发消息", "sending again"),
)
TABLE = Table(
    "audit",
    columns=(
        Column("event_id", "序号", "no.", "count", sortable=True),
        Column("happened_at", "时间", "when", "instant"),
        Column("actor", "谁", "who"),
        Column("role", "角色", "role", shown=False),
        Column("act", "做了什么", "did what"),
        Column("subject", "对什么", "to what"),
        Column("reason", "理由", "reason"),
        Column("before", "之前", "before", shown=False),
        Column("after", "之后", "after", shown=False),
        Column("address", "来自", "from", shown=False),
        Column("request", "请求", "request", shown=False),
        Column("event_sha256", "指纹", "hash", shown=False),
    ),
    key=("event_id",),
    order="-event_id",
    filters=(
        Filter(
            "kind",
            "类别",
            "kind",
            tuple(Option(kind, zh, en, begins("act", f"{kind}.")) for kind, zh, en in KINDS),
        ),
        Filter(
            "who",
            "由谁",
            "by",
            (
                Option("account", "账号", "an account", lambda row: row.c.user_id.is_not(None)),
                Option("shell", "命令行", "the command line", lambda row: row.c.user_id.is_(None)),
            ),
        ),
    ),
    search=Search(
        "查找人、对象或理由",
        "who, what or why",
        lambda row, words: or_(
            *(row.c[name].contains(words, autoescape=True) for name in ("actor", "subject", "reason"))
        ),
    ),
)
ROWS = select(AuditEvent.__table__)


@blueprint.get("/")
@allows("operator", "finance", "admin")
def index() -> str:
    """The events, the newest first."""
    with reading() as connection:
        page = page_of(connection, TABLE, ROWS, request.args)
        chain = verify(connection, LAST)
    return render_template("operations/audit.html", page=page, chain=chain, now=now())


@blueprint.get("/audit.csv")
@allows("operator", "finance", "admin")
def file() -> Response:
    """Exactly the events that the filters leave."""
    return csv_response(TABLE, ROWS, request.args, f"audit-{shanghai_date(now())}")
