"""Large files of orders are imported in parts, each a transaction of its own that records how far the file has come.

Other writers get their turn in between. A file that was stopped goes on where it was when it is imported again. What
comes of it is what one transaction would have brought: orders are counted once all rows are in, by how each stood
before the first part.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import Protocol

from sqlalchemy import Connection, Engine

from bounty.db import transaction
from bounty.errors import BountyError, RefusedFile
from bounty.files.problems import BadRow
from bounty.ingest.batches import Counts, Source
from bounty.ingest.unfinished import InterruptedImport, UnfinishedFile, UnfinishedImport, unfinished_file
from bounty.orders.part_progress import add_part, begin_parts, conclude_some, end_parts
from bounty.orders.service import CHUNK, BatchImport
from bounty.orders.undo import undo_batch
from bounty.platforms.pdd.order_row import OrderRow

PART_ROWS = 200_000
"""Rows of a part, and of a file that goes in as a whole. Others wait for the end of a part, and for at most 60 s."""
PAUSE_SECONDS = 0.25
"""Between parts: on SQLite a waiting writer only looks every 0.1 s whether it is its turn. PostgreSQL has a queue."""


class Conclude(Protocol):
    """Called in the last transaction of a file."""

    def __call__(self, connection: Connection, batch_id: int, counts: Counts, *, in_parts: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class FileImport:
    """A file of orders, and what happens around its rows."""

    source: Source
    headers: Mapping[str, str]
    """Fact -> the file's own header for it."""
    begin: Callable[[Connection], int]
    """Makes the batch, in the transaction of the first rows."""
    conclude: Conclude


def import_in_parts(
    engine: Engine,
    file_import: FileImport,
    rows: Iterable[OrderRow | BadRow],
    now: int,
    on_progress: Callable[[int], None] = lambda _: None,
) -> tuple[int, Counts]:
    """Take in the rows of a file, in parts if there are more than PART_ROWS; its batch, and what became of the rows.

    rows       in the order of their places, which rise
    on_progress  called with the number of rows read so far

    Raises UnfinishedImport for a large file while another one is unfinished; InterruptedImport where another process
    has gone on with this one; BountyError where it is read otherwise than when it was begun; RefusedFile where only
    reading on shows that the whole file is wrong: what came in is taken back then.
    """
    reading = iter(rows)
    with transaction(engine) as connection:
        file = unfinished_file(connection)
        if file is None or file.sha256 != file_import.source.sha256:
            batch_id = file_import.begin(connection)
            part = BatchImport(connection, batch_id, file_import.headers)
            part.take(reading, on_progress, PART_ROWS)
            following = list(islice(reading, 1))
            if not following:
                counts = part.finish(now)
                file_import.conclude(connection, batch_id, counts, in_parts=False)
                return batch_id, counts
            if file is not None:
                raise UnfinishedImport(file)
            begin_parts(connection, batch_id)
            add_part(connection, batch_id, part, now)
            done, reading = part.read, chain(following, reading)
        else:
            _require_read_alike(file, file_import.source)
            batch_id, done = file.batch_id, 0
    try:
        if file is not None:
            done = file.rows_read
            for number, _row in enumerate(islice(reading, done), 1):
                if number % CHUNK == 0:
                    on_progress(number)
        while following := list(islice(reading, 1)):
            time.sleep(PAUSE_SECONDS)
            with transaction(engine) as connection:
                _require_unmoved(connection, file_import.source, batch_id, done)
                part = BatchImport(connection, batch_id, file_import.headers)
                part.take(chain(following, reading), _counting_from(done, on_progress), PART_ROWS)
                add_part(connection, batch_id, part, now)
            done += part.read
    except RefusedFile:
        with transaction(engine) as connection:
            _require_unmoved(connection, file_import.source, batch_id, done)
            undo_batch(connection, batch_id, now)
        raise
    return batch_id, _conclude(engine, file_import, batch_id, done, now)


def _conclude(engine: Engine, file_import: FileImport, batch_id: int, done: int, now: int) -> Counts:
    """Count the orders of a file whose rows are all in, so many at a time; what became of the rows."""
    while True:
        time.sleep(PAUSE_SECONDS)
        with transaction(engine) as connection:
            file = _require_unmoved(connection, file_import.source, batch_id, done)
            counts = conclude_some(connection, file, PART_ROWS, now)
            if counts is not None:
                file_import.conclude(connection, batch_id, counts, in_parts=True)
                end_parts(connection)
                return counts


def _counting_from(done: int, on_progress: Callable[[int], None]) -> Callable[[int], None]:
    return lambda rows: on_progress(done + rows)


def _require_unmoved(connection: Connection, source: Source, batch_id: int, done: int) -> UnfinishedFile:
    """The unfinished file. Raises InterruptedImport unless it is the one that this process is at, and where."""
    file = unfinished_file(connection)
    if file is None or (file.batch_id, file.rows_read) != (batch_id, done):
        raise InterruptedImport(
            f"{source.file_name} is being imported by another process, or was taken back (batch {batch_id}): nothing "
            "more was imported here.",
            f"另一个进程正在导入 {source.file_name}，或者批次 {batch_id} 已被撤销：这里没有再导入。",
        )
    return file


def _require_read_alike(file: UnfinishedFile, source: Source) -> None:
    """Raises BountyError where rows of the file would now be read otherwise than those that are in."""
    if (file.shape, file.header, file.encoding) != (source.shape, source.header, source.encoding):
        raise BountyError(
            f"{file.file_name} was begun with other headers read as columns (batch {file.batch_id}): import it with "
            f"the same mapping, or take it back first with `bounty import undo {file.batch_id}`.",
            f"{file.file_name} 开始导入时的列名对应不同（批次 {file.batch_id}）："
            f"请用同样的对应继续，或先撤销批次 {file.batch_id}。",
        )
