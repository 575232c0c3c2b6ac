"""The contract in plain Python loops over raw rows: a second opinion, to which the engine must agree to the fen.

Written from the contract alone and importing nothing of the package it judges; so it is slow, and says
everything once more in its own words. Money is whole fen, an instant epoch seconds, a period the text
`2022-12`, a share a fraction; nowhere a float. Input is taken to be good: what a bad row deserves is the
importer's matter.

    rows --fold--> orders --roster--> who is judged, and the targets --settle--> results, lines, files
"""

from __future__ import annotations

import calendar
import csv
import hashlib
import io
import json
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from fractions import Fraction
from typing import Any

Row = Mapping[str, Any]
"""One order as the platform's API names it; a row with the key `pid` comes from the detail reply."""

CsvRow = Mapping[str, str]
"""One row of a CSV file: header to cell, both text."""

Verdict = list[tuple[str, bool]]
"""Every clause's code with whether it holds, in the contract's order."""

UNPAID, AUDIT_FAILED, NO_COMMISSION, PUNISHED = -1, 4, 8, 10
RETURNED = 2
"""The `return_status` of an after-sale that succeeded."""

SHANGHAI = timezone(timedelta(hours=8))
"""Fixed: Shanghai has had no other offset in the years the contract accepts (2015 to 2099)."""


# Text and numbers


def parsed(cell: str) -> str:
    """A cell as it is understood: NFKC and trimmed. Names are not parsed; they stay as they are."""
    return unicodedata.normalize("NFKC", cell).strip()


def fen(yuan: str) -> int:
    """Whole fen of a text of yuan with at most two decimals.

    >>> fen("200.00"), fen("0.5"), fen("7")
    (20000, 50, 700)
    """
    whole, _, part = parsed(yuan).partition(".")
    return int(whole) * 100 + int((part + "00")[:2])


def yuan(amount_fen: int) -> str:
    """Yuan with exactly two decimals.

    >>> yuan(123450), yuan(7)
    ('1234.50', '0.07')
    """
    return f"{amount_fen // 100}.{amount_fen % 100:02d}"


def half_even(numerator: int, denominator: int) -> int:
    """The nearest whole number, ties to the even one; both arguments are not negative.

    >>> half_even(276500, 1000), half_even(445500, 1000), half_even(19900, 1000)
    (276, 446, 20)
    """
    whole, rest = divmod(numerator, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and whole % 2 == 1):
        whole += 1
    return whole


# Months and days


def month_of(period: str, offset: int = 0) -> tuple[int, int]:
    """Year and month of the period `offset` months later.

    >>> month_of("2022-12", 1), month_of("2023-01", -2)
    ((2023, 1), (2022, 11))
    """
    months = int(period[:4]) * 12 + int(period[5:7]) - 1 + offset
    return months // 12, months % 12 + 1


def period_after(period: str, offset: int) -> str:
    """The period `offset` months later, negative for earlier."""
    year, month = month_of(period, offset)
    return f"{year:04d}-{month:02d}"


def day_of(year: int, month: int, day: int) -> date:
    """That day of the month; a day that the month lacks is its last."""
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))


def first_of(period: str, offset: int = 0) -> date:
    """The 1st of the period `offset` months later."""
    year, month = month_of(period, offset)
    return date(year, month, 1)


def months_later(day: date, months: int) -> date:
    """The same day so many calendar months later, at most that month's last.

    >>> months_later(date(2022, 12, 31), 2)
    datetime.date(2023, 2, 28)
    """
    year, month = month_of(day.isoformat(), months)
    return day_of(year, month, day.day)


def midnight(day: date) -> int:
    """The instant at which the day begins in Shanghai, epoch seconds."""
    return (day - date(1970, 1, 1)).days * 86400 - 8 * 3600


def instant_text(instant: int) -> str:
    """An instant as files show it.

    >>> instant_text(1671551999)
    '2022-12-20T23:59:59+08:00'
    """
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=instant)).astimezone(SHANGHAI).isoformat()


# Terms


@dataclass(frozen=True)
class Formula:
    """A GMV target made from the promoter's own history."""

    history_periods: int
    factor: Fraction
    floor_fen: int
    ceiling_fen: int | None
    step_fen: int


