"""Bank return: a receipt is looked at before it is taken in; every receipt and its rows are listed."""

import hashlib
import re
from pathlib import Path
from tempfile import TemporaryDirectory

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection, false, true

from bounty.db import QueryRow
from bounty.errors import BountyError
from bounty.models.payment_results import AMBIGUOUS, MATCHED, UNMATCHED, RowVerdict
from bounty.payment_results import service
from bounty.payment_results.files import PaymentResultFile, read_payment_results
from bounty.payment_results.matching import MatchedRow
from bounty.payment_results.queries import payment_result_file, payment_result_files, payment_result_rows
from bounty.uploads.service import ending_of
from bounty.web.finance.notices import READERS
from bounty.web.shared.access import allows, person
from bounty.web.shared.downloads import csv_response
from bounty.web.shared.errors import refusal_text
from bounty.web.shared.form_files import stay_on_form, uploaded_file
from bounty.web.shared.language import _
from bounty.web.shared.request_context import now, reading, site, writing
from bounty.web.shared.step_up_auth import require_fresh_code
from bounty.web.shared.table_filters import Filter, Option, Search, one_of
from bounty.web.shared.tables import Column, Table, page_of

blueprint = Blueprint("receipts", __name__, url_prefix="/finance/receipts")
SHOWN = 100
"""Rows of a preview; the exceptions come first, and are all counted."""
DAY = 86_400
"""For so many seconds a receipt waits for a yes."""
CHIPS = {MATCHED: "ok", UNMATCHED: "bad", AMBIGUOUS: "wait"}
RECEIPTS = Table(
    "receipts",
    (
        Column("receipt_id", "回单", "Receipt", "id", sortable=True),
        Column("name", "文件", "File"),
        Column("taken_at", "导入时间", "Taken in", "instant"),
        Column("taken_by", "操作人", "By"),
        Column("rows_read", "行数", "Rows", "count", summed=True),
        Column("matched", "已匹配", "Matched", "count", summed=True),
        Column("unmatched", "未匹配", "Unmatched", "count", summed=True),
        Column("ambiguous", "有歧义", "Ambiguous", "count", summed=True),
        Column("paid_fen", "成功金额", "Paid", "money", summed=True),
        Column("failed_fen", "失败金额", "Failed", "money", summed=True),
        Column("sha256", "指纹", "hash", shown=False),
    ),
    key=("receipt_id",),
    order="-receipt_id",
    filters=(
        Filter(
            "open",
            "未匹配或有歧义",
            "unmatched or ambiguous",
            (
                Option("some", "有", "some", lambda row: row.c.matched < row.c.rows_read),
                Option("none", "无", "none", lambda row: row.c.matched == row.c.rows_read),
            ),
        ),
    ),
    labelled=True,
)
ROWS = Table(
    "receipt_rows",
    (
        Column("place", "行", "Line", "id", sortable=True),
        Column("verdict", "判定", "Verdict"),
        Column("at", "例外在前", "exceptions first", "count", sortable=True, shown=False),
        Column("payout", "付款编号", "Payout"),
        Column("shown_account", "账户", "Account"),
        Column("shown_name", "户名", "Payee"),
        Column("amount_fen", "金额", "Amount", "money", sortable=True, summed=True),
        Column("paid", "成功", "Paid", "flag"),
        Column("serial", "流水号", "Payer's number"),
        Column("words", "付款方说明", "The payer's words"),
    ),
    key=("place",),
    order="at",
    filters=(
        one_of("verdict", "判定", "verdict", RowVerdict.labels()),
        Filter(
            "paid",
            "付款结果",
            "what came of it",
            (
                Option("yes", "成功", "paid", lambda row: row.c.paid.is_(true())),
                Option("no", "失败", "failed", lambda row: row.c.paid.is_(false())),
            ),
        ),
    ),
    search=Search("付款编号", "payout", lambda row, words: row.c.payout.startswith(words, autoescape=True)),
    labelled=True,
)


@blueprint.get("/")
@allows(*READERS)
def index() -> str:
    """The form, and every receipt."""
    return _index()


@blueprint.post("/")
@allows("finance")
def preview() -> ResponseReturnValue:
    """Look at what a file would come to; nothing is written to the books."""
    try:
        file, name = uploaded_file()
        content = file.read()
        read = _read(content, name)
        with reading() as connection:
            judged = service.preview(connection, read, site().seal)
        waiting = _keep(content)
    except BountyError as refusal:
        return _index(refusal_text(refusal)), 422
    return _preview(read, judged, waiting)


