"""The signature of a call. The platform prescribes MD5; nothing else in the program uses MD5."""

from collections.abc import Mapping
from hashlib import md5


def signature(parameters: Mapping[str, str], client_secret: str) -> str:
    """MD5 in upper-case hex of secret + parameters + secret, where the parameters are ``name`` + ``value`` by name.

    parameters   all parameters of the call, including the common ones, except ``sign``

    >>> signature({"type": "pdd.ddk.order.detail.get", "client_id": "1"}, "secret")
    'D281BC5563E0504CEA08AF791BA9EC1D'
    """
    joined = "".join(f"{name}{parameters[name]}" for name in sorted(parameters))
    text = f"{client_secret}{joined}{client_secret}"
    return md5(text.encode(), usedforsecurity=False).hexdigest().upper()
