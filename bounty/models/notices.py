"""Notices: published settlements, and what each changed of the one before."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, WholeNumber, Words
from bounty.models.roster import OpenPeriod
from bounty.models.settlement import Settlement


class Notice(Base):
    """A published settlement, numbered within its period."""

    __tablename__ = "notices"
    __table_args__ = {"sqlite_strict": True}

    period: Mapped[str] = mapped_column(ForeignKey(OpenPeriod.period), primary_key=True)
    notice: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """1, 2, ... within the period."""
    settlement_id: Mapped[int] = mapped_column(ForeignKey(Settlement.settlement_id), unique=True)
    published_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds."""


class NoticeChange(Base):
    """An order that a notice judges otherwise than the notice before it, and why."""

    __tablename__ = "notice_changes"
    __table_args__ = {"sqlite_strict": True}

    promoter_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    settlement_id: Mapped[int] = mapped_column(ForeignKey(Settlement.settlement_id), primary_key=True)
    """The later settlement."""
    order_sn: Mapped[str] = mapped_column(Words, primary_key=True)
    cause: Mapped[str] = mapped_column(Words)
    """VIOLATION, NEW_DATA, LATE_FAILURE, CORRECTION, or RESULT where only the promoter's result moved the line."""
    was_counted_fen: Mapped[int | None] = mapped_column(WholeNumber)
    """What it counted to GMV before, whole fen; null where it did not count."""
    now_counted_fen: Mapped[int | None] = mapped_column(WholeNumber)
    was_subsidy_fen: Mapped[int] = mapped_column(WholeNumber)
    """Its line before, whole fen; 0 where there was none."""
    now_subsidy_fen: Mapped[int] = mapped_column(WholeNumber)
