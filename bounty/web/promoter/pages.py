"""A promoter's own pages: my task, orders, one order and why, subsidy, payments, history; nobody else's."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import NamedTuple

from flask import Blueprint, Response, abort, render_template, request
from sqlalchemy import Connection

from bounty.accounting import promoter_statement
from bounty.appeals.service import panel
from bounty.calendar.schedule import next_roster_late_since, roster_late_since
from bounty.clock import shanghai_date
from bounty.db import QueryRow
from bounty.progress.history import PromoterMonth, month_of, months, months_of, open_months, present_month
from bounty.progress.order_list import ListedOrder, listed_now
from bounty.progress.task import Task, task_of
from bounty.roster.eligibility import in_words
from bounty.roster.ineligibility_text import eligible_from_text, ineligibility_text
from bounty.rules.clauses import OrderContext
from bounty.rules.periods import Period, lapses_at
from bounty.tranches.entitlement import void_order_numbers
from bounty.web.period_names import by_programme
from bounty.web.promoter import tables, task_texts
from bounty.web.promoter import texts as words
from bounty.web.promoter.as_of import order_as_of, requested_as_of, task_as_of
from bounty.web.promoter.forecast_part import forecast_part
from bounty.web.promoter.long_lists import (
    bring_home_page,
    orders_page,
    payment_page,
    subsidy_page,
    waiting_of,
)
from bounty.web.promoter.order_page import order_page
from bounty.web.shared import payment_texts
from bounty.web.shared.access import allows, own_promoter
from bounty.web.shared.charts import DailyChart, daily_chart, month_bars
from bounty.web.shared.downloads import csv_response
from bounty.web.shared.language import language
from bounty.web.shared.request_context import contact, now, reading, site
from bounty.web.shared.tables import Table, page_of

blueprint = Blueprint("promoter", __name__)
NEWEST_PAYMENTS = 3
"""So many are on the page of the subsidy; the others on their own."""


class _Opened(NamedTuple):
    """What every page of a month begins with."""

    connection: Connection
    promoter_id: int
    month: PromoterMonth
    """The one that the address names, or the present one."""
    months: list[PromoterMonth]
    """All of the promoter's, the newest first."""


class _NoMonthYet(Exception):
    """The promoter is on no roster, and the address names no month."""


@contextmanager
def opened(period: Period | None) -> Iterator[_Opened]:
    """A snapshot, and a month of the promoter whose pages these are.

    Aborts with 404 for a month that is not theirs; where there is none yet, the page says when there will be one.
    """
    promoter_id = own_promoter()
    with reading() as connection:
        found = months_of(connection, promoter_id)
        if period is None:
            month = present_month(found, now())
            if month is None:
                raise _NoMonthYet
        else:
            month = next((each for each in found if each.period == period), None) or abort(404)
        yield _Opened(connection, promoter_id, month, found)


@blueprint.errorhandler(_NoMonthYet)
def _nothing_yet(_: _NoMonthYet) -> str:
    with reading() as connection:
        late_since = next_roster_late_since(connection, site().settings.calendar, now())
    return render_template("promoter/nothing.html", roster_late_since=late_since)


@blueprint.get("/task")
@blueprint.get("/months/<period:period>/task")
@allows("promoter")
def task(period: Period | None = None) -> str:
    """Where I stand; without a period, in every programme that has an open task of mine."""
    with opened(period) as (connection, promoter_id, month, found):
        current = open_months(found, now()) if period is None else []
        if len({each.period.programme for each in current}) > 1:
            return _tasks([task_of(connection, promoter_id, each, now()) for each in current])
        past = requested_as_of(connection)
        if past is not None:
            return task_as_of(connection, month, promoter_id, past)
        later = (
            each
            for each in reversed(found)
            if each.period.programme == month.period.programme and each.period > month.period
        )
        following = next(later, None)
        current_task = task_of(connection, promoter_id, month, now(), following=following)
        calendar, after = site().settings.calendar, month.period.plus(1)
        late_since = None if following else roster_late_since(connection, calendar, after, now())
        # While all is open there is nothing to appeal about, and the page asks for nothing more.
        decided = month.published is not None or not current_task.reachable
        appealing = panel(connection, promoter_id, month.period, None, now()) if decided else None
        voided = _voided(connection, month, current_task.newest)
        forecast, holds = forecast_part(connection, month, promoter_id, now())
    return render_template(
        "promoter/task.html",
        forecast=forecast,
        holds=holds,
        months=found,
        month=month,
        task=current_task,
        roster_late_since=late_since,
        appealing=appealing,
        voided=voided,
        now=now(),
        words=words,
        says=task_texts,
        contact=contact(),
        reasons=tables.REASONS,
        known=_known(month),
        charts=_charts(current_task),
        derived=in_words(month.derivation, chinese=language() == "zh"),
        why_not=ineligibility_text,
        from_when=eligible_from_text,
    )


