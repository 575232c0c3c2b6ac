"""Who passed, at which rate, and what each order earns."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from tests.oracle.clauses import Measured, by_promoter, measure, reason_of, subsidy_verdict
from tests.oracle.orders import Order, link_channel
from tests.oracle.people import RosterEntry
from tests.oracle.terms import Terms, Windows, windows
from tests.oracle.text import CsvRow, half_even


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
    elsewhere: Container[str] = (),
) -> Settlement:
    """What everybody on the roster came to and what each order earns, by the orders and links known now.

    elsewhere   the numbers of orders with a line in the newest notices of other programmes
    """
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
            earned = _lines(_qualifying(mine, bounds, terms, channels, elsewhere), rate, terms)
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
    mine: Iterable[Order],
    bounds: Windows,
    terms: Terms,
    channels: Mapping[str, str],
    elsewhere: Container[str],
) -> list[tuple[int, Order]]:
    """The orders that hold all subsidy clauses with when they were paid, as they use up the promoter's cap."""
    qualifying = []
    for order in mine:
        channel = channels.get(order.p_id, "unknown")
        verdict = subsidy_verdict(order, bounds, terms, channel, order.order_sn in elsewhere)
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
