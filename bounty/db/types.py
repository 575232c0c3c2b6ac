"""Column types that behave alike on both databases, and the base class of all tables."""

import datetime as dt
from typing import Any

from sqlalchemy import INTEGER, BigInteger, Boolean, Date, Dialect, LargeBinary, MetaData, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeEngine


class Base(DeclarativeBase):
    """The base class of all tables. On SQLite tables are STRICT, so a column refuses values of another type."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(referred_table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        }
    )


WholeNumber = BigInteger().with_variant(INTEGER(), "sqlite")
"""A 64-bit integer: a count, an amount in fen, or an instant in epoch seconds."""

Bytes = LargeBinary()


class Words(TypeDecorator[str]):
    """Text that both databases sort and compare by its bytes, whatever their locale."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text(collation="C") if dialect.name == "postgresql" else Text())

    @property
    def python_type(self) -> type[str]:
        """Text; a decorated type says ``object`` otherwise."""
        return str


class Day(TypeDecorator[dt.date]):
    """A Shanghai date: DATE on PostgreSQL, ISO text on SQLite, which sorts in the same order."""

    impl = Date
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Date() if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: dt.date | None, dialect: Dialect) -> dt.date | str | None:
        if value is None or dialect.name == "postgresql":
            return value
        return value.isoformat()

    def process_result_value(self, value: dt.date | str | None, dialect: Dialect) -> dt.date | None:
        return dt.date.fromisoformat(value) if isinstance(value, str) else value


class Flag(TypeDecorator[bool]):
    """A truth value: BOOLEAN on PostgreSQL, 0 or 1 on SQLite."""

    impl = Boolean
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Boolean() if dialect.name == "postgresql" else INTEGER())

    def process_bind_param(self, value: bool | None, dialect: Dialect) -> bool | int | None:
        return value if value is None or dialect.name == "postgresql" else int(value)

    def process_result_value(self, value: bool | int | None, dialect: Dialect) -> bool | None:
        return None if value is None else bool(value)
