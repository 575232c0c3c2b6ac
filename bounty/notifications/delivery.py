"""Sending what is in the outbox: at least once, with growing waits, by however many workers.

A message is claimed for some minutes in one transaction, sent outside of any, and marked in another. Who is killed in
between leaves it to be sent again under the same id.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine, select, update

from bounty.db import transaction
from bounty.models import Message
from bounty.notifications.errors import DeliveryFailed, NoRecipient
from bounty.notifications.mail import Mail, MailSession
from bounty.notifications.message_kinds import SECRET
from bounty.notifications.webhook import Webhook, deliver

log = logging.getLogger(__name__)
CLAIM: Final = 300
"""Seconds for which a message is one worker's."""
AT_ONCE: Final = 20
"""Messages that are claimed together."""
MOST: Final = 12
"""Tries, over about 20 hours; then it is given up until somebody sends it again."""
FIRST_WAIT, LONGEST_WAIT = 60, 6 * 3600
"""Seconds after the first try, doubled after each, up to so many."""


@dataclass(frozen=True, slots=True)
class DeliveryChannels:
    """How messages leave."""

    mail: Mail
    webhook: Webhook | None


@dataclass(frozen=True, slots=True)
class Sending:
    """One try."""

    message: str
    error: str | None
    """Why it failed; null where it was taken."""


def wait_after(tries: int) -> int:
    """Seconds from a try to the next.

    >>> [wait_after(tries) for tries in (1, 2, 3, 12)]
    [60, 120, 240, 21600]
    """
    return int(min(FIRST_WAIT * 2 ** (tries - 1), LONGEST_WAIT))


def send_due(engine: Engine, post: DeliveryChannels, now: Callable[[], int]) -> Iterator[Sending]:
    """Try every message whose time has come; yields each try."""
    while claimed := _claim(engine, now()):
        with MailSession(post.mail) as session:
            for message in claimed:
                error = _try(post, session, message, now())
                _mark(engine, message, error, now())
                yield Sending(message.message, None if error is None else str(error))


def _claim(engine: Engine, now: int) -> Sequence[Any]:
    with transaction(engine) as connection:
        due = (
            select(Message.__table__)
            .where(Message.next_try_at <= now)
            .order_by(Message.next_try_at, Message.message)
            .limit(AT_ONCE)
        )
        claimed = connection.execute(due).all()
        if claimed:
            connection.execute(
                update(Message)
                .where(Message.message.in_([row.message for row in claimed]))
                .values(tries=Message.tries + 1, next_try_at=now + CLAIM)
            )
    return claimed


def _try(post: DeliveryChannels, session: MailSession, message: Any, now: int) -> DeliveryFailed | None:
    try:
        if message.channel == "mail":
            session.send(message)
        elif post.webhook is None:
            raise NoRecipient("no webhook is set (BOUNTY_WEBHOOK_URL)")
        else:
            deliver(post.webhook, message.message, message.body.encode(), now)
    except DeliveryFailed as error:
        return error
    except Exception as error:  # whatever is wrong with this one, it must not hold up the others
        log.exception("%s", message.message)
        return DeliveryFailed(f"{type(error).__name__}: {error}")
    return None


def _mark(engine: Engine, message: Any, error: DeliveryFailed | None, now: int) -> None:
    tries = message.tries + 1
    if error is None:
        values: dict[str, Any] = {"sent_at": now, "next_try_at": None, "last_error": None}
        if message.kind in SECRET:
            values["path"] = None
    elif isinstance(error, NoRecipient):
        values = {"next_try_at": None, "tries": 0}
    else:
        over = error.final or tries >= MOST
        values = {"next_try_at": None if over else now + wait_after(tries), "last_error": str(error)[:500]}
    with transaction(engine) as connection:
        connection.execute(
            update(Message)
            # Another worker may have sent it meanwhile, if this one took longer than its claim.
            .where(Message.message == message.message, Message.sent_at.is_(None))
            .values(**values)
        )
