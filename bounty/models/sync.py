"""Time windows that were read from the open platform, with the result of each read."""

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, Flag, WholeNumber, Words
from bounty.models.ingest import Batch


class FetchWindow(Base):
    """One read of a time window of the platform's order list. It is written once, in the transaction of its rows."""

    __tablename__ = "slices"
    __table_args__ = (
        CheckConstraint("kind IN ('UPDATED', 'PAID')", name="kind"),
        CheckConstraint("from_at < until_at", name="span"),
        Index("ix_slices_span", "kind", "until_at"),
        {"sqlite_strict": True},
    )

    slice_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True)
    """The read's number."""
    kind: Mapped[str] = mapped_column(Words)
    """The time that the window selects by: ``UPDATED`` for the last update, ``PAID`` for the payment."""
    whose: Mapped[str] = mapped_column(Words)
    """The orders that were requested: of ``all`` authorised promoters, or the account's ``own``."""
    from_at: Mapped[int] = mapped_column(WholeNumber)
    """First instant of the half-open window; epoch seconds. The requests also covered some time before it."""
    until_at: Mapped[int] = mapped_column(WholeNumber)
    """First instant after the window; epoch seconds."""
    known_at: Mapped[int] = mapped_column(WholeNumber)
    """The read includes every update up to this instant; epoch seconds. It is the start of the read less a margin, and
    less the difference if the platform's clock is behind ours."""
    read_at: Mapped[int] = mapped_column(WholeNumber)
    """When the read ended; epoch seconds."""
    done: Mapped[bool] = mapped_column(Flag)
    """True if every order of the window was read. An incomplete read covers nothing, but its rows are kept."""
    why: Mapped[str | None] = mapped_column(Words)
    """Why the read is incomplete: ``SHORT`` (fewer orders than the platform counts), ``RESTLESS`` (the list kept
    changing), ``CLOCK`` (by the platform's clock the window is in the future), or the family of the platform's error;
    null if the read is complete."""
    rows_told: Mapped[int | None] = mapped_column(WholeNumber)
    """Number of orders in the window by the platform's own count; null if it gave none."""
    rows_held: Mapped[int] = mapped_column(WholeNumber)
    """Number of distinct orders that were read."""
    pages: Mapped[int] = mapped_column(WholeNumber)
    """Number of pages that were read."""
    batch_id: Mapped[int | None] = mapped_column(ForeignKey(Batch.batch_id))
    """The batch of the rows; null if there were none. If that batch is undone, the window is no longer covered."""
