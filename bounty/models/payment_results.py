"""Payment results: the payer's result files (回单), their rows, and the recorded outcome of each payout.

Rows are written once. The newest outcome of a payout is the valid one.
"""

from sqlalchemy import ForeignKey, ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, Flag, WholeNumber, Words
from bounty.labels import LabelledCode
from bounty.models.accounts import User
from bounty.models.tranches import Payout


class RowVerdict(LabelledCode):
    """Results of matching a row of a payment result file: to one payout, to no known payout, or to more than one."""

    MATCHED = "MATCHED", "已匹配", "matched"
    UNMATCHED = "UNMATCHED", "未匹配", "unmatched"
    AMBIGUOUS = "AMBIGUOUS", "有歧义", "ambiguous"


MATCHED, UNMATCHED, AMBIGUOUS = map(str, RowVerdict)


class Receipt(Base):
    """A payment result file from the payer."""

    __tablename__ = "receipts"
    __table_args__ = {"sqlite_strict": True}

    receipt_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """Sequence number 1, 2, ... without gaps."""
    name: Mapped[str] = mapped_column(Words)
    """The file's name."""
    sha256: Mapped[str] = mapped_column(Words)
    """SHA-256 of the file's bytes, hex."""
    told_sha256: Mapped[str] = mapped_column(Words)
    """SHA-256 of the rows' values in hex, independent of the file format. A file with the same values is the same
    result file, unless more of its rows can be matched now."""
    rows: Mapped[int] = mapped_column(WholeNumber)
    """Number of rows."""
    taken_at: Mapped[int] = mapped_column(WholeNumber)
    """When the file was recorded; epoch seconds."""
    taken_by_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    """The account that recorded it; null for the command line without a log-in."""


class ReceiptRow(Base):
    """One payment as the payer reports it, with the payout that it was matched to."""

    __tablename__ = "receipt_rows"
    __table_args__ = {"sqlite_strict": True}

    receipt_id: Mapped[int] = mapped_column(
        # Deferred: the row of the file is written last; from then on a trigger refuses further rows of the file.
        ForeignKey(Receipt.receipt_id, deferrable=True, initially="DEFERRED"),
        primary_key=True,
        autoincrement=False,
    )
    """The payment result file that contains the row."""
    place: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """The row's line number in the file."""
    shown_account: Mapped[str] = mapped_column(Words)
    """The masked account number, for display."""
    shown_name: Mapped[str] = mapped_column(Words)
    """The masked name, for display."""
    amount_fen: Mapped[int] = mapped_column(WholeNumber)
    """The amount of the payment, whole fen."""
    paid: Mapped[bool] = mapped_column(Flag)
    """True if the payer reports that the payment succeeded."""
    serial: Mapped[str | None] = mapped_column(Words)
    """The payer's serial number of the payment."""
    words: Mapped[str | None] = mapped_column(Words)
    """The payer's reason for a failed payment, as written in the file."""
    verdict: Mapped[str] = mapped_column(Words)
    """One of RowVerdict."""
    payout: Mapped[str | None] = mapped_column(Words)
    """The payout id, as ``P3-1000939``, of a matched row or of a row that names a payout it cannot match; null
    otherwise."""


class PayoutOutcome(Base):
    """An outcome of a payout. The newest one is valid, because a payment that succeeded can bounce later."""

    __tablename__ = "payout_outcomes"
    __table_args__ = (
        ForeignKeyConstraint(
            ["promoter_id", "tranche_id"],
            [Payout.promoter_id, Payout.tranche_id],
            name="fk_payout_outcomes_payouts",
        ),
        ForeignKeyConstraint(
            ["receipt_id", "place"],
            [ReceiptRow.receipt_id, ReceiptRow.place],
            name="fk_payout_outcomes_receipt_rows",
        ),
        {"sqlite_strict": True},
    )

    promoter_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """The promoter of the payout."""
    tranche_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """The tranche of the payout."""
    number: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """Sequence number 1, 2, ... within the payout."""
    paid: Mapped[bool] = mapped_column(Flag)
    """True if the payout was paid; false if it failed, and then its amount carries over into the next tranche."""
    reason: Mapped[str | None] = mapped_column(Words)
    """The reason that the payer gave, or the person who marked the payout by hand."""
    receipt_id: Mapped[int | None] = mapped_column(WholeNumber)
    """The payment result file that reports the outcome; null if a person marked the payout by hand."""
    place: Mapped[int | None] = mapped_column(WholeNumber)
    """The line number in that file; null if a person marked the payout by hand."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    """The account that recorded the outcome; null for the command line without a log-in."""
    told_at: Mapped[int] = mapped_column(WholeNumber)
    """When the outcome was recorded; epoch seconds."""
