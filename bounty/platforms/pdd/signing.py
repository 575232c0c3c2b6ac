"""The platform's signature of a call. MD5 is its choice; nothing of ours rests on it."""

from collections.abc import Mapping
from hashlib import md5


def signature(parameters: Mapping[str, str], client_secret: str) -> str:
    """Upper-case hex of the MD5 of all parameters, sorted by name and run together, between the secret and itself.

    parameters   as they are sent, common ones included, but for ``sign``

    >>> signature({"type": "pdd.ddk.order.detail.get", "client_id": "1"}, "secret")
    'D281BC5563E0504CEA08AF791BA9EC1D'
    """
    told = "".join(f"{name}{parameters[name]}" for name in sorted(parameters))
    text = f"{client_secret}{told}{client_secret}"
    return md5(text.encode(), usedforsecurity=False).hexdigest().upper()
