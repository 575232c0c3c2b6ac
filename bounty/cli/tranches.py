"""Commands for tranches: prepare, list, show, approve, export."""

import datetime as dt
from collections.abc import Iterator, Sequence
from itertools import starmap
from pathlib import Path

import click
from sqlalchemy import Connection

from bounty.checks.books import require_balanced
from bounty.cli import holds, payment_results
from bounty.cli.context import number_of, open_books
from bounty.cli.identity import as_option, books_as, books_as_anyone
from bounty.cli.output import echo_json, json_option, several
from bounty.cli.payees import warn_of_shared
from bounty.clock import midnight, shanghai_date, shown
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.json_types import JsonObject
from bounty.money import grouped_yuan
from bounty.payees import service
from bounty.tranches import approval, preparation, state
from bounty.tranches.export import export_tranche
from bounty.tranches.files import PayoutRow, payout_id, payouts_of
from bounty.tranches.state import TrancheRow
from bounty.tranches.unusual_amounts import unusual


@click.group()
def payout() -> None:
    """Prepare, approve and export tranches, hold payouts, record payment results, and close periods."""


for _command in (*payment_results.COMMANDS, *holds.COMMANDS):
    payout.add_command(_command)


def tranche_number(_ctx: click.Context, _param: click.Parameter, value: str) -> int:
    return number_of(value, "a tranche", "bounty payout list")


tranche_argument = click.argument("tranche", callback=tranche_number)


@payout.command()
@click.option(
    "--settled-before", metavar="DATE", help="A Shanghai date such as 2023-01-20; today if not given."
)
@as_option
@json_option
def prepare(settled_before: str | None, email: str | None, *, as_json: bool) -> None:
    """Prepare a tranche of the amounts due for orders whose commission settled before a date. Unchanged data gives the
    existing tranche."""
    books = books_as_anyone(email, "finance")
    now = books.now()
    before = midnight(shanghai_date(now) if settled_before is None else _day(settled_before))
    with transaction(books.engine) as connection:
        tranche, is_new = preparation.prepare(connection, before, now, books.payer.alipay_least_fen)
        shared = service.shared_accounts(connection, tranche_id=tranche.tranche_id)
    warn_of_shared(shared)
    with snapshot(books.engine) as connection:
        warnings = unusual(connection, tranche, books.unusual_times)
    if as_json:
        echo_json(_tranche_json(tranche, warnings) | {"changed": is_new})
        return
    click.echo(
        f"tranche {tranche.tranche_id} {'prepared' if is_new else 'unchanged: the same facts give the same tranche'}"
    )
    _echo_sums(tranche, warnings)


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise BountyError(f"{text!r} is not a date: write one such as 2023-01-20.") from None


