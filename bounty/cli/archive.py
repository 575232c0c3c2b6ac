"""The command that moves received rows of a closed month into archives, and back."""

from collections.abc import Sequence

import click

from bounty.archives.restoring import RestoredMonth, restore_month
from bounty.archives.service import Archived, ArchivedMonth, archive_month
from bounty.cli.context import open_books, progress_bar
from bounty.cli.output import echo_json, json_option, several
from bounty.errors import BountyError
from bounty.json_types import JsonObject
from bounty.orders.archived import ArchiveRow
from bounty.rules.periods import MAIN, Period


def _month(_ctx: click.Context, _param: click.Parameter, value: str) -> Period:
    """A month. Raises BountyError for anything else: an archive has the orders of all programmes."""
    try:
        month = Period.parse(value)
    except ValueError as error:
        raise BountyError(str(error)) from None
    if month.half or month.programme != MAIN:
        raise BountyError(
            f"Archives hold whole months of all programmes: write {month.year:04d}-{month.month:02d}.",
            f"归档包含所有项目的整月数据：请写 {month.year:04d}-{month.month:02d}。",
        )
    return month


@click.command()
@click.argument("month", metavar="PERIOD", callback=_month)
@click.option("--restore", is_flag=True, help="Bring the rows of the month back into the tables.")
@json_option
def archive(month: Period, *, restore: bool, as_json: bool) -> None:
    """Move the received rows of a closed month into Parquet files. The orders stay in the tables, and the page of an
    order and whatever brings a row of it read its archive."""
    books = open_books()
    with progress_bar(month.name) as on_progress:
        if restore:
            restored = restore_month(books.engine, month, books.now(), on_progress)
        else:
            archived = archive_month(books.engine, month, books.now(), on_progress)
    if as_json:
        echo_json(_as_json(restored, restored.archives) if restore else _as_json(archived, archived.files))
    elif restore:
        where = several(len(restored.archives), "archive")
        moved = f"{several(restored.orders, 'order')} with {several(restored.rows, 'row')}"
        click.echo(
            f"{month.name}: {moved} restored from {where}, whose files stay; the tables took "
            f"{restored.table_bytes_before:,} bytes before, and take {restored.table_bytes_after:,} now"
        )
    else:
        _echo_archived(archived)


def _echo_archived(done: ArchivedMonth) -> None:
    for file in done.files:
        click.echo(f"{done.folder / file.file_name} sha256:{file.sha256}")
    moved = f"{several(done.orders, 'order')} with {several(done.rows, 'row')}"
    files = f"{several(len(done.files), 'file')} of {several(done.file_bytes, 'byte')}"
    click.echo(
        f"{done.month}: {moved} moved into {files}; the tables took {done.table_bytes_before:,} bytes before, and take "
        f"{done.table_bytes_after:,} now"
    )
    if done.orders_staying:
        stay = "stays" if done.orders_staying == 1 else "stay"
        click.echo(
            f"{several(done.orders_staying, 'order')} {stay} in the tables: rows name several promoters or months"
        )
    for name in done.strays:
        click.echo(
            f"{done.folder / name} is no archive of these books: a move that was stopped left it", err=True
        )


def _as_json(done: ArchivedMonth | RestoredMonth, files: Sequence[Archived | ArchiveRow]) -> JsonObject:
    """What a move in either direction did; only one out of the tables leaves orders there and looks for stray files."""
    moved_out = done if isinstance(done, ArchivedMonth) else None
    return {
        "month": done.month,
        "restored": moved_out is None,
        "orders": done.orders,
        "rows": done.rows,
        "orders_staying": moved_out.orders_staying if moved_out else 0,
        "table_bytes_before": done.table_bytes_before,
        "table_bytes_after": done.table_bytes_after,
        "files": [
            {
                "archive": file.archive_id,
                "file": str(done.folder / file.file_name),
                "sha256": file.sha256,
                "bytes": file.file_bytes,
            }
            for file in files
        ],
        "strays": moved_out.strays if moved_out else [],
    }
