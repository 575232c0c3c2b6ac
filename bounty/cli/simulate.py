"""The command that simulates other terms in past months."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from bounty.cli.context import (
    open_books,
    programme_option,
    require_period_of_main,
    require_same_programme,
    spark_option,
)
from bounty.cli.month import read_terms_file
from bounty.cli.output import echo_json, json_option, several, signed_yuan
from bounty.clock import shown
from bounty.db import snapshot
from bounty.forecast.simulated_month import Figures
from bounty.forecast.simulation import Difference, Simulated, TermsPart, periods_from_to, sweep
from bounty.forecast.simulation import simulate as simulate_month
from bounty.forecast.variation import Variation, read_variation
from bounty.money import grouped_yuan
from bounty.rules.periods import Period, programme_key
from bounty.rules.terms import read_terms
from bounty.settlement.queries import RowsOf, rows_in_the_books


def _variation(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Variation | None:
    return None if value is None else read_variation(value)


@click.command()
@click.argument("file", metavar="TERMS.toml", type=click.Path(path_type=Path))
@click.option("--periods", "span", required=True, metavar="A..B", help="Such as 2022-09..2022-12.")
@programme_option
@click.option(
    "--vary", metavar="KEY=FROM..TO:STEP", callback=_variation, help="Try values of one number of the terms."
)
@spark_option
@json_option
def simulate(
    file: Path, span: str, programme: str, vary: Variation | None, master: str | None, *, as_json: bool
) -> None:
    """Simulate the results of terms in months whose orders are imported. Nothing is written.

    A month that is open keeps its roster, levels and eligibility; targets are computed again under the terms. Any other
    month is judged on the roster that opening it now would freeze.
    """
    periods = periods_from_to(span, programme)
    require_same_programme(span, periods[0], programme)
    require_period_of_main(span, periods[0])
    toml = read_terms_file(file)
    terms, books = read_terms(toml), open_books()
    with _computed_on(master) as rows_of, snapshot(books.engine) as connection:
        if vary is not None:
            swept = sweep(connection, toml, periods, vary, books.now(), rows_of)
            _print_sweep(swept, periods, vary, as_json=as_json)
            return
        found = [simulate_month(connection, terms, period, books.now(), rows_of) for period in periods]
    if as_json:
        echo_json([month.as_json() for month in found])
        return
    for month in found:
        _print_month(month)


@contextmanager
def _computed_on(master: str | None) -> Iterator[RowsOf]:
    """By the books, or by a Spark that is started for it."""
    if master is None:
        yield rows_in_the_books
        return
    from bounty.lake.spark import simulated_on_session, spark_session  # noqa: PLC0415 - only here need Spark be there

    with spark_session(master) as spark, TemporaryDirectory(prefix="bounty-lake-") as folder:
        yield simulated_on_session(spark, Path(folder))


def _print_month(month: Simulated) -> None:
    roster = (
        "as opening it now would freeze it" if month.opened_at is None else f"frozen {shown(month.opened_at)}"
    )
    click.echo(f"{month.period}, roster {roster}")
    click.echo(f"  these terms     {_in_words(month.figures)}")
    if month.difference is not None:
        click.echo(f"  terms in force  {_in_words(month.difference.was)}")
    click.echo(f"  published       {'nothing' if month.against is None else _in_words(month.against)}")
    click.echo(f"  subsidy per GMV {month.figures.permille}‰")
    if month.budget_fen is not None:
        left = month.budget_fen - month.figures.subsidy_fen
        verdict = f"{grouped_yuan(left)} left" if left >= 0 else f"passed by {grouped_yuan(-left)}"
        click.echo(f"  budget          {grouped_yuan(month.budget_fen)}, {verdict}")
    if month.difference is not None:
        _print_difference(month.figures, month.difference)
    for _zh, note in month.notes:
        click.echo(f"  note: {note}")


def _print_difference(figures: Figures, difference: Difference) -> None:
    was = difference.was
    passed, subsidy = figures.passed - was.passed, figures.subsidy_fen - was.subsidy_fen
    click.echo(f"  difference to the terms in force: passed {passed:+}, subsidy {signed_yuan(subsidy)}")
    for cause in difference.causes:
        part = TermsPart.labels()[cause.code][1]
        click.echo(f"    by {part}: passed {cause.passed:+}, subsidy {signed_yuan(cause.subsidy_fen)}")
    for flip in difference.flips:
        verdict = "passes now" if flip.passes else "passes no longer"
        click.echo(
            f"    promoter {flip.promoter_id} {verdict}: subsidy {grouped_yuan(flip.was_subsidy_fen)} -> "
            f"{grouped_yuan(flip.subsidy_fen)}"
        )


def _print_sweep(
    found: list[tuple[str, list[Figures]]], periods: list[Period], vary: Variation, *, as_json: bool
) -> None:
    if as_json:
        objects = [
            {
                "key": vary.path,
                "value": value,
                "periods": [
                    {**programme_key(period), "period": period.name, **figures.as_json()}
                    for period, figures in zip(periods, row, strict=True)
                ],
            }
            for value, row in found
        ]
        echo_json(objects)
        return
    width = max(len(vary.path), *(len(value) for value, _ in found))
    head = "".join(f"{f'{period} passed':>16}{'subsidy':>16}" for period in periods)
    click.echo(f"{vary.path:<{width}}{head}{'in all':>16}")
    for value, row in found:
        cells = "".join(f"{each.passed:>16}{grouped_yuan(each.subsidy_fen):>16}" for each in row)
        click.echo(f"{value:<{width}}{cells}{grouped_yuan(sum(each.subsidy_fen for each in row)):>16}")


def _in_words(figures: Figures) -> str:
    return (
        f"{figures.eligible:,} eligible, {figures.passed:,} passed, {several(figures.orders, 'order')}, "
        f"GMV {grouped_yuan(figures.gmv_fen)}, {several(figures.lines, 'line')}, "
        f"subsidy {grouped_yuan(figures.subsidy_fen)}"
    )
