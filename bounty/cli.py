"""The bounty month by hand: import, open, look, settle, publish, export, check."""

import csv
import json
import re
import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import Engine

from bounty import checks, imports, schema
from bounty.clock import shown
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.intake import quarantine as holding
from bounty.intake.batches import Counts
from bounty.money import shown_yuan
from bounty.orders import undo as undoing
from bounty.progress import service as progress_service
from bounty.publication import service as publication
from bounty.publication.changes import CAUSES
from bounty.roster.judge import in_words
from bounty.roster.service import open_roster
from bounty.roster.terms import add_terms, open_period, terms_in_force
from bounty.rules.periods import Period
from bounty.rules.words import terms_in_words
from bounty.sample import write_sample
from bounty.settlement import service as settlement
from bounty.settlement.files import inert

BOOKS = "bounty.books"
"""Where the group keeps the way to the books for its commands."""


@dataclass(frozen=True, slots=True)
class Books:
    """The database and the clock that a command works with."""

    engine: Engine
    now: Callable[[], int]
    approval_required: bool


def _books() -> Books:
    """The books, once their schema is known to be the program's."""
    books: Books = click.get_current_context().meta[BOOKS]()
    schema.require_current(books.engine)
    return books


def _period(_ctx: click.Context, _param: click.Parameter, value: str) -> Period:
    try:
        return Period.parse(value)
    except ValueError as error:
        raise BountyError(str(error)) from None


def _promoter(_ctx: click.Context, _param: click.Parameter, value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,15}", value):
        raise BountyError(f"{value!r} is not a promoter id: write its digits, at most 15.")
    return int(value)


period_argument = click.argument("period", callback=_period)


@click.group()
def db() -> None:
    """The database's schema."""


@db.command("upgrade")
def db_upgrade() -> None:
    """Create the schema, or bring it up to date."""
    schema.upgrade(click.get_current_context().meta[BOOKS]().engine)
    click.echo("The schema is up to date.")


@click.group("import")
def import_() -> None:
    """Take in files; each is one batch and one transaction."""


def _import_kind(kind: str) -> click.Command:
    @click.command(kind, help=f"Take in files of {kind}.")
    @click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
    @click.option("--strict", is_flag=True, help="Refuse a file of which a row would go into quarantine.")
    def command(files: tuple[Path, ...], *, strict: bool) -> None:
        _import(kind, files, strict=strict)

    return command


for _kind in imports.KINDS:
    import_.add_command(_import_kind(_kind))


@import_.command("list")
def import_list() -> None:
    """The batches, the newest first."""
    with snapshot(_books().engine) as connection:
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
    """Take a batch of orders back, as if it had never come."""
    books = _books()
    with transaction(books.engine) as connection:
        rows = undoing.undo_batch(
            connection, _number(batch, "a batch's number", "bounty import list"), books.now()
        )
    click.echo(f"batch {batch} undone, {rows} rows withdrawn")


