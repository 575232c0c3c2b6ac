"""Settle and publish: the checklist, the draft, its difference, the second person, and the notice."""

from collections.abc import Callable

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection

from bounty.checks.books import run_checks
from bounty.db import Query
from bounty.errors import BountyError
from bounty.figures import books_are_small
from bounty.models import ChangeCause
from bounty.notices.changes import changes_between, require_rows_of_changes, with_moved
from bounty.notices.differences import difference_shown
from bounty.notices.period_status import PeriodStatus, period_status
from bounty.notices.period_summaries import PeriodState, period_summaries
from bounty.notices.service import CauseTotal, NoticeRow
from bounty.release import service as closing
from bounty.release.checklist import WAIVABLE, ChecklistCode, checklist
from bounty.release.freshness import confirm_data
from bounty.release.next_code import after_notice
from bounty.release.next_step import next_step
from bounty.roster.terms import open_period
from bounty.rules.periods import Period
from bounty.settlement.approval import approvals_needed
from bounty.settlement.queries import count_passed
from bounty.settlement.service import SettlementRow, settle
from bounty.web.operations.period import place_of
from bounty.web.operations.results import READERS
from bounty.web.public.pages import notice_parts
from bounty.web.shared.access import allows
from bounty.web.shared.downloads import csv_response
from bounty.web.shared.errors import refusal_text
from bounty.web.shared.language import _, in_language
from bounty.web.shared.request_context import now, reading, site, writing
from bounty.web.shared.step_up_auth import require_fresh_code
from bounty.web.shared.table_filters import Search, one_of
from bounty.web.shared.tables import Column, Table, page_of

blueprint = Blueprint("settling", __name__, url_prefix="/operations")
CHANGES = Table(
    "changes",
    columns=(
        Column("order_sn", "订单", "Order"),
        Column("promoter_id", "推手", "Promoter", "id", sortable=True),
        Column("cause", "原因", "Cause"),
        Column("was_counted_fen", "原计入", "Counted before", "money"),
        Column("now_counted_fen", "现计入", "Counts now", "money"),
        Column("was_subsidy_fen", "原补贴", "Subsidy before", "money", summed=True),
        Column("now_subsidy_fen", "现补贴", "Subsidy now", "money", summed=True),
        Column("moved_fen", "变动", "Moved by", "money", sortable=True, summed=True),
    ),
    key=("promoter_id", "order_sn"),
    order="promoter_id",
    filters=(one_of("cause", "原因", "cause", ChangeCause.labels()),),
    search=Search("订单号", "order number", lambda rows, words: rows.c.order_sn == words),
)


@blueprint.get("/settling")
@allows(*READERS)
def index() -> ResponseReturnValue:
    """The period that is to be settled or published next; the newest settled one where none is."""
    with reading() as connection:
        found = period_summaries(connection, now())
    due = [each for each in reversed(found) if each.state in ("READY_TO_SETTLE", "DRAFT", "APPROVED")]
    chosen = due or [each for each in found if each.settlement] or found
    return redirect(url_for(".show", period=chosen[0].period) if chosen else url_for("period.index"))


@blueprint.get("/periods/<period:period>/settling")
@allows(*READERS)
def show(period: Period) -> str:
    """Everything that the decision to publish needs."""
    return _page(period)


@blueprint.post("/periods/<period:period>/settle")
@allows("operator")
def make(period: Period) -> ResponseReturnValue:
    """Make a draft, or find that the newest settlement still says the same; then the books check themselves."""

    def act(connection: Connection) -> str:
        settled = settle(connection, period, now())
        if settled.created:
            return _("核算 %(settlement_id)s 已完成，待批准。", settlement_id=settled.settlement_id)
        return _("数据没有带来变化：核算 %(settlement_id)s 仍然有效。", settlement_id=settled.settlement_id)

    return _done(period, act, afterwards=_check)


