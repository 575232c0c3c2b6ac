"""Tables: filter, sort by a fixed set, pages by key, sums that equal what is shown, and a CSV of exactly that.

    rows (a SELECT) --filters--> what is shown --sort, key--> a page of it
                                      └─ counted and summed as a whole; written as CSV

A page begins behind the last row of the one before, so that it costs the same wherever it is, and no row is skipped or
shown twice when others come meanwhile.
"""

import base64
import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    RowMapping,
    and_,
    func,
    literal,
    or_,
    select,
)
from werkzeug.datastructures import MultiDict

from bounty.clock import shown
from bounty.db import Query, WholeNumber
from bounty.errors import BountyError
from bounty.money import shown_yuan
from bounty.rules.sql_math import count_where, sum_or_zero
from bounty.settlement.files import inert
from bounty.web.shared.url_converters import GREATEST, unfit

PAGE = 50
"""Rows of a page."""

Kind = Literal["text", "money", "count", "instant", "permille", "flag", "id"]


class BadRequestedTable(BountyError):
    """A filter, sort or page that a table does not have: the address was made up, or is of another version."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of what a table's SELECT returns, as it is shown and filed."""

    name: str
    """The label in the SELECT; also what ``?sort=`` says."""
    zh: str
    en: str
    kind: Kind = "text"
    """money is whole fen, instant epoch seconds, permille whole."""
    sortable: bool = False
    summed: bool = False
    """Whether the footer has its sum."""
    filed: str | None = None
    """Its header in the CSV: the name, and for money the name with ``_yuan`` for ``_fen``, unless said otherwise."""
    shown: bool = True
    """False for what only the CSV carries, or a template shows elsewhere."""

    @property
    def header(self) -> str:
        """Its header in the CSV."""
        return self.filed or self.name.replace("_fen", "_yuan")


Condition = Callable[[FromClause], ColumnElement[bool]]
"""Which of a table's rows a choice leaves."""


def equal(name: str, value: Any) -> Condition:
    """Rows with just this value in a column."""
    return lambda rows: rows.c[name] == value


def begins(name: str, words: str) -> Condition:
    """Rows whose text in a column begins so."""
    return lambda rows: rows.c[name].startswith(words, autoescape=True)


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a filter."""

    value: str
    zh: str
    en: str
    condition: Condition


@dataclass(frozen=True, slots=True)
class Filter:
    """A set of choices, of which one may be taken: ``?name=value``."""

    name: str
    zh: str
    en: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Search:
    """A field to type in: ``?q=``."""

    zh: str
    en: str
    condition: Callable[[FromClause, str], ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class Table:
    """What can be asked of one SELECT."""

    name: str
    """Of the CSV file, without its ending."""
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    """Labels that together name a row; the last word in every order. Never null."""
    order: str
    """The column it is sorted by unless asked otherwise; ``-`` before it for falling."""
    filters: tuple[Filter, ...] = ()
    search: Search | None = None
    page: int = PAGE


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a table, and what a template needs around them."""

    table: Table
    rows: list[Any]
    sums: dict[str, int]
    """Of the rows on this page; summed column -> sum."""
    total_rows: int
    """Of all rows that the filters leave, on however many pages."""
    total_sums: dict[str, int]
    number: int
    """1 for the first page."""
    pages: int
    sort: str
    """As ``?sort=`` has it."""
    asked: dict[str, str]
    """The filters, the search and the sort as they were taken: the arguments of a link back to just this."""
    next: dict[str, str] | None
    """The arguments of a link to the next page; null on the last."""
    first: dict[str, str]
    """The arguments of a link to the first page."""
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    """Filter -> value -> rows, with ``""`` for all, where asked for; by the other filters and the search."""

    def sorted_by(self, name: str) -> dict[str, str]:
        """The arguments of a link that sorts by a column, the other way round if it already is."""
        sort = f"-{name}" if self.sort == name else name
        return {**self.asked, "sort": sort}

    def filtered_by(self, name: str, value: str) -> dict[str, str]:
        """The arguments of a link that takes a choice; a blank value takes none."""
        rest = {key: held for key, held in self.asked.items() if key != name}
        return {**rest, name: value} if value else rest


@dataclass(frozen=True, slots=True)
class _Asked:
    conditions: dict[str, ColumnElement[bool]]
    taken: dict[str, str]
    column: str
    falling: bool


