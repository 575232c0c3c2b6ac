"""Writes audit events in the transaction of the action, and verifies the hash chain of all events.

The actor is an execution option of the connection. The web and command-line entry points set it once, so services need
no parameter for it.
"""

import json
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Connection, Engine, func, insert, select

from bounty.audit.journal import name_books
from bounty.db import Query, wait_for_turn
from bounty.models import AuditEvent

FIRST = "0" * 64
"""``previous_sha256`` of the first event."""


# Built once, because building these statements takes longer than executing them.
_LAST = select(AuditEvent.event_id, AuditEvent.event_sha256).order_by(AuditEvent.event_id.desc()).limit(1)
_ADD = insert(AuditEvent)


@dataclass(frozen=True, slots=True)
class Actor:
    """The person or program that acts, as in ``models.AuditEvent``."""

    name: str
    """The account's e-mail, or ``command line: NAME``."""
    user_id: int | None = None
    """The account; None without one."""
    role: str | None = None
    """The account's role; None without one."""
    address: str | None = None
    """The client's IP address, or ``command line``; None if unknown."""
    request: str | None = None
    """The id of the web request; None outside one."""


NOBODY = Actor("program")
"""The actor of connections for which none was set."""


def acting(engine: Engine, actor: Actor) -> Engine:
    """The same engine, with the actor of its connections set."""
    return engine.execution_options(actor=actor)


def actor_of(connection: Connection) -> Actor:
    """The actor of a connection."""
    actor: Actor = connection.get_execution_options().get("actor", NOBODY)
    return actor


def record(
    connection: Connection,
    act: str,
    subject: str,
    now: int,
    *,
    before: object = None,
    after: object = None,
    reason: str | None = None,
    by: Actor | None = None,
) -> None:
    """Add an audit event in the transaction of the action, so that neither is committed without the other.

    act            the action's code, as ``notice.publish``
    subject        the object of the action, as ``2022-12`` or ``batch 17``
    before, after  the object's values; anything that JSON can represent without fractions; never a secret
    by             the actor, if the connection does not have it yet (at a log-in)
    """
    wait_for_turn(connection)
    last = connection.execute(_LAST).first()
    number, previous = (1, FIRST) if last is None else (last.event_id + 1, last.event_sha256)
    if last is None:
        name_books(connection)
    actor = by or actor_of(connection)
    event = {
        "event_id": number,
        "happened_at": now,
        "user_id": actor.user_id,
        "actor": actor.name,
        "role": actor.role,
        "address": actor.address,
        "request": actor.request,
        "act": act,
        "subject": subject,
        "before": None if before is None else _canonical(before),
        "after": None if after is None else _canonical(after),
        "reason": reason,
        "previous_sha256": previous,
    }
    connection.execute(_ADD, event | {"event_sha256": _hash(event)})
    connection.get_execution_options().get("recorded", []).append(number)


@dataclass(frozen=True, slots=True)
class Chain:
    """The result of verifying the chain."""

    events: int
    """Number of all events."""
    read: int
    """Number of events that were verified, counted from the newest."""
    head: str
    """Hash of the newest event. Kept elsewhere, it shows whether events at the end were removed."""
    broken: tuple[int, ...]
    """Numbers of the events with a wrong hash, predecessor or number; empty if the chain is intact."""


def events() -> Query:
    """Every event, columns as of ``AuditEvent``."""
    return select(AuditEvent.__table__)


def newest_event_id(connection: Connection) -> int:
    """The number of the newest event, which is that of all events; 0 before the first."""
    return connection.execute(select(func.max(AuditEvent.event_id))).scalar() or 0


def verify(connection: Connection, last: int | None = None) -> Chain:
    """Read events and compute their hashes again.

    last   verify only this many of the newest events, for a page; the stored hash before them is trusted. None: all
    """
    count, head, broken = 0, FIRST, []
    newest = newest_event_id(connection)
    if last is not None and newest > last:
        count = newest - last
        stored = select(AuditEvent.event_sha256).where(AuditEvent.event_id == count)
        head = connection.execute(stored).scalar() or FIRST
    skipped = count
    rows = connection.execute(
        select(AuditEvent.__table__).where(AuditEvent.event_id > skipped).order_by(AuditEvent.event_id),
        execution_options={"yield_per": 1000},
    ).mappings()
    for row in rows:
        count += 1
        event = {name: value for name, value in row.items() if name != "event_sha256"}
        follows = event["event_id"] == count and event["previous_sha256"] == head
        if not follows or row["event_sha256"] != _hash(event):
            broken.append(event["event_id"])
        head = row["event_sha256"]
    return Chain(count, count - skipped, head, tuple(broken))


def _canonical(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _hash(event: dict[str, object]) -> str:
    return sha256(_canonical(event).encode()).hexdigest()
