"""Commands for the database schema, backups and sample data."""

from pathlib import Path
from tempfile import TemporaryDirectory

import click

from bounty import importer, schema
from bounty.accounts.demo_accounts import DEMO_PASSWORD, add_demo_people
from bounty.backup.service import back_up
from bounty.backup.service import restore as restore_books
from bounty.cli.context import BOOKS, CommandContext, open_books, progress_bar
from bounty.clock import shown
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.models import Message
from bounty.money import shown_yuan
from bounty.notices import service as publication
from bounty.notifications.service import RESTORED, messages
from bounty.roster.service import open_roster
from bounty.roster.terms import add_terms, open_period
from bounty.sample import write_sample
from bounty.sample.payouts import pay_sample
from bounty.settlement import service as settlement
from bounty.tranches import departures


@click.group()
def db() -> None:
    """Manage the database schema."""


@db.command("upgrade")
def db_upgrade() -> None:
    """Create the schema or upgrade it to the program's version."""
    schema.upgrade(click.get_current_context().meta[BOOKS]().engine)
    click.echo("The schema is up to date.")


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
def backup(folder: Path | None) -> None:
    """Back up the database to FOLDER (default: the folder in the settings). The backup is kept only after it was
    restored and checked."""
    books = open_books()
    path, made = back_up(books.engine, folder or books.backups, books.now(), books.postgres_programs)
    rows = sum(made.facts.rows.values())
    click.echo(
        f"{path}: {made.bytes} bytes, {rows} rows, {made.facts.audit_events} audit events; restored and checked"
    )


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def restore(file: Path) -> None:
    """Restore a backup into an empty database, check it, and list what may have been sent since the backup."""
    books: CommandContext = click.get_current_context().meta[BOOKS]()
    made = restore_books(books.engine, file, books.now(), books.postgres_programs)
    rows = sum(made.facts.rows.values())
    click.echo(f"{file.name} is restored as of {shown(made.made_at)}: {rows} rows, the books balance")
    with snapshot(books.engine) as connection:
        questions = departures.questions(connection)
        waiting = connection.execute(messages().where(Message.last_error == RESTORED)).all()
    if waiting:
        click.echo(
            f"{len(waiting)} messages that waited when the copy was made are held, as they may have been sent since: "
            "`bounty outbox list --state failed` shows them, and `bounty outbox resend` sends one."
        )
    for question in questions:
        click.echo(question.en)
    if questions:
        click.echo("Until then `bounty payout approve` and `bounty payout export` refuse.")


@click.command()
def demo() -> None:
    """Fill an empty database with sample data: past periods are published and partly paid, the present one is open."""
    books: CommandContext = click.get_current_context().meta[BOOKS]()
    schema.upgrade(books.engine)
    with snapshot(books.engine) as connection:
        if publication.has_periods(connection):
            raise BountyError("The database has periods already: sample data belongs into an empty one.")
    now = books.now()
    with TemporaryDirectory() as folder:
        sample = write_sample(Path(folder), now)
        files = [
            ("promoters", sample.promoters),
            ("violations", sample.violations),
            ("links", sample.links),
            ("targets", sample.targets),
            *(("orders", path) for path in sample.orders),
        ]
        for kind, path in files:
            with progress_bar(path.name) as on_progress:
                imported = importer.import_file(books.engine, kind, path, now, told=on_progress)
                click.echo(f"{path.name} {imported.counts}")
        terms_toml = sample.terms.read_text(encoding="utf-8")
    with transaction(books.engine) as connection:
        add_terms(connection, terms_toml, now)
    for period in sample.periods:
        with transaction(books.engine) as connection:
            opening = open_roster(connection, period, now)
            line = f"{period}: {opening.on_roster} on the roster, {opening.eligible} eligible"
            if now >= open_period(connection, period).receipt_cutoff:
                settled = settlement.settle(connection, period, now)
                notice = publication.publish(connection, period, now, approval_required=False)
                line += f"; notice {notice.notice}, subsidy ¥{shown_yuan(settled.lines.sum_fen)}"
        click.echo(line)
    with transaction(books.engine) as connection:
        people = add_demo_people(connection, sample.periods[-1], now)
    with TemporaryDirectory() as folder:
        click.echo(pay_sample(books.engine, Path(folder), books.seal(), now))
    click.echo("This is sample data: every name says 示例. Log in as any of these:")
    for person in people:
        click.echo(f"  {person.role:9} {person.email}  {DEMO_PASSWORD}")
