"""Webhook endpoints: made, changed and disabled by operators, and disabled by themselves after days of failure."""

import base64
import json
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Connection, insert, select, update

from bounty.audit.service import record
from bounty.db import Query, fetch_all, fetch_first
from bounty.errors import BountyError
from bounty.models import ENDPOINT_KINDS, Message, WebhookEndpoint
from bounty.notifications.message_kinds import EVENTS

ROTATION_SECONDS: Final = 24 * 3600
"""For so long after a rotation deliveries are signed with the old secret too."""
FAILING_SECONDS: Final = 5 * 24 * 3600
"""An endpoint that has failed for so long, without one delivery accepted, is disabled."""
LONGEST_NAME, LONGEST_URL, LONGEST_SECRET = 100, 1_000, 200
PREFIX: Final = "whsec_"
_ROBOTS: Final = {
    "dingtalk": (
        r"/robot/send",
        r"access_token=[A-Za-z0-9]+",
        "https://oapi.dingtalk.com/robot/send?access_token=…",
    ),
    "wecom": (
        r"/cgi-bin/webhook/send",
        r"key=[A-Za-z0-9-]+",
        "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…",
    ),
    "feishu": (
        r"/open-apis/bot/v2/hook/[A-Za-z0-9-]+",
        r"",
        "https://open.feishu.cn/open-apis/bot/v2/hook/…",
    ),
}
"""Kind -> path and query of a robot's address, and an example."""


@dataclass(frozen=True, slots=True)
class EndpointSecrets:
    """What must not be seen of an endpoint."""

    url: str
    secret: str = field(repr=False)
    """``whsec_`` and base64 of a webhook; what the chat gave for a robot; blank for a robot without one."""
    previous: str = field(default="", repr=False)
    """The secret before the last rotation; blank if there was none."""


class EndpointCipher:
    """Seals and opens the secrets of endpoints, under a key that is not in the database."""

    def __init__(self, key: str) -> None:
        purpose = b"bounty webhook endpoints: secret"
        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(key.encode())
        self._fernet = Fernet(urlsafe_b64encode(derived))

    def close(self, endpoint: EndpointSecrets) -> str:
        """Secrets as they are stored."""
        return self._fernet.encrypt(json.dumps(asdict(endpoint)).encode()).decode()

    def open(self, endpoint_id: int, sealed: str) -> EndpointSecrets:
        """What was closed. Raises BountyError under another key."""
        try:
            return EndpointSecrets(**json.loads(self._fernet.decrypt(sealed)))
        except InvalidToken:
            raise BountyError(
                f"The secrets of endpoint {endpoint_id} can't be read: BOUNTY_TOTP_KEY is not the key they were "
                "written with. Set that key again, or add the endpoint again.",
                f"读不出接收方 {endpoint_id} 的密钥：BOUNTY_TOTP_KEY 不是当时的那一把。请换回原来的密钥，或重新新增。",
            ) from None


@dataclass(frozen=True, slots=True)
class WantedEndpoint:
    """An endpoint as a person asks for it."""

    name: str
    events: Collection[str]
    """Kinds of events; empty for all."""
    programme: str | None
    """Null for all."""


class EndpointRow(NamedTuple):
    """An endpoint, without its address and secrets; ``models.WebhookEndpoint`` describes the columns."""

    endpoint_id: int
    name: str
    kind: str
    shown_url: str
    events: str
    programme: str | None
    made_at: int
    rotated_at: int | None
    failing_since: int | None
    disabled_at: int | None
    disabled_why: str | None


def _endpoints() -> Query:
    return select(*(WebhookEndpoint.__table__.c[name] for name in EndpointRow._fields))


def endpoints(connection: Connection) -> list[EndpointRow]:
    """Every endpoint, by its number."""
    return fetch_all(connection, _endpoints().order_by(WebhookEndpoint.endpoint_id), EndpointRow)


@cache
def endpoints_on() -> Query:
    """The endpoints that are on, as ``EndpointRow``, by number. Built once: a page of a hundred orders is a batch, and
    each batch is an event."""
    return _endpoints().where(WebhookEndpoint.disabled_at.is_(None)).order_by(WebhookEndpoint.endpoint_id)


def endpoint_of(connection: Connection, endpoint_id: int) -> EndpointRow | None:
    """One endpoint; null where there is none such."""
    return fetch_first(
        connection, _endpoints().where(WebhookEndpoint.endpoint_id == endpoint_id), EndpointRow
    )


