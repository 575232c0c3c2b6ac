"""The messages of an account, as its pages list them: every message, whether or not it is mailed too."""

from sqlalchemy import Connection, func, select, update

from bounty.db import Query
from bounty.models import Message, User
from bounty.notifications.message_kinds import PROMOTER_KINDS

SUBJECTS, BODIES = " / ", "\n\n----------\n\n"
"""What stands between Chinese and English where a message has both."""


def inbox(promoter_id: int) -> Query:
    """The messages of a promoter's account: message, written_at, kind, subject, body, path, read_at, sent_at."""
    names = "message written_at kind subject body path read_at sent_at".split()
    account = select(User.id).where(User.promoter_id == promoter_id).scalar_subquery()
    return select(*(Message.__table__.c[name] for name in names)).where(
        Message.user_id == account, Message.kind.in_(PROMOTER_KINDS)
    )


def unread(connection: Connection, promoter_id: int) -> int:
    """How many of them were not read."""
    account = select(User.id).where(User.promoter_id == promoter_id).scalar_subquery()
    waiting = select(func.count()).where(
        Message.user_id == account, Message.read_at.is_(None), Message.kind.in_(PROMOTER_KINDS)
    )
    count: int = connection.execute(waiting).scalar_one()
    return count


def mark_read(connection: Connection, user_id: int, now: int, message: str | None = None) -> str | None:
    """Mark one message of an account as read, or all; the path of the page that the one is about.

    Another account's message is left as it is.
    """
    own = Message.user_id == user_id
    which = own if message is None else own & (Message.message == message)
    connection.execute(update(Message).where(which, Message.read_at.is_(None)).values(read_at=now))
    if message is None:
        return None
    path: str | None = connection.execute(select(Message.path).where(which)).scalar()
    return path


def in_language(text: str, between: str, *, chinese: bool) -> str:
    """A message's text in one language, where it has both.

    >>> in_language("公示 / Notice", SUBJECTS, chinese=False), in_language("Notice", SUBJECTS, chinese=True)
    ('Notice', 'Notice')
    """
    parts = text.split(between)
    half = len(parts) // 2
    return text if len(parts) % 2 else between.join(parts[:half] if chinese else parts[half:])