@dataclass(frozen=True)
class Level:
    """What the terms ask of one level; a target of None is not asked."""

    direct_only: bool
    min_tenure_months: int | None
    gmv: int | Formula | None
    """Whole fen, or how to work them out."""
    orders: int | None


@dataclass(frozen=True)
class Tier:
    """A rate, from this share of the target on."""

    at: Fraction
    rate_permille: int


@dataclass(frozen=True)
class Terms:
    """One version of the terms, in fen, days and exact fractions; a cap of None caps nothing."""

    name: str
    effective_from: str
    first_day: int
    last_day: int
    receipt_cutoff_day: int
    task_order_cap_fen: int | None
    count_price_compare: bool
    virtual_types: frozenset[int]
    virtual_category_ids: frozenset[int]
    levels: dict[str, Level]
    basis: str
    include_price_compare: bool
    links: str
    subsidy_order_cap_fen: int | None
    promoter_cap_fen: int | None
    lapse_months: int | None
    tiers: tuple[Tier, ...]


def read_terms(text: str) -> Terms:
    """The terms in a TOML text, which is taken to be valid."""
    table = tomllib.loads(text)
    task, virtual, subsidy = table["task"], table["virtual"], table["subsidy"]
    levels = {}
    for name, level in table["levels"].items():
        gmv = level.get("gmv_yuan")
        levels[name] = Level(
            direct_only=level["direct_only"],
            min_tenure_months=level.get("min_tenure_months"),
            gmv=_formula(gmv) if isinstance(gmv, dict) else _optional_fen(gmv),
            orders=level.get("orders"),
        )
    tiers = [Tier(Fraction(tier["at"]), tier["rate_permille"]) for tier in subsidy["tiers"]]
    return Terms(
        name=table["name"],
        effective_from=table["effective_from"],
        first_day=task["first_day"],
        last_day=task["last_day"],
        receipt_cutoff_day=task["receipt_cutoff_day"],
        task_order_cap_fen=_optional_fen(task.get("order_cap_yuan")),
        count_price_compare=task["count_price_compare"],
        virtual_types=frozenset(virtual["types"]),
        virtual_category_ids=frozenset(virtual["category_ids"]),
        levels=levels,
        basis=subsidy["basis"],
        include_price_compare=subsidy["include_price_compare"],
        links=subsidy["links"],
        subsidy_order_cap_fen=_optional_fen(subsidy.get("order_cap_yuan")),
        promoter_cap_fen=_optional_fen(subsidy.get("promoter_cap_yuan")),
        lapse_months=subsidy.get("lapse_months"),
        tiers=tuple(tiers),
    )


def _formula(table: Mapping[str, Any]) -> Formula:
    return Formula(
        history_periods=table["history_periods"],
        factor=Fraction(table["factor"]),
        floor_fen=fen(table["floor"]),
        ceiling_fen=_optional_fen(table.get("ceiling")),
        step_fen=fen(table["step"]),
    )


def _optional_fen(text: str | None) -> int | None:
    return None if text is None else fen(text)


@dataclass(frozen=True)
class Windows:
    """The bounds of a period, epoch seconds; `_from` is within, `_until` and `cutoff` no longer are."""

    task_from: int
    task_until: int
    cutoff: int
    month_from: int
    month_until: int


def windows(period: str, terms: Terms) -> Windows:
    """The period's windows; the last days that terms name are inclusive, so each window ends a midnight later."""
    one_day = timedelta(days=1)
    return Windows(
        task_from=midnight(day_of(*month_of(period), terms.first_day)),
        task_until=midnight(day_of(*month_of(period), terms.last_day) + one_day),
        cutoff=midnight(day_of(*month_of(period, 1), terms.receipt_cutoff_day) + one_day),
        month_from=midnight(first_of(period)),
        month_until=midnight(first_of(period, 1)),
    )


# The fold


