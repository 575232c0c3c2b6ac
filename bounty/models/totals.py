"""Totals of open periods by promoter and day: a projection of orders and links that ``bounty rebuild`` recomputes."""

from sqlalchemy import ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, WholeNumber, Words
from bounty.models.roster import RosterEntry

_CLUSTERED = {"sqlite_strict": True, "sqlite_with_rowid": False}
"""SQLite keeps the rows in the primary key itself, so that a promoter's rows lie together."""


class _Unknowns:
    """Orders of which something is unknown (``rules/unknowns.py``)."""

    received_orders: Mapped[int] = mapped_column(WholeNumber, sort_order=1)
    """Orders whose status says that they were received."""
    receipt_unknown: Mapped[int] = mapped_column(WholeNumber, sort_order=1)
    """Of these, without the time."""
    category_unknown: Mapped[int] = mapped_column(WholeNumber, sort_order=1)
    """Orders without a category."""
    type_unknown: Mapped[int] = mapped_column(WholeNumber, sort_order=1)
    """Orders without a type."""
    price_compare_unknown: Mapped[int] = mapped_column(WholeNumber, sort_order=1)
    """Orders without a price-comparison state."""
    link_unknown: Mapped[int] = mapped_column(WholeNumber, sort_order=1)
    """Orders whose promotion link has no known channel."""


class DailyProgress(_Unknowns, Base):
    """The orders paid on one day of a period, of one promoter on its roster, by verdict; no row where there are none.

    Task clauses decide the verdict, whatever the time is.
    """

    __tablename__ = "daily_progress"
    __table_args__ = (
        ForeignKeyConstraint(
            ["promoter_id", "period"],
            [RosterEntry.promoter_id, RosterEntry.period],
            name="fk_daily_progress_roster",
        ),
        _CLUSTERED,
    )

    period: Mapped[str] = mapped_column(Words, primary_key=True)
    """The period, as ``2022-12``."""
    promoter_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """The promoter whose orders they are."""
    day: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """The Shanghai day on which they were paid, counted from 1 on the first day of the period."""
    verdict: Mapped[str] = mapped_column(Words, primary_key=True)
    """COUNTED, PENDING, or the code of the first task clause that fails."""
    orders: Mapped[int] = mapped_column(WholeNumber)
    amount_fen: Mapped[int] = mapped_column(WholeNumber)
    """Paid for them, whole fen."""
    capped_fen: Mapped[int] = mapped_column(WholeNumber)
    """The same with each order at most the order cap of the task, whole fen."""


class DailySubsidy(Base):
    """What the orders paid on one day of a period earn one promoter at one tier, before the promoter cap; no row where
    they earn nothing."""

    __tablename__ = "daily_subsidy"
    __table_args__ = (
        ForeignKeyConstraint(
            ["promoter_id", "period"],
            [RosterEntry.promoter_id, RosterEntry.period],
            name="fk_daily_subsidy_roster",
        ),
        _CLUSTERED,
    )

    period: Mapped[str] = mapped_column(Words, primary_key=True)
    """The period, as ``2022-12``."""
    promoter_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """The promoter whose orders they are."""
    day: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """As in ``daily_progress``."""
    tier: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """The place of the tier in the terms, from 0."""
    orders: Mapped[int] = mapped_column(WholeNumber)
    """That earn above 0."""
    basis_fen: Mapped[int] = mapped_column(WholeNumber)
    """What the rate is taken of, of these orders, whole fen."""
    earned_fen: Mapped[int] = mapped_column(WholeNumber)
    """Each order's share at the tier's rate, at most the order cap of the subsidy, whole fen."""


class PromoterProgress(_Unknowns, Base):
    """What the days of a period come to for one promoter: one row for each entry of the roster."""

    __tablename__ = "promoter_progress"
    __table_args__ = (
        ForeignKeyConstraint(
            ["promoter_id", "period"],
            [RosterEntry.promoter_id, RosterEntry.period],
            name="fk_promoter_progress_roster",
        ),
        _CLUSTERED,
    )

    period: Mapped[str] = mapped_column(Words, primary_key=True)
    """The period, as ``2022-12``."""
    promoter_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """The promoter of the entry."""
    gmv_fen: Mapped[int] = mapped_column(WholeNumber)
    """Of orders that count, each at most the order cap, whole fen."""
    orders: Mapped[int] = mapped_column(WholeNumber)
    """Orders that count."""
    pending_fen: Mapped[int] = mapped_column(WholeNumber)
    """Of orders that count once they are received, each at most the order cap, whole fen."""
    pending_orders: Mapped[int] = mapped_column(WholeNumber)
    """Orders that count once they are received."""
    window_orders: Mapped[int] = mapped_column(WholeNumber)
    """Orders paid in the task window, whether they count or not."""
    paid_orders: Mapped[int] = mapped_column(WholeNumber)
    """Orders paid in the period."""


class PromoterSubsidy(Base):
    """What the days of a period earn one promoter at one tier: one row for each entry of the roster and tier."""

    __tablename__ = "promoter_subsidy"
    __table_args__ = (
        ForeignKeyConstraint(
            ["promoter_id", "period"],
            [RosterEntry.promoter_id, RosterEntry.period],
            name="fk_promoter_subsidy_roster",
        ),
        _CLUSTERED,
    )

    period: Mapped[str] = mapped_column(Words, primary_key=True)
    """The period, as ``2022-12``."""
    promoter_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """The promoter of the entry."""
    tier: Mapped[int] = mapped_column(WholeNumber, primary_key=True, autoincrement=False)
    """The place of the tier in the terms, from 0."""
    earned_fen: Mapped[int] = mapped_column(WholeNumber)
    """Before the promoter cap, whole fen."""
    orders: Mapped[int] = mapped_column(WholeNumber)
    """That are given something under the promoter cap."""
    basis_fen: Mapped[int] = mapped_column(WholeNumber)
    """What the rate is taken of, of these orders, whole fen."""
    subsidy_fen: Mapped[int] = mapped_column(WholeNumber)
    """What they are given, whole fen."""
