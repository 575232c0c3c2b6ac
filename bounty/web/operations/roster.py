"""Roster: who is judged and on what, how that came about, an override with its reason; and inviting promoters."""

import base64
import csv
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as Redirect

from bounty.accounts.service import account_of_promoter, count_promoter_accounts, mail_invitations
from bounty.db import equal
from bounty.errors import BountyError
from bounty.figures import kept_lists
from bounty.money import read_yuan
from bounty.promoters.invitations import invite_from_file
from bounty.roster import queries
from bounty.roster.eligibility import Ineligibility, in_words
from bounty.roster.ineligibility_text import ineligibility_text, tenure_reached
from bounty.roster.overrides import EntryState, entry_of, override, overrides_of, refusal_of
from bounty.roster.preview import roster_preview, shown_preview
from bounty.roster.service import open_roster
from bounty.roster.terms import terms_in_force
from bounty.rules.periods import MAIN, Period
from bounty.settlement.files import inert
from bounty.web.period_names import period_label, with_period_labels
from bounty.web.shared.access import allows
from bounty.web.shared.downloads import csv_response
from bounty.web.shared.errors import refusal_text
from bounty.web.shared.form_files import uploaded_file
from bounty.web.shared.language import _, in_language, language, listed
from bounty.web.shared.request_context import now, reading, site, writing
from bounty.web.shared.stored_lists import page_of_list
from bounty.web.shared.table_filters import PROMOTER_SEARCH, Filter, Option, one_of
from bounty.web.shared.tables import Column, Page, Table

blueprint = Blueprint("roster", __name__, url_prefix="/operations/roster")
READERS = ("operator", "admin")
COLUMNS = (
    Column("promoter_id", "推手", "promoter", "id", sortable=True),
    Column("name", "姓名", "name", sortable=True),
    Column("level", "等级", "level"),
    Column("registered_on", "注册日", "registered on"),
    Column("eligible", "有资格", "eligible", "flag"),
    Column("reason", "无资格原因", "why not"),
    Column("target_gmv_fen", "GMV 目标", "GMV target", "money", sortable=True),
    Column("target_orders", "单数目标", "orders target", "count", sortable=True),
    Column("overridden", "人工调整", "overridden", "flag"),
)


@blueprint.get("/")
@allows(*READERS)
def index() -> Redirect | str:
    """The newest period's roster, of all programmes or of one; the form below offers the one after it."""
    programme = request.args.get("programme")
    with reading() as connection:
        periods = [row.period for row in queries.open_periods(connection)]
    if periods:
        of_it = [each for each in periods if Period.parse(each).programme == programme]
        return redirect(url_for(".listing", period=(of_it or periods)[0], programme=programme), 303)
    return render_template("operations/roster_empty.html", refused=None, offered=None, now=now())


@blueprint.get("/<period:period>/")
@allows(*READERS)
def listing(period: Period) -> str:
    """Everybody on the roster of a period."""
    return _listing(period)


@blueprint.get("/<period:period>/roster.csv")
@allows(*READERS)
def file(period: Period) -> Response:
    """Just these as a file."""
    with reading() as connection:
        table = _table(queries.levels_on_roster(connection, period))
    return csv_response(table, queries.roster_entries(period), request.args, f"roster-{period.slug}")


@blueprint.get("/opening")
@allows("operator")
def opening() -> str | Redirect | tuple[str, int]:
    """What freezing a roster would do: who would be on it, and whose target changes; nothing is frozen yet."""
    try:
        return _opening(_month(request.args))
    except BountyError as refusal:
        return _reopened(refusal)


@blueprint.post("/")
@allows("operator")
def open_period() -> str | Redirect | tuple[str, int]:
    """Open a period as it was seen: freeze its roster."""
    try:
        month = _month(request.form)
        with writing() as connection:
            seen = request.form.get("digest", "")
            if not seen or roster_preview(connection, month, now()).digest != seen:
                refused = None if not seen else _("名单在您查看之后有变化：请重新核对后再冻结。")
                return _opening(month, refused), 409 if seen else 200
            opened = open_roster(connection, month, now())
    except BountyError as refusal:
        return _reopened(refusal)
    history = "、".join(f"{each} {orders}" for each, orders in opened.history.items())
    message = _(
        "%(period)s 已开期：名单 %(on_roster)s 人，有资格 %(eligible)s 人",
        period=period_label(month),
        on_roster=opened.on_roster,
        eligible=opened.eligible,
    )
    held = _("历史月份的订单数：%(history)s", history=history)
    flash(listed((message, with_period_labels(held) if history else ""), ";"), "success")
    return redirect(url_for(".listing", period=month), 303)