@blueprint.post("/periods/<period:period>/check")
@allows("operator")
def check(period: Period) -> ResponseReturnValue:
    """Run the checks of the books again."""
    return _done(period, lambda _connection: _("自查已完成。"), afterwards=_check)


@blueprint.post("/periods/<period:period>/waive")
@allows("operator")
def waive(period: Period) -> ResponseReturnValue:
    """Answer for a line of the checklist, with a reason."""

    def act(connection: Connection) -> str:
        line = request.form.get("line", "")
        required = site().settings.approval_required
        reason = request.form.get("reason", "")
        closing.waive(connection, period, _seen(), line, reason, now(), approval_required=required)
        return _("%(line)s：已写明理由放行。", line=in_language(*ChecklistCode.labels()[line]))

    return _done(period, act)


@blueprint.post("/periods/<period:period>/confirm-data")
@allows("operator")
def confirm(period: Period) -> ResponseReturnValue:
    """Confirm that the data of a period is complete up to its receipt cutoff."""

    def act(connection: Connection) -> str:
        cutoff = open_period(connection, period).receipt_cutoff
        required, reason = site().settings.approval_required, request.form.get("reason", "")
        confirm_data(connection, period, cutoff, reason, now(), approval_required=required)
        return _("已确认：数据已齐至收货截止。")

    return _done(period, act)


@blueprint.post("/periods/<period:period>/approve")
@allows("operator", "finance")
def approve(period: Period) -> ResponseReturnValue:
    """Stand for the draft as it was seen; not for one's own."""

    def act(connection: Connection) -> str:
        closing.approve_seen(connection, period, _seen(), request.form.get("content_sha256", ""), now())
        return _("您已批准这份草稿。")

    return _done(period, act, fresh=True)


@blueprint.get("/periods/<period:period>/publish")
@allows("operator")
def publishing(period: Period) -> ResponseReturnValue:
    """What publishing the draft would do, to how many; nothing is published yet."""
    with reading() as connection:
        stage = period_status(connection, period, now())
        draft, before = stage.draft, stage.notices[0] if stage.notices else None
        if draft is None:
            return redirect(url_for(".show", period=period), 303)
        passed = count_passed(connection, draft.settlement_id)
        found = checklist(connection, stage, now())
        differs = difference_shown(connection, period, stage.terms, before, draft, now())
    required = site().settings.approval_required
    return render_template(
        "operations/publishing.html",
        stage=stage,
        draft=draft,
        before=before,
        passed=passed,
        checklist=found,
        lines=ChecklistCode.labels(),
        difference=differs.content,
        figures=[differs],
        causes=ChangeCause.labels(),
        ready=found.clean and not (required and stage.approvals_missing),
        now=now(),
    )


@blueprint.post("/periods/<period:period>/publish")
@allows("operator")
def publish(period: Period) -> ResponseReturnValue:
    """Publish the draft as it was seen, as the next notice."""

    def act(connection: Connection) -> str:
        notice = closing.publish_checked(
            connection,
            period,
            now(),
            approval_required=site().settings.approval_required,
            seen=(_seen(), request.form.get("content_sha256", "")),
        )
        return _("第 %(notice)s 号公示已发布。", notice=notice.notice)

    return _done(period, act, fresh=True)


@blueprint.get("/periods/<period:period>/preview")
@allows(*READERS)
def preview(period: Period) -> ResponseReturnValue:
    """The draft as the notice that it would become, by the public's own template."""
    with reading() as connection:
        stage = period_status(connection, period, now())
        draft, before = stage.draft, stage.notices[0] if stage.notices else None
        if draft is None:
            return redirect(url_for(".show", period=period))
        number = before.notice + 1 if before else 1
        notice = NoticeRow(**vars(draft), notice=number, published_at=now())
        differs = difference_shown(connection, period, stage.terms, before, draft, now())
        found = differs.content.causes if differs.content else []
        causes = sorted(CauseTotal(each.code, each.orders, each.subsidy_fen) for each in found if each.orders)
        parts = notice_parts(connection, period, notice, before, causes)
    return render_template(
        "operations/preview.html",
        notices=[notice, *stage.notices],
        stage=stage,
        figures=[differs],
        now=now(),
        **parts,
    )


