"""Orders: every distinct row received, and the order state folded from these rows."""

from sqlalchemy import ForeignKey, Index, PrimaryKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, Bytes, Flag, WholeNumber, Words
from bounty.models.ingest import Batch
from bounty.models.promoters import Promoter


class _Facts:
    """The columns that received rows and folded orders have in common."""

    p_id: Mapped[str] = mapped_column(Words)
    """The promotion link ID (推广位ID); the part before the underscore is the promoter's id."""
    goods_name: Mapped[str | None] = mapped_column(Words)
    """The name of the goods, for display only; no rule uses it."""
    order_status: Mapped[int] = mapped_column(WholeNumber)
    """The platform's status code: -1, 0, 1, 2, 3, 4, 5, 8 or 10."""
    order_amount_fen: Mapped[int] = mapped_column(WholeNumber)
    """The amount paid after coupons, whole fen."""
    promotion_amount_fen: Mapped[int] = mapped_column(WholeNumber)
    """The commission, whole fen; it stays positive on failed orders."""
    type: Mapped[int | None] = mapped_column(WholeNumber)
    """The platform's scene code, such as 94 for recharges; null if the row has none."""
    cat_ids: Mapped[str | None] = mapped_column(Words)
    """Category ids without 0, ascending, joined by ``;``; null if there are none."""
    is_direct: Mapped[int | None] = mapped_column(WholeNumber)
    """1 for a direct push (直推), 0 otherwise, null if unknown, which the rules treat as 0."""
    price_compare_status: Mapped[int | None] = mapped_column(WholeNumber)
    """1 for a price comparison order (比价订单), 0 otherwise, null if unknown, which the rules treat as 0."""
    created_at: Mapped[int | None] = mapped_column(WholeNumber)
    """When the order was created; epoch seconds; null if unknown. No rule uses it."""
    paid_at: Mapped[int | None] = mapped_column(WholeNumber)
    """When the buyer paid; epoch seconds; null before."""
    received_at: Mapped[int | None] = mapped_column(WholeNumber)
    """When the buyer confirmed receipt (确认收货); epoch seconds; null before."""
    verified_at: Mapped[int | None] = mapped_column(WholeNumber)
    """When the platform's audit passed or failed the order; epoch seconds; null before."""
    settled_at: Mapped[int | None] = mapped_column(WholeNumber)
    """When the platform settled the commission; epoch seconds; null before."""
    modified_at: Mapped[int] = mapped_column(WholeNumber)
    """When the platform last changed the row; epoch seconds. It only decides which of two rows is newer."""
    return_status: Mapped[int | None] = mapped_column(WholeNumber)
    """After-sales status: 0 none, 1 in progress, 2 completed; null except in rows of ``order.detail.get``."""
    link_made_at: Mapped[int | None] = mapped_column(WholeNumber)
    """When the promotion link was last generated; epoch seconds; null except in rows of ``order.detail.get``."""
    live_room: Mapped[str | None] = mapped_column(Words)
    """The live room of the order: its promotion link ID (sep_pid), or else its promoter (sep_duo_id); null if none."""


class OrderVersion(_Facts, Base):
    """A distinct row received for an order. Its facts never change, and ``orders`` can be rebuilt from these rows."""

    __tablename__ = "order_versions"
    __table_args__ = (
        # Led by the order number, which begins with its date: an import writes beside what it wrote last, and the fold
        # finds an order's rows. Led by the promoter, it was written all over (docs/decisions/48).
        PrimaryKeyConstraint("order_sn", "row_hash", "promoter_id"),
        Index("ix_order_versions_batch", "batch_id", "place"),
        {"sqlite_strict": True},
    )

    promoter_id: Mapped[int] = mapped_column(ForeignKey(Promoter.promoter_id), autoincrement=False)
    order_sn: Mapped[str] = mapped_column(Words)
    row_hash: Mapped[bytes] = mapped_column(Bytes)
    """16-byte hash of the row's facts, independent of the file format."""
    is_detail: Mapped[bool] = mapped_column(Flag)
    """True if the row comes from ``order.detail.get``, the only source of after-sales facts."""
    batch_id: Mapped[int] = mapped_column(ForeignKey(Batch.batch_id))
    """The first batch that contained the row."""
    place: Mapped[int] = mapped_column(WholeNumber)
    """The row's line, row or ordinal in that batch; for a release, its ``quarantine_id``. With the batch it names the
    row's text in ``received_texts``."""
    withdrawn: Mapped[bool] = mapped_column(Flag, default=False)
    """True if every batch that contained the row was undone; the fold ignores such a row."""


