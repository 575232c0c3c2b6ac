"""Tables on pages: filters, search, sorting, pages, sums, and a CSV file of the same rows.

    rows (a SELECT) --filters--> matching rows --sort, key--> one page
                                      └─ counted and summed as a whole; written as CSV

A page starts behind the last row of the previous page (keyset pagination). So every page costs the same, and no row is
skipped or repeated when rows are added between two requests.

Where the rows are more than a page may add up (``scanned_page``):

    keys, in the order of an index --some behind the last page--> rows of just these --filters--> one page

Without a filter or search such a page reads as many rows as it shows. With one it looks at SCANNED rows, shows those
that match, and the next page goes on where it has stopped looking.
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from io import StringIO
from typing import Any, Literal

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    FromClause,
    RowMapping,
    and_,
    bindparam,
    case,
    func,
    literal,
    select,
    true,
)
from werkzeug.datastructures import MultiDict

from bounty.clock import shown
from bounty.db import Query, QueryRow, Words, written
from bounty.errors import BountyError
from bounty.money import shown_yuan
from bounty.rules.sql_math import count_where, sum_or_zero
from bounty.settlement.files import inert
from bounty.web.shared.page_tokens import SortColumn, SortValue, decode_token, encode_token, rows_behind
from bounty.web.shared.table_filters import Filter, Search

PAGE = 50
"""Rows of a page."""
SCANNED = 120
"""Rows that a scanned page with a filter or search looks at."""
NUMBERS: BindParameter[str] = bindparam("numbers", expanding=True, type_=Words())
"""The order numbers of the rows that a scanned page reads."""

Kind = Literal["text", "money", "count", "instant", "permille", "flag", "id", "ineligible"]


class BadRequestedTable(BountyError):
    """The request names a filter or sort that the table does not have."""


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


@dataclass(frozen=True, slots=True)
class Table:
    """The columns, filters, search and sort orders of one SELECT."""

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

    def sorts(self, sort: str) -> bool:
        """Whether rows can be sorted so, as ``?sort=`` has it."""
        sortable = {column.name for column in self.columns if column.sortable}
        return sort == self.order or sort.removeprefix("-") in sortable


@dataclass(frozen=True, slots=True)
class Totals:
    """How many rows match, and what they sum to."""

    rows: int
    sums: dict[str, int]
    """Summed column -> sum."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a table with the data that its template needs."""

    table: Table
    rows: list[QueryRow]
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
    arguments: dict[str, str]
    """The valid filters, search and sort of the request: the arguments of a link to the same view."""
    next: dict[str, str] | None
    """The arguments of a link to the next page; None on the last page."""
    first: dict[str, str]
    """The arguments of a link to the first page."""
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    """Filter -> option (``""`` for all) -> number of rows that match it, the other filters and the search; empty unless
    requested."""
    added_up: bool = True
    """False where nobody has added up the rows that match: ``total_rows``, ``total_sums`` and ``pages`` say nothing."""
    looked_at: int = 0
    """Rows that were looked at for those shown, where others wait for the next page to look at them."""

    def sorted_by(self, name: str) -> dict[str, str]:
        """The arguments of a link that sorts by a column, or reverses the sort if it is the present one."""
        sort = f"-{name}" if self.sort == name else name
        return {**self.arguments, "sort": sort}

    def filtered_by(self, name: str, value: str) -> dict[str, str]:
        """The arguments of a link that chooses a filter's option; a blank value removes the filter."""
        rest = {key: argument for key, argument in self.arguments.items() if key != name}
        return {**rest, name: value} if value else rest


@dataclass(frozen=True, slots=True)
class _RequestedTable:
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
    known: Callable[[Mapping[str, str]], Totals | None] = lambda filters: None,
    known_counts: dict[str, dict[str, int]] | None = None,
) -> Page:
    """The page for a request's arguments.

    rows     all rows that the person may see, with the table's columns as labels
    args     the request's arguments: filters, ``q``, ``sort`` and ``after``
    counted  whether to count the rows of each filter option
    known, known_counts   the totals for some filters and search (null where not), and the counts, where they are stored

    Raises BadRequestedTable for a filter or sort that the table does not have, BadPageToken for such a page.
    """
    every = rows.subquery("every")
    arguments = _requested(table, every, args)
    matching = and_(*arguments.conditions.values()) if arguments.conditions else literal(1) == 1
    summed = [column.name for column in table.columns if column.summed]
    filtered = {name: value for name, value in arguments.valid.items() if name != "sort"}
    counts = known_counts or {}
    if counted:
        totals, counts = _totals_and_counts(connection, table, every, arguments, summed)
    else:
        totals = known(filtered) or _totals(connection, every, matching, summed)
    order, number, behind = _sort_columns(table, every, arguments), 1, None
    if args.get("after"):
        number, values = decode_token(args["after"], order)
        behind = rows_behind(order, values, descending=arguments.descending)
    query = (
        select(every)
        .where(matching)
        .order_by(*(_directed(column, arguments.descending) for column in order))
        .limit(written(table.page + 1))
    )
    found = list(connection.execute(query if behind is None else query.where(behind)))
    next_page = None
    if len(found) > table.page:
        last = found[table.page - 1]._mapping
        others = (last[name] for name in table.key if name != arguments.column)
        key = [_sort_value(table, arguments, last), *others]
        next_page = {**arguments.valid, "after": encode_token(number + 1, key)}
    return _page(table, found[: table.page], arguments, number, totals, next=next_page, counts=counts)


