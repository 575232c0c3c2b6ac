"""Commands for importing files, undoing batches, and the quarantine."""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from bounty import importer
from bounty.cli.context import number_of, open_books, progress_bar
from bounty.cli.output import counts_json, echo_json, echo_json_list, json_option, several
from bounty.clock import shown
from bounty.db import snapshot, transaction
from bounty.errors import BountyError, RefusedFile
from bounty.ingest import header_names
from bounty.ingest import quarantine as holding
from bounty.ingest.batches import Counts
from bounty.ingest.correction_files import write_to_mend
from bounty.ingest.queries import EntryRow
from bounty.json_types import JsonObject
from bounty.money import grouped_yuan
from bounty.orders import undo as undoing
from bounty.orders import warnings
from bounty.orders.undo import BatchRow
from bounty.orders.unknowns import unknown_in_batch
from bounty.settlement.files import inert


@click.group("import")
def import_() -> None:
    """Import files. Each file is one batch and one transaction, but for large files of orders."""


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
    @json_option
    def command(
        files: tuple[Path, ...],
        *,
        strict: bool,
        mappings: tuple[str, ...],
        as_json: bool,
        force: bool = False,
    ) -> None:
        mapping = _mapping_of(mappings)
        _import(kind, files, strict=strict, force=force, mapping=mapping, as_json=as_json)

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
@json_option
def import_headers(kind: str, keep: tuple[str, ...], forget: tuple[str, ...], *, as_json: bool) -> None:
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
    if as_json:
        echo_json_list({"header": header, "column": name} for header, name in kept.items())
        return
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
@json_option
def import_list(*, as_json: bool) -> None:
    """List the batches, newest first."""
    with snapshot(open_books().engine) as connection:
        rows = [(row, _counts_of(row)) for row in undoing.batches(connection)]
    if as_json:
        echo_json_list(
            {
                "batch": row.batch_id,
                "kind": row.kind,
                "file": row.file_name,
                "imported_at": shown(row.imported_at),
                **counts_json(counts),
                "rows_so_far": row.rows_so_far,
                "undone_at": None if row.undone_at is None else shown(row.undone_at),
            }
            for row, counts in rows
        )
        return
    for row, counts in rows:
        undone = "" if row.undone_at is None else f", undone {shown(row.undone_at)}"
        came = counts if row.rows_so_far is None else f"not in whole yet, rows so far: {row.rows_so_far}"
        click.echo(f"{row.batch_id} {row.kind} {row.file_name} {shown(row.imported_at)} {came}{undone}")


def _counts_of(row: BatchRow) -> Counts:
    return Counts(
        row.rows_read,
        row.rows_new,
        row.rows_changed,
        row.rows_unchanged,
        row.rows_stale,
        row.rows_quarantined,
    )


@import_.command("undo")
@click.argument("batch", metavar="BATCH")
@json_option
def import_undo(batch: str, *, as_json: bool) -> None:
    """Undo a batch of orders, as if it had not been imported."""
    books, number = open_books(), number_of(batch, "a batch's number", "bounty import list")
    with transaction(books.engine) as connection:
        rows = undoing.undo_batch(connection, number, books.now())
    if as_json:
        echo_json({"batch": number, "rows": rows})
        return
    click.echo(f"batch {batch} undone, {several(rows, 'row')} withdrawn")


@import_.command("flags")
@click.argument("batch", metavar="BATCH")
@json_option
def import_flags(batch: str, *, as_json: bool) -> None:
    """List the imported rows of a batch that look wrong, and compare its median amount with a month's."""
    books = open_books()
    number = number_of(batch, "a batch's number", "bounty import list")
    with snapshot(books.engine) as connection:
        rows = list(warnings.flagged_rows(connection, number, books.now()))
        found = warnings.medians(connection, number)
        unknown = unknown_in_batch(connection, number)
    if as_json:
        medians = found and {
            "batch_fen": found.batch_fen,
            "period": found.month.name,
            "period_fen": found.month_fen,
            "far_off": found.far_off,
        }
        flagged = [{"place": row.place, "order_sn": row.order_sn, "flags": row.flags} for row in rows]
        notes = [{"zh": each.zh, "en": each.en} for each in unknown]
        echo_json({"batch": number, "flagged": flagged, "unknown": notes, "medians": medians})
        return
    for row in rows:
        click.echo(f"{row.place} {row.order_sn} {', '.join(row.flags)}")
    click.echo(f"batch {number}: {several(len(rows), 'row')} flagged")
    for each in unknown:
        click.echo(each.en)
    if found is not None and found.month_fen is not None:
        warning = "W-UNIT, is the unit right? " if found.far_off else ""
        amounts = f"{grouped_yuan(found.batch_fen)}, that of {found.month} {grouped_yuan(found.month_fen)}"
        click.echo(f"{warning}median amount {amounts}")


