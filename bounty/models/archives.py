"""Archives: received rows of closed months that lie in Parquet files instead of the tables."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, WholeNumber, Words
from bounty.models.ingest import Batch


class Archive(Base):
    """A file that holds the received rows, repeats and texts of orders paid in one month.

    An order is archived if it is in ``orders`` and has no row in ``order_versions``. Its rows are in the newest archive
    of its month that has them and was not restored.
    """

    __tablename__ = "archives"
    __table_args__ = {"sqlite_strict": True}

    archive_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """Sequence number 1, 2, ..."""
    month: Mapped[str] = mapped_column(Words)
    """The Shanghai month in which the orders were paid, as ``2022-11``."""
    paid_from: Mapped[int] = mapped_column(WholeNumber)
    """When the month begins; epoch seconds."""
    paid_until: Mapped[int] = mapped_column(WholeNumber)
    """When the next month begins; epoch seconds."""
    file_name: Mapped[str] = mapped_column(Words)
    """The file's name in the folder of archives."""
    sha256: Mapped[str] = mapped_column(Words)
    """SHA-256 of the file's bytes, hex."""
    file_bytes: Mapped[int] = mapped_column(WholeNumber)
    """The size of the file."""
    content_sha256: Mapped[str] = mapped_column(Words)
    """SHA-256 of the rows in their order, independent of the file format, hex; the rows of the tables had the same."""
    orders: Mapped[int] = mapped_column(WholeNumber)
    """Number of orders in the file."""
    rows: Mapped[int] = mapped_column(WholeNumber)
    """Number of their rows."""
    repeats: Mapped[int] = mapped_column(WholeNumber)
    """Number of their repeats, as in ``order_repeats``."""
    first_order_sn: Mapped[str] = mapped_column(Words)
    """The first order number in the file, which is sorted by it."""
    last_order_sn: Mapped[str] = mapped_column(Words)
    """The last order number in the file."""
    newest_file_row_at: Mapped[int | None] = mapped_column(WholeNumber)
    """The newest ``modified_at`` of a valid row that a file, and not only the platform, contained; null without one."""
    orders_left: Mapped[int] = mapped_column(WholeNumber)
    """Number of the orders whose rows are still archived; the others are back in the tables."""
    rows_left: Mapped[int] = mapped_column(WholeNumber)
    """Number of rows of these orders."""
    archived_at: Mapped[int] = mapped_column(WholeNumber)
    """When the rows left the tables; epoch seconds."""
    restored_at: Mapped[int | None] = mapped_column(WholeNumber)
    """When the whole archive was restored into the tables; epoch seconds; null if it was not."""


class ArchiveBatch(Base):
    """How much of a batch still lies in an archive. Rows of it keep the batch from being undone."""

    __tablename__ = "archive_batches"
    __table_args__ = {"sqlite_strict": True}

    archive_id: Mapped[int] = mapped_column(
        ForeignKey(Archive.archive_id), primary_key=True, autoincrement=False
    )
    batch_id: Mapped[int] = mapped_column(ForeignKey(Batch.batch_id), primary_key=True, autoincrement=False)
    rows: Mapped[int] = mapped_column(WholeNumber)
    """Number of archived rows that the batch brought first."""
    repeats: Mapped[int] = mapped_column(WholeNumber)
    """Number of archived rows that it contained again."""


class ArchiveMove(Base):
    """An archive between whose file and the tables the present transaction moves rows. It allows this transaction to
    delete received rows; no row is ever committed."""

    __tablename__ = "archive_moves"
    __table_args__ = {"sqlite_strict": True}

    archive_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """The archive's number."""
