"""Commands for revoking a published pass: one account requests it, another decides."""

import click

from bounty.cli.context import period_argument, promoter_of
from bounty.cli.identity import as_option, books_as
from bounty.cli.output import echo_json, json_option, period_keys
from bounty.db import transaction
from bounty.rules.periods import Period
from bounty.settlement.revocations import answer_void, ask_void


@click.group()
def void() -> None:
    """Revoke published passes because of violations found later. This takes two people."""


@void.command()
@period_argument
@click.argument("promoter", callback=promoter_of)
@click.option("--reason", required=True, help="The violation; the promoter sees this text.")
@as_option
@json_option
def ask(period: Period, promoter: int, reason: str, email: str | None, *, as_json: bool) -> None:
    """Request to revoke a promoter's pass in a period."""
    books = books_as(email, "operator")
    with transaction(books.engine) as connection:
        is_new = ask_void(connection, period, promoter, reason, books.now())
    if as_json:
        echo_json({**period_keys(period), "promoter_id": promoter, "changed": is_new})
        return
    click.echo(
        f"asked for the pass of promoter {promoter} in {period} to be void: somebody else answers"
        if is_new
        else "asked already"
    )


@void.command()
@period_argument
@click.argument("promoter", callback=promoter_of)
@click.argument("verdict", type=click.Choice(["approve", "decline"]))
@as_option
@json_option
def answer(period: Period, promoter: int, verdict: str, email: str | None, *, as_json: bool) -> None:
    """Approve or decline a request to revoke a pass. The next settlement applies the decision."""
    books = books_as(email, "operator", "admin")
    with transaction(books.engine) as connection:
        answer_void(connection, period, promoter, books.now(), approve=verdict == "approve")
    if as_json:
        echo_json({**period_keys(period), "promoter_id": promoter, "void": verdict == "approve"})
        return
    if verdict == "approve":
        click.echo(f"the pass of promoter {promoter} in {period} is void: settle and publish to say so")
    else:
        click.echo(f"the pass of promoter {promoter} in {period} stands")
