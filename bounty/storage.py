"""Whether the database's own files are sound, as far as the database can tell by itself."""

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

_INDEXES = text(
    "SELECT pg_class.oid, relname FROM pg_class JOIN pg_am ON pg_am.oid = relam "
    "JOIN pg_index ON pg_index.indexrelid = pg_class.oid "
    "WHERE amname = 'btree' AND relkind = 'i' AND indisvalid AND relnamespace = current_schema()::regnamespace"
)
_TABLES = text(
    "SELECT oid, relname FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
)


def unsound_parts(connection: Connection) -> int:
    """What the database finds damaged: on SQLite by PRAGMA integrity_check and foreign_key_check, on PostgreSQL by
    amcheck, where it may be used (``not_looked_at``)."""
    if connection.dialect.name == "sqlite":
        problems = connection.execute(text("PRAGMA integrity_check")).scalars().all()
        dangling = len(connection.execute(text("PRAGMA foreign_key_check")).all())
        return dangling + (0 if problems == ["ok"] else len(problems))
    if not _amcheck(connection):
        return 0
    damaged = sum(
        not _holds(connection, "SELECT 0 FROM bt_index_check(CAST(:oid AS oid), true)", row.oid)
        for row in connection.execute(_INDEXES).all()
    )
    rows = "SELECT count(*) FROM verify_heapam(CAST(:oid AS oid))"
    return damaged + sum(not _holds(connection, rows, row.oid) for row in connection.execute(_TABLES).all())


def not_looked_at(connection: Connection) -> str:
    """What of its own files the database could not look at, in a sentence; blank if there is nothing."""
    if connection.dialect.name == "sqlite" or _amcheck(connection):
        return ""
    return (
        "Not looked at: the pages and indexes of the database itself. Let its owner run CREATE EXTENSION amcheck and "
        "grant this account its functions."
    )


def _amcheck(connection: Connection) -> bool:
    """Whether amcheck is there, in a place where it is found, and this account may use it."""
    found = connection.execute(
        text(
            "SELECT bool_and(has_function_privilege(oid, 'EXECUTE')) FROM pg_proc "
            "WHERE proname IN ('bt_index_check', 'verify_heapam') AND pg_function_is_visible(oid)"
        )
    ).scalar()
    return bool(found)


def _holds(connection: Connection, statement: str, oid: int) -> bool:
    """Whether a statement counts nothing wrong, and doesn't fail over what it finds."""
    attempt = connection.begin_nested()
    try:
        wrong: int = connection.execute(text(statement), {"oid": oid}).scalar_one()
    except DBAPIError:
        attempt.rollback()
        return False
    attempt.commit()
    return wrong == 0
