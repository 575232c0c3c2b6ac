"""A bare driver connection with the settings that the product guarantees (durable commits, foreign keys)."""

import sqlite3
from typing import Any

import psycopg

_PRAGMAS = (
    "journal_mode=wal",
    "synchronous=full",
    "foreign_keys=on",
    "recursive_triggers=on",
    "trusted_schema=off",
    "cell_size_check=on",
    "wal_autocheckpoint=20000",
    "cache_size=-65536",
)


def sqlite(path: str) -> sqlite3.Connection:
    """A connection without the driver's own transactions."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    return connection


def postgresql(conninfo: str) -> psycopg.Connection[tuple[Any, ...]]:
    """A connection without automatic transactions."""
    return psycopg.connect(conninfo, autocommit=True, options="-c timezone=UTC -c jit=off")


def is_sqlite(database: str) -> bool:
    """Whether a database's name is a path and not a connection string."""
    return not database.startswith("postgresql")
