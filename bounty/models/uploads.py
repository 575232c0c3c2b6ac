"""Files that an operator uploaded, on their way to becoming batches."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, WholeNumber, Words
from bounty.models.accounts import User
from bounty.models.ingest import Batch


class Upload(Base):
    """A file in the uploads folder: tried first, then imported, in the background. Its state is computed."""

    __tablename__ = "uploads"
    __table_args__ = {"sqlite_strict": True}

    upload_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True)
    kind: Mapped[str] = mapped_column(Words)
    """promoters, violations, links, targets or orders."""
    file_name: Mapped[str] = mapped_column(Words)
    """As the operator's computer called it."""
    sha256: Mapped[str] = mapped_column(Words)
    """Of its bytes, hex."""
    size_bytes: Mapped[int] = mapped_column(WholeNumber)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id))
    """Who uploaded it."""
    uploaded_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds."""
    tried: Mapped[str | None] = mapped_column(Words)
    """What the dry run found, as JSON; null until it has ended."""
    refused: Mapped[str | None] = mapped_column(Words)
    """Why the file as a whole can't be taken in; null unless it is so."""
    batch_id: Mapped[int | None] = mapped_column(ForeignKey(Batch.batch_id))
    """The batch it became; null until it has."""
