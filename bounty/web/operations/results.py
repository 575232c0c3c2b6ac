"""Results: the promoters of a period by passed, margin and at risk; and what changed since the last run."""

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection, or_

from bounty.db import Query, equal
from bounty.notices.as_of import results_as_of
from bounty.notices.period_status import PeriodStatus, period_status
from bounty.notices.period_summaries import period_summaries
from bounty.notices.promoter_counts import RESULTS, awaits_receipts, kept_counts
from bounty.notices.results_query import Outlook, results_query
from bounty.progress.as_of import AsOf
from bounty.rules.periods import Period
from bounty.settlement.revocations import voids_of
from bounty.web.promoter.as_of import requested_as_of
from bounty.web.shared.access import allows
from bounty.web.shared.downloads import csv_response
from bounty.web.shared.request_context import now, reading
from bounty.web.shared.stored_lists import page_of_list
from bounty.web.shared.table_filters import Filter, Option, Search, one_of
from bounty.web.shared.tables import Column, Page, Table

blueprint = Blueprint("results", __name__, url_prefix="/operations")
MOST_AS_OF = 500
"""Promoters that the page of a past moment lists."""
READERS = ("operator", "finance", "admin")
RESULT = Filter(
    "result",
    "结果",
    "result",
    (
        Option("passed", "达标", "passed", RESULTS["result=passed"]),
        Option("risk", "差 10% 以内", "within 10 %", RESULTS["result=risk"]),
        Option(
            "short",
            "其余未达标",
            "further short",
            RESULTS["result=short"],
        ),
        Option("ineligible", "无资格", "not eligible", RESULTS["result=ineligible"]),
        Option("eligible", "有资格", "eligible", RESULTS["result=eligible"]),
    ),
)
ACTIVITY = Filter(
    "active",
    "活跃",
    "activity",
    (
        Option("yes", "有订单", "with orders", RESULTS["active=yes"]),
        Option("no", "无订单", "without orders", RESULTS["active=no"]),
    ),
)
OUTLOOK = one_of("outlook", "走势", "outlook", Outlook.labels())
CHANGE = Filter(
    "change",
    "与上次相比",
    "since the last run",
    (
        Option("any", "有变化", "changed", RESULTS["change=any"]),
        Option(
            "gained",
            "新达标",
            "passes now",
            RESULTS["change=gained"],
        ),
        Option(
            "lost",
            "不再达标",
            "no longer passes",
            RESULTS["change=lost"],
        ),
    ),
)
COLUMNS = (
    Column("promoter_id", "推手", "Promoter", "id", sortable=True),
    Column("name", "姓名", "name", shown=False),
    Column("level", "等级", "Level"),
    Column("reason", "无资格原因", "why not eligible", shown=False),
    Column("gmv_fen", "计入 GMV / 目标", "Counted GMV / target", "money", sortable=True),
    Column("target_gmv_fen", "GMV 目标", "GMV target", "money", shown=False),
    Column("orders", "订单 / 目标", "Orders / target", "count", sortable=True),
    Column("target_orders", "单数目标", "orders target", "count", shown=False),
    Column("margin", "离目标", "To target", "count", sortable=True, filed="margin_bp"),
    Column("nearness", "最近", "Nearest", "count", sortable=True, filed="nearness_bp"),
    Column("passed", "结果与变化", "Result, change", "flag"),
    Column("rate_permille", "比例", "rate", "permille", shown=False),
    Column("subsidy_fen", "补贴（预计）", "Subsidy, expected", "money", sortable=True, summed=True),
    Column("moved_fen", "补贴变动", "subsidy moved", "money", shown=False),
    Column("changed", "有变化", "changed", "flag", shown=False),
)
_PENDING = (
    Column("pending_fen", "待收货", "Pending", "money", sortable=True, summed=True),
    Column("pending_orders", "待收货单数", "pending orders", "count", shown=False),
    Column("outlook", "走势", "outlook", shown=False),
)
SEARCH = Search(
    "推手 ID 或姓名",
    "Promoter's id or name",
    lambda rows, words: or_(
        rows.c.name.contains(words, autoescape=True),
        rows.c.promoter_id == (int(words) if words.isascii() and words.isdigit() and len(words) < 16 else -1),
    ),
)


def table_of(stage: PeriodStatus) -> Table:
    """The promoters of a period, by what its levels are."""
    levels = tuple(Option(level, level, level, equal("level", level)) for level in sorted(stage.terms.levels))
    return Table(
        "standings",
        columns_of(stage),
        key=("promoter_id",),
        order="-nearness",
        filters=(
            RESULT,
            *((OUTLOOK,) if awaits_receipts(stage, now()) else ()),
            ACTIVITY,
            CHANGE,
            Filter("level", "等级", "level", levels),
        ),
        search=SEARCH,
    )


def columns_of(stage: PeriodStatus) -> tuple[Column, ...]:
    """The columns of the promoters of a period; while receipts still count, what is pending too."""
    if not awaits_receipts(stage, now()):
        return COLUMNS
    at = next(place for place, column in enumerate(COLUMNS) if column.name == "margin")
    return (*COLUMNS[:at], *_PENDING, *COLUMNS[at:])


def rows_of(stage: PeriodStatus) -> Query:
    """Every promoter on the roster: by the newest settlement and against the one before, or as of now."""
    newest, before = stage.newest, stage.before
    return results_query(
        stage.bounds,
        stage.terms,
        None if newest is None else newest.settlement_id,
        None if before is None else before.settlement_id,
        now=now() if awaits_receipts(stage, now()) else None,
    )


@blueprint.get("/results")
@allows(*READERS)
def newest() -> ResponseReturnValue:
    """The results of the newest period of which there are any."""
    with reading() as connection:
        found = period_summaries(connection, now())
    settled = next((each for each in found if each.settlement is not None), found[0] if found else None)
    if settled is None:
        return redirect(url_for("period.index"))
    return redirect(url_for(".index", period=settled.period))


@blueprint.get("/periods/<period:period>/results")
@allows(*READERS)
def index(period: Period) -> str:
    """The promoters of a period, nearest to the target first unless requested otherwise."""
    with reading() as connection:
        past = requested_as_of(connection)
        if past is not None:
            return _as_of(connection, period, past)
        stage = period_status(connection, period, now())
        page = _page(connection, stage)
        periods = [each.period for each in period_summaries(connection, now())]
        voids = connection.execute(voids_of(period)).all()
    return render_template(
        "operations/results.html",
        stage=stage,
        page=page,
        periods=periods,
        voids=voids,
        outlooks=Outlook.labels(),
        now=now(),
    )


def _page(connection: Connection, stage: PeriodStatus) -> Page:
    kept = kept_counts(connection, stage, now())
    every = None if kept is None else kept.every
    return page_of_list(connection, table_of(stage), rows_of(stage), request.args, every)


def _as_of(connection: Connection, period: Period, past: AsOf) -> str:
    """The results of a settlement as of a past moment."""
    rows = results_as_of(connection, period, past)
    return render_template(
        "operations/results_as_of.html",
        period=period,
        as_of=past,
        rows=rows[:MOST_AS_OF],
        more=len(rows) > MOST_AS_OF,
        passed=sum(bool(row.passed) for row in rows),
        subsidy_fen=sum(row.subsidy_fen for row in rows),
    )


@blueprint.get("/periods/<period:period>/results.csv")
@allows(*READERS)
def file(period: Period) -> Response:
    """Exactly the promoters that the filters leave."""
    with reading() as connection:
        stage = period_status(connection, period, now())
    return csv_response(table_of(stage), rows_of(stage), request.args, f"standings-{period.slug}")
