"""The database: engine, column types, transactions, temporary tables, and helpers for statements.

SQLite and PostgreSQL are used in the same way: any number of readers, each in one snapshot, and one writer at a time
(SQLite: BEGIN IMMEDIATE; PostgreSQL: an advisory lock until the end of the transaction).
"""

from bounty.db.engine import LOCK_WAIT_MS, POSTGRES_SETTINGS, SQLITE_PRAGMAS, make_engine
from bounty.db.statements import Query, count_of, given_rows, insert_into, written_out
from bounty.db.temporary_tables import clear, empty, load, make, workspace
from bounty.db.transactions import analyze, avoid_loops, favour_lookups, snapshot, transaction, wait_for_turn
from bounty.db.types import Base, Bytes, Day, Flag, WholeNumber, Words

__all__ = [
    "LOCK_WAIT_MS",
    "POSTGRES_SETTINGS",
    "SQLITE_PRAGMAS",
    "Base",
    "Bytes",
    "Day",
    "Flag",
    "Query",
    "WholeNumber",
    "Words",
    "analyze",
    "avoid_loops",
    "clear",
    "count_of",
    "empty",
    "favour_lookups",
    "given_rows",
    "insert_into",
    "load",
    "make",
    "make_engine",
    "snapshot",
    "transaction",
    "wait_for_turn",
    "workspace",
    "written_out",
]
