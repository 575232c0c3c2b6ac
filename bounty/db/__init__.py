"""The database: engine, column types, transactions, temporary tables, typed rows, and helpers for statements.

SQLite and PostgreSQL are used in the same way: any number of readers, each in one snapshot, and one writer at a time
(SQLite: BEGIN IMMEDIATE; PostgreSQL: an advisory lock until the end of the transaction).
"""

from bounty.db.engine import LOCK_WAIT_MS, POSTGRES_SETTINGS, SQLITE_PRAGMAS, make_engine
from bounty.db.rows import Columns, Condition, QueryRow, equal, fetch_all, fetch_first, is_one_of
from bounty.db.statements import (
    CompoundQuery,
    Query,
    count_of,
    given_rows,
    insert_into,
    keys_of,
    ping,
    row_where,
    with_keys,
    written,
    written_out,
)
from bounty.db.temporary_tables import clear, empty, load, make, workspace
from bounty.db.transactions import (
    analyze,
    avoid_loops,
    favour_lookups,
    may_idle,
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
    "Condition",
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
    "equal",
    "favour_lookups",
    "fetch_all",
    "fetch_first",
    "given_rows",
    "insert_into",
    "is_one_of",
    "keys_of",
    "load",
    "make",
    "make_engine",
    "may_idle",
    "ping",
    "plan_for_values",
    "row_where",
    "snapshot",
    "transaction",
    "wait_for_turn",
    "with_keys",
    "with_loops",
    "workspace",
    "written",
    "written_out",
]
