"""Rows with a type of their own, and the columns of a FROM clause by name."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Executable, FromClause, Row, SQLColumnExpression, true
from sqlalchemy.sql.base import ReadOnlyColumnCollection

Columns = ReadOnlyColumnCollection[str, ColumnElement[Any]]
"""The columns of a table, of an alias or of a SELECT, by name: their ``.c``."""

QueryRow = Row[*tuple[Any, ...]]
"""A row of any ``Query``, for what writes rows whatever their columns are."""

Condition = Callable[[FromClause], ColumnElement[bool]]
"""Builds the condition that rows must match."""

_Row = TypeVar("_Row")


def equal(name: str, value: object) -> Condition:
    """Rows with this value in a column."""
    return lambda rows: rows.c[name] == value


def is_one_of(column: SQLColumnExpression[Any], values: Sequence[Any] | None) -> ColumnElement[bool]:
    """Whether a column has one of some values; true of every row where they are null."""
    return true() if values is None else column.in_(values)


def fetch_all(
    connection: Connection,
    query: Executable,
    kind: Callable[..., _Row],
    parameters: Mapping[str, object] | None = None,
) -> list[_Row]:
    """Every row of a query, as its type.

    kind         a class whose fields are the names of the query's columns, in any order
    parameters   of a query that was built once for many values
    """
    return [kind(**row._asdict()) for row in connection.execute(query, parameters)]


def fetch_first(connection: Connection, query: Executable, kind: Callable[..., _Row]) -> _Row | None:
    """The first row of a query, as ``fetch_all`` makes it; null where there is none."""
    row = connection.execute(query).first()
    return None if row is None else kind(**row._asdict())
