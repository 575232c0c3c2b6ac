"""Tables on pages: filters, search, sorting, pages, sums, and a CSV file of the same rows.

    rows (a SELECT) --filters--> matching rows --sort, key--> one page
                                      └─ counted and summed as a whole; written as CSV

A page starts behind the last row of the previous page (keyset pagination). So every page costs the same, and no row is
skipped or repeated when rows are added between two requests.
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
    Integer,
    RowMapping,
    and_,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.types import NullType
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

Kind = Literal["text", "money", "count", "instant", "permille", "flag", "id", "ineligible"]


class BadRequestedTable(BountyError):
    """The request names a filter, sort or page that the table does not have."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table, on the page and in the CSV file."""

    name: str
    """The label in the SELECT, and the value of ``?sort=``."""
    zh: str
    en: str
    kind: Kind = "text"
    """The unit of the values: ``money`` is whole fen, ``instant`` epoch seconds, ``permille`` whole per mille."""
    sortable: bool = False
    summed: bool = False
    """Whether the table's footer shows the column's sum."""
    filed: str | None = None
    """The header in the CSV file. None for the name, with ``_yuan`` instead of ``_fen``."""
    shown: bool = True
    """False for a column that is only in the CSV file, or that the template shows in another way."""

    @property
    def header(self) -> str:
        """The header in the CSV file."""
        return self.filed or self.name.replace("_fen", "_yuan")


Condition = Callable[[FromClause], ColumnElement[bool]]
"""Builds the condition that rows of a table must match."""


def equal(name: str, value: object) -> Condition:
    """Rows with this value in a column."""
    return lambda rows: rows.c[name] == value


def begins(name: str, prefix: str) -> Condition:
    """Rows whose text in a column begins with a prefix."""
    return lambda rows: rows.c[name].startswith(prefix, autoescape=True)


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a filter."""

    value: str
    zh: str
    en: str
    condition: Condition


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter with options, of which at most one is chosen: ``?name=value``."""

    name: str
    zh: str
    en: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Search:
    """A search field: ``?q=``."""

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
    """Labels that together identify a row, never null. Every sort order ends with them."""
    order: str
    """The default sort: a column's name, with ``-`` in front for descending."""
    filters: tuple[Filter, ...] = ()
    search: Search | None = None
    page: int = PAGE
    labelled: bool = False
    """Whether the CSV file, which no program reads, has headers and values in the reader's language."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a table with the data that its template needs."""

    table: Table
    rows: list[Any]
    sums: dict[str, int]
    """Summed column -> sum of the rows on this page."""
    total_rows: int
    """Number of all rows that match the filters."""
    total_sums: dict[str, int]
    """Summed column -> sum of all rows that match the filters."""
    number: int
    """The page's number, from 1."""
    pages: int
    """Number of pages."""
    sort: str
    """The sort, in the form of ``?sort=``."""
    asked: dict[str, str]
    """The valid filters, search and sort of the request: the arguments of a link to the same view."""
    next: dict[str, str] | None
    """The arguments of a link to the next page; None on the last page."""
    first: dict[str, str]
    """The arguments of a link to the first page."""
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    """Filter -> option (``""`` for all) -> number of rows that match it, the other filters and the search; empty unless
    requested."""

    def sorted_by(self, name: str) -> dict[str, str]:
        """The arguments of a link that sorts by a column, or reverses the sort if it is the present one."""
        sort = f"-{name}" if self.sort == name else name
        return {**self.asked, "sort": sort}

    def filtered_by(self, name: str, value: str) -> dict[str, str]:
        """The arguments of a link that chooses a filter's option; a blank value removes the filter."""
        rest = {key: argument for key, argument in self.asked.items() if key != name}
        return {**rest, name: value} if value else rest


@dataclass(frozen=True, slots=True)
class _Arguments:
    """The parsed arguments of a request."""

    conditions: dict[str, ColumnElement[bool]]
    """Filter name, or ``q`` -> condition."""
    valid: dict[str, str]
    """The valid arguments, for links."""
    column: str
    """The column to sort by."""
    descending: bool