@dataclass(frozen=True)
class Order:
    """What all rows of one order come to: fen, epoch seconds, and None for what is unknown or not yet."""

    order_sn: str
    p_id: str
    promoter_id: int
    status: int
    order_amount_fen: int
    commission_fen: int
    type: int | None
    cat_ids: tuple[int, ...] | None
    """Sorted, without 0; None when nothing is left."""
    is_direct: int | None
    price_compare_status: int | None
    paid_at: int | None
    received_at: int | None
    verified_at: int | None
    settled_at: int | None
    modified_at: int
    return_status: int | None
    """Of the newest detail row, whatever the newest row of all is."""
    link_generated_at: int | None
    """Likewise."""
    failed_at: int | None

    @property
    def direct(self) -> bool:
        """Unknown is not direct."""
        return self.is_direct == 1

    @property
    def price_compare(self) -> bool:
        """Unknown counts as ordinary."""
        return self.price_compare_status == 1

    def virtual(self, terms: Terms) -> bool:
        """By type or by any category; unknown counts as ordinary."""
        if self.type is not None and self.type in terms.virtual_types:
            return True
        return any(cat_id in terms.virtual_category_ids for cat_id in self.cat_ids or ())


def is_detail(row: Row) -> bool:
    """Whether the row comes from the detail reply, which calls the p_id `pid`."""
    return "pid" in row


def facts(row: Row) -> dict[str, Any]:
    """The facts of a row under the API's names: what makes two rows of equal time differ."""
    cat_ids = sorted(int(cat_id) for cat_id in row.get("cat_ids") or [] if int(cat_id) != 0)
    return {
        "p_id": row["pid"] if is_detail(row) else row["p_id"],
        "order_status": int(row["order_status"]),
        "order_amount": int(row["order_amount"]),
        "promotion_amount": _number(row, "promotion_amount") or 0,
        "type": _number(row, "type"),
        "cat_ids": cat_ids or None,
        "is_direct": _number(row, "is_direct"),
        "price_compare_status": _number(row, "price_compare_status"),
        "order_pay_time": _instant(row, "order_pay_time"),
        "order_receive_time": _instant(row, "order_receive_time"),
        "order_verify_time": _instant(row, "order_verify_time"),
        "order_settle_time": _instant(row, "order_settle_time"),
        "return_status": _number(row, "return_status") if is_detail(row) else None,
    }


def canonical(row: Row) -> str:
    """The facts as one text: keys sorted, no blanks."""
    return json.dumps(facts(row), sort_keys=True, separators=(",", ":"))


def _number(row: Row, key: str) -> int | None:
    value = row.get(key)
    return None if value is None or value == "" else int(value)


def _instant(row: Row, key: str) -> int | None:
    """Null, absent and 0 all mean "not yet"."""
    return _number(row, key) or None


def _age(row: Row) -> tuple[int, int, str, int]:
    """What puts rows from oldest to newest: time, status, facts; the link's time only to leave no tie."""
    link = _instant(row, "url_last_generate_time") or 0 if is_detail(row) else 0
    return int(row["order_modify_at"]), int(row["order_status"]), canonical(row), link


def fold(rows: Iterable[Row]) -> dict[str, Order]:
    """Every order's state by order number, from all rows received, in whatever order and however often."""
    by_order: dict[str, list[Row]] = {}
    for row in rows:
        by_order.setdefault(row["order_sn"], []).append(row)
    return {order_sn: _state(order_sn, versions) for order_sn, versions in by_order.items()}


def _state(order_sn: str, versions: Sequence[Row]) -> Order:
    oldest_first = sorted(versions, key=_age)
    newest = oldest_first[-1]
    details = [row for row in oldest_first if is_detail(row)]
    known = facts(newest)
    return Order(
        order_sn=order_sn,
        p_id=known["p_id"],
        promoter_id=int(known["p_id"].partition("_")[0]),
        status=known["order_status"],
        order_amount_fen=known["order_amount"],
        commission_fen=known["promotion_amount"],
        type=known["type"],
        cat_ids=None if known["cat_ids"] is None else tuple(known["cat_ids"]),
        is_direct=known["is_direct"],
        price_compare_status=known["price_compare_status"],
        paid_at=known["order_pay_time"],
        received_at=known["order_receive_time"],
        verified_at=known["order_verify_time"],
        settled_at=known["order_settle_time"],
        modified_at=int(newest["order_modify_at"]),
        return_status=_number(details[-1], "return_status") if details else None,
        link_generated_at=_instant(details[-1], "url_last_generate_time") if details else None,
        failed_at=_failed_at(oldest_first, details),
    )


