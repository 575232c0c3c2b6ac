"""Appeals as operations see them: the queue by deadline, each case with its subject, and the answer with its reason."""

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from sqlalchemy import cast, or_
from werkzeug.wrappers import Response as Redirect

from bounty.appeals import service
from bounty.appeals.attachments import attachment, attachments_of
from bounty.appeals.corrections import FACTS, CorrectedFacts, current_facts, overtaken_by
from bounty.appeals.queries import WITH_OPERATIONS, AppealState, appeals
from bounty.clock import read_instant, shown
from bounty.db import Words
from bounty.errors import BountyError
from bounty.money import read_yuan, shown_yuan
from bounty.web.period_names import by_programme
from bounty.web.promoter.appeals import CLAUSES, KINDS, STATE_FILTER, number_in_form, stood_in_words
from bounty.web.shared.access import allows
from bounty.web.shared.attachments import download
from bounty.web.shared.downloads import csv_response
from bounty.web.shared.errors import refusal_text
from bounty.web.shared.language import _
from bounty.web.shared.request_context import now, reading, writing
from bounty.web.shared.table_filters import Filter, Option, Search
from bounty.web.shared.tables import Column, Table, page_of

blueprint = Blueprint("appeal_queue", __name__, url_prefix="/operations/appeals")
TURN = Filter(
    "turn",
    "待谁处理",
    "whose turn",
    (
        Option("operations", "轮到运营", "operations'", lambda row: row.c.state.in_(WITH_OPERATIONS)),
        Option("done", "已办结", "done", lambda row: row.c.state.in_(("ACCEPTED", "DECLINED"))),
    ),
)
TABLE = Table(
    "appeals",
    (
        Column("due_at", "答复期限", "answer due", "instant", sortable=True),
        Column("appeal_id", "申诉", "appeal", "id", sortable=True),
        Column("promoter_id", "推手", "promoter", "id", sortable=True),
        Column("name", "姓名", "name"),
        Column("period", "期次", "period", sortable=True),
        Column("order_sn", "订单", "order"),
        Column("state", "状态", "state"),
        Column("asked_at", "提出时间", "asked at", "instant", sortable=True),
        Column("answered_at", "最近答复", "last answer", "instant"),
        Column("words", "内容", "words", shown=False),
    ),
    key=("appeal_id",),
    order="due_at",
    filters=(TURN, STATE_FILTER),
    search=Search(
        "推手 ID 或订单编号",
        "promoter id or order number",
        lambda row, words: or_(
            cast(row.c.promoter_id, Words) == words, row.c.order_sn.startswith(words, autoescape=True)
        ),
    ),
)
READERS = ("operator", "admin")
FIELDS = (
    ("is_direct", "是否直推", "direct push", "choice", (("1", "是", "yes"), ("0", "否", "no"))),
    (
        "price_compare_status",
        "比价状态",
        "price comparison",
        "choice",
        (("1", "比价", "compared"), ("0", "正常", "ordinary")),
    ),
    ("order_pay_time", "支付时间", "paid at", "instant", ()),
    ("order_receive_time", "确认收货时间", "received at", "instant", ()),
    ("order_amount", "实付金额（元）", "amount paid (yuan)", "money", ()),
    ("type", "订单类型", "order type", "whole", ()),
    ("cat_ids", "类目 ID（用 ; 分隔）", "category ids (joined by ;)", "list", ()),
)
"""The facts that can be put right: field, Chinese, English, how it is written, choices."""


@blueprint.get("/")
@allows(*READERS)
def index() -> str:
    """The queue, the nearest deadline first."""
    args = request.args if request.args else {"turn": "operations"}
    with reading() as connection:
        page = page_of(connection, by_programme(TABLE), appeals(now()), args)
    return render_template(
        "operations/appeals.html", page=page, now=now(), states=AppealState.labels(), kinds=KINDS
    )


@blueprint.get("/appeals.csv")
@allows(*READERS)
def file() -> Response:
    """Just these as a file."""
    return csv_response(by_programme(TABLE), appeals(now()), request.args, "appeals")


