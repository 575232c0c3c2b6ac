"""Delivery of the outbox: at least once, with growing waits between attempts, by any number of workers.

    mail       SMTP                       webhook of the settings    one address, Standard Webhooks
    endpoints  each its address, kind and secrets; failing for days, it is disabled and operators are notified

A worker claims messages for some minutes in one transaction, sends them outside of a transaction, and records the
results in another. If the worker is killed in between, the messages are sent again under the same ids.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine, insert, select, update

from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.models import Message, MessageTry
from bounty.notifications.endpoint_health import record_result
from bounty.notifications.endpoints import ROTATION_SECONDS, EndpointCipher, endpoint_of, secrets_of
from bounty.notifications.errors import DeliveryFailed, NoRecipient
from bounty.notifications.mail import Mail, MailSession, OutboxMessage
from bounty.notifications.message_kinds import SECRET
from bounty.notifications.robots import require_taken, signed
from bounty.notifications.webhook import GONE, Answer, Webhook, deliver, key_of, post

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
    """The mail server and the webhooks that messages are sent through."""

    mail: Mail
    webhook: Webhook | None
    """Of the settings; None if none is configured."""
    cipher: Callable[[], EndpointCipher] | None = None
    """Returns what opens the secrets of endpoints. A function, so that without endpoints no key is needed."""
    private: bool = False
    """Whether endpoints may be on a private network."""


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
    """Try to send every message that is due; yields each attempt.

    An endpoint that gave no answer is not tried again in this run: others do not wait for it once more.
    """
    silent: set[int] = set()
    while claimed := _claim(engine, now()):
        with MailSession(channels.mail) as session:
            for message in claimed:
                if message.endpoint_id in silent:
                    _put_off(engine, message, now())
                    continue
                result = _try(engine, channels, session, message, now())
                error = result if isinstance(result, DeliveryFailed) else None
                _record_attempt(engine, message, result, now())
                if message.endpoint_id is not None and error is not None and error.status is None:
                    silent.add(message.endpoint_id)
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


def _put_off(engine: Engine, message: OutboxMessage, now: int) -> None:
    """Give a claimed message back, to be tried in a minute; it was not tried."""
    with transaction(engine) as connection:
        connection.execute(
            update(Message)
            .where(Message.message == message.message, Message.next_try_at.is_not(None))
            .values(tries=message.tries, next_try_at=now + FIRST_WAIT)
        )


def _try(
    engine: Engine, channels: DeliveryChannels, session: MailSession, message: OutboxMessage, now: int
) -> Answer | DeliveryFailed | None:
    """Send a message; what a webhook answered, or why it failed."""
    try:
        if message.channel == "mail":
            session.send(message)
            return None
        body = message.body.encode()
        if message.endpoint_id is not None:
            return _deliver_to_endpoint(engine, channels, message.endpoint_id, message.message, body, now)
        if channels.webhook is None:
            raise NoRecipient("no webhook is set (BOUNTY_WEBHOOK_URL)")
        return deliver(channels.webhook, message.message, body, now)
    except DeliveryFailed as error:
        return error
    except BountyError as error:  # the secrets can't be read under this key
        return DeliveryFailed(str(error))
    except Exception as error:  # an unexpected error of one message must not stop the others
        log.exception("%s", message.message)
        return DeliveryFailed(f"{type(error).__name__}: {error}")


def _deliver_to_endpoint(
    engine: Engine, channels: DeliveryChannels, endpoint_id: int, message: str, body: bytes, now: int
) -> Answer:
    """Send a message in the form of an endpoint's kind. Raises DeliveryFailed unless it is taken."""
    assert channels.cipher is not None
    with snapshot(engine) as connection:
        endpoint = endpoint_of(connection, endpoint_id)
        assert endpoint is not None
        if endpoint.disabled_at is not None:
            raise DeliveryFailed("the endpoint is disabled", final=True)
        held = secrets_of(connection, channels.cipher(), endpoint_id)
    if endpoint.kind == "webhook":
        key, previous = key_of(held.secret), None
        if endpoint.rotated_at is not None and now < endpoint.rotated_at + ROTATION_SECONDS:
            previous = key_of(held.previous)
        assert key is not None
        return deliver(Webhook(held.url, key, channels.private, previous), message, body, now)
    url, content = signed(endpoint.kind, held.url, held.secret, body, now)
    answer = post(url, content, {}, private=channels.private)
    require_taken(answer.status, answer.text)
    return answer


def _record_attempt(
    engine: Engine, message: OutboxMessage, result: Answer | DeliveryFailed | None, now: int
) -> None:
    tries = message.tries + 1
    error = result if isinstance(result, DeliveryFailed) else None
    if error is None:
        values: dict[str, int | str | None] = {"sent_at": now, "next_try_at": None, "last_error": None}
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
            connection.execute(
                insert(MessageTry).values(message=message.message, tried_at=now, **_result_columns(result))
            )
        connection.execute(
            update(Message)
            # If this worker took longer than its claim, another one may have sent the message.
            .where(Message.message == message.message, Message.sent_at.is_(None))
            .values(**values)
        )
        if message.endpoint_id is not None:
            record_result(
                connection, message.endpoint_id, now, failed=error is not None, gone=_is_gone(error)
            )


def _result_columns(result: Answer | DeliveryFailed | None) -> dict[str, int | str | None]:
    """What an attempt is remembered by: why it failed, and what was answered."""
    if isinstance(result, DeliveryFailed):
        return {"error": str(result)[:500], "status": result.status, "answer": result.answer}
    if isinstance(result, Answer):
        return {"error": None, "status": result.status, "answer": result.text}
    return {"error": None, "status": None, "answer": None}


def _is_gone(error: DeliveryFailed | None) -> bool:
    return error is not None and error.status == GONE
