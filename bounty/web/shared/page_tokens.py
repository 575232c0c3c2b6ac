"""Where a page of a table begins: the ``after`` argument of its address, and the rows that it selects."""

import base64
import json

from sqlalchemy import ColumnElement, Integer, and_, literal, or_
from sqlalchemy.types import NullType

from bounty.db import WholeNumber
from bounty.errors import BountyError
from bounty.web.shared.url_converters import GREATEST, unfit

SortValue = str | int
SortColumn = ColumnElement[str] | ColumnElement[int]


class BadPageToken(BountyError):
    """The request names a page that the table does not have."""


def encode_token(number: int, values: list[SortValue]) -> str:
    """The ``after`` argument: a page's number and the sort values of the row before it."""
    return base64.urlsafe_b64encode(json.dumps([number, *values], separators=(",", ":")).encode()).decode()


def decode_token(token: str, order: list[SortColumn]) -> tuple[int, list[SortValue]]:
    """Parse an ``after`` argument: the page's number, and the sort values of the row before it.

    Raises BadPageToken for a token that no page contains.
    """
    try:
        number, *values = json.loads(base64.urlsafe_b64decode(token.encode()))
        fits = [_fits(value, column) for value, column in zip(values, order, strict=True)]
        if all(fits) and type(number) is int and 1 < number < 2**63:
            return number, values
    except (ValueError, TypeError, RecursionError):  # errors of base64 and UTF-8 are ValueErrors
        pass
    raise BadPageToken(
        "This page's address is broken: begin again with the first page.",
        "分页地址不完整：请从第一页重新开始。",
    )


def _fits(value: object, column: SortColumn) -> bool:
    """Whether both databases can compare a value with a column: a 64-bit integer with integers, a text with texts."""
    if type(value) is int:  # without bool, which is a subclass of int
        return isinstance(column.type, Integer | NullType) and -GREATEST <= value <= GREATEST
    return isinstance(value, str) and not isinstance(column.type, Integer) and not unfit(value)


def rows_behind(order: list[SortColumn], values: list[SortValue], *, descending: bool) -> ColumnElement[bool]:
    """Rows behind the row with these values: (a, b) > (x, y) as ORs of ANDs, or < for a descending order."""
    # SQLAlchemy gives counts a 32-bit type, which cannot bind the value that represents null.
    bound = [literal(value, WholeNumber) if isinstance(value, int) else value for value in values]
    alternatives = []
    for index, (column, value) in enumerate(zip(order, bound, strict=True)):
        equal_prefix = [left == right for left, right in zip(order[:index], bound[:index], strict=True)]
        alternatives.append(and_(*equal_prefix, column < value if descending else column > value))
    return or_(*alternatives)
