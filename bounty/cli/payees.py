"""Commands for payees: import, list, and approval by a second account."""

from pathlib import Path

import click
from sqlalchemy import Connection

from bounty.cli.context import number_of, open_books
from bounty.cli.identity import as_option, books_as
from bounty.cli.output import echo_json, json_option, several
from bounty.clock import shown
from bounty.db import Query, snapshot, transaction
from bounty.json_types import JsonObject
from bounty.models import Payee
from bounty.money import grouped_yuan
from bounty.payees import service
from bounty.payees.files import read_payees


@click.group()
def payees() -> None:
    """Import, list and approve payees. Accounts are stored encrypted and shown masked."""


@payees.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--reason", help="Why; required if the file changes a payee in force.")
@as_option
@json_option
def import_(file: Path, reason: str | None, email: str | None, *, as_json: bool) -> None:
    """Propose all payees of a file, or none. If approval is required, a second account must approve them."""
    books = books_as(email, "finance")
    rows = read_payees(file)
    with transaction(books.engine) as connection:
        proposed = service.propose_payees(
            connection,
            rows,
            books.seal(),
            books.now(),
            reason=reason,
            approval_required=books.approval_required,
        )
        shared = service.sharing_in_file(connection, rows, books.seal())
    warn_of_shared(shared)
    if as_json:
        echo_json({"file": str(file), "read": len(rows), **_proposed_json(proposed)})
        return
    if proposed is None:
        click.echo(f"{file} read={len(rows)}: every payee is in force as it is, nothing changed")
        return
    state = "in force" if proposed.in_force else "waits for a second account"
    again = "" if proposed.created else ", as it did"
    click.echo(
        f"{file} read={len(rows)} changed={proposed.payees}: proposal {proposed.proposal_id} {state}{again}"
    )
    click.echo(f"payees sha256:{proposed.payees_sha256}")


def _proposed_json(proposed: service.Proposed | None) -> JsonObject:
    if proposed is None:
        return {"proposal": None, "payees": 0, "payees_sha256": None, "in_force": True, "changed": False}
    return {
        "proposal": proposed.proposal_id,
        "payees": proposed.payees,
        "payees_sha256": proposed.payees_sha256,
        "in_force": proposed.in_force,
        "changed": proposed.created,
    }


def warn_of_shared(shared: list[tuple[str, list[int]]]) -> None:
    """Say which promoters are paid to one account: a receipt without payout ids can't tell them apart."""
    for account, promoters in shared:
        ids = ", ".join(map(str, promoters))
        click.echo(f"Warning: promoters {ids} are paid to one account, {account}: is that right?", err=True)


@payees.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List the payees in force, the waiting proposals, and the promoters with a subsidy but without a payee."""
    with snapshot(open_books().engine) as connection:
        if as_json:
            echo_json(_list_json(connection))
            return
        for row in connection.execute(service.payees_in_force().order_by(Payee.promoter_id)):
            click.echo(
                f"{row.promoter_id} {row.method} {row.shown_account} {row.shown_name}, proposal {row.proposal_id}"
            )
        for waiting in connection.execute(service.waiting_proposals()).all():
            click.echo(
                f"proposal {waiting.proposal_id} waits: {several(waiting.payees, 'payee')}, "
                f"{shown(waiting.proposed_at)}, "
                f"{waiting.proposed_by or 'command line'}, {waiting.reason or 'no reason given'}"
            )
            click.echo(f"  payees sha256:{waiting.payees_sha256}")
            for row in connection.execute(service.payees_of(waiting.proposal_id)):
                was = (
                    ""
                    if row.was_method is None
                    else f", was {row.was_method} {row.was_account} {row.was_name}"
                )
                click.echo(f"  {row.promoter_id} {row.method} {row.shown_account} {row.shown_name}{was}")
        for row in connection.execute(service.promoters_without_payee()):
            click.echo(f"{row.promoter_id} has no payee; subsidy {grouped_yuan(row.subsidy_fen)}")


def _list_json(connection: Connection) -> JsonObject:
    def rows(query: Query, names: str) -> list[JsonObject]:
        return [{name: getattr(row, name) for name in names.split()} for row in connection.execute(query)]

    masked = "promoter_id method shown_account shown_name"
    return {
        "in_force": rows(service.payees_in_force().order_by(Payee.promoter_id), f"{masked} proposal_id"),
        "waiting": [
            {
                "proposal_id": each.proposal_id,
                "proposed_at": shown(each.proposed_at),
                "proposed_by": each.proposed_by,
                "reason": each.reason,
                "payees_sha256": each.payees_sha256,
                "payees": rows(
                    service.payees_of(each.proposal_id), f"{masked} was_method was_account was_name"
                ),
            }
            for each in connection.execute(service.waiting_proposals()).all()
        ],
        "missing": rows(service.promoters_without_payee(), "promoter_id subsidy_fen"),
    }


@payees.command()
@click.argument("proposal", metavar="NUMBER")
@click.option("--sha256", required=True, help="The proposal's hash, as `bounty payees list` prints it.")
@as_option
@json_option
def approve(proposal: str, sha256: str, email: str | None, *, as_json: bool) -> None:
    """Approve a proposal that somebody else made, in the version with this hash."""
    books = books_as(email, "finance", "admin")
    number = number_of(proposal, "a proposal of payees", "bounty payees list")
    with transaction(books.engine) as connection:
        is_new = service.approve_payees(connection, number, sha256, books.now())
    if as_json:
        echo_json({"proposal": number, "changed": is_new})
        return
    click.echo(f"proposal {number} {'is in force' if is_new else 'was in force already'}")
