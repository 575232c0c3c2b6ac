"""Imports: a file uploaded, tried, imported in the background with a bar; the batches, and taking one back."""

import os
import sys
from dataclasses import replace
from pathlib import Path

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.wrappers import Response as Redirect

from bounty.clock import shown
from bounty.db import QueryRow, equal
from bounty.errors import BountyError
from bounty.importer import KINDS, RELEASE
from bounty.ingest.correction_files import ENTRY_COLUMN
from bounty.ingest.header_names import forget_header, kept_mapping
from bounty.ingest.queries import count_of_batch, count_open
from bounty.ingest.unfinished import unfinished_file
from bounty.models.ingest import FileKind
from bounty.orders.undo import undo_batch
from bounty.platforms.pdd.order_facts import ORDER_FACTS
from bounty.settlement.undo_preview import shown_undo_preview
from bounty.uploads import service as uploads
from bounty.uploads.batch_list import batch_list
from bounty.uploads.processes import ImportProcess, launch
from bounty.uploads.service import UploadStage
from bounty.web.api.bearer import BODY_BYTES
from bounty.web.operations.file_templates import column_help
from bounty.web.shared.access import allows, person
from bounty.web.shared.downloads import csv_response
from bounty.web.shared.errors import refusal_text
from bounty.web.shared.form_files import stay_on_form, uploaded_file
from bounty.web.shared.language import _, _n
from bounty.web.shared.request_context import now, reading, site, writing
from bounty.web.shared.table_filters import Filter, Option, Search, one_of
from bounty.web.shared.tables import Column, Table, page_of

blueprint = Blueprint("imports", __name__, url_prefix="/operations/imports")
READERS = ("operator", "admin")
OTHER_BYTES = 2_000_000
"""The most that any other form may carry."""
RECENT = 10
"""Uploads shown on the first page."""
KIND_NAMES = FileKind.labels()
CHIPS = {
    UploadStage.WAITING: "",
    UploadStage.RUNNING: "wait",
    UploadStage.STOPPED: "bad",
    UploadStage.TRIED: "wait",
    UploadStage.IMPORTED: "ok",
    UploadStage.REFUSED: "bad",
    UploadStage.UNDONE: "",
}
COUNTS = (
    ("new", "新增", "new"),
    ("changed", "变更", "changed"),
    ("unchanged", "未变", "unchanged"),
    ("stale", "已有更新的记录", "superseded"),
    ("quarantined", "隔离", "quarantined"),
)
FACTS = {
    **{fact.name: (fact.zh, fact.en) for fact in ORDER_FACTS},
    "promoter_id": ("推手 ID", "promoter id"),
    "name": ("姓名", "name"),
    "level": ("等级", "level"),
    "level_from": ("等级起始日", "level from"),
    "registered_on": ("注册日", "registered on"),
    "occurred_on": ("违规日", "occurred on"),
    "reason": ("原因", "reason"),
    "cleared_on": ("解除日", "cleared on"),
    "channel": ("渠道", "channel"),
    "period": ("期次", "period"),
    "gmv_fen": ("GMV 目标", "GMV target"),
    "orders": ("单数目标", "target of orders"),
}
"""What a column becomes, in Chinese and English."""
BATCHES = Table(
    "batches",
    (
        Column("batch_id", "批次", "batch", "id", sortable=True),
        Column("kind", "种类", "kind"),
        Column("file_name", "文件", "file"),
        Column("imported_at", "导入时间", "imported at", "instant"),
        Column("by", "操作人", "by"),
        Column("rows_read", "读入", "read", "count", summed=True),
        *(Column(f"rows_{name}", zh, en, "count", summed=True) for name, zh, en in COUNTS),
        Column("undone_at", "撤销时间", "undone at", "instant"),
    ),
    key=("batch_id",),
    order="-batch_id",
    filters=(one_of("kind", "种类", "kind", KIND_NAMES),),
    page=20,
)
UPLOADS = Table(
    "uploads",
    (
        Column("upload_id", "上传", "upload", "id", sortable=True),
        Column("kind", "种类", "kind"),
        Column("file_name", "文件", "file"),
        Column("state", "状态", "state"),
        Column("size_bytes", "字节", "bytes", "count", sortable=True, summed=True),
        Column("uploaded_at", "上传时间", "uploaded at", "instant"),
        Column("by", "操作人", "by"),
        Column("batch_id", "批次", "batch", "id"),
        Column("sha256", "指纹", "hash", shown=False),
    ),
    key=("upload_id",),
    order="-upload_id",
    filters=(
        BATCHES.filters[0],
        Filter(
            "state",
            "状态",
            "state",
            tuple(
                Option(stage, *stage.names, equal("state", str(stage)))
                for stage in UploadStage
                if stage not in (UploadStage.RUNNING, UploadStage.STOPPED)
            ),
        ),
    ),
    search=Search("文件名", "file name", lambda row, words: row.c.file_name.contains(words, autoescape=True)),
)


