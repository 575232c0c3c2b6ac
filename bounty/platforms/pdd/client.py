"""Calls to the open platform: signed, to one host, in bounded time, tried again where that can help.

Neither the secret nor a signature leaves this module but in a call's body.
"""

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar
from urllib.parse import urlencode

import urllib3
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from bounty.clock import shown
from bounty.errors import BountyError
from bounty.platforms.pdd.account import Listed, PlatformAccount, require_safe_address
from bounty.platforms.pdd.errors import PASSING, PlatformError, clock_off, unread
from bounty.platforms.pdd.replies import OrderDetail, OrderPage, read_detail, read_page
from bounty.platforms.pdd.signing import signature

PAGE_SIZE: Final = 50
"""Rows of a page; the platform takes 10 to 100 and advises 40 to 50."""
PAID_PAGE_SIZE: Final = 300
"""Rows of a page of the list by pay time, as advised."""
PAGES_LIMIT: Final = 10_000
LISTS: Final[dict[Listed, str]] = {
    "all": "pdd.ddk.all.order.list.increment.get",
    "own": "pdd.ddk.order.list.increment.get",
}
"""Whose orders -> the list by time of update."""
PAID_LIST: Final = "pdd.ddk.order.list.range.get"
DETAIL: Final = "pdd.ddk.order.detail.get"

TRIES: Final = 8
"""How often a call is made in all, with waits that grow and are drawn by lot."""
LONGEST_WAIT: Final = 60
"""Seconds between two tries."""
CLOCK_LIMIT: Final = 9 * 60
"""Seconds that the clocks may differ: the platform refuses at ten minutes."""
CLOCK_ALARM: Final = 60
REPLY_LIMIT: Final = 32 << 20
"""Bytes of a reply."""
_Reply = TypeVar("_Reply", OrderPage, OrderDetail)


class Platform:
    """The platform, as one application sees it."""

    def __init__(
        self, account: PlatformAccount, now: Callable[[], int], pause: Callable[[float], None] = time.sleep
    ) -> None:
        """Raises BountyError if the account is not set, or its address is neither https nor on this machine."""
        require_safe_address(account.url)
        if not account.client_id or not account.client_secret:
            raise BountyError(
                "No account of the open platform is set: give BOUNTY_PLATFORM_CLIENT_ID and "
                "BOUNTY_PLATFORM_CLIENT_SECRET, or import orders from files.",
                "尚未设置开放平台账号：请设置 BOUNTY_PLATFORM_CLIENT_ID 与 BOUNTY_PLATFORM_CLIENT_SECRET，"
                "或导入订单文件。",
            )
        self.listed: Listed = account.listed
        self.clock_off = 0
        """Seconds by which the platform's clock is ahead of ours, as of the last reply."""
        self._account, self._now = account, now
        # Its own retries know nothing of the replies' bodies, and a redirect would take the call to another host.
        self._http = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=account.connect_seconds, read=account.read_seconds), retries=False
        )
        self._retrying = Retrying(
            retry=retry_if_exception(lambda error: getattr(error, "family", None) in PASSING),
            stop=stop_after_attempt(TRIES),
            wait=wait_random_exponential(multiplier=1, max=LONGEST_WAIT),
            sleep=pause,
            reraise=True,
        )

    @property
    def is_clock_odd(self) -> bool:
        """Whether the clocks are so far apart that somebody should look."""
        return abs(self.clock_off) >= CLOCK_ALARM

    def updated_orders(self, from_at: int, until_at: int, page: int) -> OrderPage:
        """A page of the orders last updated within a span of at most 24 hours, in the last 90 days.

        Raises PlatformError once asking again doesn't help any more, or wouldn't.
        """
        asked = {
            "start_update_time": str(from_at),
            "end_update_time": str(until_at),
            "page": str(page),
            "page_size": str(PAGE_SIZE),
        }
        return self._ask(LISTS[self.listed], asked, read_page)

    def paid_orders(self, from_at: int, until_at: int, after: str) -> OrderPage:
        """A page of the orders paid within a span, as they are now.

        after    last_order_id of the page before; blank for the first
        """
        asked = {
            "start_time": _wall_time(from_at),
            "end_time": _wall_time(until_at),
            "last_order_id": after,
            "page_size": str(PAID_PAGE_SIZE),
        }
        return self._ask(PAID_LIST, asked, read_page)

    def order(self, order_sn: str) -> OrderDetail:
        """One order with its after-sale state."""
        return self._ask(DETAIL, {"order_sn": order_sn}, read_detail)

    def _ask(self, name: str, asked: dict[str, str], read: Callable[[bytes], _Reply]) -> _Reply:
        reply: _Reply = self._retrying(self._ask_once, name, asked, read)
        return reply

    def _ask_once(self, name: str, asked: dict[str, str], read: Callable[[bytes], _Reply]) -> _Reply:
        account = self._account
        # The timestamp is part of what is signed, so every try is signed anew.
        call = asked | {
            "type": name,
            "client_id": account.client_id,
            "timestamp": str(self._now()),
            "data_type": "JSON",
            "version": "V1",
        }
        call["sign"] = sign = signature(call, account.client_secret)
        try:
            return read(self._sent(urlencode(call)))
        except PlatformError as error:
            # A gateway may hand back what it was sent.
            hidden = [_without(str(text), sign, account.client_secret) for text in (error, error.zh)]
            raise PlatformError(error.family, *hidden) from None

    def _sent(self, form: str) -> bytes:
        """The body of the reply, whatever its status. A form, so that what is sent is text, just as it was signed."""
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        try:
            response = self._http.request(
                "POST", self._account.url, body=form, headers=headers, redirect=False, preload_content=False
            )
            try:
                body = self._body_of(response)
            except BaseException:
                response.close()  # what is left of it must not be taken for the next reply
                raise
            response.release_conn()
        except urllib3.exceptions.HTTPError as error:
            kind = type(error).__name__
            raise unread(kind, kind, "DOWN") from None
        self._compare_clocks(response.headers.get("Date"))
        if response.status // 100 == 3:
            raise unread(f"HTTP {response.status}, a redirect", f"HTTP {response.status} 重定向")
        return body

    def _body_of(self, response: urllib3.BaseHTTPResponse) -> bytes:
        deadline = time.monotonic() + 2 * self._account.read_seconds
        pieces, size = [], 0
        for piece in response.stream(1 << 16, decode_content=False):
            pieces.append(piece)
            size += len(piece)
            if size > REPLY_LIMIT:
                raise unread(f"more than {REPLY_LIMIT >> 20} MiB", f"超过 {REPLY_LIMIT >> 20} MiB")
            if time.monotonic() > deadline:
                raise unread("slower than it may be", "应答太慢", "DOWN")
        return b"".join(pieces)

    def _compare_clocks(self, date: str | None) -> None:
        try:
            there = int(parsedate_to_datetime(date or "").timestamp())
        except ValueError:
            return
        self.clock_off = there - self._now()
        if abs(self.clock_off) >= CLOCK_LIMIT:
            raise clock_off(self.clock_off)


def _wall_time(instant: int) -> str:
    return shown(instant)[:19].replace("T", " ")


def _without(text: str, *secrets: str) -> str:
    for secret in secrets:
        text = text.replace(secret, "***").replace(secret.lower(), "***")
    return text
