"""Arithmetic and order in SQL that come out the same on every database: sums, parts, rounding, the lesser, by bytes.

Nowhere else: PostgreSQL's sum of BIGINT is NUMERIC, and then divides otherwise; its LEAST overlooks NULL, where the
min of SQLite makes NULL of it; and text sorts by the server's locale.
"""

from sqlalchemy import ColumnElement, case, cast, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import Text

from bounty.db import WholeNumber

Whole = ColumnElement[int]


def sum_or_zero(amounts: ColumnElement[int]) -> Whole:
    """The sum over rows as a whole number; 0 over none."""
    return cast(func.coalesce(func.sum(amounts), 0), WholeNumber)


def running_total(
    amounts: Whole, within: Whole | tuple[Whole, ...], *order: ColumnElement[int] | ColumnElement[str]
) -> Whole:
    """The sum of amounts up to and with each row, in an order, within each value of ``within``."""
    return cast(func.sum(amounts).over(partition_by=within, order_by=order, rows=(None, 0)), WholeNumber)


def count_where(condition: ColumnElement[bool]) -> Whole:
    """How many rows hold a condition."""
    return sum_or_zero(case((condition, 1), else_=0))


def capped_at(amount: Whole, cap: int | None) -> Whole:
    """The amount, at most the cap; the amount itself without a cap, and null if it is null."""
    return amount if cap is None else case((amount > cap, cap), else_=amount)


def whole_part(amount: Whole, divisor: int) -> Whole:
    """The whole part of a division of a number that is not negative (both databases truncate whole numbers)."""
    return amount.op("/", precedence=8, return_type=WholeNumber)(divisor)


def myriads_of(measured: Whole, target: Whole) -> Whole:
    """measured / target in ten-thousandths, the rest cut off; null without a target. Below 1.0000 it is below 10000.

    measured   at most 9 x 10^14
    """
    return (measured * 10_000).op("/", precedence=8, return_type=WholeNumber)(target)


def share_half_even(amount: Whole, permille: Whole) -> Whole:
    """``amount x permille / 1000`` in whole fen, ties to the even fen; the amount is not negative.

    The same rounding as ``money.share``; the tests compare the two.
    """
    product = amount * permille
    whole = whole_part(product, 1000)
    rest = product % 1000
    return whole + case((rest > 500, 1), (rest < 500, 0), else_=whole % 2)


def reaches(measured: Whole, target: Whole, at: int) -> ColumnElement[bool]:
    """Whether measured / target >= at, exactly.

    at      ten-thousandths; target above 0. The product is split so that 10^14 fen x 100 stays in 64 bits.
    """
    least = whole_part(target, 10_000) * at + whole_part((target % 10_000) * at + 9_999, 10_000)
    return measured >= least


class by_bytes(GenericFunction[str]):
    """A text made in SQL, to be compared by its bytes. Columns of type ``Words`` are so by themselves."""

    type = Text()
    inherit_cache = True


@compiles(by_bytes, "postgresql")
def _by_bytes_postgresql(element: by_bytes, compiler: SQLCompiler, **kw: object) -> str:
    return f'({compiler.process(element.clauses, **kw)}) COLLATE "C"'


@compiles(by_bytes, "sqlite")
def _by_bytes_sqlite(element: by_bytes, compiler: SQLCompiler, **kw: object) -> str:
    return f"({compiler.process(element.clauses, **kw)}) COLLATE BINARY"


class earlier(GenericFunction[int]):
    """The earlier of two instants; of one alone, that one."""

    type = WholeNumber
    inherit_cache = True


@compiles(earlier, "postgresql")
def _earlier_postgresql(element: earlier, compiler: SQLCompiler, **kw: object) -> str:
    return f"least({compiler.process(element.clauses, **kw)})"


@compiles(earlier, "sqlite")
def _earlier_sqlite(element: earlier, compiler: SQLCompiler, **kw: object) -> str:
    first, second = (compiler.process(one, **kw) for one in element.clauses)
    return f"min(coalesce({first}, {second}), coalesce({second}, {first}))"
