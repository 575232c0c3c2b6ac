"""Commands that hold a promoter's payout of a period for a review, and release it."""

import datetime as dt

import click

from bounty.cli.context import period_argument, promoter_of
from bounty.cli.identity import as_option, books_as
from bounty.cli.output import echo_json, json_option, period_keys
from bounty.clock import midnight, shown
from bounty.db import transaction
from bounty.errors import BountyError
from bounty.roster.terms import open_period
from bounty.rules.periods import Period
from bounty.tranches.holds import hold_payout, release_payout


def last_day(_ctx: click.Context, _param: click.Parameter, value: str) -> int:
    """Callback of ``--due``: the end of a Shanghai date, epoch seconds. Raises BountyError for anything else."""
    try:
        return midnight(dt.date.fromisoformat(value) + dt.timedelta(days=1))
    except (ValueError, OverflowError):
        raise BountyError(
            f"{value!r} is not a date: write the review's last day, such as 2023-01-25."
        ) from None


@click.command()
@period_argument
@click.argument("promoter", callback=promoter_of)
@click.option("--reason", required=True, help="Why; the promoter reads this text.")
@click.option(
    "--due", required=True, metavar="DATE", callback=last_day, help="The review's last day, as 2023-01-25."
)
@as_option
@json_option
def hold(period: Period, promoter: int, reason: str, due: int, email: str | None, *, as_json: bool) -> None:
    """Hold a promoter's payout of a period for a review; its lines stay out of tranches until it is released."""
    books = books_as(email, "operator")
    with transaction(books.engine) as connection:
        open_period(connection, period)
        hold_payout(connection, period, promoter, reason, due, books.now())
    if as_json:
        echo_json({**period_keys(period), "promoter_id": promoter, "due_at": shown(due)})
        return
    click.echo(f"payout of promoter {promoter} for {period} held for a review until {shown(due)}")


@click.command()
@period_argument
@click.argument("promoter", callback=promoter_of)
@click.option("--reason", required=True, help="Why it is released.")
@as_option
@json_option
def release(period: Period, promoter: int, reason: str, email: str | None, *, as_json: bool) -> None:
    """Release a held payout. Where approval is required, the first account asks and a second one releases."""
    books = books_as(email, "operator", "admin")
    with transaction(books.engine) as connection:
        released = release_payout(
            connection, period, promoter, reason, books.now(), approval_required=books.approval_required
        )
    if as_json:
        state = "released" if released else "asked"
        echo_json({**period_keys(period), "promoter_id": promoter, "state": state})
        return
    click.echo(
        f"payout of promoter {promoter} for {period} released: the next tranche pays it"
        if released
        else f"asked for the release of promoter {promoter} for {period}: a second account must agree"
    )


COMMANDS = (hold, release)
