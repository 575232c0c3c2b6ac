"""An application on the open platform: its address, its name there, its secret."""

import re
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import urlsplit

from bounty.errors import BountyError

GATEWAY: Final = "https://gw-api.pinduoduo.com/api/router"
Listed = Literal["all", "own"]
_LOOPBACK: Final = re.compile(r"localhost|127(\.\d{1,3}){3}|::1")


@dataclass(frozen=True, slots=True)
class PlatformAccount:
    """An application on the platform."""

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    listed: Listed = "all"
    """Whose orders are asked for: of all authorised promoters, or the account's own."""
    connect_seconds: float = 5
    read_seconds: float = 30
    """How long a reply may be silent; it may take twice that as a whole."""


def require_safe_address(url: str) -> None:
    """Raises BountyError for an address that is neither https nor on this machine, or carries a name or a query."""
    parts = urlsplit(url)
    near = _LOOPBACK.fullmatch(parts.hostname or "") is not None
    if (
        not parts.hostname
        or (parts.scheme != "https" and not (parts.scheme == "http" and near))
        or parts.username is not None
        or parts.query
    ):
        raise BountyError(
            "BOUNTY_PLATFORM_URL must be https://HOST/PATH (http only on this machine itself), "
            f"such as {GATEWAY}.",
            f"BOUNTY_PLATFORM_URL 须为 https://主机/路径（仅本机可用 http），如 {GATEWAY}。",
        )
