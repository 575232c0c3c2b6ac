"""Whether stored rows still hold what was stored, beyond what the database can tell of its own pages.

A database finds damage of its structure: a page that is no page, an index that disagrees with its table. Within a cell
it takes any bytes for a value. Therefore rows are hashed again where a hash of them is kept, and every other text must
be one that the program can have stored.
"""

from sqlalchemy import Connection, LargeBinary, cast, select, text
from sqlalchemy.schema import Table

from bounty.db import Day, Words
from bounty.models import Base, OrderVersion
from bounty.platforms.pdd.order_row import FACTS, hash_of

PROVED = frozenset(
    (
        "audit_events lines notice_statements notices order_versions orders payee_approvals payee_proposals payees "
        "payout_outcomes payouts period_closings periods receipt_rows receipts received_texts results settlements "
        "tranche_lines tranche_steps tranches"
    ).split()
)
"""Tables whose columns a check proves by a hash, by the audit, or by making them again (``FOR_DISPLAY`` apart)."""
FOR_DISPLAY = {"order_versions": ("created_at", "goods_name"), "periods": ("opened_at",)}
"""Table -> its columns that no check proves, as no rule reads them."""
_ROWS_AT_A_TIME = 5_000


def rows_as_received(connection: Connection) -> int:
    """Rows of orders whose facts don't hash as when they were received."""
    row = OrderVersion.__table__.c
    rows = connection.execute(
        select(row.row_hash, *(row[name] for name in FACTS)),
        execution_options={"yield_per": _ROWS_AT_A_TIME},
    )
    return sum(kept != hash_of(tuple(facts)) for kept, *facts in rows)


def unreadable_texts(connection: Connection) -> int:
    """Values that are no text as the program stores it: with a NUL, or no UTF-8. PostgreSQL refuses those by itself."""
    if connection.dialect.name != "sqlite":
        return 0
    return sum(_unreadable(connection, table) for table in Base.metadata.sorted_tables)


def _unreadable(connection: Connection, table: Table) -> int:
    names = FOR_DISPLAY.get(table.name, ()) if table.name in PROVED else table.columns.keys()
    # As bytes: the driver decodes texts by itself, and gives up at the first that it can't.
    texts = [
        cast(table.c[name], LargeBinary) for name in names if isinstance(table.c[name].type, Words | Day)
    ]
    if not texts:
        return 0
    # A row in quarantine may have a megabyte.
    rows = connection.execute(select(*texts), execution_options={"yield_per": 100})
    return sum(value is not None and not _is_stored(value) for row in rows for value in row)


def _is_stored(value: bytes) -> bool:
    try:
        return "\0" not in value.decode()
    except UnicodeDecodeError:
        return False


def not_proved(connection: Connection) -> str:
    """Which tables may hold other values than were stored without any check finding it, in a sentence."""
    if (
        connection.dialect.name == "postgresql"
        and connection.execute(text("SHOW data_checksums")).scalar() == "on"
    ):
        return "Every page that was read has a checksum, which the database compares."
    others = sorted(Base.metadata.tables.keys() - PROVED)
    display = ", ".join(f"{name} ({', '.join(columns)})" for name, columns in FOR_DISPLAY.items())
    return (
        f"Proved by hashes, by the audit or by making them again: {', '.join(sorted(PROVED))}. "
        f"Not proved, so that only structure and readable texts were looked at: {display}, {', '.join(others)}."
    )