def _import(
    kind: str,
    files: tuple[Path, ...],
    *,
    strict: bool,
    force: bool,
    mapping: dict[str, str],
    as_json: bool,
) -> None:
    books = open_books()
    refused = False
    objects: list[JsonObject] = []
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
                    on_progress=on_progress,
                )
        except BountyError as refusal:
            refused = True
            counts = refusal.counts if isinstance(refusal, importer.Strict) else None
            objects.append({"file": str(path), **_refused_json(refusal, counts)})
            if counts is not None and not as_json:
                click.echo(f"{path} {counts}")
            click.echo(f"Error: {path}: {' '.join(str(refusal).split())}", err=True)
            continue
        objects.append({"file": str(path), **_imported_json(imported)})
        if not as_json:
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
    if as_json:
        echo_json(objects)
    if refused:
        click.get_current_context().exit(1)


def _refused_json(refusal: BountyError, counts: Counts | None) -> JsonObject:
    reason = {"code": None, "zh": refusal.zh, "en": " ".join(str(refusal).split())}
    if isinstance(refusal, RefusedFile):
        reason |= {"code": refusal.code, "en": refusal.en}
    nothing: JsonObject = {"batch": None, "footers": 0, "notes": [], "released": [], "refused": reason}
    return {**counts_json(counts or Counts()), **nothing}


def _imported_json(imported: importer.Imported) -> JsonObject:
    return {
        **counts_json(imported.counts),
        "batch": imported.batch_id,
        "footers": imported.footers,
        "notes": [{"zh": zh, "en": en} for zh, en in imported.notes],
        "released": _released_json(imported.released),
        "refused": None,
    }


def _released_json(released: list[tuple[str, Counts]]) -> list[JsonObject]:
    return [{"kind": kind, **counts_json(counts)} for kind, counts in released]


def _echo_released(released: list[tuple[str, Counts]]) -> None:
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
@json_option
def quarantine_list(kind: str | None, *, as_json: bool) -> None:
    """List the open entries, one line for each error: number, file, place, column, value, code, and how to fix it."""
    with snapshot(open_books().engine) as connection:
        if as_json:
            echo_json_list(map(_entry_json, holding.quarantine_list(connection, kind)))
            return
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
@json_option
def quarantine_export(kind: str | None, out: Path | None, *, as_json: bool) -> None:
    """Write the open entries as CSV; with --out as files to correct and import again."""
    with snapshot(open_books().engine) as connection:
        if out is None:
            if as_json:
                echo_json_list(map(_entry_json, holding.quarantine_list(connection, kind)))
                return
            _write_listing(holding.quarantine_list(connection, kind))
            return
        try:
            written = write_to_mend(connection, kind, out, inert)
        except OSError as error:
            raise BountyError(f"{out} can't be written: {error.strerror}.") from None
    if as_json:
        echo_json([{"file": str(path), "rows": rows} for path, rows in written])
        return
    for path, rows in written:
        click.echo(f"{path} {several(rows, 'row')}")
    if not written:
        click.echo("Nothing waits in quarantine.")


def _entry_json(row: EntryRow) -> JsonObject:
    names = ("column", "value", "code", "zh", "en")
    errors = [{name: getattr(error, name) for name in names} for error in holding.errors_of(row)]
    return {
        "entry": row.quarantine_id,
        "kind": row.kind,
        "file": row.file_name,
        "place": row.place,
        "errors": errors,
        "raw": row.raw,
    }


def _write_listing(entries: Iterator[EntryRow]) -> None:
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


def _safe(cell: str | int | None) -> str | int | None:
    return inert(cell) if isinstance(cell, str) else cell


def _visible(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:80]}…"


@quarantine.command("retry")
@json_option
def quarantine_retry(*, as_json: bool) -> None:
    """Read every open entry again, and import the rows that are valid now."""
    books = open_books()
    released = importer.retry(books.engine, books.now())
    if as_json:
        echo_json(_released_json(released))
        return
    for kind, counts in released:
        click.echo(f"{kind} {counts}")
    if not released:
        click.echo(
            "No entry can be taken in as it stands: import mended rows, or the promoters they wait for."
        )


@quarantine.command("dismiss")
@click.argument("entry", metavar="ID")
@click.option("--reason", required=True, help="Why the row is not needed.")
@json_option
def quarantine_dismiss(entry: str, reason: str, *, as_json: bool) -> None:
    """Close an entry for good without importing its row."""
    books = open_books()
    number = number_of(entry, "an entry's number", "bounty quarantine list")
    with transaction(books.engine) as connection:
        holding.dismiss_entries(connection, number, reason, books.now())
    if as_json:
        echo_json({"entry": number})
        return
    click.echo(f"entry {entry} dismissed")
