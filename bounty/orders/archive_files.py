"""Archive files: received rows with their texts and repeats as Parquet, sorted by order number, a row of the file each.

Row groups are small, so that the statistics of their order numbers find one order's rows in milliseconds. Values are as
the tables have them: fen, epoch seconds, hashes as bytes.
"""

import hashlib
import os
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from types import ModuleType
from typing import Any, Final, NamedTuple

import msgspec

from bounty.errors import BountyError
from bounty.models import OrderVersion
from bounty.platforms.pdd.order_row import FACTS
from bounty.private import private_folder

ROWS_OF_A_GROUP: Final = 5_000
VERSION_COLUMNS: Final = tuple(column.name for column in OrderVersion.__table__.columns)
"""The columns of ``order_versions``, which a file has first."""
_FLAGS: Final = {"is_detail", "withdrawn"}
_TEXTS: Final = {"order_sn", "p_id", "goods_name", "cat_ids", "live_room"}
_AT: Final = {name: place for place, name in enumerate(VERSION_COLUMNS)}
_FACTS_AT: Final = tuple(_AT[name] for name in FACTS)

Repeat = tuple[int, int]
"""A later batch that contained the row, and the row's place in it."""


class ArchivedRow(NamedTuple):
    """A received row as it lies in an archive."""

    version: tuple[Any, ...]
    """Its values in ``order_versions``, in the order of VERSION_COLUMNS."""
    text_record: int
    """``first_place`` of the record in ``received_texts`` that held its text."""
    text: str
    """The row as received."""
    repeats: tuple[Repeat, ...]
    """Its rows in ``order_repeats``, by batch."""

    @property
    def order_sn(self) -> str:
        """The order's number."""
        number: str = self.version[_AT["order_sn"]]
        return number

    @property
    def key(self) -> tuple[str, bytes]:
        """What rows are sorted by; of one order all are of one promoter."""
        return self.order_sn, self.version[_AT["row_hash"]]

    @property
    def promoter_id(self) -> int:
        """The promoter."""
        number: int = self.version[_AT["promoter_id"]]
        return number

    @property
    def row_hash(self) -> bytes:
        """The hash of the facts, as it was received."""
        kept: bytes = self.version[_AT["row_hash"]]
        return kept

    @property
    def facts(self) -> tuple[Any, ...]:
        """What the hash is of."""
        return tuple(self.version[place] for place in _FACTS_AT)

    @property
    def batch_id(self) -> int:
        """The first batch that contained the row."""
        number: int = self.version[_AT["batch_id"]]
        return number

    @property
    def place(self) -> int:
        """The row's place in that batch."""
        number: int = self.version[_AT["place"]]
        return number

    @property
    def modified_at(self) -> int:
        """The row's own age; epoch seconds."""
        instant: int = self.version[_AT["modified_at"]]
        return instant

    @property
    def withdrawn(self) -> bool:
        """Whether every batch that contained the row was undone."""
        flag: bool = self.version[_AT["withdrawn"]]
        return flag


class ArchiveFault(BountyError):
    """An archive file that is missing, or is not the file that was written.

    name   of the file, without folders; blank where no archive has what it should
    """

    def __init__(self, en: str, zh: str, name: str) -> None:
        super().__init__(en, zh)
        self.name = name


