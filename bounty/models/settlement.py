"""Settlements: computations of a period with results and lines. Rows are written once."""

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, Flag, WholeNumber, Words
from bounty.models.ingest import Batch
from bounty.models.roster import OpenPeriod


class Settlement(Base):
    """One computation of a period; it is a draft until a notice publishes it."""

    __tablename__ = "settlements"
    __table_args__ = {"sqlite_strict": True}

    settlement_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """Sequence number 1, 2, ... over all periods, without gaps."""
    period: Mapped[str] = mapped_column(ForeignKey(OpenPeriod.period), index=True)
    """The month, as ``2022-12``."""
    settled_at: Mapped[int] = mapped_column(WholeNumber)
    """When the settlement was computed; epoch seconds."""
    as_of_batch_id: Mapped[int | None] = mapped_column(ForeignKey(Batch.batch_id))
    """The newest batch at that time; null if there was none."""
    quarantined: Mapped[int] = mapped_column(WholeNumber)
    """Number of order rows in quarantine at that time that may belong to the month."""
    results_rows: Mapped[int] = mapped_column(WholeNumber)
    """Number of results, one for each promoter of the roster."""
    results_sha256: Mapped[str] = mapped_column(Words)
    """SHA-256 of the bytes of results.csv, hex."""
    lines_rows: Mapped[int] = mapped_column(WholeNumber)
    """Number of lines."""
    lines_sha256: Mapped[str] = mapped_column(Words)
    """SHA-256 of the bytes of subsidy_lines.csv, hex."""
    subsidy_fen: Mapped[int] = mapped_column(WholeNumber)
    """Sum of the lines, whole fen."""
    content_sha256: Mapped[str] = mapped_column(Words)
    """SHA-256 of terms, results and lines together (docs/promises.md, Export files), hex."""
    prepared_by_id: Mapped[int | None] = mapped_column(WholeNumber)
    """The account that computed the settlement and therefore cannot approve it; null for the command line. No foreign
    key: the column was added later, and SQLite would have to rebuild the table and its triggers to add one."""


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
    """The result of one promoter of the roster in a settlement."""

    __tablename__ = "results"
    __table_args__ = (
        # For reading one settlement; the lines are then read promoter by promoter through their primary key.
        Index("ix_results_settlement", "settlement_id", "promoter_id"),
        {"sqlite_strict": True},
    )

    promoter_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """The promoter."""
    settlement_id: Mapped[int] = mapped_column(
        # Deferred: a settlement's row carries the hashes of its results, so it is written after them.
        ForeignKey(Settlement.settlement_id, deferrable=True, initially="DEFERRED"),
        primary_key=True,
    )
    """The settlement."""
    gmv_fen: Mapped[int | None] = mapped_column(WholeNumber)
    """Counted GMV after the cap on each order, whole fen; null if the promoter is not eligible."""
    orders: Mapped[int | None] = mapped_column(WholeNumber)
    """Number of counted orders; null if the promoter is not eligible."""
    passed: Mapped[bool] = mapped_column(Flag)
    """True if the promoter reached the target."""
    rate_permille: Mapped[int | None] = mapped_column(WholeNumber)
    """Rate of the tier reached, whole per mille; null if the promoter did not pass."""
    subsidy_orders: Mapped[int] = mapped_column(WholeNumber)
    """Number of the promoter's lines."""
    subsidy_fen: Mapped[int] = mapped_column(WholeNumber)
    """Sum of the promoter's lines, whole fen."""


class Line(Base):
    """The subsidy that one order earns in a settlement. No foreign keys: five million rows are written at once, and
    `bounty check` compares them with their result and their settlement."""

    __tablename__ = "lines"
    __table_args__ = {"sqlite_strict": True}

    promoter_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """The promoter of the order."""
    settlement_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """The settlement."""
    order_sn: Mapped[str] = mapped_column(Words, primary_key=True)
    """The order number."""
    paid_at: Mapped[int] = mapped_column(WholeNumber)
    """Pay time of the order when the settlement ran; epoch seconds."""
    basis_fen: Mapped[int] = mapped_column(WholeNumber)
    """The amount that the rate was applied to, whole fen."""
    subsidy_fen: Mapped[int] = mapped_column(WholeNumber)
    """The subsidy after both caps, whole fen, positive."""