def _failed_at(oldest_first: Sequence[Row], details: Sequence[Row]) -> int | None:
    """The earlier of the two failures that apply, None when neither does.

    2@10 4@20 4@30        fails at 20, or at the verify time of the row at 30
    4@10 3@20 4@30 10@40  fails at 30: the run that ends in the newest row began there
    4@10 3@20             has recovered
    """
    times = []
    failing = [int(row["order_status"]) in (AUDIT_FAILED, PUNISHED) for row in oldest_first]
    audited = _run_began(oldest_first, failing)
    if audited is not None:
        newest = oldest_first[-1]
        verified_at = _instant(newest, "order_verify_time")
        if int(newest["order_status"]) == AUDIT_FAILED and verified_at is not None:
            audited = verified_at
        times.append(audited)
    returning = [_number(row, "return_status") == RETURNED for row in details]
    returned = _run_began(details, returning)
    if returned is not None:
        times.append(returned)
    return min(times, default=None)


def _run_began(oldest_first: Sequence[Row], failing: Sequence[bool]) -> int | None:
    """The update time at which the unbroken run of failing rows that ends in the newest began; None without one."""
    began = None
    for row, fails in zip(reversed(oldest_first), reversed(failing), strict=True):
        if not fails:
            break
        began = int(row["order_modify_at"])
    return began


def link_channel(links: Iterable[CsvRow]) -> dict[str, str]:
    """`app` or `other` by p_id; one that is not in it is `unknown`. A later row replaces an earlier one."""
    channels = {}
    for row in links:
        channels[parsed(row["p_id"])] = parsed(row["channel"])
    return channels


# The clauses


def task_verdict(order: Order, bounds: Windows, terms: Terms, direct_only: bool) -> Verdict:
    """All task clauses of an order, in order."""
    paid, received = order.paid_at, order.received_at
    return [
        ("PAID_IN_WINDOW", paid is not None and bounds.task_from <= paid < bounds.task_until),
        ("COMMISSIONABLE", order.status not in (UNPAID, NO_COMMISSION)),
        ("DIRECT", not direct_only or order.direct),
        ("NOT_VIRTUAL", not order.virtual(terms)),
        ("NOT_PRICE_COMPARE", terms.count_price_compare or not order.price_compare),
        ("NOT_FAILED", order.failed_at is None or order.failed_at >= bounds.cutoff),
        ("RECEIVED_IN_TIME", received is not None and received < bounds.cutoff),
    ]


def subsidy_verdict(order: Order, bounds: Windows, terms: Terms, channel: str) -> Verdict:
    """All subsidy clauses of an order, in order; `channel` is `app`, `other` or `unknown`."""
    paid = order.paid_at
    app_link = {"any": True, "app_or_unknown": channel != "other", "app": channel == "app"}[terms.links]
    return [
        ("PAID_IN_MONTH", paid is not None and bounds.month_from <= paid < bounds.month_until),
        ("COMMISSIONABLE", order.status not in (UNPAID, NO_COMMISSION)),
        ("NOT_VIRTUAL", not order.virtual(terms)),
        ("NOT_PRICE_COMPARE", terms.include_price_compare or not order.price_compare),
        ("NOT_FAILED", order.failed_at is None),
        ("APP_LINK", app_link),
    ]


def reason_of(verdict: Verdict) -> str | None:
    """The first clause that fails, None when all hold."""
    for code, holds in verdict:
        if not holds:
            return code
    return None


@dataclass(frozen=True)
class Measured:
    """What counts for a task: GMV after the order cap, and how many orders."""

    gmv_fen: int
    orders: int


def capped(order: Order, terms: Terms) -> int:
    """What one order adds to the GMV of a task, fen."""
    if terms.task_order_cap_fen is None:
        return order.order_amount_fen
    return min(order.order_amount_fen, terms.task_order_cap_fen)


