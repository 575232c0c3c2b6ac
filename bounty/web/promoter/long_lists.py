"""The lists of a promoter's month, of which a page adds up a few hundred rows: of more it reads what it shows."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from flask import request
from sqlalchemy import Connection, false
from werkzeug.datastructures import MultiDict

from bounty.accounting.promoter_statement import (
    PaymentRow,
    PromoterBooks,
    PromoterTotals,
    StateSum,
    books_of_promoter,
    by_state,
    every_state,
    month_lines,
    payment_lines,
    totals_of,
)
from bounty.db import Query
from bounty.progress.bring_home import waiting_orders
from bounty.progress.history import PromoterMonth
from bounty.progress.large_months import (
    MOST_ADDED_UP,
    MonthTotals,
    expected_at,
    is_large,
    line_keys,
    month_totals,
    order_keys,
    waiting_keys,
)
from bounty.progress.order_list import Expected, cap_met, listed_now, rate_now
from bounty.progress.service import Tally
from bounty.rules.measure import COUNTED, PENDING, VERDICTS
from bounty.web.period_names import by_programme
from bounty.web.promoter import tables
from bounty.web.shared.request_context import now
from bounty.web.shared.tables import NUMBERS, KnownTotals, Page, Totals, page_of, scanned_page

Arguments = MultiDict[str, str] | Mapping[str, str]
_NOT_COUNTED = frozenset(VERDICTS) - {COUNTED, PENDING}
_OF_OPTION: dict[str, dict[str, Collection[str]]] = {
    "verdict": {"counted": {COUNTED}, "pending": {PENDING}, "not": _NOT_COUNTED},
    "reason": {code: {code} for code in tables.REASONS},
}
"""Filter -> option -> the verdicts of the orders that match it."""


def orders_page(connection: Connection, promoter_id: int, month: PromoterMonth, args: Arguments) -> Page:
    """A page of the orders of a month."""
    if not is_large(month):
        rows, _ = listed_now(connection, promoter_id, month, now())
        return page_of(connection, tables.ORDERS, rows, args, counted=True)
    table, totals = tables.ORDERS_OF_LARGE_MONTH, month_totals(connection, promoter_id, month)
    rows, rate_permille = listed_now(connection, promoter_id, month, now(), NUMBERS)
    expected = None
    if month.published is None:
        expected = expected_at(connection, promoter_id, month, rate_permille).subsidy_fen
    verdicts = _verdicts({name: args.get(name, "") for name in _OF_OPTION})
    days = None if verdicts == set(VERDICTS) else totals.days_with(verdicts)
    keys = order_keys(promoter_id, month, days)
    return scanned_page(connection, table, keys, rows, args, lambda chosen: _known(totals, chosen, expected))


def _verdicts(chosen: Mapping[str, str]) -> set[str]:
    """The verdicts of the orders that match the filters; of all for a filter that there is not."""
    found = set(VERDICTS)
    for name, options in _OF_OPTION.items():
        found &= set(options.get(chosen.get(name, ""), VERDICTS))
    return found


def _known(totals: MonthTotals, chosen: Mapping[str, str], expected: int | None) -> KnownTotals:
    """What is stored of the orders that match some filters: nothing by subsidy or by a search.

    expected   what all earn, whole fen; null where that is not stored
    """
    if chosen.keys() - _OF_OPTION.keys():
        return KnownTotals()
    matching = _verdicts(chosen)
    every = totals.of(matching)
    sums = {
        "amount_fen": every.amount_fen,
        "counts_fen": totals.of(matching & {COUNTED}).capped_fen,
        "pending_fen": totals.of(matching & {PENDING}).capped_fen,
    }
    if not chosen and expected is not None:
        sums["subsidy_fen"] = expected
    counts = {
        name: {option: totals.of(_verdicts({**chosen, name: option})).orders for option in ("", *options)}
        for name, options in _OF_OPTION.items()
    }
    return KnownTotals(Totals(every.orders, sums), counts)


def bring_home_page(connection: Connection, promoter_id: int, month: PromoterMonth, args: Arguments) -> Page:
    """A page of the orders of a month that wait for their receipt."""
    bounds = {"period": str(month.period), "promoter_id": promoter_id}
    if not is_large(month):
        return page_of(connection, tables.BRING_HOME, waiting_of(promoter_id, month), args)
    totals = month_totals(connection, promoter_id, month)
    waiting = totals.of({PENDING}) if receipts_count(month) else Tally()
    keys = waiting_keys(promoter_id, month, totals.days_with({PENDING}) if waiting.orders else ())
    rows = waiting_orders(month.terms, NUMBERS).params(**bounds)
    sums = {"amount_fen": waiting.amount_fen, "counts_fen": waiting.capped_fen}
    known = KnownTotals(Totals(waiting.orders, sums))
    return scanned_page(
        connection, tables.WAITING_OF_LARGE_MONTH, keys, rows, args, lambda chosen: known, sparse=True
    )


def waiting_of(promoter_id: int, month: PromoterMonth) -> Query:
    """The month's orders that wait for their receipt; none where it would not count."""
    bounds = {"period": str(month.period), "promoter_id": promoter_id}
    waiting = waiting_orders(month.terms).params(**bounds)
    return waiting if receipts_count(month) else waiting.where(false())


