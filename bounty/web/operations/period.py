"""Period: where a month stands, the one next action, and what it will cost."""

from dataclasses import replace

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from sqlalchemy import BigInteger, Connection
from werkzeug.wrappers import Response as Redirect

from bounty.calendar.schedule import coming_periods
from bounty.db import Query, WholeNumber, Words, given_rows
from bounty.forecast.stored import newest_forecast
from bounty.models import ChangeCause
from bounty.notices.differences import difference_shown
from bounty.notices.late_facts import LateFacts, late_facts_shown
from bounty.notices.nudges import nudge
from bounty.notices.period_status import PeriodStatus, period_status
from bounty.notices.period_summaries import PeriodState, PeriodSummary, period_summaries
from bounty.notices.promoter_counts import PromoterCounts, awaits_receipts, kept_counts
from bounty.notices.results_query import Outlook, active_and_eligible, funnel, tiers_shown
from bounty.notices.trends import trend
from bounty.release.checklist import ChecklistCode, checklist, waiting_by_code
from bounty.release.next_code import after_notice
from bounty.release.next_step import NextStep, next_step
from bounty.roster.terms import terms_in_force
from bounty.rules.periods import MAIN, Period
from bounty.web.operations.results import (
    COLUMNS,
    OUTLOOK,
    READERS,
    RESULT,
    columns_of,
    rows_of,
)
from bounty.web.period_names import by_programme
from bounty.web.shared.access import allows
from bounty.web.shared.charts import month_bars
from bounty.web.shared.downloads import csv_response
from bounty.web.shared.formats import day
from bounty.web.shared.language import _, _n
from bounty.web.shared.request_context import now, reading, site, writing
from bounty.web.shared.stored_lists import page_of_list
from bounty.web.shared.table_filters import Filter, one_of
from bounty.web.shared.tables import Column, Page, Table, page_of

blueprint = Blueprint("period", __name__, url_prefix="/operations")
NEAREST = Table(
    "nearest",
    COLUMNS,
    key=("promoter_id",),
    order="-nearness",
    filters=(Filter("result", "结果", "result", RESULT.options[:3]),),
    page=10,
)
PERIODS = Table(
    "periods",
    (
        Column("period", "期", "Period", sortable=True),
        Column("state", "状态", "State"),
        Column("receipt_cutoff", "收货截止", "Receipts count until", "instant"),
        Column("on_roster", "名单（人）", "On the roster", "count", sortable=True),
        Column("eligible", "有资格（人）", "Eligible", "count", sortable=True),
        Column("passed", "达标（人）", "Passed", "count", sortable=True),
        Column("subsidy_fen", "补贴（预计）", "Subsidy, expected", "money", sortable=True, summed=True),
        Column("notice", "公示", "Notice", "count"),
        Column("published_at", "公示时间", "published at", "instant", shown=False),
        Column("late_orders", "迟到订单", "Late orders", "count", shown=False),
        Column("late_fen", "迟到数据的补贴", "Subsidy of late data", "money", shown=False),
        Column("freeze_at", "应冻结时间", "To be frozen at", "instant", shown=False),
        Column("days_late", "已晚（天）", "Days late", "count", shown=False),
    ),
    key=("period",),
    order="-period",
    filters=(one_of("state", "状态", "state", PeriodState.labels()),),
)


@blueprint.get("/periods")
@allows(*READERS)
def index() -> str:
    """Every open period, the newest first."""
    with reading() as connection:
        page = page_of(connection, _periods(), period_rows(connection), request.args)
        months = trend(connection, MAIN)
    return render_template(
        "operations/periods.html",
        page=page,
        states=PeriodState.labels(),
        now=now(),
        trend=months,
        month_bars=month_bars,
    )


@blueprint.get("/periods.csv")
@allows(*READERS)
def periods_file() -> Response:
    """Exactly the periods that the filter leaves."""
    with reading() as connection:
        rows = period_rows(connection)
    return csv_response(_periods(), rows, request.args, "periods")


@blueprint.get("/periods/<period:period>")
@allows(*READERS)
def show(period: Period) -> str:
    """One period, as of now."""
    with reading() as connection:
        stage = period_status(connection, period, now())
        settlement_id = None if stage.newest is None else stage.newest.settlement_id
        found = checklist(connection, stage, now())
        came = after_notice(connection, stage, now(), shown=True)
        step = next_step(stage, found, came, approval_required=site().settings.approval_required)
        differs = difference_shown(connection, period, stage.terms, stage.before, stage.newest, now())
        tiers = tiers_shown(connection, stage.bounds, stage.terms, settlement_id, now())
        kept = kept_counts(connection, stage, now())
        return render_template(
            "operations/period.html",
            stage=stage,
            checklist=found,
            lines=ChecklistCode.labels(),
            waiting=waiting_by_code(connection, stage.bounds) if found.quarantined else [],
            step=step,
            late=came.late,
            figures=[each for each in (came.late_figure, differs, tiers) if each is not None],
            place=place_of(step, period),
            steps=steps_of(stage, now()),
            funnel=funnel(connection, stage.bounds, stage.terms, settlement_id, now())
            if kept is None
            else kept.funnel,
            tiers=tiers.content,
            difference=differs.content,
            causes=ChangeCause.labels(),
            states=PeriodState.labels(),
            outlooks=Outlook.labels(),
            page=_nearest(connection, stage, kept),
            forecast=None if stage.newest else newest_forecast(connection, period),
            now=now(),
        )