@blueprint.get("/periods/<period:period>/changes")
@allows(*READERS)
def changes(period: Period) -> str:
    """Every order that the newest settlement judges otherwise than the one before, and why; of large books what the
    causes come to, and a file of the orders."""
    with reading() as connection:
        stage = period_status(connection, period, now())
        _require_two(connection, stage)
        page = None
        if books_are_small(connection):
            page = page_of(connection, CHANGES, _changes(connection, stage), request.args)
        differs = difference_shown(connection, period, stage.terms, stage.before, stage.newest, now())
    return render_template(
        "operations/changes.html",
        stage=stage,
        page=page,
        arguments={"cause": request.args["cause"]} if "cause" in request.args else {},
        difference=differs.content,
        figures=[differs],
        causes=ChangeCause.labels(),
        now=now(),
    )


@blueprint.get("/periods/<period:period>/changes.csv")
@allows(*READERS)
def changes_csv(period: Period) -> Response:
    """Exactly the orders that the filters leave."""
    with reading() as connection:
        stage = period_status(connection, period, now())
        rows = _changes(connection, stage)
    return csv_response(CHANGES, rows, request.args, f"changes-{period.slug}")


def _changes(connection: Connection, stage: PeriodStatus) -> Query:
    before, newest = _require_two(connection, stage)
    return with_moved(changes_between(stage.period, stage.terms, before, newest))


def _require_two(connection: Connection, stage: PeriodStatus) -> tuple[SettlementRow, SettlementRow]:
    """The newest two settlements. Raises BountyError where there is one or none, or rows of the older are archived."""
    if stage.before is None or stage.newest is None:
        raise BountyError(
            f"{stage.period} has not been settled twice: there is nothing to compare yet.",
            f"{stage.period} 还没有第二次核算：暂无可比较的内容。",
        )
    require_rows_of_changes(connection, stage.period, stage.before)
    return stage.before, stage.newest


def _seen() -> int:
    return request.form.get("settlement_id", 0, type=int)


def _check(period: Period) -> None:
    with reading() as connection:
        findings = list(run_checks(connection))
    with writing() as connection:
        closing.keep_checks(connection, period, findings, now())


def _done(
    period: Period,
    act: Callable[[Connection], str],
    *,
    afterwards: Callable[[Period], None] | None = None,
    fresh: bool = False,
) -> ResponseReturnValue:
    """Do one act and go back to the page; a refusal is a sentence on it.

    fresh   whether it takes a fresh one-time code
    """
    try:
        if fresh:
            require_fresh_code()
        with writing() as connection:
            message = act(connection)
        if afterwards is not None:
            afterwards(period)
    except BountyError as refusal:
        return _page(period, refusal_text(refusal)), 409
    flash(message, "success")
    return redirect(url_for(".show", period=period), 303)


def _page(period: Period, refused: str | None = None) -> str:
    with reading() as connection:
        stage = period_status(connection, period, now())
        newest, before = stage.newest, stage.before
        found = checklist(connection, stage, now())
        came = after_notice(connection, stage, now(), shown=True)
        step = next_step(stage, found, came, approval_required=site().settings.approval_required)
        differs = difference_shown(connection, period, stage.terms, before, newest, now())
    return render_template(
        "operations/settling.html",
        stage=stage,
        checklist=found,
        lines=ChecklistCode.labels(),
        waivable=WAIVABLE,
        step=step,
        place=place_of(step, period),
        difference=differs.content,
        figures=[each for each in (came.late_figure, differs) if each is not None],
        causes=ChangeCause.labels(),
        states=PeriodState.labels(),
        needed=0 if newest is None else approvals_needed(newest.prepared_by_id),
        approval_required=site().settings.approval_required,
        refused=refused,
        now=now(),
    )
