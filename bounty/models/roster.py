"""Programmes, terms as versions, periods once they are open, and who is judged in them."""

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, Day, WholeNumber, Words
from bounty.models.promoters import Promoter


class Programme(Base):
    """A bounty with terms and periods of its own, over the same orders as every other."""

    __tablename__ = "programmes"
    __table_args__ = {"sqlite_strict": True}

    code: Mapped[str] = mapped_column(Words, primary_key=True)
    """``main`` is the first; of any other the periods' text begins with it, as ``sprint:2022-12a``."""
    name: Mapped[str] = mapped_column(Words)
    added_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds; 0 for ``main``, which came with the schema."""
    retired_at: Mapped[int | None] = mapped_column(WholeNumber)
    """From when no new period of it opens; null while they do."""


class TermsVersion(Base):
    """Terms as an operator added them; never edited."""

    __tablename__ = "terms"
    __table_args__ = {"sqlite_strict": True}

    terms_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True)
    """Counts up; of two versions from one period the later holds."""
    effective_from: Mapped[str] = mapped_column(Words)
    """The first period they apply to, with the programme."""
    toml: Mapped[str] = mapped_column(Words)
    """The file's text."""
    sha256: Mapped[str] = mapped_column(Words)
    """Of the content, not the layout; hex."""
    added_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds."""


class OpenPeriod(Base):
    """A month whose roster is frozen, with the bounds that its terms give; half-open, epoch seconds."""

    __tablename__ = "periods"
    __table_args__ = {"sqlite_strict": True}

    period: Mapped[str] = mapped_column(Words, primary_key=True)
    """2022-12 of ``main``, sprint:2022-12a of another programme: as ``rules.periods.Period`` writes it."""
    terms_id: Mapped[int] = mapped_column(ForeignKey(TermsVersion.terms_id))
    opened_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds."""
    task_from: Mapped[int] = mapped_column(WholeNumber)
    """First instant of the task window."""
    task_until: Mapped[int] = mapped_column(WholeNumber)
    """First instant after the task window."""
    receipt_cutoff: Mapped[int] = mapped_column(WholeNumber)
    """First instant that is too late for a receipt."""
    month_from: Mapped[int] = mapped_column(WholeNumber)
    """First instant of the subsidy window."""
    month_until: Mapped[int] = mapped_column(WholeNumber)
    """First instant after the subsidy window."""


class RosterEntry(Base):
    """A promoter as judged in a period: frozen when it was opened."""

    __tablename__ = "roster"
    __table_args__ = (
        CheckConstraint(
            "(reason IS NULL) = (target_gmv_fen IS NOT NULL OR target_orders IS NOT NULL)", name="judged"
        ),
        {"sqlite_strict": True},
    )

    promoter_id: Mapped[int] = mapped_column(
        ForeignKey(Promoter.promoter_id), primary_key=True, autoincrement=False
    )
    period: Mapped[str] = mapped_column(ForeignKey(OpenPeriod.period), primary_key=True)
    name: Mapped[str] = mapped_column(Words)
    level: Mapped[str | None] = mapped_column(Words)
    """Null where every level begins later."""
    registered_on: Mapped[dt.date] = mapped_column(Day)
    reason: Mapped[str | None] = mapped_column(Words)
    """Why not eligible; null for who is."""
    target_gmv_fen: Mapped[int | None] = mapped_column(WholeNumber)
    """Whole fen, above 0; null where there is no such target."""
    target_orders: Mapped[int | None] = mapped_column(WholeNumber)
    """Orders, above 0; null where there is no such target."""
    derivation: Mapped[str] = mapped_column(Words)
    """How the verdict and the targets came about, as JSON: source, history months with fen, steps of the formula."""
