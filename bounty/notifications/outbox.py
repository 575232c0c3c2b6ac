"""Writing messages, in the transaction of whatever causes them.

A message's id is made of its kind, its cause and its reader: the same cause again writes nothing.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, func, or_, select, true

from bounty.clock import shown
from bounty.db import insert_into
from bounty.models import Message, MessageChoice, User
from bounty.notifications.message_kinds import CHOSEN, KINDS

Both = tuple[str, str]
"""A text in Chinese and in English."""
_BETWEEN = "\n\n----------\n\n"


@dataclass(frozen=True, slots=True)
class MessageText:
    """What a person is told."""

    subject: Both
    zh: str
    en: str
    path: str | None = None
    """Of our page that says more."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """An account that is mailed."""

    user_id: int
    email: str
    promoter_id: int | None
    language: str


def notify_promoters(
    connection: Connection, kind: str, cause: str, letter_for: Callable[[int], MessageText | None], now: int
) -> int:
    """Mail every promoter who has an account and wants to know; how many. One query, however many there are.

    kind        one of CHOSEN
    cause       what it is about, once and for all, as ``2022-12 notice 1``
    letter_for  promoter -> what to tell them; None where there is nothing
    """
    assert kind in CHOSEN
    wanted = getattr(MessageChoice, kind)
    mails = []
    for reader in _readers(connection, User.role == "promoter", or_(wanted.is_(None), wanted.is_(true()))):
        assert reader.promoter_id is not None
        letter = letter_for(reader.promoter_id)
        if letter is not None:
            mails.append(_mail(kind, cause, reader, letter, now))
    return _write(connection, mails)


def notify_operators(connection: Connection, kind: str, cause: str, letter: MessageText, now: int) -> int:
    """Mail every operator; how many."""
    assert kind in KINDS.keys() - set(CHOSEN)
    readers = _readers(connection, User.role == "operator")
    return _write(connection, [_mail(kind, cause, reader, letter, now) for reader in readers])


def tell_account(
    connection: Connection,
    kind: str,
    cause: str,
    user_id: int,
    letter: MessageText,
    now: int,
    *,
    language: str | None = None,
) -> int:
    """Mail one account, unless it is disabled; how many.

    language  zh or en, of whoever asks just now; without one, as the account has chosen
    """
    assert kind in KINDS.keys() - set(CHOSEN)
    readers = _readers(connection, User.id == user_id)
    if language is not None:
        readers = [replace(reader, language=language) for reader in readers]
    return _write(connection, [_mail(kind, cause, reader, letter, now) for reader in readers])


def announce(connection: Connection, kind: str, cause: str, data: Mapping[str, Any], now: int) -> None:
    """Tell the webhook, if there is one by the time of sending.

    data    what JSON can hold without fractions; nothing of a single promoter
    """
    body = json.dumps({"type": f"bounty.{kind}", "timestamp": shown(now), "data": data}, ensure_ascii=False)
    row = _row(kind, cause, "webhook", None, "webhook", now)
    _write(connection, [row | {"subject": f"{KINDS[kind][1]}: {cause}", "body": body, "path": None}])


def _readers(connection: Connection, *whose: Any) -> list[Recipient]:
    rows = connection.execute(
        select(User.id, User.email, User.promoter_id, func.coalesce(MessageChoice.language, "both"))
        .outerjoin(MessageChoice, MessageChoice.user_id == User.id)
        .where(User.active.is_(true()), *whose)
        .order_by(User.id)
    )
    return [Recipient(*row) for row in rows]


def _mail(kind: str, cause: str, reader: Recipient, letter: MessageText, now: int) -> dict[str, Any]:
    row = _row(kind, cause, "mail", reader.user_id, reader.email, now)
    subject, body = (
        _in(reader.language, letter.subject, " / "),
        _in(reader.language, (letter.zh, letter.en), _BETWEEN),
    )
    return row | {"subject": subject, "body": body, "path": letter.path}


def _in(language: str, text: Both, between: str) -> str:
    return {"zh": text[0], "en": text[1]}.get(language, between.join(text))


def _row(
    kind: str, cause: str, channel: str, user_id: int | None, recipient: str, now: int
) -> dict[str, Any]:
    made_of = "\n".join((kind, cause, channel, str(user_id)))
    return {
        "message": f"msg_{sha256(made_of.encode()).hexdigest()[:32]}",
        "channel": channel,
        "kind": kind,
        "user_id": user_id,
        "recipient": recipient,
        "written_at": now,
        "tries": 0,
        "next_try_at": now,
    }


def _write(connection: Connection, rows: Iterable[dict[str, Any]]) -> int:
    rows = list(rows)
    if rows:
        connection.execute(insert_into(connection.dialect.name, Message).on_conflict_do_nothing(), rows)
    return len(rows)
