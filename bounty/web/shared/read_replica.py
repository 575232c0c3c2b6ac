"""Reads of promoters and the public from a hot standby of PostgreSQL, which spare the server of the books.

Where the standby does not answer, the books' own server is read. Who has just written reads that server for a while, so
that what they did is on their next page.
"""

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from flask import Flask, Response, g, request
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from bounty.db import snapshot

_RETRY_SECONDS = 10
"""So long nobody waits for a standby that did not answer."""
_WROTE = "wrote"
"""The cookie of who has just written."""
_OWN_SECONDS = 60
"""So long they read the books' own server."""
# A standby that has replayed all it received is behind only while nothing arrives from the books' server. An account
# without special rights may see that there is a receiver, and no more of it.
_LAG = text(
    "SELECT CASE WHEN EXISTS (SELECT pid FROM pg_stat_wal_receiver) "
    "AND pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 "
    "ELSE floor(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())) END"
)


@dataclass(slots=True)
class ReadReplica:
    """A hot standby of the books' server."""

    engine: Engine
    _silent_until: float = field(default=0.0, repr=False)

    def open(self) -> tuple[Connection, AbstractContextManager[Connection]] | None:
        """A snapshot of the standby, and what closes it; None where it does not answer.

        How far it is behind is kept for the page, in whole seconds.
        """
        if time.monotonic() < self._silent_until:
            return None
        opened = snapshot(self.engine)
        try:
            connection = opened.__enter__()
            lag = connection.execute(_LAG).scalar()
        except OperationalError:
            self._silent_until = time.monotonic() + _RETRY_SECONDS
            return None
        g.replica_lag = None if lag is None else int(lag)
        return connection, opened


def may_read_replica() -> bool:
    """Whether the request is a promoter's or the public's and only reads, by somebody who has not just written."""
    person, token = g.get("person"), g.get("token")
    reader = token if token is not None else person
    only_reads = request.method in ("GET", "HEAD")
    return only_reads and (reader is None or reader.role == "promoter") and _WROTE not in request.cookies


def install(app: Flask) -> None:
    """Remember who writes, and tell templates how far behind a page is."""

    @app.after_request
    def _remember(response: Response) -> Response:
        if g.get("wrote"):
            secure = bool(app.config["SESSION_COOKIE_SECURE"])
            response.set_cookie(
                _WROTE, "1", max_age=_OWN_SECONDS, secure=secure, httponly=True, samesite="Lax"
            )
        return response

    @app.context_processor
    def _lag() -> dict[str, int | None]:
        return {"replica_lag": g.get("replica_lag")}
