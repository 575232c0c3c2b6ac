"""Commands for the steps of a month: terms, roster, settlement, approval, notice, export."""

from pathlib import Path
from typing import Any

import click

from bounty.checks.books import run_checks
from bounty.cli.context import CommandContext, open_books, period_argument, programme_option
from bounty.cli.identity import as_option, books_as, books_as_anyone
from bounty.clock import shown
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.files.file_types import require_file
from bounty.money import shown_yuan
from bounty.notices import service as publication
from bounty.notices.changes import CAUSES
from bounty.notices.period_status import period_status
from bounty.release.service import approve_seen, checks_to_run, keep_checks, publish_checked
from bounty.roster.service import open_roster
from bounty.roster.terms import add_terms, open_period, terms_in_force
from bounty.rules.periods import Period
from bounty.rules.terms_text import terms_in_words
from bounty.settlement import service as settlement
from bounty.sync.coverage import coverage_of


def read_terms_file(file: Path) -> str:
    """The text of a file of terms. Raises BountyError where it can't be read or is not UTF-8."""
    require_file(file)
    try:
        return file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BountyError(f"{file} can't be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise BountyError(
            f"{file}: terms are UTF-8 text, and byte {error.start} is not: save the file as UTF-8."
        ) from None


@click.group()
def terms() -> None:
    """Add and show versions of the terms."""


@terms.command("add")
@click.argument("file", type=click.Path(path_type=Path))
@programme_option
def terms_add(file: Path, programme: str) -> None:
    """Add a version of the terms from a TOML file. The same content again changes nothing."""
    toml = read_terms_file(file)
    books = open_books()
    with transaction(books.engine) as connection:
        added, is_new = add_terms(connection, toml, books.now(), programme)
    state = "added" if is_new else "held already"
    click.echo(
        f"terms from {Period.parse(added.effective_from, programme)} {state}\nterms sha256:{added.sha256}"
    )


@terms.command("show")
@period_argument
def terms_show(period: Period) -> None:
    """Show the terms in force in a period as TOML, with their hash and their text in comments above."""
    with snapshot(open_books().engine) as connection:
        in_force = terms_in_force(connection, period)
    click.echo(f"# terms of {period}\n# sha256:{in_force.sha256}")
    for chinese in (True, False):
        click.echo("#")
        for sentence in terms_in_words(in_force.terms, chinese=chinese):
            click.echo(f"# {sentence}")
    click.echo()
    click.echo(in_force.toml.rstrip("\n"))


@click.command("open")
@period_argument
def open_(period: Period) -> None:
    """Freeze the roster of a period: levels, eligibility and targets, from the present data."""
    books = open_books()
    with transaction(books.engine) as connection:
        opening = open_roster(connection, period, books.now())
    state = "opened" if opening.anew else "open already, nothing changed"
    click.echo(f"{period} {state}: {opening.on_roster} on the roster, {opening.eligible} eligible")
    for reason, promoters in opening.reasons.items():
        click.echo(f"  {reason} {promoters}")
    for month, orders in opening.history.items():
        click.echo(f"  history {month}: {orders} orders")


@click.command()
@period_argument
@as_option
def settle(period: Period, email: str | None) -> None:
    """Compute a draft settlement of a period. Unchanged data gives the existing draft.

    A draft that an account made (--as) needs the approval of one other account; a draft made without one needs two.
    """
    books = books_as_anyone(email, "operator")
    with transaction(books.engine) as connection:
        settled = settlement.settle(connection, period, books.now())
        coverage = coverage_of(connection, open_period(connection, period))
    _run_checks_once(books, period)
    state = "made" if settled.anew else "stands already, on the same facts"
    click.echo(f"settlement {settled.settlement_id} of {period} {state}")
    click.echo(f"content sha256:{settled.content_sha256}")
    click.echo(
        f"{settled.results.rows} results, {settled.lines.rows} lines, subsidy ¥{shown_yuan(settled.lines.sum_fen)}"
    )
    click.echo(f"{settled.quarantined} quarantined rows of the month wait")
    if coverage.is_required:
        click.echo(f"{len(coverage.gaps)} gaps in what was fetched from the platform")


def _run_checks_once(books: CommandContext, period: Period) -> None:
    """Run the checks of the books for the newest draft of a period, unless they have run since it was made.

    They read in a snapshot of their own, because they take long and no writer should wait for them.
    """
    with snapshot(books.engine) as connection:
        if not checks_to_run(connection, period, books.now()):
            return
        findings = list(run_checks(connection))
    with transaction(books.engine) as connection:
        if checks_to_run(connection, period, books.now()):
            keep_checks(connection, period, findings, books.now())


