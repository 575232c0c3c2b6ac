"""Today: everything that is due, with its deadline and the page where it is done; where operators land after log-in."""

from dataclasses import dataclass

from flask import Blueprint, render_template, url_for

from bounty.calendar.due import DueItem, due_items
from bounty.notices.late_facts import in_words
from bounty.web.operations.period import place_of
from bounty.web.operations.schedule import JOBS
from bounty.web.period_names import period_title
from bounty.web.shared.access import allows, person
from bounty.web.shared.language import labelled, t, tn
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
        t("冻结%(title)s的名单", "Freeze the roster of %(title)s", title=title),
        tn(
            "已晚 %(num)s 天；推手要看到下期的目标",
            "%(num)s day late; promoters wait for their targets",
            "%(num)s days late; promoters wait for their targets",
            item.count,
        )
        if item.count
        else t("冻结后推手可以看到下期的目标", "Promoters see their next targets once it is frozen"),
        t("去冻结名单", "Freeze the roster"),
        url_for("roster.opening", period=item.period)
        if person().role == "operator"
        else url_for("roster.index"),
    )


def _step(item: DueItem) -> _Words:
    assert item.period is not None
    assert item.step is not None
    step = item.step
    return (
        labelled(period_title(item.period), t(step.zh, step.en)),
        t(step.why_zh, step.why_en),
        t(step.do_zh, step.do_en),
        place_of(step, item.period),
    )


def _late(item: DueItem) -> _Words:
    assert item.period is not None
    assert item.late is not None
    title = period_title(item.period)
    return (
        t(
            "%(title)s：公示之后有新数据，再次核算",
            "%(title)s: data came after the notice, settle again",
            title=title,
        ),
        t(*in_words(item.late)),
        t("去再次核算", "Go and settle again"),
        url_for("settling.show", period=item.period),
    )


def _appeals(item: DueItem) -> _Words:
    return (
        tn("答复 %(num)s 件申诉", "Answer %(num)s appeal", "Answer %(num)s appeals", item.count),
        t("所示为最早一件的答复期限", "The deadline shown is the earliest of them"),
        t("去答复", "Answer them"),
        url_for("appeal_desk.index"),
    )


def _quarantine(item: DueItem) -> _Words:
    return (
        tn(
            "处理 %(num)s 条隔离行",
            "Mend %(num)s quarantined row",
            "Mend %(num)s quarantined rows",
            item.count,
        ),
        t(
            "收货截止前修正，或写明理由放弃",
            "Mend each before the receipt cutoff, or dismiss it with a reason",
        ),
        t("处理隔离行", "Mend the rows"),
        url_for("quarantine.index"),
    )


def _undelivered(item: DueItem) -> _Words:
    return (
        tn(
            "%(num)s 条消息未送达",
            "%(num)s message not delivered",
            "%(num)s messages not delivered",
            item.count,
        ),
        t("多次尝试仍失败，不会再自动重发", "Every try failed; they are not tried again by themselves"),
        t("查看未送达的消息", "See them"),
        url_for("outbox.index", state="failed"),
    )


def _slot(item: DueItem) -> _Words:
    job = t(*JOBS[item.code])
    return (
        t("日程逾期：%(job)s", "Overdue in the schedule: %(job)s", job=job),
        tn(
            "后台程序有 %(num)s 次没有按时完成；所示为最早一次",
            "The worker missed it %(num)s time; the earliest is shown",
            "The worker missed it %(num)s times; the earliest is shown",
            item.count,
        ),
        t("查看日程", "See the schedule"),
        url_for("schedule.index"),
    )


def _tranche(item: DueItem) -> _Words:
    number = item.count
    title = {
        "prepared": t(
            "付款批次 %(number)s：待第二人批准",
            "Tranche %(number)s waits for a second person's approval",
            number=number,
        ),
        "approved": t(
            "付款批次 %(number)s：已批准，待财务导出",
            "Tranche %(number)s is approved; finance exports it",
            number=number,
        ),
        "exported": t(
            "付款批次 %(number)s：已导出，待回单",
            "Tranche %(number)s is exported; the bank return is awaited",
            number=number,
        ),
    }[item.code]
    return (
        title,
        t("由财务办理", "Done by finance"),
        t("查看批次", "See the tranche"),
        url_for("payouts.tranche", tranche_id=item.count),
    )
