"""Client of the open platform: signed calls to one host, with time limits and retries of temporary errors.

The secret and the signatures leave this module only in the body of a call.
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
from bounty.platforms.pdd.account import OrderScope, PlatformAccount, require_safe_address
from bounty.platforms.pdd.errors import RETRYABLE, PlatformError, clock_error, no_response
from bounty.platforms.pdd.replies import OrderDetail, OrderPage, read_detail, read_page
from bounty.platforms.pdd.signing import signature

PAGE_SIZE: Final = 50
"""Rows of a page of the list by update time. The platform accepts 10 to 100 and recommends 40 to 50."""
PAID_PAGE_SIZE: Final = 300
"""Rows of a page of the list by pay time, as the platform recommends."""
PAGES_LIMIT: Final = 10_000
"""Highest page number that the platform accepts."""
LISTS: Final[dict[OrderScope, str]] = {
    "all": "pdd.ddk.all.order.list.increment.get",
    "own": "pdd.ddk.order.list.increment.get",
}
"""Order scope -> the call for the list by update time."""
PAID_LIST: Final = "pdd.ddk.order.list.range.get"
DETAIL: Final = "pdd.ddk.order.detail.get"

TRIES: Final = 8
"""How often a call is sent in total, with random waits that grow exponentially."""
LONGEST_WAIT: Final = 60
"""Longest wait between two attempts, seconds."""
CLOCK_LIMIT: Final = 9 * 60
"""Clock difference in seconds at which calls are refused here; the platform refuses them at ten minutes."""
CLOCK_ALARM: Final = 60
"""Clock difference in seconds from which a warning is shown."""
REPLY_LIMIT: Final = 32 << 20
"""Largest response, bytes."""
_Reply = TypeVar("_Reply", OrderPage, OrderDetail)


class Platform:
    """The platform's calls for one application."""

    def __init__(
        self, account: PlatformAccount, now: Callable[[], int], pause: Callable[[float], None] = time.sleep
    ) -> None:
        """
        now     returns the present instant; epoch seconds
        pause   waits for a number of seconds between two attempts

        Raises BountyError if the account is not configured or its address is not safe.
        """
        require_safe_address(account.url)
        if not account.client_id or not account.client_secret:
            raise BountyError(
                "No account of the open platform is set: give BOUNTY_PLATFORM_CLIENT_ID and "
                "BOUNTY_PLATFORM_CLIENT_SECRET, or import orders from files.",
                "尚未设置开放平台账号：请设置 BOUNTY_PLATFORM_CLIENT_ID 与 BOUNTY_PLATFORM_CLIENT_SECRET，"
                "或导入订单文件。",
            )
        self.order_scope: OrderScope = account.order_scope
        self.clock_offset = 0
        """The platform's clock minus ours at the last response, seconds."""
        self._account, self._now = account, now
        # No retries by urllib3: errors are in the response's body. No redirects: they could lead to another host.
        self._http = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=account.connect_seconds, read=account.read_seconds), retries=False
        )
        self._retrying = Retrying(
            retry=retry_if_exception(lambda error: getattr(error, "family", None) in RETRYABLE),
            stop=stop_after_attempt(TRIES),
            wait=wait_random_exponential(multiplier=1, max=LONGEST_WAIT),
            sleep=pause,
            reraise=True,
        )

    @property
    def has_clock_warning(self) -> bool:
        """Whether the clocks differ by CLOCK_ALARM or more."""
        return abs(self.clock_offset) >= CLOCK_ALARM

    def updated_orders(self, from_at: int, until_at: int, page: int) -> OrderPage:
        """A page of the orders last updated within a window of at most 24 hours in the last 90 days.

        from_at, until_at   epoch seconds; the platform includes both ends

        Raises PlatformError for a permanent error, and for a temporary one after TRIES attempts.
        """
        parameters = {
            "start_update_time": str(from_at),
            "end_update_time": str(until_at),
            "page": str(page),
            "page_size": str(PAGE_SIZE),
        }
        return self._call(LISTS[self.order_scope], parameters, read_page)

    def paid_orders(self, from_at: int, until_at: int, after: str) -> OrderPage:
        """A page of the orders paid within a window, in their present state.

        from_at, until_at   epoch seconds; the platform includes both ends
        after               last_order_id of the previous page; blank for the first page

        Raises PlatformError as ``updated_orders`` does.
        """
        parameters = {
            "start_time": _wall_time(from_at),
            "end_time": _wall_time(until_at),
            "last_order_id": after,
            "page_size": str(PAID_PAGE_SIZE),
        }
        return self._call(PAID_LIST, parameters, read_page)

    def order(self, order_sn: str) -> OrderDetail:
        """One order with its after-sales status. Raises PlatformError as ``updated_orders`` does."""
        return self._call(DETAIL, {"order_sn": order_sn}, read_detail)

    def _call(self, name: str, parameters: dict[str, str], read: Callable[[bytes], _Reply]) -> _Reply:
        reply: _Reply = self._retrying(self._call_once, name, parameters, read)
        return reply

    def _call_once(self, name: str, parameters: dict[str, str], read: Callable[[bytes], _Reply]) -> _Reply:
        account = self._account
        # The signature covers the timestamp, so every attempt has its own signature.
        call = parameters | {
            "type": name,
            "client_id": account.client_id,
            "timestamp": str(self._now()),
            "data_type": "JSON",
            "version": "V1",
        }
        call["sign"] = sign = signature(call, account.client_secret)
        try:
            return read(self._post(urlencode(call)))
        except PlatformError as error:
            # A gateway's error message can repeat the request, so signature and secret are masked.
            masked = [_mask(str(text), sign, account.client_secret) for text in (error, error.zh)]
            raise PlatformError(error.family, *masked) from None

    def _post(self, form: str) -> bytes:
        """Send a call and return the response's body, whatever its status.

        A form sends every parameter as text, in the form in which it was signed.
        """
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        try:
            response = self._http.request(
                "POST", self._account.url, body=form, headers=headers, redirect=False, preload_content=False
            )
            try:
                body = self._body_of(response)
            except BaseException:
                response.close()  # the unread rest must not be read as the next response
                raise
            response.release_conn()
        except urllib3.exceptions.HTTPError as error:
            kind = type(error).__name__
            raise no_response(kind, kind, "DOWN") from None
        self._compare_clocks(response.headers.get("Date"))
        if response.status // 100 == 3:
            raise no_response(f"HTTP {response.status}, a redirect", f"HTTP {response.status} 重定向")
        return body

    def _body_of(self, response: urllib3.BaseHTTPResponse) -> bytes:
        """Read the body within the limits of size and time. Raises PlatformError beyond them."""
        deadline = time.monotonic() + 2 * self._account.read_seconds
        pieces, size = [], 0
        for piece in response.stream(1 << 16, decode_content=False):
            pieces.append(piece)
            size += len(piece)
            if size > REPLY_LIMIT:
                raise no_response(f"more than {REPLY_LIMIT >> 20} MiB", f"超过 {REPLY_LIMIT >> 20} MiB")
            if time.monotonic() > deadline:
                raise no_response("slower than it may be", "应答太慢", "DOWN")
        return b"".join(pieces)

    def _compare_clocks(self, date: str | None) -> None:
        """Compare the response's Date header with our clock. Raises PlatformError at CLOCK_LIMIT."""
        try:
            platform_time = int(parsedate_to_datetime(date or "").timestamp())
        except ValueError:
            return
        self.clock_offset = platform_time - self._now()
        if abs(self.clock_offset) >= CLOCK_LIMIT:
            raise clock_error(self.clock_offset)


def _wall_time(instant: int) -> str:
    """An instant as Shanghai wall time, as ``2022-12-20 23:59:59``."""
    return shown(instant)[:19].replace("T", " ")


def _mask(text: str, *secrets: str) -> str:
    for secret in secrets:
        text = text.replace(secret, "***").replace(secret.lower(), "***")
    return text
