"""The database, the actor, the clock and the settings of a request."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flask import Flask, current_app, g, request
from sqlalchemy import Connection, Engine

from bounty.audit.service import Actor, acting
from bounty.db import snapshot, transaction
from bounty.notifications.endpoints import EndpointCipher
from bounty.payees.encryption import PayeeCipher
from bounty.web.shared.read_replica import ReadReplica, may_read_replica
from bounty.web.shared.site_settings import SiteSettings

EXTENSION = "bounty.books"
"""Key of the SiteBooks in Flask's extensions."""


@dataclass(frozen=True, slots=True)
class SiteBooks:
    """The services and settings of the application's views."""

    engine: Engine
    now: Callable[[], int]
    """Returns the present instant; epoch seconds."""
    settings: SiteSettings
    seal: PayeeCipher
    """Encrypts and decrypts payees."""
    endpoint_seal: EndpointCipher
    """Encrypts and decrypts the secrets of webhook endpoints."""
    replica: ReadReplica | None = None
    """Where promoters and the public read, if not from the engine."""


def site() -> SiteBooks:
    """The SiteBooks of the present application."""
    books: SiteBooks = current_app.extensions[EXTENSION]
    return books


def contact() -> str:
    """Where promoters send what operations need of them."""
    return site().settings.contact or site().settings.mail_sender


def now() -> int:
    """The present instant in epoch seconds; constant during a request."""
    if "now" not in g:
        g.now = site().now()
    moment: int = g.now
    return moment


def engine() -> Engine:
    """The engine, with the person who makes the request as actor."""
    return acting(site().engine, _actor())


def _actor() -> Actor:
    person, token = g.get("person"), g.get("token")
    if token is not None:  # without an account, because actions that require one are not open to programs
        name = f"token {token.token_id}: {token.name}"
        return Actor(name, None, token.role, request.remote_addr, g.get("request_id"))
    name, user_id, role = (
        ("not logged in", None, None) if person is None else (person.email, person.user_id, person.role)
    )
    return Actor(name, user_id, role, request.remote_addr, g.get("request_id"))


@contextmanager
def reading_accounts() -> Iterator[Connection]:
    """A snapshot of the books' own server, for what decides who may come in. In a GET or HEAD request all calls share
    one snapshot."""
    if request.method not in ("GET", "HEAD"):
        with snapshot(engine()) as connection:
            yield connection
        return
    if "snapshot" not in g:
        opened = snapshot(site().engine)
        g.snapshot = opened.__enter__(), opened
    yield g.snapshot[0].execution_options(actor=_actor())


@contextmanager
def reading() -> Iterator[Connection]:
    """A snapshot, as ``reading_accounts``; for promoters and the public of the replica, where there is one that
    answers."""
    replica = site().replica
    if replica is not None and "replica_snapshot" not in g:
        g.replica_snapshot = replica.open() if may_read_replica() else None
    opened = g.get("replica_snapshot")
    if opened is not None:
        yield opened[0].execution_options(actor=_actor())
        return
    with reading_accounts() as connection:
        yield connection


def install(app: Flask, books: SiteBooks) -> None:
    """Store the SiteBooks in the application, and close a request's snapshot at its end."""
    app.extensions[EXTENSION] = books

    @app.teardown_appcontext
    def _close(_error: BaseException | None) -> None:
        for name in ("snapshot", "replica_snapshot"):
            if g.get(name) is not None:
                _, opened = g.pop(name)
                opened.__exit__(None, None, None)


@contextmanager
def writing() -> Iterator[Connection]:
    """A transaction, with the person who makes the request as actor."""
    g.wrote = True
    with transaction(engine()) as connection:
        yield connection
