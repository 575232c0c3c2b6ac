"""Commands that compute a settlement again without writing, and export its input facts."""

from pathlib import Path

import click

from bounty.cli.context import open_books, period_argument, spark_option
from bounty.cli.month import sums_in_words
from bounty.cli.output import echo_json, json_option, several
from bounty.db import snapshot
from bounty.errors import BountyError
from bounty.lake.export import MANIFEST, export_facts
from bounty.lake.recompute import Recomputed
from bounty.lake.recompute import recompute as recompute_settlement
from bounty.roster.terms import terms_in_force
from bounty.rules.periods import Period
from bounty.settlement.queries import known_notices, notices_elsewhere
from bounty.settlement.service import newest_settlement


@click.command()
@period_argument
@spark_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=True),
    help="Write both files and the manifest to this folder, as `bounty export` does.",
)
@json_option
def recompute(period: Period, master: str | None, out: Path | None, *, as_json: bool) -> None:
    """Compute the newest settlement of a period again from the present data, without writing to the books.

    Exit 1 if it differs on the same facts. On Spark it must also equal what the books compute now.
    """
    fresh = None
    with snapshot(open_books().engine) as connection:
        if master is None:
            found = recompute_settlement(connection, period, out=out)
        else:
            from bounty.lake.spark import on_spark  # noqa: PLC0415 - only here need Spark be there

            found = recompute_settlement(connection, period, out=out, compute=on_spark(master))
            if found.later and not found.equal:
                fresh = recompute_settlement(connection, period).content_sha256
    if as_json:
        echo_json(found.as_json() | {"fresh_sha256": fresh})
    else:
        _print_result(found, fresh)
    if fresh not in (None, found.content_sha256):
        raise BountyError(
            f"{period} on Spark differs from what the books compute on the same facts, sha256:{fresh}: publish and "
            "pay nothing until it is known why."
        )
    if not found.equal and not found.later:
        raise BountyError(
            f"{period} computed again differs from settlement {found.settlement_id} on the same facts: publish and "
            "pay nothing until it is known why."
        )


def _print_result(found: Recomputed, fresh: str | None) -> None:
    click.echo(f"content sha256:{found.content_sha256}")
    click.echo(sums_in_words(found.results.rows, found.lines.rows, found.lines.sum_fen))
    verdict = "equal to" if found.equal else "not equal to"
    click.echo(f"{verdict} settlement {found.settlement_id}, sha256:{found.settled_sha256}")
    for fact in found.later:
        if fact["code"] == "PASS_VOID":
            click.echo(f"since that settlement the pass of promoter {fact['promoter_id']} was taken back")
        else:
            happened = "came" if fact["code"] == "BATCH" else "was undone"
            click.echo(f"since that settlement batch {fact['batch']} of {fact['kind']} {happened}")
    if fresh is not None:
        verdict = "equal to" if fresh == found.content_sha256 else "not equal to"
        click.echo(f"{verdict} what the books compute on these facts, sha256:{fresh}")


@click.group()
def lake() -> None:
    """Export facts as Parquet files for distributed engines."""


@lake.command("export")
@period_argument
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Write the files to this new folder."
)
@json_option
def lake_export(period: Period, out: Path, *, as_json: bool) -> None:
    """Write the input facts of a period's settlement as Parquet files with a manifest."""
    with snapshot(open_books().engine) as connection:
        newest = newest_settlement(connection, period)
        elsewhere = (
            notices_elsewhere(connection, period)
            if newest is None
            else known_notices(connection, newest.settlement_id)
        )
        manifest = export_facts(connection, period, terms_in_force(connection, period), elsewhere, out)
    if as_json:
        echo_json(manifest)
        return
    for name, table in manifest["tables"].items():
        sums = f"{several(table['rows'], 'row')} in {several(len(table['files']), 'file')}"
        click.echo(f"{out / name} {sums}")
    click.echo(str(out / MANIFEST))