@blueprint.post("/take")
@allows("finance")
def take() -> ResponseReturnValue:
    """Take in the file that was looked at."""
    waiting, name = request.form.get("waiting", ""), request.form.get("name", "")[:200]
    try:
        require_fresh_code()
        read = _read(_kept(waiting), name)
        with writing() as connection:
            taken = service.import_results(connection, read, site().seal, now())
        _place(waiting).unlink(missing_ok=True)
    except BountyError as refusal:
        return _index(refusal_text(refusal)), 409
    message = (
        _("回单 %(receipt_id)s 已导入。", receipt_id=taken.receipt_id)
        if taken.created
        else _("与回单 %(receipt_id)s 相同，没有变化。", receipt_id=taken.receipt_id)
    )
    flash(message, "success")
    return redirect(url_for(".receipt", number=taken.receipt_id), 303)


@blueprint.get("/receipts.csv")
@allows(*READERS)
def file() -> Response:
    """Exactly the receipts that the filters leave."""
    return csv_response(RECEIPTS, payment_result_files(), request.args, "receipts")


@blueprint.get("/<int:number>")
@allows(*READERS)
def receipt(number: int) -> str:
    """Every row of a receipt with its verdict, the exceptions first."""
    with reading() as connection:
        found = _found(connection, number)
        page = page_of(connection, ROWS, payment_result_rows(number), request.args, counted=True)
    return render_template(
        "finance/receipt.html", receipt=found, page=page, verdicts=RowVerdict.labels(), chips=CHIPS, now=now()
    )


@blueprint.get("/<int:number>/rows.csv")
@allows(*READERS)
def rows_csv(number: int) -> Response:
    """Exactly the rows that the filters leave."""
    with reading() as connection:
        _found(connection, number)
    return csv_response(ROWS, payment_result_rows(number), request.args, f"receipt-{number}")


def _found(connection: Connection, number: int) -> QueryRow:
    return payment_result_file(connection, number) or abort(404)


def _index(refused: str | None = None) -> str:
    with reading() as connection:
        page = page_of(connection, RECEIPTS, payment_result_files(), request.args)
    megabytes = site().settings.upload_megabytes
    return render_template(
        "finance/receipts.html", page=page, refused=refused, megabytes=megabytes, now=now()
    )


def _preview(read: PaymentResultFile, judged: list[MatchedRow], waiting: str) -> str:
    places = {UNMATCHED: 0, AMBIGUOUS: 1, MATCHED: 2}
    ordered = sorted(judged, key=lambda each: (places[each.verdict], not each.news, each.row.place))
    return render_template(
        "finance/receipt_preview.html",
        read=read,
        waiting=waiting,
        rows=ordered[:SHOWN],
        all=len(judged),
        counts={code: sum(each.verdict == code for each in judged) for code in map(str, RowVerdict)},
        news={
            paid: [each.row.amount_fen for each in judged if each.news and each.row.paid is paid]
            for paid in (True, False)
        },
        verdicts=RowVerdict.labels(),
        chips=CHIPS,
        account=service.shown_account,
        name=service.shown_name,
        now=now(),
    )


# A file between the look at it and the yes: it names accounts, so it lies there sealed, and not for long


def _read(content: bytes, name: str) -> PaymentResultFile:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"receipt{ending_of(name)}"
        path.write_bytes(content)
        return read_payment_results(path, name)


def _folder() -> Path:
    folder: Path = site().settings.uploads / "receipts"
    return folder


def _place(waiting: str) -> Path:
    return _folder() / f"{person().user_id}-{waiting}"


def _keep(content: bytes) -> str:
    """Keep a file for whoever asks; what to ask for it by. Those that nobody came back for go."""
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        if now() - old.stat().st_mtime > DAY:
            old.unlink(missing_ok=True)
    waiting = hashlib.sha256(content).hexdigest()
    path = _place(waiting)
    path.touch(mode=0o600)
    path.write_bytes(site().seal.close_file(content))
    return waiting


def _kept(waiting: str) -> bytes:
    path = _place(waiting)
    if re.fullmatch(r"[0-9a-f]{64}", waiting) and path.exists():
        content = site().seal.open_file(path.read_bytes())
        if content is not None:
            return content
    raise BountyError(
        "The file that you looked at is no longer there: upload it again.",
        "您查看过的文件已不在：请重新上传。",
    )


stay_on_form(blueprint, "receipts.preview", _index)
