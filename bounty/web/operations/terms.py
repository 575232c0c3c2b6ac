"""Terms: every version with what it promises in words, what it changed, and where it holds."""

import tomllib

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from sqlalchemy import BigInteger, Connection
from werkzeug.wrappers import Response as Redirect

from bounty.db import Query, WholeNumber, Words, given_rows
from bounty.errors import BountyError
from bounty.roster.terms import VersionInUse, add_terms, changes, check_terms, versions
from bounty.rules.periods import MAIN, Period
from bounty.rules.terms import read_terms
from bounty.rules.terms_text import terms_in_words
from bounty.web.operations import terms_fields, terms_form
from bounty.web.period_names import by_programme, period_label
from bounty.web.shared.access import allows
from bounty.web.shared.downloads import csv_response
from bounty.web.shared.errors import refusal_text
from bounty.web.shared.form_files import uploaded_file
from bounty.web.shared.language import _, _p, language
from bounty.web.shared.request_context import now, reading, writing
from bounty.web.shared.table_filters import Filter, Option
from bounty.web.shared.tables import Column, Table, page_of

blueprint = Blueprint("terms", __name__, url_prefix="/operations/terms")
LONGEST_BYTES = 65_536
"""Of a file of terms."""
TABLE = Table(
    "terms",
    (
        Column("terms_id", "版本", "Version", "id", sortable=True),
        Column("name", "名称", "Name"),
        Column("effective_from", "自哪期起", "From period", sortable=True),
        Column("periods", "已用于", "Holds in", "id", sortable=True),
        Column("first_period", "首期", "first period", shown=False),
        Column("last_period", "末期", "last period", shown=False),
        Column("added_at", "加入时间", "Added", "instant"),
        Column("sha256", "指纹", "sha256"),
    ),
    key=("terms_id",),
    order="-terms_id",
    filters=(
        Filter(
            "held",
            "适用",
            "use",
            (
                Option("yes", "已用于某期", "holds in a period", lambda row: row.c.periods > 0),
                Option("no", "尚未开期", "no open period yet", lambda row: row.c.periods == 0),
            ),
        ),
    ),
)
_KINDS: dict[str, Words | BigInteger] = {
    column.name: WholeNumber if column.kind in ("id", "count", "instant") else Words()
    for column in TABLE.columns
}


@blueprint.get("/")
@allows("operator", "finance", "admin")
def index() -> str:
    """The versions, the newest first."""
    return _index()


@blueprint.get("/terms.csv")
@allows("operator", "finance", "admin")
def file() -> Response:
    """Exactly the versions that the filter leaves."""
    with reading() as connection:
        rows = _rows(connection)
    return csv_response(_table(), rows, request.args, "terms")


@blueprint.get("/<int:terms_id>")
@allows("operator", "finance", "admin")
def version(terms_id: int) -> str:
    """One version in words, and what it says otherwise than the one before it."""
    with reading() as connection:
        every = versions(connection)
    place = next((at for at, row in enumerate(every) if row.terms_id == terms_id), None)
    if place is None:
        abort(404)
    row, programme = every[place], Period.parse(every[place].effective_from).programme
    earlier = (
        each for each in every[place + 1 :] if Period.parse(each.effective_from).programme == programme
    )
    before = next(earlier, None)
    terms = read_terms(row.toml)
    return render_template(
        "operations/terms_version.html",
        row=row,
        terms=terms,
        words=terms_in_words(terms, chinese=language() == "zh"),
        before=before,
        changes=[] if before is None else changes(before.toml, row.toml),
        label_of=terms_form.label_of,
    )


@blueprint.get("/form")
@allows("operator")
def form() -> str:
    """The terms as a form, filled with the newest version of a programme."""
    programme = request.args.get("programme", MAIN)
    with reading() as connection:
        newest = _newest(versions(connection), programme)
    document = None if newest is None else tomllib.loads(newest.toml)
    return _form(terms_form.form_of(document), programme)


@blueprint.post("/form")
@allows("operator")
def filled() -> str | tuple[str, int]:
    """Show what the terms of the form would be; a refusal stays on the form."""
    given, programme = terms_form.posted(request.form), request.form.get("programme", MAIN)
    try:
        return _adding(terms_form.toml_of(terms_form.document_of(given)), programme)
    except BountyError as refusal:
        return _form(given, programme, refusal_text(refusal)), 422


@blueprint.post("/")
@allows("operator")
def add() -> Redirect | str | tuple[str, int]:
    """Show what terms would be, and, once that was seen, add them; a refusal names each key that can't be."""
    programme, seen = request.form.get("programme", MAIN), request.form.get("seen", "")
    try:
        text = request.form["toml"].replace("\r\n", "\n") if seen else _uploaded_text()
        if not seen or read_terms(text).sha256 != seen:
            return _adding(text, programme)
        with writing() as connection:
            terms, created = add_terms(connection, text, now(), programme)
    except BountyError as refusal:
        return _index(refusal_text(refusal)), 422
    begins = period_label(Period.parse(terms.effective_from, programme))
    flash(
        _("条款已加入，自 %(begins)s 期起。", begins=begins)
        if created
        else _p("terms", "内容与现有版本相同，没有改动。"),
        "success",
    )
    return redirect(url_for(".index"), 303)


def _uploaded_text() -> str:
    file, _name = uploaded_file("Choose a file of terms (TOML).", "请选择条款文件（TOML）。")
    content = file.read(LONGEST_BYTES + 1)
    if len(content) > LONGEST_BYTES:
        raise BountyError("The file is too large to be one of terms.", "文件过大，不像是条款文件。")
    return text_of_terms(content)


def _adding(text: str, programme: str) -> str:
    """The page between: the terms in words, what they change, and for which periods."""
    with reading() as connection:
        before = _newest(versions(connection), programme)
        checked = check_terms(connection, text, programme)
        terms, created = checked.terms, checked.is_new
    return render_template(
        "operations/terms_adding.html",
        terms=terms,
        created=created,
        toml=text,
        programme=programme,
        begins=period_label(Period.parse(terms.effective_from, programme)),
        words=terms_in_words(terms, chinese=language() == "zh"),
        before=before,
        changes=[] if before is None else changes(before.toml, text),
        label_of=terms_form.label_of,
        now=now(),
    )


def _form(given: terms_form.FilledForm, programme: str, refused: str | None = None) -> str:
    return render_template(
        "operations/terms_form.html",
        form=given,
        programme=programme,
        parts=terms_fields.PARTS,
        level_fields=terms_fields.LEVEL_FIELDS,
        tier_fields=terms_fields.TIER_FIELDS,
        refused=refused,
    )


def _newest(every: list[VersionInUse], programme: str) -> VersionInUse | None:
    """The newest version of a programme; null where there is none."""
    return next((row for row in every if Period.parse(row.effective_from).programme == programme), None)


def _index(refused: str | None = None) -> str:
    with reading() as connection:
        page = page_of(
            connection, _table(), _rows(connection), request.args if request.method == "GET" else {}
        )
    return render_template("operations/terms.html", page=page, refused=refused)


def _table() -> Table:
    return by_programme(TABLE, column="effective_from")


def _rows(connection: Connection) -> Query:
    """The versions with their names, which stand in their TOML."""
    every = versions(connection)
    return given_rows(_KINDS, ({**row._asdict(), "name": read_terms(row.toml).name} for row in every))


def text_of_terms(content: bytes) -> str:
    """The text of a file of terms. Raises BountyError where it is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BountyError(
            "A file of terms is UTF-8: save it so.", "条款文件须为 UTF-8 编码，请另存后再上传。"
        ) from None
