"""Trying terms on months whose orders are known: figures, the difference by cause, and whose result flips."""

from flask import Blueprint, render_template, request

from bounty.errors import BountyError
from bounty.forecast.simulation import CAUSES, Simulated, periods_from_to, simulate
from bounty.roster.terms import versions
from bounty.rules.periods import MAIN, Period
from bounty.rules.terms import read_terms
from bounty.web.operations.terms import LONGEST_BYTES, text_of_terms
from bounty.web.shared.access import allows
from bounty.web.shared.errors import said
from bounty.web.shared.request_context import now, reading

blueprint = Blueprint("simulation", __name__, url_prefix="/operations/terms/simulation")
MOST_MONTHS = 12
"""Of one request; the command line has no such bound."""


@blueprint.get("/")
@allows("operator", "finance", "admin")
def ask() -> str:
    """The newest terms, to be edited, and the months of the newest period."""
    with reading() as connection:
        newest = next(iter(versions(connection)), None)
    if newest is None:
        return _page("", MAIN, "", "")
    month = Period.parse(newest.last_period or newest.effective_from)
    return _page(newest.toml, month.programme, month.name, month.name)


@blueprint.post("/")
@allows("operator", "finance", "admin")
def show() -> str | tuple[str, int]:
    """What the terms of the form would have given; nothing is kept."""
    text = request.form.get("terms", "").replace("\r\n", "\n")
    first, last = (request.form.get(name, "").strip() for name in ("first", "last"))
    programme = request.form.get("programme", MAIN)
    try:
        text = _given_text(text)
        terms = read_terms(text)
        periods = periods_from_to(f"{first}..{last}", programme)
        if len(periods) > MOST_MONTHS:
            raise BountyError(
                f"Try at most {MOST_MONTHS} months at a time; `bounty simulate` takes more.",
                f"一次最多试算 {MOST_MONTHS} 个月；更多请用 `bounty simulate`。",
            )
        with reading() as connection:
            found = [simulate(connection, terms, period, now()) for period in periods]
    except BountyError as refusal:
        return _page(text, programme, first, last, refused=said(refusal)), 422
    return _page(text, programme, first, last, found)


def _given_text(edited: str) -> str:
    """The text of the chosen file, or, without one, the edited text."""
    file = request.files.get("file")
    if file is None or not file.filename:
        return edited
    content = file.read(LONGEST_BYTES + 1)
    if len(content) > LONGEST_BYTES:
        raise BountyError("The file is too large to be one of terms.", "文件过大，不像是条款文件。")
    return text_of_terms(content)


def _page(
    text: str,
    programme: str,
    first: str,
    last: str,
    found: list[Simulated] | None = None,
    refused: str | None = None,
) -> str:
    return render_template(
        "operations/simulation.html",
        text=text,
        programme=programme,
        first=first,
        last=last,
        found=found or [],
        causes=CAUSES,
        now=now(),
        refused=refused,
    )
