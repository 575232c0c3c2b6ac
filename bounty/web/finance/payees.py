"""Payees: where promoters are paid, masked; who has none; proposals, which a second person puts in force."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection
from werkzeug.datastructures import FileStorage

from bounty.accounting import finance_queries
from bounty.errors import BountyError
from bounty.figures import kept_lists
from bounty.files.problems import BadRow
from bounty.models.payees import PayeeMethod
from bounty.payees import service
from bounty.payees.files import PayeeRow, read_payee, read_payees
from bounty.uploads.service import ending_of
from bounty.web.finance.notices import READERS
from bounty.web.finance.tables import METHOD
from bounty.web.shared.access import allows
from bounty.web.shared.downloads import csv_response
from bounty.web.shared.errors import refusal_text
from bounty.web.shared.form_files import is_too_large, stay_on_form, uploaded_file
from bounty.web.shared.language import _, in_language
from bounty.web.shared.request_context import now, reading, site, writing
from bounty.web.shared.step_up_auth import require_fresh_code
from bounty.web.shared.stored_lists import page_of_list
from bounty.web.shared.table_filters import PROMOTER_SEARCH, Filter, Option
from bounty.web.shared.tables import Column, Page, Table, Totals, page_of

blueprint = Blueprint("payees", __name__, url_prefix="/finance/payees")
FIELDS = {
    "promoter_id": ("推手 ID", "Promoter id"),
    "method": ("收款方式", "Method"),
    "account": ("收款账号", "Account"),
    "payee_name": ("收款人", "Payee"),
    "bank_name": ("开户行（仅银行卡）", "Bank (bank only)"),
    "bank_code": ("联行号（可不填）", "Bank code (optional)"),
}
"""Field of the form for one payee -> its label in Chinese and English."""
_SEARCH = PROMOTER_SEARCH
PAYEES = Table(
    "payees",
    (
        Column("promoter_id", "推手", "Promoter", "id", sortable=True),
        Column("name", "姓名", "Name"),
        Column("method", "方式", "Method"),
        Column("shown_account", "账户", "Account"),
        Column("shown_name", "户名", "Payee"),
        Column("proposal_id", "提交", "Proposal", "id", sortable=True),
    ),
    key=("promoter_id",),
    order="promoter_id",
    filters=(METHOD,),
    search=_SEARCH,
    labelled=True,
)
"""Of ``finance_queries.payee_list``."""
MISSING = Table(
    "without_payee",
    (
        Column("promoter_id", "推手", "Promoter", "id", sortable=True),
        Column("name", "姓名", "Name"),
        Column("subsidy_fen", "公示补贴", "By the notices", "money", sortable=True, summed=True),
        Column("held_fen", "批次中暂扣", "Held in tranches", "money", sortable=True, summed=True),
    ),
    key=("promoter_id",),
    order="-held_fen",
    search=_SEARCH,
    labelled=True,
)
"""Of ``finance_queries.without_payee``."""
PROPOSED = Table(
    "proposed_payees",
    (
        Column("promoter_id", "推手", "Promoter", "id", sortable=True),
        Column("method", "方式", "Method"),
        Column("shown_account", "账户", "Account"),
        Column("shown_name", "户名", "Payee"),
        Column("was_method", "现方式", "Method now"),
        Column("was_account", "现账户", "Account now"),
        Column("was_name", "现户名", "Payee now"),
    ),
    key=("promoter_id",),
    order="promoter_id",
    filters=(
        Filter(
            "change",
            "种类",
            "kind",
            (
                Option("first", "首次登记", "the first", lambda row: row.c.was_method.is_(None)),
                Option("changed", "变更", "a change", lambda row: row.c.was_method.is_not(None)),
            ),
        ),
        METHOD,
    ),
    labelled=True,
)
"""Of ``payees.payees_of``."""


@blueprint.get("/")
@allows(*READERS)
def index() -> str:
    """The payees in force, who has none, and the proposals that wait."""
    return _index()


@blueprint.post("/")
@allows("finance")
def propose() -> ResponseReturnValue:
    """Propose the payees of a file, or one payee of a form."""
    try:
        rows = [_one()] if "promoter_id" in request.form else _read(*uploaded_file())
        with writing() as connection:
            made = service.propose_payees(
                connection,
                rows,
                site().seal,
                now(),
                reason=request.form.get("reason"),
                approval_required=site().settings.approval_required,
            )
    except BountyError as refusal:
        return _index(refusal_text(refusal)), 422
    if made is None:
        flash(
            _("文件与现行收款信息完全一致，没有变化。"),
            "success",
        )
        return redirect(url_for(".index"), 303)
    flash(
        _("%(payees)s 位推手的收款信息已生效。", payees=made.payees)
        if made.in_force
        else _("%(payees)s 位推手的收款信息待另一人批准。", payees=made.payees),
        "success",
    )
    return redirect(url_for(".proposal", number=made.proposal_id), 303)


def _one() -> PayeeRow:
    """The payee of the form.

    Raises BountyError with all that is wrong with it.
    """
    row = read_payee({name: request.form.get(name, "") for name in FIELDS})
    if isinstance(row, PayeeRow):
        return row
    labels = {name: in_language(*words) for name, words in FIELDS.items()}
    raise BountyError(
        "; ".join(f"{labels.get(each.column or '', '')}: {each.en}" for each in row.errors) + ".",
        "；".join(f"{labels.get(each.column or '', '')}：{each.zh}" for each in row.errors) + "。",
    )


def _read(file: FileStorage, name: str) -> list[PayeeRow | BadRow]:
    """The rows of an uploaded file, which is kept nowhere: accounts are in plain in it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"payees{ending_of(name)}"
        file.save(path)
        return list(read_payees(path))


