"""How much room the tables take from which archives take rows."""

from sqlalchemy import Connection, text

from bounty.db import Base
from bounty.models import OrderRepeat, OrderVersion, ReceivedTexts

_TABLES: tuple[type[Base], ...] = (OrderVersion, OrderRepeat, ReceivedTexts)
_OF_TABLE = text("SELECT pg_total_relation_size(CAST(:name AS regclass))")


def table_bytes(connection: Connection) -> int:
    """Bytes of the tables of received rows with their indexes; on SQLite, of all that the file holds.

    On PostgreSQL what a move frees is free for other rows, and the tables do not become smaller by it.
    """
    if connection.dialect.name == "sqlite":
        pages, free, size = (
            int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size
    return sum(
        int(connection.execute(_OF_TABLE, {"name": table.__tablename__}).scalar_one()) for table in _TABLES
    )