def bound_uploads(app: Flask) -> None:
    """Only the forms that take files take large ones. Set before anything looks at a body, the API's too."""

    @app.before_request
    def _bound() -> None:
        if request.endpoint in ("appeals.ask", "appeals.reply"):
            settings = site().settings
            files = settings.appeal_files * settings.appeal_file_megabytes * 1_000_000
            request.max_content_length = files + OTHER_BYTES
        elif request.blueprint == "api":
            request.max_content_length = BODY_BYTES
        elif request.endpoint not in ("imports.upload", "payees.propose", "receipts.preview"):
            request.max_content_length = OTHER_BYTES


@blueprint.get("/")
@allows(*READERS)
def index() -> str:
    """The form, the last uploads, and every batch."""
    return _index()


@blueprint.post("/")
@allows("operator")
def upload() -> Redirect | tuple[str, int]:
    """Keep a file, and try it."""
    kind = request.form.get("kind", "")
    try:
        file, name = uploaded_file()
        if kind not in KINDS:
            raise BountyError("Say what the file holds.", "请选择文件的种类。")
        kept = uploads.keep_file(_folder(), file.stream, uploads.ending_of(name))
        with writing() as connection:
            number = uploads.add_upload(connection, kind, name, kept, now())
    except BountyError as refusal:
        return _index(refusal_text(refusal)), 422
    _start(number, "try")
    return redirect(url_for(".uploaded", number=number), 303)


@blueprint.get("/uploads")
@allows(*READERS)
def listing() -> str:
    """Every upload, the newest first."""
    with reading() as connection:
        page = page_of(connection, UPLOADS, uploads.uploads(), request.args)
    return render_template(
        "operations/uploads.html",
        page=page,
        now_states={row.upload_id: _state_now(row) for row in page.rows},
        kinds=KIND_NAMES,
        states=UploadStage.labels(),
        chips=CHIPS,
        now=now(),
    )


@blueprint.get("/uploads.csv")
@allows(*READERS)
def uploads_file() -> Response:
    """Exactly the uploads that the filters leave."""
    return csv_response(UPLOADS, uploads.uploads(), request.args, "uploads")


@blueprint.get("/uploads/<int:number>")
@allows(*READERS)
def uploaded(number: int) -> str:
    """One upload: what the dry run found, how far the import is, what it brought."""
    return _uploaded(number)


@blueprint.get("/uploads/<int:number>/progress")
@allows(*READERS)
def progress(number: int) -> Response:
    """The bar alone, for a page that asks for it again and again; once there is none, the page is to reload."""
    found = _upload(number)
    response = make_response(render_template("operations/progress.html", found=found))
    if found.state != "RUNNING":
        response.headers["HX-Refresh"] = "true"
    return response


@blueprint.post("/uploads/<int:number>/<any('try', 'import'):stage>")
@allows("operator")
def start(number: int, stage: str) -> Redirect | tuple[str, int]:
    """Start what comes next for an upload."""
    try:
        uploads.require_startable(_upload(number), stage)
    except BountyError as refusal:
        return _uploaded(number, refusal_text(refusal)), 409
    confirmed = request.form.get("confirm") == "put back"
    tried = _upload(number).tried
    if stage == "import" and tried and tried.get("put_back") and not confirmed:
        return _uploaded(
            number,
            _("这份较早的文件会改回后来的更正：请先勾选确认。"),
        ), 409
    _start(number, stage, force=confirmed)
    return redirect(url_for(".uploaded", number=number), 303)


@blueprint.post("/uploads/<int:number>/headers")
@allows("operator")
def map_headers(number: int) -> Redirect | tuple[str, int]:
    """Have headers of an upload read as the columns that it lacks, and try it again."""
    found = _upload(number)
    missing = None if found.refused is None else found.refused.get("missing")
    columns = missing["columns"] if missing else []
    try:
        if found.state != "REFUSED" or not columns:
            raise BountyError("This file lacks no column.", "这份文件没有缺少的列。")
        pairs = [(request.form.get(f"column-{at}", ""), column) for at, column in enumerate(columns)]
        with writing() as connection:
            uploads.map_headers(
                connection, found.facts, pairs, now(), from_now_on=request.form.get("keep") == "yes"
            )
    except BountyError as refusal:
        return _uploaded(number, refusal_text(refusal)), 422
    _start(number, "try")
    return redirect(url_for(".uploaded", number=number), 303)


