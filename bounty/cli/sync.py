"""Commands for fetching orders from the open platform, and for running its stand-in."""

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import click
from sqlalchemy import select

from bounty.cli.context import open_books, period_argument, progress_bar
from bounty.cli.output import counts_json, echo_json, json_option, period_keys, several
from bounty.clock import midnight, read_instant, shanghai_date, shown
from bounty.db import snapshot
from bounty.errors import BountyError
from bounty.json_types import JsonObject
from bounty.models import Promoter
from bounty.roster.terms import terms_in_force
from bounty.rules.periods import Period, bounds_of
from bounty.sync.coverage import Coverage, coverage_of
from bounty.sync.intervals import Interval
from bounty.sync.recheck import orders_to_recheck

if TYPE_CHECKING:
    from bounty.sync.service import WindowRead

STAND_IN: Final = {"BOUNTY_PLATFORM_CLIENT_ID": "stand-in", "BOUNTY_PLATFORM_CLIENT_SECRET": "stand-in-only"}
"""The account that the stand-in accepts, as settings."""


def _instant(_ctx: click.Context, _param: click.Parameter, value: str | None) -> int | None:
    try:
        return None if value is None else read_instant(value)
    except ValueError:
        raise BountyError(f"{value!r} is not an instant: write 2022-12-01 or 2022-12-01T12:00:00.") from None


@click.group(invoke_without_command=True)
@click.option(
    "--from", "from_at", callback=_instant, help="Read everything from this instant on, covered or not."
)
@click.option("--to", "until_at", callback=_instant, help="Read up to this instant; now if not given.")
@click.option("--backfill", is_flag=True, help="Read by pay time instead of update time; requires --from.")
@json_option
@click.pass_context
def sync(
    ctx: click.Context, from_at: int | None, until_at: int | None, *, backfill: bool, as_json: bool
) -> None:
    """Fetch orders from the open platform: all windows that are not covered yet, up to now."""
    if ctx.invoked_subcommand is not None:
        return
    from bounty.platforms.pdd.client import Platform  # noqa: PLC0415 - slow import that other commands do not need
    from bounty.sync import service  # noqa: PLC0415

    books = open_books()
    platform = Platform(books.platform, books.now)
    kind = "PAID" if backfill else "UPDATED"
    if backfill:
        spans = service.backfill_windows(books.now(), from_at, until_at)
    else:
        spans = service.windows_to_read(books.engine, platform, books.now(), from_at, until_at)
    short = 0
    objects: list[JsonObject] = []
    with progress_bar("orders") as on_progress:
        for read in service.sync(books.engine, platform, books.now, kind, spans, on_progress):
            short += read.reading.incomplete_reason is not None
            objects.append(_window_json(read))
            if not as_json:
                click.echo(_window_line(read))
    if platform.has_clock_warning:
        click.echo(
            f"Warning: the platform's clock is {platform.clock_offset} s from this machine's.", err=True
        )
    if as_json:
        echo_json(objects)
    elif not spans:
        click.echo("Everything up to now is held.")
    if short:
        raise BountyError(
            f"{short:,} of {several(len(spans), 'slice')} not done: the platform handed out less than it counted. "
            "Run this again; `bounty sync coverage PERIOD` shows the gaps."
        )


def _window_line(read: "WindowRead") -> str:
    reading = read.reading
    count = "-" if reading.total_count is None else reading.total_count
    state = "done" if reading.incomplete_reason is None else reading.incomplete_reason
    return (
        f"{_shown(read.span)} {state} told={count} held={reading.orders} pages={reading.pages} {read.counts}"
    )


def _window_json(read: "WindowRead") -> JsonObject:
    reading = read.reading
    return {
        **_span_json(read.span),
        "done": reading.incomplete_reason is None,
        "why": reading.incomplete_reason,
        "platform_count": reading.total_count,
        "orders": reading.orders,
        "pages": reading.pages,
        **counts_json(read.counts),
    }


def _span_json(span: Interval) -> dict[str, str]:
    return {"from": shown(span.from_at), "until": shown(span.until_at)}


def _shown(span: Interval) -> str:
    return f"{shown(span.from_at)} {shown(span.until_at)}"


@sync.command("coverage")
@period_argument
@json_option
def sync_coverage(period: Period, *, as_json: bool) -> None:
    """List the windows read for a period, with the platform's count and the orders read, and the gaps; exit 1 if there
    are gaps."""
    books = open_books()
    with snapshot(books.engine) as connection:
        bounds = bounds_of(period, terms_in_force(connection, period).terms)
        found = coverage_of(connection, bounds)
        to_recheck = orders_to_recheck(connection, period) if books.now() >= bounds.receipt_cutoff else []
    if as_json:
        echo_json(_coverage_json(period, found, len(to_recheck), books.now()))
    else:
        _echo_coverage(period, found, len(to_recheck), books.now())
    past, _ = found.gaps_at(books.now())
    if found.is_required and past:
        raise BountyError(
            f"{period} has {several(len(past), 'gap')}: run `bounty sync`; what the platform no longer hands out, "
            "import from files, and have the draft's coverage waived with a reason."
        )


