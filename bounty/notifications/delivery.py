"""Delivery of the outbox: at least once, with growing waits between attempts, by any number of workers.

A worker claims messages for some minutes in one transaction, sends them outside of a transaction, and records the
results in another. If the worker is killed in between, the messages are sent again under the same ids.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine, insert, select, update

from bounty.db import transaction
from bounty.models import Message, MessageTry
from bounty.notifications.errors import DeliveryFailed, NoRecipient
from bounty.notifications.mail import Mail, MailSession, OutboxMessage
from bounty.notifications.message_kinds import SECRET
from bounty.notifications.webhook import Webhook, deliver

log = logging.getLogger(__name__)
CLAIM_SECONDS: Final = 300
"""Seconds for which claimed messages belong to one worker."""
MESSAGES_PER_CLAIM: Final = 20
TRIES_LIMIT: Final = 12
"""Most attempts, over about 20 hours; after that a person must resend the message."""
FIRST_WAIT, LONGEST_WAIT = 60, 6 * 3600
"""Wait after the first attempt, which doubles after each further one, and its maximum; seconds."""


@dataclass(frozen=True, slots=True)
class DeliveryChannels:
    """The mail server and the webhook that messages are sent through."""

    mail: Mail
    webhook: Webhook | None
    """None if no webhook is configured."""


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """One attempt to send a message."""

    message: str
    """The message's id."""
    error: str | None
    """Why the attempt failed; None if the message was accepted."""


def wait_after(tries: int) -> int:
    """Seconds from an attempt to the next.

    tries   number of attempts so far

    >>> [wait_after(tries) for tries in (1, 2, 3, 12)]
    [60, 120, 240, 21600]
    """
    return int(min(FIRST_WAIT * 2 ** (tries - 1), LONGEST_WAIT))


def send_due(engine: Engine, channels: DeliveryChannels, now: Callable[[], int]) -> Iterator[DeliveryAttempt]:
    """Try to send every message that is due; yields each attempt."""
    while claimed := _claim(engine, now()):
        with MailSession(channels.mail) as session:
            for message in claimed:
                error = _try(channels, session, message, now())
                _record_attempt(engine, message, error, now())
                yield DeliveryAttempt(message.message, None if error is None else str(error))


def _claim(engine: Engine, now: int) -> list[OutboxMessage]:
    columns = [Message.__table__.c[name] for name in OutboxMessage._fields]
    with transaction(engine) as connection:
        due = (
            select(*columns)
            .where(Message.next_try_at <= now)
            .order_by(Message.next_try_at, Message.message)
            .limit(MESSAGES_PER_CLAIM)
        )
        claimed = [OutboxMessage(*row) for row in connection.execute(due)]
        if claimed:
            connection.execute(
                update(Message)
                .where(Message.message.in_([row.message for row in claimed]))
                .values(tries=Message.tries + 1, next_try_at=now + CLAIM_SECONDS)
            )
    return claimed


def _try(
    channels: DeliveryChannels, session: MailSession, message: OutboxMessage, now: int
) -> DeliveryFailed | None:
    try:
        if message.channel == "mail":
            session.send(message)
        elif channels.webhook is None:
            raise NoRecipient("no webhook is set (BOUNTY_WEBHOOK_URL)")
        else:
            deliver(channels.webhook, message.message, message.body.encode(), now)
    except DeliveryFailed as error:
        return error
    except Exception as error:  # an unexpected error of one message must not stop the others
        log.exception("%s", message.message)
        return DeliveryFailed(f"{type(error).__name__}: {error}")
    return None


def _record_attempt(engine: Engine, message: OutboxMessage, error: DeliveryFailed | None, now: int) -> None:
    tries = message.tries + 1
    if error is None:
        values: dict[str, Any] = {"sent_at": now, "next_try_at": None, "last_error": None}
        if message.kind in SECRET:
            values["path"] = None
    elif isinstance(error, NoRecipient):
        values = {"next_try_at": None, "tries": 0}
    else:
        is_last = error.final or tries >= TRIES_LIMIT
        next_try_at = None if is_last else now + wait_after(tries)
        values = {"next_try_at": next_try_at, "last_error": str(error)[:500]}
    with transaction(engine) as connection:
        if not isinstance(error, NoRecipient):
            answer = None if error is None else str(error)[:500]
            connection.execute(insert(MessageTry).values(message=message.message, tried_at=now, error=answer))
        connection.execute(
            update(Message)
            # If this worker took longer than its claim, another one may have sent the message.
            .where(Message.message == message.message, Message.sent_at.is_(None))
            .values(**values)
        )
