"""Delivery to a webhook, signed as Standard Webhooks specifies, and never to a private network by accident.

webhook-id         the message's id, which repeated attempts share
webhook-timestamp  epoch seconds of this attempt
webhook-signature  ``v1,`` and the HMAC-SHA256 of "id.timestamp.body" in base64; after a rotation another one, by the
                   secret before, behind a blank
"""

import base64
import binascii
import hmac
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

import urllib3
import urllib3.connection

from bounty.errors import BountyError
from bounty.notifications.errors import DeliveryFailed

CONNECT, READ, WHOLE = 5, 15, 20
"""Time limits for connecting, for each wait for bytes, and for the whole delivery; seconds."""
ANSWER_BYTES: Final = 2_000
"""How much of an answer is read and kept."""
GONE: Final = 410
"""The status by which a receiver says that it wants nothing any more."""
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
    previous: bytes | None = field(default=None, repr=False)
    """The key before a rotation, while it holds too."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answered."""

    status: int
    """Of HTTP."""
    text: str
    """How the body begins."""


def webhook_of(url: str, secret: str, *, private: bool) -> Webhook | None:
    """Parse the webhook settings; None if the address is blank.

    Raises BountyError for an address that is not https, and for an invalid secret.
    """
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.username is not None or parts.fragment:
        raise BountyError("BOUNTY_WEBHOOK_URL must be https://HOST/PATH, without a name in it.")
    key = key_of(secret)
    if key is None:
        raise BountyError(
            "BOUNTY_WEBHOOK_SECRET must be whsec_ and 24 to 64 random bytes in base64, such as those of "
            "`openssl rand -base64 32`."
        )
    return Webhook(url, key, private)


def key_of(secret: str) -> bytes | None:
    """The key that a secret names; null for one that is none."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if secret.startswith(_PREFIX) and 24 <= len(key) <= 64 else None


def signature(secret: bytes, message: str, timestamp: int, body: bytes) -> str:
    """The value of ``webhook-signature`` by one key."""
    signed = f"{message}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(secret, signed, 'sha256')).decode()}"


def deliver(webhook: Webhook, message: str, body: bytes, now: int) -> Answer:
    """Send a message. Raises DeliveryFailed unless the receiver answers with 2xx."""
    keys = [key for key in (webhook.secret, webhook.previous) if key is not None]
    headers = {
        "webhook-id": message,
        "webhook-timestamp": str(now),
        "webhook-signature": " ".join(signature(key, message, now, body) for key in keys),
    }
    return post(webhook.url, body, headers, private=webhook.private)


def post(url: str, body: bytes, headers: Mapping[str, str], *, private: bool) -> Answer:
    """Send JSON. Raises DeliveryFailed unless the receiver answers with 2xx.

    The connection goes to the IP address that was checked, so a second DNS look-up cannot lead to another one. The
    certificate must match the host name. Redirects are not followed.
    """
    parts = urlsplit(url)
    host, port = str(parts.hostname), parts.port or 443
    connection = urllib3.connection.HTTPSConnection(
        _address(host, port, private=private),
        port,
        timeout=CONNECT,
        server_hostname=host,
        assert_hostname=host,
        cert_reqs="CERT_REQUIRED",
    )
    given_up = threading.Event()

    def give_up() -> None:
        given_up.set()
        with suppress(OSError, AttributeError):  # it may end by itself meanwhile
            connection.sock.shutdown(socket.SHUT_RDWR)

    # A receiver that sends a byte now and then never meets the limit of one wait.
    clock = threading.Timer(WHOLE, give_up)
    clock.daemon = True
    clock.start()
    try:
        connection.connect()
        connection.sock.settimeout(READ)
        connection.request(
            "POST",
            (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            body=body,
            headers={
                "host": parts.netloc,
                "content-type": "application/json",
                "user-agent": "bounty",
                "accept-encoding": "identity",
                **headers,
            },
            preload_content=False,
            decode_content=False,
        )
        reply = connection.getresponse()
        text = reply.read(ANSWER_BYTES, decode_content=False).decode("utf-8", "replace")
        answer = Answer(reply.status, text.replace("\0", "\ufffd"))
    except (urllib3.exceptions.HTTPError, HTTPException, OSError) as error:
        if not given_up.is_set():
            raise DeliveryFailed(f"{type(error).__name__}: {error}") from error
    finally:
        clock.cancel()
        connection.close()
    if given_up.is_set():  # also where headers that were cut off look like an answer
        raise DeliveryFailed(f"no whole answer within {WHOLE} seconds")
    if not 200 <= answer.status < 300:
        gone = answer.status == GONE
        raise DeliveryFailed(f"HTTP {answer.status}", final=gone, status=answer.status, answer=answer.text)
    return answer


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
