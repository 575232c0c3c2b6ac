"""The outbox: messages that are waiting, sent or failed."""

import click

from bounty.cli.context import open_books
from bounty.cli.output import echo_json, echo_json_list, json_option, several
from bounty.clock import shown
from bounty.db import snapshot, transaction
from bounty.json_types import JsonObject
from bounty.notifications.service import MessageRow, MessageState, messages, resend


@click.group()
def outbox() -> None:
    """List mails and webhook messages, and send failed ones again."""


@outbox.command("list")
@click.option(
    "--state",
    type=click.Choice([state.value for state in MessageState]),
    help="Show only messages in this state.",
)
@json_option
def outbox_list(state: str | None, *, as_json: bool) -> None:
    """List the messages with their state, newest first."""
    with snapshot(open_books().engine) as connection:
        rows = messages().subquery("rows")
        query = rows.select().order_by(rows.c.written_at.desc(), rows.c.message)
        if state is not None:
            query = query.where(rows.c.state == state)
        rows_found = connection.execute(query, execution_options={"yield_per": 1000})
        found = (MessageRow(**row._asdict()) for row in rows_found)
        if as_json:
            echo_json_list(map(_message_json, found))
            return
        for row in found:
            when = row.sent_at or row.next_try_at
            at = "" if when is None else f" {shown(when)}"
            why = (
                ""
                if row.last_error is None
                else f" after {several(row.tries, 'try', 'tries')}: {row.last_error}"
            )
            click.echo(f"{row.message} {row.state}{at} {row.kind} to {row.recipient}: {row.subject}{why}")


def _message_json(row: MessageRow) -> JsonObject:
    names = "message state channel kind recipient subject tries last_error".split()
    times = {name: getattr(row, name) for name in ("written_at", "next_try_at", "sent_at")}
    return {
        **{name: getattr(row, name) for name in names},
        **{name: None if at is None else shown(at) for name, at in times.items()},
    }


@outbox.command("resend")
@click.argument("message")
@json_option
def outbox_resend(message: str, *, as_json: bool) -> None:
    """Let the worker send an unsent message again."""
    books = open_books()
    with transaction(books.engine) as connection:
        recipient = resend(connection, message, books.now())
    if as_json:
        echo_json({"message": message, "recipient": recipient})
        return
    click.echo(f"{message} to {recipient} will be tried again")