class ReceivedTexts(Base):
    """The texts of many rows of a batch, as received; ``order_versions`` names each by its batch and place."""

    __tablename__ = "received_texts"
    __table_args__ = {"sqlite_strict": True}

    batch_id: Mapped[int] = mapped_column(ForeignKey(Batch.batch_id), primary_key=True, autoincrement=False)
    first_place: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """The place of the first row in the record; the next record begins behind its last."""
    texts: Mapped[bytes] = mapped_column(Bytes)
    """A JSON list of [place, text], compressed by zlib (``orders.received_texts``)."""


class OrderRepeat(Base):
    """A further batch that contained an already known row. Because of it the row stays valid when its first batch is
    undone."""

    __tablename__ = "order_repeats"
    __table_args__ = (Index("ix_order_repeats_batch", "batch_id"), {"sqlite_strict": True})

    promoter_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    order_sn: Mapped[str] = mapped_column(Words, primary_key=True)
    row_hash: Mapped[bytes] = mapped_column(Bytes, primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey(Batch.batch_id), primary_key=True)
    """The later batch."""
    place: Mapped[int] = mapped_column(WholeNumber)
    """The row's line, row or ordinal in the later batch."""


class Order(_Facts, Base):
    """The present state of an order, folded from its rows (docs/promises.md, The fold)."""

    __tablename__ = "orders"
    __table_args__ = (
        PrimaryKeyConstraint("order_sn", "promoter_id"),
        # Without promoter_id: an order number identifies one order over all promoters (`bounty check` verifies it).
        Index("uq_orders_order_sn", "order_sn", unique=True),
        # All columns that the task clauses use, so a promoter's month is an index-only scan.
        Index(
            "ix_orders_task",
            "promoter_id",
            "paid_at",
            "order_amount_fen",
            "order_status",
            "is_direct",
            "type",
            "cat_ids",
            "price_compare_status",
            "failed_at",
            "received_at",
            "live_room",
        ),
        # SQLite keeps the rows themselves by the primary key.
        {"sqlite_strict": True, "sqlite_with_rowid": False},
    )

    promoter_id: Mapped[int] = mapped_column(ForeignKey(Promoter.promoter_id), autoincrement=False)
    order_sn: Mapped[str] = mapped_column(Words)
    failed_at: Mapped[int | None] = mapped_column(WholeNumber)
    """When the order failed by audit, punishment or a completed after-sale, by its newest rows; epoch seconds; null if
    it did not fail."""
    conflicting: Mapped[bool] = mapped_column(Flag)
    """True if several rows share the newest ``modified_at`` and differ in a fact. The fold picks one, and `bounty
    check` reports the order."""
    row_hash: Mapped[bytes] = mapped_column(Bytes)
    """``row_hash`` of the newest row, whose facts the order has."""


class CategorySet(Base):
    """One category of a distinct ``cat_ids`` value, so that clauses search distinct values instead of all orders."""

    __tablename__ = "category_sets"
    __table_args__ = {"sqlite_strict": True}

    cat_ids: Mapped[str] = mapped_column(Words, primary_key=True)
    """The value of ``orders.cat_ids``."""
    category_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """One category id in it."""