@click.command()
@period_argument
@as_option
def approve(period: Period, email: str | None) -> None:
    """Approve the newest draft of a period, which somebody else made. Runs the checks first."""
    books = books_as(email, "operator", "finance")
    with snapshot(books.engine) as connection:
        draft = period_status(connection, period, books.now()).draft
        if draft is None:
            raise BountyError(f"{period} has no draft: make one with `bounty settle {period}`.")
        findings = list(run_checks(connection))
    with transaction(books.engine) as connection:
        keep_checks(connection, period, findings, books.now())
        approve_seen(connection, period, draft.settlement_id, draft.content_sha256, books.now())
    click.echo(f"settlement {draft.settlement_id} of {period} approved")
    click.echo(f"content sha256:{draft.content_sha256}")


@click.command()
@period_argument
@as_option
def publish(period: Period, email: str | None) -> None:
    """Publish the newest draft of a period as its next notice. Its rows never change after that."""
    # The checklist and a missing approval are reported before a missing log-in.
    books = books_as_anyone(email, "operator")
    _run_checks_once(books, period)
    with transaction(books.engine) as connection:
        notice = publish_checked(connection, period, books.now(), approval_required=books.approval_required)
    state = "published" if notice.anew else "stands already, with the same content"
    click.echo(f"notice {notice.notice} of {period} {state} (settlement {notice.settlement_id})")
    click.echo(f"content sha256:{notice.content_sha256}")


@click.command()
@period_argument
@click.option("--number", type=int, help="The number of the notice; the newest if not given.")
def notice(period: Period, number: int | None) -> None:
    """Show a notice of a period: its sums, and its changes from the previous notice with their causes."""
    with snapshot(open_books().engine) as connection:
        chosen = publication.chosen_settlement(connection, period, draft=False, notice=number)
        click.echo(f"notice {chosen.notice} of {period}, published {shown(chosen.published_at)}")
        click.echo(f"settlement {chosen.settlement_id} of {shown(chosen.settled_at)}")
        click.echo(f"content sha256:{chosen.content_sha256}")
        click.echo(
            f"{chosen.results_rows} results, {chosen.lines_rows} lines, subsidy ¥{shown_yuan(chosen.subsidy_fen)}"
        )
        before = publication.notice_before(connection, period, chosen.notice)
        if before is None:
            return
        click.echo(f"changed since notice {before.notice}:")
        for cause in publication.changes_by_cause(connection, chosen.settlement_id):
            click.echo(
                f"  {cause.cause} {cause.orders} orders, subsidy {_signed(cause.subsidy_fen)}: {CAUSES[cause.cause][1]}"
            )
        for promoter in publication.changed_results(
            connection, period, before.settlement_id, chosen.settlement_id
        ):
            click.echo(
                f"  promoter {promoter.promoter_id}: {_result(promoter.was)} -> {_result(promoter.now)}"
            )
        for order in publication.changed_orders(connection, chosen.settlement_id):
            click.echo(
                f"  order {order.order_sn} of {order.promoter_id}: {order.cause}, "
                f"counted {_or_no(order.was_counted_fen)} -> {_or_no(order.now_counted_fen)}, "
                f"subsidy {shown_yuan(order.was_subsidy_fen)} -> {shown_yuan(order.now_subsidy_fen)}"
            )


def _signed(fen: int) -> str:
    return f"{'+' if fen >= 0 else '-'}¥{shown_yuan(abs(fen))}"


def _or_no(fen: int | None) -> str:
    return "no" if fen is None else shown_yuan(fen)


def _result(result: Any) -> str:
    verdict = "passed" if result["passed"] else "not passed"
    subsidy = shown_yuan(result["subsidy_fen"])
    return f"¥{_or_no(result['gmv_fen'])}, {result['orders']} orders, {verdict}, subsidy ¥{subsidy}"


@click.command()
@period_argument
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=True),
    help="Write the files to this folder.",
)
@click.option("--draft", is_flag=True, help="Export the newest draft instead of the newest notice.")
@click.option("--notice", "number", type=int, help="Export this notice instead of the newest.")
@click.option(
    "--statements",
    is_flag=True,
    help="Also write notices.jsonl, the statements of all notices, for verify_export.py.",
)
def export(period: Period, out: Path, number: int | None, *, draft: bool, statements: bool) -> None:
    """Write results.csv, subsidy_lines.csv and manifest.json of a settlement."""
    if draft and number is not None:
        raise BountyError("A draft has no notice number: give --draft or --notice, not both.")
    with snapshot(open_books().engine) as connection:
        manifest = publication.export(
            connection, period, out, draft=draft, notice=number, statements=statements
        )
    for file in manifest["files"]:
        click.echo(f"{out / file['name']} {file['rows']} rows, subsidy ¥{shown_yuan(file['sum_fen'])}")
    click.echo(f"content sha256:{manifest['content_sha256']}")
