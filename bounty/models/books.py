"""Which books these are, whatever their database is called."""

from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, Words


class Books(Base):
    """One row: the name by which the journal outside the database knows these books, and every copy of them."""

    __tablename__ = "books"
    __table_args__ = {"sqlite_strict": True}

    name: Mapped[str] = mapped_column(Words, primary_key=True)
    """16 hex digits, made once at random; of books older than this table, of their first event's hash."""