def _tasks(found: list[Task]) -> str:
    """Tasks side by side: of each the sentence that matters, how far it is, and how long it runs."""
    return render_template(
        "promoter/tasks.html",
        tasks=found,
        now=now(),
        words=words,
        says=task_texts,
        why_not=ineligibility_text,
    )


@blueprint.get("/months/<period:period>/bring-home")
@allows("promoter")
def bring_home(period: Period) -> str:
    """The orders that still need their receipt, and which of them would do."""
    with opened(period) as (connection, promoter_id, month, _):
        shown = task_of(connection, promoter_id, month, now())
        page = bring_home_page(connection, promoter_id, month, request.args)
    return render_template(
        "promoter/bring_home.html",
        month=month,
        task=shown,
        home=shown.bring_home,
        page=page,
        now=now(),
        words=words,
        says=task_texts,
    )


@blueprint.get("/months/<period:period>/bring-home.csv")
@allows("promoter")
def bring_home_csv(period: Period) -> Response:
    """The same orders as a file."""
    with opened(period) as (_, promoter_id, month, _):
        rows = waiting_of(promoter_id, month)
    return csv_response(tables.BRING_HOME, rows, request.args, f"bring-home-{month.period.slug}")


def _voided(connection: Connection, month: PromoterMonth, rows: Sequence[ListedOrder]) -> set[str]:
    """The numbers of the listed orders whose published line earns nothing any more; none before a notice."""
    if month.published is None:
        return set()
    numbers = [row.order_sn for row in rows]
    return void_order_numbers(connection, own_promoter(), month.period, numbers, now())


@blueprint.get("/orders")
@blueprint.get("/months/<period:period>/orders")
@allows("promoter")
def orders(period: Period | None = None) -> str:
    """Each order of a month, what it counts as, and why."""
    with opened(period) as (connection, promoter_id, month, found):
        page = orders_page(connection, promoter_id, month, request.args)
        voided = _voided(connection, month, page.rows)
    return render_template(
        "promoter/orders.html",
        months=found,
        month=month,
        page=page,
        voided=voided,
        now=now(),
        words=words,
        known=_known(month),
    )


@blueprint.get("/months/<period:period>/orders.csv")
@allows("promoter")
def orders_csv(period: Period) -> Response:
    """The same orders as a file."""
    promoter_id = own_promoter()
    with reading() as connection:
        month = month_of(connection, promoter_id, period) or abort(404)
        rows, _ = listed_now(connection, promoter_id, month, now())
    return csv_response(tables.ORDERS, rows, request.args, f"orders-{month.period.slug}")


@blueprint.get("/orders/<order_sn>")
@allows("promoter")
def order(order_sn: str) -> str:
    """Why one order counts or does not."""
    promoter_id = own_promoter()
    with reading() as connection:
        past = requested_as_of(connection)
        if past is not None:
            return order_as_of(connection, promoter_id, order_sn, past)
        programme = request.args.get("programme")
        shown = order_page(connection, promoter_id, order_sn, programme, for_staff=False) or abort(404)
        appealing = panel(connection, promoter_id, shown["why"].period, order_sn, now())
    return render_template("promoter/order.html", appealing=appealing, as_finance=False, **shown)


@blueprint.get("/subsidy")
@blueprint.get("/months/<period:period>/subsidy")
@allows("promoter")
def subsidy(period: Period | None = None) -> str:
    """What a month earns, and what has become of it."""
    with opened(period) as (connection, promoter_id, month, found):
        money = subsidy_page(connection, promoter_id, month, found)
        payee = promoter_statement.payee_of(connection, promoter_id)
    return render_template(
        "promoter/subsidy.html",
        months=found,
        month=month,
        terms=month.terms,
        states=money.states,
        page=money.page,
        now=now(),
        words=words,
        paid=payment_texts,
        payments=money.books.payments[: -NEWEST_PAYMENTS - 1 : -1],
        totals=money.totals,
        payee=payment_texts.payee(payee, contact()),
        pays_on=words.pays_on(month, now()),
        lapses_at=lapses_at(month.period, month.terms),
    )


