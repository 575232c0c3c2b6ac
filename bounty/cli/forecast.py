"""The commands that forecast an open period, and say how good forecasts of past ones were."""

import click

from bounty.cli.context import CommandContext, open_books, programme_option, read_period
from bounty.cli.output import echo_json, json_option
from bounty.clock import shown
from bounty.db import snapshot
from bounty.errors import BountyError
from bounty.money import grouped_yuan

SEED = 1
"""Of a backtest's draws."""


@click.command()
@click.argument("period", required=False)
@programme_option
@click.option("--backtest", is_flag=True, help="Replay past months as they were known then; takes minutes.")
@json_option
def forecast(period: str | None, programme: str, *, backtest: bool, as_json: bool) -> None:
    """Forecast an open PERIOD: who will pass, GMV, orders and subsidy at the cutoff. Nothing is written.

    With --backtest, print how good such forecasts of past months would have been (PERIOD: of that one alone).
    """
    books = open_books()
    if backtest:
        _backtest(books, period, programme, as_json=as_json)
        return
    if period is None:
        raise BountyError("Name the period to forecast, such as 2022-12, or ask for --backtest.")
    from bounty.forecast.period_forecast import make_forecast  # noqa: PLC0415 - numpy, which no other command loads

    with snapshot(books.engine) as connection:
        made = make_forecast(connection, read_period(period, programme), books.now())
    if as_json:
        echo_json(made.as_json(promoters=True))
        return
    of = made.programme
    click.echo(
        f"{made.period}, as of {shown(made.as_of)}: {of['promoters']} eligible promoters, "
        f"learnt from {of['history_months']} past months, seed {of['seed']}"
    )
    click.echo(f"  passes   {of['passes']} (80 % range {of['passes_low']} to {of['passes_high']})")
    click.echo(
        f"  subsidy  {grouped_yuan(of['subsidy_fen'])} (80 % range {grouped_yuan(of['subsidy_low_fen'])} to "
        f"{grouped_yuan(of['subsidy_high_fen'])}); committed {grouped_yuan(of['committed_fen'])}"
    )
    if made.budget_fen is not None:
        over = of["subsidy_high_fen"] > made.budget_fen
        verdict = "the upper end passes it" if over else "the range stays within it"
        click.echo(f"  budget   {grouped_yuan(made.budget_fen)}: {verdict}")
    open_ = [row for row in made.promoters if 50 <= row["probability_permille"] <= 950]
    for row in sorted(open_, key=lambda row: -row["probability_permille"]):
        click.echo(
            f"  promoter {row['promoter_id']}: {row['probability_permille'] / 10:.1f} %, "
            f"GMV {grouped_yuan(row['gmv_low_fen'])} to {grouped_yuan(row['gmv_high_fen'])}, "
            f"orders {row['orders_low']} to {row['orders_high']}"
        )
    sure, out = (sum(test(row["probability_permille"]) for row in made.promoters) for test in (_sure, _out))
    click.echo(f"  above 95 %: {sure}; below 5 %: {out}")


def _sure(permille: int) -> bool:
    return permille > 950


def _out(permille: int) -> bool:
    return permille < 50


def _backtest(books: CommandContext, period: str | None, programme: str, *, as_json: bool) -> None:
    from bounty.forecast.backtest import backtest, day_name, replayable  # noqa: PLC0415 - numpy

    with snapshot(books.engine) as connection:
        periods = [each for each in replayable(connection, books.now()) if each.programme == programme]
        if period is not None:
            periods = [each for each in periods if each == read_period(period, programme)]
        if not periods:
            raise BountyError(
                "No such month can be replayed: the month must be open, and its receipt cutoff over.",
                "没有可以回放的月份：月份须已开期，且收货截止已过。",
            )
        found = []
        for score in backtest(connection, periods, SEED):
            found.append(score.as_json())
            if as_json:
                continue
            click.echo(
                f"as known at the beginning of {day_name(score.day)}, {score.promoters} promoter-months"
            )
            click.echo(
                f"  Brier score {score.brier:.4f}; pace line {score.brier_pace:.4f}; "
                f"as last month {score.brier_last_month:.4f}"
            )
            click.echo(
                f"  80 % ranges of GMV: {score.held:.1%} of {score.ranges} held; all ranges promise "
                f"{score.all_promised:.1%} and held {score.all_held:.1%}"
            )
            click.echo("  said     passed   promoters")
            for predicted, passed, promoters in score.bins:
                click.echo(f"  {predicted:>6.1%}   {passed:>6.1%}   {promoters:>9}")
    if as_json:
        echo_json(found)
