"""Figures over the whole books that are computed aside, kept with their "as of", and shown by pages.

A page of small books computes them itself, which costs a constant. Of larger books it shows what was computed last: the
worker computes a figure again once the facts that it depends on have changed, and so does a person who asks for it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, RootTransaction, and_, case, delete, func, insert, select, true

from bounty.clock import shanghai_date
from bounty.db import Condition, Query
from bounty.json_types import JsonObject
from bounty.models import AuditEvent, Order, StoredDifference, StoredFigure
from bounty.rules.sql_math import count_where, sum_or_zero

FEW_ORDERS = 1_000
"""Books of at most so many orders are small."""
FIRST = 101
"""Of a long list so many rows are stored: more than a page shows."""
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


@dataclass(frozen=True, slots=True)
class ListFigure:
    """What is stored of a long list, or of what one of its filters leaves."""

    rows: int
    sums: dict[str, int]
    """Summed column -> sum of all rows."""
    first: list[int]
    """The keys of the FIRST rows, in the list's order."""


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
    kept = current(connection, subject, now)
    return compute() if kept is None else kept


def current(connection: Connection, subject: str, now: int, version: int | None = None) -> Any:
    """The content of a figure if nothing has changed since it was computed; null otherwise, and in small books.

    version   as ``facts_of`` has it
    """
    if books_are_small(connection):
        return None
    kept = stored(connection, subject, facts_of(state_of_books(connection, now), version))
    return kept.content if kept.current else None


def facts_of(state: str, version: int | None) -> str:
    """The facts of a figure that depends on the state of the books, and on what changes without an act: on the
    ``version`` of that."""
    return state if version is None else f"{state} version {version}"


def list_content(
    connection: Connection,
    rows: Query,
    key: str,
    order: str,
    filters: Mapping[str, Condition],
    summed: Sequence[str] = (),
) -> JsonObject:
    """A list for ``lists_in``: of all its rows (``""``) and of what each filter leaves, what ``ListFigure`` holds.

    key       the label of the whole number that identifies a row
    order     the label of the whole number that the list is ordered by, with ``-`` in front for descending; null comes
              before all others, as in tables of pages, and rows that are equal in it are ordered by key
    filters   ``name=option`` -> condition
    """
    every = rows.subquery("every")
    conditions = {"": true()} | {name: condition(every) for name, condition in filters.items()}
    sums = [
        sum_or_zero(case((each, every.c[name]), else_=0)) for each in conditions.values() for name in summed
    ]
    counted = [count_where(each) for each in conditions.values()]
    found = connection.execute(select(*counted, *sums).select_from(every)).one()
    numbers = iter(found[len(counted) :])
    content = {
        name: ListFigure(rows, {each: next(numbers) for each in summed}, [])
        for name, rows in zip(conditions, found, strict=False)
    }
    columns = [func.coalesce(every.c[order.removeprefix("-")], -(2**62)), every.c[key]]
    directed = [column.desc() if order.startswith("-") else column.asc() for column in columns]
    flags = [case((each, 1), else_=0) for each in conditions.values()]
    waiting = {name for name, each in content.items() if each.rows}
    in_order = select(every.c[key], *flags).order_by(*directed)
    with connection.execute(in_order, execution_options={"yield_per": 1_000}) as found_rows:
        for row in found_rows:
            for (name, figure_of), matches in zip(content.items(), row[1:], strict=True):
                if matches and name in waiting:
                    figure_of.first.append(row[0])
                    if len(figure_of.first) == min(FIRST, figure_of.rows):
                        waiting.remove(name)
            if not waiting:
                break
    return {name: asdict(each) for name, each in content.items()}


def kept_lists(
    connection: Connection, subject: str, now: int, version: int | None = None
) -> dict[str, ListFigure] | None:
    """``list_content`` as it was stored, if nothing has changed since; null otherwise, and in small books."""
    content = current(connection, subject, now, version)
    return None if content is None else lists_in(content)


def lists_in(content: Mapping[str, Any]) -> dict[str, ListFigure]:
    """``list_content`` as it was stored."""
    return {name: ListFigure(**each) for name, each in content.items()}


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
