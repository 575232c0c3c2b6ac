"""Commands for API tokens."""

import click

from bounty.cli.context import number_of, open_books, promoter_of
from bounty.cli.output import echo_json, json_option
from bounty.clock import shown
from bounty.db import snapshot, transaction
from bounty.models import TOKEN_ROLES, ApiToken
from bounty.tokens import service


@click.group()
def token() -> None:
    """Issue, list and revoke API tokens."""


@token.command("add")
@click.option(
    "--role",
    required=True,
    type=click.Choice(TOKEN_ROLES),
    help="The token's role, which decides what it may read and do.",
)
@click.option(
    "--promoter",
    callback=lambda c, p, v: None if v is None else promoter_of(c, p, v),
    help="The promoter whose data the token reads.",
)
@click.option("--name", required=True, help="The token's purpose.")
@click.option("--days", type=int, default=service.DAYS, show_default=True, help="Days until it expires.")
@json_option
def token_add(role: str, promoter: int | None, name: str, days: int, *, as_json: bool) -> None:
    """Issue a token. Prints only the token, which is not shown again."""
    books = open_books()
    with transaction(books.engine) as connection:
        issued = service.issue(
            connection, name=name, role=role, promoter_id=promoter, days=days, now=books.now()
        )
    if as_json:
        expires_at = shown(issued.expires_at)
        echo_json({"token_id": issued.token_id, "token": issued.token, "expires_at": expires_at})
        return
    click.echo(issued.token)
    click.echo(
        f"Token {issued.token_id} holds until {shown(issued.expires_at)}. Keep it: it is not shown again.",
        err=True,
    )


@token.command("list")
@json_option
def token_list(*, as_json: bool) -> None:
    """List the tokens with number, role, name, state and last use."""
    books = open_books()
    with snapshot(books.engine) as connection:
        rows = connection.execute(service.tokens().order_by(ApiToken.token_id)).all()
    if as_json:
        names, times = (
            ("token_id", "role", "promoter_id", "name"),
            ("expires_at", "revoked_at", "last_used_at"),
        )
        echo_json(
            [
                {name: getattr(row, name) for name in names}
                | {name: None if (at := getattr(row, name)) is None else shown(at) for name in times}
                for row in rows
            ]
        )
        return
    for row in rows:
        promoter = "" if row.promoter_id is None else f" {row.promoter_id}"
        used = "never used" if row.last_used_at is None else f"last used {shown(row.last_used_at)}"
        if row.revoked_at is not None:
            state = f"revoked {shown(row.revoked_at)}"
        else:
            word = "expires" if row.expires_at > books.now() else "expired"
            state = f"{word} {shown(row.expires_at)}"
        click.echo(f"{row.token_id} {row.role}{promoter} {row.name}, {state}, {used}")


@token.command("revoke")
@click.argument("number", metavar="NUMBER")
@json_option
def token_revoke(number: str, *, as_json: bool) -> None:
    """Revoke a token."""
    books = open_books()
    token_id = number_of(number, "a token's number", "bounty token list")
    with transaction(books.engine) as connection:
        service.revoke(connection, token_id, books.now())
    if as_json:
        echo_json({"token_id": token_id})
        return
    click.echo(f"token {token_id} is revoked")