@blueprint.get("/months/<period:period>/subsidy.csv")
@allows("promoter")
def subsidy_csv(period: Period) -> Response:
    """The same lines as a file."""
    promoter_id = own_promoter()
    with reading() as connection:
        month = month_of(connection, promoter_id, period) or abort(404)
        books = promoter_statement.books_of_promoter(connection, promoter_id, now())
        lines = promoter_statement.month_lines(connection, books, month, now())
    expected = words.pays_on(month, now())

    def pays_on(row: promoter_statement.MonthLine) -> date | None:
        return expected(row) if row.state in ("EXPECTED", "PAYABLE") else None

    name = f"subsidy-{month.period.slug}"
    return csv_response(tables.SUBSIDY, lines, request.args, name, (tables.PAYS_ON, pays_on))


@blueprint.get("/payments")
@allows("promoter")
def payments() -> str:
    """Every tranche that I have a part in, and its payment result."""
    promoter_id = own_promoter()
    with reading() as connection:
        page = page_of(connection, tables.PAYMENTS, promoter_statement.payments(promoter_id), request.args)
        payee = promoter_statement.payee_of(connection, promoter_id)
    return render_template(
        "promoter/payments.html",
        page=page,
        now=now(),
        paid=payment_texts,
        payee=payment_texts.payee(payee, contact()),
    )


@blueprint.get("/payments.csv")
@allows("promoter")
def payments_csv() -> Response:
    """The same payments as a file."""
    return csv_response(
        tables.PAYMENTS, promoter_statement.payments(own_promoter()), request.args, "payments"
    )


@blueprint.get("/payments/<int:tranche_id>")
@allows("promoter")
def payment(tranche_id: int) -> str:
    """One payment, and every line that it is made of."""
    promoter_id = own_promoter()
    with reading() as connection:
        found = _payment(connection, promoter_id, tranche_id)
        page = payment_page(connection, promoter_id, found)
    return render_template(
        "promoter/payment.html", payment=found, page=page, now=now(), words=words, paid=payment_texts
    )


@blueprint.get("/payments/<int:tranche_id>/lines.csv")
@allows("promoter")
def payment_csv(tranche_id: int) -> Response:
    """The same lines as a file."""
    promoter_id = own_promoter()
    with reading() as connection:
        _payment(connection, promoter_id, tranche_id)
    lines = promoter_statement.payment_lines(promoter_id, tranche_id)
    return csv_response(by_programme(tables.PAYMENT_LINES), lines, request.args, f"payment-{tranche_id}")


def _payment(connection: Connection, promoter_id: int, tranche_id: int) -> promoter_statement.PaymentRow:
    """The promoter's payment of a tranche; another's is not there."""
    return promoter_statement.payment_of(connection, promoter_id, tranche_id) or abort(404)


@blueprint.get("/history")
@allows("promoter")
def history() -> str:
    """Every month I was on the roster of."""
    promoter_id = own_promoter()
    with reading() as connection:
        page = page_of(connection, _history(), months(promoter_id), request.args)
    return render_template("promoter/history.html", page=page, now=now(), words=words, month_bars=month_bars)


@blueprint.get("/history.csv")
@allows("promoter")
def history_csv() -> Response:
    """The same months as a file."""
    return csv_response(_history(), months(own_promoter()), request.args, "history")


def _history() -> Table:
    return by_programme(tables.HISTORY, newest_first="month_from")


def _known(month: PromoterMonth) -> Callable[[QueryRow], OrderContext]:
    """The context of a listed order that its clauses need."""
    direct_only = month.terms.direct_only(month.level)
    return lambda row: OrderContext(row._asdict(), month.bounds, direct_only, month.terms)


def _charts(task: Task) -> list[tuple[str, DailyChart]]:
    """The days of the task window, drawn wide and narrow."""
    of_day = {each.day: each for each in task.daily}
    first = shanghai_date(task.month.bounds.task_from).day
    days = [
        (day, of_day[day].counted.capped_fen, of_day[day].pending.capped_fen)
        if day in of_day
        else (day, 0, 0)
        for day in range(first, first + task.days.all)
    ]
    today = first + task.days.gone - 1 if task.days.gone and task.days.left else None
    needed = task.gmv.needed_per_day if task.gmv else 0
    return [
        (kind, daily_chart(days, today, needed, left=room))
        for kind, room in (("wide", 500), ("narrow", 1300))
    ]
