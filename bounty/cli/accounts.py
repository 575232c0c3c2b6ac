"""Commands for accounts and for the audit log."""

import click

from bounty.accounts import service as accounts
from bounty.audit.journal import read_journal
from bounty.audit.service import verify
from bounty.cli.context import open_books, promoter_of
from bounty.cli.output import echo_json, json_option, several
from bounty.clock import shown
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.models import ROLES


@click.group()
def user() -> None:
    """Invite, change, disable, enable and list accounts."""


@user.command("add")
@click.argument("email")
@click.option("--role", required=True, type=click.Choice(ROLES))
@click.option("--name", help="The person's name; the part of the e-mail before @ if not given.")
@click.option("--promoter", callback=lambda c, p, v: None if v is None else promoter_of(c, p, v))
@json_option
def user_add(email: str, role: str, name: str | None, promoter: int | None, *, as_json: bool) -> None:
    """Invite a person. Prints a one-time link with which the person sets a password."""
    books = open_books()
    person = (email, name or email.partition("@")[0], role, promoter)
    with transaction(books.engine) as connection:
        (invited,) = accounts.invite(connection, [person], books.now())
    link = f"{books.public_url}/invitation/{invited.token}"
    if as_json:
        echo_json(
            {
                "email": invited.email,
                "role": role,
                "promoter_id": promoter,
                "name": invited.name,
                "link": link,
            }
        )
        return
    click.echo(link)


@user.command("role")
@click.argument("email")
@click.argument("role")
@json_option
def user_role(email: str, role: str, *, as_json: bool) -> None:
    """Change the role of a staff account. Its sessions end."""
    books = open_books()
    with transaction(books.engine) as connection:
        accounts.set_role(connection, email, role, books.now())
    if as_json:
        echo_json({"email": email, "role": role})
        return
    click.echo(f"{email} is {role}")


@user.command("disable")
@click.argument("email")
@json_option
def user_disable(email: str, *, as_json: bool) -> None:
    """Disable an account. Its sessions end at once."""
    books = open_books()
    with transaction(books.engine) as connection:
        accounts.disable(connection, email, books.now())
    if as_json:
        echo_json({"email": email, "active": False})
        return
    click.echo(f"{email} is disabled")


@user.command("enable")
@click.argument("email")
@json_option
def user_enable(email: str, *, as_json: bool) -> None:
    """Let a disabled account log in again."""
    books = open_books()
    with transaction(books.engine) as connection:
        accounts.enable(connection, email, books.now())
    if as_json:
        echo_json({"email": email, "active": True})
        return
    click.echo(f"{email} is enabled")


@user.command("list")
@json_option
def user_list(*, as_json: bool) -> None:
    """List the accounts with e-mail, role, name and state."""
    with snapshot(open_books().engine) as connection:
        rows = accounts.users(connection)
    if as_json:
        names = ("email", "role", "promoter_id", "name", "active", "second_factor")
        echo_json([{name: getattr(row, name) for name in names} for row in rows])
        return
    for row in rows:
        state = "" if row.active else ", disabled"
        factor = ", second factor" if row.second_factor else ""
        promoter = "" if row.promoter_id is None else f" {row.promoter_id}"
        click.echo(f"{row.email} {row.role}{promoter} {row.name}{factor}{state}")


@click.group()
def audit() -> None:
    """Verify the audit log."""


@audit.command("verify")
@json_option
def audit_verify(*, as_json: bool) -> None:
    """Verify the hash chain of all audit events; exit 1 if an event was changed, removed or inserted."""
    with snapshot(open_books().engine) as connection:
        chain, journal = verify(connection), read_journal(connection)
    ahead = None if journal is None else journal.ahead
    if as_json:
        missing = None if ahead is None else ahead["event"]
        echo_json({"events": chain.events, "head": chain.head, "broken": chain.broken, "missing": missing})
    events = several(chain.events, "event")
    if chain.broken:
        numbers = ", ".join(map(str, chain.broken[:10]))
        raise BountyError(
            f"The chain of {events} does not hold at event {numbers}: compare with a backup before "
            "anything is published or paid."
        )
    if journal is not None and ahead is not None:
        raise BountyError(
            f"The chain of {events} holds, and it is older than the journal {journal.path}: event "
            f"{ahead['event']} of {shown(ahead['at'])} is not in it. These books are an old copy, or have lost what "
            "was written last: restore the newest backup, and bring in again what came after it."
        )
    if not as_json:
        click.echo(f"{events}, the chain holds, head sha256:{chain.head}")