def _month(fields: MultiDict[str, str]) -> Period:
    try:
        return Period.parse(fields.get("period", "").strip(), fields.get("programme", MAIN))
    except ValueError as error:
        raise BountyError(str(error), "请填写月份，例如 2022-12。") from None


def _opening(month: Period, refused: str | None = None) -> str:
    with reading() as connection:
        preview = shown_preview(connection, month, now())
        accounts = count_promoter_accounts(connection)
    return render_template(
        "operations/opening.html",
        preview=preview,
        reasons=Ineligibility.labels(),
        accounts=accounts,
        refused=refused,
        now=now(),
    )


@blueprint.get("/<period:period>/<int:promoter_id>")
@allows(*READERS)
def entry(period: Period, promoter_id: int) -> str:
    """One promoter: level history, tenure, violations, the target and how it came about."""
    return _entry(period, promoter_id)


@blueprint.post("/<period:period>/<int:promoter_id>")
@allows("operator")
def put_right(period: Period, promoter_id: int) -> Redirect | tuple[str, int]:
    """Override an entry."""
    try:
        to = _entry_in_form()
        with writing() as connection:
            if entry_of(connection, period, promoter_id) is None:
                abort(404)
            done = override(connection, period, promoter_id, to, request.form.get("why", ""), now())
    except BountyError as refusal:
        return _entry(period, promoter_id, refusal_text(refusal)), 422
    flash(
        _("名单已调整，推手会看到理由。") if done else _("名单本就如此，没有改动。"),
        "success",
    )
    return redirect(url_for(".entry", period=period, promoter_id=promoter_id), 303)


@blueprint.get("/invitations")
@allows(*READERS)
def invitations() -> str:
    """The form for inviting promoters by file."""
    return render_template("operations/invitations.html", invited=None, refused=None)


@blueprint.post("/invitations")
@allows("operator", "admin")
def invite() -> str | tuple[str, int]:
    """One-time links, shown this once: only their hashes are kept."""
    try:
        given, _name = uploaded_file()
        with TemporaryDirectory() as folder:
            path = Path(folder) / "invitations.csv"
            given.save(path)
            with writing() as connection:
                invited = invite_from_file(connection, path, now())
                if request.form.get("mail"):
                    mail_invitations(connection, invited, now())
    except BountyError as refusal:
        return render_template(
            "operations/invitations.html", invited=None, refused=refusal_text(refusal)
        ), 422
    links = [(each, f"{site().settings.public_url}/invitation/{each.token}") for each in invited]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(("promoter_id", "email", "name", "link"))
    for each, link in links:
        writer.writerow((each.promoter_id, inert(each.email), inert(each.name), link))
    # Nothing of it is kept here, so that the file goes with the page.
    content = base64.b64encode(b"\xef\xbb\xbf" + text.getvalue().encode()).decode()
    return render_template("operations/invitations.html", invited=links, content=content, refused=None)


def _listing(month: Period, refused: str | None = None) -> str:
    with reading() as connection:
        opened = {row.period: row.opened_at for row in queries.open_periods(connection)}
        if str(month) not in opened:
            abort(404)
        args = request.args if request.method == "GET" else {}
        page = _page(connection, month, args)
    return render_template(
        "operations/roster.html",
        page=page,
        period=str(month),
        periods=list(opened),
        offered=_offered(list(opened), request.args.get("programme", month.programme)),
        opened_at=opened[str(month)],
        reasons=Ineligibility.labels(),
        refused=refused,
        now=now(),
    )


def _page(connection: Connection, month: Period, args: Mapping[str, str]) -> Page:
    kept = kept_lists(connection, queries.roster_subject(month), now())
    levels = (
        queries.levels_on_roster(connection, month)
        if kept is None
        else (name.removeprefix("level=") for name in kept if name.startswith("level="))
    )
    return page_of_list(connection, _table(levels), queries.roster_entries(month), args, kept, counted=True)