class ContentHash:
    """SHA-256 of rows in their order: equal for equal rows, wherever they are read."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._encode = msgspec.msgpack.Encoder().encode

    def add(self, row: ArchivedRow) -> None:
        """Add the next row."""
        self._hash.update(self._encode(row))

    @property
    def hex(self) -> str:
        """The hash of the rows so far."""
        return self._hash.hexdigest()


def require_pyarrow() -> ModuleType:
    """pyarrow. Raises BountyError if it is not installed."""
    try:
        import pyarrow.compute  # noqa: PLC0415 - an extra: only archives and the lake need it
        import pyarrow.parquet  # noqa: PLC0415
    except ImportError:
        raise BountyError(
            "Archives are Parquet files and need pyarrow, which is not installed: install the extra, "
            "`pip install bounty[archive]`.",
            "归档是 Parquet 文件，需要 pyarrow，但没有安装：请运行 pip install bounty[archive]。",
        ) from None
    module: ModuleType = pyarrow
    return module


def spare_memory() -> None:
    """Have pyarrow give memory back that it no longer needs, in this process: for whole files, not for single orders.
    Raises BountyError if it is not installed."""
    pa = require_pyarrow()
    pa.set_memory_pool(pa.system_memory_pool())


def _schema(pa: ModuleType) -> Any:
    def kind(name: str) -> object:
        if name in _FLAGS:
            return pa.bool_()
        if name == "row_hash":
            return pa.binary(16)
        return pa.string() if name in _TEXTS else pa.int64()

    pairs = pa.list_(pa.int64())
    return pa.schema(
        [
            *((name, kind(name)) for name in VERSION_COLUMNS),
            ("text_record", pa.int64()),
            ("text", pa.string()),
            ("repeat_batches", pairs),
            ("repeat_places", pairs),
        ]
    )


# Writing


class ArchiveWriter:
    """Writes a file under a temporary name in the folder, and then gives it its own name."""

    def __init__(self, folder: Path) -> None:
        """Raises BountyError where the folder can't be written, or pyarrow is not installed."""
        self._pa = require_pyarrow()
        self._folder = folder
        self._part = folder / f".{token_hex(8)}.part"
        self._waiting: list[ArchivedRow] = []
        try:
            private_folder(folder)
            descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise unwritable(folder, error) from error
        self._file = os.fdopen(descriptor, "wb")
        self._schema = _schema(self._pa)
        self._writer = self._pa.parquet.ParquetWriter(
            self._file, self._schema, compression="zstd", write_page_checksum=True
        )

    def add(self, row: ArchivedRow) -> None:
        """Add the next row, in the order of the keys."""
        self._waiting.append(row)
        if len(self._waiting) == ROWS_OF_A_GROUP:
            self._flush()

    def _flush(self) -> None:
        rows, self._waiting = self._waiting, []
        columns = [
            *zip(*(row.version for row in rows), strict=True),
            [row.text_record for row in rows],
            [row.text for row in rows],
            [[batch for batch, _ in row.repeats] for row in rows],
            [[place for _, place in row.repeats] for row in rows],
        ]
        arrays = [
            self._pa.array(cells, field.type) for cells, field in zip(columns, self._schema, strict=True)
        ]
        self._writer.write_table(self._pa.Table.from_arrays(arrays, schema=self._schema))

    def finish(self) -> Path:
        """Write what waits, and have all of it on the disk; the file under its temporary name."""
        if self._waiting:
            self._flush()
        self._writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return self._part

    def discard(self) -> None:
        """Delete the file where it still has its temporary name."""
        with suppress(OSError, self._pa.ArrowException):
            self._writer.close()
        with suppress(OSError):
            self._file.close()
        self._part.unlink(missing_ok=True)


def unwritable(folder: Path, error: OSError) -> BountyError:
    """The refusal where the folder of archives can't be written."""
    reason = error.strerror or str(error)
    return BountyError(
        f"The folder of archives {folder} can't be written ({reason}): nothing was moved.",
        f"归档文件夹 {folder} 无法写入（{reason}）：没有移动任何数据。",
    )


def give_name(part: Path, name: str) -> Path:
    """Rename a finished file within its folder; on the disk when this returns."""
    target = part.with_name(name)
    part.rename(target)
    sync_folder(target.parent)
    return target


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# Reading


_KNOWN: dict[tuple[str, int, int, int], str] = {}
"""Path, inode, size and time of change of a file -> its SHA-256: a page would otherwise hash a file for each order."""