def add_endpoint(
    connection: Connection,
    cipher: EndpointCipher,
    wanted: WantedEndpoint,
    *,
    kind: str,
    url: str,
    secret: str,
    now: int,
) -> tuple[int, str | None]:
    """Add an endpoint; its number, and the secret that was made for a webhook, which is shown once.

    secret  of a robot, as the chat gave it; a webhook's is made here

    Raises BountyError for a kind, an address, a secret or anything else that can't be.
    """
    if kind not in ENDPOINT_KINDS:
        raise BountyError(
            f"{kind!r} is no kind of endpoint: give one of {', '.join(ENDPOINT_KINDS)}.",
            f"没有“{kind}”这种接收方：请选 {'、'.join(ENDPOINT_KINDS)} 之一。",
        )
    values = _checked(wanted)
    url, secret = url.strip(), secret.strip()
    _require_address(kind, url)
    made = None
    if kind == "webhook":
        if secret:
            raise BountyError(
                "The secret of a webhook is made here and shown once: leave it blank.",
                "webhook 的密钥由系统生成并只显示一次：请留空。",
            )
        made = secret = new_secret()
    else:
        _require_robot_secret(kind, secret)
    row = values | {"kind": kind, "shown_url": _shown(kind, url), "made_at": now}
    endpoint_id: int = connection.execute(
        insert(WebhookEndpoint)
        .values(**row, sealed=cipher.close(EndpointSecrets(url, secret)))
        .returning(WebhookEndpoint.endpoint_id)
    ).scalar_one()
    record(connection, "webhook.add", _subject(endpoint_id), now, after=row)
    return endpoint_id, made


def change_endpoint(connection: Connection, endpoint_id: int, wanted: WantedEndpoint, now: int) -> bool:
    """Change name, events and programme; False if they are these already. Raises BountyError for what can't be."""
    before = _known(connection, endpoint_id)
    values = _checked(wanted)
    held = {name: getattr(before, name) for name in values}
    if held == values:
        return False
    _update(connection, endpoint_id, **values)
    record(connection, "webhook.change", _subject(endpoint_id), now, before=held, after=values)
    return True


def rotate_secret(
    connection: Connection, cipher: EndpointCipher, endpoint_id: int, now: int, secret: str = ""
) -> str | None:
    """Replace the secret; for ROTATION_SECONDS deliveries are signed with the old one too. The new one, where it was
    made here.

    secret  of a robot, as the chat gave it

    Raises BountyError for a robot's secret that can't be.
    """
    before = _known(connection, endpoint_id)
    held = secrets_of(connection, cipher, endpoint_id)
    made = None
    if before.kind == "webhook":
        made = secret = new_secret()
    else:
        _require_robot_secret(before.kind, secret.strip())
    sealed = cipher.close(EndpointSecrets(held.url, secret.strip(), held.secret))
    _update(connection, endpoint_id, sealed=sealed, rotated_at=now)
    record(connection, "webhook.rotate", _subject(endpoint_id), now)
    return made


def enable_endpoint(connection: Connection, endpoint_id: int, now: int) -> bool:
    """Send there again from now on; False if it was on. What failed before is resent by hand."""
    row = _known(connection, endpoint_id)
    if row.disabled_at is None:
        return False
    _update(connection, endpoint_id, disabled_at=None, disabled_why=None, failing_since=None)
    record(connection, "webhook.enable", _subject(endpoint_id), now, before={"why": row.disabled_why})
    return True


def disable_endpoint(connection: Connection, endpoint_id: int, now: int, why: str = "BY_HAND") -> bool:
    """Send nothing there from now on, what waits neither; False if it was off.

    why   one of DisabledReason
    """
    row = _known(connection, endpoint_id)
    if row.disabled_at is not None:
        return False
    _update(connection, endpoint_id, disabled_at=now, disabled_why=why)
    connection.execute(
        update(Message)
        .where(Message.endpoint_id == endpoint_id, Message.next_try_at.is_not(None))
        .values(next_try_at=None, tries=Message.tries + 1, last_error="the endpoint was disabled")
    )
    record(connection, "webhook.disable", _subject(endpoint_id), now, after={"why": why})
    return True


