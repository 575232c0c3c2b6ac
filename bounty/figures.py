"""Figures over the whole books that are computed aside, kept with their "as of", and shown by pages.

A page of small books computes them itself, which costs a constant. Of larger books it shows what was computed last: the
worker computes a figure again once the facts that it depends on have changed, and so does a person who asks for it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, RootTransaction, and_, delete, insert, select

from bounty.clock import shanghai_date
from bounty.models import AuditEvent, Order, StoredDifference, StoredFigure

FEW_ORDERS = 1_000
"""Books of at most so many orders are small."""
_SMALL: WeakKeyDictionary[RootTransaction, bool] = WeakKeyDictionary()
"""Transaction -> whether its books are small. A page that shows several figures asks only once."""
_CHANGES_NOTHING = (
    "books.check",
    "calendar.",
    "headers.",
    "message.",
    "receipts.",
    "token.",
    "upload.",
    "user.",
)
"""How acts begin that change no figure."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure as of a moment."""

    content: Any
    """Null before it was first computed."""
    as_of: int | None
    """As of when it holds; epoch seconds. Null before it was first computed."""
    current: bool
    """Whether nothing that it depends on has changed since."""


def books_are_small(connection: Connection) -> bool:
    """Whether there are so few orders that a page may read all of them. Asked once in a transaction."""
    transaction = connection.get_transaction()
    known = None if transaction is None else _SMALL.get(transaction)
    if known is None:
        known = connection.execute(select(Order.order_sn).limit(1).offset(FEW_ORDERS)).first() is None
        if transaction is not None:
            _SMALL[transaction] = known
    return known


def state_of_books(connection: Connection, now: int) -> str:
    """What figures of money depend on: the newest act that may have changed them, and the day."""
    idle = [AuditEvent.act.startswith(begins, autoescape=True) for begins in _CHANGES_NOTHING]
    newest = (
        select(AuditEvent.event_id)
        .where(and_(*(~each for each in idle)))
        .order_by(AuditEvent.event_id.desc())
        .limit(1)
    )
    return f"event {connection.execute(newest).scalar() or 0} {shanghai_date(now).isoformat()}"


def figure(
    connection: Connection, subject: str, facts: str, now: int, compute: Callable[[], object]
) -> Figure:
    """A figure for a page: of small books as of now, of others as it was computed last.

    facts     the present state of what it depends on
    compute   makes its content, of what JSON can represent
    """
    if books_are_small(connection):
        return Figure(compute(), now, current=True)
    return stored(connection, subject, facts)


def as_of_now(connection: Connection, subject: str, now: int, compute: Callable[[], Any]) -> Any:
    """The content of a figure that must not be of the past: as it was computed last if the books have not changed
    since, else computed.

    compute   makes its content, of what JSON can represent
    """
    if not books_are_small(connection):
        kept = stored(connection, subject, state_of_books(connection, now))
        if kept.current:
            return kept.content
    return compute()


def stored(connection: Connection, subject: str, facts: str) -> Figure:
    """A figure as it was computed last."""
    row = StoredFigure.__table__.c
    held = connection.execute(
        select(row.facts, row.computed_at, row.content).where(row.subject == subject)
    ).first()
    if held is None:
        return Figure(None, None, current=False)
    return Figure(json.loads(held.content), held.computed_at, held.facts == facts)


def keep(connection: Connection, subject: str, facts: str, content: object, now: int) -> None:
    """Keep a figure in place of the one before it."""
    drop(connection, subject)
    text = json.dumps(content, ensure_ascii=False, sort_keys=True)
    values = {"subject": subject, "facts": facts, "computed_at": now, "content": text}
    connection.execute(insert(StoredFigure).values(**values))


def drop(connection: Connection, subject: str) -> None:
    """Forget a figure, and the rows that belong to it."""
    for table in (StoredDifference, StoredFigure):
        connection.execute(delete(table).where(table.__table__.c.subject == subject))
