"""Schedule: what the calendar asked for, what is overdue, and whether a worker looks at it."""

from flask import Blueprint, render_template

from bounty.calendar.schedule_overview import schedule_of
from bounty.web.shared.access import allows
from bounty.web.shared.request_context import now, reading, site

blueprint = Blueprint("schedule", __name__, url_prefix="/operations")
JOBS = {
    "freeze": ("冻结名单", "Freeze the roster"),
    "remind": ("收货提醒", "Remind of receipts"),
    "settle": ("起草核算", "Draft the settlement"),
    "pay": ("准备付款批次", "Prepare a tranche"),
    "check": ("账目自查", "Check the books"),
    "forecast": ("预测与异常标记", "Forecast and flag"),
    "backup": ("备份", "Back up"),
}
"""Job of the calendar -> its name in Chinese and English."""
STATES = {
    "done": ("ok", "已完成", "done"),
    "due": ("wait", "待办", "due"),
    "missed": ("bad", "已错过", "missed"),
}
"""State of a slot -> the kind of its chip, and its name in Chinese and English."""


@blueprint.get("/schedule")
@allows("operator", "admin")
def index() -> str:
    """The calendar as of now."""
    with reading() as connection:
        found = schedule_of(connection, site().settings.calendar, now())
    return render_template("operations/schedule.html", schedule=found, jobs=JOBS, states=STATES, now=now())