def receipts_count(month: PromoterMonth) -> bool:
    """Whether a receipt that comes now counts: not once it is too late, or for who is not eligible."""
    return month.reason is None and month.published is None and now() < month.bounds.receipt_cutoff


@dataclass(frozen=True, slots=True)
class SubsidyPage:
    """A page of what the orders of a month earn, with the sums beside it; of many lines only on request."""

    page: Page
    books: PromoterBooks
    states: dict[str, StateSum] | None
    """Null where nobody has asked for them."""
    totals: PromoterTotals | None
    """The same."""


def subsidy_page(
    connection: Connection, promoter_id: int, month: PromoterMonth, found: Sequence[PromoterMonth]
) -> SubsidyPage:
    """What a month earns.

    found   all months of the promoter
    """
    args, published = request.args, month.published
    books = books_of_promoter(connection, promoter_id, now())
    lines_rows = sum(each.published.subsidy_orders for each in found if each.published is not None)
    few_lines, requested = lines_rows <= MOST_ADDED_UP, args.get("sums") == "1"
    totals = totals_of(connection, books) if few_lines or requested else None
    if published is None and is_large(month):
        page, expected = _expected_page(connection, books, month)
        states = every_state(
            {"EXPECTED": StateSum(expected.orders, expected.subsidy_fen, 0, expected.subsidy_fen)}
        )
        return SubsidyPage(page, books, states, totals)
    if published is not None and not few_lines:
        rows = month_lines(connection, books, month, now(), NUMBERS)
        keys = line_keys(promoter_id, published.settlement_id)
        page = scanned_page(
            connection, tables.LINES_OF_LARGE_MONTH, keys, rows, args, lambda chosen: KnownTotals()
        )
        every = by_state(connection, month_lines(connection, books, month, now())) if requested else None
        return SubsidyPage(page, books, every, totals)
    lines = month_lines(connection, books, month, now())
    page = page_of(connection, tables.SUBSIDY, lines, args)
    return SubsidyPage(page, books, by_state(connection, lines), totals)


def _expected_page(
    connection: Connection, books: PromoterBooks, month: PromoterMonth
) -> tuple[Page, Expected]:
    rate_permille = rate_now(connection, books.promoter_id, month, now())
    expected = expected_at(connection, books.promoter_id, month, rate_permille)
    sums = {
        "basis_fen": expected.basis_fen,
        "subsidy_fen": expected.subsidy_fen,
        "held_fen": 0,
        "open_fen": expected.subsidy_fen,
    }
    every, days = KnownTotals(Totals(expected.orders, sums)), None
    if not expected.orders:
        days = range(0)
    elif met := cap_met(connection, books.promoter_id, month, rate_permille):
        days = range(1, met.day + 1)  # what was paid later earns nothing
    page = scanned_page(
        connection,
        tables.EXPECTED_OF_LARGE_MONTH,
        order_keys(books.promoter_id, month, days),
        month_lines(connection, books, month, now(), NUMBERS),
        request.args,
        lambda chosen: KnownTotals() if chosen else every,
        sparse=True,
    )
    return page, expected


def payment_page(connection: Connection, promoter_id: int, payment: PaymentRow) -> Page:
    """A page of the lines of a payment."""
    table = tables.PAYMENT_LINES
    if payment.lines_rows > MOST_ADDED_UP:
        table = tables.LINES_OF_LARGE_PAYMENT
    lines = payment_lines(promoter_id, payment.tranche_id)
    sums = {"amount_fen": payment.given_fen + payment.adjusted_fen}
    every = Totals(payment.lines_rows, sums)
    return page_of(
        connection,
        by_programme(table),
        lines,
        request.args,
        known=lambda chosen: None if chosen else every,
    )
