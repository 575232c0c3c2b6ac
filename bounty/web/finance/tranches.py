"""Overview: every tranche, what comes next, and each tranche with its exceptions first, its lines and its steps."""

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZipFile

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection, Engine

from bounty.accounting import finance_queries
from bounty.audit.journal import RESTORE, note
from bounty.checks.books import require_balanced
from bounty.clock import midnight, shanghai_date
from bounty.db import QueryRow, snapshot
from bounty.errors import BountyError
from bounty.figures import kept_lists
from bounty.models import LineCause
from bounty.models.payees import PayeeMethod
from bounty.payment_results import service
from bounty.settlement.approval import approvals_needed
from bounty.tranches import approval, departures, preparation, state
from bounty.tranches.export import export_tranche
from bounty.tranches.exported_folder import ExportedFolder, read_exported_archive
from bounty.tranches.files import payout_id
from bounty.tranches.payer_files import Payer, refused_words
from bounty.tranches.unusual_amounts import unusual
from bounty.web.finance.notices import PIECE, READERS, XLSX
from bounty.web.finance.tables import LINES, PAYOUTS, TRANCHES
from bounty.web.period_names import by_programme
from bounty.web.promoter.order_page import order_page
from bounty.web.shared.access import allows
from bounty.web.shared.downloads import attachment, csv_response
from bounty.web.shared.errors import refusal_text
from bounty.web.shared.language import _, in_language
from bounty.web.shared.request_context import engine, now, reading, site, writing
from bounty.web.shared.step_up_auth import require_fresh_code
from bounty.web.shared.stored_lists import page_of_list
from bounty.web.shared.tables import Totals, page_of

blueprint = Blueprint("payouts", __name__, url_prefix="/finance")
STATE_CHIPS = {"prepared": "wait", "approved": "wait", "exported": "wait", "paid": "ok", "replaced": ""}
PAYOUT_STATUS_CHIPS = {
    "HELD": "wait",
    "FAILED": "bad",
    "DEBT": "wait",
    "DUE": "wait",
    "PAID": "ok",
    "NOTHING": "",
}


# The overview


@blueprint.get("/tranches")
@allows(*READERS)
def index() -> str:
    """What comes next, and every tranche."""
    return _overview()


@blueprint.get("/tranches.csv")
@allows(*READERS)
def tranches_csv() -> Response:
    """Exactly the tranches that the filters leave."""
    return csv_response(TRANCHES, finance_queries.tranche_overview(), request.args, "tranches")


@blueprint.post("/tranches")
@allows("finance")
def prepare() -> ResponseReturnValue:
    """Prepare a tranche of what settled before a day."""
    try:
        before = _day(request.form.get("settled_before", ""))
        with writing() as connection:
            made, created = preparation.prepare(connection, before, now(), _payer().alipay_least_fen)
    except BountyError as refusal:
        return _overview(refusal_text(refusal)), 409
    number = made.tranche_id
    flash(
        _("批次 %(number)s 已准备好，待批准。", number=number)
        if created
        else _("数据没有变化：批次 %(number)s 仍然有效。", number=number),
        "success",
    )
    return redirect(url_for(".tranche", tranche_id=number), 303)


def _day(text: str) -> int:
    try:
        return midnight(dt.date.fromisoformat(text))
    except ValueError:
        raise BountyError("Write a date such as 2023-01-20.", "请填写日期，例如 2023-01-20。") from None


def _overview(refused: str | None = None) -> str:
    with reading() as connection:
        page = page_of(connection, TRANCHES, finance_queries.tranche_overview(), request.args)
        newest = state.newest_tranche(connection)
        waits = newest is not None and newest.state == "exported"
        opened = newest if newest is not None and newest.is_open else None
        coming, figure = (None, None) if waits else finance_queries.coming_shown(connection, now())
        questions = departures.questions(connection)
        answered = departures.first_answers(connection) if questions else {}
    return render_template(
        "finance/tranches.html",
        page=page,
        newest=newest,
        opened=opened,
        coming=coming,
        figure=figure,
        outdated=_is_outdated(coming, opened),
        questions=questions,
        answered=answered,
        today=shanghai_date(now()),
        states=state.TrancheState.labels(),
        chips=STATE_CHIPS,
        approval_required=site().settings.approval_required,
        missing=None if opened is None else approvals_needed(opened.prepared_by_id) - opened.approvals,
        refused=refused,
        now=now(),
    )


