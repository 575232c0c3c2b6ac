"""Today: everything that is due, with its deadline and the page where it is done; where operators land after log-in."""

from dataclasses import dataclass

from flask import Blueprint, render_template, url_for

from bounty.calendar.due import DueItem, due_items
from bounty.calendar.schedule import CalendarJob
from bounty.notices.late_facts import in_words
from bounty.web.operations.period import place_of
from bounty.web.period_names import period_title
from bounty.web.shared.access import allows, person
from bounty.web.shared.language import _, _n, in_language, labelled
from bounty.web.shared.request_context import now, reading, site

blueprint = Blueprint("today", __name__, url_prefix="/operations")


@dataclass(frozen=True, slots=True)
class DueLine:
    """One thing to do, in the reader's language."""

    title: str
    why: str
    """What it is about; blank where the title says all."""
    do: str
    """On the link."""
    place: str
    """The address where it is done."""
    due_at: int | None
    overdue: bool


@blueprint.get("/")
@allows("operator", "admin")
def index() -> str:
    """Everything due, the nearest deadline first."""
    settings = site().settings
    with reading() as connection:
        found = due_items(connection, settings.calendar, now(), approval_required=settings.approval_required)
    return render_template("operations/today.html", lines=[_line(each) for each in found], now=now())


def _line(item: DueItem) -> DueLine:
    title, why, do, place = {
        "FREEZE": _roster,
        "STEP": _step,
        "LATE": _late,
        "APPEALS": _appeals,
        "QUARANTINE": _quarantine,
        "UNDELIVERED": _undelivered,
        "SLOT": _slot,
        "TRANCHE": _tranche,
    }[item.kind](item)
    return DueLine(title, why, do, place, item.due_at, item.overdue(now()))


_Words = tuple[str, str, str, str]
"""Title, why, what stands on the link, and its address."""


def _roster(item: DueItem) -> _Words:
    assert item.period is not None
    title = period_title(item.period)
    return (
        _("冻结%(title)s的名单", title=title),
        _n("已晚 %(num)s 天；推手要看到下期的目标", item.count)
        if item.count
        else _("冻结后推手可以看到下期的目标"),
        _("去冻结名单"),
        url_for("roster.opening", period=item.period)
        if person().role == "operator"
        else url_for("roster.index"),
    )


def _step(item: DueItem) -> _Words:
    assert item.period is not None
    assert item.step is not None
    step = item.step
    return (
        labelled(period_title(item.period), in_language(step.zh, step.en)),
        in_language(step.why_zh, step.why_en),
        in_language(step.do_zh, step.do_en),
        place_of(step, item.period),
    )


def _late(item: DueItem) -> _Words:
    assert item.period is not None
    assert item.late is not None
    title = period_title(item.period)
    return (
        _("%(title)s：公示之后有新数据，再次核算", title=title),
        in_language(*in_words(item.late)),
        _("去再次核算"),
        url_for("settling.show", period=item.period),
    )


def _appeals(item: DueItem) -> _Words:
    return (
        _n("答复 %(num)s 件申诉", item.count),
        _("所示为最早一件的答复期限"),
        _("去答复"),
        url_for("appeal_queue.index"),
    )


def _quarantine(item: DueItem) -> _Words:
    return (
        _n("处理 %(num)s 条隔离行", item.count),
        _("收货截止前修正，或写明理由放弃"),
        _("处理隔离行"),
        url_for("quarantine.index"),
    )


def _undelivered(item: DueItem) -> _Words:
    return (
        _n("%(num)s 条消息未送达", item.count),
        _("多次尝试仍失败，不会再自动重发"),
        _("查看未送达的消息"),
        url_for("outbox.index", state="failed"),
    )


def _slot(item: DueItem) -> _Words:
    job = in_language(*CalendarJob.labels()[item.code])
    return (
        _("日程逾期：%(job)s", job=job),
        _n("后台程序有 %(num)s 次没有按时完成；所示为最早一次", item.count),
        _("查看日程"),
        url_for("schedule.index"),
    )


def _tranche(item: DueItem) -> _Words:
    number = item.count
    title = {
        "prepared": _("付款批次 %(number)s：待第二人批准", number=number)
        if site().settings.approval_required
        else _("付款批次 %(number)s：待财务导出", number=number),
        "approved": _("付款批次 %(number)s：已批准，待财务导出", number=number),
        "exported": _("付款批次 %(number)s：已导出，待回单", number=number),
    }[item.code]
    return (
        title,
        _("由财务办理"),
        _("查看批次"),
        url_for("payouts.tranche", tranche_id=item.count),
    )
