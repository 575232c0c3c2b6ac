"""The texts of received rows: kept as they came, compressed, many rows to a record of the database.

A row of ``order_versions`` names its batch and its place in it; by these its text is found. No rule reads a text, so
the rows that rules read do not carry it.
"""

import zlib
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Final

import msgspec
from sqlalchemy import Connection, func, insert, select

from bounty.errors import BountyError
from bounty.models import OrderVersion, ReceivedTexts
from bounty.platforms.pdd.order_files import OrderRow

ROWS_A_RECORD: Final = 1_000
"""Rows whose texts are compressed together: enough for a good ratio, few enough to unpack for one row."""
LEVEL: Final = 1
"""zlib's fastest level: level 6 takes three times as long and saves another sixth."""
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(list[tuple[int, str]]).decode
_INSERT: Final = insert(ReceivedTexts)


def keep_texts(connection: Connection, batch_id: int, rows: Sequence[OrderRow]) -> None:
    """Keep the texts of rows that a batch brought.

    rows   in the order of their places, which rise
    """
    records = [rows[start : start + ROWS_A_RECORD] for start in range(0, len(rows), ROWS_A_RECORD)]
    if records:
        connection.execute(
            _INSERT,
            [
                {
                    "batch_id": batch_id,
                    "first_place": record[0].place,
                    "texts": packed([(row.place, row.raw) for row in record]),
                }
                for record in records
            ],
        )


def packed(texts: Sequence[tuple[int, str]]) -> bytes:
    """Places and texts as a record stores them: a JSON list of [place, text], compressed by zlib."""
    return zlib.compress(_encode(texts), LEVEL)


def unpacked(texts: bytes) -> list[tuple[int, str]]:
    """What ``packed`` was given. Raises ValueError for bytes that are not, or no longer, such a record."""
    try:
        return _decode(zlib.decompress(texts))
    except (zlib.error, msgspec.DecodeError) as error:
        raise ValueError(str(error)) from error


def received_text(connection: Connection, batch_id: int, place: int) -> str | None:
    """The text of one row, by its batch and its place in it; None if there is none, or its record is damaged."""
    record = ReceivedTexts
    newest_before = (
        select(record.texts)
        .where(record.batch_id == batch_id, record.first_place <= place)
        .order_by(record.first_place.desc())
        .limit(1)
    )
    texts = connection.execute(newest_before).scalar()
    try:
        return None if texts is None else dict(unpacked(texts)).get(place)
    except ValueError:
        return None


def texts_of_batch(connection: Connection, batch_id: int) -> Iterator[tuple[int, str]]:
    """Place and text of every row of a batch, by place. Raises BountyError at a damaged record."""
    record = ReceivedTexts
    of_batch = select(record.first_place).where(record.batch_id == batch_id).order_by(record.first_place)
    # A record at a time, by its key: who stops half-way leaves no open cursor behind.
    for first_place in connection.execute(of_batch).scalars().all():
        texts = connection.execute(
            select(record.texts).where(record.batch_id == batch_id, record.first_place == first_place)
        ).scalar_one()
        try:
            yield from unpacked(texts)
        except ValueError as error:
            raise BountyError(
                f"The texts of batch {batch_id} can't be read ({error}): run `bounty check`, and restore a backup.",
                f"批次 {batch_id} 的原文读不出来（{error}）：请运行 bounty check，并从备份恢复。",
            ) from error


def rows_without_text(connection: Connection) -> int:
    """Received rows whose text can't be read: their record is damaged, or lacks them."""
    record, row = ReceivedTexts, OrderVersion
    records = connection.execute(
        select(record.batch_id, record.first_place).order_by(record.batch_id, record.first_place)
    ).all()
    readable = 0
    for (batch_id, first_place), following in zip_longest(records, records[1:]):
        texts = connection.execute(
            select(record.texts).where(record.batch_id == batch_id, record.first_place == first_place)
        ).scalar_one()
        places = select(row.place).where(row.batch_id == batch_id, row.place >= first_place)
        if following is not None and following.batch_id == batch_id:
            places = places.where(row.place < following.first_place)
        try:
            found = {place for place, _ in unpacked(texts)}
        except ValueError:
            continue
        readable += sum(place in found for place in connection.execute(places).scalars())
    return connection.execute(select(func.count()).select_from(row)).scalar_one() - readable
