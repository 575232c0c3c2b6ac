"""Orders: every distinct row as received, and the state they fold into."""

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, Bytes, Flag, WholeNumber, Words
from bounty.models.ingest import Batch
from bounty.models.promoters import Promoter


class _Facts:
    """The columns that a received row and a folded order have in common."""

    p_id: Mapped[str] = mapped_column(Words)
    """The promotion place; the promoter is the part before the underscore."""
    goods_name: Mapped[str | None] = mapped_column(Words)
    """For people only; judges nothing."""
    order_status: Mapped[int] = mapped_column(WholeNumber)
    """The platform's code: -1, 0, 1, 2, 3, 4, 5, 8 or 10."""
    order_amount_fen: Mapped[int] = mapped_column(WholeNumber)
    """What was paid, whole fen, after coupons."""
    promotion_amount_fen: Mapped[int] = mapped_column(WholeNumber)
    """The commission, whole fen; stays above 0 on failed orders."""
    type: Mapped[int | None] = mapped_column(WholeNumber)
    """The platform's scene code, such as 94 for recharges; null where the row does not carry it."""
    cat_ids: Mapped[str | None] = mapped_column(Words)
    """Category ids in rising order joined by ``;``, without 0; null where there is none."""
    is_direct: Mapped[int | None] = mapped_column(WholeNumber)
    """1 direct push, 0 not, null unknown (then it is not)."""
    price_compare_status: Mapped[int | None] = mapped_column(WholeNumber)
    """1 price comparison, 0 ordinary, null unknown (then it is ordinary)."""
    created_at: Mapped[int | None] = mapped_column(WholeNumber)
    """Epoch seconds, as all instants here; null while it has not happened. Judges nothing."""
    paid_at: Mapped[int | None] = mapped_column(WholeNumber)
    received_at: Mapped[int | None] = mapped_column(WholeNumber)
    verified_at: Mapped[int | None] = mapped_column(WholeNumber)
    """Of the platform's audit, passed or failed."""
    settled_at: Mapped[int | None] = mapped_column(WholeNumber)
    """Of the commission's settlement."""
    modified_at: Mapped[int] = mapped_column(WholeNumber)
    """The row's own age: of two rows the later is the truer one. Never used as a business instant."""
    return_status: Mapped[int | None] = mapped_column(WholeNumber)
    """After-sale: 0 none, 1 under way, 2 completed; only detail rows carry it."""
    link_made_at: Mapped[int | None] = mapped_column(WholeNumber)
    """When the link was last made; only detail rows carry it."""
    live_room: Mapped[str | None] = mapped_column(Words)
    """The promotion place of the live room it was ordered in (sep_pid), or else the room's promoter (sep_duo_id); null
    for an order of none."""


class OrderVersion(_Facts, Base):
    """A distinct row received for an order; what it says never changes. ``orders`` can be rebuilt from these."""

    __tablename__ = "order_versions"
    __table_args__ = (
        # Whatever decides which row of an order is newest, short of a tie: the fold looks at nothing else.
        Index(
            "ix_order_versions_newest",
            "order_sn",
            "modified_at",
            "order_status",
            "row_hash",
            "is_detail",
            "withdrawn",
        ),
        Index("ix_order_versions_batch", "batch_id", "place"),
        {"sqlite_strict": True},
    )

    promoter_id: Mapped[int] = mapped_column(
        ForeignKey(Promoter.promoter_id), primary_key=True, autoincrement=False
    )
    order_sn: Mapped[str] = mapped_column(Words, primary_key=True)
    row_hash: Mapped[bytes] = mapped_column(Bytes, primary_key=True)
    """16 bytes that stand for the row's content, whichever kind of file brought it."""
    is_detail: Mapped[bool] = mapped_column(Flag)
    """From order.detail.get, which alone tells of after-sales."""
    batch_id: Mapped[int] = mapped_column(ForeignKey(Batch.batch_id))
    """The batch that brought it first."""
    place: Mapped[int] = mapped_column(WholeNumber)
    """Its place in that batch: line, row, or ordinal; of a release, the quarantine's number."""
    raw: Mapped[str] = mapped_column(
        Words, sort_order=1
    )  # the widest comes last: what stands behind is slow to reach
    """The row as it stood."""
    withdrawn: Mapped[bool] = mapped_column(Flag, default=False)
    """Whether every batch that brought it has been undone; such a row folds into nothing."""


class OrderRepeat(Base):
    """A row that a later batch brought again; with it the row outlives the undoing of its first batch."""

    __tablename__ = "order_repeats"
    __table_args__ = (Index("ix_order_repeats_batch", "batch_id"), {"sqlite_strict": True})

    promoter_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    order_sn: Mapped[str] = mapped_column(Words, primary_key=True)
    row_hash: Mapped[bytes] = mapped_column(Bytes, primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey(Batch.batch_id), primary_key=True)
    """The later batch."""
    place: Mapped[int] = mapped_column(WholeNumber)
    """The row's place in it."""


class Order(_Facts, Base):
    """An order as it stands: the fold of its rows (docs/promises.md, The fold)."""

    __tablename__ = "orders"
    __table_args__ = (
        # Not led by the promoter: an order number is one order, whoever brought it (watched by `bounty check`).
        Index("uq_orders_order_sn", "order_sn", unique=True),
        # Whatever the task clauses ask, in one narrow index: a promoter's month is read from it alone.
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
        {"sqlite_strict": True},
    )

    promoter_id: Mapped[int] = mapped_column(
        ForeignKey(Promoter.promoter_id), primary_key=True, autoincrement=False
    )
    order_sn: Mapped[str] = mapped_column(Words, primary_key=True)
    failed_at: Mapped[int | None] = mapped_column(WholeNumber)
    """When it failed by audit, punishment or a completed after-sale; null if its newest rows do not say so."""
    conflicting: Mapped[bool] = mapped_column(Flag)
    """Whether rows of the newest row's time differ in a fact; the fold decides, and it is reported."""
    row_hash: Mapped[bytes] = mapped_column(Bytes)
    """The row that won."""


class CategorySet(Base):
    """One member of a distinct set of categories; so a clause asks once a set, not once an order."""

    __tablename__ = "category_sets"
    __table_args__ = {"sqlite_strict": True}

    cat_ids: Mapped[str] = mapped_column(Words, primary_key=True)
    """The set, as orders carry it."""
    category_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """One of its members."""
