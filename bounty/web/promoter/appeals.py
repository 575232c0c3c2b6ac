"""Appeals as the promoter sees them: all of theirs, one with its messages, appealing, and replying."""

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response as Redirect

from bounty.appeals import service
from bounty.appeals.attachments import attach, attachment, attachments_of
from bounty.appeals.queries import AppealState, appeals_of_promoter
from bounty.clock import shown
from bounty.db import Query
from bounty.errors import BountyError
from bounty.orders.queries import owns_order
from bounty.progress.as_of import read_as_of
from bounty.progress.service import explain
from bounty.rules.clause_texts import CLAUSE_TEXTS
from bounty.rules.clauses import SUBSIDY_CLAUSES, TASK_CLAUSES
from bounty.rules.periods import MAIN, Period
from bounty.web.period_names import by_programme
from bounty.web.promoter import texts
from bounty.web.shared.access import allows, own_promoter
from bounty.web.shared.attachments import download, files_in_form, limits
from bounty.web.shared.downloads import csv_response
from bounty.web.shared.errors import refusal_text
from bounty.web.shared.language import _
from bounty.web.shared.request_context import now, reading, site, writing
from bounty.web.shared.table_filters import one_of
from bounty.web.shared.tables import Column, Table, page_of

blueprint = Blueprint("appeals", __name__, url_prefix="/appeals")
KINDS = {"OPEN": "wait", "OVERDUE": "bad", "ASKED": "wait", "ACCEPTED": "ok", "DECLINED": "bad"}
"""State -> the chip's colour."""
CLAUSES = {
    "task": {clause.code: CLAUSE_TEXTS[clause].name for clause in TASK_CLAUSES},
    "subsidy": {clause.code: CLAUSE_TEXTS[clause].name for clause in SUBSIDY_CLAUSES},
}
"""Code -> its name in Chinese and English, for what an appeal keeps as JSON."""


def stood_in_words(
    connection: Connection, case: service.Case, now: int
) -> dict[str, dict[str, tuple[str | None, str]]]:
    """Part and code of a clause -> the order's fact and what is required, in words as pages have them.

    The case keeps fact and bound as files write them. The words are made from the books as of the moment of asking, and
    where these judge otherwise (the order came later, a link lost its past channel) from the present books. A fact of
    which neither knows any more is null; what is required depends on the terms alone.
    """
    facts = case.facts
    if facts.order_sn is None or "task" not in case.as_stood:
        return {}
    programme = Period.parse(facts.period).programme
    parts = {"task": case.as_stood["task"]["clauses"], "subsidy": case.as_stood["subsidy"]["clauses"]}
    kept = {part: {each["code"]: each for each in clauses} for part, clauses in parts.items()}
    found: dict[str, dict[str, tuple[str | None, str]]] = {"task": {}, "subsidy": {}}
    for then in (True, False):
        try:
            as_of = read_as_of(connection, shown(facts.asked_at), now) if then else None
            why = explain(connection, facts.order_sn, now, programme, as_of)
        except BountyError:
            continue
        for part, judged in (("task", why.task), ("subsidy", why.subsidy)):
            for each in judged:
                code = each.clause.code
                _name, fact, required = texts.clause_words(each, why.known)
                if each.as_json() == kept[part].get(code):
                    found[part].setdefault(code, (fact, required))
                elif not then:
                    found[part].setdefault(code, (None, required))
        if all(found[part].keys() >= kept[part].keys() for part in kept):
            break
    return found


STATE_FILTER = one_of("state", "状态", "state", AppealState.labels())
TABLE = Table(
    "appeals",
    (
        Column("appeal_id", "申诉", "appeal", "id", sortable=True),
        Column("period", "期次", "period", sortable=True),
        Column("order_sn", "订单", "order"),
        Column("state", "状态", "state"),
        Column("asked_at", "提出时间", "asked at", "instant", sortable=True),
        Column("due_at", "答复期限", "answer due", "instant"),
        Column("answered_at", "最近答复", "last answer", "instant"),
        Column("words", "内容", "words", shown=False),
    ),
    key=("appeal_id",),
    order="-appeal_id",
    filters=(STATE_FILTER,),
)


