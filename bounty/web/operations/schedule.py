"""Schedule: what the calendar asked for, what is overdue, and whether a worker looks at it."""

from typing import Any

from flask import Blueprint, Flask, g, render_template

from bounty.calendar.schedule_overview import overdue_slots, schedule_of
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


def install(app: Flask) -> None:
    """Give the navigation the number of what is overdue."""

    @app.context_processor
    def _counts() -> dict[str, Any]:
        return {"overdue": _overdue}


def _overdue() -> int:
    """How much is overdue, for who can do something about it; asked once a request."""
    person = g.get("person")
    if person is None or person.viewing_as or person.role not in ("operator", "admin"):
        return 0
    if "overdue" not in g:
        with reading() as connection:
            g.overdue = overdue_slots(connection, site().settings.calendar, now())
    count: int = g.overdue
    return count


@blueprint.get("/schedule")
@allows("operator", "admin")
def index() -> str:
    """The calendar as of now."""
    with reading() as connection:
        found = schedule_of(connection, site().settings.calendar, now())
    return render_template("operations/schedule.html", schedule=found, jobs=JOBS, states=STATES, now=now())
