"""Commands that show data: progress, the explanation of an order, and the checks."""

import click

from bounty.archives.needed import archives_needed
from bounty.checks import books
from bounty.checks.content import not_proved
from bounty.cli.context import open_books, period_argument, programme_option, promoter_of
from bounty.cli.output import echo_json, json_option, several
from bounty.clock import shown
from bounty.db import snapshot
from bounty.errors import BountyError
from bounty.ingest.unfinished import unfinished_file
from bounty.money import grouped_yuan
from bounty.notices.as_of import results_as_of
from bounty.progress import service as progress_service
from bounty.progress.as_of import read_as_of
from bounty.roster.eligibility import in_words
from bounty.rules.periods import Period
from bounty.storage import not_looked_at

as_of_option = click.option(
    "--as-of", "as_of", metavar="WHEN", help="As it was known at a past moment, or at the batch of a number."
)


@click.command()
@period_argument
@click.argument("promoter", callback=promoter_of)
@as_of_option
@json_option
def progress(period: Period, promoter: int, as_of: str | None, *, as_json: bool) -> None:
    """Show a promoter's progress in a period."""
    books = open_books()
    with snapshot(books.engine) as connection:
        past = None if as_of is None else read_as_of(connection, as_of, books.now())
        found = progress_service.progress_of(connection, period, promoter, books.now(), past)
    if as_json:
        echo_json(found.as_json())
        return
    click.echo(f"promoter {promoter} in {period}, level {found.level or 'none'}, as of {shown(found.as_of)}")
    if found.reason is not None:
        click.echo(f"not eligible: {found.reason} {in_words(found.derivation, chinese=False)}")
    else:
        gmv = "none" if found.target_gmv_fen is None else f"{grouped_yuan(found.target_gmv_fen)}"
        click.echo(f"target GMV {gmv}, orders {found.target_orders or 'none'}")
        click.echo(f"  {in_words(found.derivation, chinese=False)}")
    for name, tally in (("counted", found.counted), ("pending receipt", found.pending)):
        click.echo(f"{name}: {grouped_yuan(tally.capped_fen)}, {several(tally.orders, 'order')}")
    for code, tally in found.not_counted.items():
        click.echo(f"not counted, {code}: {grouped_yuan(tally.amount_fen)}, {several(tally.orders, 'order')}")
    if found.void is not None:
        click.echo(f"the pass was taken back: {found.void}")
    else:
        click.echo("target met" if found.passed else "target not met")
    if found.published is not None:
        verdict = "passed" if found.published.passed else "not passed"
        click.echo(
            f"notice {found.published.notice}: {verdict}, subsidy {grouped_yuan(found.published.subsidy_fen)}"
        )


@click.command()
@click.argument("order_sn")
@programme_option
@as_of_option
@json_option
def explain(order_sn: str, programme: str, as_of: str | None, *, as_json: bool) -> None:
    """Explain why an order counts or does not: every clause with the order's fact and the bound."""
    books = open_books()
    with snapshot(books.engine) as connection:
        past = None if as_of is None else read_as_of(connection, as_of, books.now())
        found = progress_service.explain(connection, order_sn, books.now(), programme, past)
    if as_json:
        echo_json(found.as_json())
        return
    terms = found.known.terms
    click.echo(f"order {order_sn} of promoter {found.promoter_id}, period {found.period or 'none: not paid'}")
    for title, clauses in (("task", found.task), ("subsidy", found.subsidy)):
        reason = progress_service.first_failing(clauses)
        click.echo(f"{title}: {'yes' if reason is None else f'no, {reason}'}")
        for judged in clauses:
            mark = "holds" if judged.holds else "FAILS"
            sentence = f": {judged.clause.en(terms)} / {judged.clause.zh(terms)}"
            click.echo(f"  {mark} {judged.clause.code}{sentence if judged.clause.en(terms) else ''}")
            click.echo(f"        fact {judged.fact}; bound {judged.bound}")
    click.echo(f"counts {grouped_yuan(found.counted_fen)} to the task's GMV")
    earned = "no settlement yet" if found.subsidy_fen is None else f"{grouped_yuan(found.subsidy_fen)}"
    click.echo(f"subsidy in the newest settlement: {earned}")
    if found.flags:
        click.echo(f"flags: {', '.join(found.flags)}")


@click.command()
@period_argument
@as_of_option
@json_option
def results(period: Period, as_of: str | None, *, as_json: bool) -> None:
    """Show what a settlement of a period would say now, or would have said then. Nothing is written."""
    books = open_books()
    with snapshot(books.engine) as connection:
        past = None if as_of is None else read_as_of(connection, as_of, books.now())
        rows = results_as_of(connection, period, past)
    if as_json:
        echo_json([row._asdict() for row in rows])
        return
    moment = shown(books.now()) if past is None else past.words
    passed = sum(bool(row.passed) for row in rows)
    subsidy = grouped_yuan(sum(row.subsidy_fen for row in rows))
    click.echo(f"{period}, as of {moment}: {len(rows):,} on the roster, {passed:,} passed, subsidy {subsidy}")
    for row in rows:
        if row.gmv_fen is None or row.orders is None:
            click.echo(f"promoter {row.promoter_id}: not eligible, {row.reason}")
            continue
        verdict = f"passed, {row.rate_permille} permille" if row.passed else "not passed"
        click.echo(
            f"promoter {row.promoter_id}: {verdict}, GMV {grouped_yuan(row.gmv_fen)}, {several(row.orders, 'order')}, "
            f"subsidy {grouped_yuan(row.subsidy_fen)} of {row.subsidy_orders}"
        )


@click.command()
@json_option
def check(*, as_json: bool) -> None:
    """Check the invariants of the books, and print the number of violations of each."""
    violations = 0
    objects: list[dict[str, str | int]] = []
    with snapshot(open_books().engine) as connection:
        for finding in books.run_checks(connection):
            violations += finding.violations
            objects.append(
                {"name": finding.name, "promise": finding.promise, "violations": finding.violations}
            )
            if not as_json:
                click.echo(f"{finding.violations:>8}  {finding.name}: {finding.promise}")
        file = unfinished_file(connection)
        half = None if file is None else f"{file.en}."
        sentences = (
            half,
            *(archive.fault for archive in archives_needed(connection)),
            not_looked_at(connection),
            not_proved(connection),
        )
        for sentence in filter(None, sentences):
            click.echo(sentence, err=True)
    if as_json:
        echo_json({"violations": violations, "checks": objects})
    if violations:
        raise BountyError(
            f"The books do not balance: {several(violations, 'violation')}. "
            "Publish and pay nothing until it is known why."
        )
