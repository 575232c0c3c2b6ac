"""Accounts with a second factor, and what they type at the command line."""

import logging
from typing import Any

from click.testing import CliRunner, Result
from passlib.totp import TOTP
from sqlalchemy import Engine, update

from bounty.accounts.service import add_user
from bounty.app import main
from bounty.audit.service import Actor, acting
from bounty.db import transaction
from bounty.models import User

PASSWORD = "a long and good one"
KEY = "a key of the tests, which hides no secret"


class Codes:
    """The authenticator of an account, on which it is set up; a test doesn't wait half a minute for the next code."""

    def __init__(self, engine: Engine, email: str, key: str = KEY) -> None:
        self._engine, self._account = engine, User.email == email
        self._totp = TOTP.using(secrets={"1": key}).new()
        self._set(tf_totp_secret=self._totp.to_json(encrypt=True))

    def fresh(self, books: Engine | None = None) -> str:
        """The present one, as if none had been used; in other books that know the account too, if they are given."""
        self._set(books, last_totp_counter=None)
        return self.present()

    def present(self) -> str:
        """The present one, used or not."""
        code: str = self._totp.generate().token
        return code

    def _set(self, books: Engine | None = None, /, **values: Any) -> None:
        with transaction(books or self._engine) as connection:
            connection.execute(update(User).where(self._account).values(**values))


class Person:
    """An account of staff."""

    def __init__(self, engine: Engine, name: str, role: str, *, second_factor: bool = True) -> None:
        self.books, self.role, self.email = engine, role, f"{name}@example.com"
        with transaction(engine) as connection:
            self.user_id = add_user(
                connection, email=self.email, name=name, role=role, password=PASSWORD, now=1
            )
        self.codes = Codes(engine, self.email) if second_factor else None

    @property
    def engine(self) -> Engine:
        """The books, on which this account acts."""
        return acting(self.books, Actor(self.email, self.user_id, self.role))

    def code(self, books: Engine | None = None) -> str:
        """A fresh one-time code."""
        assert self.codes is not None
        return self.codes.fresh(books)


def typed(
    database_url: str, now: str, *arguments: str, lines: tuple[str, ...] = (), **variables: Any
) -> Result:
    """What a command says that is given these lines, with approval required unless told otherwise."""
    given = {
        "BOUNTY_DATABASE_URL": database_url,
        "BOUNTY_NOW": now,
        "BOUNTY_REQUIRE_APPROVAL": "true",
        "BOUNTY_TOTP_KEY": KEY,
    }
    handlers = logging.root.handlers[:]
    try:
        return CliRunner(env=given | variables).invoke(
            main, arguments, prog_name="bounty", input="".join(f"{line}\n" for line in lines)
        )
    finally:
        logging.root.handlers[:] = handlers


def typed_as(person: Person, database_url: str, now: str, *arguments: str, **variables: Any) -> Result:
    """The same, as an account that logs in with its password and a fresh code."""
    lines = (PASSWORD, person.code())
    return typed(database_url, now, *arguments, "--as", person.email, lines=lines, **variables)
