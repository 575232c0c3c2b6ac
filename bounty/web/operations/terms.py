"""Terms: every version with what it promises in words, what it changed, and where it holds."""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from bounty.errors import BountyError
from bounty.roster.terms import add_terms, changes, versions
from bounty.rules.terms import read_terms
from bounty.rules.words import terms_in_words
from bounty.web.access import allows
from bounty.web.books import now, reading, writing
from bounty.web.errors import said
from bounty.web.language import language, t

blueprint = Blueprint("terms", __name__, url_prefix="/operations/terms")
LONGEST_BYTES = 65_536
"""Of a file of terms."""


@blueprint.get("/")
@allows("operator", "finance", "admin")
def index() -> str:
    """The versions, the newest first."""
    return _index()


@blueprint.get("/<int:terms_id>")
@allows("operator", "finance", "admin")
def version(terms_id: int) -> str:
    """One version in words, and what it says otherwise than the one before it."""
    with reading() as connection:
        every = versions(connection)
    place = next((at for at, row in enumerate(every) if row.terms_id == terms_id), None)
    if place is None:
        abort(404)
    row, before = every[place], every[place + 1] if place + 1 < len(every) else None
    terms = read_terms(row.toml)
    return render_template(
        "operations/terms_version.html",
        row=row,
        terms=terms,
        words=terms_in_words(terms, chinese=language() == "zh"),
        before=before,
        changes=[] if before is None else changes(before.toml, row.toml),
    )


@blueprint.post("/")
@allows("operator")
def add() -> Response | tuple[str, int]:
    """Add a version from a file; a refusal names each key that can't be, and what would be right."""
    file = request.files.get("file")
    try:
        if file is None or not file.filename:
            raise BountyError("Choose a file of terms (TOML).", "请选择条款文件（TOML）。")
        content = file.read(LONGEST_BYTES + 1)
        if len(content) > LONGEST_BYTES:
            raise BountyError("The file is too large to be one of terms.", "文件过大，不像是条款文件。")
        with writing() as connection:
            terms, anew = add_terms(connection, _text(content), now())
    except BountyError as refusal:
        return _index(said(refusal)), 422
    flash(
        t(
            f"条款已加入，自 {terms.effective_from} 期起。",
            f"The terms are in, from period {terms.effective_from} on.",
        )
        if anew
        else t("内容与现有版本相同，没有改动。", "The newest version says the same: nothing was changed."),
        "success",
    )
    return redirect(url_for(".index"), 303)


def _index(refused: str | None = None) -> str:
    with reading() as connection:
        every = versions(connection)
    names = {row.terms_id: read_terms(row.toml).name for row in every}
    return render_template("operations/terms.html", versions=every, names=names, refused=refused)


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BountyError(
            "A file of terms is UTF-8: save it so.", "条款文件须为 UTF-8 编码，请另存后再上传。"
        ) from None
