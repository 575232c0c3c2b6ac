"""Mail preferences, the list of messages, and sending a failed message again."""

import secrets
from dataclasses import asdict, dataclass, fields
from typing import NamedTuple

from sqlalchemy import Connection, Select, and_, case, func, select, update

from bounty.audit.service import actor_of, record
from bounty.db import Query, fetch_all, fetch_first, insert_into
from bounty.errors import BountyError
from bounty.labels import LabelledCode
from bounty.models import Message, MessageChoice, MessageTry
from bounty.notifications.endpoints import endpoint_of
from bounty.notifications.outbox import MessageText, announce, announce_test, notify_account


class MessageState(LabelledCode):
    """Where a message stands."""

    SENT = "sent", "已发送", "sent"
    WAITING = "waiting", "待发送", "waiting"
    FAILED = "failed", "未送达", "failed"
    UNSET = "unset", "未设接收方", "no receiver set"
    PAGE = "page", "仅在页面", "on the page alone"


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
    """Whether to receive the results of payments, and that a payee is missing."""


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


@dataclass(frozen=True)
class MessageRow:
    """A message, without its text."""

    message: str
    channel: str
    kind: str
    recipient: str
    subject: str
    written_at: int
    tries: int
    next_try_at: int | None
    sent_at: int | None
    last_error: str | None
    endpoint_id: int | None
    state: str
    """One of MessageState."""


class MessageAttempt(NamedTuple):
    """An attempt to send a message."""

    tried_at: int
    error: str | None
    status: int | None
    answer: str | None


@dataclass(frozen=True)
class WrittenMessage(MessageRow):
    """A message with its text."""

    body: str


def messages() -> Query:
    """All messages, as ``MessageRow``."""
    state = case(
        (Message.sent_at.is_not(None), MessageState.SENT.value),
        (Message.next_try_at.is_not(None), MessageState.WAITING.value),
        (and_(Message.tries == 0, Message.channel == "mail"), MessageState.PAGE.value),
        (Message.tries == 0, MessageState.UNSET.value),
        else_=MessageState.FAILED.value,
    )
    columns = (Message.__table__.c[each.name] for each in fields(MessageRow) if each.name != "state")
    return select(*columns, state.label("state"))


def messages_by_state(connection: Connection) -> dict[str, int]:
    """How many messages have each state; every MessageState is there."""
    state = messages().subquery().c.state
    counted = connection.execute(select(state, func.count()).group_by(state))
    return {state.value: 0 for state in MessageState} | dict(counted.all())


def message_with_tries(
    connection: Connection, message: str
) -> tuple[WrittenMessage, list[MessageAttempt]] | None:
    """A message and its attempts, the newest first; null where there is none such."""
    written = messages().add_columns(Message.body).where(Message.message == message)
    row = fetch_first(connection, written, WrittenMessage)
    if row is None:
        return None
    tries = (
        select(MessageTry.tried_at, MessageTry.error, MessageTry.status, MessageTry.answer)
        .where(MessageTry.message == message)
        .order_by(MessageTry.try_id.desc())
    )
    return row, fetch_all(connection, tries, MessageAttempt)


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
    notify_account(connection, "test", cause, actor.user_id, text, now)
    announce(connection, "test", cause, {}, now)
    record(connection, "message.test", actor.name, now)
    return actor.name


def undelivered() -> Select[int]:
    """How many messages were given up, until a person resends them."""
    given_up = (Message.sent_at.is_(None), Message.next_try_at.is_(None), Message.tries > 0)
    return select(func.count()).where(*given_up)


def deliveries(endpoint_id: int) -> Query:
    """The messages of one endpoint, as ``messages`` has them."""
    return messages().where(Message.endpoint_id == endpoint_id)


def send_endpoint_test(connection: Connection, endpoint_id: int, now: int) -> str:
    """Write a test event to one endpoint; the message's id. Raises BountyError unless it is there and on."""
    endpoint = endpoint_of(connection, endpoint_id)
    if endpoint is None or endpoint.disabled_at is not None:
        raise BountyError(
            f"Endpoint {endpoint_id} is disabled or not there: enable it first.",
            f"第 {endpoint_id} 号接收方已停用或不存在：请先启用。",
        )
    message = announce_test(connection, endpoint, secrets.token_hex(8), now)
    record(connection, "webhook.test", f"endpoint {endpoint_id}", now)
    return message


def resend(connection: Connection, message: str, now: int) -> str:
    """Schedule a message for now, with a new count of attempts; returns its recipient.

    Raises BountyError for an unknown message, for one to an endpoint that is disabled, and for one that was sent,
    unless to an endpoint: whose program may have lost it after it was taken.
    """
    row = connection.execute(messages().where(Message.message == message)).first()
    if row is None:
        raise BountyError(
            f"There is no message {message}: `bounty outbox list` shows them.", f"没有消息 {message}。"
        )
    if row.state == MessageState.SENT and row.endpoint_id is None:
        raise BountyError(
            f"Message {message} was sent, and the other side took it.", f"消息 {message} 已发送成功。"
        )
    if row.endpoint_id is not None:
        endpoint = endpoint_of(connection, row.endpoint_id)
        if endpoint is None or endpoint.disabled_at is not None:
            raise BountyError(
                f"Endpoint {row.endpoint_id} is disabled: enable it, then resend.",
                f"第 {row.endpoint_id} 号接收方已停用：请先启用，再重发。",
            )
    of_message = Message.message == message
    connection.execute(update(Message).where(of_message).values(tries=0, next_try_at=now, sent_at=None))
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
