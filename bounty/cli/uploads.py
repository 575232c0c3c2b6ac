"""The hidden command that the upload page starts as a background process."""

from pathlib import Path

import click
from sqlalchemy.exc import OperationalError

from bounty.audit.service import acting
from bounty.cli.context import open_books
from bounty.db import snapshot
from bounty.uploads import service as uploads
from bounty.uploads.processes import ProgressReport


@click.command("upload", hidden=True)
@click.argument("number", type=int)
@click.argument("stage", type=click.Choice(uploads.STAGES))
@click.option("--user", required=True, type=int, help="The number of the account that acts.")
@click.option(
    "--folder", required=True, type=click.Path(path_type=Path), help="The folder of uploaded files."
)
@click.option("--force", is_flag=True, help="As in `bounty import promoters`.")
@click.option("--report", required=True, type=int, help="The file descriptor of the progress file.")
def upload(number: int, stage: str, user: int, folder: Path, report: int, *, force: bool) -> None:
    """Make the dry run or the import of an uploaded file."""
    books = open_books()
    progress = ProgressReport(report)
    with snapshot(books.engine) as connection:
        actor = uploads.actor_for(connection, user)
    try:
        uploads.carry_out(
            acting(books.engine, actor), folder, number, stage, books.now(), progress, force=force
        )
    except OperationalError:
        progress.stopped("BUSY")
        raise
