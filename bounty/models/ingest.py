"""Imported batches, and the rows in quarantine."""

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, Bytes, WholeNumber, Words

_OPEN = text("closed_at IS NULL")


class Batch(Base):
    """One imported file, or one release from quarantine. Each batch is one transaction."""

    __tablename__ = "batches"
    __table_args__ = {"sqlite_strict": True}

    batch_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True)
    """Sequence number in the order in which batches were committed."""
    kind: Mapped[str] = mapped_column(Words)
    """``promoters``, ``violations``, ``links``, ``targets`` or ``orders``."""
    file_name: Mapped[str] = mapped_column(Words)
    """The file's name without folders."""
    sha256: Mapped[str] = mapped_column(Words)
    """SHA-256 of the file's bytes, hex; blank for a release from quarantine."""
    shape: Mapped[str] = mapped_column(Words)
    """The format of the rows: ``csv``, ``xlsx`` or ``json``."""
    header: Mapped[str | None] = mapped_column(Words)
    """The header line needed to read the batch's raw rows again; null if the format needs none."""
    encoding: Mapped[str] = mapped_column(Words)
    """The detected encoding: ``utf-8``, ``utf-8-sig`` or ``gb18030``."""
    imported_at: Mapped[int] = mapped_column(WholeNumber)
    """When the batch was imported; epoch seconds."""
    rows_read: Mapped[int] = mapped_column(WholeNumber, default=0)
    """Number of rows in the file: the sum of the next five columns."""
    rows_new: Mapped[int] = mapped_column(WholeNumber, default=0)
    """Number of rows whose subject was not known before."""
    rows_changed: Mapped[int] = mapped_column(WholeNumber, default=0)
    """Number of rows that changed a known subject."""
    rows_unchanged: Mapped[int] = mapped_column(WholeNumber, default=0)
    """Number of rows equal to what is stored."""
    rows_stale: Mapped[int] = mapped_column(WholeNumber, default=0)
    """Number of rows older than what is stored."""
    rows_quarantined: Mapped[int] = mapped_column(WholeNumber, default=0)
    """Number of rows that could not be imported."""
    undone_at: Mapped[int | None] = mapped_column(WholeNumber)
    """When the batch was undone; epoch seconds; null if it was not undone."""


class Quarantined(Base):
    """A row that could not be imported, with its content and the problem. It is open until released or dismissed."""

    __tablename__ = "quarantine"
    __table_args__ = (
        # Rows with the same content are one entry, so importing a file again adds nothing.
        UniqueConstraint("kind", "raw_hash", "occurrence"),
        Index("ix_quarantine_subject", "kind", "subject"),
        # What is open, for the counts on every page.
        Index("ix_quarantine_open", "kind", "code", sqlite_where=_OPEN, postgresql_where=_OPEN),
        {"sqlite_strict": True},
    )

    quarantine_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True)
    """The entry's number."""
    batch_id: Mapped[int] = mapped_column(ForeignKey(Batch.batch_id))
    """The first batch that contained the row."""
    kind: Mapped[str] = mapped_column(Words)
    """The batch's kind."""
    place: Mapped[int] = mapped_column(WholeNumber)
    """Where the row begins in the file: line (CSV, JSONL), row (XLSX), ordinal of the order (JSON)."""
    raw_hash: Mapped[bytes] = mapped_column(Bytes)
    """16-byte hash of the row's content."""
    occurrence: Mapped[int] = mapped_column(WholeNumber)
    """Number of the row among equal rows of the file: 1, 2, 3, ..."""
    column_name: Mapped[str | None] = mapped_column(Words)
    """The header or field with the problem; null if the problem concerns the whole row."""
    value: Mapped[str | None] = mapped_column(Words)
    """The value with the problem, as written in the file."""
    code: Mapped[str] = mapped_column(Words)
    """The problem's code ``E-...``, see ``files.problem_texts``."""
    sentence_zh: Mapped[str] = mapped_column(Words)
    """The problem and how to fix it, in Chinese."""
    sentence_en: Mapped[str] = mapped_column(Words)
    """The problem and how to fix it, in English."""
    raw: Mapped[str] = mapped_column(Words)
    """The row's content, which can be read again with the batch's header."""
    others: Mapped[str | None] = mapped_column(Words)
    """The row's further problems: a JSON list of [column, value, code, sentence_zh, sentence_en] in the order of the
    columns; null if there are none."""
    subject: Mapped[str | None] = mapped_column(Words)
    """The order number, or the key of a row of another kind; null if it could not be read."""
    promoter_id: Mapped[int | None] = mapped_column(WholeNumber)
    """The promoter; null if the id could not be read. No foreign key, because the promoter may be unknown."""
    paid_at: Mapped[int | None] = mapped_column(WholeNumber)
    """Pay time of an order, epoch seconds; null if it could not be read."""
    closed_at: Mapped[int | None] = mapped_column(WholeNumber)
    """When the entry was closed; epoch seconds; null if it is open."""
    closed_how: Mapped[str | None] = mapped_column(Words)
    """``released`` (the row was imported), ``superseded`` (a valid row of the same subject was imported),
    ``dismissed``, or ``withdrawn`` (the batch was undone); null if the entry is open."""
    closed_batch_id: Mapped[int | None] = mapped_column(
        ForeignKey(Batch.batch_id, name="fk_quarantine_closed_by")
    )
    """The batch that released or superseded the entry; null otherwise."""
    reason: Mapped[str | None] = mapped_column(Words)
    """Why the entry was dismissed, as the person wrote it; null otherwise."""
