"""The command that lists the slots of the calendar."""

from collections.abc import Sequence
from typing import Final

import click

from bounty.calendar.schedule import PATIENCE, ScheduledSlot, SlotState, scheduled_slots
from bounty.cli.context import open_books
from bounty.cli.output import echo_json, json_option, several
from bounty.clock import shown
from bounty.db import snapshot
from bounty.errors import BountyError
from bounty.roster.programmes import programmes

RECENT: Final = 62 * 86_400
"""Age in seconds up to which done slots are listed one by one."""


@click.command()
@json_option
def slots(*, as_json: bool) -> None:
    """List the slots of the calendar so far: done, due or missed; exit 1 if any is missed. Where there are several
    programmes, each slot with its own; ``-`` is of all."""
    books = open_books()
    now = books.now()
    with snapshot(books.engine) as connection:
        scheduled = scheduled_slots(connection, books.calendar, now)
        codes = [row.code for row in programmes(connection)]
    width = max(map(len, codes)) if len(codes) > 1 else 0
    states = [slot.state(now) for slot in scheduled]
    if as_json:
        echo_json([_slot_json(slot, state) for slot, state in zip(scheduled, states, strict=True)])
    else:
        _echo_slots(scheduled, states, now, width)
    if missed := states.count(SlotState.MISSED):
        are = "1 slot is" if missed == 1 else f"{missed:,} slots are"
        raise BountyError(
            f"{are} due for more than {PATIENCE // 3600} hours: is `bounty worker` running? "
            "`bounty worker --once` does the work now and says what stands in the way."
        )


def _slot_json(slot: ScheduledSlot, state: str) -> dict[str, str | None]:
    done_at, by_hand = slot.done_at or slot.opened_at, slot.done_at is None and slot.opened_at is not None
    return {
        "job": slot.job,
        "slot": slot.slot,
        "state": state,
        "due_at": shown(slot.due_at),
        "done_at": None if done_at is None else shown(done_at),
        "outcome": "by hand" if by_hand else slot.outcome,
    }


def _echo_slots(scheduled: list[ScheduledSlot], states: Sequence[str], now: int, width: int) -> None:
    """List slots.

    width   of the programmes' codes; 0 where there is one programme, which is not named then
    """
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
        click.echo(f"and {several(earlier, 'earlier slot')}, done")
    counts = ", ".join(f"{states.count(state):,} {state}" for state in ("done", "due", "missed"))
    click.echo(f"{several(len(scheduled), 'slot')}: {counts}")
