"""Commands for importing files, undoing batches, and the quarantine."""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from bounty import importer
from bounty.cli.context import number_of, open_books, progress_bar
from bounty.clock import shown
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.ingest import header_names
from bounty.ingest import quarantine as holding
from bounty.ingest.batches import Counts
from bounty.ingest.correction_files import write_to_mend
from bounty.money import shown_yuan
from bounty.orders import undo as undoing
from bounty.orders import warnings
from bounty.orders.unknowns import unknown_in_batch
from bounty.settlement.files import inert


@click.group("import")
def import_() -> None:
    """Import files. Each file is one batch and one transaction."""


def _import_kind(kind: str) -> click.Command:
    @click.command(kind, help=f"Import files of {kind}.")
    @click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
    @click.option("--strict", is_flag=True, help="Refuse a file if any of its rows would go into quarantine.")
    @click.option(
        "--map",
        "mappings",
        multiple=True,
        metavar="HEADER=COLUMN",
        help="Read a header of the file as a column.",
    )
    def command(
        files: tuple[Path, ...], *, strict: bool, mappings: tuple[str, ...], force: bool = False
    ) -> None:
        _import(kind, files, strict=strict, force=force, mapping=_mapping_of(mappings))

    if kind in importer.NAMES_PROMOTERS:
        wanted = "Also where an older file puts back what a later one has changed."
        command = click.option("--force", is_flag=True, help=wanted)(command)
    return command


for _kind in importer.KINDS:
    import_.add_command(_import_kind(_kind))


@import_.command("headers")
@click.argument("kind", type=click.Choice(importer.KINDS))
@click.option(
    "--keep",
    multiple=True,
    metavar="HEADER=COLUMN",
    help="Read a header as a column in all files from now on.",
)
@click.option("--forget", multiple=True, metavar="HEADER", help="No longer read a header as another column.")
def import_headers(kind: str, keep: tuple[str, ...], forget: tuple[str, ...]) -> None:
    """List the headers that are read as another column in files of a kind; with options, change them."""
    books = open_books()
    if keep or forget:
        with transaction(books.engine) as connection:
            for header in forget:
                header_names.forget_header(connection, kind, header, books.now())
            if keep:
                importer.keep_headers(connection, kind, _mapping_of(keep), books.now())
    with snapshot(books.engine) as connection:
        kept = header_names.kept_mapping(connection, kind)
    for header, name in kept.items():
        click.echo(f"{header}={name}")
    if not kept:
        click.echo(f"no header of {kind} is read as another column")


def _mapping_of(pairs: tuple[str, ...]) -> dict[str, str]:
    """Header -> column, from HEADER=COLUMN."""
    mapping: dict[str, str] = {}
    for pair in pairs:
        header, equals, name = pair.rpartition("=")
        if not equals or header in mapping:
            raise BountyError(f"{pair!r}: write each header once, as 实付金额=实付金额(元).")
        mapping[header] = name
    return mapping


@import_.command("list")
def import_list() -> None:
    """List the batches, newest first."""
    with snapshot(open_books().engine) as connection:
        for row in undoing.batches(connection):
            counts = Counts(
                row.rows_read,
                row.rows_new,
                row.rows_changed,
                row.rows_unchanged,
                row.rows_stale,
                row.rows_quarantined,
            )
            undone = "" if row.undone_at is None else f", undone {shown(row.undone_at)}"
            click.echo(f"{row.batch_id} {row.kind} {row.file_name} {shown(row.imported_at)} {counts}{undone}")


@import_.command("undo")
@click.argument("batch", metavar="BATCH")
def import_undo(batch: str) -> None:
    """Undo a batch of orders, as if it had not been imported."""
    books = open_books()
    with transaction(books.engine) as connection:
        rows = undoing.undo_batch(
            connection, number_of(batch, "a batch's number", "bounty import list"), books.now()
        )
    click.echo(f"batch {batch} undone, {rows} rows withdrawn")


@import_.command("flags")
@click.argument("batch", metavar="BATCH")
def import_flags(batch: str) -> None:
    """List the imported rows of a batch that look wrong, and compare its median amount with a month's."""
    books = open_books()
    number, flagged = number_of(batch, "a batch's number", "bounty import list"), 0
    with snapshot(books.engine) as connection:
        for row in warnings.flagged_rows(connection, number, books.now()):
            flagged += 1
            click.echo(f"{row.place} {row.order_sn} {', '.join(row.flags)}")
        found = warnings.medians(connection, number)
        unknown = unknown_in_batch(connection, number)
    click.echo(f"batch {number}: {flagged} rows flagged")
    for each in unknown:
        click.echo(each.en)
    if found is not None and found.month_fen is not None:
        warning = "W-UNIT, is the unit right? " if found.far_off else ""
        amounts = f"¥{shown_yuan(found.batch_fen)}, that of {found.month} ¥{shown_yuan(found.month_fen)}"
        click.echo(f"{warning}median amount {amounts}")


