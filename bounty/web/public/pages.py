"""What everybody may see: the notices, each with its rule, sums and how to verify it, and the rules with answers."""

import json
from typing import TypedDict

from flask import Blueprint, abort, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from bounty.clock import shanghai_date
from bounty.db import equal
from bounty.errors import BountyError
from bounty.figures import FIRST
from bounty.models import ChangeCause
from bounty.notices import public_index, service
from bounty.notices.period_summaries import PeriodState
from bounty.notices.signed_statements import statement_of
from bounty.roster.programmes import cycle_or_month
from bounty.roster.terms import TermsInForce, terms_in_force
from bounty.rules.faq import faq_entries
from bounty.rules.periods import MAIN, Period
from bounty.rules.terms_text import terms_in_words
from bounty.web.period_names import programme_names
from bounty.web.shared.access import public
from bounty.web.shared.downloads import csv_response
from bounty.web.shared.formats import first_page
from bounty.web.shared.language import language
from bounty.web.shared.request_context import now, reading, site
from bounty.web.shared.table_filters import Filter, Option, Search
from bounty.web.shared.tables import Column, Page, Table, Totals, page_of

blueprint = Blueprint("public", __name__)


@blueprint.get("/")
@public
def start() -> Response | str:
    """Each to their own first page; who has none sees the notices."""
    first = first_page()
    return notices() if first is None else redirect(url_for(first))


@blueprint.get("/notices")
@public
def notices() -> str:
    """Every period with its notices, the newest first; of all programmes, or of one."""
    programme = request.args.get("programme")
    if programme not in (None, *programme_names()):
        abort(404)
    with reading() as connection:
        periods = public_index.public_periods(connection, now())
    shown = [each for each in periods if programme in (None, Period.parse(each.period).programme)]
    return render_template(
        "public/notices.html", now=now(), periods=shown, programme=programme, states=PeriodState.labels()
    )


@blueprint.get("/notices/<period:period>/<int:number>")
@public
def notice(period: Period, number: int) -> str:
    """One notice: the rule in words, counts, sums, what it changed, who passed, and how to verify it."""
    with reading() as connection:
        notices = service.notices(connection, period)
        shown = next((row for row in notices if row.notice == number), None)
        if shown is None:
            abort(404)
        before = next((row for row in notices if row.notice == number - 1), None)
        causes = [] if before is None else service.changes_by_cause(connection, shown.settlement_id)
        parts = notice_parts(connection, period, shown, before, causes)
        stated = statement_of(connection, shown.settlement_id)
    statement = None if stated is None else json.loads(stated.statement) | {"sha256": stated.sha256}
    return render_template("public/notice.html", notices=notices, statement=statement, **parts)


@blueprint.get("/notices/<period:period>/<int:number>/statement.json")
@public
def statement(period: Period, number: int) -> Response:
    """What a notice states, to the byte that is hashed."""
    with reading() as connection:
        shown = next((row for row in service.notices(connection, period) if row.notice == number), None)
        stated = None if shown is None else statement_of(connection, shown.settlement_id)
    if stated is None:
        abort(404)
    return Response(stated.statement, mimetype="application/json")


class NoticeParts(TypedDict):
    """What the template of a notice needs."""

    period: Period
    notice: service.NoticeRow
    before: service.NoticeRow | None
    terms: TermsInForce
    words: list[str]
    """The terms, a sentence each."""
    levels: list[public_index.LevelTotals]
    changed: int | None
    """How many promoters' results are otherwise than in the notice before; null without one."""
    causes: list[service.CauseTotal]
    saying: dict[str, tuple[str, str]]
    """Cause -> its sentence."""
    passed: Page | None
    """Null where the list is not public."""


def notice_parts(
    connection: Connection,
    period: Period,
    shown: service.NoticeRow,
    before: service.NoticeRow | None,
    causes: list[service.CauseTotal],
) -> NoticeParts:
    """What the template of a notice needs, be it out or about to be.

    shown, before   notices with their settlements' facts
    causes          as ``changes_by_cause`` gives them
    """
    terms = terms_in_force(connection, period)
    changed = (
        None
        if before is None
        else service.count_changed(connection, before.settlement_id, shown.settlement_id)
    )
    levels = public_index.counts_by_level(connection, shown.settlement_id, period, now())
    passed = None
    if site().settings.public_list:
        rows = public_index.passed_of(shown.settlement_id, period, None if request.args else FIRST)
        every = Totals(sum(level.passed for level in levels), {})
        passed = page_of(
            connection,
            _passed(terms),
            rows,
            request.args,
            known=lambda filters: None if filters else every,
        )
    return {
        "period": period,
        "notice": shown,
        "before": before,
        "terms": terms,
        "words": terms_in_words(terms.terms, chinese=language() == "zh"),
        "levels": levels,
        "changed": changed,
        "causes": causes,
        "saying": ChangeCause.labels(),
        "passed": passed,
    }


@blueprint.get("/notices/<period:period>/<int:number>/passed.csv")
@public
def passed_csv(period: Period, number: int) -> Response:
    """Who passed, by masked ids, as the page lists them."""
    with reading() as connection:
        notices = service.notices(connection, period)
        terms = terms_in_force(connection, period)
    shown = next((row for row in notices if row.notice == number), None)
    if shown is None or not site().settings.public_list:
        abort(404)
    rows = public_index.passed_of(shown.settlement_id, period)
    return csv_response(_passed(terms), rows, request.args, f"passed-{period.slug}-notice-{number}")


@blueprint.get("/rules")
@public
def rules() -> str:
    """The rules of a programme in words, and what promoters ask, from the terms in force."""
    programme = request.args.get("programme", MAIN)
    if programme not in programme_names():
        abort(404)
    terms: TermsInForce | None
    with reading() as connection:
        period = Period.of(shanghai_date(now()), cycle_or_month(connection, programme), programme)
        try:
            terms = terms_in_force(connection, period)
        except BountyError:  # a site before its first terms
            terms = None
    chinese = language() == "zh"
    return render_template(
        "public/rules.html",
        programme=programme,
        period=period,
        terms=terms,
        words=terms and terms_in_words(terms.terms, chinese=chinese),
        questions=terms and faq_entries(terms.terms, chinese=chinese),
    )


def _passed(terms: TermsInForce) -> Table:
    """The list of who passed. Its key is the place in it, so that no address has an id."""
    levels = [Option(name, name, name, equal("level", name)) for name in sorted(terms.terms.levels)]
    rates = sorted({tier.rate_permille for tier in terms.terms.subsidy.tiers})
    return Table(
        name="passed",
        columns=(
            Column("place", "序号", "No.", "count", sortable=True),
            Column("masked_id", "推手 ID（已打码）", "Promoter id, masked"),
            Column("level", "等级", "Level", sortable=True),
            Column("rate_permille", "补贴比例", "Rate", "permille", sortable=True),
        ),
        key=("place",),
        order="place",
        filters=(
            Filter("level", "等级", "Level", tuple(levels)),
            Filter(
                "rate",
                "补贴比例",
                "Rate",
                tuple(
                    Option(str(rate), f"{rate}‰", f"{rate}‰", equal("rate_permille", rate)) for rate in rates
                ),
            ),
        ),
        search=Search(
            "您的推手 ID",
            "Your promoter id",
            lambda rows, words: rows.c.masked_id == public_index.masked(words),
        ),
    )
