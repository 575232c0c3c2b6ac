"""The command that lists the slots of the calendar."""

from typing import Final

import click

from bounty.calendar.schedule import PATIENCE, scheduled_slots
from bounty.cli.context import open_books
from bounty.clock import shown
from bounty.db import snapshot
from bounty.errors import BountyError
from bounty.roster.programmes import programmes

RECENT: Final = 62 * 86_400
"""Age in seconds up to which done slots are listed one by one."""


@click.command()
def slots() -> None:
    """List the slots of the calendar so far: done, due or missed; exit 1 if any is missed. Where there are several
    programmes, each slot with its own; ``-`` is of all."""
    books = open_books()
    now = books.now()
    with snapshot(books.engine) as connection:
        scheduled = scheduled_slots(connection, books.calendar, now)
        codes = [row.code for row in programmes(connection)]
    width = max(map(len, codes)) if len(codes) > 1 else 0
    states = [slot.state(now) for slot in scheduled]
    earlier = 0
    for slot, state in zip(scheduled, states, strict=True):
        if state == "done" and slot.due_at < now - RECENT:
            earlier += 1
            continue
        outcome = "" if slot.done_at is None else f" done {shown(slot.done_at)} {slot.outcome}"
        if slot.done_at is None and slot.opened_at is not None:
            outcome = f" done {shown(slot.opened_at)} by hand"
        of = f"{slot.programme or '-':{width}} " if width else ""
        click.echo(f"{state:6} {slot.job:6} {of}{slot.name:10} due {shown(slot.due_at)}{outcome}")
    if earlier:
        click.echo(f"and {earlier} earlier ones, all done")
    click.echo(
        f"{len(scheduled)} slots: "
        + ", ".join(f"{states.count(state)} {state}" for state in ("done", "due", "missed"))
    )
    if missed := states.count("missed"):
        raise BountyError(
            f"{missed} slots are due for more than {PATIENCE // 3600} hours: is `bounty worker` running? "
            "`bounty worker --once` does them now and says what stands in the way."
        )