def _import(
    kind: str, files: tuple[Path, ...], *, strict: bool, force: bool, mapping: dict[str, str]
) -> None:
    books = open_books()
    refused = False
    for path in files:
        try:
            with progress_bar(path.name) as on_progress:
                imported = importer.import_file(
                    books.engine,
                    kind,
                    path,
                    books.now(),
                    strict=strict,
                    force=force,
                    mapping=mapping,
                    told=on_progress,
                )
        except BountyError as refusal:
            refused = True
            if isinstance(refusal, importer.Strict):
                click.echo(f"{path} {refusal.counts}")
            click.echo(f"Error: {path}: {' '.join(str(refusal).split())}", err=True)
            continue
        click.echo(f"{path} {imported.counts}")
        if imported.footers:
            click.echo(
                f"{path}: footers={imported.footers}: totals or remarks at the end, kept in quarantine (E-TOTAL); "
                "they are no bad rows.",
                err=True,
            )
        for _, en in imported.notes:
            click.echo(f"{path}: {en}", err=True)
        _echo_released(imported.released)
    if refused:
        click.get_current_context().exit(1)


def _echo_released(released: list[tuple[str, Any]]) -> None:
    for kind, counts in released:
        click.echo(f"out of quarantine: {kind} {counts}", err=True)


@click.group()
def quarantine() -> None:
    """List, export, retry and dismiss rows that could not be imported."""


_KIND = click.option(
    "--kind", type=click.Choice(importer.KINDS), help="Only entries from files of this kind."
)


@quarantine.command("list")
@_KIND
def quarantine_list(kind: str | None) -> None:
    """List the open entries, one line for each error: number, file, place, column, value, code, and how to fix it."""
    with snapshot(open_books().engine) as connection:
        for row in holding.quarantine_list(connection, kind):
            for error in holding.errors_of(row):
                where = f"{row.file_name}:{row.place}" + (f" {error.column}" if error.column else "")
                value = "" if error.value is None else f" {_visible(error.value)!r}"
                click.echo(
                    f"{row.quarantine_id} {row.kind} {where}{value} {error.code} {error.zh} / {error.en}"
                )


@quarantine.command("export")
@_KIND
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write correction files to this folder; without it, list the entries on standard output.",
)
def quarantine_export(kind: str | None, out: Path | None) -> None:
    """Write the open entries as CSV; with --out as files to correct and import again."""
    with snapshot(open_books().engine) as connection:
        if out is None:
            _write_listing(holding.quarantine_list(connection, kind))
            return
        try:
            written = write_to_mend(connection, kind, out, inert)
        except OSError as error:
            raise BountyError(f"{out} can't be written: {error.strerror}.") from None
    for path, rows in written:
        click.echo(f"{path} {rows} rows")
    if not written:
        click.echo("Nothing waits in quarantine.")


def _write_listing(entries: Iterator[Any]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\r\n")
    writer.writerow(
        (
            "id",
            "kind",
            "file",
            "place",
            "column",
            "value",
            "error_code",
            "error_message_zh",
            "error_message_en",
            "raw",
        )
    )
    for row in entries:
        for error in holding.errors_of(row):
            cells = (row.file_name, row.place, *error, row.raw)
            writer.writerow([row.quarantine_id, row.kind, *map(_safe, cells)])


def _safe(cell: Any) -> Any:
    return inert(cell) if isinstance(cell, str) else cell


def _visible(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:80]}…"


@quarantine.command("retry")
def quarantine_retry() -> None:
    """Read every open entry again, and import the rows that are valid now."""
    books = open_books()
    released = importer.retry(books.engine, books.now())
    for kind, counts in released:
        click.echo(f"{kind} {counts}")
    if not released:
        click.echo(
            "No entry can be taken in as it stands: import mended rows, or the promoters they wait for."
        )


@quarantine.command("dismiss")
@click.argument("entry", metavar="ID")
@click.option("--reason", required=True, help="Why the row is not needed.")
def quarantine_dismiss(entry: str, reason: str) -> None:
    """Close an entry for good without importing its row."""
    books = open_books()
    number = number_of(entry, "an entry's number", "bounty quarantine list")
    with transaction(books.engine) as connection:
        holding.dismiss_entries(connection, number, reason, books.now())
    click.echo(f"entry {entry} dismissed")
