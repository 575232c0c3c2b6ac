"""Writes messages to the outbox, in the transaction of their cause.

A message's id is a hash of its kind, cause and recipient, so the same cause writes no second message.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

from sqlalchemy import ColumnElement, Connection, func, select, true

from bounty.clock import shown
from bounty.db import fetch_all, insert_into
from bounty.models import Message, MessageChoice, User
from bounty.notifications.endpoints import EndpointRow, endpoints_on, events_of
from bounty.notifications.inbox import BODIES, SUBJECTS
from bounty.notifications.message_kinds import PROMOTER_KINDS, SETTING_KINDS, MessageKind
from bounty.notifications.robots import body_of
from bounty.rules.periods import Period

Bilingual = tuple[str, str]
"""A text in Chinese and in English."""


@dataclass(frozen=True, slots=True)
class MessageText:
    """The text of a message to a person."""

    subject: Bilingual
    zh: str
    """The body in Chinese."""
    en: str
    """The body in English."""
    path: str | None = None
    """Path of the page with the details."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """An account that receives mail."""

    user_id: int
    email: str
    promoter_id: int | None
    """The account's promoter; None for staff."""
    language: str
    """One of ``models.notifications.LANGUAGES``."""
    mailed: bool = True
    """Whether the account wants the mail; without it the message is on its pages alone."""


def notify_promoters(
    connection: Connection, kind: str, cause: str, text_for: Callable[[int], MessageText | None], now: int
) -> int:
    """Write a message to every promoter with an account, with one query for all: for their pages, and for a mail unless
    they opted out of this kind.

    kind       one of PROMOTER_KINDS
    cause      the unique event that causes the message, as ``2022-12 notice 1``
    text_for   promoter id -> text; None for no message

    Returns the number of mails.
    """
    assert kind in PROMOTER_KINDS
    messages, mails = [], 0
    for recipient in _recipients(connection, User.role == "promoter", kind=kind):
        assert recipient.promoter_id is not None
        text = text_for(recipient.promoter_id)
        if text is not None:
            messages.append(_mail(kind, cause, recipient, text, now))
            mails += recipient.mailed
    _write(connection, messages)
    return mails


def notify_operators(connection: Connection, kind: str, cause: str, text: MessageText, now: int) -> int:
    """Write a mail to every operator; returns the number of mails."""
    assert kind in set(MessageKind) - set(PROMOTER_KINDS)
    recipients = _recipients(connection, User.role == "operator")
    return _write(connection, [_mail(kind, cause, recipient, text, now) for recipient in recipients])


def notify_account(
    connection: Connection,
    kind: str,
    cause: str,
    user_id: int,
    text: MessageText,
    now: int,
    *,
    language: str | None = None,
) -> int:
    """Write a mail to one account, unless it is disabled; returns the number of mails.

    language  ``zh`` or ``en``, the language of the person who makes the request; None for the account's preference
    """
    assert kind in set(MessageKind) - set(PROMOTER_KINDS)
    recipients = _recipients(connection, User.id == user_id)
    if language is not None:
        recipients = [replace(recipient, language=language) for recipient in recipients]
    return _write(connection, [_mail(kind, cause, recipient, text, now) for recipient in recipients])


def notify_address(
    connection: Connection, kind: str, cause: str, email: str, text: MessageText, now: int
) -> None:
    """Write a mail, in both languages, to somebody who has no account yet."""
    assert kind in set(MessageKind) - set(PROMOTER_KINDS)
    row = _row(kind, cause, "mail", None, email, now)
    subject, body = _in("both", text.subject, SUBJECTS), _in("both", (text.zh, text.en), BODIES)
    _write(connection, [row | {"subject": subject, "body": body, "path": text.path}])


