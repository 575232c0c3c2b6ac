"""Commands for webhook endpoints."""

import click

from bounty.cli.context import number_of, open_books
from bounty.cli.output import echo_json, json_option
from bounty.clock import shown
from bounty.db import snapshot, transaction
from bounty.models import ENDPOINT_KINDS
from bounty.notifications import endpoints
from bounty.notifications.service import send_endpoint_test
from bounty.roster.programmes import require_programme


@click.group()
def webhook() -> None:
    """Add, change, list, test and disable endpoints that are told of events."""


_EVENT = click.option(
    "--event", "events", multiple=True, help="A kind of event to tell; all if none is given."
)
_PROGRAMME = click.option("--of", "programme", help="Tell only events of this programme, and those of none.")
_SECRET = click.option("--secret", default="", help="A robot's secret, as the chat gave it.")


def _number(text: str) -> int:
    return number_of(text, "an endpoint's number", "bounty webhook list")


@webhook.command("add")
@click.option("--kind", required=True, type=click.Choice(ENDPOINT_KINDS), help="A program, or whose robot.")
@click.option("--name", required=True, help="What people call it.")
@click.option("--url", required=True, help="Its https address.")
@_SECRET
@_EVENT
@_PROGRAMME
@json_option
def webhook_add(
    kind: str,
    name: str,
    url: str,
    secret: str,
    events: tuple[str, ...],
    programme: str | None,
    *,
    as_json: bool,
) -> None:
    """Add an endpoint. Prints the secret that was made for a webhook, which is not shown again."""
    books = open_books()
    with transaction(books.engine) as connection:
        if programme is not None:
            require_programme(connection, programme)
        number, made = endpoints.add_endpoint(
            connection,
            endpoints.EndpointCipher(books.totp_key()),
            endpoints.WantedEndpoint(name, events, programme),
            kind=kind,
            url=url,
            secret=secret,
            now=books.now(),
        )
    _print_endpoint(number, made, as_json=as_json)


@webhook.command("change")
@click.argument("number")
@click.option("--name", help="Another name.")
@_EVENT
@_PROGRAMME
@json_option
def webhook_change(
    number: str, name: str | None, events: tuple[str, ...], programme: str | None, *, as_json: bool
) -> None:
    """Change the name of an endpoint, and choose again which events are sent to it."""
    books, endpoint_id = open_books(), _number(number)
    with transaction(books.engine) as connection:
        if programme is not None:
            require_programme(connection, programme)
        held = endpoints.endpoint_of(connection, endpoint_id)
        called = name if name is not None or held is None else held.name
        wanted = endpoints.WantedEndpoint(called or "", events, programme)
        changed = endpoints.change_endpoint(connection, endpoint_id, wanted, books.now())
    if as_json:
        echo_json({"endpoint_id": endpoint_id, "changed": changed})
        return
    click.echo(f"endpoint {endpoint_id} {'changed' if changed else 'is so already'}")


@webhook.command("rotate")
@click.argument("number")
@_SECRET
@json_option
def webhook_rotate(number: str, secret: str, *, as_json: bool) -> None:
    """Replace the secret of an endpoint. For a day deliveries of a webhook are signed with both."""
    books, endpoint_id = open_books(), _number(number)
    with transaction(books.engine) as connection:
        cipher = endpoints.EndpointCipher(books.totp_key())
        made = endpoints.rotate_secret(connection, cipher, endpoint_id, books.now(), secret)
    _print_endpoint(endpoint_id, made, as_json=as_json)


def _print_endpoint(number: int, made: str | None, *, as_json: bool) -> None:
    if as_json:
        echo_json({"endpoint_id": number, "secret": made})
        return
    if made is not None:
        click.echo(made)
    click.echo(
        f"endpoint {number}{'' if made is None else ': keep its secret, it is not shown again'}", err=True
    )


@webhook.command("list")
@json_option
def webhook_list(*, as_json: bool) -> None:
    """List the endpoints with their state."""
    with snapshot(open_books().engine) as connection:
        rows = endpoints.endpoints(connection)
    if as_json:
        echo_json([_as_json(row) for row in rows])
        return
    for row in rows:
        state = "on" if row.disabled_at is None else f"disabled {shown(row.disabled_at)} ({row.disabled_why})"
        failing = "" if row.failing_since is None else f", failing since {shown(row.failing_since)}"
        events = row.events or "all events"
        click.echo(f"{row.endpoint_id} {row.kind} {row.name}, {row.shown_url}, {events}, {state}{failing}")


def _as_json(row: endpoints.EndpointRow) -> dict[str, object]:
    names = ("endpoint_id", "kind", "name", "shown_url", "programme", "disabled_why")
    times = ("made_at", "rotated_at", "failing_since", "disabled_at")
    return (
        {name: getattr(row, name) for name in names}
        | {"events": endpoints.events_of(row)}
        | {name: None if (at := getattr(row, name)) is None else shown(at) for name in times}
    )


@webhook.command("enable")
@click.argument("number")
@json_option
def webhook_enable(number: str, *, as_json: bool) -> None:
    """Send to an endpoint again."""
    books, endpoint_id = open_books(), _number(number)
    with transaction(books.engine) as connection:
        changed = endpoints.enable_endpoint(connection, endpoint_id, books.now())
    _print_switched(endpoint_id, "on", changed=changed, as_json=as_json)


@webhook.command("disable")
@click.argument("number")
@json_option
def webhook_disable(number: str, *, as_json: bool) -> None:
    """Send nothing to an endpoint any more."""
    books, endpoint_id = open_books(), _number(number)
    with transaction(books.engine) as connection:
        changed = endpoints.disable_endpoint(connection, endpoint_id, books.now())
    _print_switched(endpoint_id, "disabled", changed=changed, as_json=as_json)


def _print_switched(endpoint_id: int, state: str, *, changed: bool, as_json: bool) -> None:
    if as_json:
        echo_json({"endpoint_id": endpoint_id, "state": state, "changed": changed})
        return
    click.echo(f"endpoint {endpoint_id} is {state}{'' if changed else ' already'}")


@webhook.command("test")
@click.argument("number")
@json_option
def webhook_test(number: str, *, as_json: bool) -> None:
    """Let the worker send a test event to an endpoint."""
    books, endpoint_id = open_books(), _number(number)
    with transaction(books.engine) as connection:
        message = send_endpoint_test(connection, endpoint_id, books.now())
    if as_json:
        echo_json({"endpoint_id": endpoint_id, "message": message})
        return
    click.echo(f"{message} will be sent to endpoint {endpoint_id}")