@blueprint.post("/tranches/unanswered")
@allows("finance", "admin")
def answer() -> ResponseReturnValue:
    """Answer for what may have left without these books' knowing, as ``bounty payout answer`` does."""
    subject, verdict = request.form.get("subject", ""), request.form.get("verdict", "")
    try:
        require_fresh_code()
        folder = _exported()
        if folder is not None and subject == departures.COPY:
            # Only the files tell of this tranche.
            subject, verdict = f"tranche {folder.tranche_id}", departures.LEFT
        with writing() as connection:
            is_final = departures.answer(
                connection,
                subject,
                verdict,
                request.form.get("reason", ""),
                now(),
                approval_required=site().settings.approval_required,
                folder=folder,
            )
        if is_final and subject == departures.COPY:
            note(engine(), RESTORE, now(), file=None)
    except BountyError as refusal:
        return _overview(refusal_text(refusal)), 409
    flash(
        _("回答已生效。") if is_final else _("回答已记录；还需另一个账号给出同样的回答才生效。"),
        "success",
    )
    return redirect(url_for(".index"), 303)


def _exported() -> ExportedFolder | None:
    """The tranche in the archive that the form sends, if it sends one."""
    file = request.files.get("file")
    return read_exported_archive(file.stream) if file is not None and file.filename else None


def _is_outdated(coming: finance_queries.Coming | None, opened: state.TrancheRow | None) -> bool:
    """Whether the lines that were due, when they were added up last, are no longer those of the open tranche."""
    return (
        coming is not None and opened is not None and coming.opened == opened.tranche_id and coming.outdated
    )


# One tranche


@blueprint.get("/tranches/<int:tranche_id>")
@allows(*READERS)
def tranche(tranche_id: int) -> str:
    """Its exceptions, sums and payouts, and the next step."""
    return _tranche(tranche_id)


@blueprint.get("/tranches/<int:tranche_id>/payouts.csv")
@allows(*READERS)
def payouts_csv(tranche_id: int) -> Response:
    """Exactly the payouts that the filters leave."""
    _known(tranche_id)
    return csv_response(
        PAYOUTS,
        finance_queries.payouts_with_outcomes(tranche_id),
        request.args,
        f"payouts-{tranche_id}-filtered",
    )


@blueprint.get("/tranches/<int:tranche_id>/lines")
@allows(*READERS)
def lines(tranche_id: int) -> str:
    """What each order gives, or takes back."""
    with reading() as connection:
        found = _found(connection, tranche_id)
        rows, fen = finance_queries.lines_sums(connection, tranche_id)
        page = page_of(
            connection,
            by_programme(LINES),
            finance_queries.tranche_lines_with_orders(tranche_id),
            request.args,
            # As the tranche was hashed; `bounty check` holds them against the lines.
            known=lambda filters: None if filters else Totals(rows, {"amount_fen": fen}),
        )
    return render_template(
        "finance/tranche_lines.html",
        tranche=found,
        page=page,
        causes=LineCause.labels(),
        states=state.TrancheState.labels(),
    )


@blueprint.get("/tranches/<int:tranche_id>/lines.csv")
@allows(*READERS)
def lines_csv(tranche_id: int) -> Response:
    """Exactly the lines that the filters leave."""
    _known(tranche_id)
    return csv_response(
        by_programme(LINES),
        finance_queries.tranche_lines_with_orders(tranche_id),
        request.args,
        f"tranche_lines-{tranche_id}-filtered",
    )


@blueprint.post("/tranches/<int:tranche_id>/approve")
@allows("finance", "admin")
def approve(tranche_id: int) -> ResponseReturnValue:
    """Stand for the open tranche as it was seen; not for one's own."""

    def act() -> str:
        with snapshot(engine()) as connection:
            require_balanced(connection)
        with writing() as connection:
            seen = request.form.get("content_sha256", "")
            approval.approve(connection, tranche_id, seen, now(), _payer().alipay_least_fen)
        return _("您已批准这个批次。")

    return _done(tranche_id, act)


@blueprint.post("/tranches/<int:tranche_id>/export")
@allows("finance")
def export(tranche_id: int) -> ResponseReturnValue:
    """Let the tranche leave for the payer, once all its files could be written; they can be loaded from then on."""

    def act() -> str:
        with TemporaryDirectory() as folder:
            _export(engine(), tranche_id, Path(folder))
        return _("已导出：下载文件交给付款方。导出不等于已付，结果以回单为准。")

    return _done(tranche_id, act)


@blueprint.get("/tranches/<int:tranche_id>/tranche.zip")
@allows("finance")
def archive(tranche_id: int) -> Response:
    """Every file of an exported tranche, the payers' too: accounts are in plain in them."""
    return _file(tranche_id, f"tranche-{tranche_id}.zip", "application/zip")


@blueprint.get("/tranches/<int:tranche_id>/tranche.xlsx")
@allows("finance")
def workbook(tranche_id: int) -> Response:
    """The workbook of an exported tranche."""
    return _file(tranche_id, f"tranche-{tranche_id}.xlsx", XLSX)


