"""Queries over what waits in quarantine."""

from sqlalchemy import Connection, Row, func, select

from bounty.db import Query
from bounty.models import Batch, Quarantined


def open_entries() -> Query:
    """Every open entry with the name of its file, columns as of ``Quarantined`` and ``Batch``."""
    return (
        select(
            Quarantined.quarantine_id,
            Quarantined.kind,
            Quarantined.batch_id,
            Quarantined.place,
            Quarantined.column_name,
            Quarantined.value,
            Quarantined.code,
            Quarantined.sentence_zh,
            Quarantined.sentence_en,
            Quarantined.others,
            Quarantined.raw,
            Quarantined.paid_at,
            Batch.file_name,
        )
        .join(Batch, Batch.batch_id == Quarantined.batch_id)
        .where(Quarantined.closed_at.is_(None))
    )


def count_open(connection: Connection) -> int:
    """How many entries are open, of all kinds."""
    counted: int = connection.execute(
        select(func.count()).where(Quarantined.closed_at.is_(None))
    ).scalar_one()
    return counted


def count_open_of_order(connection: Connection, order_sn: str) -> int:
    """How many open entries are rows of an order."""
    about = (Quarantined.kind == "orders", Quarantined.subject == order_sn, Quarantined.closed_at.is_(None))
    counted: int = connection.execute(select(func.count()).where(*about)).scalar_one()
    return counted


def open_codes(connection: Connection) -> list[str]:
    """The codes that open entries have, in their order."""
    entries = select(Quarantined.code).where(Quarantined.closed_at.is_(None))
    return list(connection.execute(entries.distinct().order_by(Quarantined.code)).scalars())


def files_with_open_entries(connection: Connection, most: int) -> list[Row[int, str]]:
    """The newest files with open entries: batch_id and file_name.

    most  files at most
    """
    entries = (
        select(Batch.batch_id, Batch.file_name)
        .join(Quarantined, Quarantined.batch_id == Batch.batch_id)
        .where(Quarantined.closed_at.is_(None))
    )
    return list(connection.execute(entries.distinct().order_by(Batch.batch_id.desc()).limit(most)))


def file_of(connection: Connection, batch_id: int) -> Row[int, str] | None:
    """batch_id and file_name of a batch; null where there is none."""
    batch = select(Batch.batch_id, Batch.file_name).where(Batch.batch_id == batch_id)
    return connection.execute(batch).first()
