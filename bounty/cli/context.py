"""Shared by all commands: database and settings, parsing of arguments, and a progress bar."""

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
"""Key in click's ``meta`` of the function that opens the books."""


@dataclass(frozen=True, slots=True)
class CommandContext:
    """The database, the clock and the settings of a command."""

    engine: Engine
    now: Callable[[], int]
    """Returns the present instant; epoch seconds."""
    approval_required: bool
    """Whether a second account must approve drafts, payees and tranches."""
    public_url: str
    """The site's address, for links."""
    platform: PlatformAccount
    """The account on the open platform."""
    backups: Path
    """The folder for backups."""
    postgres_programs: Path | None
    """The folder of PostgreSQL's client programs; None to find them on the PATH."""
    calendar: Calendar
    totp_key: Callable[[], str]
    """Returns the key that encrypts the secrets of second factors. A function, so that other commands need no key."""
    seal: Callable[[], PayeeCipher]
    """Returns the cipher of payees. A function, so that other commands need no key."""
    payer: Payer
    """The settings of the payer's files."""
    unusual_times: int
    """A tranche or payout more than this many times the largest one so far causes a warning."""


def open_books() -> CommandContext:
    """The books of the present command. Raises BountyError if the database schema is not the program's."""
    books: CommandContext = click.get_current_context().meta[BOOKS]()
    schema.require_current(books.engine)
    return books


def _period(_ctx: click.Context, _param: click.Parameter, value: str) -> Period:
    try:
        return Period.parse(value)
    except ValueError as error:
        raise BountyError(str(error)) from None


def promoter_of(_ctx: click.Context, _param: click.Parameter, value: str) -> int:
    """Callback of a promoter argument. Raises BountyError for an invalid id."""
    if not re.fullmatch(r"[0-9]{1,15}", value):
        raise BountyError(f"{value!r} is not a promoter id: write its digits, at most 15.")
    return int(value)


period_argument = click.argument("period", callback=_period)


def number_of(text: str, what: str, shown_by: str) -> int:
    """Parse a number. Raises BountyError with the kind of number and the command that lists such numbers."""
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise BountyError(f"{text!r} is not {what}: `{shown_by}` shows them.")
    return int(text)


@contextmanager
def progress_bar(name: str) -> Iterator[Callable[[int], None]]:
    """Show a progress bar of rows if standard error is a terminal; yields the function that updates it."""
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
