"""Mail preferences, the list of messages, and sending a failed message again."""

import secrets
from dataclasses import asdict, dataclass, fields
from typing import Any

from sqlalchemy import Connection, Select, and_, case, func, select, update

from bounty.audit.service import actor_of, record
from bounty.db import Query, insert_into
from bounty.errors import BountyError
from bounty.models import Message, MessageChoice, MessageTry
from bounty.notifications.outbox import MessageText, announce, tell_account

STATES = {
    "sent": ("已发送", "sent"),
    "waiting": ("待发送", "waiting"),
    "failed": ("未送达", "failed"),
    "unset": ("未设接收方", "no receiver set"),
    "page": ("仅在页面", "on the page alone"),
}
"""State of a message -> name in Chinese and English."""


@dataclass(frozen=True, slots=True)
class MailChoice:
    """An account's mail preferences; the defaults apply until the account chooses."""

    language: str = "both"
    """``both``, ``zh`` or ``en``."""
    target: bool = True
    """Whether to receive next month's target."""
    receipts: bool = True
    """Whether to receive reminders of orders without confirmed receipt."""
    result: bool = True
    """Whether to receive published results."""
    appeal: bool = True
    """Whether to receive answers to appeals."""
    payment: bool = True
    """Whether to receive what came of payments, and that a payee is missing."""


def mail_choice_of(connection: Connection, user_id: int) -> MailChoice:
    """An account's mail preferences, or the defaults."""
    columns = (MessageChoice.__table__.c[field.name] for field in fields(MailChoice))
    row = connection.execute(select(*columns).where(MessageChoice.user_id == user_id)).first()
    return MailChoice() if row is None else MailChoice(*row)


def save_mail_choice(connection: Connection, choice: MailChoice, now: int) -> None:
    """Save the preferences of the acting account; the same preferences again change nothing.

    Raises BountyError without an account.
    """
    actor = actor_of(connection)
    if actor.user_id is None:
        raise BountyError("A choice needs an account: log in.", "选择需要账号：请先登录。")
    before = mail_choice_of(connection, actor.user_id)
    if before == choice:
        return
    values = {**asdict(choice), "chosen_at": now}
    connection.execute(
        insert_into(connection.dialect.name, MessageChoice)
        .values(user_id=actor.user_id, **values)
        .on_conflict_do_update(index_elements=["user_id"], set_=values)
    )
    record(connection, "user.messages", actor.name, now, before=asdict(before), after=asdict(choice))


def messages() -> Query:
    """All messages: message, channel, kind, recipient, subject, written_at, tries, next_try_at, sent_at, last_error,
    and ``state``, a key of STATES."""
    state = case(
        (Message.sent_at.is_not(None), "sent"),
        (Message.next_try_at.is_not(None), "waiting"),
        (and_(Message.tries == 0, Message.channel == "mail"), "page"),
        (Message.tries == 0, "unset"),
        else_="failed",
    )
    names = "message channel kind recipient subject written_at tries next_try_at sent_at last_error".split()
    return select(*(Message.__table__.c[name] for name in names), state.label("state"))


def message_with_tries(connection: Connection, message: str) -> tuple[Any, list[Any]] | None:
    """A message as ``messages`` has it with its ``body``, and its attempts (tried_at, error), the newest first; null
    where there is none such."""
    row = connection.execute(messages().add_columns(Message.body).where(Message.message == message)).first()
    if row is None:
        return None
    tries = connection.execute(
        select(MessageTry.tried_at, MessageTry.error)
        .where(MessageTry.message == message)
        .order_by(MessageTry.try_id.desc())
    )
    return row, list(tries)


def send_test(connection: Connection, now: int) -> str:
    """Write a test message to the acting account and to the webhook; returns the account's name.

    Raises BountyError without an account.
    """
    actor = actor_of(connection)
    if actor.user_id is None:
        raise BountyError(
            "A test is sent to the account that asks for it: log in.", "测试消息发给登录的账号：请先登录。"
        )
    cause = f"{actor.user_id} {secrets.token_hex(8)}"
    text = MessageText(
        ("测试消息", "Test message"),
        "这是一封测试邮件：收到它，说明邮件可以送达。",
        "This is a test: if you read it, mail arrives.",
    )
    tell_account(connection, "test", cause, actor.user_id, text, now)
    announce(connection, "test", cause, {}, now)
    record(connection, "message.test", actor.name, now)
    return actor.name


def undelivered() -> Select[int]:
    """How many messages were given up, until a person resends them."""
    given_up = (Message.sent_at.is_(None), Message.next_try_at.is_(None), Message.tries > 0)
    return select(func.count()).where(*given_up)


def resend(connection: Connection, message: str, now: int) -> str:
    """Schedule an unsent message for now, with a new count of attempts; returns its recipient.

    Raises BountyError for an unknown message and for one that was sent.
    """
    row = connection.execute(messages().where(Message.message == message)).first()
    if row is None:
        raise BountyError(
            f"There is no message {message}: `bounty outbox list` shows them.", f"没有消息 {message}。"
        )
    if row.state == "sent":
        raise BountyError(
            f"Message {message} was sent, and the other side took it.", f"消息 {message} 已发送成功。"
        )
    connection.execute(update(Message).where(Message.message == message).values(tries=0, next_try_at=now))
    before = {"tries": row.tries, "last_error": row.last_error}
    recipient: str = row.recipient
    record(connection, "message.resend", message, now, before=before, after={"recipient": recipient})
    return recipient


RESTORED = "held after a restore: it may have been sent since the copy was made"


def hold_messages(connection: Connection) -> int:
    """Stop all waiting messages after a restore, until a person resends them; returns their number.

    A message that was waiting when the backup was made may have been sent since.
    """
    stopped = connection.execute(
        update(Message)
        .where(Message.next_try_at.is_not(None))
        .values(next_try_at=None, tries=Message.tries + 1, last_error=RESTORED)
    )
    return stopped.rowcount