@blueprint.get("/payees.csv")
@allows(*READERS)
def file() -> Response:
    """Exactly the payees that the filters leave, masked."""
    return csv_response(PAYEES, finance_queries.payee_list(), request.args, "payees")


@blueprint.get("/missing")
@allows(*READERS)
def missing() -> str:
    """Whose money has nowhere to go."""
    with reading() as connection:
        page = _missing(connection, request.args)
    return render_template("finance/payees_missing.html", page=page, now=now())


@blueprint.get("/missing.csv")
@allows(*READERS)
def missing_csv() -> Response:
    """Exactly the promoters that the search leaves."""
    return csv_response(MISSING, finance_queries.without_payee(), request.args, "without_payee")


@blueprint.get("/proposals/<int:number>")
@allows(*READERS)
def proposal(number: int) -> str:
    """What a proposal would put in force, beside what is."""
    return _proposal(number)


@blueprint.get("/proposals/<int:number>/payees.csv")
@allows(*READERS)
def proposal_csv(number: int) -> Response:
    """Exactly the payees that the filters leave, masked."""
    with reading() as connection:
        _found(connection, number)
    return csv_response(PROPOSED, service.payees_of(number).order_by(None), request.args, f"payees-{number}")


@blueprint.post("/proposals/<int:number>/approve")
@allows("finance", "admin")
def approve(number: int) -> ResponseReturnValue:
    """Put a proposal in force as it was seen; not one's own."""
    with reading() as connection:
        _found(connection, number)
    try:
        require_fresh_code()
        with writing() as connection:
            service.approve_payees(connection, number, request.form.get("payees_sha256", ""), now())
    except BountyError as refusal:
        return _proposal(number, refusal_text(refusal)), 409
    flash(_("已批准，收款信息生效。"), "success")
    return redirect(url_for(".index"), 303)


def _found(connection: Connection, number: int) -> service.ProposalRow:
    return service.proposal_of(connection, number) or abort(404)


def _index(refused: str | None = None) -> str:
    with reading() as connection:
        kept = kept_lists(connection, finance_queries.PAYEES, now())
        page = page_of_list(
            connection,
            PAYEES,
            finance_queries.payee_list(),
            request.args,
            kept,
            of_some=finance_queries.payee_list,
        )
        missing = _missing(connection, {})
        waiting = connection.execute(service.waiting_proposals()).all()
    return render_template(
        "finance/payees.html",
        page=page,
        missing=missing,
        waiting=waiting,
        methods=PayeeMethod.labels(),
        refused=refused,
        approval_required=site().settings.approval_required,
        fields=FIELDS,
        posted={} if request.method == "GET" or refused is None or is_too_large() else request.form,
        megabytes=site().settings.upload_megabytes,
        now=now(),
    )


def _missing(connection: Connection, args: Mapping[str, str]) -> Page:
    kept = kept_lists(connection, finance_queries.WITHOUT_PAYEE, now())
    return page_of_list(
        connection,
        MISSING,
        finance_queries.without_payee(),
        args,
        kept,
        of_some=finance_queries.without_payee,
    )


def _proposal(number: int, refused: str | None = None) -> str:
    with reading() as connection:
        found = _found(connection, number)
        every = Totals(found.payees, {})
        rows = service.payees_of(number).order_by(None)
        page = page_of(
            connection, PROPOSED, rows, request.args, known=lambda filters: None if filters else every
        )
    return render_template(
        "finance/payees_proposal.html",
        proposal=found,
        page=page,
        methods=PayeeMethod.labels(),
        refused=refused,
        now=now(),
    )


stay_on_form(blueprint, "payees.propose", _index)
