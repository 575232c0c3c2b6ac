"""The identity of these books, independent of the database's name."""

from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, Words


class Books(Base):
    """One row with the name that identifies these books and all their copies in the journal outside the database."""

    __tablename__ = "books"
    __table_args__ = {"sqlite_strict": True}

    name: Mapped[str] = mapped_column(Words, primary_key=True)
    """16 random hex digits; for books that are older than this table, from the hash of their first audit event."""
