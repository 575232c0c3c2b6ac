"""What is to be sent, what was, and what was not taken."""

import click

from bounty.cli.context import open_books
from bounty.clock import shown
from bounty.db import snapshot, transaction
from bounty.notifications.service import STATES, messages, resend


@click.group()
def outbox() -> None:
    """Messages: mails and the webhook's, written with their cause and sent by the worker."""


@outbox.command("list")
@click.option("--state", type=click.Choice(list(STATES)), help="Only these.")
def outbox_list(state: str | None) -> None:
    """Every message, the newest first, with how it stands."""
    with snapshot(open_books().engine) as connection:
        rows = messages().subquery("rows")
        query = rows.select().order_by(rows.c.written_at.desc(), rows.c.message)
        if state is not None:
            query = query.where(rows.c.state == state)
        for row in connection.execute(query, execution_options={"yield_per": 1000}):
            when = row.sent_at or row.next_try_at
            at = "" if when is None else f" {shown(when)}"
            why = "" if row.last_error is None else f" after {row.tries} tries: {row.last_error}"
            click.echo(f"{row.message} {row.state}{at} {row.kind} to {row.recipient}: {row.subject}{why}")


@outbox.command("resend")
@click.argument("message")
def outbox_resend(message: str) -> None:
    """Let a message that was not taken be tried again by the worker."""
    books = open_books()
    with transaction(books.engine) as connection:
        row = resend(connection, message, books.now())
    click.echo(f"{message} to {row.recipient} will be tried again")
