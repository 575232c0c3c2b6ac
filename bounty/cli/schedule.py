"""What the calendar asked for, and what became of it."""

from typing import Final

import click

from bounty.calendar.schedule import PATIENCE, scheduled_slots
from bounty.cli.context import open_books
from bounty.clock import shown
from bounty.db import snapshot
from bounty.errors import BountyError

RECENT: Final = 62 * 86_400
"""Seconds for which what is done is listed."""


@click.command()
def slots() -> None:
    """What the calendar has asked for so far: done, due or missed; exit 1 if anything is missed."""
    books = open_books()
    now = books.now()
    with snapshot(books.engine) as connection:
        asked = scheduled_slots(connection, books.calendar, now)
    states = [each.state(now) for each in asked]
    earlier = 0
    for each, state in zip(asked, states, strict=True):
        if state == "done" and each.due_at < now - RECENT:
            earlier += 1
            continue
        became = "" if each.done_at is None else f" done {shown(each.done_at)} {each.outcome}"
        if each.done_at is None and each.opened_at is not None:
            became = f" done {shown(each.opened_at)} by hand"
        click.echo(f"{state:6} {each.job:6} {each.slot:10} due {shown(each.due_at)}{became}")
    if earlier:
        click.echo(f"and {earlier} earlier ones, all done")
    click.echo(
        f"{len(asked)} slots: "
        + ", ".join(f"{states.count(state)} {state}" for state in ("done", "due", "missed"))
    )
    if missed := states.count("missed"):
        raise BountyError(
            f"{missed} slots are due for more than {PATIENCE // 3600} hours: is `bounty worker` running? "
            "`bounty worker --once` does them now and says what stands in the way."
        )