@blueprint.post("/headers/forget")
@allows("operator")
def forget() -> Redirect | tuple[str, int]:
    """Have a header no longer read as another column."""
    try:
        with writing() as connection:
            forget_header(connection, request.form.get("kind", ""), request.form.get("header", ""), now())
    except BountyError as refusal:
        return _index(refusal_text(refusal)), 409
    flash(_("已删除这条列名对应。"), "success")
    return redirect(url_for(".index"), 303)


@blueprint.get("/batches.csv")
@allows(*READERS)
def file() -> Response:
    """The batches as a file."""
    return csv_response(BATCHES, batch_list(), request.args, "batches")


@blueprint.get("/batches/<int:batch_id>/undo")
@allows("operator")
def undoing(batch_id: int) -> str | tuple[str, int]:
    """What taking a batch back would do; nothing is taken back yet."""
    return _undoing(batch_id)


@blueprint.post("/batches/<int:batch_id>/undo")
@allows("operator")
def undo(batch_id: int) -> Redirect | str | tuple[str, int]:
    """Take a batch of orders back, as it was seen."""
    seen = request.form.get("rows", type=int)
    if seen is None:
        return _undoing(batch_id)
    try:
        with writing() as connection:
            rows = undo_batch(connection, batch_id, now())
            if rows != seen:
                raise BountyError(
                    f"It would now take back {rows} rows, not {seen}: look at it again.",
                    f"现在会收回 {rows} 行，不是 {seen} 行：请重新核对。",
                )
    except BountyError as refusal:
        return _index(refusal_text(refusal)), 409
    flash(
        _n("批次 %(batch_id)s 已撤销，收回 %(num)s 行。", rows, batch_id=batch_id),
        "success",
    )
    return redirect(url_for(".index"), 303)


def _undoing(batch_id: int) -> str | tuple[str, int]:
    try:
        with reading() as connection:
            preview = shown_undo_preview(connection, batch_id, now())
    except BountyError as refusal:
        return _index(refusal_text(refusal)), 409
    return render_template("operations/undo.html", preview=preview, now=now())


def _state_now(row: QueryRow) -> str:
    return uploads.state_now(_folder(), uploads.UploadRow(**row._asdict()))


def _index(refused: str | None = None) -> str:
    with reading() as connection:
        page = page_of(connection, BATCHES, batch_list(), request.args if request.method == "GET" else {})
        waiting = count_open(connection)
        recent = page_of(connection, replace(UPLOADS, page=RECENT), uploads.uploads(), {})
        kept = {kind: kept_mapping(connection, kind) for kind in KINDS}
        unfinished = unfinished_file(connection)
    return render_template(
        "operations/imports.html",
        page=page,
        released=RELEASE,
        recent=[(row, _state_now(row)) for row in recent.rows],
        waiting=waiting,
        kept={kind: mapping for kind, mapping in kept.items() if mapping},
        refused=refused,
        unfinished=unfinished,
        kinds=KIND_NAMES,
        help={kind: column_help(kind) for kind in KIND_NAMES},
        states=UploadStage.labels(),
        chips=CHIPS,
        megabytes=site().settings.upload_megabytes,
        now=now(),
    )


def _uploaded(number: int, refused: str | None = None) -> str:
    found = _upload(number)
    entries = 0
    if found.facts.batch_id is not None and found.facts.rows_quarantined:
        with reading() as connection:
            entries = count_of_batch(connection, found.facts.batch_id)
    return render_template(
        "operations/upload.html",
        found=found,
        entries=entries,
        entry_column=ENTRY_COLUMN,
        refused=refused,
        kinds=KIND_NAMES,
        states=UploadStage.labels(),
        chips=CHIPS,
        counts=COUNTS,
        facts=FACTS,
        bad_shown=20,
        now=now(),
    )


def _upload(number: int) -> uploads.UploadState:
    with reading() as connection:
        found = uploads.upload_state(connection, _folder(), number)
    return found or abort(404)


def _folder() -> Path:
    folder: Path = site().settings.uploads
    return folder


def _start(number: int, stage: str, *, force: bool = False) -> None:
    """Start the process that does it, as the person who asks; one that runs already goes on."""
    settings = site().settings
    found = _upload(number)
    expected = uploads.rows_expected(uploads.stored_file(_folder(), found.facts), found.tried)
    command = [
        str(Path(sys.executable).with_name("bounty")),
        *("upload", str(number), stage),
        *("--user", str(person().user_id), "--folder", str(_folder())),
        *(["--force"] if force else []),
    ]
    environment = os.environ | {"BOUNTY_DATABASE_URL": settings.database_url}
    if settings.now is not None:
        environment |= {"BOUNTY_NOW": shown(settings.now)}
    launch(
        uploads.progress_file(_folder(), number),
        ImportProcess(stage, expected=expected),
        lambda descriptor: [*command, "--report", str(descriptor)],
        environment,
    )


stay_on_form(blueprint, "imports.upload", _index)
