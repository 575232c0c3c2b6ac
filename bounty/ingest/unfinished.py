"""The large file of orders of which only some parts are imported yet. There is at most one at a time."""

from typing import NamedTuple

from sqlalchemy import Connection, select

from bounty.db import fetch_first
from bounty.errors import BountyError
from bounty.models import Batch, ImportProgress


class UnfinishedFile(NamedTuple):
    """A row of ``import_progress`` with the file of its batch."""

    batch_id: int
    file_name: str
    sha256: str
    shape: str
    header: str | None
    encoding: str
    rows_read: int
    rows_kept: int
    rows_quarantined: int
    rows_new: int
    rows_changed: int

    @property
    def zh(self) -> str:
        """How far the file has come, and what to do about it, in Chinese."""
        return (
            f"文件 {self.file_name} 还没有导入完（批次 {self.batch_id}，已导入 {self.rows_read:,} 行）："
            f"请再次导入这份文件，或撤销批次 {self.batch_id}"
        )

    @property
    def en(self) -> str:
        """The same in English."""
        return (
            f"{self.file_name} is not in whole yet (batch {self.batch_id}, {self.rows_read:,} rows so far): let it "
            f"finish, import it again to go on (`bounty import orders`), or take it back with "
            f"`bounty import undo {self.batch_id}`"
        )


class InterruptedImport(BountyError):
    """An import that stops early because of another import; nothing is wrong with its file."""


class UnfinishedImport(InterruptedImport):
    """A request that is refused until the unfinished file is imported to its end, or its batch is undone."""

    def __init__(self, file: UnfinishedFile) -> None:
        super().__init__(f"{file.en}.", f"{file.zh}。")


_UNFINISHED = select(
    *ImportProgress.__table__.c,
    *(Batch.__table__.c[name] for name in ("file_name", "sha256", "shape", "header", "encoding")),
).join(Batch, Batch.batch_id == ImportProgress.batch_id)


def unfinished_file(connection: Connection) -> UnfinishedFile | None:
    """The file that is not in whole yet; null where there is none."""
    return fetch_first(connection, _UNFINISHED, UnfinishedFile)


def require_finished(connection: Connection, before_batch: int | None = None) -> None:
    """Raises UnfinishedImport while the books would name a batch as known that still gains rows.

    before_batch   only batches up to this one are named
    """
    file = unfinished_file(connection)
    if file is not None and (before_batch is None or file.batch_id <= before_batch):
        raise UnfinishedImport(file)
