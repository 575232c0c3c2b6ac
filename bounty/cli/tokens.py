"""Commands for API tokens."""

import click

from bounty.cli.context import number_of, open_books, promoter_of
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
def token_add(role: str, promoter: int | None, name: str, days: int) -> None:
    """Issue a token. Prints only the token, which is not shown again."""
    books = open_books()
    with transaction(books.engine) as connection:
        issued = service.issue(
            connection, name=name, role=role, promoter_id=promoter, days=days, now=books.now()
        )
    click.echo(issued.token)
    click.echo(
        f"Token {issued.token_id} holds until {shown(issued.expires_at)}. Keep it: it is not shown again.",
        err=True,
    )


@token.command("list")
def token_list() -> None:
    """List the tokens with number, role, name, state and last use."""
    books = open_books()
    with snapshot(books.engine) as connection:
        for row in connection.execute(service.tokens().order_by(ApiToken.token_id)):
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
def token_revoke(number: str) -> None:
    """Revoke a token."""
    books = open_books()
    token_id = number_of(number, "a token's number", "bounty token list")
    with transaction(books.engine) as connection:
        service.revoke(connection, token_id, books.now())
    click.echo(f"token {token_id} is revoked")
