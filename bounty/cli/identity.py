"""Log-in for one command: ``--as EMAIL`` asks for the password, and for a one-time code if the account uses them."""

import sys
from dataclasses import replace

import click

from bounty.accounts.service import NEEDS_ACCOUNT
from bounty.audit.service import Actor, acting
from bounty.cli.context import CommandContext, open_books
from bounty.errors import BountyError

ADDRESS = "command line"
"""The address of these log-ins. It is separate from the pages', so failed log-ins there do not delay these."""
as_option = click.option(
    "--as", "email", metavar="EMAIL", help="Log in as this account; asks for its password and one-time code."
)


def books_as(email: str | None, *roles: str) -> CommandContext:
    """The books with the account of ``--as`` as actor, after its log-in; without ``--as`` if no account is required.

    roles  the roles that may run the command

    Raises BountyError for a wrong password, code or role. If approval is required, it also raises BountyError without
    ``--as`` and for an account without a second factor.
    """
    books = open_books()
    if email is not None:
        return _logged_in(books, email, roles)
    if books.approval_required:
        raise NEEDS_ACCOUNT
    return books


def books_as_anyone(email: str | None, *roles: str) -> CommandContext:
    """Like ``books_as``, for commands that never require a log-in."""
    return open_books() if email is None else _logged_in(open_books(), email, roles)


def _logged_in(books: CommandContext, email: str, roles: tuple[str, ...]) -> CommandContext:
    # Loaded here, as passkeys' library takes a tenth of a second, for which commands without a log-in need not wait.
    from bounty.accounts.identity import (  # noqa: PLC0415
        Proof,
        account_behind,
        record_log_in,
        require_proof,
    )

    now = books.now()
    account = account_behind(books.engine, email, _prompted("Password"), now, device=ADDRESS)
    if account.role not in roles:
        raise BountyError(
            f"{account.email} is {account.role}, and this takes an account that is {' or '.join(roles)}."
        )
    if account.has_code:
        key, proof = books.totp_key(), Proof(_prompted("One-time code"), None)
        require_proof(books.engine, account.user_id, proof, now, key=key, address=ADDRESS, device=ADDRESS)
    elif account.has_passkey:
        raise BountyError(
            f"{account.email} has a passkey, which a shell can't ask for: log in at {books.public_url}/tf-setup and "
            "set up an authenticator beside it."
        )
    elif books.approval_required:
        raise BountyError(
            f"{account.email} has no second factor, which this takes: log in at {books.public_url}/tf-setup and "
            "set one up."
        )
    actor = Actor(account.email, account.user_id, account.role, ADDRESS)
    record_log_in(books.engine, actor, now, device=ADDRESS)
    return replace(books, engine=acting(books.engine, actor))


def _prompted(what: str) -> str:
    """A secret: typed without echo on a terminal, otherwise the next line of standard input."""
    if sys.stdin.isatty():
        typed: str = click.prompt(what, hide_input=True, err=True)
        return typed
    line = sys.stdin.readline()
    if not line:
        raise BountyError(f"{what} is missing: type it when asked, or give it as a line of standard input.")
    return line.rstrip("\r\n")
