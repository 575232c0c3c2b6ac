"""Commands for the database schema, backups and sample data."""

import itertools
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from bounty import schema
from bounty.accounting.stored_figures import refresh
from bounty.accounts.demo_accounts import DEMO_PASSWORD
from bounty.archives.needed import archives_needed
from bounty.backup.service import back_up
from bounty.backup.service import restore as restore_books
from bounty.cli import BOOKS
from bounty.cli.context import CommandContext, open_books, progress_bar
from bounty.cli.output import counts_json, echo_json, json_option, several
from bounty.clock import shown
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.json_types import JsonObject
from bounty.models import Message
from bounty.money import grouped_yuan
from bounty.notices import service as publication
from bounty.notifications.service import RESTORED, messages
from bounty.sample import write_sample
from bounty.sample.loading import LoadedSample, load_sample
from bounty.totals import service as totals
from bounty.tranches import departures
from bounty.uploads.processes import ProgressReport


@click.group()
def db() -> None:
    """Manage the database schema."""


@db.command("upgrade")
@json_option
def db_upgrade(*, as_json: bool) -> None:
    """Create the schema or upgrade it to the program's version."""
    engine = click.get_current_context().meta[BOOKS]().engine
    schema.upgrade(engine)
    with transaction(engine) as connection:
        totals.fill_missing(connection)
    if as_json:
        echo_json({"schema": schema.program_revision()})
        return
    click.echo("The schema is up to date.")


@click.command()
@json_option
def rebuild(*, as_json: bool) -> None:
    """Delete the totals of open periods and recompute them from orders and links. What is published does not depend on
    them."""
    with transaction(open_books().engine) as connection:
        rows = totals.rebuild(connection)
    if as_json:
        echo_json({"rows": rows})
        return
    for table, count in rows.items():
        click.echo(f"{table}: {several(count, 'row')}")


@click.command()
@click.option("--report", type=int, hidden=True, help="The file descriptor of the progress file.")
@json_option
def figures(report: int | None, *, as_json: bool) -> None:
    """Compute what pages of large books show as of a moment: the next tranche, reconciliation, what keeps periods from
    closing, and what changed after notices. Only what has changed since is computed; nothing is paid or decided by
    it."""
    books = open_books()
    progress = None if report is None else ProgressReport(report)

    def on_progress(done: int, all_: int) -> None:
        if progress is not None:
            progress.on_progress(done, all_)
        elif not as_json and done:
            click.echo(f"{done} of {all_}")

    computed = refresh(books.engine, books.now(), on_progress)
    if as_json:
        echo_json({"computed": computed})
        return
    if not computed:
        click.echo("Every figure is of now.")


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@json_option
def backup(folder: Path | None, *, as_json: bool) -> None:
    """Back up the database to FOLDER (default: the folder in the settings). The backup is kept only after it was
    restored and checked."""
    books = open_books()
    path, made = back_up(books.engine, folder or books.backups, books.now(), books.postgres_programs)
    rows, events = sum(made.facts.rows.values()), made.facts.audit_events
    if as_json:
        echo_json({"file": str(path), "bytes": made.bytes, "rows": rows, "audit_events": events})
        return
    sums = f"{several(made.bytes, 'byte')}, {several(rows, 'row')}, {several(events, 'audit event')}"
    click.echo(f"{path}: {sums}; restored and checked")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def restore(file: Path, *, as_json: bool) -> None:
    """Restore a backup into an empty database, check it, and list what may have been sent since the backup."""
    books: CommandContext = click.get_current_context().meta[BOOKS]()
    made = restore_books(books.engine, file, books.now(), books.postgres_programs)
    rows = sum(made.facts.rows.values())
    with snapshot(books.engine) as connection:
        needed = archives_needed(connection)
        questions = departures.questions(connection)
        waiting = connection.execute(messages().where(Message.last_error == RESTORED)).all()
    if as_json:
        unanswered = [{"subject": each.subject, "zh": each.zh, "en": each.en} for each in questions]
        at, held = shown(made.made_at), [row.message for row in waiting]
        echo_json(
            {
                "file": file.name,
                "made_at": at,
                "rows": rows,
                "held_messages": held,
                "unanswered": unanswered,
                "archives": [{"file": each.file_name, "fault": each.fault} for each in needed],
            }
        )
        return
    click.echo(
        f"{file.name} is restored as of {shown(made.made_at)}: {several(rows, 'row')}, the books balance"
    )
    for each in needed:
        click.echo(f"archive {each.file_name}: {each.fault or 'there, and as it was made'}")
    if waiting:
        click.echo(
            f"{several(len(waiting), 'message')} that waited when the copy was made may have been sent since, and "
            "will not be sent by itself: `bounty outbox list --state failed` lists, `bounty outbox resend` sends."
        )
    for question in questions:
        click.echo(question.en)
    if questions:
        click.echo("Until then `bounty payout approve` and `bounty payout export` refuse.")


@click.command()
@json_option
def demo(*, as_json: bool) -> None:
    """Fill an empty database with sample data, each step at its own date: three published months, of which part is
    paid, the open month, and the roster of the next one where it can be frozen yet."""
    books: CommandContext = click.get_current_context().meta[BOOKS]()
    schema.upgrade(books.engine)
    with snapshot(books.engine) as connection:
        if publication.has_periods(connection):
            raise BountyError("The database has periods already: sample data belongs into an empty one.")
    now = books.now()
    with TemporaryDirectory() as folder:
        sample = write_sample(Path(folder), now)
        with progress_bar("files") as on_progress:
            done = itertools.count(1)
            loaded = load_sample(books.engine, sample, books.seal(), now, lambda _: on_progress(next(done)))
    if as_json:
        echo_json(_demo_json(loaded))
        return
    for period, (on_roster, eligible) in loaded.periods.items():
        click.echo(f"{period}: {on_roster:,} on the roster, {eligible:,} eligible")
    for period, number, subsidy_fen in loaded.notices:
        click.echo(f"{period}: notice {number}, subsidy {grouped_yuan(subsidy_fen)}")
    paid, prepared = loaded.paid, loaded.prepared
    if paid is not None and prepared is not None:
        click.echo(f"tranche {paid.tranche_id} paid but for one payment, {grouped_yuan(paid.due_fen)}")
        click.echo(f"tranche {prepared.tranche_id} prepared, {grouped_yuan(prepared.payable_fen)}")
    click.echo("This is sample data: every name says 示例. Log in as any of these:")
    for person in loaded.people:
        click.echo(f"  {person.role:9} {person.email:24} {DEMO_PASSWORD}")


def _demo_json(loaded: LoadedSample) -> JsonObject:
    tranches = [each.tranche_id for each in (loaded.paid, loaded.prepared) if each is not None]
    return {
        "files": {name: counts_json(counts) for name, counts in loaded.files.items()},
        "periods": {
            str(period): {"on_roster": on_roster, "eligible": eligible}
            for period, (on_roster, eligible) in loaded.periods.items()
        },
        "notices": [
            {"period": str(period), "notice": number, "subsidy_fen": subsidy_fen}
            for period, number, subsidy_fen in loaded.notices
        ],
        "tranches": tranches,
        "appeal": loaded.appeal,
        "accounts": [
            {"email": each.email, "role": each.role, "promoter_id": each.promoter_id}
            for each in loaded.people
        ],
        "password": DEMO_PASSWORD,
    }