def page_of(
    connection: Connection,
    table: Table,
    rows: Query,
    args: MultiDict[str, str] | Mapping[str, str],
    *,
    counted: bool = False,
) -> Page:
    """The page for a request's arguments.

    rows     all rows that the person may see, with the table's columns as labels
    args     the request's arguments: filters, ``q``, ``sort`` and ``after``
    counted  whether to count the rows of each filter option, with one query for each filter

    Raises BadRequestedTable for a filter, sort or page that the table does not have.
    """
    every = rows.subquery("every")
    arguments = _arguments(table, every, args)
    matching = and_(*arguments.conditions.values()) if arguments.conditions else literal(1) == 1
    summed = [column.name for column in table.columns if column.summed]
    totals = connection.execute(
        select(func.count().label("rows"), *(sum_or_zero(every.c[name]).label(name) for name in summed))
        .select_from(every)
        .where(matching)
    ).one()
    order, number, behind = _order(table, every, arguments), 1, None
    if args.get("after"):
        number, values = _decode_token(args["after"], order)
        behind = _behind(order, values, descending=arguments.descending)
    query = (
        select(every)
        .where(matching)
        .order_by(*(_sorted(column, arguments.descending) for column in order))
        .limit(table.page + 1)
    )
    found = list(connection.execute(query if behind is None else query.where(behind)))
    shown_rows, has_more = found[: table.page], len(found) > table.page
    next_page = None
    if has_more:
        last = shown_rows[-1]._mapping
        key = [
            _sort_value(table, arguments, last),
            *(last[name] for name in table.key if name != arguments.column),
        ]
        next_page = {**arguments.valid, "after": _encode_token(number + 1, key)}
    return Page(
        table=table,
        rows=shown_rows,
        sums={name: sum(row._mapping[name] or 0 for row in shown_rows) for name in summed},
        total_rows=totals.rows,
        total_sums={name: totals._mapping[name] or 0 for name in summed},
        number=number,
        pages=max(1, -(-totals.rows // table.page)),
        sort=f"-{arguments.column}" if arguments.descending else arguments.column,
        asked=arguments.valid,
        next=next_page,
        first=arguments.valid,
        counts=_counts(connection, table, every, arguments) if counted else {},
    )


def narrowed(table: Table, rows: Query, args: MultiDict[str, str] | Mapping[str, str]) -> Query:
    """The rows that match the filters and the search, unordered.

    Raises BadRequestedTable for a filter or sort that the table does not have.
    """
    every = rows.subquery("every")
    return select(every).where(*_arguments(table, every, args).conditions.values())


def check(table: Table, rows: Query, args: Mapping[str, str]) -> None:
    """Raise BadRequestedTable for a filter or sort that the table does not have."""
    _arguments(table, rows.subquery("every"), args)


AddedColumn = tuple[Column, Callable[[Any], Any]]
"""A column, and its cell for a row of the whole query."""


def csv_of(
    connection: Connection,
    table: Table,
    rows: Query,
    args: MultiDict[str, str] | Mapping[str, str],
    *,
    chinese: bool = True,
    added: AddedColumn | None = None,
) -> Iterator[bytes]:
    """The rows that match the filters, in the requested order, as a CSV file in pieces: UTF-8 with BOM, CRLF.

    chinese  the reader's language, for a labelled table
    added    a last column that Python works out
    """
    every = rows.subquery("every")
    arguments = _arguments(table, every, args)
    names = {column.name for column in table.columns}
    others = () if added is None else [each for each in every.c if each.name not in names]
    order = [_sorted(column, arguments.descending) for column in _order(table, every, arguments)]
    query = (
        select(*(every.c[column.name] for column in table.columns), *others)
        .where(*arguments.conditions.values())
        .order_by(*order)
    )
    columns = [(column.kind, _labels(table, column, chinese=chinese)) for column in table.columns]
    headed = table.columns if added is None else (*table.columns, added[0])
    yield b"\xef\xbb\xbf" + _line([header_of(table, column, chinese=chinese) for column in headed])
    for part in connection.execute(query, execution_options={"yield_per": 1000}).partitions():
        yield b"".join(
            _line(
                [
                    labels.get(cell) or filed(kind, cell)
                    for (kind, labels), cell in zip(columns, row[: len(columns)], strict=True)
                ]
                + ([] if added is None else [filed(added[0].kind, added[1](row))])
            )
            for row in part
        )


def header_of(table: Table, column: Column, *, chinese: bool) -> str:
    """A column's header in the CSV file."""
    if not table.labelled:
        return column.header
    unit = ("（元）" if chinese else " (yuan)") if column.kind == "money" else ""
    return f"{column.zh if chinese else column.en[:1].upper() + column.en[1:]}{unit}"


def _labels(table: Table, column: Column, *, chinese: bool) -> dict[Any, str]:
    """Value -> its name in the CSV file, for what the table's filters name, and for yes and no."""
    if not table.labelled:
        return {}
    if column.kind == "flag":
        return {True: "是" if chinese else "yes", False: "否" if chinese else "no"}
    options = next((each.options for each in table.filters if each.name == column.name), ())
    return {option.value: option.zh if chinese else option.en for option in options}


def filed(kind: Kind, cell: Any) -> str:
    """A cell's text in a CSV file. A spreadsheet never reads it as a formula."""
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
    text = StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().encode()


def _arguments(table: Table, every: FromClause, args: Mapping[str, str]) -> _Arguments:
    """Parse a request's arguments. Raises BadRequestedTable for a filter or sort that the table does not have."""
    conditions: dict[str, ColumnElement[bool]] = {}
    valid: dict[str, str] = {}
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
        valid[choice.name] = value
    text = args.get("q", "").strip()[:100]
    if table.search is not None and text:
        conditions["q"] = table.search.condition(every, text)
        valid["q"] = text
    sort = args.get("sort") or table.order
    column = sort.removeprefix("-")
    if sort != table.order:
        if column not in {each.name for each in table.columns if each.sortable}:
            raise BadRequestedTable(f"The table can't be sorted by {column!r}.", f"不能按「{column}」排序。")
        valid["sort"] = sort
    return _Arguments(conditions, valid, column, sort.startswith("-"))


def _order(table: Table, every: FromClause, arguments: _Arguments) -> list[ColumnElement[Any]]:
    # Nulls sort before all values, on both databases.
    first = func.coalesce(every.c[arguments.column], _null_value(table, arguments))
    return [first, *(every.c[name] for name in table.key if name != arguments.column)]


def _sort_value(table: Table, arguments: _Arguments, row: RowMapping) -> Any:
    value = row[arguments.column]
    return _null_value(table, arguments) if value is None else value


def _null_value(table: Table, arguments: _Arguments) -> str | int:
    """The value that represents null in the sort order; smaller than every other value."""
    kind = next((each.kind for each in table.columns if each.name == arguments.column), "text")
    return "" if kind == "text" else -(2**62)


def _sorted(column: ColumnElement[Any], descending: bool) -> ColumnElement[Any]:
    return column.desc() if descending else column.asc()


def _behind(order: list[ColumnElement[Any]], values: list[Any], *, descending: bool) -> ColumnElement[bool]:
    """Rows behind the row with these values: (a, b) > (x, y) as ORs of ANDs, or < for a descending order."""
    # SQLAlchemy gives counts a 32-bit type, which cannot bind the value that represents null.
    bound = [literal(value, WholeNumber) if isinstance(value, int) else value for value in values]
    alternatives = []
    for index, (column, value) in enumerate(zip(order, bound, strict=True)):
        equal_prefix = [left == right for left, right in zip(order[:index], bound[:index], strict=True)]
        alternatives.append(and_(*equal_prefix, column < value if descending else column > value))
    return or_(*alternatives)


def _counts(
    connection: Connection, table: Table, every: FromClause, arguments: _Arguments
) -> dict[str, dict[str, int]]:
    """Filter -> option (``""`` for all) -> number of rows; one query for each filter."""
    found: dict[str, dict[str, int]] = {}
    for choice in table.filters:
        others = [condition for name, condition in arguments.conditions.items() if name != choice.name]
        # count_where counts neither rows whose condition is false nor those whose condition is null.
        columns = [
            count_where(option.condition(every)).label(f"n{n}") for n, option in enumerate(choice.options)
        ]
        row = connection.execute(select(func.count(), *columns).select_from(every).where(*others)).one()
        found[choice.name] = {"": row[0]} | {
            option.value: row[place] for place, option in enumerate(choice.options, 1)
        }
    return found


def _encode_token(number: int, values: list[Any]) -> str:
    """The ``after`` argument: a page's number and the sort values of the row before it."""
    return base64.urlsafe_b64encode(json.dumps([number, *values], separators=(",", ":")).encode()).decode()


def _decode_token(token: str, order: list[ColumnElement[Any]]) -> tuple[int, list[Any]]:
    """Parse an ``after`` argument: the page's number, and the sort values of the row before it.

    Raises BadRequestedTable for a token that no page contains.
    """
    try:
        number, *values = json.loads(base64.urlsafe_b64decode(token.encode()))
        fits = [_fits(value, column) for value, column in zip(values, order, strict=True)]
        if all(fits) and type(number) is int and 1 < number < 2**63:
            return number, values
    except (ValueError, TypeError, RecursionError):  # errors of base64 and UTF-8 are ValueErrors
        pass
    raise BadRequestedTable(
        "This page's address is broken: begin again with the first page.",
        "分页地址不完整：请从第一页重新开始。",
    )


def _fits(value: object, column: ColumnElement[Any]) -> bool:
    """Whether both databases can compare a value with a column: a 64-bit integer with integers, a text with texts."""
    if type(value) is int:  # without bool, which is a subclass of int
        return isinstance(column.type, Integer | NullType) and -GREATEST <= value <= GREATEST
    return isinstance(value, str) and not isinstance(column.type, Integer) and not unfit(value)