def measure(orders: Iterable[Order], bounds: Windows, terms: Terms, direct_only: bool) -> Measured:
    """What these orders, all of one promoter, count for the task of the period with these bounds."""
    gmv_fen = count = 0
    for order in orders:
        if reason_of(task_verdict(order, bounds, terms, direct_only)) is None:
            gmv_fen += capped(order, terms)
            count += 1
    return Measured(gmv_fen, count)


def by_promoter(orders: Mapping[str, Order]) -> dict[int, list[Order]]:
    """The orders of each promoter, of whom the newest row's p_id speaks."""
    owned: dict[int, list[Order]] = {}
    for order in orders.values():
        owned.setdefault(order.promoter_id, []).append(order)
    return owned


# The roster


@dataclass(frozen=True)
class RosterEntry:
    """One promoter judged in a period, as frozen. A target of None is no target, and so is one of 0."""

    promoter_id: int
    name: str
    level: str
    """Blank when the promoter has none yet."""
    direct_only: bool
    eligible: bool
    reason: str | None
    target_gmv_fen: int | None
    target_orders: int | None


@dataclass(frozen=True)
class _LevelRow:
    """A promoter's row as imported."""

    name: str
    level: str
    level_from: date
    registered_on: date


def roster(
    period: str,
    terms: Terms,
    promoters: Iterable[CsvRow],
    violations: Iterable[CsvRow],
    targets: Iterable[CsvRow],
    orders: Mapping[str, Order],
) -> list[RosterEntry]:
    """Who is judged in the period, ordered by promoter id.

    promoters, violations, targets   rows of the files, in the order of import
    orders                           all orders known, for targets made from history
    """
    month_first = first_of(period)
    level_rows = _level_rows(promoters)
    violators = _violators(violations, month_first)
    given_targets = _given_targets(targets, period)
    owned = by_promoter(orders)
    entries = []
    for promoter_id in sorted(level_rows):
        rows = sorted(level_rows[promoter_id].values(), key=lambda row: row.level_from)
        if rows[-1].registered_on >= month_first:
            continue
        reached = [row for row in rows if row.level_from <= month_first]
        level_name = reached[-1].level if reached else ""
        level = terms.levels.get(level_name)
        if promoter_id in given_targets:
            gmv_fen, count = given_targets[promoter_id]
        elif level is None:
            gmv_fen, count = None, None
        elif isinstance(level.gmv, Formula):
            gmv_fen = _gmv_from_history(
                period, terms, level.gmv, level.direct_only, owned.get(promoter_id, [])
            )
            count = level.orders
        else:
            gmv_fen, count = level.gmv, level.orders
        reason = _ineligible(
            level,
            rows[-1].registered_on,
            month_first,
            violator=promoter_id in violators,
            has_target=bool(gmv_fen or count),
        )
        entries.append(
            RosterEntry(
                promoter_id=promoter_id,
                name=rows[-1].name,
                level=level_name,
                direct_only=level.direct_only if level is not None else True,
                eligible=reason is None,
                reason=reason,
                target_gmv_fen=gmv_fen or None,
                target_orders=count or None,
            )
        )
    return entries


def _level_rows(promoters: Iterable[CsvRow]) -> dict[int, dict[date, _LevelRow]]:
    """The rows of each promoter by level_from; a later row with the same one edits, with another one adds."""
    rows: dict[int, dict[date, _LevelRow]] = {}
    for row in promoters:
        level_row = _LevelRow(
            name=row["name"],
            level=parsed(row["level"]),
            level_from=date.fromisoformat(parsed(row["level_from"])),
            registered_on=date.fromisoformat(parsed(row["registered_on"])),
        )
        rows.setdefault(int(parsed(row["promoter_id"])), {})[level_row.level_from] = level_row
    return rows


def _violators(violations: Iterable[CsvRow], month_first: date) -> set[int]:
    """Promoters with a violation from before the month that was not cleared before it."""
    cleared: dict[tuple[int, date], date | None] = {}
    for row in violations:
        cleared_on = parsed(row["cleared_on"])
        key = int(parsed(row["promoter_id"])), date.fromisoformat(parsed(row["occurred_on"]))
        cleared[key] = date.fromisoformat(cleared_on) if cleared_on else None
    violators = set()
    for (promoter_id, occurred_on), cleared_day in cleared.items():
        if occurred_on < month_first and (cleared_day is None or cleared_day >= month_first):
            violators.add(promoter_id)
    return violators


