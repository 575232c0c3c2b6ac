"""Forecasts of open periods, flags about promoters, and payouts that a person holds for a review."""

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, WholeNumber, Words
from bounty.labels import LabelledCode
from bounty.models.accounts import User
from bounty.models.promoters import Promoter
from bounty.models.roster import OpenPeriod


class AnomalyCode(LabelledCode):
    """What orders have in common that make an unusual share of a promoter's period."""

    NEAR_CAP = (
        "NEAR_CAP",
        "同一类目，金额贴近单笔封顶（封顶金额的 95% 至 100%）",
        "of one category, with amounts just under what meets the order cap (95 to 100 % of it)",
    )
    LAST_HOURS = "LAST_HOURS", "任务期最后 6 小时集中付款", "paid in the last 6 hours of the task window"
    REFUNDS_AFTER_CUTOFF = (
        "REFUNDS_AFTER_CUTOFF",
        "收货截止后退款或失败",
        "refunded or failed after the receipt cutoff",
    )
    INSTANT_RECEIPT = "INSTANT_RECEIPT", "付款后 10 分钟内确认收货", "received within 10 minutes of payment"
    PRICE_COMPARISON = "PRICE_COMPARISON", "比价订单", "price-comparison orders"


class PeriodForecast(Base):
    """The forecast of a period as of an instant, and, once the period is published, how good it was."""

    __tablename__ = "forecasts"
    __table_args__ = {"sqlite_strict": True}

    period: Mapped[str] = mapped_column(ForeignKey(OpenPeriod.period), primary_key=True)
    """The period, as ``2022-12``."""
    as_of: Mapped[int] = mapped_column(WholeNumber, primary_key=True)
    """The instant whose facts were known; epoch seconds."""
    seed: Mapped[int] = mapped_column(WholeNumber)
    """Of the random draws: the same facts and seed give the same forecast."""
    promoters: Mapped[int] = mapped_column(WholeNumber)
    """Eligible promoters of the roster."""
    history_months: Mapped[int] = mapped_column(WholeNumber)
    """Past months that it learnt from."""
    passes: Mapped[int] = mapped_column(WholeNumber)
    """Expected promoters who pass."""
    passes_low: Mapped[int] = mapped_column(WholeNumber)
    passes_high: Mapped[int] = mapped_column(WholeNumber)
    """A tenth of the draws is above."""
    committed_fen: Mapped[int] = mapped_column(WholeNumber)
    """The subsidy of who passes already, on the orders that count now, whole fen."""
    subsidy_fen: Mapped[int] = mapped_column(WholeNumber)
    """Expected, whole fen."""
    subsidy_low_fen: Mapped[int] = mapped_column(WholeNumber)
    subsidy_high_fen: Mapped[int] = mapped_column(WholeNumber)
    scored_promoters: Mapped[int | None] = mapped_column(WholeNumber)
    """Promoters whose published result it was compared with; null before there is a notice."""
    brier_millionths: Mapped[int | None] = mapped_column(WholeNumber)
    """The mean squared error of the probabilities; null before there is a notice."""
    ranges_held: Mapped[int | None] = mapped_column(WholeNumber)
    """Promoters whose published GMV lay in the range; null before there is a notice."""