def _number(text: str, what: str, shown_by: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise BountyError(f"{text!r} is not {what}: `{shown_by}` shows them.")
    return int(text)


def _import(kind: str, files: tuple[Path, ...], *, strict: bool) -> None:
    books = _books()
    refused = False
    for path in files:
        try:
            with _bar(path.name) as told:
                imported = imports.import_file(
                    books.engine, kind, path, books.now(), strict=strict, told=told
                )
        except BountyError as refusal:
            refused = True
            if isinstance(refusal, imports.Strict):
                click.echo(f"{path} {refusal.counts}")
            click.echo(f"Error: {path}: {' '.join(str(refusal).split())}", err=True)
            continue
        click.echo(f"{path} {imported.counts}")
        _say_released(imported.released)
    if refused:
        click.get_current_context().exit(1)


def _say_released(released: list[tuple[str, Any]]) -> None:
    for kind, counts in released:
        click.echo(f"out of quarantine: {kind} {counts}", err=True)


@contextmanager
def _bar(name: str) -> Any:
    """A bar of rows on a terminal; silence elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,} rows"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda rows: bar.update(task, completed=rows)


@click.group()
def quarantine() -> None:
    """Rows that could not be taken in."""


_KIND = click.option("--kind", type=click.Choice(imports.KINDS), help="Only entries of such files.")


@quarantine.command("list")
@_KIND
def quarantine_list(kind: str | None) -> None:
    """The open entries: number, file, place, column, value, code and what would be right."""
    with snapshot(_books().engine) as connection:
        for row in holding.listing(connection, kind):
            where = f"{row.file_name}:{row.place}" + (f" {row.column_name}" if row.column_name else "")
            value = "" if row.value is None else f" {_visible(row.value)!r}"
            click.echo(
                f"{row.quarantine_id} {row.kind} {where}{value} {row.code} {row.sentence_zh} / {row.sentence_en}"
            )


@quarantine.command("export")
@_KIND
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="A file; standard output without it."
)
def quarantine_export(kind: str | None, out: Path | None) -> None:
    """The open entries as CSV, to mend."""
    header = (
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
    with snapshot(_books().engine) as connection:
        try:
            stream = out.open("w", encoding="utf-8-sig", newline="") if out else sys.stdout
        except OSError as error:
            raise BountyError(f"{out} can't be written: {error.strerror}.") from None
        try:
            writer = csv.writer(stream, lineterminator="\r\n")
            writer.writerow(header)
            for row in holding.listing(connection, kind):
                cells = (
                    row.file_name,
                    row.place,
                    row.column_name,
                    row.value,
                    row.code,
                    row.sentence_zh,
                    row.sentence_en,
                )
                writer.writerow([row.quarantine_id, row.kind, *map(_safe, cells), _safe(row.raw)])
        finally:
            if out:
                stream.close()


def _safe(cell: Any) -> Any:
    return inert(cell) if isinstance(cell, str) else cell


def _visible(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:80]}…"


@quarantine.command("retry")
def quarantine_retry() -> None:
    """Read every open entry again; what can be taken in now goes in."""
    books = _books()
    released = imports.retry(books.engine, books.now())
    for kind, counts in released:
        click.echo(f"{kind} {counts}")
    if not released:
        click.echo(
            "No entry can be taken in as it stands: import mended rows, or the promoters they wait for."
        )


@quarantine.command("dismiss")
@click.argument("entry", metavar="ID")
@click.option("--reason", required=True, help="Why the row may be left out.")
def quarantine_dismiss(entry: str, reason: str) -> None:
    """Let an entry go for good."""
    books = _books()
    number = _number(entry, "an entry's number", "bounty quarantine list")
    with transaction(books.engine) as connection:
        holding.dismiss(connection, number, reason, books.now())
    click.echo(f"entry {entry} dismissed")


@click.group()
def terms() -> None:
    """The terms of the programme, as versions."""


@terms.command("add")
@click.argument("file", type=click.Path(path_type=Path))
def terms_add(file: Path) -> None:
    """Add a version from a TOML file; the same content again changes nothing."""
    try:
        toml = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BountyError(f"{file} can't be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise BountyError(
            f"{file}: terms are UTF-8 text, and byte {error.start} is not: save the file as UTF-8."
        ) from None
    books = _books()
    with transaction(books.engine) as connection:
        added, anew = add_terms(connection, toml, books.now())
    state = "added" if anew else "held already"
    click.echo(f"terms from {added.effective_from} {state}\nterms sha256:{added.sha256}")


@terms.command("show")
@period_argument
def terms_show(period: Period) -> None:
    """The terms in force in a period as TOML, their hash and their words in comments above."""
    with snapshot(_books().engine) as connection:
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
    """Freeze the roster of a period: levels, eligibility and targets, as known now."""
    books = _books()
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
@click.argument("promoter", callback=_promoter)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def progress(period: Period, promoter: int, *, as_json: bool) -> None:
    """How far a promoter is in a period."""
    books = _books()
    with snapshot(books.engine) as connection:
        found = progress_service.progress_of(connection, period, promoter, books.now())
    if as_json:
        click.echo(json.dumps(found.as_json(), ensure_ascii=False))
        return
    click.echo(f"promoter {promoter} in {period}, level {found.level or 'none'}, as of {shown(found.as_of)}")
    if found.reason is not None:
        click.echo(f"not eligible: {found.reason} {in_words(json.loads(found.derivation), chinese=False)}")
    else:
        gmv = "none" if found.target_gmv_fen is None else f"¥{shown_yuan(found.target_gmv_fen)}"
        click.echo(f"target GMV {gmv}, orders {found.target_orders or 'none'}")
        click.echo(f"  {in_words(json.loads(found.derivation), chinese=False)}")
    for name, tally in (("counted", found.counted), ("pending receipt", found.pending)):
        click.echo(f"{name}: ¥{shown_yuan(tally.capped_fen)}, {tally.orders} orders")
    for code, tally in found.not_counted.items():
        click.echo(f"not counted, {code}: ¥{shown_yuan(tally.amount_fen)}, {tally.orders} orders")
    click.echo("target met" if found.passed else "target not met")
    if found.published is not None:
        verdict = "passed" if found.published.passed else "not passed"
        click.echo(
            f"notice {found.published.notice}: {verdict}, subsidy ¥{shown_yuan(found.published.subsidy_fen)}"
        )


@click.command()
@click.argument("order_sn")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def explain(order_sn: str, *, as_json: bool) -> None:
    """Why an order counts or does not: every clause with the fact and the bound."""
    books = _books()
    with snapshot(books.engine) as connection:
        found = progress_service.explain(connection, order_sn, books.now())
    if as_json:
        click.echo(json.dumps(found.as_json(), ensure_ascii=False))
        return
    click.echo(f"order {order_sn} of promoter {found.promoter_id}, period {found.period or 'none: not paid'}")
    for title, clauses in (("task", found.task), ("subsidy", found.subsidy)):
        reason = progress_service.first_failing(clauses)
        click.echo(f"{title}: {'yes' if reason is None else f'no, {reason}'}")
        for judged in clauses:
            mark = "holds" if judged.holds else "FAILS"
            click.echo(
                f"  {mark} {judged.clause.code}: {judged.clause.en(found.terms)} / {judged.clause.zh(found.terms)}"
            )
            click.echo(f"        fact {judged.fact}; bound {judged.bound}")
    click.echo(f"counts ¥{shown_yuan(found.counted_fen)} to the task's GMV")
    earned = "no settlement yet" if found.subsidy_fen is None else f"¥{shown_yuan(found.subsidy_fen)}"
    click.echo(f"subsidy in the newest settlement: {earned}")
    if found.flags:
        click.echo(f"flags: {', '.join(found.flags)}")


@click.command()
@period_argument
def settle(period: Period) -> None:
    """Make a draft settlement of a period; on the same facts it is the same one."""
    books = _books()
    with transaction(books.engine) as connection:
        settled = settlement.settle(connection, period, books.now())
    state = "made" if settled.anew else "stands already, on the same facts"
    click.echo(f"settlement {settled.settlement_id} of {period} {state}")
    click.echo(f"content sha256:{settled.content_sha256}")
    click.echo(
        f"{settled.results.rows} results, {settled.lines.rows} lines, subsidy ¥{shown_yuan(settled.lines.sum_fen)}"
    )
    click.echo(f"{settled.quarantined} quarantined rows of the month wait")


@click.command()
@period_argument
def publish(period: Period) -> None:
    """Publish the newest draft of a period as its next notice; its rows never change from then on."""
    books = _books()
    with transaction(books.engine) as connection:
        notice = publication.publish(
            connection, period, books.now(), approval_required=books.approval_required
        )
    state = "published" if notice.anew else "stands already, with the same content"
    click.echo(f"notice {notice.notice} of {period} {state} (settlement {notice.settlement_id})")
    click.echo(f"content sha256:{notice.content_sha256}")


@click.command()
@period_argument
@click.option("--number", type=int, help="Which notice; the newest without it.")
def notice(period: Period, number: int | None) -> None:
    """A notice of a period: its sums, and what it changed of the notice before, and why."""
    with snapshot(_books().engine) as connection:
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
    "--out", required=True, type=click.Path(path_type=Path, file_okay=True), help="The folder to write to."
)
@click.option("--draft", is_flag=True, help="The newest draft instead of the newest notice.")
@click.option("--notice", "number", type=int, help="An earlier notice by its number.")
def export(period: Period, out: Path, number: int | None, *, draft: bool) -> None:
    """Write results.csv, subsidy_lines.csv and manifest.json of a settlement."""
    if draft and number is not None:
        raise BountyError("A draft has no notice number: give --draft or --notice, not both.")
    with snapshot(_books().engine) as connection:
        manifest = publication.export(connection, period, out, draft=draft, notice=number)
    for file in manifest["files"]:
        click.echo(f"{out / file['name']} {file['rows']} rows, subsidy ¥{shown_yuan(file['sum_fen'])}")
    click.echo(f"content sha256:{manifest['content_sha256']}")


@click.command()
def check() -> None:
    """The books' own invariants, each with its count of violations."""
    violations = 0
    with snapshot(_books().engine) as connection:
        for finding in checks.run_checks(connection):
            violations += finding.violations
            click.echo(f"{finding.violations:>8}  {finding.name}: {finding.promise}")
    if violations:
        raise BountyError(
            f"The books do not balance: {violations} violations. Publish and pay nothing until it is known why."
        )


@click.command()
def demo() -> None:
    """Fill an empty database with a sample month history: past periods published, the present one open."""
    books: Books = click.get_current_context().meta[BOOKS]()
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
            with _bar(path.name) as told:
                click.echo(
                    f"{path.name} {imports.import_file(books.engine, kind, path, now, told=told).counts}"
                )
        terms_toml = sample.terms.read_text(encoding="utf-8")
    with transaction(books.engine) as connection:
        add_terms(connection, terms_toml, now)
    for period in sample.periods:
        with transaction(books.engine) as connection:
            opening = open_roster(connection, period, now)
            line = f"{period}: {opening.on_roster} on the roster, {opening.eligible} eligible"
            if now >= open_period(connection, period).receipt_cutoff:
                settled = settlement.settle(connection, period, now)
                told_as = publication.publish(connection, period, now, approval_required=False)
                line += f"; notice {told_as.notice}, subsidy ¥{shown_yuan(settled.lines.sum_fen)}"
        click.echo(line)
    click.echo("This is sample data: every name says 示例.")


COMMANDS: tuple[click.Command, ...] = (
    db,
    import_,
    quarantine,
    terms,
    open_,
    progress,
    explain,
    settle,
    publish,
    notice,
    export,
    check,
    demo,
)
"""What hangs on the console script, beside Flask's own commands."""
