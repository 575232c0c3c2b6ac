"""Figures that were computed aside, with the moment as of which they hold, so that no page adds up the books."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, WholeNumber, Words


class StoredFigure(Base):
    """What one computation over the books came to, the last time that it was made. Nothing is paid or decided by it."""

    __tablename__ = "stored_figures"
    __table_args__ = {"sqlite_strict": True}

    subject: Mapped[str] = mapped_column(Words, primary_key=True)
    """What was computed, as ``next-tranche`` or ``closing 2022-12``."""
    facts: Mapped[str] = mapped_column(Words)
    """The state of what it was computed from. Where that is another now, the figure is of the past."""
    computed_at: Mapped[int] = mapped_column(WholeNumber)
    """As of when it holds; epoch seconds."""
    content: Mapped[str] = mapped_column(Words)
    """The figure as JSON."""


class StoredDifference(Base):
    """One row of the last reconciliation; the columns are those of ``accounting.reconciliation.differences``."""

    __tablename__ = "stored_differences"
    __table_args__ = {"sqlite_strict": True, "sqlite_with_rowid": False}

    subject: Mapped[str] = mapped_column(ForeignKey(StoredFigure.subject), primary_key=True)
    """The reconciliation that it is of."""
    at: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """The place of its kind in ``reconciliation.DifferenceKind``."""
    place: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """Its place among all, from 1."""
    kind: Mapped[str] = mapped_column(Words)
    promoter_id: Mapped[int | None] = mapped_column(WholeNumber)
    tranche_id: Mapped[int | None] = mapped_column(WholeNumber)
    order_sn: Mapped[str | None] = mapped_column(Words)
    ours_fen: Mapped[int | None] = mapped_column(WholeNumber)
    theirs_fen: Mapped[int | None] = mapped_column(WholeNumber)
    receipt_id: Mapped[int | None] = mapped_column(WholeNumber)
    row_place: Mapped[int | None] = mapped_column(WholeNumber)
    """The row's line in that receipt."""
    payout: Mapped[str | None] = mapped_column(Words)
    shown_account: Mapped[str | None] = mapped_column(Words)
    shown_name: Mapped[str | None] = mapped_column(Words)
    period: Mapped[str | None] = mapped_column(Words)
