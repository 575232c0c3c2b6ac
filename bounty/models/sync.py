"""Which spans of time were read from the open platform, and what came of each reading."""

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, Flag, WholeNumber, Words
from bounty.models.ingest import Batch


class FetchWindow(Base):
    """One reading of a span of time from the platform; written in the transaction that holds its rows, and once."""

    __tablename__ = "slices"
    __table_args__ = (
        CheckConstraint("kind IN ('UPDATED', 'PAID')", name="kind"),
        CheckConstraint("from_at < until_at", name="span"),
        Index("ix_slices_span", "kind", "until_at"),
        {"sqlite_strict": True},
    )

    slice_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True)
    kind: Mapped[str] = mapped_column(Words)
    """By what time orders were asked for: UPDATED, that of their last update, or PAID, that of their payment."""
    whose: Mapped[str] = mapped_column(Words)
    """Whose orders were asked for: ``all`` authorised promoters', or the account's ``own``."""
    from_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds; the span is half-open, and more was asked for at either end."""
    until_at: Mapped[int] = mapped_column(WholeNumber)
    known_at: Mapped[int] = mapped_column(WholeNumber)
    """As of when: what had happened by then, by the platform's clock where that is behind ours, is in it."""
    read_at: Mapped[int] = mapped_column(WholeNumber)
    """When it ended."""
    done: Mapped[bool] = mapped_column(Flag)
    """Whether every order of the span is held. A reading that is not done proves nothing, though its rows are kept."""
    why: Mapped[str | None] = mapped_column(Words)
    """Why it is not done: SHORT (fewer rows than told), RESTLESS (the list would not stand still), CLOCK (by the
    platform's clock it is yet to come), or the family of what the platform said; null where it is done."""
    rows_told: Mapped[int | None] = mapped_column(WholeNumber)
    """How many orders the platform says the span has; null where it doesn't say."""
    rows_held: Mapped[int] = mapped_column(WholeNumber)
    """Distinct orders that were read."""
    pages: Mapped[int] = mapped_column(WholeNumber)
    """Pages they came on."""
    batch_id: Mapped[int | None] = mapped_column(ForeignKey(Batch.batch_id))
    """The batch of its rows; null where there are none. Once that is undone, the slice proves nothing any more."""
