"""Schedule: the due work of the calendar, what is overdue, and whether a worker looks at it."""

from flask import Blueprint, render_template

from bounty.calendar.schedule import CalendarJob, SlotState
from bounty.calendar.schedule_overview import schedule_of
from bounty.web.shared.access import allows
from bounty.web.shared.request_context import now, reading, site

blueprint = Blueprint("schedule", __name__, url_prefix="/operations")
CHIPS = {SlotState.DONE: "ok", SlotState.DUE: "wait", SlotState.MISSED: "bad"}


@blueprint.get("/schedule")
@allows("operator", "admin")
def index() -> str:
    """The calendar as of now."""
    with reading() as connection:
        found = schedule_of(connection, site().settings.calendar, now())
    return render_template(
        "operations/schedule.html",
        schedule=found,
        jobs=CalendarJob.labels(),
        chips=CHIPS,
        now=now(),
    )
