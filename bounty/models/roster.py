"""Programmes, versions of the terms, open periods, and their frozen rosters."""

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
    """A version of the terms as an operator added it. Versions are never edited."""

    __tablename__ = "terms"
    __table_args__ = {"sqlite_strict": True}

    terms_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True)
    """Sequence number; of two versions with the same ``effective_from`` the later one applies."""
    effective_from: Mapped[str] = mapped_column(Words)
    """The first period that the version applies to, with the programme."""
    toml: Mapped[str] = mapped_column(Words)
    """The text of the TOML file."""
    sha256: Mapped[str] = mapped_column(Words)
    """SHA-256 of the parsed values in hex, independent of the file's layout."""
    added_at: Mapped[int] = mapped_column(WholeNumber)
    """When the version was added; epoch seconds."""


class OpenPeriod(Base):
    """A month whose roster is frozen, with the bounds that its terms give. Windows are half-open."""

    __tablename__ = "periods"
    __table_args__ = {"sqlite_strict": True}

    period: Mapped[str] = mapped_column(Words, primary_key=True)
    """The period as ``rules.periods.Period`` writes it: ``2022-12``, or ``sprint:2022-12a`` of another programme."""
    terms_id: Mapped[int] = mapped_column(ForeignKey(TermsVersion.terms_id))
    """The version of the terms in force for the month."""
    opened_at: Mapped[int] = mapped_column(WholeNumber)
    """When the period was opened; epoch seconds."""
    task_from: Mapped[int] = mapped_column(WholeNumber)
    """First instant of the task window; epoch seconds."""
    task_until: Mapped[int] = mapped_column(WholeNumber)
    """First instant after the task window; epoch seconds."""
    receipt_cutoff: Mapped[int] = mapped_column(WholeNumber)
    """First instant at which a confirmed receipt (确认收货) is too late; epoch seconds."""
    month_from: Mapped[int] = mapped_column(WholeNumber)
    """First instant of the subsidy window; epoch seconds."""
    month_until: Mapped[int] = mapped_column(WholeNumber)
    """First instant after the subsidy window; epoch seconds."""


class RosterEntry(Base):
    """A promoter's eligibility and targets in a period, frozen when the period was opened."""

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
    """The promoter."""
    period: Mapped[str] = mapped_column(ForeignKey(OpenPeriod.period), primary_key=True)
    """The month, as ``2022-12``."""
    name: Mapped[str] = mapped_column(Words)
    """The promoter's name at the opening."""
    level: Mapped[str | None] = mapped_column(Words)
    """The promoter's level at the opening; null if every known level begins later."""
    registered_on: Mapped[dt.date] = mapped_column(Day)
    """The day on which the promoter registered with the platform; Shanghai date."""
    reason: Mapped[str | None] = mapped_column(Words)
    """Code of the reason why the promoter is not eligible; null if eligible."""
    target_gmv_fen: Mapped[int | None] = mapped_column(WholeNumber)
    """The GMV target, whole fen, positive; null for none."""
    target_orders: Mapped[int | None] = mapped_column(WholeNumber)
    """The order target, in orders, positive; null for none."""
    derivation: Mapped[str] = mapped_column(Words)
    """JSON that explains eligibility and targets: source, history months with fen, steps of the formula."""