class ArchiveFile:
    """A file that was written by ``ArchiveWriter``, for reading."""

    def __init__(self, path: Path, sha256: str | None) -> None:
        """
        sha256   what the file must hash to; null: whatever it does

        Raises ArchiveFault for a file that is missing or another one, and BountyError without pyarrow.
        """
        self._pa = require_pyarrow()
        self._path = path
        if sha256 is not None:
            self._require_same(sha256)
        try:
            self._file = self._pa.parquet.ParquetFile(path, page_checksum_verification=True)
        except (OSError, self._pa.ArrowException) as error:
            raise self._fault(error) from error

    def _require_same(self, sha256: str) -> None:
        try:
            stands = self._path.stat()
            key = (str(self._path), stands.st_ino, stands.st_size, stands.st_mtime_ns)
            found = _KNOWN.get(key)
            if found is None:
                found = sha256_of(self._path)
                _KNOWN[key] = found
        except FileNotFoundError as error:
            raise ArchiveFault(
                f"The archive {self._path} is not there: put the file back, and run this again.",
                f"归档文件 {self._path} 不存在：请放回这个文件，然后重试。",
                self._path.name,
            ) from error
        except OSError as error:
            raise self._fault(error) from error
        if found != sha256:
            raise ArchiveFault(
                f"The archive {self._path} is not the file that was written: its SHA-256 is another. Put the right "
                "one back, and run this again.",
                f"归档文件 {self._path} 与写入时不同（SHA-256 不符）：请放回原来的文件，然后重试。",
                self._path.name,
            )

    def _fault(self, error: Exception) -> ArchiveFault:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        return ArchiveFault(
            f"The archive {self._path} can't be read ({reason}): put the right file back, and run this again.",
            f"归档文件 {self._path} 读不出来（{reason}）：请放回原来的文件，然后重试。",
            self._path.name,
        )

    def rows(self) -> Iterator[ArchivedRow]:
        """Every row, in the order of the keys."""
        for group in range(self._file.num_row_groups):
            yield from self._rows_of(group)

    def rows_of_orders(self, numbers: Collection[str]) -> Iterator[ArchivedRow]:
        """The rows of some orders, in the order of the keys; nothing for those that the file has not."""
        wanted = sorted(numbers)
        metadata = self._file.metadata
        column = _AT["order_sn"]
        for group in range(metadata.num_row_groups):
            statistics = metadata.row_group(group).column(column).statistics
            first = bisect_left(wanted, statistics.min)
            if first < len(wanted) and wanted[first] <= statistics.max:
                yield from self._rows_of(group, wanted)

    def _rows_of(self, group: int, numbers: Sequence[str] | None = None) -> Iterator[ArchivedRow]:
        try:
            table = self._file.read_row_group(group, use_threads=False)
            if numbers is not None:
                wanted = self._pa.array(numbers, self._pa.string())
                table = table.filter(self._pa.compute.is_in(table["order_sn"], value_set=wanted))
            columns = [
                # A file from before a column was added has none of it.
                table[name].to_pylist() if name in table.column_names else [None] * table.num_rows
                for name in _schema(self._pa).names
            ]
        except (OSError, self._pa.ArrowException) as error:
            raise self._fault(error) from error
        yield from _rows_from(columns)


def _rows_from(columns: list[list[Any]]) -> Iterator[ArchivedRow]:
    versions = zip(*columns[: len(VERSION_COLUMNS)], strict=True)
    records, texts, batches, places = columns[len(VERSION_COLUMNS) :]
    for version, record, text, batch, place in zip(versions, records, texts, batches, places, strict=True):
        yield ArchivedRow(version, record, text, tuple(zip(batch, place, strict=True)))


def by_order(rows: Iterable[ArchivedRow], least: int = ROWS_OF_A_GROUP) -> Iterator[list[ArchivedRow]]:
    """Rows in lists of so many or a few more, none of which ends within an order."""
    some: list[ArchivedRow] = []
    for row in rows:
        if len(some) >= least and some[-1].order_sn != row.order_sn:
            yield some
            some = []
        some.append(row)
    if some:
        yield some
