"""Reading a span of the platform's lists so that nothing is missed while the lists change.

An order that is updated leaves the span, and all behind it move up by a place. So pages are read from the last to the
first: what moves up comes again, instead of slipping past. Every page must have as many rows as its own count says, and
may repeat only as many as left meanwhile; then nothing can have been missed, and a page that is lost can't pass.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Final

from bounty.platforms.pdd.client import PAGE_SIZE, PAGES_LIMIT, PAID_PAGE_SIZE, Platform
from bounty.platforms.pdd.replies import OrderPage
from bounty.sync.intervals import OVERLAP, Interval

PASSES: Final = 4
"""How often a list is read from end to end, until a pass holds."""
ASKS: Final = 4
"""How often a page is asked for, until it agrees with itself and with the page before."""
ROWS_LIMIT: Final = 50_000
"""Orders of a span; where there are more, it is read in halves: one transaction has them all."""
Told = Callable[[int], None]


class TooMany(Exception):
    """The span has more orders than are read at once."""


@dataclass(frozen=True, slots=True)
class ListReading:
    """What reading a span came to."""

    told: int | None
    """How many orders the platform says it has."""
    held: int
    """Distinct orders that were read."""
    pages: int
    why: str | None
    """SHORT or RESTLESS; None where nothing is missing."""


class _Kept:
    """The pages of one pass, written down as they come: a file of bodies, as an operator would have it."""

    def __init__(self, file: BinaryIO, told: Told) -> None:
        file.seek(0)
        file.truncate()
        self._file, self._told = file, told
        self.orders: set[str] = set()
        self.pages = 0

    def add(self, page: OrderPage) -> None:
        if not page.orders:
            return
        self._file.write(page.body + b"\n")
        self.orders.update(page.orders)
        self.pages += 1
        self._told(len(self.orders))


def read_updated(platform: Platform, span: Interval, file: BinaryIO, told: Told) -> ListReading:
    """Read the orders last updated within a span into a file of bodies.

    told     called with the number of orders read so far

    Raises TooMany, and PlatformError.
    """

    def ask(number: int) -> OrderPage:
        return platform.updated_orders(span.from_at - OVERLAP, span.until_at, number)

    count: int | None = None
    sound, kept, before = False, _Kept(file, told), None
    for _ in range(PASSES):
        kept = _Kept(file, told)
        first = _counted(ask)
        count = first.told
        if (
            count is not None
            and count > min(ROWS_LIMIT, PAGES_LIMIT * PAGE_SIZE)
            and span.until_at - span.from_at > 1
        ):
            raise TooMany
        if count is None:
            # Nothing to count against: the list must come out the same twice.
            whole = _read_uncounted(ask, kept)
            sound, before = whole and kept.orders == before, set(kept.orders)
        else:
            sound, count = _read_counted(ask, count, kept)
        if sound:
            break
    held = len(kept.orders)
    why = None if sound else "SHORT" if count is not None and held < count else "RESTLESS"
    return ListReading(count, held, kept.pages, why)


def _counted(ask: Callable[[int], OrderPage]) -> OrderPage:
    """The first page, if possible with a count."""
    page = ask(1)
    for _ in range(ASKS - 1):
        if page.told is not None:
            break
        page = ask(1)
    return page


def _read_counted(ask: Callable[[int], OrderPage], count: int, kept: _Kept) -> tuple[bool, int]:
    """One pass; whether nothing can have been missed, and the count as of its end.

    It begins behind the last page, where there must be nothing: a count that is too low is seen there.
    """
    sound = True
    for number in range(-(-count // PAGE_SIZE) + 1, 0, -1):
        page, fits = _fitting(ask, number, count, kept.orders)
        kept.add(page)
        sound = sound and fits
        count = count if page.told is None else page.told
    return sound and len(kept.orders) >= count, count


def _fitting(
    ask: Callable[[int], OrderPage], number: int, count: int, seen: set[str]
) -> tuple[OrderPage, bool]:
    """A page, asked for until it fits; or as it came last, and that it doesn't."""
    page = ask(number)
    for _ in range(ASKS - 1):
        if _fits(page, number, count, seen):
            return page, True
        page = ask(number)
    return page, _fits(page, number, count, seen)


def _fits(page: OrderPage, number: int, count: int, seen: set[str]) -> bool:
    """Whether a page has as many rows as its count says, and repeats no more than left since the page before.

    count    as of the page before. The span lies in the past: nothing comes in
    """
    if page.told is None or page.told > count:
        return False
    due = min(PAGE_SIZE, max(0, page.told - (number - 1) * PAGE_SIZE))
    fresh = set(page.orders) - seen
    return len(page.orders) == due and len(page.orders) - len(fresh) <= count - page.told


def _read_uncounted(ask: Callable[[int], OrderPage], kept: _Kept) -> bool:
    """One pass without counts; whether every page but the last is full and nothing stands behind that one."""
    last = 1
    while len(ask(last).orders) == PAGE_SIZE and last < PAGES_LIMIT:
        last += 1
    whole = not ask(last + 1).orders
    for number in range(last, 0, -1):
        page = ask(number)
        kept.add(page)
        whole = whole and (number == last or len(page.orders) == PAGE_SIZE)
    return whole


def read_paid(platform: Platform, span: Interval, file: BinaryIO, told: Told) -> ListReading:
    """Read the orders paid within a span, as they are now, into a file of bodies.

    This list is not counted, so it must come out the same twice. Raises PlatformError.
    """
    before, kept, sound = None, _Kept(file, told), False
    for _ in range(PASSES):
        kept = _Kept(file, told)
        whole = _follow(platform, span, kept)
        sound, before = whole and kept.orders == before, set(kept.orders)
        if sound:
            break
    return ListReading(None, len(kept.orders), kept.pages, None if sound else "RESTLESS")


def _follow(platform: Platform, span: Interval, kept: _Kept) -> bool:
    """One pass, from each page to the one behind it, until there is none; whether no page was out of place."""
    after = ""
    while True:
        page = platform.paid_orders(*span, after)
        for _ in range(ASKS - 1):
            if not page.orders or (page.last_order_id and kept.orders.isdisjoint(page.orders)):
                break
            page = platform.paid_orders(*span, after)
        if not page.orders:
            return True
        if (
            not page.last_order_id
            or not kept.orders.isdisjoint(page.orders)
            or len(page.orders) > PAID_PAGE_SIZE
        ):
            return False
        kept.add(page)
        after = page.last_order_id
