"""Recording an act in its own transaction, and proving that no record was changed, taken out or put in.

Who acts is a property of the connection, as is whether it may write: an edge names the actor once, and no use case has
to hand it on.
"""

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, select

from bounty.db import wait_for_turn
from bounty.models import AuditEvent

FIRST = "0" * 64
"""What the first event has for the hash of the one before."""


# Made once: making a statement takes longer than carrying it out.
_LAST = select(AuditEvent.event_id, AuditEvent.event_sha256).order_by(AuditEvent.event_id.desc()).limit(1)
_ADD = insert(AuditEvent)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and from where."""

    name: str
    """An account's e-mail, or ``command line: NAME``."""
    user_id: int | None = None
    role: str | None = None
    address: str | None = None
    request: str | None = None


NOBODY = Actor("program")
"""Where an edge has named nobody."""


def acting(engine: Engine, actor: Actor) -> Engine:
    """The same engine, on whose connections an actor acts."""
    return engine.execution_options(actor=actor)


def actor_of(connection: Connection) -> Actor:
    """Who acts on a connection."""
    actor: Actor = connection.get_execution_options().get("actor", NOBODY)
    return actor


def record(
    connection: Connection,
    act: str,
    subject: str,
    now: int,
    *,
    before: Any = None,
    after: Any = None,
    reason: str | None = None,
    by: Actor | None = None,
) -> None:
    """Add an event for an act, in the act's own transaction: without the event there is no act.

    act            what was done, as ``notice.publish``
    subject        to what, as ``2022-12`` or ``batch 17``
    before, after  what JSON can hold without fractions; never a secret
    by             who acts, where the connection doesn't know yet: at a log-in
    """
    wait_for_turn(connection)
    last = connection.execute(_LAST).first()
    number, previous = (1, FIRST) if last is None else (last.event_id + 1, last.event_sha256)
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
    """What reading the whole chain came to."""

    events: int
    read: int
    """How many of them were read again, counted from the end."""
    head: str
    """The hash of the last event; written down elsewhere, it proves that none was cut off."""
    broken: tuple[int, ...]
    """Numbers of the events at which the chain does not hold; empty if it does."""


def verify(connection: Connection, last: int | None = None) -> Chain:
    """Read events and hash them again.

    last   only so many from the end, as a page does; the hash before them is then taken as it stands
    """
    count, head, broken = 0, FIRST, []
    newest = connection.execute(select(func.max(AuditEvent.event_id))).scalar() or 0
    if last is not None and newest > last:
        count = newest - last
        held = select(AuditEvent.event_sha256).where(AuditEvent.event_id == count)
        head = connection.execute(held).scalar() or FIRST
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


def _canonical(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _hash(event: dict[str, Any]) -> str:
    return sha256(_canonical(event).encode()).hexdigest()