class PromoterForecast(Base):
    """The forecast of one promoter. Money is whole fen; a range leaves a tenth of the draws below and a tenth above."""

    __tablename__ = "promoter_forecasts"
    __table_args__ = (
        ForeignKeyConstraint(
            ["period", "as_of"],
            [PeriodForecast.period, PeriodForecast.as_of],
            name="fk_promoter_forecasts_forecasts",
        ),
        {"sqlite_strict": True},
    )

    promoter_id: Mapped[int] = mapped_column(
        ForeignKey(Promoter.promoter_id), primary_key=True, autoincrement=False
    )
    period: Mapped[str] = mapped_column(Words, primary_key=True)
    as_of: Mapped[int] = mapped_column(WholeNumber, primary_key=True)
    probability_permille: Mapped[int] = mapped_column(WholeNumber)
    """Of passing."""
    gmv_low_fen: Mapped[int] = mapped_column(WholeNumber)
    gmv_fen: Mapped[int] = mapped_column(WholeNumber)
    """The median."""
    gmv_high_fen: Mapped[int] = mapped_column(WholeNumber)
    orders_low: Mapped[int] = mapped_column(WholeNumber)
    orders: Mapped[int] = mapped_column(WholeNumber)
    orders_high: Mapped[int] = mapped_column(WholeNumber)
    subsidy_low_fen: Mapped[int] = mapped_column(WholeNumber)
    subsidy_fen: Mapped[int] = mapped_column(WholeNumber)
    """The mean."""
    subsidy_high_fen: Mapped[int] = mapped_column(WholeNumber)
    counted_gmv_fen: Mapped[int] = mapped_column(WholeNumber)
    counted_orders: Mapped[int] = mapped_column(WholeNumber)
    pending_gmv_fen: Mapped[int] = mapped_column(WholeNumber)
    pending_orders: Mapped[int] = mapped_column(WholeNumber)
    failed_gmv_fen: Mapped[int] = mapped_column(WholeNumber)
    """Of orders that would count, had they not been refunded or failed."""
    failed_orders: Mapped[int] = mapped_column(WholeNumber)
    needed_orders: Mapped[int] = mapped_column(WholeNumber)
    """The smallest number of pending orders that reaches the target; 0 where none is needed or all are too few."""
    nudge_orders: Mapped[int] = mapped_column(WholeNumber)
    """Largest pending orders whose receipt moves the probability."""
    nudge_permille: Mapped[int] = mapped_column(WholeNumber)
    """The probability once these are received."""


class Anomaly(Base):
    """A flag about a promoter's orders of a period: a hint for a person, which by itself changes nothing."""

    __tablename__ = "anomalies"
    __table_args__ = {"sqlite_strict": True}

    promoter_id: Mapped[int] = mapped_column(
        ForeignKey(Promoter.promoter_id), primary_key=True, autoincrement=False
    )
    period: Mapped[str] = mapped_column(ForeignKey(OpenPeriod.period), primary_key=True)
    code: Mapped[str] = mapped_column(Words, primary_key=True)
    """One of AnomalyCode."""
    found_at: Mapped[int] = mapped_column(WholeNumber)
    """The instant whose facts were known; epoch seconds."""
    orders: Mapped[int] = mapped_column(WholeNumber)
    """The promoter's orders that show it."""
    of_orders: Mapped[int] = mapped_column(WholeNumber)
    """Of so many."""
    norm_permille: Mapped[int] = mapped_column(WholeNumber)
    """The same share over all promoters of the period, whole per mille."""


class PayoutHold(Base):
    """A person's decision that the lines of a promoter's period are not paid while they are reviewed. Written once."""

    __tablename__ = "payout_holds"
    __table_args__ = {"sqlite_strict": True}

    promoter_id: Mapped[int] = mapped_column(
        ForeignKey(Promoter.promoter_id), primary_key=True, autoincrement=False
    )
    period: Mapped[str] = mapped_column(ForeignKey(OpenPeriod.period), primary_key=True)
    number: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """Sequence number 1, 2, ... within promoter and period."""
    reason: Mapped[str] = mapped_column(Words)
    """The person's words, which the promoter sees."""
    due_at: Mapped[int] = mapped_column(WholeNumber)
    """Until when the review is to be over; epoch seconds. The promoter sees it."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    """The account that held it; null for the command line."""
    held_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds."""


class PayoutHoldStep(Base):
    """A step towards the end of a hold. Written once."""

    __tablename__ = "payout_hold_steps"
    __table_args__ = (
        ForeignKeyConstraint(
            ["promoter_id", "period", "number"],
            [PayoutHold.promoter_id, PayoutHold.period, PayoutHold.number],
            name="fk_payout_hold_steps_payout_holds",
        ),
        CheckConstraint("step IN ('ASKED', 'RELEASED')", name="step"),
        {"sqlite_strict": True},
    )

    promoter_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    period: Mapped[str] = mapped_column(Words, primary_key=True)
    number: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    step: Mapped[str] = mapped_column(Words, primary_key=True)
    """``ASKED``: a person asks for the release; ``RELEASED``: the lines may be paid, which is final."""
    reason: Mapped[str] = mapped_column(Words)
    """The person's words."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    """The account that did it; null for the command line."""
    taken_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds."""
