"""Settlements: one computation of a period each, its results and its lines. Written once."""

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, Flag, WholeNumber, Words
from bounty.models.ingest import Batch
from bounty.models.roster import OpenPeriod


class Settlement(Base):
    """One computation of a period; a draft until a notice names it."""

    __tablename__ = "settlements"
    __table_args__ = {"sqlite_strict": True}

    settlement_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """Numbered over all periods, without gaps."""
    period: Mapped[str] = mapped_column(ForeignKey(OpenPeriod.period), index=True)
    settled_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds."""
    as_of_batch_id: Mapped[int | None] = mapped_column(ForeignKey(Batch.batch_id))
    """The newest batch it knew."""
    quarantined: Mapped[int] = mapped_column(WholeNumber)
    """Order rows that waited in quarantine and may concern the month."""
    results_rows: Mapped[int] = mapped_column(WholeNumber)
    results_sha256: Mapped[str] = mapped_column(Words)
    """Of the bytes of results.csv, hex."""
    lines_rows: Mapped[int] = mapped_column(WholeNumber)
    lines_sha256: Mapped[str] = mapped_column(Words)
    """Of the bytes of subsidy_lines.csv, hex."""
    subsidy_fen: Mapped[int] = mapped_column(WholeNumber)
    """The sum of the lines, whole fen."""
    content_sha256: Mapped[str] = mapped_column(Words)
    """Of terms, results and lines together (docs/promises.md, Export files); hex."""
    prepared_by_id: Mapped[int | None] = mapped_column(WholeNumber)
    """The account that ran it, which can't approve it; null for the command line. Without a foreign key: the column
    came later, and SQLite would rebuild the table, guards and all, for it."""


class KnownNotice(Base):
    """A notice of another programme that stood when a settlement of exclusive terms ran: an order with a line in it
    earned nothing there."""

    __tablename__ = "known_notices"
    __table_args__ = {"sqlite_strict": True}

    settlement_id: Mapped[int] = mapped_column(
        ForeignKey(Settlement.settlement_id), primary_key=True, autoincrement=False
    )
    other_id: Mapped[int] = mapped_column(
        ForeignKey(Settlement.settlement_id, name="fk_known_notices_other"),
        primary_key=True,
        autoincrement=False,
    )
    """The settlement that the notice published."""


class Result(Base):
    """What a settlement says of one promoter of the roster."""

    __tablename__ = "results"
    __table_args__ = (
        # A settlement is read through this index; its lines then promoter by promoter.
        Index("ix_results_settlement", "settlement_id", "promoter_id"),
        {"sqlite_strict": True},
    )

    promoter_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    settlement_id: Mapped[int] = mapped_column(
        # Deferred: a settlement's row carries the hashes of its results, so it is written after them.
        ForeignKey(Settlement.settlement_id, deferrable=True, initially="DEFERRED"),
        primary_key=True,
    )
    gmv_fen: Mapped[int | None] = mapped_column(WholeNumber)
    """Counted, whole fen, after the order cap; null for who is not eligible, as the three below."""
    orders: Mapped[int | None] = mapped_column(WholeNumber)
    """Counted orders."""
    passed: Mapped[bool] = mapped_column(Flag)
    rate_permille: Mapped[int | None] = mapped_column(WholeNumber)
    """Of the tier reached; null for who did not pass."""
    subsidy_orders: Mapped[int] = mapped_column(WholeNumber)
    """How many lines."""
    subsidy_fen: Mapped[int] = mapped_column(WholeNumber)
    """The sum of the lines, whole fen."""


class Line(Base):
    """What one order earns in a settlement. Without foreign keys: five million are written at once, and `bounty
    check` holds them against their result and their settlement."""

    __tablename__ = "lines"
    __table_args__ = {"sqlite_strict": True}

    promoter_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    settlement_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    order_sn: Mapped[str] = mapped_column(Words, primary_key=True)
    paid_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds, as it was when the settlement ran."""
    basis_fen: Mapped[int] = mapped_column(WholeNumber)
    """What the rate was taken of, whole fen."""
    subsidy_fen: Mapped[int] = mapped_column(WholeNumber)
    """Whole fen, above 0, after both caps."""
