"""Helpers for building statements that run on both databases."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    Table,
    false,
    func,
    literal,
    literal_column,
    select,
    union_all,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import visitors
from sqlalchemy.types import TypeEngine

from bounty.db.rows import QueryRow
from bounty.db.types import Base, WholeNumber

Query = Select[*tuple[Any, ...]]
"""A SELECT of named columns."""
CompoundQuery = CompoundSelect[*tuple[Any, ...]]
"""Several such, as UNION ALL joins them."""


def written_out(query: Query) -> Query:
    """The same SELECT with its integer and text constants as literals, so that only named parameters are bound.

    For a SELECT that is built once and executed often. A page's SELECT has two hundred constants, and binding them at
    each execution takes longer than the query itself for most promoters.
    """

    def replacement(element: object, **_kw: object) -> object:
        if not isinstance(element, BindParameter) or element.value in (None, []):
            return None
        values = element.value if element.expanding else [element.value]
        if not all(type(value) in (int, str) for value in values):
            return None
        literals = ", ".join(
            str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'" for value in values
        )
        return literal_column(f"({literals})" if element.expanding else literals, element.type)

    return cast(Query, visitors.replacement_traverse(query, {}, cast(Any, replacement)))


def written(number: int) -> ColumnElement[int]:
    """A whole number as part of a statement's text: PostgreSQL plans for every value of a parameter alike, and would
    plan for a tenth of all rows where a page limits them to fifty."""
    return literal_column(str(number), WholeNumber)


def ping(connection: Connection) -> None:
    """One round trip. Raises SQLAlchemyError where the database does not answer."""
    connection.execute(select(1))


def row_where(connection: Connection, query: Query, **values: int | str) -> QueryRow | None:
    """The first row of a SELECT whose columns have these values; null where there is none.

    values   label -> value
    """
    rows = query.subquery("rows")
    conditions = (rows.c[name] == value for name, value in values.items())
    return connection.execute(select(rows).where(*conditions)).first()


def with_keys(query: Query, name: str, keys: Iterable[int]) -> Query:
    """The rows of a SELECT that have one of these keys in a column.

    name   the column's label
    """
    rows = query.subquery("rows")
    return select(rows).where(rows.c[name].in_(list(keys)))


def keys_of(connection: Connection, query: Query, name: str, most: int) -> list[int]:
    """What the rows of a SELECT have in a column of whole numbers; of at most so many rows.

    name   the column's label
    """
    rows = query.subquery("rows")
    return list(connection.execute(select(rows.c[name]).limit(written(most))).scalars())


def count_of(connection: Connection, query: Query) -> int:
    """The number of rows of a SELECT."""
    return connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()


def insert_into(dialect: str, table: type[Base] | Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT with the methods ``on_conflict_do_nothing`` and ``on_conflict_do_update``.

    dialect   the name of the connection's dialect
    """
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def given_rows(kinds: Mapping[str, TypeEngine[Any]], rows: Iterable[Mapping[str, object]]) -> Query:
    """An inline VALUES list (at most some hundred rows) as a SELECT, for data computed in Python.

    kinds  label -> column type
    rows   mappings of label -> value
    """

    def row_select(row: Mapping[str, object]) -> Query:
        return select(*(literal(row[name], kind).label(name) for name, kind in kinds.items()))

    # The first SELECT returns no row. It defines the columns if there are no rows.
    no_row = row_select(dict.fromkeys(kinds)).where(false())
    return select(union_all(no_row, *map(row_select, rows)).subquery("given"))
