"""What the page starts in a process of its own: not a command for people."""

from pathlib import Path

import click
from sqlalchemy.exc import OperationalError

from bounty.audit.service import acting
from bounty.cli.context import open_books
from bounty.db import snapshot
from bounty.uploads import service as uploads
from bounty.uploads.processes import Report


@click.command("upload", hidden=True)
@click.argument("number", type=int)
@click.argument("stage", type=click.Choice(uploads.STAGES))
@click.option("--user", required=True, type=int, help="The account as which it acts.")
@click.option("--folder", required=True, type=click.Path(path_type=Path), help="Where uploads are kept.")
@click.option("--force", is_flag=True, help="As `bounty import promoters` has it.")
@click.option("--report", required=True, type=int, help="The open file that it reports to.")
def upload(number: int, stage: str, user: int, folder: Path, report: int, *, force: bool) -> None:
    """Try or import an uploaded file."""
    books = open_books()
    reporting = Report(report)
    with snapshot(books.engine) as connection:
        actor = uploads.actor_for(connection, user)
    try:
        uploads.carry_out(
            acting(books.engine, actor), folder, number, stage, books.now(), reporting, force=force
        )
    except OperationalError:
        reporting.gave_up("BUSY")
        raise
