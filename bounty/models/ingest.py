"""What came in: one row a batch, and the rows that could not be taken in."""

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, Bytes, WholeNumber, Words


class Batch(Base):
    """One file, or one release from quarantine, taken in in one transaction."""

    __tablename__ = "batches"
    __table_args__ = {"sqlite_strict": True}

    batch_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True)
    """Counts up in the order in which batches were committed."""
    kind: Mapped[str] = mapped_column(Words)
    """promoters, violations, links, targets or orders."""
    file_name: Mapped[str] = mapped_column(Words)
    """The name as given, without folders."""
    sha256: Mapped[str] = mapped_column(Words)
    """Of the file's bytes, hex; blank for a release from quarantine."""
    shape: Mapped[str] = mapped_column(Words)
    """How its rows are written: csv, xlsx or json."""
    header: Mapped[str | None] = mapped_column(Words)
    """The header line that the raw rows of this batch need to be read again; null where they need none."""
    encoding: Mapped[str] = mapped_column(Words)
    """As it was told: utf-8, utf-8-sig or gb18030."""
    imported_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds."""
    rows_read: Mapped[int] = mapped_column(WholeNumber, default=0)
    """Rows of the file; the five counts below add up to it."""
    rows_new: Mapped[int] = mapped_column(WholeNumber, default=0)
    rows_changed: Mapped[int] = mapped_column(WholeNumber, default=0)
    rows_unchanged: Mapped[int] = mapped_column(WholeNumber, default=0)
    rows_stale: Mapped[int] = mapped_column(WholeNumber, default=0)
    rows_quarantined: Mapped[int] = mapped_column(WholeNumber, default=0)
    undone_at: Mapped[int | None] = mapped_column(WholeNumber)
    """Epoch seconds; null while what it brought holds."""


class Quarantined(Base):
    """A row that could not be taken in, as it stood, with what would be right. Open until released or dismissed."""

    __tablename__ = "quarantine"
    __table_args__ = (
        # The same content in the same file, or in another, is the same entry: importing again adds nothing.
        UniqueConstraint("kind", "raw_hash", "occurrence"),
        Index("ix_quarantine_subject", "kind", "subject"),
        {"sqlite_strict": True},
    )

    quarantine_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey(Batch.batch_id))
    """The batch that brought it first."""
    kind: Mapped[str] = mapped_column(Words)
    """The batch's kind."""
    place: Mapped[int] = mapped_column(WholeNumber)
    """Where in the file it begins: line (CSV, JSONL), row (XLSX), ordinal of the order (JSON)."""
    raw_hash: Mapped[bytes] = mapped_column(Bytes)
    """16 bytes that stand for what the row says."""
    occurrence: Mapped[int] = mapped_column(WholeNumber)
    """1 for the first of equal rows in a file, then 2, 3, ..."""
    column_name: Mapped[str | None] = mapped_column(Words)
    """The header or field that is wrong; null where the row as a whole is."""
    value: Mapped[str | None] = mapped_column(Words)
    """The value as it stood."""
    code: Mapped[str] = mapped_column(Words)
    """E-..., from the catalogue of bad input."""
    sentence_zh: Mapped[str] = mapped_column(Words)
    """What is wrong and what would be right, in Chinese."""
    sentence_en: Mapped[str] = mapped_column(Words)
    """The same in English."""
    raw: Mapped[str] = mapped_column(Words)
    """The row's content; with the batch's header it can be read again."""
    others: Mapped[str | None] = mapped_column(Words)
    """What else is wrong with the row: a JSON list of [column, value, code, sentence_zh, sentence_en], in the order
    of the columns; null where nothing is."""
    subject: Mapped[str | None] = mapped_column(Words)
    """The order number, or the key of another kind's row, where it could be read."""
    promoter_id: Mapped[int | None] = mapped_column(WholeNumber)
    """Where it could be read. Not a key: the promoter may be unknown."""
    paid_at: Mapped[int | None] = mapped_column(WholeNumber)
    """Epoch seconds, of an order whose pay time could be read."""
    closed_at: Mapped[int | None] = mapped_column(WholeNumber)
    """Epoch seconds; null while it waits."""
    closed_how: Mapped[str | None] = mapped_column(Words)
    """released (it went in), superseded (a good row of the same subject came), dismissed, or withdrawn (its batch
    was undone)."""
    closed_batch_id: Mapped[int | None] = mapped_column(
        ForeignKey(Batch.batch_id, name="fk_quarantine_closed_by")
    )
    """The batch that released or superseded it."""
    reason: Mapped[str | None] = mapped_column(Words)
    """Why it was dismissed."""