def _file(tranche_id: int, name: str, kind: str) -> Response:
    with reading() as connection:
        if not _found(connection, tranche_id).exported:
            abort(404)
    books, seal, payer, moment = engine(), site().seal, _payer(), now()

    def pieces() -> Iterator[bytes]:
        with TemporaryDirectory() as held:
            folder = Path(held) / "files"
            export_tranche(books, tranche_id, folder, seal, payer, moment, approval_required=False)
            path = folder / name
            if kind != XLSX:
                with ZipFile(path, "w", ZIP_DEFLATED) as archive:
                    for file in sorted(each for each in folder.iterdir() if each != path):
                        archive.write(file, file.name)
            with path.open("rb") as written:
                while piece := written.read(PIECE):
                    yield piece

    return attachment(pieces(), name, kind)


def _export(books: Engine, tranche_id: int, folder: Path) -> None:
    with snapshot(books) as connection:
        require_balanced(connection)
    export_tranche(
        books,
        tranche_id,
        folder,
        site().seal,
        _payer(),
        now(),
        approval_required=site().settings.approval_required,
    )


def _payer() -> Payer:
    settings = site().settings
    return Payer(
        settings.payout_remark, settings.payer_rows, settings.alipay_least_fen, settings.wechat_appid
    )


@blueprint.post("/tranches/<int:tranche_id>/mark")
@allows("finance")
def mark(tranche_id: int) -> ResponseReturnValue:
    """Mark payouts as paid or failed by hand, where no receipt reports them."""
    payouts = request.form.get("payouts", "").replace(",", " ").split()

    def act() -> str:
        if not payouts:
            raise BountyError("Write the ids of payouts.", "请填写付款编号。")
        paid = request.form.get("paid") == "yes"
        reason = request.form.get("reason", "")
        with writing() as connection:
            marked = service.mark_by_hand(connection, payouts, paid=paid, reason=reason, now=now())
        many = len(marked)
        return _("已标记 %(many)s 笔，其余原本如此。", many=many)

    return _done(tranche_id, act)


@blueprint.get("/promoters/<int:promoter_id>/orders/<order_sn>")
@allows(*READERS)
def order(promoter_id: int, order_sn: str) -> str:
    """Why an order counts and earns, and where its money is, as its promoter sees it."""
    with reading() as connection:
        programme = request.args.get("programme")
        shown = order_page(connection, promoter_id, order_sn, programme, for_staff=True) or abort(404)
    return render_template("promoter/order.html", as_finance=True, promoter_id=promoter_id, **shown)


def _found(connection: Connection, tranche_id: int) -> QueryRow:
    return finance_queries.tranche_in_overview(connection, tranche_id) or abort(404)


def _known(tranche_id: int) -> None:
    with reading() as connection:
        _found(connection, tranche_id)


def _done(tranche_id: int, act: Callable[[], str]) -> ResponseReturnValue:
    """Do one act, with a fresh one-time code, and go back to the page; a refusal is a sentence on it."""
    _known(tranche_id)
    try:
        require_fresh_code()
        message = act()
    except BountyError as refusal:
        return _tranche(tranche_id, refusal_text(refusal)), 409
    flash(message, "success")
    return redirect(url_for(".tranche", tranche_id=tranche_id), 303)


def _tranche(tranche_id: int, refused: str | None = None) -> str:
    with reading() as connection:
        row = _found(connection, tranche_id)
        kept = kept_lists(connection, finance_queries.payouts_subject(tranche_id), now())
        payouts = finance_queries.payouts_with_outcomes(tranche_id)
        page = page_of_list(connection, PAYOUTS, payouts, request.args, kept)
        status_sums = finance_queries.payout_status_sums(connection, tranche_id, kept)
        stored = state.tranche_of(connection, tranche_id)
        approvals = approval.approvals_of(connection, stored)
        coming, figure = finance_queries.coming_shown(connection, now()) if stored.is_open else (None, None)
        warnings = unusual(connection, stored, site().settings.unusual_times) if stored.is_open else []
    return render_template(
        "finance/tranche.html",
        tranche=row,
        page=page,
        status_sums=status_sums,
        status_names=finance_queries.TranchePayoutStatus.labels(),
        status_chips=PAYOUT_STATUS_CHIPS,
        states=state.TrancheState.labels(),
        chips=STATE_CHIPS,
        approvals=approvals,
        warnings=[in_language(*each) for each in warnings],
        outdated=stored.is_open and _is_outdated(coming, stored),
        figure=figure,
        methods=PayeeMethod.labels(),
        needed=approvals_needed(row.prepared_by_id),
        approval_required=site().settings.approval_required,
        payout_id=payout_id,
        remark=_payer().remark,
        refused_words=refused_words(_payer().remark),
        refused=refused,
        now=now(),
    )
