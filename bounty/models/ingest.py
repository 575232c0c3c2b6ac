"""Imported batches, and the rows in quarantine."""

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, Bytes, WholeNumber, Words
from bounty.labels import LabelledCode

_OPEN = text("closed_at IS NULL")


class FileKind(LabelledCode):
    """What a file is about."""

    ORDERS = "orders", "订单", "orders"
    PROMOTERS = "promoters", "推手", "promoters"
    VIOLATIONS = "violations", "违规", "violations"
    LINKS = "links", "推广位", "links"
    TARGETS = "targets", "目标", "targets"


class Batch(Base):
    """One imported file, or one release from quarantine. Each batch is one transaction; a large file of orders is
    several, see ``ImportProgress``."""

    __tablename__ = "batches"
    __table_args__ = {"sqlite_strict": True}

    batch_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True)
    """Sequence number in the order in which batches were committed, or begun where they are several transactions."""
    kind: Mapped[str] = mapped_column(Words)
    """A FileKind."""
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


class ImportProgress(Base):
    """How far a large file of orders has come that goes in in parts, a transaction each; no row while there is none."""

    __tablename__ = "import_progress"
    __table_args__ = {"sqlite_strict": True}

    batch_id: Mapped[int] = mapped_column(ForeignKey(Batch.batch_id), primary_key=True, autoincrement=False)
    """The file's batch, whose counts are 0 until it is finished."""
    rows_read: Mapped[int] = mapped_column(WholeNumber)
    """Rows of the file that were read and are in."""
    rows_kept: Mapped[int] = mapped_column(WholeNumber)
    """Of these, the rows that were kept as received."""
    rows_quarantined: Mapped[int] = mapped_column(WholeNumber)
    """Of these, the rows that are bad."""
    rows_new: Mapped[int] = mapped_column(WholeNumber)
    """Orders counted as new, of those that are no longer in ``import_orders``."""
    rows_changed: Mapped[int] = mapped_column(WholeNumber)
    """The same of changed orders."""


class ImportOrder(Base):
    """An order of which the unfinished large file brought a row, as it stood before that file. The facts are null for
    one seen for the first time."""

    __tablename__ = "import_orders"
    __table_args__ = {"sqlite_strict": True, "sqlite_with_rowid": False}

    order_sn: Mapped[str] = mapped_column(Words, primary_key=True)
    """The order's number."""
    facts: Mapped[str | None] = mapped_column(Words)
    """Its facts as canonical JSON."""
    modified_at: Mapped[int | None] = mapped_column(WholeNumber)
    """As in ``orders``, like the rest."""
    link_made_at: Mapped[int | None] = mapped_column(WholeNumber)
    failed_at: Mapped[int | None] = mapped_column(WholeNumber)
    live_room: Mapped[str | None] = mapped_column(Words)


class ImportBadRow(Base):
    """How many bad rows of one content the unfinished large file had so far, so that the next is numbered rightly."""

    __tablename__ = "import_bad_rows"
    __table_args__ = {"sqlite_strict": True}

    raw_hash: Mapped[bytes] = mapped_column(Bytes, primary_key=True)
    """As in ``quarantine``."""
    rows: Mapped[int] = mapped_column(WholeNumber)