@blueprint.get("/<int:appeal_id>")
@allows(*READERS)
def case(appeal_id: int) -> str:
    """One case: what it asks about, as it stood and as it stands, and the answer to give."""
    return _case(appeal_id)


@blueprint.get("/<int:appeal_id>/files/<int:number>")
@allows(*READERS)
def attached(appeal_id: int, number: int) -> Response:
    """A file that the promoter added."""
    with reading() as connection:
        row = attachment(connection, appeal_id, number)
    return download(row)


@blueprint.post("/<int:appeal_id>")
@allows("operator")
def answer(appeal_id: int) -> Redirect | tuple[str, int]:
    """Accept, decline or ask back."""
    try:
        verdict = request.form.get("verdict", "")
        corrected = _corrected() if verdict == "ACCEPTED" else None
        with writing() as connection:
            service.answer(
                connection,
                appeal_id,
                number_in_form(),
                verdict,
                request.form.get("words", ""),
                now(),
                corrected=corrected,
            )
    except service.NoSuchAppeal:
        abort(404)
    except BountyError as refusal:
        return _case(appeal_id, refusal_text(refusal)), 422
    flash(
        {
            "ACCEPTED": _("申诉成立；更正会进入下一份核算草稿。"),
            "DECLINED": _("已驳回。"),
            "ASKED": _("已请推手补充。"),
        }[verdict],
        "success",
    )
    return redirect(url_for(".index"), 303)


def _case(appeal_id: int, refused: str | None = None) -> str:
    try:
        with reading() as connection:
            found = service.case_of(connection, appeal_id, now())
            files = attachments_of(connection, appeal_id)
            stood = stood_in_words(connection, found, now())
            stands, overtaking = None, None
            if found.facts.order_sn is not None:
                stands = written(current_facts(connection, found.facts.order_sn))
            batch = found.answers[-1].correction_batch_id if found.answers else None
            if batch is not None:
                overtaking = overtaken_by(connection, batch, found.facts.order_sn)
    except service.NoSuchAppeal:
        abort(404)
    return render_template(
        "operations/appeal.html",
        case=found,
        files=files,
        stands=stands,
        overtaken_by=overtaking,
        fields=FIELDS,
        clauses=CLAUSES,
        stood=stood,
        turn=found.facts.state in WITH_OPERATIONS,
        posted=request.form,
        now=now(),
        states=AppealState.labels(),
        kinds=KINDS,
        refused=refused,
    )


def written(facts: CorrectedFacts) -> dict[str, str]:
    """Facts as the form has them; blank is unknown, or not yet.

    >>> written({"order_amount": 200, "cat_ids": [8, 9], "type": None, "order_pay_time": 1671551999})
    {'order_amount': '2.00', 'cat_ids': '8;9', 'type': '', 'order_pay_time': '2022-12-20 23:59:59'}
    """
    return {name: _text(name, value) for name, value in facts.items()}


def _text(name: str, value: str | int | list[int] | None) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ";".join(map(str, value))
    if isinstance(value, int) and name == "order_amount":
        return shown_yuan(value)
    if isinstance(value, int) and name.endswith("_time"):
        return shown(value)[:19].replace("T", " ")
    return str(value)


def _corrected() -> CorrectedFacts:
    """The facts in the form, in the platform's units. Those that stand so already put nothing right."""
    found: CorrectedFacts = {}
    for name in FACTS:
        if name not in request.form:
            continue
        text = request.form[name].strip()
        try:
            found[name] = _read(name, text) if text else None
        except ValueError:
            raise BountyError(
                f"{text!r} can't be read: write it as it stands in the form.",
                f"「{text}」无法识别：请按表单中的写法填写。",
            ) from None
    if "order_amount" in found and found["order_amount"] is None:
        raise BountyError("An order has an amount.", "订单金额不能为空。")
    return found


def _read(name: str, text: str) -> int | list[int] | None:
    if name == "order_amount":
        return read_yuan(text)
    if name == "cat_ids":
        return sorted({int(each) for each in text.split(";")}) or None
    return read_instant(text) if name.endswith("_time") else int(text)
