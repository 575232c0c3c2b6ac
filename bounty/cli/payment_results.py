"""Commands for payment results, reconciliation, and closing a period."""

import re
from dataclasses import asdict
from pathlib import Path

import click

from bounty.accounting import period_closing
from bounty.accounting.reconciliation import (
    DifferenceKind,
    KindSum,
    ReconciliationDifference,
    reconcile,
    sums_of,
    without_waiting,
)
from bounty.audit.journal import RESTORE, note
from bounty.cli.context import number_of, open_books, period_argument
from bounty.cli.identity import as_option, books_as
from bounty.cli.output import echo_json, json_option, period_keys, several
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.json_types import JsonObject
from bounty.models.payment_results import RowVerdict
from bounty.money import grouped_yuan
from bounty.payment_results import service
from bounty.payment_results.files import PaymentResultFile, read_payment_results
from bounty.payment_results.matching import MatchedRow
from bounty.roster.programmes import has_several
from bounty.rules.periods import Period
from bounty.tranches import departures
from bounty.tranches.exported_folder import read_exported_folder

ROLES = ("finance", "admin")
"""The roles that may record payment results and close periods."""


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@as_option
@json_option
def receipt(files: tuple[Path, ...], email: str | None, *, as_json: bool) -> None:
    """Record the payer's result files, each file completely or not at all. The same rows again change nothing."""
    books = books_as(email, *ROLES)
    seal = books.seal()
    objects: list[JsonObject] = []
    for file in [read_payment_results(each) for each in files]:
        with transaction(books.engine) as connection:
            imported = service.import_results(connection, file, seal, books.now())
        objects.append(_results_json(file, imported))
        if not as_json:
            _echo_results(file, imported)
    if as_json:
        echo_json(objects)


def _results_json(file: PaymentResultFile, imported: service.ImportedResults) -> JsonObject:
    return {
        "file": file.name,
        "receipt": imported.receipt_id,
        "read": len(imported.rows),
        **{verdict.lower(): imported.count(verdict) for verdict in RowVerdict},
        "changed": imported.created,
        "warnings": [{"zh": zh, "en": en} for zh, en in file.warnings],
        "rows": [
            {
                "line": each.row.place,
                "payout": each.payout.payout if each.payout else None,
                "account": service.shown_account(each.row),
                "name": service.shown_name(each.row),
                "amount_fen": each.row.amount_fen,
                "paid": each.row.paid,
                "verdict": each.verdict,
                "zh": each.why[0],
                "en": each.why[1],
            }
            for each in imported.rows
        ],
    }


def _echo_results(file: PaymentResultFile, imported: service.ImportedResults) -> None:
    counts = " ".join(f"{verdict.lower()}={imported.count(verdict)}" for verdict in RowVerdict)
    new_rows = [each.row for each in imported.rows if each.news] if imported.created else []
    paid = [row.amount_fen for row in new_rows if row.paid]
    failed = [row.amount_fen for row in new_rows if not row.paid]
    again = "" if imported.created else ", taken in before: nothing changed"
    click.echo(
        f"{file.name} receipt {imported.receipt_id} read={len(imported.rows)} {counts}: now paid {len(paid)} "
        f"{grouped_yuan(sum(paid))}, failed {len(failed)} {grouped_yuan(sum(failed))}{again}"
    )
    for _, warning in file.warnings:
        click.echo(f"  warning: {warning}")
    for each in imported.rows:
        click.echo(f"  line {each.row.place}: {_row(each)}: {each.verdict}, {each.why[1]}")


def _row(judged: MatchedRow) -> str:
    row = judged.row
    payout = judged.payout.payout if judged.payout else " ".join(row.payouts) or "no payout"
    payee = " ".join(filter(None, (service.shown_account(row), service.shown_name(row))))
    return f"{payout}{f' {payee}' if payee else ''} {grouped_yuan(row.amount_fen)} {'paid' if row.paid else 'failed'}"


@click.command()
@click.argument("payouts", nargs=-1, required=True, metavar="PAYOUT...")
@click.argument("outcome", type=click.Choice(["paid", "failed"]))
@click.option("--reason", required=True, help="How the result is known.")
@as_option
@json_option
def mark(payouts: tuple[str, ...], outcome: str, reason: str, email: str | None, *, as_json: bool) -> None:
    """Mark payouts, such as P3-1000939, as paid or failed by hand, if no result file reports them."""
    books = books_as(email, *ROLES)
    with transaction(books.engine) as connection:
        changed = service.mark_by_hand(
            connection, payouts, paid=outcome == "paid", reason=reason, now=books.now()
        )
    if as_json:
        echo_json({"outcome": outcome, "changed": list(changed)})
        return
    click.echo(f"{outcome}: {', '.join(changed)}" if changed else f"{outcome} already, nothing changed")


