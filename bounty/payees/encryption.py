"""Where promoters are paid, as the database keeps it: sealed under a key that is not in the database, known again by a
fingerprint, and shown by masks alone.
"""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from dataclasses import astuple, dataclass
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bounty.errors import BountyError

STARS: Final = 3
"""At most so many stand for the rest of a name, however long it is."""


@dataclass(frozen=True, slots=True)
class PayeeDetails:
    """Where money goes, in plain: never stored, shown, logged or put into a message."""

    method: str
    """``alipay``, ``bank`` or ``wechat``."""
    account: str
    payee_name: str
    bank_name: str
    """Empty for Alipay."""
    bank_code: str
    """The bank's 12 digits (联行号), or empty."""


class PayeeCipher:
    """Closes and opens details. Its keys are derived from the setting's, so that none tells of another."""

    def __init__(self, key: str) -> None:
        self._fernet = Fernet(urlsafe_b64encode(_derived(key, b"bounty payees: secret")))
        self._fingerprints = _derived(key, b"bounty payees: fingerprint")
        self._files = Fernet(urlsafe_b64encode(_derived(key, b"bounty receipts: waiting")))

    def close(self, promoter_id: int, proposal_id: int, details: PayeeDetails) -> bytes:
        """Details as they are stored, for one promoter in one proposal."""
        return self._fernet.encrypt(_canonical([promoter_id, proposal_id, *astuple(details)]))

    def open(self, promoter_id: int, proposal_id: int, secret: bytes) -> PayeeDetails:
        """What was closed.

        Raises BountyError for another key, and for a secret that was changed or is another promoter's.
        """
        try:
            held = json.loads(self._fernet.decrypt(secret))
        except InvalidToken:
            held = []
        if held[:2] != [promoter_id, proposal_id]:
            raise BountyError(
                f"The payee of promoter {promoter_id} (proposal {proposal_id}) can't be read: BOUNTY_PAYEE_KEY is not "
                "the key it was taken in with, or the row was changed. Set that key again, or import the payee again.",
                f"读不出推手 {promoter_id} 的收款信息（第 {proposal_id} 份）：密钥 BOUNTY_PAYEE_KEY 不是当时的那一把，"
                "或该行被改动过。请换回原来的密钥，或重新导入。",
            )
        return PayeeDetails(*held[2:])

    def close_file(self, content: bytes) -> bytes:
        """A file that names accounts, as it may lie on a disk until somebody says yes to it."""
        return self._files.encrypt(content)

    def open_file(self, closed: bytes) -> bytes | None:
        """What was closed; null under another key, or where it was changed."""
        try:
            return self._files.decrypt(closed)
        except InvalidToken:
            return None

    def fingerprint(self, details: PayeeDetails) -> str:
        """Equal for equal details under one key, and says nothing else; hex."""
        return hmac.new(self._fingerprints, _canonical(astuple(details)), hashlib.sha256).hexdigest()


def _derived(key: str, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(key.encode())


def _canonical(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def masked_account(account: str) -> str:
    """An account by which its owner knows it and nobody else can use it.

    >>> [masked_account(each) for each in ("13812345678", "abcdef@example.com", "a@b.cn", "6222021234561234")]
    ['138****5678', 'ab***@example.com', '***@b.cn', '**** 1234']
    """
    name, at, host = account.rpartition("@")
    if at:
        return f"{name[:2] if len(name) > 2 else ''}***@{host}"
    if len(account) == 11 and account.startswith("1"):
        return f"{account[:3]}****{account[-4:]}"
    return f"**** {account[-4:]}"


def masked_name(name: str) -> str:
    """A name by its first character.

    >>> masked_name("陈默"), masked_name("John Smith"), masked_name("陈")
    ('陈*', 'J***', '*')
    """
    return f"{name[:1]}{'*' * min(len(name) - 1, STARS)}" if len(name) > 1 else "*"
