"""The database: engine, column types, transactions, temporary tables, typed rows, and helpers for statements.

SQLite and PostgreSQL are used in the same way: any number of readers, each in one snapshot, and one writer at a time
(SQLite: BEGIN IMMEDIATE; PostgreSQL: an advisory lock until the end of the transaction).
"""

from bounty.db.engine import LOCK_WAIT_MS, POSTGRES_SETTINGS, SQLITE_PRAGMAS, make_engine
from bounty.db.rows import Columns, QueryRow, fetch_all, fetch_first
from bounty.db.statements import (
    CompoundQuery,
    Query,
    count_of,
    given_rows,
    insert_into,
    ping,
    row_where,
    written_out,
)
from bounty.db.temporary_tables import clear, empty, load, make, workspace
from bounty.db.transactions import (
    analyze,
    avoid_loops,
    favour_lookups,
    plan_for_values,
    snapshot,
    transaction,
    wait_for_turn,
    with_loops,
)
from bounty.db.types import Base, Bytes, Day, Flag, WholeNumber, Words

__all__ = [
    "LOCK_WAIT_MS",
    "POSTGRES_SETTINGS",
    "SQLITE_PRAGMAS",
    "Base",
    "Bytes",
    "Columns",
    "CompoundQuery",
    "Day",
    "Flag",
    "Query",
    "QueryRow",
    "WholeNumber",
    "Words",
    "analyze",
    "avoid_loops",
    "clear",
    "count_of",
    "empty",
    "favour_lookups",
    "fetch_all",
    "fetch_first",
    "given_rows",
    "insert_into",
    "load",
    "make",
    "make_engine",
    "ping",
    "plan_for_values",
    "row_where",
    "snapshot",
    "transaction",
    "wait_for_turn",
    "with_loops",
    "workspace",
    "written_out",
]
