"""Rows with a type of their own, and the columns of a FROM clause by name."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Executable, Row
from sqlalchemy.sql.base import ReadOnlyColumnCollection

Columns = ReadOnlyColumnCollection[str, ColumnElement[Any]]
"""The columns of a table, of an alias or of a SELECT, by name: their ``.c``."""

QueryRow = Row[*tuple[Any, ...]]
"""A row of any ``Query``, for what writes rows whatever their columns are."""

_Row = TypeVar("_Row")


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
