"""The application's account on the open platform: address, client id and secret."""

import re
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import urlsplit

from bounty.errors import BountyError

GATEWAY: Final = "https://gw-api.pinduoduo.com/api/router"
OrderScope = Literal["all", "own"]
"""Orders of ``all`` authorised promoters, or only of the account's ``own`` promotion links."""
_LOOPBACK: Final = re.compile(r"localhost|127(\.\d{1,3}){3}|::1")


@dataclass(frozen=True, slots=True)
class PlatformAccount:
    """The settings of an application on the platform."""

    url: str
    """The address that receives the calls."""
    client_id: str
    """The application's public id; blank if no account is configured."""
    client_secret: str = field(repr=False)
    """The application's secret, which signs the calls."""
    order_scope: OrderScope = "all"
    """Whose orders the lists return."""
    connect_seconds: float = 5
    """Time limit for connecting, seconds."""
    read_seconds: float = 30
    """Longest pause within a response, seconds. The whole response may take twice as long."""


def require_safe_address(url: str) -> None:
    """Raise BountyError unless the address is https (or http on this machine), without a user name and a query."""
    parts = urlsplit(url)
    is_loopback = _LOOPBACK.fullmatch(parts.hostname or "") is not None
    if (
        not parts.hostname
        or (parts.scheme != "https" and not (parts.scheme == "http" and is_loopback))
        or parts.username is not None
        or parts.query
    ):
        raise BountyError(
            "BOUNTY_PLATFORM_URL must be https://HOST/PATH (http only on this machine itself), "
            f"such as {GATEWAY}.",
            f"BOUNTY_PLATFORM_URL 须为 https://主机/路径（仅本机可用 http），如 {GATEWAY}。",
        )
