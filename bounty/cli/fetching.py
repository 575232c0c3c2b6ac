"""Orders from the open platform, and the stand-in for it."""

from datetime import timedelta
from typing import Final

import click
from sqlalchemy import select

from bounty.cli.books import open_books
from bounty.clock import midnight, shanghai_date
from bounty.db import snapshot
from bounty.errors import BountyError
from bounty.models import Promoter

STAND_IN: Final = {"BOUNTY_PLATFORM_CLIENT_ID": "stand-in", "BOUNTY_PLATFORM_CLIENT_SECRET": "stand-in-only"}
"""Whom the stand-in knows."""


@click.command("stand-in")
@click.option("--port", type=click.IntRange(1, 65535), default=5099, show_default=True)
@click.option(
    "--orders", type=click.IntRange(1, 1_000_000), default=5000, show_default=True, help="In two months."
)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option(
    "--faults", type=click.IntRange(0, 900), default=30, show_default=True, help="Of a thousand calls."
)
def stand_in(port: int, orders: int, seed: int, faults: int) -> None:
    """Serve made-up orders of this month and the next, as the open platform would; on this machine only."""
    from bounty.standin.faults import Faults  # noqa: PLC0415 - no other command needs a server
    from bounty.standin.gateway import Gateway  # noqa: PLC0415
    from bounty.standin.market import Market  # noqa: PLC0415
    from bounty.standin.server import StandIn  # noqa: PLC0415

    books = open_books()
    with snapshot(books.engine) as connection:
        promoters = (
            connection.execute(select(Promoter.promoter_id).order_by(Promoter.promoter_id)).scalars().all()
        )
    if not promoters:
        raise BountyError("Nobody could sell anything: import promoters first, or run `bounty demo`.")
    first = shanghai_date(books.now()).replace(day=1)
    until = (first + timedelta(days=70)).replace(day=1)
    market = Market(seed, promoters, midnight(first), midnight(until), orders)
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