def secrets_of(connection: Connection, cipher: EndpointCipher, endpoint_id: int) -> EndpointSecrets:
    """Address and secrets of an endpoint. Raises BountyError under another key."""
    query = select(WebhookEndpoint.sealed).where(WebhookEndpoint.endpoint_id == endpoint_id)
    return cipher.open(endpoint_id, connection.execute(query).scalar_one())


def new_secret() -> str:
    """A secret as Standard Webhooks has them, of 32 random bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def events_of(row: EndpointRow) -> list[str]:
    """The events that an endpoint gets; all where it names none."""
    return row.events.split(",") if row.events else list(EVENTS)


def _known(connection: Connection, endpoint_id: int) -> EndpointRow:
    row = endpoint_of(connection, endpoint_id)
    if row is None:
        raise BountyError(
            f"There is no endpoint {endpoint_id}: `bounty webhook list` shows them.",
            f"没有第 {endpoint_id} 号接收方。",
        )
    return row


def _update(connection: Connection, endpoint_id: int, **values: object) -> None:
    of_endpoint = WebhookEndpoint.endpoint_id == endpoint_id
    connection.execute(update(WebhookEndpoint).where(of_endpoint).values(**values))


def _checked(wanted: WantedEndpoint) -> dict[str, str | None]:
    name = " ".join(wanted.name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise BountyError(
            f"An endpoint needs a name of 1 to {LONGEST_NAME} characters.",
            f"接收方须有 1 至 {LONGEST_NAME} 个字符的名称。",
        )
    unknown = sorted(set(wanted.events) - set(EVENTS))
    if unknown:
        raise BountyError(
            f"There is no event {unknown[0]!r}: there are {', '.join(EVENTS)}.",
            f"没有“{unknown[0]}”这种事件：可选 {'、'.join(EVENTS)}。",
        )
    events = ",".join(event for event in EVENTS if event in wanted.events)
    return {"name": name, "events": events, "programme": wanted.programme or None}


def _require_address(kind: str, url: str) -> None:
    """Raises BountyError unless it is https, without a name and password, and of the robot's form."""
    try:
        parts = urlsplit(url)
        fits = (
            parts.scheme == "https" and parts.hostname is not None and (parts.port is None or parts.port > 0)
        )
    except ValueError:
        fits = False
    if not fits or len(url) > LONGEST_URL or not re.fullmatch(r"[\x21-\x7e]+", url) or "@" in parts.netloc:
        raise BountyError(
            "Write the address as https://HOST/PATH, without a user name in it.",
            "地址请写成 https://主机/路径，不含用户名。",
        )
    if parts.fragment:
        raise BountyError("The address can't have a part behind #.", "地址不能带 # 之后的部分。")
    if kind in _ROBOTS:
        path, query, example = _ROBOTS[kind]
        if not re.fullmatch(path, parts.path) or not re.fullmatch(query, parts.query):
            raise BountyError(
                f"The address of this robot looks like {example}: copy it from the chat.",
                f"该机器人的地址形如 {example}：请从群机器人设置中复制。",
            )


def _require_robot_secret(kind: str, secret: str) -> None:
    if kind == "wecom" and secret:
        raise BountyError(
            "A robot of WeCom has no secret: its address is one. Leave it blank.",
            "企业微信机器人没有签名密钥，地址本身就是凭证：请留空。",
        )
    if len(secret) > LONGEST_SECRET or not re.fullmatch(r"[\x21-\x7e]*", secret):
        raise BountyError(
            f"A robot's secret has at most {LONGEST_SECRET} visible ASCII characters: copy it from the chat.",
            f"机器人的签名密钥最多 {LONGEST_SECRET} 个可见的 ASCII 字符：请从群机器人设置中复制。",
        )


def _shown(kind: str, url: str) -> str:
    """A webhook's address without its query; of a robot's nothing by which one could write to the chat.

    >>> _shown("feishu", "https://open.feishu.cn/open-apis/bot/v2/hook/0a1b"), _shown("webhook", "https://a.cn/x?k=1")
    ('https://open.feishu.cn/open-apis/bot/v2/hook/…', 'https://a.cn/x?…')
    """
    parts = urlsplit(url)
    path = parts.path.rpartition("/")[0] + "/…" if kind == "feishu" else parts.path
    return f"https://{parts.netloc}{path}{'?…' if parts.query else ''}"


def _subject(endpoint_id: int) -> str:
    return f"endpoint {endpoint_id}"
