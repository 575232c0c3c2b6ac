"""What the calendar asked for and was done, and when the worker last looked."""

from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, WholeNumber, Words


class Slot(Base):
    """A job of the calendar that was done for one month or day: once, in the transaction of its effect."""

    __tablename__ = "slots"
    __table_args__ = {"sqlite_strict": True}

    job: Mapped[str] = mapped_column(Words, primary_key=True)
    """One of ``calendar.jobs.JOBS``."""
    slot: Mapped[str] = mapped_column(Words, primary_key=True)
    """The month or the day that it was done for, as ``2022-12`` or ``2023-01-07``."""
    due_at: Mapped[int] = mapped_column(WholeNumber)
    """From when on the calendar asked for it; epoch seconds."""
    done_at: Mapped[int] = mapped_column(WholeNumber)
    outcome: Mapped[str] = mapped_column(Words)
    """What it came to, in English."""


class WorkerWake(Base):
    """The newest wake of the worker for the calendar: one row. Without it nobody knows whether a worker runs."""

    __tablename__ = "worker_wakes"
    __table_args__ = {"sqlite_strict": True}

    job: Mapped[str] = mapped_column(Words, primary_key=True)
    """``calendar``."""
    woken_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds."""
