"""Complete reads of one window of the platform's order lists, although the lists change during the read.

An order that is updated leaves the window, and every order behind it moves up by one place. Pages are therefore read
from the last to the first, so that an order that moves up is read twice instead of being missed. A page is accepted if
it has as many rows as its own total count implies, and if it repeats at most as many rows as the list shrank by. A read
whose pages are all accepted has missed nothing; a lost page is always detected.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Final

from bounty.platforms.pdd.client import PAGE_SIZE, PAGES_LIMIT, PAID_PAGE_SIZE, Platform
from bounty.platforms.pdd.replies import OrderPage
from bounty.sync.intervals import OVERLAP, Interval

PASS_LIMIT: Final = 4
"""How often a whole list is read until one pass is complete."""
ATTEMPT_LIMIT: Final = 4
"""How often one page is requested until it is consistent."""
ROWS_LIMIT: Final = 50_000
"""Most orders of one window. A window with more orders is split, because one transaction imports the whole window."""
OnProgress = Callable[[int], None]
"""Called with the number of orders read so far."""


class TooManyOrders(Exception):
    """The window has more orders than one read may have."""


@dataclass(frozen=True, slots=True)
class ListReading:
    """The result of reading one window."""

    total_count: int | None
    """Number of orders by the platform's own count; None if it gave none."""
    orders: int
    """Number of distinct orders that were read."""
    pages: int
    """Number of pages with orders."""
    incomplete_reason: str | None
    """``SHORT``, ``RESTLESS``, or a further code of ``models.FetchWindow.why``; None if the read is complete."""


class _PageFile:
    """Writes the pages of one pass to a file of response bodies, which the importer reads like an uploaded file."""

    def __init__(self, file: BinaryIO, on_progress: OnProgress) -> None:
        file.seek(0)
        file.truncate()
        self._file, self._on_progress = file, on_progress
        self.orders: set[str] = set()
        self.pages = 0

    def add(self, page: OrderPage) -> None:
        if not page.orders:
            return
        self._file.write(page.body + b"\n")
        self.orders.update(page.orders)
        self.pages += 1
        self._on_progress(len(self.orders))


def read_updated(platform: Platform, span: Interval, file: BinaryIO, on_progress: OnProgress) -> ListReading:
    """Read the orders last updated within a window into a file of response bodies.

    Raises TooManyOrders, and PlatformError.
    """

    def request(number: int) -> OrderPage:
        return platform.updated_orders(span.from_at - OVERLAP, span.until_at, number)

    total_count: int | None = None
    complete, pages, previous = False, _PageFile(file, on_progress), None
    for _ in range(PASS_LIMIT):
        pages = _PageFile(file, on_progress)
        total_count = _first_page(request).total_count
        if (
            total_count is not None
            and total_count > min(ROWS_LIMIT, PAGES_LIMIT * PAGE_SIZE)
            and span.until_at - span.from_at > 1
        ):
            raise TooManyOrders
        if total_count is None:
            # There is no count to compare with, so two passes must read the same orders.
            consistent = _read_uncounted(request, pages)
            complete, previous = consistent and pages.orders == previous, set(pages.orders)
        else:
            complete, total_count = _read_counted(request, total_count, pages)
        if complete:
            break
    orders = len(pages.orders)
    is_short = total_count is not None and orders < total_count
    reason = None if complete else "SHORT" if is_short else "RESTLESS"
    return ListReading(total_count, orders, pages.pages, reason)


def _first_page(request: Callable[[int], OrderPage]) -> OrderPage:
    """The first page; requested again while it has no total count."""
    page = request(1)
    for _ in range(ATTEMPT_LIMIT - 1):
        if page.total_count is not None:
            break
        page = request(1)
    return page


def _read_counted(
    request: Callable[[int], OrderPage], total_count: int, pages: _PageFile
) -> tuple[bool, int]:
    """One pass from the last page to the first; returns whether it is complete, and the newest total count.

    The pass begins with the page behind the last one, which must be empty; this detects a total count that is too low.
    """
    complete = True
    for number in range(-(-total_count // PAGE_SIZE) + 1, 0, -1):
        page, is_consistent = _consistent_page(request, number, total_count, pages.orders)
        pages.add(page)
        complete = complete and is_consistent
        total_count = total_count if page.total_count is None else page.total_count
    return complete and len(pages.orders) >= total_count, total_count


def _consistent_page(
    request: Callable[[int], OrderPage], number: int, total_count: int, seen: set[str]
) -> tuple[OrderPage, bool]:
    """A page, requested until it is consistent; returns the last response and whether it is consistent."""
    page = request(number)
    for _ in range(ATTEMPT_LIMIT - 1):
        if _is_consistent(page, number, total_count, seen):
            return page, True
        page = request(number)
    return page, _is_consistent(page, number, total_count, seen)


def _is_consistent(page: OrderPage, number: int, total_count: int, seen: set[str]) -> bool:
    """Whether a page has the rows that its total count implies, and repeats at most as many rows as the list shrank by.

    total_count   of the page read before. The window is in the past, so the list only shrinks.
    seen          the orders of the pages read before
    """
    if page.total_count is None or page.total_count > total_count:
        return False
    expected_rows = min(PAGE_SIZE, max(0, page.total_count - (number - 1) * PAGE_SIZE))
    repeated = len(page.orders) - len(set(page.orders) - seen)
    return len(page.orders) == expected_rows and repeated <= total_count - page.total_count


def _read_uncounted(request: Callable[[int], OrderPage], pages: _PageFile) -> bool:
    """One pass without total counts; returns whether every page but the last is full and no page follows the last."""
    last = 1
    while len(request(last).orders) == PAGE_SIZE and last < PAGES_LIMIT:
        last += 1
    consistent = not request(last + 1).orders
    for number in range(last, 0, -1):
        page = request(number)
        pages.add(page)
        consistent = consistent and (number == last or len(page.orders) == PAGE_SIZE)
    return consistent


def read_paid(platform: Platform, span: Interval, file: BinaryIO, on_progress: OnProgress) -> ListReading:
    """Read the orders paid within a window, in their present state, into a file of response bodies.

    This list has no total count, so two passes must read the same orders. Raises PlatformError.
    """
    previous, pages, complete = None, _PageFile(file, on_progress), False
    for _ in range(PASS_LIMIT):
        pages = _PageFile(file, on_progress)
        consistent = _read_pages_in_order(platform, span, pages)
        complete, previous = consistent and pages.orders == previous, set(pages.orders)
        if complete:
            break
    return ListReading(None, len(pages.orders), pages.pages, None if complete else "RESTLESS")


def _read_pages_in_order(platform: Platform, span: Interval, pages: _PageFile) -> bool:
    """One pass over the list by pay time, following ``last_order_id``; returns whether every page was consistent."""
    after = ""
    while True:
        page = platform.paid_orders(*span, after)
        for _ in range(ATTEMPT_LIMIT - 1):
            if not page.orders or (page.last_order_id and pages.orders.isdisjoint(page.orders)):
                break
            page = platform.paid_orders(*span, after)
        if not page.orders:
            return True
        if (
            not page.last_order_id
            or not pages.orders.isdisjoint(page.orders)
            or len(page.orders) > PAID_PAGE_SIZE
        ):
            return False
        pages.add(page)
        after = page.last_order_id
