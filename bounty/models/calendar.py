"""Calendar jobs that have run, and the worker's last run of the calendar."""

from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, WholeNumber, Words


class Slot(Base):
    """A calendar job that ran for one month or day. The row is written in the transaction of the job's effect, so that
    a job runs once."""

    __tablename__ = "slots"
    __table_args__ = {"sqlite_strict": True}

    job: Mapped[str] = mapped_column(Words, primary_key=True)
    """One of ``calendar.jobs.JOBS``."""
    slot: Mapped[str] = mapped_column(Words, primary_key=True)
    """The month or day that the job ran for, as ``2022-12`` or ``2023-01-07``."""
    due_at: Mapped[int] = mapped_column(WholeNumber)
    """When the job became due; epoch seconds."""
    done_at: Mapped[int] = mapped_column(WholeNumber)
    """When the job finished; epoch seconds."""
    outcome: Mapped[str] = mapped_column(Words)
    """The job's result as an English sentence."""


class WorkerWake(Base):
    """The newest run of the calendar by a worker, in one row. It shows whether a worker is running."""

    __tablename__ = "worker_wakes"
    __table_args__ = {"sqlite_strict": True}

    job: Mapped[str] = mapped_column(Words, primary_key=True)
    """``calendar``."""
    woken_at: Mapped[int] = mapped_column(WholeNumber)
    """When the run ended; epoch seconds."""
