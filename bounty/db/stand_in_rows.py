"""Rows in the place of a table, for one SELECT: whatever reads the table by its name reads them.

A common table expression hides a table of the same name, so that the statements of roster and settlement run unchanged
over rows that are not in the books. The rows are one JSON parameter: nothing is written, also not a temporary table,
which a read-only transaction refuses.
"""

import datetime as dt
import json
from collections.abc import Mapping, Sequence

from sqlalchemy import CTE, Table, Text, bindparam, cast, column, func, select
from sqlalchemy.dialects.postgresql import JSON

from bounty.db.types import Base


def rows_instead_of(dialect: str, table: type[Base] | Table, rows: Sequence[Mapping[str, object]]) -> CTE:
    """A common table expression that hides a table; hand it to ``add_cte`` of a SELECT.

    dialect   the name of the connection's
    rows      column -> value; the columns of the first are those of all, and what a statement names must be among them
    """
    if isinstance(table, Table):
        name, known = table.name, [*table.columns]
    else:
        name, known = table.__tablename__, [*table.__table__.columns]
    columns = [each for each in known if rows and each.name in rows[0]] or known
    names = [each.name for each in columns]
    if dialect == "postgresql":
        content = [{name: row[name] for name in names} for row in rows]
        given = cast(bindparam(None, _json(content), type_=Text()), JSON())
        typed = (column(each.name, each.type) for each in columns)
        source = (
            func.json_to_recordset(given).table_valued(*typed, name="given").render_derived(with_types=True)
        )
        return select(*source.c).cte(name).prefix_with("MATERIALIZED")
    listed = bindparam(None, _json([[row[name] for name in names] for row in rows]), type_=Text())
    value = func.json_each(listed).table_valued("value", name="given").c.value
    cells = (
        func.json_extract(value, f"$[{place}]", type_=each.type).label(each.name)
        for place, each in enumerate(columns)
    )
    return select(*cells).cte(name).prefix_with("MATERIALIZED")


def _json(content: list[dict[str, object]] | list[list[object]]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), default=dt.date.isoformat)
