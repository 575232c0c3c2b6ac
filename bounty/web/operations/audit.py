"""Audit: who did what, when, to what, before and after; and whether the chain holds."""

from flask import Blueprint, Response, render_template, request
from sqlalchemy import or_

from bounty.audit.act_labels import ACTS
from bounty.audit.service import events, verify
from bounty.clock import shanghai_date
from bounty.models import AccountRole
from bounty.web.shared.access import allows
from bounty.web.shared.downloads import csv_response
from bounty.web.shared.request_context import now, reading
from bounty.web.shared.table_filters import Filter, Option, Search, begins
from bounty.web.shared.tables import Column, Table, page_of

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
    ("payees", "收款信息", "payees"),
    ("payout", "付款批次", "tranches and payouts"),
    ("void", "取消达标", "revoked passes"),
    ("programme", "项目", "programmes"),
    ("token", "令牌", "API tokens"),
    ("headers", "表头对应", "headers"),
    ("sync", "平台同步", "fetching orders"),
    ("archive", "归档", "archives"),
    ("backup", "恢复备份", "restoring"),
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


@blueprint.get("/")
@allows("operator", "finance", "admin")
def index() -> str:
    """The events, the newest first."""
    with reading() as connection:
        page = page_of(connection, TABLE, events(), request.args)
        chain = verify(connection, LAST)
    return render_template(
        "operations/audit.html", page=page, chain=chain, acts=ACTS, roles=AccountRole.labels(), now=now()
    )


@blueprint.get("/audit.csv")
@allows("operator", "finance", "admin")
def file() -> Response:
    """Exactly the events that the filters leave."""
    return csv_response(TABLE, events(), request.args, f"audit-{shanghai_date(now())}")