def _page(
    table: Table, rows: list[QueryRow], arguments: _RequestedTable, number: int, totals: Totals, **more: Any
) -> Page:
    """The page with these rows.

    more   further fields of Page
    """
    summed = [column.name for column in table.columns if column.summed]
    return Page(
        table=table,
        rows=rows,
        sums={name: sum(row._mapping[name] or 0 for row in rows) for name in summed},
        total_rows=totals.rows,
        total_sums=totals.sums,
        number=number,
        pages=max(1, -(-totals.rows // table.page)),
        sort=f"-{arguments.column}" if arguments.descending else arguments.column,
        arguments=arguments.valid,
        first=arguments.valid,
        **more,
    )


@dataclass(frozen=True, slots=True)
class KnownTotals:
    """What is stored of the rows that match some filters."""

    totals: Totals | None = None
    """Null where it is not stored; a sum that is not stored is missing."""
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    """As ``Page.counts``, of the filters whose counts are stored."""


def scanned_page(
    connection: Connection,
    table: Table,
    keys: Query,
    rows: Query,
    args: MultiDict[str, str] | Mapping[str, str],
    known: Callable[[Mapping[str, str]], KnownTotals],
    *,
    sparse: bool = False,
) -> Page:
    """The page for a request's arguments.

    table    its key is what it can be sorted by, in the order of an index, and ends with order_sn
    keys     the key of every row
    rows     the rows of the order numbers NUMBERS, with the table's columns as labels
    known    what is stored of the rows that match some filters and search
    sparse   whether there are keys without a row

    Raises BadRequestedTable for a filter or sort that the table does not have, BadPageToken for such a page.
    """
    every, key = rows.subquery("every"), keys.subquery("keys")
    arguments = _requested(table, every, args)
    chosen = {name: value for name, value in arguments.valid.items() if name != "sort"}
    order, number = _sort_columns(table, key, arguments), 1
    scan = select(key)
    whole_number = key.c.order_sn == chosen.get("q")
    if "q" in chosen and connection.execute(scan.where(whole_number)).first() is not None:
        scan = scan.where(whole_number)
    if args.get("after"):
        number, values = decode_token(args["after"], order)
        # The first column alone too: SQLite does not look up where to begin by the alternatives.
        begin = order[0] <= values[0] if arguments.descending else order[0] >= values[0]
        scan = scan.where(begin, rows_behind(order, values, descending=arguments.descending))
    many = SCANNED if chosen else SCANNED // 2 if sparse else table.page + 1
    scan = scan.order_by(*(_directed(column, arguments.descending) for column in order)).limit(many)
    scanned = list(connection.execute(scan))
    shown_order = (_directed(each, arguments.descending) for each in _sort_columns(table, every, arguments))
    matching = select(every).where(*arguments.conditions.values()).order_by(*shown_order)
    numbers = [row.order_sn for row in scanned]
    found = list(connection.execute(matching.limit(table.page + 1), {"numbers": numbers})) if numbers else []
    last = None
    if len(found) > table.page:
        last = found[table.page - 1]
    elif len(scanned) == many:
        last = scanned[-1]
    values = [] if last is None else [last._mapping[column.name] for column in order]
    stored = known(chosen)
    return _page(
        table,
        found[: table.page],
        arguments,
        number,
        stored.totals or Totals(0, {}),
        next=None if last is None else {**arguments.valid, "after": encode_token(number + 1, values)},
        counts=stored.counts,
        added_up=stored.totals is not None,
        looked_at=len(scanned) if last is not None and len(found) <= table.page else 0,
    )


def _totals(
    connection: Connection, every: FromClause, matching: ColumnElement[bool], summed: list[str]
) -> Totals:
    rows, *sums = connection.execute(
        select(func.count(), *(sum_or_zero(every.c[name]) for name in summed))
        .select_from(every)
        .where(matching)
    ).one()
    return Totals(rows, {name: total or 0 for name, total in zip(summed, sums, strict=True)})


def narrowed(table: Table, rows: Query, args: MultiDict[str, str] | Mapping[str, str]) -> Query:
    """The rows that match the filters and the search, unordered.

    Raises BadRequestedTable for a filter or sort that the table does not have.
    """
    every = rows.subquery("every")
    return select(every).where(*_requested(table, every, args).conditions.values())


def check(table: Table, rows: Query, args: Mapping[str, str]) -> None:
    """Raise BadRequestedTable for a filter or sort that the table does not have."""
    _requested(table, rows.subquery("every"), args)


Cell = str | int | date | None
"""A value of a row; a flag is a bool."""
AddedColumn = tuple[Column, Callable[[QueryRow], Cell]]
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
    arguments = _requested(table, every, args)
    names = {column.name for column in table.columns}
    others = () if added is None else [each for each in every.c if each.name not in names]
    order = [_directed(column, arguments.descending) for column in _sort_columns(table, every, arguments)]
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


def _labels(table: Table, column: Column, *, chinese: bool) -> dict[str | bool, str]:
    """Value -> its name in the CSV file, for what the table's filters name, and for yes and no."""
    if not table.labelled:
        return {}
    if column.kind == "flag":
        return {True: "是" if chinese else "yes", False: "否" if chinese else "no"}
    options = next((each.options for each in table.filters if each.name == column.name), ())
    return {option.value: option.zh if chinese else option.en for option in options}


def filed(kind: Kind, cell: Cell) -> str:
    """A cell's text in a CSV file. A spreadsheet never reads it as a formula."""
    if cell is None:
        return ""
    if not isinstance(cell, int):
        return inert(str(cell))
    if kind == "money":
        return shown_yuan(cell)
    if kind == "instant":
        return shown(cell)
    if kind == "flag":
        return "yes" if cell else "no"
    return str(cell)


def _line(cells: list[str]) -> bytes:
    text = StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().encode()


def _requested(table: Table, every: FromClause, args: Mapping[str, str]) -> _RequestedTable:
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
        if not table.sorts(sort):
            raise BadRequestedTable(f"The table can't be sorted by {column!r}.", f"不能按「{column}」排序。")
        valid["sort"] = sort
    return _RequestedTable(conditions, valid, column, sort.startswith("-"))


def _sort_columns(table: Table, every: FromClause, arguments: _RequestedTable) -> list[SortColumn]:
    column = every.c[arguments.column]
    # Nulls sort before all values, on both databases. A key is never null, and bare it is read in an index's order.
    first = column if arguments.column in table.key else func.coalesce(column, _null_value(table, arguments))
    return [first, *(every.c[name] for name in table.key if name != arguments.column)]


def _sort_value(table: Table, arguments: _RequestedTable, row: RowMapping) -> SortValue:
    value: SortValue | None = row[arguments.column]
    return _null_value(table, arguments) if value is None else value


def _null_value(table: Table, arguments: _RequestedTable) -> SortValue:
    """The value that represents null in the sort order; smaller than every other value."""
    kind = next((each.kind for each in table.columns if each.name == arguments.column), "text")
    return "" if kind == "text" else -(2**62)


def _directed(column: SortColumn, descending: bool) -> SortColumn:
    return column.desc() if descending else column.asc()


def _totals_and_counts(
    connection: Connection, table: Table, every: FromClause, arguments: _RequestedTable, summed: list[str]
) -> tuple[Totals, dict[str, dict[str, int]]]:
    """The totals, and filter -> option (``""`` for all) -> number of rows; one query, which reads the rows once."""
    conditions = dict(arguments.conditions)
    searched = conditions.pop("q", true())
    matching = and_(true(), *conditions.values())
    columns = [
        count_where(matching),
        *(sum_or_zero(case((matching, every.c[name]), else_=0)) for name in summed),
    ]
    for choice in table.filters:
        others = and_(true(), *(each for name, each in conditions.items() if name != choice.name))
        # count_where counts neither rows whose condition is false nor those whose condition is null.
        columns.append(count_where(others))
        columns += [count_where(and_(others, option.condition(every))) for option in choice.options]
    numbers = iter(connection.execute(select(*columns).select_from(every).where(searched)).one())
    totals = Totals(next(numbers), {name: next(numbers) or 0 for name in summed})
    counts = {
        choice.name: {value: next(numbers) for value in ("", *(option.value for option in choice.options))}
        for choice in table.filters
    }
    return totals, counts
