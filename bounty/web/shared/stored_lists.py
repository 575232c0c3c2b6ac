"""A page of a list that may be as long as the roster, by what is stored of it."""

from collections.abc import Callable, Mapping
from functools import partial

from sqlalchemy import Connection

from bounty.db import Query, keys_of, with_keys
from bounty.figures import ListFigure
from bounty.web.shared.tables import Page, Table, Totals, narrowed, page_of

MOST_FOUND = 1_000
"""Rows. A search that finds more of them is a condition on the whole list, as in ``page_of``."""


def page_of_list(
    connection: Connection,
    table: Table,
    rows: Query,
    args: Mapping[str, str],
    kept: Mapping[str, ListFigure] | None,
    *,
    counted: bool = False,
    of_some: Callable[[list[int]], Query] | None = None,
) -> Page:
    """What ``page_of`` gives. With at most one filter and in the list's own order it reads only the rows it shows.

    kept      the list as it is stored, by filter, if nothing has changed since; null where nothing is stored
    of_some   the rows with some keys, where a database reads more than these for a condition on ``rows``
    """
    key, shown_rows = table.key[0], of_some or partial(with_keys, rows, table.key[0])
    chosen = {name: args[name] for name in ("q", *(each.name for each in table.filters)) if args.get(name)}
    found = None if kept is None else kept.get("&".join(f"{name}={value}" for name, value in chosen.items()))
    if kept is not None and list(chosen) == ["q"]:
        # The names and ids of all rows are read once, and the other columns only of the rows that match.
        keys = keys_of(connection, narrowed(table, rows, args), key, MOST_FOUND + 1)
        if len(keys) <= MOST_FOUND:
            rows = shown_rows(keys)
    # What other filters would leave of a filtered list is not stored.
    if kept is None or found is None or (counted and chosen):
        return page_of(connection, table, rows, args, counted=counted)
    if args.get("sort", "") in ("", table.order) and not args.get("after"):
        rows = shown_rows(found.first)
    totals = Totals(found.rows, found.sums)
    counts = {
        choice.name: {"": found.rows}
        | {option.value: kept[f"{choice.name}={option.value}"].rows for option in choice.options}
        for choice in (table.filters if counted else ())
    }
    return page_of(connection, table, rows, args, known=lambda _filters: totals, known_counts=counts)
