"""Who they are: promoters with their levels, violations, links, and targets given by file."""

import datetime as dt

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, Day, WholeNumber, Words
from bounty.models.ingest import Batch


class Promoter(Base):
    """A promoter (多多客) that a promoters file has named."""

    __tablename__ = "promoters"
    __table_args__ = {"sqlite_strict": True}

    promoter_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """The platform's duo id, at most 15 digits."""


class Level(Base):
    """A promoter's level from a day on. The newest row also has the name and the registration that hold."""

    __tablename__ = "levels"
    __table_args__ = {"sqlite_strict": True}

    promoter_id: Mapped[int] = mapped_column(
        ForeignKey(Promoter.promoter_id), primary_key=True, autoincrement=False
    )
    level_from: Mapped[dt.date] = mapped_column(Day, primary_key=True)
    """The first day of the level."""
    level: Mapped[str] = mapped_column(Words)
    """V0, V1, ... as the platform gave it; imported, never computed."""
    name: Mapped[str] = mapped_column(Words)
    """As it stood in the file."""
    registered_on: Mapped[dt.date] = mapped_column(Day)
    batch_id: Mapped[int] = mapped_column(ForeignKey(Batch.batch_id))
    place: Mapped[int] = mapped_column(WholeNumber)
    """Line in the batch."""


class Violation(Base):
    """A violation of a promoter, one a day."""

    __tablename__ = "violations"
    __table_args__ = {"sqlite_strict": True}

    promoter_id: Mapped[int] = mapped_column(
        ForeignKey(Promoter.promoter_id), primary_key=True, autoincrement=False
    )
    occurred_on: Mapped[dt.date] = mapped_column(Day, primary_key=True)
    reason: Mapped[str] = mapped_column(Words)
    cleared_on: Mapped[dt.date | None] = mapped_column(Day)
    """From this day it no longer counts; null while it stands."""
    batch_id: Mapped[int] = mapped_column(ForeignKey(Batch.batch_id))
    place: Mapped[int] = mapped_column(WholeNumber)
    """Line in the batch."""


class Link(Base):
    """Where the links of one promotion place (p_id) are made."""

    __tablename__ = "links"
    __table_args__ = {"sqlite_strict": True}

    promoter_id: Mapped[int] = mapped_column(
        ForeignKey(Promoter.promoter_id), primary_key=True, autoincrement=False
    )
    p_id: Mapped[str] = mapped_column(Words, primary_key=True)
    channel: Mapped[str] = mapped_column(Words)
    """app or other; a p_id without a row is unknown."""
    batch_id: Mapped[int] = mapped_column(ForeignKey(Batch.batch_id))
    place: Mapped[int] = mapped_column(WholeNumber)
    """Line in the batch."""


class Target(Base):
    """Both targets of a promoter in a period, given by file in place of the terms' own."""

    __tablename__ = "targets"
    __table_args__ = {"sqlite_strict": True}

    promoter_id: Mapped[int] = mapped_column(
        ForeignKey(Promoter.promoter_id), primary_key=True, autoincrement=False
    )
    period: Mapped[str] = mapped_column(Words, primary_key=True)
    """The month, 2022-12."""
    gmv_fen: Mapped[int | None] = mapped_column(WholeNumber)
    """Whole fen; null or 0 is no GMV target."""
    orders: Mapped[int | None] = mapped_column(WholeNumber)
    """Orders; null or 0 is no target of orders."""
    batch_id: Mapped[int] = mapped_column(ForeignKey(Batch.batch_id))
    place: Mapped[int] = mapped_column(WholeNumber)
    """Line in the batch."""