def _reopened(refusal: BountyError) -> tuple[str, int]:
    with reading() as connection:
        periods = [row.period for row in queries.open_periods(connection)]
    if periods:
        return _listing(Period.parse(periods[0]), refusal_text(refusal)), 422
    return render_template(
        "operations/roster_empty.html", refused=refusal_text(refusal), offered=None, now=now()
    ), 422


def _entry(month: Period, promoter_id: int, refused: str | None = None) -> str:
    with reading() as connection:
        row = entry_of(connection, month, promoter_id)
        if row is None:
            abort(404)
        terms = terms_in_force(connection, month).terms
        levels = queries.levels_of(connection, promoter_id)
        violations = queries.violations_of(connection, promoter_id)
        overrides = overrides_of(connection, month, promoter_id)
        closed = refusal_of(connection, month, now())
        account = account_of_promoter(connection, promoter_id)
    derivation = json.loads(row.derivation)
    rules = terms.levels.get(row.level) if row.level else None
    tenure = None
    if rules is not None and rules.min_tenure_months:
        tenure = (rules.min_tenure_months, tenure_reached(row.registered_on, rules.min_tenure_months))
    stands = next((each for each in violations if _in_effect(each, month)), None)
    reason = (
        None
        if row.reason is None
        else in_language(*ineligibility_text(row.reason, row.level, derivation, stands))
    )
    return render_template(
        "operations/roster_entry.html",
        row=row,
        period=str(month),
        first_day=month.first_day,
        levels=levels,
        violations=violations,
        stands=stands,
        overrides=overrides,
        closed=None if closed is None else refusal_text(closed),
        derived=in_words(derivation, chinese=language() == "zh"),
        why=reason,
        tenure=tenure,
        account=None if account is None else account.email,
        reasons=Ineligibility.labels(),
        posted=request.form,
        refused=refused,
        now=now(),
    )


def _in_effect(violation: queries.PromoterViolation, month: Period) -> bool:
    """Whether a violation was in effect on the first day of a period."""
    cleared = violation.cleared_on
    return violation.occurred_on < month.first_day and (cleared is None or cleared >= month.first_day)


def _entry_in_form() -> EntryState:
    """The entry of the roster that the form asks for."""
    reason = request.form.get("ineligible", "")
    if reason:
        return EntryState(reason, None, None)
    gmv, orders = (request.form.get(name, "").strip() for name in ("gmv_yuan", "orders"))
    try:
        gmv_fen = read_yuan(gmv) if gmv else None
    except ValueError:
        raise BountyError(
            f"{gmv!r} is no amount: write yuan such as 2000.00.", f"「{gmv}」不是金额：请写成 2000.00。"
        ) from None
    if orders and not (orders.isascii() and orders.isdigit() and len(orders) <= 9):
        raise BountyError(f"{orders!r} is no number of orders.", f"「{orders}」不是单数。")
    return EntryState(None, gmv_fen, int(orders) if orders else None)


def _offered(periods: list[str], programme: str) -> Period | None:
    """The period after the newest open one of a programme; null before its first."""
    newest = (each for each in map(Period.parse, periods) if each.programme == programme)
    return next((each.plus(1) for each in newest), None)


def _table(levels: Iterable[str]) -> Table:
    return Table(
        "roster",
        COLUMNS,
        key=("promoter_id",),
        order="promoter_id",
        filters=(
            Filter(
                "eligible",
                "资格",
                "eligibility",
                (
                    Option("yes", "有资格", "eligible", queries.ENTRIES["eligible=yes"]),
                    Option("no", "无资格", "not eligible", queries.ENTRIES["eligible=no"]),
                    Option("overridden", "有人工调整", "overridden", queries.ENTRIES["eligible=overridden"]),
                ),
            ),
            one_of("reason", "原因", "reason", Ineligibility.labels()),
            Filter(
                "level",
                "等级",
                "level",
                tuple(Option(level, level, level, equal("level", level)) for level in levels),
            ),
        ),
        search=PROMOTER_SEARCH,
    )
