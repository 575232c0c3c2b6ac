"""Promoters with their levels, violations, promotion links, and imported targets."""

import datetime as dt

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, Day, WholeNumber, Words
from bounty.models.ingest import Batch


class Promoter(Base):
    """A promoter (多多客) who appeared in a promoters file."""

    __tablename__ = "promoters"
    __table_args__ = {"sqlite_strict": True}

    promoter_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """The platform's promoter id (duo id), at most 15 digits."""


class Level(Base):
    """A promoter's level from a day on. The newest row also has the promoter's valid name and registration date."""

    __tablename__ = "levels"
    __table_args__ = {"sqlite_strict": True}

    promoter_id: Mapped[int] = mapped_column(
        ForeignKey(Promoter.promoter_id), primary_key=True, autoincrement=False
    )
    level_from: Mapped[dt.date] = mapped_column(Day, primary_key=True)
    """The first day of the level; Shanghai date."""
    level: Mapped[str] = mapped_column(Words)
    """The platform's level ``V0``, ``V1``, ...; imported, never computed."""
    name: Mapped[str] = mapped_column(Words)
    """The promoter's name in the file."""
    registered_on: Mapped[dt.date] = mapped_column(Day)
    """The day on which the promoter registered with the platform; Shanghai date."""
    batch_id: Mapped[int] = mapped_column(ForeignKey(Batch.batch_id))
    """The batch that contained the row."""
    place: Mapped[int] = mapped_column(WholeNumber)
    """The row's line in the batch."""


class Violation(Base):
    """A promoter's violation, at most one for each day."""

    __tablename__ = "violations"
    __table_args__ = {"sqlite_strict": True}

    promoter_id: Mapped[int] = mapped_column(
        ForeignKey(Promoter.promoter_id), primary_key=True, autoincrement=False
    )
    occurred_on: Mapped[dt.date] = mapped_column(Day, primary_key=True)
    """The day of the violation; Shanghai date."""
    reason: Mapped[str] = mapped_column(Words)
    """The reason in the file."""
    cleared_on: Mapped[dt.date | None] = mapped_column(Day)
    """From this Shanghai date the violation no longer counts; null if it was not cleared."""
    batch_id: Mapped[int] = mapped_column(ForeignKey(Batch.batch_id))
    """The batch that contained the row."""
    place: Mapped[int] = mapped_column(WholeNumber)
    """The row's line in the batch."""


class Link(Base):
    """The channel in which the links of one promotion link ID (推广位) are generated."""

    __tablename__ = "links"
    __table_args__ = {"sqlite_strict": True}

    promoter_id: Mapped[int] = mapped_column(
        ForeignKey(Promoter.promoter_id), primary_key=True, autoincrement=False
    )
    p_id: Mapped[str] = mapped_column(Words, primary_key=True)
    """The promotion link ID (推广位ID)."""
    channel: Mapped[str] = mapped_column(Words)
    """``app`` or ``other``; the channel of a p_id without a row is unknown."""
    batch_id: Mapped[int] = mapped_column(ForeignKey(Batch.batch_id))
    """The batch that contained the row."""
    place: Mapped[int] = mapped_column(WholeNumber)
    """The row's line in the batch."""


class LinkVersion(Base):
    """The channel of a promotion link ID from a batch on; the newest one is the row of ``links``."""

    __tablename__ = "link_versions"
    __table_args__ = {"sqlite_strict": True}

    promoter_id: Mapped[int] = mapped_column(
        ForeignKey(Promoter.promoter_id), primary_key=True, autoincrement=False
    )
    p_id: Mapped[str] = mapped_column(Words, primary_key=True)
    """The promotion link ID (推广位ID)."""
    batch_id: Mapped[int] = mapped_column(ForeignKey(Batch.batch_id), primary_key=True, autoincrement=False)
    """The batch that contained the row."""
    channel: Mapped[str] = mapped_column(Words)
    """``app`` or ``other``."""
    place: Mapped[int] = mapped_column(WholeNumber)
    """The row's line in the batch."""


class Target(Base):
    """A promoter's imported targets for a period, which replace the targets that the terms would give."""

    __tablename__ = "targets"
    __table_args__ = {"sqlite_strict": True}

    promoter_id: Mapped[int] = mapped_column(
        ForeignKey(Promoter.promoter_id), primary_key=True, autoincrement=False
    )
    period: Mapped[str] = mapped_column(Words, primary_key=True)
    """The month, as ``2022-12``."""
    gmv_fen: Mapped[int | None] = mapped_column(WholeNumber)
    """The GMV target, whole fen; null or 0 for none."""
    orders: Mapped[int | None] = mapped_column(WholeNumber)
    """The order target, in orders; null or 0 for none."""
    batch_id: Mapped[int] = mapped_column(ForeignKey(Batch.batch_id))
    """The batch that contained the row."""
    place: Mapped[int] = mapped_column(WholeNumber)
    """The row's line in the batch."""