@blueprint.get("/")
@allows("promoter")
def index() -> str:
    """The promoter's appeals, the newest first."""
    with reading() as connection:
        page = page_of(connection, by_programme(TABLE), _own(), request.args)
        results = service.results_to_ask_about(connection, own_promoter(), now())
    return render_template(
        "promoter/appeals.html",
        page=page,
        results=results,
        now=now(),
        states=AppealState.labels(),
        kinds=KINDS,
    )


@blueprint.get("/appeals.csv")
@allows("promoter")
def file() -> Response:
    """Just these as a file."""
    return csv_response(by_programme(TABLE), _own(), request.args, "appeals")


@blueprint.get("/new")
@allows("promoter")
def new() -> str:
    """The form: about an order (``?order_sn=``, in the programme of ``?period=``) or a result (``?period=``)."""
    return _form(request.args.get("order_sn"), request.args.get("period"))


@blueprint.post("/new")
@allows("promoter")
def ask() -> Redirect | tuple[str, int]:
    """Ask."""
    order_sn, period = request.form.get("order_sn") or None, request.form.get("period")
    try:
        files = files_in_form()
        with writing() as connection:
            _require_own(connection, order_sn)
            number = service.ask(
                connection, own_promoter(), _month(period), order_sn, request.form.get("words", ""), now()
            )
            attach(connection, site().settings.uploads, number, files, limits(), now())
    except BountyError as refusal:
        return _form(order_sn, period, refusal_text(refusal)), 422
    flash(_("申诉已提交。"), "success")
    return redirect(url_for(".case", appeal_id=number), 303)


@blueprint.get("/<int:appeal_id>")
@allows("promoter")
def case(appeal_id: int) -> str:
    """One appeal: its words, its subject as of then, and every answer."""
    return _case(appeal_id)


@blueprint.post("/<int:appeal_id>")
@allows("promoter")
def reply(appeal_id: int) -> Redirect | tuple[str, int]:
    """Answer a question of operations."""
    try:
        files = files_in_form()
        with writing() as connection:
            service.reply(
                connection,
                own_promoter(),
                appeal_id,
                number_in_form(),
                request.form.get("words", ""),
                now(),
            )
            attach(connection, site().settings.uploads, appeal_id, files, limits(), now())
    except service.NoSuchAppeal:
        abort(404)
    except BountyError as refusal:
        return _case(appeal_id, refusal_text(refusal)), 422
    flash(_("补充已提交。"), "success")
    return redirect(url_for(".case", appeal_id=appeal_id), 303)


@blueprint.get("/<int:appeal_id>/files/<int:number>")
@allows("promoter")
def attached(appeal_id: int, number: int) -> Response:
    """A file that the promoter added."""
    with reading() as connection:
        row = attachment(connection, appeal_id, number, promoter_id=own_promoter())
    return download(row)


def number_in_form() -> int:
    """Which answer the form was made for; 0, which no answer is, if that can't be read."""
    text = request.form.get("number", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def _own() -> Query:
    return appeals_of_promoter(own_promoter(), now())


def _form(order_sn: str | None, period: str | None, refused: str | None = None) -> str:
    with reading() as connection:
        _require_own(connection, order_sn)
        month = _month(period)
        if order_sn is not None:
            month = explain(connection, order_sn, now(), MAIN if month is None else month.programme).period
        panel = service.panel(connection, own_promoter(), month, order_sn, now())
    if panel is None:
        abort(404)
    words = request.form.get("words", "")
    return render_template(
        "promoter/appeal_new.html",
        appealing=panel,
        now=now(),
        refused=refused,
        words=words,
        days=panel.window.days,
        limits=limits(),
    )


def _case(appeal_id: int, refused: str | None = None) -> str:
    try:
        with reading() as connection:
            found = service.case_of(connection, appeal_id, now(), promoter_id=own_promoter())
            files = attachments_of(connection, appeal_id)
            stood = stood_in_words(connection, found, now())
    except service.NoSuchAppeal:
        abort(404)
    return render_template(
        "promoter/appeal.html",
        case=found,
        files=files,
        clauses=CLAUSES,
        stood=stood,
        now=now(),
        states=AppealState.labels(),
        kinds=KINDS,
        refused=refused,
        limits=limits(),
    )


def _require_own(connection: Connection, order_sn: str | None) -> None:
    if order_sn is not None and not owns_order(connection, own_promoter(), order_sn):
        abort(404)


def _month(period: str | None) -> Period | None:
    if not period:
        return None
    try:
        return Period.parse(period)
    except ValueError:
        abort(404)