def announce(connection: Connection, kind: str, cause: str, data: Mapping[str, object], now: int) -> None:
    """Write an event for each endpoint that gets its kind and programme, and for the webhook of the settings. If
    that is not configured when the event is sent, it is not sent.

    data    values that JSON can represent, without fractions and without personal data of a promoter; ``period``, where
            there is one, says of which programme the event is
    """
    period = data.get("period")
    programme = None if period is None else Period.parse(str(period)).programme
    rows = [
        _event(kind, cause, data, now, endpoint)
        for endpoint in fetch_all(connection, endpoints_on(), EndpointRow)
        if kind in events_of(endpoint)
        and (programme is None or endpoint.programme is None or programme == endpoint.programme)
    ]
    if kind in SETTING_KINDS:
        rows.append(_event(kind, cause, data, now))
    _write(connection, rows)


def has_endpoints(connection: Connection) -> bool:
    """Whether any endpoint is on; for callers whose event takes a query of its own."""
    return connection.execute(endpoints_on()).first() is not None


def announce_test(connection: Connection, endpoint: EndpointRow, cause: str, now: int) -> str:
    """Write a test for one endpoint; the message's id."""
    row = _event("test", cause, {}, now, endpoint)
    _write(connection, [row])
    return str(row["message"])


def _event(
    kind: str, cause: str, data: Mapping[str, object], now: int, endpoint: EndpointRow | None = None
) -> dict[str, object]:
    """An event as one receiver gets it; without an endpoint, the webhook of the settings."""
    if endpoint is None or endpoint.kind == "webhook":
        payload = {"type": f"bounty.{kind}", "timestamp": shown(now), "data": data}
        body = json.dumps(payload, ensure_ascii=False)
    else:
        body = body_of(endpoint.kind, kind, data)
    to = None if endpoint is None else f"endpoint {endpoint.endpoint_id}"
    row = _row(kind, cause, "webhook", to, "webhook" if endpoint is None else endpoint.name, now)
    number = None if endpoint is None else endpoint.endpoint_id
    subject = f"{MessageKind.labels()[kind][1]}: {cause}"
    return row | {"subject": subject, "body": body, "path": None, "endpoint_id": number, "user_id": None}


def _recipients(
    connection: Connection, *conditions: ColumnElement[bool], kind: str | None = None
) -> list[Recipient]:
    """Accounts that hold the conditions.

    kind   whose mail they may have opted out of; None for one that nobody can opt out of
    """
    wanted = true() if kind is None else func.coalesce(getattr(MessageChoice, kind), true())
    rows = connection.execute(
        select(User.id, User.email, User.promoter_id, func.coalesce(MessageChoice.language, "both"), wanted)
        .outerjoin(MessageChoice, MessageChoice.user_id == User.id)
        .where(User.active.is_(true()), *conditions)
        .order_by(User.id)
    )
    return [Recipient(row[0], row[1], row[2], row[3], bool(row[4])) for row in rows]


def _mail(kind: str, cause: str, recipient: Recipient, text: MessageText, now: int) -> dict[str, object]:
    row = _row(kind, cause, "mail", recipient.user_id, recipient.email, now)
    subject = _in(recipient.language, text.subject, SUBJECTS)
    body = _in(recipient.language, (text.zh, text.en), BODIES)
    if not recipient.mailed:
        row["next_try_at"] = None
    return row | {"subject": subject, "body": body, "path": text.path}


def _in(language: str, text: Bilingual, separator: str) -> str:
    """The text in one language, or both joined by a separator."""
    return {"zh": text[0], "en": text[1]}.get(language, separator.join(text))


def _row(
    kind: str, cause: str, channel: str, to: int | str | None, recipient: str, now: int
) -> dict[str, object]:
    """What all messages have.

    to   the account, or what tells one endpoint from another
    """
    key = "\n".join((kind, cause, channel, str(to)))
    return {
        "message": f"msg_{sha256(key.encode()).hexdigest()[:32]}",
        "channel": channel,
        "kind": kind,
        "user_id": to,
        "recipient": recipient,
        "written_at": now,
        "tries": 0,
        "next_try_at": now,
    }


def _write(connection: Connection, rows: Iterable[dict[str, object]]) -> int:
    rows = list(rows)
    if rows:
        connection.execute(insert_into(connection.dialect.name, Message).on_conflict_do_nothing(), rows)
    return len(rows)
