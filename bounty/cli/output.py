"""What commands print: one JSON document with ``--json``, sentences without."""

import json
from collections.abc import Iterable, Mapping, Sequence

import click

from bounty.ingest.batches import Counts
from bounty.money import grouped_yuan
from bounty.rules.periods import Period

json_option = click.option("--json", "as_json", is_flag=True, help="As JSON.")
"""``--json``, as the command's parameter ``as_json``. docs/promises.md lists what each command prints then."""


def echo_json(value: Mapping[str, object] | Sequence[object]) -> None:
    """Print a value as one line of JSON."""
    click.echo(json.dumps(value, ensure_ascii=False))


def echo_json_list(rows: Iterable[Mapping[str, object]]) -> None:
    """Print a list as JSON, one element a line, without holding all of it."""
    click.echo("[", nl=False)
    for place, row in enumerate(rows):
        click.echo(("\n" if place == 0 else ",\n") + json.dumps(row, ensure_ascii=False), nl=False)
    click.echo("\n]")


def period_keys(period: Period) -> dict[str, str]:
    """The fields ``programme`` and ``period``."""
    return {"programme": period.programme, "period": period.name}


def counts_json(counts: Counts) -> dict[str, int]:
    """The six counts of a batch by name."""
    names = ("read", "new", "changed", "unchanged", "stale", "quarantined")
    return {name: getattr(counts, name) for name in names}


def several(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun, grouped.

    >>> several(1, "order"), several(2, "order"), several(1234, "entry", "entries")
    ('1 order', '2 orders', '1,234 entries')
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def signed_yuan(fen: int) -> str:
    """A difference in yuan, with its sign.

    >>> signed_yuan(123450), signed_yuan(-5)
    ('+¥1,234.50', '−¥0.05')
    """
    return f"{'+' if fen >= 0 else ''}{grouped_yuan(fen)}"
