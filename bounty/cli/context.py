"""What every command starts from: the books, the arguments people give, a progress bar."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import Engine

from bounty import schema
from bounty.calendar.schedule import Calendar
from bounty.errors import BountyError
from bounty.payees.encryption import PayeeCipher
from bounty.platforms.pdd.account import PlatformAccount
from bounty.rules.periods import Period
from bounty.tranches.payer_files import Payer

BOOKS = "bounty.books"
"""Where the group keeps the way to the books for its commands."""


@dataclass(frozen=True, slots=True)
class CommandContext:
    """The database and the clock that a command works with."""

    engine: Engine
    now: Callable[[], int]
    approval_required: bool
    public_url: str
    """How the site is reached, for links."""
    platform: PlatformAccount
    """Ours on the open platform."""
    backups: Path
    """Where backups are kept."""
    postgres_programs: Path | None
    """The folder of PostgreSQL's client programs; null: on the PATH."""
    calendar: Calendar
    totp_key: Callable[[], str]
    """What encrypts the secrets of second factors; asked for where one is."""
    seal: Callable[[], PayeeCipher]
    """Closes and opens payees; asked for where one is read or written, for only there need its key be known."""
    payer: Payer
    unusual_times: int
    """How many times the largest so far a tranche or payout may be without being told of."""


def open_books() -> CommandContext:
    """The books, once their schema is known to be the program's."""
    books: CommandContext = click.get_current_context().meta[BOOKS]()
    schema.require_current(books.engine)
    return books


def _period(_ctx: click.Context, _param: click.Parameter, value: str) -> Period:
    try:
        return Period.parse(value)
    except ValueError as error:
        raise BountyError(str(error)) from None


def promoter_of(_ctx: click.Context, _param: click.Parameter, value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,15}", value):
        raise BountyError(f"{value!r} is not a promoter id: write its digits, at most 15.")
    return int(value)


period_argument = click.argument("period", callback=_period)


def number_of(text: str, what: str, shown_by: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise BountyError(f"{text!r} is not {what}: `{shown_by}` shows them.")
    return int(text)


@contextmanager
def progress_bar(name: str) -> Iterator[Callable[[int], None]]:
    """A bar of rows on a terminal; silence elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,} rows"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda rows: bar.update(task, completed=rows)