def page_of(
    connection: Connection,
    table: Table,
    rows: Query,
    args: MultiDict[str, str] | Mapping[str, str],
    *,
    counted: bool = False,
) -> Page:
    """The page that a request asks for.

    rows     every row that the person may see, with the table's columns as labels
    args     the request's: filters, ``q``, ``sort`` and ``after``
    counted  whether to count the rows behind each choice of each filter, a query a filter

    Raises BadRequestedTable for a filter, sort or page that the table does not have.
    """
    every = rows.subquery("every")
    asked = _asked(table, every, args)
    left = and_(*asked.conditions.values()) if asked.conditions else literal(1) == 1
    summed = [column.name for column in table.columns if column.summed]
    totals = connection.execute(
        select(func.count().label("rows"), *(sum_or_zero(every.c[name]).label(name) for name in summed))
        .select_from(every)
        .where(left)
    ).one()
    order, number, behind = _order(table, every, asked), 1, None
    if args.get("after"):
        number, values = _unfold(args["after"], order)
        behind = _behind(order, values, falling=asked.falling)
    query = (
        select(every)
        .where(left)
        .order_by(*(_sorted(column, asked.falling) for column in order))
        .limit(table.page + 1)
    )
    found = list(connection.execute(query if behind is None else query.where(behind)))
    shown_rows, more = found[: table.page], len(found) > table.page
    following = None
    if more:
        last = shown_rows[-1]._mapping
        at = [_placed(table, asked, last), *(last[name] for name in table.key if name != asked.column)]
        following = {**asked.taken, "after": _fold(number + 1, at)}
    return Page(
        table=table,
        rows=shown_rows,
        sums={name: sum(row._mapping[name] or 0 for row in shown_rows) for name in summed},
        total_rows=totals.rows,
        total_sums={name: totals._mapping[name] or 0 for name in summed},
        number=number,
        pages=max(1, -(-totals.rows // table.page)),
        sort=f"-{asked.column}" if asked.falling else asked.column,
        asked=asked.taken,
        next=following,
        first=asked.taken,
        counts=_counts(connection, table, every, asked) if counted else {},
    )


def narrowed(table: Table, rows: Query, args: MultiDict[str, str] | Mapping[str, str]) -> Query:
    """The rows that the filters and the search leave, in no order.

    Raises BadRequestedTable for a filter or sort that the table does not have.
    """
    every = rows.subquery("every")
    return select(every).where(*_asked(table, every, args).conditions.values())


def check(table: Table, rows: Query, args: Mapping[str, str]) -> None:
    """Raises BadRequestedTable for a filter or sort that the table does not have."""
    _asked(table, rows.subquery("every"), args)


def csv_of(
    connection: Connection, table: Table, rows: Query, args: MultiDict[str, str] | Mapping[str, str]
) -> Iterator[bytes]:
    """Exactly the rows that the filters leave, in the order asked for, as UTF-8 with BOM and CRLF, piece by piece."""
    every = rows.subquery("every")
    asked = _asked(table, every, args)
    order = [_sorted(column, asked.falling) for column in _order(table, every, asked)]
    query = (
        select(*(every.c[column.name] for column in table.columns))
        .where(*asked.conditions.values())
        .order_by(*order)
    )
    kinds = [column.kind for column in table.columns]
    yield b"\xef\xbb\xbf" + _line([column.header for column in table.columns])
    for part in connection.execute(query, execution_options={"yield_per": 1000}).partitions():
        yield b"".join(
            _line([filed(kind, cell) for kind, cell in zip(kinds, row, strict=True)]) for row in part
        )


def filed(kind: Kind, cell: Any) -> str:
    """A cell as a file has it; nothing in it can become a formula."""
    if cell is None:
        return ""
    if kind == "money":
        return shown_yuan(cell)
    if kind == "instant":
        return shown(cell)
    if kind == "flag":
        return "yes" if cell else "no"
    return str(cell) if isinstance(cell, int) else inert(str(cell))


def _line(cells: list[str]) -> bytes:
    written = StringIO()
    csv.writer(written, lineterminator="\r\n").writerow(cells)
    return written.getvalue().encode()


def _asked(table: Table, every: FromClause, args: Mapping[str, str]) -> _Asked:
    conditions: dict[str, ColumnElement[bool]] = {}
    taken: dict[str, str] = {}
    for choice in table.filters:
        value = args.get(choice.name, "")
        if not value:
            continue
        option = next((each for each in choice.options if each.value == value), None)
        if option is None:
            raise BadRequestedTable(
                f"There is no {choice.en} {value!r} to filter by.",
                f"没有「{value}」这个{choice.zh}可供筛选。",
            )
        conditions[choice.name] = option.condition(every)
        taken[choice.name] = value
    words = args.get("q", "").strip()
    if table.search is not None and words:
        conditions["q"] = table.search.condition(every, words[:100])
        taken["q"] = words[:100]
    sort = args.get("sort") or table.order
    column = sort.removeprefix("-")
    if sort != table.order:
        if column not in {each.name for each in table.columns if each.sortable}:
            raise BadRequestedTable(f"The table can't be sorted by {column!r}.", f"不能按「{column}」排序。")
        taken["sort"] = sort
    return _Asked(conditions, taken, column, sort.startswith("-"))


def _order(table: Table, every: FromClause, asked: _Asked) -> list[ColumnElement[Any]]:
    # Nothing sorts before everything, alike on both databases.
    placed = func.coalesce(every.c[asked.column], _nothing(table, asked))
    return [placed, *(every.c[name] for name in table.key if name != asked.column)]


def _placed(table: Table, asked: _Asked, row: RowMapping) -> Any:
    value = row[asked.column]
    return _nothing(table, asked) if value is None else value


def _nothing(table: Table, asked: _Asked) -> str | int:
    kind = next((each.kind for each in table.columns if each.name == asked.column), "text")
    return "" if kind == "text" else -(2**62)


def _sorted(column: ColumnElement[Any], falling: bool) -> ColumnElement[Any]:
    return column.desc() if falling else column.asc()


def _behind(order: list[ColumnElement[Any]], values: list[Any], *, falling: bool) -> ColumnElement[bool]:
    """Rows behind the one with these values: (a, b) > (x, y), written out, for null-safe use of either direction."""
    # A count is of 32 bits for SQLAlchemy, and what stands for nothing in it is not.
    held = [literal(value, WholeNumber) if isinstance(value, int) else value for value in values]
    either = []
    for place, (column, value) in enumerate(zip(order, held, strict=True)):
        same = [before == this for before, this in zip(order[:place], held[:place], strict=True)]
        either.append(and_(*same, column < value if falling else column > value))
    return or_(*either)


def _counts(
    connection: Connection, table: Table, every: FromClause, asked: _Asked
) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for choice in table.filters:
        others = [condition for name, condition in asked.conditions.items() if name != choice.name]
        # A condition that is null holds as little as one that is false.
        columns = [
            count_where(option.condition(every)).label(f"n{n}") for n, option in enumerate(choice.options)
        ]
        row = connection.execute(select(func.count(), *columns).select_from(every).where(*others)).one()
        found[choice.name] = {"": row[0]} | {
            option.value: row[place] for place, option in enumerate(choice.options, 1)
        }
    return found


def _fold(number: int, values: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps([number, *values], separators=(",", ":")).encode()).decode()


def _unfold(token: str, order: list[ColumnElement[Any]]) -> tuple[int, list[Any]]:
    """The page's number, and the values of the row before it.

    Raises BadRequestedTable for what no page of ours gave.
    """
    try:
        number, *values = json.loads(base64.urlsafe_b64decode(token.encode()))
        fits = [_held(value, column) for value, column in zip(values, order, strict=True)]
        if all(fits) and type(number) is int and 1 < number < 2**63:
            return number, values
    except (ValueError, TypeError, RecursionError):  # binascii's and Unicode's errors are ValueErrors
        pass
    raise BadRequestedTable(
        "This page's address is broken: begin again with the first page.",
        "分页地址不完整：请从第一页重新开始。",
    )


def _held(value: object, column: ColumnElement[Any]) -> bool:
    """Whether a column can hold a value."""
    try:
        kind = column.type.python_type
    except NotImplementedError:  # nothing says what it holds
        kind = type(value)
    if kind is str:
        return isinstance(value, str) and not unfit(value)
    return type(value) is int and -GREATEST <= value <= GREATEST  # true and false are no numbers here
