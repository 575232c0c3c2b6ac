"""Filters and searches of tables on pages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, FromClause, cast

from bounty.db import Condition, Words, equal


def begins(name: str, prefix: str) -> Condition:
    """Rows whose text in a column begins with a prefix."""
    return lambda rows: rows.c[name].startswith(prefix, autoescape=True)


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a filter."""

    value: str
    zh: str
    en: str
    condition: Condition


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter with options, of which at most one is chosen: ``?name=value``."""

    name: str
    zh: str
    en: str
    options: tuple[Option, ...]


def one_of(name: str, zh: str, en: str, labels: Mapping[str, tuple[str, str]]) -> Filter:
    """A filter by the values of the column of its name.

    labels   value -> its name in Chinese and English
    """
    return Filter(
        name, zh, en, tuple(Option(value, *names, equal(name, value)) for value, names in labels.items())
    )


@dataclass(frozen=True, slots=True)
class Search:
    """A search field: ``?q=``."""

    zh: str
    en: str
    condition: Callable[[FromClause, str], ColumnElement[bool]]


def _promoter(rows: FromClause, words: str) -> ColumnElement[bool]:
    by_id = cast(rows.c.promoter_id, Words).startswith(words, autoescape=True)
    return rows.c.name.contains(words, autoescape=True) | by_id


def _order_of_promoter(rows: FromClause, words: str) -> ColumnElement[bool]:
    return rows.c.order_sn.startswith(words, autoescape=True) | (cast(rows.c.promoter_id, Words) == words)


PROMOTER_SEARCH = Search("推手 ID 或姓名", "promoter id or name", _promoter)
"""Rows of promoters with these columns: promoter_id and name."""
ORDER_SEARCH = Search("推手 ID 或订单编号", "promoter id or order number", _order_of_promoter)
"""Rows of orders with these columns: promoter_id and order_sn."""