@payout.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List the tranches with their state, newest first."""
    with snapshot(open_books().engine) as connection:
        rows = state.tranches(connection)
    if as_json:
        echo_json([_tranche_json(row, ()) for row in rows])
        return
    for row in rows:
        click.echo(
            f"tranche {row.tranche_id} {_state(row)}: settled before {shown(row.settled_before)}, "
            f"{several(row.lines_rows, 'line')} {grouped_yuan(row.lines_fen)}, "
            f"due {row.promoters_due:,} {grouped_yuan(row.due_fen)}"
        )


@payout.command()
@tranche_argument
@json_option
def show(tranche: int, *, as_json: bool) -> None:
    """Show a tranche: its sums, its approvals and its payouts."""
    books = open_books()
    with snapshot(books.engine) as connection:
        row = state.tranche_of(connection, tranche)
        warnings = unusual(connection, row, books.unusual_times) if row.is_open else ()
        approvals = approval.approvals_of(connection, row)
        if as_json:
            approved = [{"email": one.email, "at": shown(one.approved_at)} for one in approvals]
            payouts = [_payout_json(tranche, each) for each in _payouts(connection, tranche)]
            echo_json(_tranche_json(row, warnings) | {"approvals_by": approved, "payouts": payouts})
            return
        click.echo(f"tranche {row.tranche_id} {_state(row)}")
        _echo_sums(row, warnings)
        for one in approvals:
            click.echo(f"approved by {one.email} on {shown(one.approved_at)}")
        for each in _payouts(connection, tranche):
            click.echo(
                f"  {payout_id(tranche, each.promoter_id)} {each.state}{f' {each.reason}' if each.reason else ''}: "
                f"carried in {grouped_yuan(each.carry_in_fen)}, lines {grouped_yuan(each.lines_fen)}, "
                f"payable {grouped_yuan(each.payable_fen)}, carried on {grouped_yuan(each.carry_out_fen)}"
            )


def _state(row: TrancheRow) -> str:
    """The state in words: a tranche of which payouts failed or are held is answered, but not paid off."""
    return "answered" if row.state == "paid" and (row.failed or row.held) else row.state


def _tranche_json(row: TrancheRow, warnings: Sequence[tuple[str, str]]) -> JsonObject:
    names = "lines_rows lines_fen carry_in_fen promoters_due due_fen held held_fen paid paid_fen failed waiting".split()
    return {
        "tranche": row.tranche_id,
        "state": row.state,
        "settled_before": shown(row.settled_before),
        "content_sha256": row.content_sha256,
        **{name: getattr(row, name) for name in names},
        "warnings": [{"zh": zh, "en": en} for zh, en in warnings],
    }


def _payout_json(tranche: int, row: PayoutRow) -> JsonObject:
    names = "promoter_id state reason carry_in_fen lines_fen payable_fen carry_out_fen".split()
    return {
        "payout": payout_id(tranche, row.promoter_id),
        **{name: getattr(row, name) for name in names},
    }


def _payouts(connection: Connection, tranche: int) -> Iterator[PayoutRow]:
    return starmap(PayoutRow, connection.execute(payouts_of(tranche), execution_options={"yield_per": 1000}))


@payout.command()
@tranche_argument
@click.option(
    "--sha256", required=True, help="The tranche's content hash, as `bounty payout show` prints it."
)
@as_option
@json_option
def approve(tranche: int, sha256: str, email: str | None, *, as_json: bool) -> None:
    """Approve the open tranche, in the version with this hash."""
    books = books_as(email, "finance", "admin")
    with snapshot(books.engine) as connection:
        require_balanced(connection)
    with transaction(books.engine) as connection:
        approval.approve(connection, tranche, sha256, books.now(), books.payer.alipay_least_fen)
    if as_json:
        echo_json({"tranche": tranche, "content_sha256": sha256})
        return
    click.echo(f"tranche {tranche} approved")


def _echo_sums(row: TrancheRow, warnings: Sequence[tuple[str, str]] = ()) -> None:
    for _, warning in warnings:
        click.secho(warning, fg="red")
    click.echo(f"orders settled before {shown(row.settled_before)}")
    click.echo(f"content sha256:{row.content_sha256}")
    lines = f"{several(row.lines_rows, 'line')} {grouped_yuan(row.lines_fen)}"
    click.echo(f"{lines}, carried in {grouped_yuan(row.carry_in_fen)}")
    held = f"held {row.held:,} {grouped_yuan(row.held_fen)}"
    click.echo(f"due {row.promoters_due:,} {grouped_yuan(row.due_fen)}, {held}")
    if row.exported:
        paid = f"paid {row.paid:,} {grouped_yuan(row.paid_fen)}"
        click.echo(f"{paid}, failed {row.failed:,}, waiting {row.waiting:,}")


@payout.command()
@tranche_argument
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Write the files to this folder.")
@as_option
@json_option
def export(tranche: int, out: Path, email: str | None, *, as_json: bool) -> None:
    """Write a tranche's files for people and for the payers. Repeated exports are byte-identical. An export is not a
    payment."""
    books = books_as(email, "finance")
    with snapshot(books.engine) as connection:
        require_balanced(connection)
    exported = export_tranche(
        books.engine,
        tranche,
        out,
        books.seal(),
        books.payer,
        books.now(),
        approval_required=books.approval_required,
    )
    with snapshot(books.engine) as connection:
        warn_of_shared(service.shared_accounts(connection, tranche_id=tranche))
    if as_json:
        echo_json(exported.manifest)
    else:
        for file in exported.manifest["files"]:
            click.echo(f"{file['name']} {several(file['rows'], 'row')} {grouped_yuan(file['sum_fen'])}")
        click.echo(f"content sha256:{exported.manifest['content_sha256']}")
    if exported.refused_words:
        click.echo(
            f"Warning: payers are known to stop payments whose remark says {', '.join(exported.refused_words)}: "
            "set BOUNTY_PAYOUT_REMARK otherwise, and export again.",
            err=True,
        )
