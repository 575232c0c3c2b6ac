"""Shared by all commands: database and settings, parsing of arguments, and a progress bar."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import Engine

from bounty import schema
from bounty.calendar.schedule import Calendar
from bounty.cli import BOOKS
from bounty.db import snapshot
from bounty.errors import BountyError
from bounty.payees.encryption import PayeeCipher
from bounty.platforms.pdd.account import PlatformAccount
from bounty.roster.programmes import cycle_of, programmes
from bounty.rules.periods import MAIN, Period, is_programme_code
from bounty.tranches.payer_files import Payer

_Command = TypeVar("_Command", bound=Callable[..., Any] | click.Command)


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


def _programme(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if not is_programme_code(value):
        raise BountyError(f"{value!r} is not a programme's code: `bounty programme list` shows them.")
    return value


def read_period(text: str, programme: str) -> Period:
    """A period as people write it, of ``--programme`` where the text names none.

    Raises BountyError for anything else, and where the text names another programme than the command line.
    """
    try:
        period = Period.parse(text, programme)
    except ValueError as error:
        raise BountyError(str(error)) from None
    require_same_programme(text, period, programme)
    require_period_of_main(text, period)
    return period


def require_period_of_main(text: str, period: Period) -> None:
    """Raises BountyError where nothing names a programme, there are several, and ``main`` has no such period."""
    if is_programme_named() or ":" in text:
        return
    with snapshot(open_books().engine) as connection:
        codes = [row.code for row in programmes(connection)]
        fitting = [code for code in codes if cycle_of(connection, code) == period.cycle]
    if len(codes) > 1 and fitting and MAIN not in fitting:
        options = " or ".join(f"--programme {code}" for code in fitting)
        raise BountyError(f"Programme main has no period {text}: add {options}, or set BOUNTY_PROGRAMME.")


def require_same_programme(text: str, period: Period, programme: str) -> None:
    """Raises BountyError where a period is of another programme than ``--programme`` on the command line names."""
    if _source_of_programme() is ParameterSource.COMMANDLINE and period.programme != programme:
        raise BountyError(f"{text} is of programme {period.programme}, and --programme says {programme}.")


def is_programme_named() -> bool:
    """Whether ``--programme`` or BOUNTY_PROGRAMME names a programme."""
    return _source_of_programme() in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)


def _source_of_programme() -> ParameterSource | None:
    ctx = click.get_current_context()
    return ctx.get_parameter_source("of_programme") or ctx.get_parameter_source("programme")


def _period(ctx: click.Context, _param: click.Parameter, value: str) -> Period:
    return read_period(value, ctx.params.pop("of_programme"))


def promoter_of(_ctx: click.Context, _param: click.Parameter, value: str) -> int:
    """Callback of a promoter argument. Raises BountyError for an invalid id."""
    if not re.fullmatch(r"[0-9]{1,15}", value):
        raise BountyError(f"{value!r} is not a promoter id: write its digits, at most 15.")
    return int(value)


def _programme_option(name: str, *, eager: bool) -> Callable[[_Command], _Command]:
    return click.option(
        "--programme",
        name,
        envvar="BOUNTY_PROGRAMME",
        default=MAIN,
        callback=_programme,
        is_eager=eager,
        metavar="CODE",
        help="The programme by its code; without it BOUNTY_PROGRAMME, else main.",
    )


programme_option = _programme_option("programme", eager=False)
"""``--programme``, as the command's parameter ``programme``."""


spark_option: Callable[[_Command], _Command] = click.option(
    "--on",
    "master",
    metavar="MASTER",
    help="Compute on Spark: local[2], local-cluster[2,1,1024], spark://HOST:PORT.",
)
"""``--on``, as the command's parameter ``master``; null for the books' own database."""


def period_argument(command: _Command) -> _Command:
    """A period of the programme that ``--programme`` names, or that the period's own text does."""
    with_option = _programme_option("of_programme", eager=True)(command)
    return click.argument("period", callback=_period)(with_option)


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
