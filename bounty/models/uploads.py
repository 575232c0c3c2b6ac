"""Files that operators uploaded and that become batches, and the headers of files that are read as other columns."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, WholeNumber, Words
from bounty.models.accounts import User
from bounty.models.ingest import Batch


class Upload(Base):
    """A file in the uploads folder. A background process first makes a dry run and, once confirmed, imports the file.
    The upload's state is computed from these columns."""

    __tablename__ = "uploads"
    __table_args__ = {"sqlite_strict": True}

    upload_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True)
    """The upload's number."""
    kind: Mapped[str] = mapped_column(Words)
    """``promoters``, ``violations``, ``links``, ``targets`` or ``orders``."""
    file_name: Mapped[str] = mapped_column(Words)
    """The file's name on the operator's computer."""
    sha256: Mapped[str] = mapped_column(Words)
    """SHA-256 of the file's bytes, hex."""
    size_bytes: Mapped[int] = mapped_column(WholeNumber)
    """The file's size in bytes."""
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id))
    """The account that uploaded the file."""
    uploaded_at: Mapped[int] = mapped_column(WholeNumber)
    """When the file was uploaded; epoch seconds."""
    tried: Mapped[str | None] = mapped_column(Words)
    """Result of the dry run, as JSON; null until it has ended."""
    refused: Mapped[str | None] = mapped_column(Words)
    """Why the whole file is refused; null if it is not."""
    batch_id: Mapped[int | None] = mapped_column(ForeignKey(Batch.batch_id))
    """The batch that the file became; null before the import."""
    mapping: Mapped[str | None] = mapped_column(Words)
    """Headers of this file that are read as other columns, as a JSON object; null for none."""


class HeaderName(Base):
    """A header that is read as another column in all files of a kind, from when somebody chose so."""

    __tablename__ = "header_names"
    __table_args__ = {"sqlite_strict": True}

    kind: Mapped[str] = mapped_column(Words, primary_key=True)
    """``promoters``, ``violations``, ``links``, ``targets`` or ``orders``."""
    header: Mapped[str] = mapped_column(Words, primary_key=True)
    """The header in files, after NFKC and trimming."""
    column_name: Mapped[str] = mapped_column(Words)
    """The column that it is read as."""
    kept_at: Mapped[int] = mapped_column(WholeNumber)
    """When it was chosen; epoch seconds."""
    kept_by_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    """The account that chose it; null for a shell without log-in."""
