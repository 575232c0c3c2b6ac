"""Trying terms on months whose orders are known: figures, the difference by cause, and whose result flips."""

from dataclasses import dataclass

from flask import Blueprint, render_template, request

from bounty.errors import BountyError
from bounty.forecast.simulated_month import Figures
from bounty.forecast.simulation import Simulated, TermsPart, periods_from_to, simulate, sweep
from bounty.forecast.variation import Variation, VariedKey, read_variation, varied_keys
from bounty.roster.terms import versions
from bounty.rules.periods import MAIN, Period
from bounty.rules.terms import read_terms
from bounty.web.operations.terms import LONGEST_BYTES, text_of_terms
from bounty.web.shared.access import allows
from bounty.web.shared.charts import MonthBar, month_bars
from bounty.web.shared.errors import refusal_text
from bounty.web.shared.request_context import now, reading

blueprint = Blueprint("simulation", __name__, url_prefix="/operations/terms/simulation")
MOST_MONTHS = 12
"""Of one request; the command line has no such bound."""
MOST_TRIED = 24
"""Values times months of one request."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """One number of the terms, varied, as a table and a chart of the subsidy of all months."""

    key: VariedKey
    periods: list[Period]
    rows: list[tuple[str, list[Figures]]]

    @property
    def totals(self) -> list[int]:
        """The subsidy of all months by value, fen."""
        return [sum(figures.subsidy_fen for figures in row) for _value, row in self.rows]

    @property
    def bars(self) -> tuple[MonthBar, ...]:
        """The totals as bars."""
        return month_bars(self.totals)

    @property
    def labelled(self) -> list[bool]:
        """Whether a bar has its value and total written at it: at most six have, so that a phone can show them."""
        each = -(-len(self.rows) // 6)
        return [at % each == 0 for at in range(len(self.rows))]


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
        vary = _variation(len(periods))
        with reading() as connection:
            found = [simulate(connection, terms, period, now()) for period in periods]
            swept = None if vary is None else sweep(connection, text, periods, vary, now())
    except BountyError as refusal:
        return _page(text, programme, first, last, refused=refusal_text(refusal)), 422
    of = None if vary is None or swept is None else Sweep(_key(text, vary.path), periods, swept)
    return _page(text, programme, first, last, found, swept=of)


def _variation(months: int) -> Variation | None:
    """What the form asks to vary; null where it names no key. Raises BountyError for a bad or too long range."""
    key = request.form.get("vary", "").strip()
    start, until, step = (request.form.get(f"vary_{name}", "").strip() for name in ("from", "to", "step"))
    if not key:
        return None
    if not (start and until and step):
        raise BountyError(
            "Write the first value, the last value and the step of the number that varies.",
            "请填写变动的数的起值、止值和步长。",
        )
    vary = read_variation(f"{key}={start}..{until}:{step}")
    if len(vary.values) * months > MOST_TRIED:
        raise BountyError(
            f"Values times months are at most {MOST_TRIED} here; `bounty simulate --vary` takes more.",
            f"取值数乘以月份数最多 {MOST_TRIED}；更多请用 `bounty simulate --vary`。",
        )
    return vary


def _key(text: str, path: str) -> VariedKey:
    known = next((key for key in varied_keys(text) if key.path == path), None)
    return known or VariedKey(path, path, path, "")


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
    *,
    refused: str | None = None,
    swept: Sweep | None = None,
) -> str:
    return render_template(
        "operations/simulation.html",
        text=text,
        programme=programme,
        first=first,
        last=last,
        found=found or [],
        causes=TermsPart.labels(),
        swept=swept,
        keys=varied_keys(text),
        varied={name: request.form.get(name, "") for name in ("vary", "vary_from", "vary_to", "vary_step")},
        now=now(),
        refused=refused,
    )
