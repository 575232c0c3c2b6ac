"""Requests that take effect once, however often they are sent: the answer is stored in the transaction of the effect.

first time          the effect happens, its answer is stored with it
again               the stored answer, byte for byte
again, other body   KeyReused
while it runs       StillRunning
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256

from sqlalchemy import Connection, Engine, func, insert, select

from bounty.db import snapshot, transaction, wait_for_turn
from bounty.errors import BountyError
from bounty.models import ApiAnswer

try:
    import fcntl
except ImportError:  # Windows: there one process serves, and threads are separated without it
    fcntl = None  # type: ignore[assignment]


class KeyReused(BountyError):
    """The key came with another request before."""

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key was used for another request: give every request its own key.",
            "该 Idempotency-Key 已用于另一个请求：每个请求请使用各自的键。",
        )


class StillRunning(BountyError):
    """A request with the key is being carried out."""

    def __init__(self) -> None:
        super().__init__(
            "The request with this Idempotency-Key is still running: ask again in a moment.",
            "使用该 Idempotency-Key 的请求仍在处理：请稍后再试。",
        )


def once(
    engine: Engine,
    token_id: int,
    key: str,
    request_sha256: str,
    now: int,
    effect: Callable[[Connection], str],
    *,
    before: Callable[[], None] | None = None,
) -> str:
    """Carry out a request unless it was before; its answer.

    key             of the token; another token's same key is another key
    request_sha256  of all that makes it this request and no other, hex
    effect          what to do, in the transaction that also stores its answer
    before          what takes long and only reads: done once the key is held, before other writers have to wait

    Raises KeyReused, StillRunning, and whatever the effect raises; nothing has happened then.
    """
    with snapshot(engine) as connection:
        stored = _stored(connection, token_id, key, request_sha256)
    if stored is not None:
        return stored

    def begin() -> None:
        if before is not None:
            before()

    with _only_writer(engine, f"{token_id} {key}", begin) as connection:
        # The one before may have ended since.
        stored = _stored(connection, token_id, key, request_sha256)
        if stored is not None:
            return stored
        answer = effect(connection)
        connection.execute(
            insert(ApiAnswer).values(
                token_id=token_id, key=key, request_sha256=request_sha256, body=answer, answered_at=now
            )
        )
    return answer


def _stored(connection: Connection, token_id: int, key: str, request_sha256: str) -> str | None:
    row = connection.execute(
        select(ApiAnswer.request_sha256, ApiAnswer.body).where(
            ApiAnswer.token_id == token_id, ApiAnswer.key == key
        )
    ).first()
    if row is None:
        return None
    if row.request_sha256 != request_sha256:
        raise KeyReused
    answer: str = row.body
    return answer


@contextmanager
def _only_writer(engine: Engine, name: str, begin: Callable[[], None]) -> Iterator[Connection]:
    """A transaction, of a name that no other one of any process has; a process that dies holds nothing any more.

    begin   done under the name, before the transaction waits for its turn

    Raises StillRunning while another one has it.
    """
    number = int.from_bytes(sha256(name.encode()).digest()[:8], signed=True)
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(writing=True) as connection, connection.begin():
            if not connection.execute(select(func.pg_try_advisory_xact_lock(number))).scalar():
                raise StillRunning
            begin()
            wait_for_turn(connection)
            yield connection
    else:
        with _alone_on_this_host(f"{engine.url.database}-keys", number):
            begin()
            with transaction(engine) as connection:
                yield connection


_running: set[tuple[str, int]] = set()
_lock_files: dict[str, int] = {}
_guard = threading.Lock()


@contextmanager
def _alone_on_this_host(path: str, number: int) -> Iterator[None]:
    """SQLite has no locks by name. A set tells the threads of this process apart, a byte of a file the processes."""
    place = number & (2**62 - 1)
    with _guard:
        if (path, place) in _running:
            raise StillRunning
        if path not in _lock_files:
            # Kept open: closing it once would give up every lock that this process has in it.
            _lock_files[path] = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        file = _lock_files[path]
        if fcntl is not None:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
            except OSError:
                raise StillRunning from None
        _running.add((path, place))
    try:
        yield
    finally:
        with _guard:
            if fcntl is not None:
                fcntl.lockf(file, fcntl.LOCK_UN, 1, place)
            _running.discard((path, place))