def _given_targets(targets: Iterable[CsvRow], period: str) -> dict[int, tuple[int | None, int | None]]:
    """GMV in fen and orders by promoter, from the targets file; a row stands for both, a blank for no target."""
    given: dict[int, tuple[int | None, int | None]] = {}
    for row in targets:
        if parsed(row["period"]) != period:
            continue
        gmv_yuan, orders = parsed(row["gmv_yuan"]), parsed(row["orders"])
        gmv_fen = fen(gmv_yuan) if gmv_yuan else None
        given[int(parsed(row["promoter_id"]))] = gmv_fen, int(orders) if orders else None
    return given


def _gmv_from_history(
    period: str, terms: Terms, formula: Formula, direct_only: bool, owned: Sequence[Order]
) -> int:
    """The mean of the months up to M-2 times the factor, up to a whole step, between floor and ceiling; fen.

    Of 3 months with 900, 0 and 301 fen, factor 1.10, step 100: 1201/3 x 11/10 = 440 11/30 -> 500.
    """
    total_fen = 0
    for months_back in range(2, 2 + formula.history_periods):
        bounds = windows(period_after(period, -months_back), terms)
        total_fen += measure(owned, bounds, terms, direct_only).gmv_fen
    exact = Fraction(total_fen, formula.history_periods) * formula.factor
    steps = exact / formula.step_fen
    whole_steps = -(-steps.numerator // steps.denominator)
    target_fen = max(whole_steps * formula.step_fen, formula.floor_fen)
    return target_fen if formula.ceiling_fen is None else min(target_fen, formula.ceiling_fen)


def _ineligible(
    level: Level | None,
    registered_on: date,
    month_first: date,
    *,
    violator: bool,
    has_target: bool,
) -> str | None:
    """The first reason against the promoter, None for none."""
    if level is None:
        return "LEVEL_NOT_OFFERED"
    if months_later(registered_on, level.min_tenure_months or 0) > month_first:
        return "TENURE_TOO_SHORT"
    if violator:
        return "VIOLATION"
    return None if has_target else "NO_TARGET"


# The settlement


@dataclass(frozen=True)
class Line:
    """What one order earns; always above 0."""

    promoter_id: int
    order_sn: str
    paid_at: int
    basis_fen: int
    rate_permille: int
    subsidy_fen: int


@dataclass(frozen=True)
class Result:
    """What one promoter of the roster came to. `rate_permille` is None for who did not pass."""

    entry: RosterEntry
    measured: Measured
    attained: Fraction | None
    """The smallest measured/target; None without a target or eligibility."""
    passed: bool
    rate_permille: int | None
    subsidy_orders: int
    subsidy_fen: int


@dataclass(frozen=True)
class Settlement:
    """Results ordered by promoter id; lines by promoter id, paid_at and the bytes of the order number."""

    period: str
    results: list[Result]
    lines: list[Line]


def attained_share(entry: RosterEntry, measured: Measured) -> Fraction | None:
    """The smallest measured/target over the promoter's targets; None for who is not eligible."""
    if not entry.eligible:
        return None
    shares = []
    if entry.target_gmv_fen:
        shares.append(Fraction(measured.gmv_fen, entry.target_gmv_fen))
    if entry.target_orders:
        shares.append(Fraction(measured.orders, entry.target_orders))
    return min(shares)


def rate_for(attained: Fraction | None, terms: Terms) -> int | None:
    """The rate of the last tier reached, per mille, None when none is; the first is at 1, which is passing."""
    rate = None
    for tier in terms.tiers:
        if attained is not None and tier.at <= attained:
            rate = tier.rate_permille
    return rate


def settle(
    period: str,
    terms: Terms,
    entries: Iterable[RosterEntry],
    orders: Mapping[str, Order],
    links: Iterable[CsvRow],
) -> Settlement:
    """What everybody on the roster came to and what each order earns, by the orders and links known now."""
    bounds = windows(period, terms)
    channels = link_channel(links)
    owned = by_promoter(orders)
    results: list[Result] = []
    lines: list[Line] = []
    for entry in sorted(entries, key=lambda entry: entry.promoter_id):
        mine = owned.get(entry.promoter_id, [])
        measured = measure(mine, bounds, terms, entry.direct_only)
        attained = attained_share(entry, measured)
        rate = rate_for(attained, terms)
        earned = []
        if rate is not None:
            earned = _lines(_qualifying(mine, bounds, terms, channels), rate, terms)
        lines += earned
        results.append(
            Result(
                entry=entry,
                measured=measured,
                attained=attained,
                passed=attained is not None and attained >= 1,
                rate_permille=rate,
                subsidy_orders=len(earned),
                subsidy_fen=sum(line.subsidy_fen for line in earned),
            )
        )
    return Settlement(period, results, lines)


def _qualifying(
    mine: Iterable[Order], bounds: Windows, terms: Terms, channels: Mapping[str, str]
) -> list[tuple[int, Order]]:
    """The orders that hold all subsidy clauses with when they were paid, as they use up the promoter's cap."""
    qualifying = []
    for order in mine:
        verdict = subsidy_verdict(order, bounds, terms, channels.get(order.p_id, "unknown"))
        if order.paid_at is not None and reason_of(verdict) is None:
            qualifying.append((order.paid_at, order))
    return sorted(qualifying, key=lambda item: (item[0], item[1].order_sn.encode()))


def _lines(qualifying: Iterable[tuple[int, Order]], rate_permille: int, terms: Terms) -> list[Line]:
    """The lines of one promoter who passed, in the order of the orders given."""
    lines = []
    room_fen = terms.promoter_cap_fen
    for paid_at, order in qualifying:
        basis_fen = order.commission_fen if terms.basis == "commission" else order.order_amount_fen
        subsidy_fen = half_even(basis_fen * rate_permille, 1000)
        if terms.subsidy_order_cap_fen is not None:
            subsidy_fen = min(subsidy_fen, terms.subsidy_order_cap_fen)
        if room_fen is not None:
            subsidy_fen = min(subsidy_fen, room_fen)
            room_fen -= subsidy_fen
        if subsidy_fen > 0:
            lines.append(
                Line(order.promoter_id, order.order_sn, paid_at, basis_fen, rate_permille, subsidy_fen)
            )
    return lines


# The files

RESULT_COLUMNS = [
    "period",
    "promoter_id",
    "name",
    "level",
    "eligible",
    "reason",
    "gmv_yuan",
    "orders",
    "target_gmv_yuan",
    "target_orders",
    "passed",
    "rate_permille",
    "subsidy_orders",
    "subsidy_yuan",
]
LINE_COLUMNS = [
    "period",
    "promoter_id",
    "order_sn",
    "paid_at",
    "basis_yuan",
    "rate_permille",
    "subsidy_yuan",
]
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""With the full-width forms of the first four."""


def results_csv(settlement: Settlement) -> bytes:
    """results.csv: one row per promoter on the roster."""
    rows = []
    for result in settlement.results:
        entry = result.entry
        head = [
            _inert(settlement.period),
            str(entry.promoter_id),
            _inert(entry.name),
            _inert(entry.level),
            "yes" if entry.eligible else "no",
            entry.reason or "",
        ]
        if not entry.eligible:
            rows.append([*head, "", "", "", "", "no", "", "", ""])
            continue
        rows.append(
            [
                *head,
                yuan(result.measured.gmv_fen),
                str(result.measured.orders),
                yuan(entry.target_gmv_fen) if entry.target_gmv_fen else "",
                str(entry.target_orders) if entry.target_orders else "",
                "yes" if result.passed else "no",
                "" if result.rate_permille is None else str(result.rate_permille),
                str(result.subsidy_orders),
                yuan(result.subsidy_fen),
            ]
        )
    return _csv_bytes(RESULT_COLUMNS, rows)


def lines_csv(settlement: Settlement) -> bytes:
    """subsidy_lines.csv: one row per order that earned something."""
    rows = [
        [
            _inert(settlement.period),
            str(line.promoter_id),
            _inert(line.order_sn),
            instant_text(line.paid_at),
            yuan(line.basis_fen),
            str(line.rate_permille),
            yuan(line.subsidy_fen),
        ]
        for line in settlement.lines
    ]
    return _csv_bytes(LINE_COLUMNS, rows)


def content_sha256(terms_sha256: str, results_bytes: bytes, lines_bytes: bytes) -> str:
    """The hash that stands for a settlement's content: of the three hex hashes, a line each."""
    parts = [terms_sha256, hashlib.sha256(results_bytes).hexdigest(), hashlib.sha256(lines_bytes).hexdigest()]
    return hashlib.sha256("".join(part + "\n" for part in parts).encode()).hexdigest()


def _inert(text: str) -> str:
    """A text cell that no spreadsheet takes for a formula."""
    return "'" + text if text.startswith(FORMULA_STARTS) else text


def _csv_bytes(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8-sig")


# Progress


def progress(period: str, terms: Terms, entry: RosterEntry, orders: Mapping[str, Order]) -> dict[str, Any]:
    """What `bounty progress --json` says of one promoter of the roster, without `as_of` and `published`."""
    bounds = windows(period, terms)
    counted = {"gmv_fen": 0, "orders": 0}
    pending = {"gmv_fen": 0, "orders": 0}
    missed: dict[str, dict[str, Any]] = {}
    codes: list[str] = []
    for order in orders.values():
        if order.promoter_id != entry.promoter_id or order.paid_at is None:
            continue
        if not bounds.month_from <= order.paid_at < bounds.month_until:
            continue
        verdict = task_verdict(order, bounds, terms, entry.direct_only)
        codes = [code for code, _ in verdict]
        reason = reason_of(verdict)
        if reason is None:
            counted["gmv_fen"] += capped(order, terms)
            counted["orders"] += 1
        elif reason == "RECEIVED_IN_TIME" and order.received_at is None:
            # It is the last clause: that it is the first to fail says that all others hold.
            pending["gmv_fen"] += capped(order, terms)
            pending["orders"] += 1
        else:
            row = missed.setdefault(reason, {"reason": reason, "orders": 0, "amount_fen": 0})
            row["orders"] += 1
            row["amount_fen"] += order.order_amount_fen
    attained = attained_share(entry, Measured(counted["gmv_fen"], counted["orders"]))
    return {
        "period": period,
        "promoter_id": entry.promoter_id,
        "level": entry.level or None,
        "eligible": entry.eligible,
        "reason": entry.reason,
        "targets": {"gmv_fen": entry.target_gmv_fen, "orders": entry.target_orders},
        "counted": counted,
        "pending": pending,
        "not_counted": [missed[code] for code in codes if code in missed],
        "passed": attained is not None and attained >= 1,
    }


# What an import reports


def import_counts(before_rows: Sequence[Row], file_rows: Sequence[Row]) -> dict[str, int]:
    """What `bounty import orders` counts for a file of good rows, given all rows held before it.

    new, changed   orders first seen, and orders whose state is another afterwards: one row for each
    unchanged      rows held already, also from earlier in the same file
    stale          every other row that was kept
    """
    touched = {row["order_sn"] for row in file_rows}
    before = [row for row in before_rows if row["order_sn"] in touched]
    held = {_identity(row) for row in before}
    unchanged = 0
    for row in file_rows:
        if _identity(row) in held:
            unchanged += 1
        held.add(_identity(row))
    states_before = fold(before)
    states_after = fold([*before, *file_rows])
    new = changed = 0
    for order_sn, state in states_after.items():
        if order_sn not in states_before:
            new += 1
        elif state != states_before[order_sn]:
            changed += 1
    stale = len(file_rows) - new - changed - unchanged
    return {"new": new, "changed": changed, "unchanged": unchanged, "stale": stale}


def _identity(row: Row) -> tuple[str, int, bool, str, int | None]:
    """What makes a row a row of its own: two with the same are one, however they were written."""
    return (
        row["order_sn"],
        int(row["order_modify_at"]),
        is_detail(row),
        canonical(row),
        _instant(row, "url_last_generate_time") if is_detail(row) else None,
    )
