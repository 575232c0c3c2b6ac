"""What a view works with: the database, as whoever asks, and the clock."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask import Flask, current_app, g, request
from sqlalchemy import Connection, Engine

from bounty.audit.service import Actor, acting
from bounty.db import snapshot, transaction
from bounty.payees.encryption import PayeeCipher

EXTENSION = "bounty.books"
"""Where the application keeps them."""


@dataclass(frozen=True, slots=True)
class SiteBooks:
    """What the application hands to its views."""

    engine: Engine
    now: Callable[[], int]
    settings: Any
    """``config.Settings``: what may differ between installations."""
    seal: PayeeCipher
    """Closes and opens payees."""


def site() -> SiteBooks:
    """This application's."""
    books: SiteBooks = current_app.extensions[EXTENSION]
    return books


def now() -> int:
    """The present instant, the same throughout a request."""
    if "now" not in g:
        g.now = site().now()
    moment: int = g.now
    return moment


def engine() -> Engine:
    """The database, on whose connections the person who asks acts."""
    return acting(site().engine, _actor())


def _actor() -> Actor:
    person, token = g.get("person"), g.get("token")
    if token is not None:  # never with an account: what takes one is not for programs
        name = f"token {token.token_id}: {token.name}"
        return Actor(name, None, token.role, request.remote_addr, g.get("request_id"))
    name, user_id, role = (
        ("not logged in", None, None) if person is None else (person.email, person.user_id, person.role)
    )
    return Actor(name, user_id, role, request.remote_addr, g.get("request_id"))


@contextmanager
def reading() -> Iterator[Connection]:
    """Everything read inside is of one moment; throughout a request that only reads, of the same one."""
    if request.method not in ("GET", "HEAD"):
        with snapshot(engine()) as connection:
            yield connection
        return
    if "snapshot" not in g:
        opened = snapshot(site().engine)
        g.snapshot = opened.__enter__(), opened
    yield g.snapshot[0].execution_options(actor=_actor())


def install(app: Flask, books: SiteBooks) -> None:
    """Let the views have them, and end what a request reads with it."""
    app.extensions[EXTENSION] = books

    @app.teardown_appcontext
    def _close(_error: BaseException | None) -> None:
        if "snapshot" in g:
            _, opened = g.pop("snapshot")
            opened.__exit__(None, None, None)


@contextmanager
def writing() -> Iterator[Connection]:
    """One act, whole or not at all."""
    with transaction(engine()) as connection:
        yield connection