def _nearest(connection: Connection, stage: PeriodStatus, kept: PromoterCounts | None) -> Page:
    """The promoters who are nearest to their target; of the stored ones only the rows are read."""
    nearest = None if kept is None else kept.active
    return page_of_list(connection, nearest_of(stage), active(stage), request.args, nearest, counted=True)


@blueprint.post("/periods/<period:period>/remind")
@allows("operator")
def remind(period: Period) -> Redirect:
    """Remind everybody who needs a nudge of what is missing; nobody twice a day."""
    with writing() as connection:
        behind, mailed = nudge(connection, period, now())
    flash(
        _n("需要提醒的 %(num)s 人中，%(mailed)s 人会收到邮件；每人每天最多一封。", behind, mailed=mailed),
        "success",
    )
    return redirect(url_for(".show", period=period), 303)


@blueprint.get("/periods/<period:period>/nearest.csv")
@allows(*READERS)
def file(period: Period) -> Response:
    """Exactly the promoters that the page lists."""
    with reading() as connection:
        stage = period_status(connection, period, now())
    return csv_response(nearest_of(stage), active(stage), request.args, f"nearest-{period.slug}")


def _periods() -> Table:
    return by_programme(PERIODS, newest_first="begins")


def period_rows(connection: Connection) -> Query:
    """The periods with their states, which are computed and not stored; those whose roster is to be frozen too. With
    ``begins``, which sorts the periods of all programmes as time goes."""
    kinds: dict[str, Words | BigInteger] = {
        column.name: Words() if column.kind == "text" else WholeNumber for column in PERIODS.columns
    } | {"begins": Words()}
    nothing: dict[str, str | int | None] = dict.fromkeys(kinds)
    coming = [
        nothing
        | {
            "period": str(each.period),
            "begins": each.period.first_day.isoformat(),
            "state": "OVERDUE" if each.overdue(now()) else "UPCOMING",
            "freeze_at": each.freeze_at,
            "days_late": each.days_late(now()) if each.overdue(now()) else None,
        }
        for each in coming_periods(connection, site().settings.calendar, now())
    ]
    opened = []
    for each in period_summaries(connection, now()):
        late = _late(connection, each)
        opened.append(
            nothing
            | {
                "period": each.period,
                "begins": Period.parse(each.period).first_day.isoformat(),
                "state": each.state,
                "receipt_cutoff": each.bounds.receipt_cutoff,
                "on_roster": each.on_roster,
                "eligible": each.eligible,
                "passed": None if each.settlement is None else each.passed,
                "subsidy_fen": None if each.settlement is None else each.settlement.subsidy_fen,
                "notice": None if each.notice is None else each.notice.notice,
                "published_at": None if each.notice is None else each.notice.published_at,
                "late_orders": None if late is None else late.orders,
                "late_fen": None if late is None else late.subsidy_fen,
            }
        )
    return given_rows(kinds, [*coming, *opened])


def _late(connection: Connection, each: PeriodSummary) -> LateFacts | None:
    """What came after the notice of a period that is not closed."""
    if each.notice is None or each.state == "CLOSED":
        return None
    period = Period.parse(each.period)
    terms = terms_in_force(connection, period).terms
    late: LateFacts | None = late_facts_shown(connection, period, terms, each.notice, now()).content
    return late


def nearest_of(stage: PeriodStatus) -> Table:
    """The table of promoters by how near they are; while receipts still count, by where they are heading too."""
    outlook = (OUTLOOK,) if awaits_receipts(stage, now()) else ()
    return replace(NEAREST, columns=columns_of(stage), filters=(*NEAREST.filters, *outlook))


def active(stage: PeriodStatus) -> Query:
    """The promoters with a target and an order in the task window."""
    return active_and_eligible(rows_of(stage))


def place_of(step: NextStep, period: Period) -> str:
    """The address where a step is done."""
    if step.place == "QUARANTINE":
        return url_for("quarantine.index", period=period)
    if step.place == "IMPORTS":
        return url_for("imports.index")
    return url_for("roster.listing" if step.place == "ROSTER" else "settling.show", period=period)


def steps_of(stage: PeriodStatus, moment: int) -> list[tuple[str, str, str]]:
    """The month's five steps: name, note, and done, now or ahead."""
    bounds, newest, notices = stage.bounds, stage.newest, stage.notices
    ends, cutoff = day(bounds.task_until - 1), day(bounds.receipt_cutoff - 1)
    out = bool(notices)
    facts: list[tuple[str, str, bool]] = [
        (
            _("推广"),
            _("至 %(ends)s 24 点", ends=ends),
            moment >= bounds.task_until,
        ),
        (
            _("收货截止"),
            _("%(cutoff)s 24 点", cutoff=cutoff),
            moment >= bounds.receipt_cutoff,
        ),
        (
            _("核算"),
            _("待运行") if newest is None else day(newest.settled_at),
            newest is not None,
        ),
        (
            _("公示"),
            _("第 %(notice)s 号 %(day)s", notice=notices[0].notice, day=day(notices[0].published_at))
            if out
            else _("核算批准后"),
            out and stage.draft is None,
        ),
        (
            _("补贴"),
            _("已关账") if stage.state == "CLOSED" else _("随佣金结算"),
            stage.state == "CLOSED",
        ),
    ]
    current = next((at for at, (*_rest, done) in enumerate(facts) if not done), len(facts))
    states = ["done" if at < current else "now" if at == current else "ahead" for at in range(5)]
    return [(name, note, state) for (name, note, _done), state in zip(facts, states, strict=True)]
