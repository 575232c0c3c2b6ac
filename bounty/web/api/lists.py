"""Lists: a table of the pages as JSON, filtered and sorted by what it has, a hundred rows at a time."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from flask import request
from pydantic import BaseModel, ConfigDict, Field, create_model

from bounty.clock import shown
from bounty.db import Query
from bounty.json_types import Json
from bounty.web.api import models
from bounty.web.api.operation import operation
from bounty.web.shared.request_context import now, reading
from bounty.web.shared.tables import Column, Kind, Table, Totals, page_of

ROWS = 100
"""Rows of one answer, unless fewer are requested."""
Rows = Callable[..., Query]
"""The rows that the bearer may see, with the table's columns as labels; given the connection and the address's
arguments."""
_TYPES: dict[Kind, Any] = {
    "text": str | None,
    "money": Annotated[int | None, Field(description="Whole fen.")],
    "count": int | None,
    "instant": models.Instant | None,
    "permille": int | None,
    "flag": bool | None,
    "ineligible": str | None,
    "id": int | None,
}


def listing(rule: str, *roles: str, table: Table, without: tuple[str, ...] = ()) -> Callable[[Rows], Rows]:
    """Serve a table under an address: ``{"as_of": ..., NAME: [row, ...], "next": ...}``.

    table    its name is that of the rows; its filters are those that do not depend on what is in the books
    without  columns that are for people's eyes only
    """
    columns = [column for column in table.columns if column.name not in without]
    served = replace(table, search=None)

    def add(rows: Rows) -> Rows:
        @wraps(rows)
        def view(query: BaseModel, **arguments: Any) -> dict[str, Any]:
            with reading() as connection:
                found = rows(connection, **arguments)
                requested = query.model_dump(exclude_none=True)
                few = {name: value for name, value in requested.items() if name == "limit"}
                page = page_of(
                    connection,
                    replace(served, page=few.get("limit", ROWS)),
                    found,
                    requested,
                    known=lambda filters: Totals(0, {}),  # no answer says how many there are
                )
            return {
                "as_of": shown(now()),
                table.name: [
                    {column.name: cell(column.kind, row._mapping[column.name]) for column in columns}
                    for row in page.rows
                ],
                "next": None if page.next is None else f"{request.path}?{urlencode(page.next | few)}",
            }

        title = "".join(part.capitalize() for part in rows.__name__.split("_"))
        operation(rule, *roles, query=_query(title, served), answer=_answer(title, table.name, columns))(view)
        return rows

    return add


def cell(kind: Kind, value: Any) -> Json:
    """A value as JSON has it."""
    if value is None:
        return None
    if kind == "instant":
        return shown(value)
    if kind == "flag":
        return bool(value)
    return value.isoformat() if isinstance(value, dt.date) else value


def _answer(title: str, name: str, columns: list[Column]) -> type[BaseModel]:
    """What the answer looks like."""
    fields: dict[str, Any] = {column.name: (_TYPES[column.kind], ...) for column in columns}
    row = create_model(f"{title}Row", **fields)
    described = "The address of the rows that follow; null where there are none."
    parts: dict[str, Any] = {
        "as_of": (models.Instant, ...),
        name: (list[row], ...),
        "next": (Annotated[str | None, Field(description=described)], ...),
    }
    return create_model(title, **parts)


def _query(title: str, table: Table) -> type[BaseModel]:
    """What may stand behind the ``?``."""
    sorts = {table.order: None} | {
        each: None for column in table.columns if column.sortable for each in (column.name, f"-{column.name}")
    }
    fields: dict[str, Any] = {
        choice.name: (Literal[tuple(option.value for option in choice.options)] | None, None)
        for choice in table.filters
    }
    fields["sort"] = (Literal[tuple(sorts)] | None, None)
    described = f"At most so many rows, up to {ROWS}."
    fields["limit"] = (Annotated[int | None, Field(ge=1, le=ROWS, description=described)], None)
    described = "Where the rows before ended: as `next` has it."
    fields["after"] = (Annotated[str | None, Field(description=described)], None)
    return create_model(f"{title}Query", __config__=ConfigDict(extra="forbid"), **fields)
