"""Programmes: which there are, adding, renaming, retiring and restoring one."""

import click

from bounty.cli.context import open_books
from bounty.cli.output import echo_json, json_option
from bounty.clock import shown
from bounty.db import snapshot, transaction
from bounty.roster.programmes import (
    add_programme,
    cycle_of,
    programmes,
    rename_programme,
    restore_programme,
    retire_programme,
)


@click.group()
def programme() -> None:
    """Bounties that run side by side, each with its own terms, periods and notices."""


@programme.command("add")
@click.argument("code")
@click.option("--name", required=True, help="What people call it.")
@json_option
def programme_add(code: str, name: str, *, as_json: bool) -> None:
    """Add a programme; the same again changes nothing."""
    books = open_books()
    with transaction(books.engine) as connection:
        changed = add_programme(connection, code, name, books.now())
    if as_json:
        echo_json({"code": code, "name": name, "changed": changed})
        return
    click.echo(f"programme {code} {'added' if changed else 'is there already, nothing changed'}")


@programme.command("list")
@json_option
def programme_list(*, as_json: bool) -> None:
    """Every programme with its name and cycle."""
    with snapshot(open_books().engine) as connection:
        found = [
            {
                "code": row.code,
                "name": row.name,
                "cycle": cycle_of(connection, row.code),
                "retired_at": None if row.retired_at is None else shown(row.retired_at),
            }
            for row in programmes(connection)
        ]
    if as_json:
        echo_json(found)
        return
    for each in found:
        retired = "" if each["retired_at"] is None else f", retired {each['retired_at']}"
        click.echo(f"{each['code']}  {each['name']}  ({each['cycle'] or 'no terms yet'}{retired})")


@programme.command("rename")
@click.argument("code")
@click.option("--name", required=True, help="What people call it from now on.")
@json_option
def programme_rename(code: str, name: str, *, as_json: bool) -> None:
    """Give a programme another name; its code stays."""
    books = open_books()
    with transaction(books.engine) as connection:
        changed = rename_programme(connection, code, name, books.now())
    if as_json:
        echo_json({"code": code, "name": name, "changed": changed})
        return
    click.echo(f"programme {code} {'renamed' if changed else 'has that name already, nothing changed'}")


@programme.command("retire")
@click.argument("code")
@json_option
def programme_retire(code: str, *, as_json: bool) -> None:
    """Open no new period of a programme; what is open goes on. `bounty programme restore` takes it back."""
    books = open_books()
    with transaction(books.engine) as connection:
        changed = retire_programme(connection, code, books.now())
    if as_json:
        echo_json({"code": code, "changed": changed})
        return
    click.echo(f"programme {code} {'retired' if changed else 'is retired already, nothing changed'}")


@programme.command("restore")
@click.argument("code")
@json_option
def programme_restore(code: str, *, as_json: bool) -> None:
    """Let a retired programme open periods again."""
    books = open_books()
    with transaction(books.engine) as connection:
        changed = restore_programme(connection, code, books.now())
    if as_json:
        echo_json({"code": code, "changed": changed})
        return
    click.echo(f"programme {code} {'restored' if changed else 'is not retired, nothing changed'}")
