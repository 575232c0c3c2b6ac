"""One webhook, signed in the form of Standard Webhooks, and kept away from private networks.

webhook-id         the message's own: the same whenever it comes again
webhook-timestamp  epoch seconds of this try
webhook-signature  v1, and the HMAC-SHA256 over "id.timestamp.body", base64
"""

import base64
import binascii
import hmac
import socket
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

import urllib3

from bounty.errors import BountyError
from bounty.notifications.errors import DeliveryFailed

CONNECT, READ = 5, 15
"""Seconds."""
_GONE: Final = 410
_NAT64: Final = ip_network("64:ff9b::/96")
_PREFIX: Final = "whsec_"


@dataclass(frozen=True, slots=True)
class Webhook:
    """Who is told by webhook."""

    url: str
    secret: bytes = field(repr=False)
    private: bool = False
    """Whether it may be on a private network."""


def webhook_of(url: str, secret: str, *, private: bool) -> Webhook | None:
    """The webhook that settings name; None where there is none.

    Raises BountyError for an address that is not https, or a secret that is none.
    """
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.username is not None or parts.fragment:
        raise BountyError("BOUNTY_WEBHOOK_URL must be https://HOST/PATH, without a name in it.")
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_PREFIX) or not 24 <= len(key) <= 64:
        raise BountyError(
            "BOUNTY_WEBHOOK_SECRET must be whsec_ and 24 to 64 random bytes in base64, such as those of "
            "`openssl rand -base64 32`."
        )
    return Webhook(url, key, private)


def signature(secret: bytes, message: str, timestamp: int, body: bytes) -> str:
    """The value of ``webhook-signature``."""
    signed = f"{message}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(secret, signed, 'sha256')).decode()}"


def deliver(webhook: Webhook, message: str, body: bytes, now: int) -> None:
    """Raises Undelivered unless the other side took it (2xx).

    It connects to an address that was looked up and checked here, so that no second look-up can lead elsewhere; the
    certificate must be the host's. Redirects are not followed.
    """
    parts = urlsplit(webhook.url)
    host, port = str(parts.hostname), parts.port or 443
    headers = {
        "host": parts.netloc,
        "content-type": "application/json",
        "user-agent": "bounty",
        "webhook-id": message,
        "webhook-timestamp": str(now),
        "webhook-signature": signature(webhook.secret, message, now, body),
    }
    pool = urllib3.HTTPSConnectionPool(
        _address(host, port, private=webhook.private),
        port,
        timeout=urllib3.Timeout(connect=CONNECT, read=READ),
        retries=False,
        server_hostname=host,
        assert_hostname=host,
    )
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        reply = pool.urlopen(
            "POST", target, body=body, headers=headers, redirect=False, preload_content=False
        )
        status = reply.status
        reply.close()
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise DeliveryFailed(f"{type(error).__name__}: {error}") from error
    finally:
        pool.close()
    if not 200 <= status < 300:
        raise DeliveryFailed(f"HTTP {status}", final=status == _GONE)


def _address(host: str, port: int, *, private: bool) -> str:
    """An address of a host, none of which may be on a private network."""
    try:
        found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        raise DeliveryFailed(f"{host} can't be looked up: {error}") from error
    inner = [address for address in found if not is_public(ip_address(address.partition("%")[0]))]
    if inner and not private:
        raise DeliveryFailed(f"{host} is {inner[0]}, which is not a public address (BOUNTY_WEBHOOK_PRIVATE)")
    return found[0]


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of the public network, also where it is written as one of the other version.

    >>> [is_public(ip_address(each)) for each in ("1.1.1.1", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "::1")]
    [True, False, False, False, False]
    """
    within = None
    if isinstance(address, IPv6Address):
        within = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            within = IPv4Address(int(address) & 0xFFFFFFFF)
    if within is not None:
        return is_public(within)
    return address.is_global and not address.is_multicast
