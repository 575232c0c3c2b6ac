"""Delivery to one webhook, signed as Standard Webhooks specifies, and never to a private network by accident.

webhook-id         the message's id, which repeated attempts share
webhook-timestamp  epoch seconds of this attempt
webhook-signature  ``v1,`` and the HMAC-SHA256 of "id.timestamp.body" in base64
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
"""Time limits for connecting and for reading; seconds."""
_GONE: Final = 410
_NAT64: Final = ip_network("64:ff9b::/96")
_PREFIX: Final = "whsec_"


@dataclass(frozen=True, slots=True)
class Webhook:
    """The receiver of webhook events."""

    url: str
    secret: bytes = field(repr=False)
    """The key of the signature, 24 to 64 bytes."""
    private: bool = False
    """Whether the receiver may be on a private network."""


def webhook_of(url: str, secret: str, *, private: bool) -> Webhook | None:
    """Parse the webhook settings; None if the address is blank.

    Raises BountyError for an address that is not https, and for an invalid secret.
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
    """Send a message. Raises DeliveryFailed unless the receiver answers with 2xx.

    The connection goes to the IP address that was checked, so a second DNS look-up cannot lead to another one. The
    certificate must match the host name. Redirects are not followed.
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
    """An IP address of a host.

    Raises DeliveryFailed if the host is unknown, or if any of its addresses is private and that is not allowed.
    """
    try:
        found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        raise DeliveryFailed(f"{host} can't be looked up: {error}") from error
    not_public = [address for address in found if not is_public(ip_address(address.partition("%")[0]))]
    if not_public and not private:
        raise DeliveryFailed(
            f"{host} is {not_public[0]}, which is not a public address (BOUNTY_WEBHOOK_PRIVATE)"
        )
    return found[0]


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is public. An IPv4 address embedded in an IPv6 address is checked as IPv4.

    >>> [is_public(ip_address(each)) for each in ("1.1.1.1", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "::1")]
    [True, False, False, False, False]
    """
    embedded = None
    if isinstance(address, IPv6Address):
        embedded = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            embedded = IPv4Address(int(address) & 0xFFFFFFFF)
    if embedded is not None:
        return is_public(embedded)
    return address.is_global and not address.is_multicast
