"""The outbox: messages that are waiting, sent or failed."""

import click

from bounty.cli.context import open_books
from bounty.clock import shown
from bounty.db import snapshot, transaction
from bounty.notifications.service import STATES, messages, resend


@click.group()
def outbox() -> None:
    """List mails and webhook messages, and send failed ones again."""


@outbox.command("list")
@click.option("--state", type=click.Choice(list(STATES)), help="Show only messages in this state.")
def outbox_list(state: str | None) -> None:
    """List the messages with their state, newest first."""
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
    """Let the worker send an unsent message again."""
    books = open_books()
    with transaction(books.engine) as connection:
        recipient = resend(connection, message, books.now())
    click.echo(f"{message} to {recipient} will be tried again")
