"""Notices: published settlements, the order-level changes between two notices, and the chain of statements."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, WholeNumber, Words
from bounty.labels import LabelledCode
from bounty.models.roster import OpenPeriod
from bounty.models.settlement import Settlement


class Notice(Base):
    """A published settlement, numbered within its period."""

    __tablename__ = "notices"
    __table_args__ = {"sqlite_strict": True}

    period: Mapped[str] = mapped_column(ForeignKey(OpenPeriod.period), primary_key=True)
    """The month, as ``2022-12``."""
    notice: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """Sequence number 1, 2, ... within the period."""
    settlement_id: Mapped[int] = mapped_column(ForeignKey(Settlement.settlement_id), unique=True)
    """The published settlement."""
    published_at: Mapped[int] = mapped_column(WholeNumber)
    """When it was published; epoch seconds."""


class ChangeCause(LabelledCode):
    """Why a notice judges an order otherwise than the one before, as a sentence."""

    VIOLATION = "VIOLATION", "事后查实违规，达标被取消", "a violation found later: the pass was taken back"
    NEW_DATA = (
        "NEW_DATA",
        "新数据：当时还没有的订单、收货或结算",
        "new data: an order, receipt or settlement not known then",
    )
    LATE_FAILURE = "LATE_FAILURE", "之后退款、审核失败或处罚", "refunded, failed or punished since"
    CORRECTION = (
        "CORRECTION",
        "更正：金额、类目、直推、归属或链接登记改了",
        "a correction: amount, category, direct push, owner or link",
    )
    RESULT = "RESULT", "本人的结果因其他订单而变", "the promoter's own result changed through other orders"


class NoticeChange(Base):
    """An order whose result in a notice differs from the previous notice of the period, with the cause."""

    __tablename__ = "notice_changes"
    __table_args__ = {"sqlite_strict": True}

    promoter_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """The promoter of the order."""
    settlement_id: Mapped[int] = mapped_column(ForeignKey(Settlement.settlement_id), primary_key=True)
    """The settlement of the newer notice."""
    order_sn: Mapped[str] = mapped_column(Words, primary_key=True)
    """The order number."""
    cause: Mapped[str] = mapped_column(Words)
    """One of ``ChangeCause``; ``RESULT`` if the order itself did not change and only the promoter's result changed its
    line."""
    was_counted_fen: Mapped[int | None] = mapped_column(WholeNumber)
    """GMV that the order counted in the previous notice, whole fen; null if it did not count."""
    now_counted_fen: Mapped[int | None] = mapped_column(WholeNumber)
    """GMV that the order counts in the newer notice, whole fen; null if it does not count."""
    was_subsidy_fen: Mapped[int] = mapped_column(WholeNumber)
    """Subsidy of the order in the previous notice, whole fen; 0 if it had no line."""
    now_subsidy_fen: Mapped[int] = mapped_column(WholeNumber)
    """Subsidy of the order in the newer notice, whole fen; 0 if it has no line."""


class NoticeStatement(Base):
    """The statement of a published notice. It contains the hash of the previous statement, so the statements form a
    chain that anyone can verify."""

    __tablename__ = "notice_statements"
    __table_args__ = {"sqlite_strict": True}

    number: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """Sequence number 1, 2, ... over all periods in order of publication, without gaps."""
    settlement_id: Mapped[int] = mapped_column(ForeignKey(Settlement.settlement_id), unique=True)
    """The settlement that the notice published."""
    statement: Mapped[str] = mapped_column(Words)
    """Canonical JSON: period, notice, terms, as-of, counts, sums, hashes, and the previous statement's hash."""
    sha256: Mapped[str] = mapped_column(Words)
    """SHA-256 of the statement's bytes, hex."""