def _coverage_json(period: Period, found: Coverage, to_recheck: int, now: int) -> JsonObject:
    past, ahead = found.gaps_at(now) if found.is_required else ([], [])
    return {
        **period_keys(period),
        **_span_json(found.span),
        "required": found.is_required,
        "slices": [
            {
                "kind": row.kind,
                **_span_json(row.span),
                "done": row.done,
                "why": row.why,
                "platform_count": row.rows_told,
                "orders": row.rows_held,
                "undone": row.undone_at is not None,
            }
            for row in found.slices
        ],
        "gaps": [_span_json(span) for span in past],
        "to_come": [_span_json(span) for span in ahead],
        "to_sweep": to_recheck,
    }


def _echo_coverage(period: Period, found: Coverage, to_recheck: int, now: int) -> None:
    if not found.is_required:
        click.echo(f"{period}: nothing was fetched up to then; orders from files have no coverage to prove.")
        return
    for row in found.slices:
        count = "-" if row.rows_told is None else row.rows_told
        state = "undone" if row.undone_at else "done" if row.done else f"not done, {row.why}"
        click.echo(f"{row.kind} {_shown(row.span)} told={count} held={row.rows_held} {state}")
    past, ahead = found.gaps_at(now)
    for span in ahead:
        click.echo(f"to come {_shown(span)}")
    for span in past:
        click.echo(f"gap {_shown(span)}")
    click.echo(f"{period}: {_shown(found.span)}, {several(len(past), 'gap')}")
    if to_recheck:
        orders = several(to_recheck, "order")
        click.echo(f"{period}: {orders} to sweep before it is settled (`bounty sync sweep {period}`)")


@sync.command("sweep")
@period_argument
@json_option
def sync_sweep(period: Period, *, as_json: bool) -> None:
    """Before a settlement, read the orders that can still change a period's result again, one by one."""
    from bounty.platforms.pdd.client import Platform  # noqa: PLC0415
    from bounty.sync.recheck import recheck_orders  # noqa: PLC0415

    books = open_books()
    platform = Platform(books.platform, books.now)
    orders = 0
    unanswered: list[str] = []
    with progress_bar("orders") as on_progress:
        for batch in recheck_orders(books.engine, platform, books.now, period, on_progress):
            orders += batch.orders
            unanswered += batch.unanswered
            if not as_json:
                click.echo(
                    f"{period} orders={batch.orders} unanswered={len(batch.unanswered)} {batch.counts}"
                )
            for order_sn in batch.unanswered:
                click.echo(f"The platform has no answer for {order_sn}.", err=True)
    if as_json:
        echo_json({**period_keys(period), "orders": orders, "unanswered": unanswered})
        return
    read_again = several(orders - len(unanswered), "order")
    click.echo(f"{period}: {read_again} read again, {len(unanswered):,} unanswered")


@click.command("stand-in")
@click.option("--port", type=click.IntRange(1, 65535), default=5099, show_default=True)
@click.option(
    "--orders",
    type=click.IntRange(1, 1_000_000),
    default=5000,
    show_default=True,
    help="Number of orders in the two months.",
)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option(
    "--faults",
    type=click.IntRange(0, 900),
    default=30,
    show_default=True,
    help="Number of failing calls in a thousand.",
)
def stand_in(port: int, orders: int, seed: int, faults: int) -> None:
    """Run a stand-in for the open platform on this machine, with generated orders of this month and the next."""
    from bounty.fake_platform.fake_orders import FakeOrders  # noqa: PLC0415
    from bounty.fake_platform.faults import Faults  # noqa: PLC0415 - no other command needs a server
    from bounty.fake_platform.gateway import Gateway  # noqa: PLC0415
    from bounty.fake_platform.server import StandIn  # noqa: PLC0415

    books = open_books()
    with snapshot(books.engine) as connection:
        promoters = (
            connection.execute(select(Promoter.promoter_id).order_by(Promoter.promoter_id)).scalars().all()
        )
    if not promoters:
        raise BountyError("Nobody could sell anything: import promoters first, or run `bounty demo`.")
    first = shanghai_date(books.now()).replace(day=1)
    until = (first + timedelta(days=70)).replace(day=1)
    market = FakeOrders(seed, promoters, midnight(first), midnight(until), orders)
    client_id, client_secret = STAND_IN.values()
    gateway = Gateway(market, client_id, client_secret, books.now)
    try:
        server = StandIn(gateway, Faults(seed, faults), port)
    except OSError as error:
        raise BountyError(
            f"Port {port} can't be served: {error.strerror}. Give another with --port."
        ) from None
    with server:
        click.echo("The stand-in for the open platform is up (Ctrl-C ends it). In another shell:")
        for name, value in {"BOUNTY_PLATFORM_URL": server.url, **STAND_IN}.items():
            click.echo(f"  export {name}={value}")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo()
