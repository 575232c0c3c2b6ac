"""Quarantine: rows that could not be taken in, what would be right, and every way out."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZipFile

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from sqlalchemy import ColumnElement, Connection, FromClause, Row, and_, or_
from werkzeug.wrappers import Response as Redirect

from bounty import importer
from bounty.db import Condition, count_of, equal, snapshot
from bounty.errors import BountyError
from bounty.files.problem_texts import PROBLEM_TEXTS
from bounty.ingest import queries
from bounty.ingest.correction_files import write_to_mend
from bounty.ingest.quarantine import dismiss_all, dismiss_entries, errors_of
from bounty.roster.queries import open_periods
from bounty.settlement.files import inert
from bounty.web.operations.imports import KIND_NAMES, READERS
from bounty.web.period_names import period_label
from bounty.web.shared.access import allows
from bounty.web.shared.downloads import attachment, csv_response
from bounty.web.shared.errors import refusal_text
from bounty.web.shared.language import _, _n, in_language
from bounty.web.shared.request_context import engine, now, reading, writing
from bounty.web.shared.table_filters import Filter, Option, Search, one_of
from bounty.web.shared.tables import Column, Table, narrowed, page_of

blueprint = Blueprint("quarantine", __name__, url_prefix="/operations/quarantine")
CODES = frozenset(case.partition(" ")[0] for case in PROBLEM_TEXTS)
"""Of the catalogue of bad input."""
FILES = 30
"""Files that the filter offers, the newest."""
COLUMNS = (
    Column("quarantine_id", "编号", "entry", "id", sortable=True, filed="id"),
    Column("kind", "种类", "kind"),
    Column("file_name", "文件", "file", sortable=True, filed="file"),
    Column("place", "行", "row", "count"),
    Column("column_name", "列", "column", filed="column"),
    Column("value", "原值", "value"),
    Column("code", "代码", "code", sortable=True, filed="error_code"),
    Column("sentence_zh", "说明", "what would be right", filed="error_message_zh"),
    Column("sentence_en", "英文说明", "in English", filed="error_message_en", shown=False),
    Column("others", "其他错误", "other errors", shown=False, filed="other_errors"),
    Column("batch_id", "批次", "batch", "id", shown=False, filed="batch"),
    Column("raw", "原文", "raw", shown=False),
)


@blueprint.get("/")
@allows(*READERS)
def index() -> str:
    """The open entries."""
    return _index()


@blueprint.get("/quarantine.csv")
@allows(*READERS)
def file() -> Response:
    """Just these as a file."""
    with reading() as connection:
        table = _table(connection)
    return csv_response(table, queries.open_entries(), request.args, "quarantine")


@blueprint.get("/mend")
@allows(*READERS)
def mend() -> Redirect | Response:
    """The failed rows with the columns they came with, to mend and upload again; several files as one archive."""
    kind = request.args.get("kind") or None
    if kind is not None and kind not in importer.KINDS:
        raise BountyError(f"There is no kind {kind!r}.", f"没有「{kind}」这种文件。")
    folder = TemporaryDirectory()
    with snapshot(engine()) as connection:
        written = write_to_mend(connection, kind, Path(folder.name) / "files", inert)
    if not written:
        folder.cleanup()
        flash(_("隔离区是空的。"), "success")
        return redirect(url_for(".index"), 303)
    path, name = written[0][0], written[0][0].name
    if len(written) > 1:
        path, name = Path(folder.name) / "to-mend.zip", "to-mend.zip"
        with ZipFile(path, "w", ZIP_DEFLATED) as archive:
            for each, _place in written:
                archive.write(each, each.name)

    def pieces() -> Iterator[bytes]:
        with folder, path.open("rb") as opened:
            while piece := opened.read(65_536):
                yield piece

    response = attachment(pieces(), name, "application/octet-stream")
    response.call_on_close(folder.cleanup)  # where the reader left before the first piece
    return response


@blueprint.post("/retry")
@allows("operator")
def retry() -> Redirect:
    """Read every open entry again."""
    released = importer.retry(engine(), now())
    if released:
        released_text = "; ".join(f"{in_language(*KIND_NAMES[kind])} {counts}" for kind, counts in released)
        flash(_("已放行：%(released)s", released=released_text), "success")
    else:
        flash(
            _("没有一行可以直接放行：请导入修正后的行，或它们所等的推手。"),
            "error",
        )
    return redirect(url_for(".index"), 303)


@blueprint.post("/<int:entry>/dismiss")
@allows("operator")
def dismissal(entry: int) -> Redirect | tuple[str, int]:
    """Let an entry go for good, with a reason."""
    try:
        with writing() as connection:
            dismiss_entries(connection, entry, request.form.get("reason", ""), now())
    except BountyError as refusal:
        return _index(refusal_text(refusal)), 422
    flash(_("第 %(entry)s 条已放弃。", entry=entry), "success")
    return redirect(url_for(".index"), 303)


@blueprint.post("/dismiss")
@allows("operator")
def dismissals() -> Redirect | tuple[str, int]:
    """Dismiss every entry that the filters leave, with one reason; the form says which, and how many were seen."""
    try:
        with writing() as connection:
            chosen = narrowed(_table(connection), queries.open_entries(), _filters())
            entries = chosen.with_only_columns(chosen.selected_columns.quarantine_id)
            fit, seen = count_of(connection, entries), request.form.get("seen", -1, type=int)
            if fit != seen:
                raise BountyError(
                    f"{fit} entries fit by now, and you saw {seen}: look again before dismissing them.",
                    f"符合条件的现在是 {fit} 行，您看到的是 {seen} 行：请重新查看后再放弃。",
                )
            dismissed = dismiss_all(connection, entries, request.form.get("reason", ""), now())
    except BountyError as refusal:
        return _index(refusal_text(refusal)), 422
    flash(
        _n("已放弃 %(num)s 行。", dismissed),
        "success",
    )
    return redirect(url_for(".index"), 303)


def _filters() -> dict[str, str]:
    """The filters that a form carries, as the page had them."""
    return {
        name: request.form[name]
        for name in ("kind", "code", "batch", "period", "q")
        if request.form.get(name)
    }


def _index(refused: str | None = None) -> str:
    arguments = request.args if request.method == "GET" else _filters()
    with reading() as connection:
        page = page_of(connection, _table(connection), queries.open_entries(), arguments, counted=True)
        empty = bool(page.arguments) and not page.rows and queries.count_open(connection) == 0
    return render_template(
        "operations/quarantine.html",
        page=page,
        errors={row.quarantine_id: errors_of(row) for row in page.rows},
        now=now(),
        kinds=KIND_NAMES,
        refused=refused,
        empty=empty or not (page.arguments or page.rows),
    )


def _table(connection: Connection) -> Table:
    """The table with the codes, files and periods that there are, and those that a link asks for: what it led to may
    be resolved by now."""
    arguments = request.values
    codes = queries.open_codes(connection)
    files = queries.files_with_open_entries(connection, FILES)
    if (code := arguments.get("code", "")) in CODES and code not in codes:
        codes = [*codes, code]
    batch = arguments.get("batch", 0, type=int)
    if batch and all(row.batch_id != batch for row in files):
        linked = queries.file_of(connection, batch)
        files = files if linked is None else [*files, linked]
    periods = open_periods(connection)
    return Table(
        "quarantine",
        COLUMNS,
        key=("quarantine_id",),
        order="quarantine_id",
        filters=(
            one_of("kind", "种类", "kind", KIND_NAMES),
            Filter(
                "code", "代码", "code", tuple(Option(code, code, code, _with_error(code)) for code in codes)
            ),
            Filter(
                "batch",
                "文件",
                "file",
                tuple(
                    Option(
                        str(row.batch_id),
                        f"{row.file_name}（批次 {row.batch_id}）",
                        f"{row.file_name} (batch {row.batch_id})",
                        equal("batch_id", row.batch_id),
                    )
                    for row in files
                ),
            ),
            Filter(
                "period",
                "期次（含付款时间不明的行）",
                "period (with rows whose pay time is unknown)",
                tuple(
                    Option(row.period, period_label(row.period), period_label(row.period), _of_period(row))
                    for row in periods
                ),
            ),
        ),
        search=Search(
            "原值或文件名",
            "value or file",
            lambda row, words: or_(
                row.c.value.contains(words, autoescape=True),
                row.c.others.contains(words, autoescape=True),
                row.c.file_name.contains(words, autoescape=True),
            ),
        ),
    )


def _with_error(code: str) -> Condition:
    """Rows of which any error has a code."""
    return lambda row: or_(row.c.code == code, row.c.others.contains(f'"{code}"', autoescape=True))


def _of_period(period: Row[str, int, int, int]) -> Condition:
    """Order rows that are, or may be, of a period: what its checklist counts."""

    def of_period(row: FromClause) -> ColumnElement[bool]:
        within = and_(row.c.paid_at >= period.month_from, row.c.paid_at < period.month_until)
        return and_(row.c.kind == "orders", or_(row.c.paid_at.is_(None), within))

    return of_period