@click.command("reconcile")
@click.argument("tranche", required=False)
@json_option
def reconcile_(tranche: str | None, *, as_json: bool) -> None:
    """Compare our lines, the platform's settlement and the payment results, and list the differences."""
    number = None if tranche is None else number_of(tranche, "a tranche", "bounty payout list")
    with snapshot(open_books().engine) as connection:
        found, waiting = without_waiting(connection, reconcile(connection, number))
        named = has_several(connection)
        kinds = {each.kind for each in found}
        sums = [_sum(each, found) for each in sums_of(connection, number) if each.kind in kinds]
    if as_json:
        wait = {"payouts": len(waiting), "fen": sum(each.ours_fen or 0 for each in waiting)}
        lists = {"sums": [asdict(each) for each in sums], "differences": [asdict(each) for each in found]}
        echo_json({**lists, "waiting": wait})
        return
    if waiting:
        fen = grouped_yuan(sum(each.ours_fen or 0 for each in waiting))
        wait_or_waits = "waits" if len(waiting) == 1 else "wait"
        click.echo(f"{several(len(waiting), 'payout')} of {fen} {wait_or_waits} for the payer's result")
    elif not found:
        click.echo("all three sides agree")
    for each in sums:
        name = DifferenceKind.labels()[each.kind][1]
        click.echo(
            f"{each.differences} {each.kind}, {name}: ours {grouped_yuan(each.ours_fen)}, "
            f"theirs {grouped_yuan(each.theirs_fen)}"
        )
        for difference in found:
            if difference.kind == each.kind:
                whose = "" if difference.promoter_id is None else f"promoter {difference.promoter_id}: "
                where = f" ({difference.period})" if named and difference.period is not None else ""
                click.echo(f"  {whose}{difference.en}{where}")


def _sum(whole: KindSum, found: list[ReconciliationDifference]) -> KindSum:
    """The sum of a kind without what only waits."""
    of_kind = [each for each in found if each.kind == whole.kind]
    if len(of_kind) == whole.differences:
        return whole
    ours, theirs = (sum(getattr(each, name) or 0 for each in of_kind) for name in ("ours_fen", "theirs_fen"))
    return KindSum(whole.kind, len(of_kind), ours, theirs)


@click.command()
@period_argument
@as_option
@json_option
def close(period: Period, email: str | None, *, as_json: bool) -> None:
    """Close a period whose lines are all paid, void or carried over."""
    books = books_as(email, *ROLES)
    with transaction(books.engine) as connection:
        is_new = period_closing.close(connection, period, books.now())
    if as_json:
        echo_json({**period_keys(period), "changed": is_new})
        return
    click.echo(f"{period} closed" if is_new else f"{period} is closed already, nothing changed")


@click.command()
@period_argument
@click.option("--reason", help="Why; for the first person, who requests the reopening.")
@as_option
@json_option
def reopen(period: Period, reason: str | None, email: str | None, *, as_json: bool) -> None:
    """Request to reopen a closed period, with --reason; or, as a second person, reopen it."""
    books = books_as(email, *ROLES)
    with transaction(books.engine) as connection:
        if reason is not None:
            is_new = period_closing.ask_reopening(connection, period, reason, books.now())
            if as_json:
                echo_json({**period_keys(period), "state": "requested", "changed": is_new})
                return
            click.echo(
                f"{period}: asked to reopen it; a second person runs `bounty payout reopen {period}`"
                if is_new
                else f"{period}: asked already, nothing changed"
            )
            return
        last = period_closing.newest_act(connection, period)
        if last is not None and last.act == period_closing.CLOSED:
            raise BountyError(
                f"{period} is closed: ask to reopen it with --reason, for a second person to agree."
            )
        is_new = period_closing.reopen(
            connection, period, books.now(), approval_required=books.approval_required
        )
    if as_json:
        echo_json({**period_keys(period), "state": "reopened", "changed": is_new})
        return
    click.echo(f"{period} reopened" if is_new else f"{period} is open, nothing changed")


@click.command()
@json_option
def unanswered(*, as_json: bool) -> None:
    """List what may have been sent to the payer without these books' knowledge. Until each is answered, nothing is
    exported."""
    with snapshot(open_books().engine) as connection:
        questions = departures.questions(connection)
    if as_json:
        echo_json([{"subject": each.subject, "zh": each.zh, "en": each.en} for each in questions])
        return
    for question in questions:
        click.echo(f"{question.subject}: {question.en}")
    if not questions:
        click.echo("nothing: these books know all that left")


@click.command()
@click.argument("subject", metavar="TRANCHE|PAYOUT|copy")
@click.argument("verdict", type=click.Choice(departures.VERDICTS))
@click.option("--reason", required=True, help="How the answer is known.")
@click.option(
    "--from",
    "folder",
    type=click.Path(path_type=Path),
    help="The folder to which a tranche that left was exported.",
)
@as_option
@json_option
def answer(
    subject: str, verdict: str, reason: str, folder: Path | None, email: str | None, *, as_json: bool
) -> None:
    """Answer whether something was sent after the backup from which these books were restored."""
    books = books_as(email, *ROLES)
    subject = f"tranche {int(subject)}" if re.fullmatch("[0-9]{1,9}", subject) else subject
    exported = None if folder is None else read_exported_folder(folder)
    with transaction(books.engine) as connection:
        is_final = departures.answer(
            connection,
            subject,
            verdict,
            reason,
            books.now(),
            approval_required=books.approval_required,
            folder=exported,
        )
    if is_final and subject == departures.COPY:
        note(books.engine, RESTORE, books.now(), file=None)
    if as_json:
        echo_json({"subject": subject, "verdict": verdict, "final": is_final})
        return
    click.echo(
        f"{subject}: {verdict}"
        if is_final
        else f"{subject}: {verdict}, by one person; a second person runs the same command"
    )


COMMANDS = (receipt, mark, reconcile_, close, reopen, unanswered, answer)
"""The commands that belong to the group ``bounty payout``."""
